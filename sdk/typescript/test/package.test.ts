import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { Keyward } from "../src/index.js";

const here = (path: string) => new URL(path, import.meta.url).pathname;
const env = { ...process.env, KEYWARD_URL: inject("url"), KEYWARD_TOKEN: inject("root") };

/** A folder in which the packed package is installed. */
function installed(): string {
  const folder = mkdtempSync(join(tmpdir(), "keyward-js-"));
  const [{ filename }] = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", folder], { cwd: here(".."), encoding: "utf8" }));
  mkdirSync(join(folder, "node_modules/keyward"), { recursive: true });
  execFileSync("tar", ["-xzf", join(folder, filename), "-C", join(folder, "node_modules/keyward"), "--strip-components=1"]);
  symlinkSync(here("../node_modules/express"), join(folder, "node_modules/express"));
  writeFileSync(join(folder, "package.json"), '{"type": "module"}');
  return folder;
}

test("the first minute of the README", () => {
  const folder = installed();
  const block = /```ts\n([^`]*)```/.exec(readFileSync(here("../README.md"), "utf8"))?.[1] ?? "";
  writeFileSync(join(folder, "first.mjs"), block.replace("http://127.0.0.1:8080", inject("url")));
  const lines = execFileSync(process.execPath, ["first.mjs"], { cwd: folder, env, encoding: "utf8" }).trim().split("\n");
  expect(lines[0]).toMatch(/^kw_live_/);
  expect(lines.slice(1)).toEqual(["VALID", "NOT_FOUND"]);
});

test("the program that the dashboard shows beside a new key", async () => {
  const folder = installed();
  const keyward = new Keyward({ url: inject("url"), token: inject("root") });
  const { key } = await keyward.keys.create({ name: "pasted", userId: "ada", workspaceId: inject("workspace"), permissions: ["calls:read"] });
  const shown = readFileSync(here("../../../internal/dashboard/snippets/main.ts"), "utf8");
  writeFileSync(join(folder, "main.mjs"), shown.replace("https://keyward.example", inject("url")).replace("kw_live_value", key.reveal()));
  expect(execFileSync(process.execPath, ["main.mjs"], { cwd: folder, encoding: "utf8" }).trim()).toBe("pasted [ 'calls:read' ]");
});

test("CommonJS", () => {
  const folder = installed();
  const program = 'const { Keyward } = require("keyward"); require("keyward/express"); console.log(typeof Keyward)';
  writeFileSync(join(folder, "common.cjs"), program);
  expect(execFileSync(process.execPath, ["common.cjs"], { cwd: folder, encoding: "utf8" }).trim()).toBe("function");
});

const node22 = here("../runtimes/node_modules/node22/bin/node");
let compiled = "";

/** A folder in which the example is compiled by the words of the README, once for all versions of Node. */
function example(): string {
  if (compiled) return compiled;
  const folder = installed();
  const words = /<!-- example -->\n```sh\n([^`]*)```/.exec(readFileSync(here("../README.md"), "utf8"))?.[1] ?? "";
  const [install, copy, compile, start, ...more] = words.trim().split("\n");
  expect([install, start, more]).toEqual([expect.stringContaining("npm install express esbuild "), "node server.mjs", []]);
  mkdirSync(join(folder, "node_modules/.bin"));
  symlinkSync(here("../node_modules/.bin/esbuild"), join(folder, "node_modules/.bin/esbuild"));
  execFileSync("sh", ["-euc", `${copy}\n${compile}`], { cwd: folder, stdio: "pipe", env: { ...env, KEYWARD: here("../../..") } });
  compiled = folder;
  return folder;
}

test.each([process.execPath, node22])("the example starts by the words of the README and answers a good key alone, with %s", async (node) => {
  const folder = example();
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  const port = typeof address === "object" && address ? address.port : 0;
  await new Promise((resolve) => probe.close(resolve));
  const child = spawn(node, ["server.mjs"], { cwd: folder, env: { ...env, PORT: String(port) } });
  try {
    const keyward = new Keyward({ url: inject("url"), token: inject("root") });
    const { key } = await keyward.keys.create({ name: "e", userId: "ada", workspaceId: inject("workspace"), permissions: ["calls:read"] });
    const ask = (headers: Record<string, string>) => fetch(`http://127.0.0.1:${port}/calls`, { headers });
    let response: Response | undefined;
    for (let i = 0; i < 200 && !response; i++) {
      response = await ask({ authorization: "Bearer " + key.reveal() }).catch(() => undefined);
      if (!response) await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await response?.json()).toMatchObject({ workspace: inject("workspace") });
    expect((await ask({})).status).toBe(401);
  } finally {
    child.kill();
  }
});
