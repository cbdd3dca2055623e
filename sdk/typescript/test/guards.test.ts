import { readFileSync } from "node:fs";
import { createServer, request as send, type Server } from "node:http";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { afterEach, describe, expect, inject, test } from "vitest";
import { guard as expressGuard } from "../src/express.js";
import { callerOf, guard as fastifyGuard } from "../src/fastify.js";
import type { GuardOptions, Rule } from "../src/guard.js";
import { type CreateKey, Keyward, type Verdict } from "../src/index.js";
import { guard as nextGuard } from "../src/next.js";
import { guard as webGuard, hono } from "../src/web.js";
import { type Answer, scripted } from "./scripted.js";

const url = inject("url");
const workspaceId = inject("workspace");
const keyward = new Keyward({ url, token: inject("root"), retries: 0 });
const never = "kw_live_" + "A".repeat(43) + "2ImIO6";
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function key(more: Partial<CreateKey> = {}): Promise<string> {
  return (await keyward.keys.create({ name: "g", userId: "ada", workspaceId, permissions: ["calls:read"], ...more })).key.reveal();
}

interface Got {
  status: number;
  headers: Record<string, string>;
  body: string;
}

type Ask = (headers: Record<string, string>, query?: string, ip?: string) => Promise<Got>;
type Make = (options: GuardOptions, needs: (string | Rule)[]) => Promise<Ask>;

/** Asks a server over a real connection. The address stands in X-Forwarded-For, which the servers here believe. */
function overHttp(server: Server): Promise<Ask> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      closing.push(() => server.close());
      const address = server.address();
      if (typeof address !== "object" || !address) throw new Error("no address");
      resolve(
        (headers, query = "", ip = "127.0.0.1") =>
          new Promise((done, failed) => {
            const path = "/calls" + (query && "?" + query);
            const outgoing = send({ port: address.port, path, agent: false, headers: { ...headers, "x-forwarded-for": ip } }, (incoming) => {
              let body = "";
              incoming.on("data", (piece) => (body += piece));
              incoming.on("end", () => done({ status: incoming.statusCode ?? 0, headers: incoming.headers as Record<string, string>, body }));
            });
            outgoing.on("error", failed);
            outgoing.end();
          }),
      );
    });
  });
}

const ofRequest = (request: Request) => request.headers.get("x-forwarded-for") ?? undefined;

/** Asks a handler of the web's standard. */
function overWeb(handler: (request: Request) => Promise<Response> | Response): Ask {
  return async (headers, query = "", ip = "127.0.0.1") => {
    const response = await handler(new Request("http://own.example/calls" + (query && "?" + query), { headers: { ...headers, "x-forwarded-for": ip } }));
    return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
  };
}

const frameworks: Record<string, Make> = {
  async Express(options, needs) {
    const app = express().set("trust proxy", true);
    app.get("/calls", expressGuard(options).requireKey(...needs), (req, res) => void res.end(req.keyward?.userId));
    return overHttp(createServer(app));
  },
  async Fastify(options, needs) {
    const app = fastify({ trustProxy: true });
    app.get("/calls", { onRequest: fastifyGuard(options).requireKey(...needs) }, async (req) => callerOf(req).userId);
    await app.ready();
    closing.push(() => app.close());
    return overHttp(app.server);
  },
  async Hono(options, needs) {
    const app = new Hono<{ Variables: { keyward: Verdict } }>();
    const { requireKey } = hono({ ...options, clientIp: ofRequest });
    app.get("/calls", requireKey(...needs), (c) => c.text(c.get("keyward").userId ?? ""));
    return overWeb((request) => app.fetch(request));
  },
  async "web standard"(options, needs) {
    const { requireKey } = webGuard({ ...options, clientIp: ofRequest });
    return overWeb(requireKey(...needs)((_, caller) => new Response(caller.userId ?? null)));
  },
  async "Next's middleware"(options, needs) {
    const ask = nextGuard({ ...options, clientIp: ofRequest }).check(...needs);
    return overWeb(async (request) => {
      const answer = await ask(request);
      return answer instanceof Response ? answer : new Response(answer.userId ?? null, { headers: { "x-passed": "1" } });
    });
  },
};

/** A case of the list of refusals that the guards of all clients give. */
interface RefusalCase {
  name: string;
  headers: [string, string][];
  query?: string;
  answer?: Answer;
  want: { status: number; error: Record<string, unknown>; headers: Record<string, string | null> };
}

const refusals: RefusalCase[] = JSON.parse(readFileSync(new URL("../../conformance/refusals.json", import.meta.url), "utf8"));

describe.each(Object.entries(frameworks))("the guard of %s", (name, make) => {
  test.each(refusals.map((c) => [c.name, c] as const))("refuses as every guard: %s", async (_, { headers, query, answer, want }) => {
    const server = await scripted(answer ? [answer] : []);
    closing.push(() => server.close());
    const own = new Keyward({ url: server.url, token: "kw_svc_token", retries: 0 });
    const options: GuardOptions = { keyward: own, environment: "live", now: () => Date.UTC(2026, 10, 4, 9, 31), onError() {} };
    options.timeout = answer?.delayMs ? 200 : 60_000;
    const got = await (await make(options, ["calls:read", "calls:write"]))(Object.fromEntries(headers), query);
    expect(got.status, got.body).toBe(want.status);
    expect(JSON.parse(got.body).error).toMatchObject(want.error);
    for (const [field, value] of Object.entries(want.headers)) expect(got.headers[field] ?? null, field).toBe(value);
  });

  test("lets a good key through", async () => {
    const value = await key();
    const ask = await make({ keyward, environment: "live" }, ["calls:read"]);
    for (const headers of [{ authorization: "Bearer " + value }, { "x-api-key": value }, { authorization: "bearer  " + value }]) {
      expect(await ask(headers as Record<string, string>)).toMatchObject({ status: 200, body: "ada" });
    }
  });

  test("refuses as Keyward does", async () => {
    const [good, other, poor] = [await key(), await key({ environment: "test" }), await key({ permissions: [] })];
    const [bound, spent] = [await key({ allowedIps: ["10.0.0.0/8"] }), await key({ rateLimit: { requestsPerMinute: 1 } })];
    expect((await keyward.verify({ key: spent })).valid).toBe(true);
    const ask = await make({ keyward, environment: "live" }, ["calls:read"]);
    const bearer = (v: string) => ({ authorization: "Bearer " + v });
    const cases: [Record<string, string>, string, number, string][] = [
      [{}, "", 401, "unauthenticated"],
      [bearer(never), "", 401, "unauthenticated"],
      [bearer("nonsense"), "", 401, "unauthenticated"],
      [bearer(other), "", 401, "unauthenticated"],
      [bearer(poor), "", 403, "permission_denied"],
      [bearer(bound), "", 403, "permission_denied"],
      [bearer(spent), "", 429, "rate_limited"],
      [{ ...bearer(good), "x-api-key": spent }, "", 400, "invalid_request"],
      [bearer(good), "token=" + good, 400, "invalid_request"],
      [bearer(good), "token=" + good.replace("_", "%5F"), 400, "invalid_request"],
    ];
    for (const [headers, query, status, code] of cases) {
      const got = await ask(headers, query);
      expect(got.status, JSON.stringify([headers, query])).toBe(status);
      const { error } = JSON.parse(got.body);
      expect([error.code, error.requestId]).toEqual([code, got.headers["x-request-id"]]);
      expect("www-authenticate" in got.headers).toBe(status === 401 || status === 403);
      expect("retry-after" in got.headers).toBe(status === 429);
      expect(got.body).not.toContain(good);
    }
    expect((await ask(bearer(bound), "", "10.1.2.3")).status).toBe(200);
  });

  test("tells limits, and takes one of several permissions", async () => {
    const limited = await key({ rateLimit: { requestsPerMinute: 2 } });
    const ask = await make({ keyward }, [{ any: ["calls:write", "calls:read"] }]);
    const got = await ask({ "x-api-key": limited });
    expect(got.status).toBe(200);
    if (name !== "Next's middleware") {
      expect(got.headers["ratelimit-policy"]).toBe('"minute";q=2;w=60');
      expect(got.headers["ratelimit"]).toMatch(/^"minute";r=1;t=/);
    }
    expect((await ask({ "x-api-key": await key({ permissions: ["agents:read"] }) })).status).toBe(403);
  });

  test("lets nobody through without a server", async () => {
    const errors: unknown[] = [];
    const gone = new Keyward({ url: "http://127.0.0.1:1", token: "t", retries: 0 });
    const ask = await make({ keyward: gone, onError: (e) => errors.push(e) }, ["calls:read"]);
    const got = await ask({ "x-api-key": never });
    expect([got.status, got.headers["retry-after"], errors.length]).toEqual([503, "1", 1]);
    expect(String(errors[0])).not.toContain(never);
  });
});

test("a demand that went wrong stops the start", () => {
  expect(() => expressGuard({ keyward }).requireKey({ any: [] })).toThrow(TypeError);
  expect(() => expressGuard({ keyward, workspaces: [] })).toThrow(TypeError);
});

test("the cache is bounded in time, and never for keys with limits", async () => {
  let now = 1_800_000_000_000;
  const ask = await frameworks["web standard"]!({ keyward, cache: { maxAge: 30_000 }, now: () => now }, ["calls:read"]);
  const value = await key();
  const headers = { "x-api-key": value };
  expect((await ask(headers)).status).toBe(200);
  await keyward.keys.disable((await keyward.verify({ key: value })).keyId ?? "", { wait: true });
  expect((await ask(headers)).status).toBe(200); // still taken as true
  now += 31_000;
  expect((await ask(headers)).status).toBe(401);
  const limited = { "x-api-key": await key({ rateLimit: { requestsPerMinute: 1 } }) };
  expect([(await ask(limited)).status, (await ask(limited)).status]).toEqual([200, 429]);
});

test("a key that ends soon is told once", async () => {
  const told: Verdict[] = [];
  const ask = await frameworks["web standard"]!({ keyward, onExpiring: (v) => told.push(v) }, []);
  const value = await key({ expiresAt: new Date(Date.now() + 2 * 86_400_000) });
  for (let i = 0; i < 3; i++) expect((await ask({ "x-api-key": value })).status).toBe(200);
  expect(told.length).toBe(1);
});

test("an earlier value that is still in use is told once for each rotation", async () => {
  const told: Verdict[] = [];
  const ask = await frameworks["web standard"]!({ keyward, onPreviousKey: (v) => told.push(v) }, []);
  const value = await key({});
  const id = (await keyward.verify({ key: value })).keyId!;
  const overlaps: string[] = [];
  for (const overlapSeconds of [3600, 1800]) {
    const rotated = await keyward.keys.rotate(id, { overlapSeconds });
    overlaps.push(rotated.apiKey.previousKeys[0]!.expiresAt);
    for (let i = 0; i < 3; i++) expect((await ask({ "x-api-key": value })).status).toBe(200);
    expect((await ask({ "x-api-key": rotated.key.reveal() })).status).toBe(200);
  }
  expect(told.map((v) => [v.keyId, v.previousKeyExpiresAt])).toEqual(overlaps.map((end) => [id, end]));
});

describe("the caller that a proxy of Next.js passes on", () => {
  const verdict: Verdict = { valid: true, code: "VALID", workspaceId: "w-ä", permissions: ["calls:read"] };
  let clock = 1_000_000;
  const of = (secret?: string) => nextGuard({ keyward, secret, now: () => clock });
  const request = (headers: Headers) => new Request("https://app.example/api/reports/1", { headers });

  test("reaches the handler, in the place of what a client sent", async () => {
    const headers = await of("s").forward(request(new Headers({ "x-keyward-caller": "forged", accept: "*/*" })), verdict);
    expect(headers.get("accept")).toBe("*/*");
    expect(await of("s").callerOf(request(headers))).toEqual(verdict);
  });

  test("is believed by its signature alone, for a minute", async () => {
    const headers = await of("s").forward(request(new Headers()), verdict);
    const [at, caller, mark] = headers.get("x-keyward-caller")!.split(".");
    const other = btoa(JSON.stringify({ ...verdict, workspaceId: "other" }));
    for (const forged of ["", "x", "..", `${at}.${caller}`, `${at}.${caller}.`, `${at}.${other}.${mark}`, `${Number(at) + 1}.${caller}.${mark}`,
      `${at}.${caller}.${mark}.x`, `${at}.${caller}.${mark}!`, `${at}.${caller}.${mark}A`]) {
      expect(await of("s").callerOf({ headers: { get: () => forged } }), forged).toBeUndefined();
    }
    expect(await of("s").callerOf(request(new Headers()))).toBeUndefined();
    expect(await of("t").callerOf(request(headers))).toBeUndefined();
    clock += 60_001;
    expect(await of("s").callerOf(request(headers))).toBeUndefined();
  });

  test("needs a secret", async () => {
    for (const secret of [undefined, ""]) {
      await expect(of(secret).forward(request(new Headers()), verdict)).rejects.toThrow("secret");
      await expect(of(secret).callerOf(request(new Headers()))).rejects.toThrow("secret");
    }
  });
});
