// Reads the calls of the conversations from the standard input, makes them, and prints what the client gave.
import { replayAll } from "./conversations.mjs";

let text = "";
if (globalThis.Deno) {
  text = await new Response(globalThis.Deno.stdin.readable).text();
} else {
  for await (const piece of process.stdin.setEncoding("utf8")) text += piece;
}
console.log(JSON.stringify(await replayAll(JSON.parse(text))));
