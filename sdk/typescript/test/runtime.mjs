// Runs the list that stands in the first argument, in Node, Bun or Deno, and prints the outcomes.
import { performAll } from "./perform.mjs";

const argument = globalThis.Deno ? globalThis.Deno.args[0] : globalThis.process.argv[2];
console.log(JSON.stringify(await performAll(JSON.parse(argument))));
