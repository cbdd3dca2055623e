import { execFile, spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { performAll, token } from "./perform.mjs";
import { type Answer, scripted, type Scripted } from "./scripted.js";

interface Case {
  name: string;
  call: { operation: string; args: Record<string, unknown> };
  answers: Answer[];
  want: Record<string, unknown> & { requests: number; result?: Record<string, unknown> };
}

type Outcome = Record<string, unknown> & { result?: Record<string, unknown>; text?: string };

const cases: Case[] = JSON.parse(readFileSync(new URL("../../conformance/faults.json", import.meta.url), "utf8"));
const here = (path: string) => new URL(path, import.meta.url).pathname;
const run = promisify(execFile);

/** Runs test/runtime.mjs with a program, and gives its outcomes. */
function program(command: string, ...args: string[]) {
  return async (list: unknown): Promise<Outcome[]> => {
    const { stdout } = await run(command, [...args, here("runtime.mjs"), JSON.stringify(list)], { timeout: 120_000, maxBuffer: 1 << 24 });
    return JSON.parse(stdout);
  };
}

/** The configuration of workerd: test/worker.mjs, and the modules of the built package. */
function workerConfig(): string {
  const modules = ["test/worker.mjs", "test/perform.mjs", ...readdirSync(here("../dist")).filter((f) => f.endsWith(".js")).map((f) => `dist/${f}`)];
  const embedded = modules.filter((m) => !m.startsWith("dist/node")).map((m) => `(name = "${m}", esModule = embed "../${m}")`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (modules = [${embedded.join(", ")}], compatibilityDate = "2025-01-01");
`;
}

/** Runs test/worker.mjs in workerd. */
async function workerd(list: unknown): Promise<Outcome[]> {
  const config = here("worker.generated.capnp");
  writeFileSync(config, workerConfig());
  const child = spawn(here("../runtimes/node_modules/@cloudflare/workerd-linux-64/bin/workerd"), ["serve", config, "--control-fd=3"], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  try {
    const port = await new Promise<number>((resolve, reject) => {
      let text = "";
      child.stdio[3]?.on("data", (piece: Buffer) => {
        text += piece.toString();
        const found = /"port":(\d+)/.exec(text);
        if (found) resolve(Number(found[1]));
      });
      child.on("exit", (code) => reject(new Error(`workerd ended with ${code}`)));
    });
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: JSON.stringify(list) });
    return (await response.json()) as Outcome[];
  } finally {
    child.kill();
    rmSync(config);
  }
}

const runtimes: Record<string, (list: unknown) => Promise<Outcome[]>> = {
  "this Node": (list) => performAll(list) as Promise<Outcome[]>,
  "Node 18": program(here("../runtimes/node_modules/node18/bin/node")),
  "Node 22": program(here("../runtimes/node_modules/node22/bin/node")),
  Bun: program(here("../runtimes/node_modules/@oven/bun-linux-x64/bin/bun")),
  Deno: program(here("../runtimes/node_modules/@deno/linux-x64-glibc/deno"), "run", "--allow-net", "--allow-env", "--no-check"),
  workerd,
};

describe.each(Object.entries(runtimes))("the list of faults in %s", (_, perform) => {
  let servers: Scripted[] = [];
  let outcomes: Outcome[] = [];

  beforeAll(async () => {
    servers = await Promise.all(cases.map((c) => scripted(c.answers)));
    outcomes = await perform(cases.map((c, i) => ({ url: servers[i]?.url, call: c.call })));
  }, 180_000);
  afterAll(() => Promise.all(servers.map((s) => s.close())));

  test.each(cases.map((c, i) => [c.name, c, i] as const))("%s", (_, { want }, i) => {
    const outcome = outcomes[i] ?? {};
    const requests = servers[i]?.requests ?? [];
    expect(requests.length, outcome.text).toBe(want.requests);
    if (want["sameHeader"]) {
      const name = String(want["sameHeader"]).toLowerCase();
      expect(new Set(requests.map((r) => r[name])).size).toBe(1);
      expect(requests[0]?.[name]).toBeTruthy();
    }
    if (want.result) {
      expect(outcome["error"], outcome.text).toBeUndefined();
      expect(outcome.result).toMatchObject(want.result);
      return;
    }
    expect(outcome["error"], outcome.text).toBe(want["error"]);
    for (const name of ["status", "retryAfter", "field"]) if (name in want) expect(outcome[name]).toBe(want[name]);
    expect(outcome.text).not.toContain(token);
    if (want["not"]) expect(outcome.text).not.toContain(want["not"]);
  });
});
