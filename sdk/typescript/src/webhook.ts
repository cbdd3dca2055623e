import { KeywardError } from "./errors.js";
import { webCrypto } from "./random.js";
import { Secret } from "./secret.js";

/** How far the timestamp of a notice may lie from the clock, in seconds. */
export const webhookTolerance = 300;

/** A notice that is not from the server that has the secret, or was changed, or is too old. */
export class WebhookSignatureError extends KeywardError {
  override name = "WebhookSignatureError";
}

/** The heads of a request: a standard Headers, or an object such as Node's request.headers. */
export type WebhookHeaders = Headers | Record<string, string | string[] | undefined>;

/** A notice: what happened, when, and the ids of what it is about. */
export interface Notice {
  type: string;
  timestamp: string;
  data: Record<string, unknown>;
}

/**
 * Checks a notice to a webhook by Standard Webhooks and gives it: the signature over its id, its timestamp and the body as it came,
 * byte for byte, and that the timestamp lies within five minutes of the clock. A notice may come more than once, with the same
 * `webhook-id`.
 */
export async function verifyWebhook(secret: string | Secret, headers: WebhookHeaders, body: string | Uint8Array): Promise<Notice> {
  const { subtle } = await webCrypto();
  const key = await keyOf(subtle, secret instanceof Secret ? secret.reveal() : secret);
  const id = head(headers, "webhook-id");
  const stamp = head(headers, "webhook-timestamp");
  if (id === "" || !/^[0-9]{1,12}$/.test(stamp)) throw new WebhookSignatureError("the notice has no id or no timestamp");
  if (Math.abs(Date.now() / 1000 - Number(stamp)) > webhookTolerance) {
    throw new WebhookSignatureError("the timestamp of the notice is too far from the clock");
  }
  const raw = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const front = new TextEncoder().encode(`${id}.${stamp}.`);
  const all = new Uint8Array(front.length + raw.length);
  all.set(front);
  all.set(raw, front.length);
  for (const one of head(headers, "webhook-signature").split(" ")) {
    const [version, text = ""] = one.split(",", 2);
    const sum = version === "v1" ? bytesOf(text) : undefined;
    // The comparison of WebCrypto takes the same time for every signature.
    if (sum !== undefined && (await subtle.verify("HMAC", key, sum, all))) {
      return JSON.parse(new TextDecoder().decode(raw)) as Notice;
    }
  }
  throw new WebhookSignatureError("no signature of the notice fits");
}

async function keyOf(subtle: SubtleCrypto, secret: string): Promise<CryptoKey> {
  const raw = secret.startsWith("whsec_") ? bytesOf(secret.slice(6)) : undefined;
  if (raw === undefined || raw.length === 0) {
    throw new KeywardError("the secret of a webhook begins with whsec_ and goes on in base64");
  }
  return subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | undefined {
  if (base64.length % 4 !== 0) return undefined; // atob takes it without padding, and other verifiers do not
  try {
    return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function head(headers: WebhookHeaders, name: string): string {
  if (headers instanceof Headers) return headers.get(name) ?? "";
  const found = headers[name] ?? headers[Object.keys(headers).find((one) => one.toLowerCase() === name) ?? name];
  return (Array.isArray(found) ? found[0] : found) ?? "";
}
