import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, test } from "vitest";

const here = (path: string) => new URL(path, import.meta.url).pathname;

// Operations for browsers, gateways and machines that no program calls through a client.
const notCalled = ["getFrontPage", "checkRequest", "getMetrics", "getOpenapi", "getReference", "getReferenceFile"];

interface Document {
  paths: Record<string, Record<string, { operationId: string; parameters?: { name?: string; in?: string; $ref?: string }[] }>>;
  components: { parameters: Record<string, { name: string; in: string }> };
}

const document = async () => (await (await fetch(inject("url") + "/openapi.json")).json()) as Document;
const client = readFileSync(here("../src/client.ts"), "utf8");

test("the client has every operation of the document", async () => {
  const wanted = new Set<string>();
  for (const item of Object.values((await document()).paths)) {
    for (const [method, operation] of Object.entries(item)) if (method !== "parameters") wanted.add(operation.operationId);
  }
  for (const operation of notCalled) wanted.delete(operation);
  const called = new Set([...client.matchAll(/(?:get|send|rotate|form|probe)(?:<[^()]*>)?\(\s*"([a-zA-Z]+)"/g)].map((m) => m[1]));
  expect([...called].sort()).toEqual([...wanted].sort());
});

test("the client has every query parameter of the document", async () => {
  const { paths, components } = await document();
  for (const item of Object.values(paths)) {
    for (const [method, operation] of Object.entries(item)) {
      if (method === "parameters" || notCalled.includes(operation.operationId)) continue;
      for (const p of operation.parameters ?? []) {
        const { name, in: place } = p.$ref ? components.parameters[p.$ref.split("/").pop() ?? ""]! : p;
        if (place === "query") expect(client, `${operation.operationId} ${name}`).toMatch(new RegExp(`\\b${name}\\b`));
      }
    }
  }
});

test("the types are those of the document", () => {
  const out = join(mkdtempSync(join(tmpdir(), "keyward-js-")), "schema.ts");
  execFileSync(here("../node_modules/.bin/openapi-typescript"), [here("../../../api/openapi.yaml"), "--default-non-nullable", "false", "-o", out], { stdio: "ignore" });
  expect(readFileSync(here("../src/schema.ts"), "utf8"), "run npm run types").toBe(readFileSync(out, "utf8"));
});

test("the core imports no module of Node", () => {
  for (const file of ["index", "client", "call", "errors", "secret", "guard", "random", "web", "next", "express", "fastify"]) {
    expect(readFileSync(here(`../src/${file}.ts`), "utf8")).not.toMatch(/from "node:/);
  }
});
