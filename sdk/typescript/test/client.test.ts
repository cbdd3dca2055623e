import { createHash } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { format, inspect } from "node:util";
import { serialize } from "node:v8";
import { expect, inject, test } from "vitest";
import { APIError, type CreateKey, isCode, Keyward, KeywardError, ProtocolError, ReplayedWithoutValueError } from "../src/index.js";
import { unixFetch } from "../src/node.js";
import { scripted } from "./scripted.js";

const url = inject("url");
const token = inject("root");
const workspaceId = inject("workspace");
const keyward = new Keyward({ url, token });
const absent = "019a5c42-1f08-7c3a-8b52-6d0e9f4a7c21";

const make = (more: Partial<CreateKey> = {}) =>
  keyward.keys.create({ name: "t", userId: "ada", workspaceId, permissions: ["calls:read"], ...more });

async function refused(promise: Promise<unknown>): Promise<APIError> {
  const error = await promise.then(() => undefined, (e: unknown) => e);
  expect(error).toBeInstanceOf(APIError);
  return error as APIError;
}

test("a key from creation to its end", async () => {
  const { apiKey, key } = await make({ rateLimit: { requestsPerMinute: 5, requestsPerDay: null }, metadata: { team: "a" } });
  expect(apiKey.permissions).toEqual(["calls:read"]);
  expect(apiKey.key).toMatch(/^kw_live_.{4}….{4}$/);
  const verdict = await keyward.verify({ key, permissions: ["calls:read"], environment: "live" });
  expect(verdict).toMatchObject({ valid: true, keyId: apiKey.id, metadata: { team: "a" }, rateLimit: { minute: { remaining: 4 } } });
  expect((await keyward.verify({ key, permissions: { any: ["calls:write"] } })).code).toBe("INSUFFICIENT_PERMISSIONS");
  expect((await keyward.verify({ key, environment: "test" })).code).toBe("NOT_FOUND");
  expect((await keyward.keys.explain(apiKey.id, { permission: ["calls:write"] })).verdict).toBe("INSUFFICIENT_PERMISSIONS");
  expect((await keyward.keys.refusals(apiKey.id)).map((r) => [r.code, r.value])).toContainEqual(["INSUFFICIENT_PERMISSIONS", "current"]);
  expect((await keyward.workspaces.refusals(apiKey.workspaceId, { limit: 200 })).map((r) => r.keyId)).toContain(apiKey.id);
  const rotated = await keyward.keys.rotate(apiKey.id, { overlapSeconds: 60 });
  expect(rotated.key.equals(key)).toBe(false);
  expect((await keyward.verifyBatch([{ key }, { key: rotated.key }, { key: "nothing" }])).map((v) => v.code)).toEqual(["VALID", "VALID", "MALFORMED"]);
  expect((await keyward.keys.disable(apiKey.id, { wait: true })).isActive).toBe(false);
  expect((await keyward.verify({ key })).code).toBe("DISABLED");
  await keyward.keys.enable(apiKey.id);
  expect((await keyward.keys.delete(apiKey.id, { wait: true })).revocation.effective).toBe("everywhere");
  expect((await keyward.verify({ key: rotated.key })).code).toBe("NOT_FOUND");
});

test("a value does not print", async () => {
  const made = await make();
  const value = made.key.reveal();
  const said: unknown[] = [];
  const log = console.log;
  console.log = (...words: unknown[]) => said.push(format(...words));
  console.log(made, "%s %o %O %j", made.key, made.key, made.key, made.key);
  console.log = log;
  for (const shown of [
    String(made.key), `${made.key}`, "" + made.key, [made.key].join(), JSON.stringify(made), inspect(made, { depth: 9, showHidden: true }),
    inspect(made.key, { customInspect: false, showHidden: true }), format("%s %d %o %O %j", made.key, made.key, made.key, made.key, made.key),
    inspect(structuredClone({ key: made.key })), JSON.stringify({ ...made.key }), Object.values(made.key).join(), inspect(keyward, { depth: 9, showHidden: true }),
    inspect(new Error("no", { cause: made.key })), serialize(made).toString("latin1"), ...said,
  ]) {
    expect(shown).not.toContain(value);
    expect(shown).not.toContain(token);
  }
  expect(made.key.reveal()).toMatch(/^kw_live_[0-9A-Za-z]{49}$/);
});

test("a refusal has a code, details and a request id", async () => {
  const wrong = await refused(make({ permissions: ["calls:raed"] }));
  expect(wrong).toMatchObject({ status: 400, code: "invalid_request", details: [{ field: "permissions[0]" }] });
  expect(wrong.requestId).toBeTruthy();
  expect(isCode(await refused(keyward.keys.retrieve(absent)), "not_found")).toBe(true);
  expect((await refused(new Keyward({ url, token: "kw_svc_wrong" }).keys.list())).status).toBe(401);
  const { key } = await make({ permissions: ["api-keys:write"] });
  const derived = new Keyward({ url, token: key });
  expect((await refused(derived.keys.create({ name: "more", userId: "ada", permissions: ["calls:read"] }))).code).toBe("permission_escalation");
  const item = await refused(keyward.keys.disable(absent));
  expect(item).toMatchObject({ code: "not_found", status: 404 });
});

test("keys are not put into URLs", async () => {
  const value = (await make()).key.reveal();
  for (const id of [value, "", ".."]) await expect(keyward.keys.retrieve(id)).rejects.toThrow(KeywardError);
  await expect(keyward.keys.list({ search: value })).rejects.toThrow(/URLs/);
});

test("the same idempotency key is the same key", async () => {
  const options = { idempotencyKey: "js-once" };
  const key = { name: "once", userId: "ada", workspaceId, permissions: [] };
  const first = await keyward.keys.create(key, options);
  const again = await keyward.keys.create(key, options);
  expect(again.apiKey.id).toBe(first.apiKey.id);
  expect(again.key.equals(first.key)).toBe(true);
  await keyward.keys.rotate(first.apiKey.id);
  await expect(keyward.keys.create(key, options)).rejects.toThrow(ReplayedWithoutValueError);
});

test("pages are walked, and left early", async () => {
  const made = new Set<string>();
  for (let i = 0; i < 5; i++) made.add((await make({ name: `js walk ${i}` })).apiKey.id);
  const found = new Set<string>();
  for await (const key of keyward.keys.all({ workspaceId, search: "js walk", limit: 2 })) found.add(key.id);
  expect(found).toEqual(made);
  for await (const key of keyward.keys.all({ workspaceId, limit: 1 })) {
    expect(key.id).toBeTruthy();
    break;
  }
});

test("requests for keys", async () => {
  const asked = await keyward.keyRequests.create({ workspaceId, userId: "ada", name: "asked", permissions: [] });
  expect(asked).toMatchObject({ kind: "create", status: "pending", keyId: asked.id, asks: { name: "asked", permissions: [] } });
  expect((await keyward.keyRequests.decline(asked.id)).deleted).toEqual([asked.id]);
  expect((await keyward.keyRequests.retrieve(asked.id)).status).toBe("declined");
  expect((await refused(keyward.keyRequests.rotation(asked.id, { overlapSeconds: 60 }))).code).toBe("not_found");
});

test("portal sessions", async () => {
  const made = await keyward.portalSessions.create({
    workspaceId,
    userId: "ada",
    capabilities: ["keys:read", "keys:create"],
    ceiling: { permissions: ["calls:read"], maxKeys: 5 },
    allowedOrigins: ["https://app.example.com"],
  });
  expect(made.url.reveal()).toContain("#" + made.clientSecret.reveal());
  const id = made.portalSession.id;
  expect((await keyward.portalSessions.retrieve(id)).ceiling.maxKeys).toBe(5);
  expect((await keyward.portalSessions.list({ workspaceId, userId: "ada" })).portalSessions.map((p) => p.id)).toContain(id);
  expect((await refused(keyward.portalSessions.exchange(made.clientSecret, "no proof"))).code).toBe("unauthenticated");
  expect((await refused(keyward.portalSessions.renew(id, "no proof"))).code).toBe("unauthenticated");
  expect((await keyward.portalSessions.end(id, { wait: true })).deleted).toEqual([id]);
  expect((await keyward.portalSessions.endAll({ userId: "ada" })).deleted).toEqual([]);
});

test("members and roles", async () => {
  const role = await keyward.roles.create(workspaceId, { name: "JS reader", permissions: ["calls:read"] });
  expect((await keyward.members.put(workspaceId, "bo", { email: "bo@example.com", roleId: role.id })).roleName).toBe("JS reader");
  expect((await keyward.members.update(workspaceId, "bo", { displayName: "Bo" })).displayName).toBe("Bo");
  expect((await keyward.members.retrieve(workspaceId, "bo")).email).toBe("bo@example.com");
  expect((await keyward.roles.update(workspaceId, role.id, { description: "reads" })).description).toBe("reads");
  expect((await refused(keyward.roles.delete(workspaceId, role.id))).code).toBe("conflict");
  expect((await keyward.members.invite(workspaceId, "bo")).url.reveal()).toContain("/signin/invitation#keyward_invite_");
  expect((await keyward.members.resetSignIn(workspaceId, "bo")).ended).toEqual({ passkeys: 0, sessions: 0 });
  expect((await keyward.members.remove(workspaceId, "bo", { dryRun: true })).removed).toBe("bo");
  const { removalId } = await keyward.members.remove(workspaceId, "bo", { keys: "stop", wait: true });
  expect((await keyward.members.restore(workspaceId, "bo", removalId ?? "")).member.userId).toBe("bo");
  expect((await keyward.members.remove(workspaceId, "bo", { reason: "leaked" })).removalId).toBeNull();
  const names = [];
  for await (const r of keyward.roles.all(workspaceId)) names.push(r.name);
  expect(names).toContain("JS reader");
  expect((await keyward.roles.delete(workspaceId, role.id)).deleted).toEqual([role.id]);
});

test("service keys, workspaces, sessions, the log and the installation", async () => {
  const service = await keyward.serviceKeys.create({ name: "js gateway", scopes: ["verify"], environments: ["live"] });
  const gateway = new Keyward({ url, token: service.key });
  expect((await gateway.me()).credential).toMatchObject({ id: service.serviceKey.id });
  expect((await refused(gateway.keys.list({ workspaceId }))).code).toBe("permission_denied");
  expect((await keyward.serviceKeys.list()).serviceKeys.length).toBeGreaterThan(0);
  await keyward.serviceKeys.delete(service.serviceKey.id);
  const extra = await keyward.workspaces.create({ name: "JS", owner: { userId: "eve", email: "eve@example.com" } });
  expect((await keyward.workspaces.update(extra.id, { name: "JS 2" })).workspace.name).toBe("JS 2");
  expect((await keyward.workspaces.putPlan(extra.id, { maxRoles: 9 })).plan.maxRoles).toBe(9);
  expect((await keyward.workspaces.retrieve(extra.id)).ownerId).toBe("eve");
  const link = await keyward.sessions.createLink({ workspaceId: extra.id, userId: "eve" });
  const started = await keyward.sessions.start(link.code);
  expect((await new Keyward({ url, token: started.token }).me()).user?.id).toBe("eve");
  expect((await keyward.sessions.end(started.session.id)).deleted).toEqual([started.session.id]);
  expect((await keyward.workspaces.delete(extra.id, { wait: true })).deleted).toEqual([extra.id]);
  expect((await keyward.permissions()).length).toBe(101);
  expect((await keyward.nodes())[0]?.isSelf).toBe(true);
  expect((await keyward.installation()).nodes).toEqual({ total: 1, ready: 1 });
  expect((await keyward.usageByWorkspace({ limit: 1 })).complete).toBe(true);
  expect((await keyward.workspaces.permissionUsage(workspaceId)).permissions).toBeInstanceOf(Array);
  const lines = (await new Response(await keyward.feedSnapshot({ nonce: "n" })).text()).trim().split("\n");
  const last = JSON.parse(lines.at(-1)!) as { cursor: string; nonce: string };
  expect(last.nonce).toBe("n");
  expect(await new Response(await keyward.feed({ after: last.cursor, nonce: "m" })).text()).toContain('"nonce":"m"');
  const key = (await make()).apiKey.id;
  const leases = [{ number: 1, keyId: key, cost: 1, minute: { want: 5, ahead: true } }];
  expect((await keyward.leaseMinutes({ incarnation: "i", leases })).leases[0]?.minute?.granted).toBe(5);
  const claims = [{ accountId: key, day: new Date().toISOString().slice(0, 10), want: 3 }];
  expect((await keyward.reserveDays({ incarnation: "i", number: 1, claims })).claims[0]?.granted).toBe(3);
  expect((await keyward.reportUses({ incarnation: "i", number: 1 })).taken).toBe(true);
  expect((await keyward.usage({ granularity: "day" })).series.length).toBeGreaterThan(0);
  expect((await keyward.workspaces.usage(workspaceId)).total).toBeGreaterThanOrEqual(0);
  const made = await make();
  expect(await keyward.keys.limits(made.apiKey.id)).toEqual({ limits: {}, retryAt: null, counting: "local" });
  const types = new Set<string>();
  for await (const e of keyward.logs.all({ workspaceId, limit: 5 })) types.add(e.eventType);
  expect(types).toContain("api_key.created");
  const text = await new Response(await keyward.logs.export("ndjson", { workspaceId })).text();
  expect(text.trim().split("\n").length).toBeGreaterThan(2);
});

test("the words of OAuth, and import", async () => {
  const { key } = await make();
  expect(await keyward.oauth.introspect(key, { environment: "live" })).toMatchObject({ active: true, scope: "calls:read" });
  await keyward.oauth.revoke(key);
  expect(await keyward.oauth.introspect(key)).toEqual({ active: false });
  const value = "js-legacy-" + "x".repeat(30);
  const sha256 = createHash("sha256").update(value).digest("hex");
  const { imported, errors } = await keyward.keys.import([{ name: "old", userId: "ada", sha256 }], { workspaceId });
  expect([errors, imported[0]?.key]).toEqual([[], null]);
  expect((await keyward.verify({ key: value })).keyId).toBe(imported[0]?.id);
});

test("a call ends with its signal", async () => {
  await expect(keyward.permissions({ signal: AbortSignal.abort(new Error("no more")) })).rejects.toThrow("no more");
});

test("a stream ends with its signal", async () => {
  const server = createHttpServer((_, response) => void response.writeHead(200).write("first\n")); // and no end
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const stop = new AbortController();
  const own = new Keyward({ url: `http://127.0.0.1:${port}`, token });
  const reader = (await own.logs.export("ndjson", { signal: stop.signal })).getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("first\n");
  stop.abort(new Error("no more"));
  await expect(reader.read()).rejects.toThrow("no more");
  server.closeAllConnections();
  server.close();
});

test("a verdict that does not answer the question is refused", async () => {
  const result = { valid: true, code: "VALID" };
  const wrong: [Record<string, unknown>, (k: Keyward) => Promise<unknown>][] = [
    [{ results: [result] }, (k) => k.verifyBatch([{ key: "a" }, { key: "b" }])],
    [{ results: [{ ...result, code: "DISABLED" }] }, (k) => k.verifyBatch([{ key: "a" }])],
    [{}, (k) => k.verifyBatch([{ key: "a" }])],
    [{ ...result, valid: "yes" }, (k) => k.verify({ key: "a" })],
  ];
  for (const [answer, ask] of wrong) {
    const server = await scripted([{ status: 200, body: { success: true, data: { result: answer } } }]);
    await expect(ask(new Keyward({ url: server.url, token: "t" }))).rejects.toThrow(ProtocolError);
    await server.close();
  }
});

test("a unix socket", async () => {
  const path = join(tmpdir(), `keyward-js-${process.pid}.sock`);
  const { hostname, port } = new URL(url);
  const relay = createServer((inside) => {
    const outside = connect(Number(port), hostname);
    inside.pipe(outside).pipe(inside);
    for (const s of [inside, outside]) s.on("error", () => {});
  });
  await new Promise<void>((resolve) => relay.listen(path, resolve));
  const local = new Keyward({ url: "http://localhost", token, fetch: unixFetch(path) });
  expect((await local.permissions()).length).toBe(101);
  expect((await local.verify({ key: (await make()).key })).valid).toBe(true);
  expect((await refused(local.keys.retrieve(absent))).code).toBe("not_found");
  relay.close();
});

test.each(["ftp://x", "nonsense", "http://user:pass@host", "http://h?q=1"])("the URL %s is refused without being shown", (wrong) => {
  expect(() => new Keyward({ url: wrong })).toThrow(/^(?!.*pass)/);
  expect(() => new Keyward({ url: wrong })).toThrow(KeywardError);
});

test.each(["", "a b", "a\r\nX: y", "é"])("the token %j is refused", (wrong) => {
  expect(() => new Keyward({ url, token: wrong })).toThrow(KeywardError);
});
