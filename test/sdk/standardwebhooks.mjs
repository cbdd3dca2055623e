// A receiver that verifies notices by the package of Standard Webhooks. PUT /secrets names the secrets that it knows,
// a POST is a notice, and GET /report gives what the package said of each. It listens on 127.0.0.1, at the port of its
// first argument.
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

let secrets = {};
const report = [];

/** Gives "" where the package takes a notice, and its reason otherwise. ahead moves the clock of the package. */
function refusal(secret, body, headers, ahead = 0) {
  const now = Date.now;
  Date.now = () => now() + ahead * 1000;
  try {
    new Webhook(secret).verify(body, headers);
    return "";
  } catch (e) {
    return e.message;
  } finally {
    Date.now = now;
  }
}

/** Lists the ways to forge a notice: what the package says of each, under a secret that it takes the notice by. */
function forgeries(secret, body, headers) {
  const changed = (name, value) => refusal(secret, body, { ...headers, [name]: value });
  const stamp = Number(headers["webhook-timestamp"]);
  const signatures = headers["webhook-signature"];
  return {
    "a body with a blank more": refusal(secret, body + " ", headers),
    "another type": refusal(secret, body.replace("api_key.", "api_kez."), headers),
    "another id": changed("webhook-id", headers["webhook-id"].replace(/.$/, (c) => (c === "0" ? "1" : "0"))),
    "a second later": changed("webhook-timestamp", String(stamp + 1)),
    "no signature": changed("webhook-signature", ""),
    "a signature of another version": changed("webhook-signature", signatures.replaceAll("v1,", "v2,")),
    "a signature with a letter changed": changed(
      "webhook-signature",
      signatures.replaceAll(/,(.)/g, (_, c) => (c === "A" ? ",B" : ",A")),
    ),
    "six minutes old": refusal(secret, body, headers, 360),
    "six minutes ahead": refusal(secret, body, headers, -360),
  };
}

createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts).toString();
  if (request.method === "PUT") secrets = JSON.parse(body);
  if (request.method !== "POST") {
    response.end(JSON.stringify(report));
    return;
  }
  const said = Object.fromEntries(
    Object.entries(secrets).map(([name, secret]) => [name, refusal(secret, body, request.headers)]),
  );
  const taken = Object.keys(said).filter((name) => said[name] === "");
  const forged = Object.fromEntries(taken.map((name) => [name, forgeries(secrets[name], body, request.headers)]));
  report.push({ id: request.headers["webhook-id"], body, said, forged });
  response.writeHead(taken.length > 0 ? 204 : 400).end();
}).listen(Number(process.argv[2]), "127.0.0.1");
