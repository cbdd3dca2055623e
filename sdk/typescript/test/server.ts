import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Keyward } from "../src/index.js";

declare module "vitest" {
  export interface ProvidedContext {
    url: string;
    root: string;
    workspace: string;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || !address) throw new Error("no address");
  return address.port;
}

/** Starts a real server for all tests. KEYWARD_BINARY names its program. */
export default async function setup({ provide }: { provide: (name: "url" | "root" | "workspace", value: string) => void }) {
  const binary = process.env["KEYWARD_BINARY"] ?? new URL("../../../bin/keyward", import.meta.url).pathname;
  const folder = mkdtempSync(join(tmpdir(), "keyward-js-"));
  const root = execFileSync(binary, ["rootkey"], { encoding: "utf8" }).trim().split(/\s+/).pop() ?? "";
  const url = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(binary, ["serve"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "ignore"],
    env: {
      PATH: process.env["PATH"],
      HOME: folder,
      KEYWARD_ADDR: url.slice("http://".length),
      KEYWARD_DATABASE_URL: `sqlite:${folder}/keyward.db`,
      KEYWARD_ROOT_KEY: root,
      KEYWARD_PUBLIC_URL: url,
    },
  });
  const keyward = new Keyward({ url, token: root });
  for (let i = 0; !(await keyward.ready()); i++) {
    if (child.exitCode !== null || i > 1200) throw new Error("the server did not start");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const workspace = await keyward.workspaces.create({ name: "Acme", owner: { userId: "ada", email: "ada@example.com" } });
  provide("url", url);
  provide("root", root);
  provide("workspace", workspace.id);
  return async () => {
    child.kill();
    await new Promise((resolve) => child.on("exit", resolve));
    rmSync(folder, { recursive: true, force: true });
  };
}
