// Writes the calls that the API reference shows in TypeScript (api/samples.txt) into a file, which `tsc` then checks with the tests.
import { readFileSync, writeFileSync } from "node:fs";

/** The variables that the samples use beside the client. */
const variables = [
  "id", "key", "workspaceId", "userId", "roleId", "removalId", "deliveryId", "code", "clientSecret", "proof", "nonce", "cursor", "incarnation",
  "keyId",
];

const calls = readFileSync(new URL("../../../api/samples.txt", import.meta.url), "utf8").split("\n").filter((line) => line.startsWith("ts "));
if (calls.length < 80) throw new Error(`api/samples.txt shows ${calls.length} calls in TypeScript`);
const bodies = calls.map((call, i) => {
  const names = /^const (?:\{ ([^}]*) \}|(\w+)) =/.exec(call.slice(3));
  const used = names ? ` void [${names[1] ?? names[2]}];` : "";
  return `export async function call${i}() { ${call.slice(3)}${used} }`;
});
writeFileSync(
  new URL("samples.generated.ts", import.meta.url),
  `import type { Keyward } from "../src/index.js";
declare const keyward: Keyward;
declare const ${variables.map((name) => `${name}: string`).join(", ")};
${bodies.join("\n")}
`,
);
