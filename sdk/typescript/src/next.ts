import type { Keyward, Verdict } from "./client.js";
import { webCrypto } from "./random.js";
import { guard as webGuard, type WebGuardOptions } from "./web.js";

export type { Rule, WebGuardOptions } from "./web.js";
export type { Keyward, Verdict };

/** Options of a guard for Next.js. */
export interface NextGuardOptions extends WebGuardOptions {
  /**
   * Signs what `forward` passes on, so that `callerOf` believes no field that a client sent. `forward` and `callerOf` need it, with the
   * same value in both places. The token of the service key is good for it.
   */
  secret?: string | undefined;
}

/** A request, or the headers of one in a component: `{ headers: await headers() }`. */
export interface WithHeaders {
  headers: { get(name: string): string | null };
}

const field = "x-keyward-caller";
const freshFor = 60_000; // milliseconds from proxy.ts to the handler, at most

/**
 * Makes guards for route handlers of Next.js, and for its proxy.
 *
 * ```ts
 * // app/api/calls/route.ts
 * const { requireKey } = guard({ keyward, environment: "live" });
 * export const GET = requireKey("calls:read")(async (request, caller) => Response.json({ workspace: caller.workspaceId }));
 *
 * // keyward.ts
 * export const { check, forward, callerOf } = guard({ keyward, environment: "live", secret: process.env.KEYWARD_TOKEN });
 *
 * // proxy.ts (middleware.ts before Next.js 16)
 * const ask = check("calls:read");
 * export async function proxy(request: NextRequest) {
 *   const caller = await ask(request);
 *   return caller instanceof Response ? caller : NextResponse.next({ request: { headers: await forward(request, caller) } });
 * }
 *
 * // a route handler behind it
 * const caller = await callerOf(request); // undefined: the request did not come through the proxy
 * ```
 */
export function guard(options: NextGuardOptions): ReturnType<typeof webGuard> & {
  /** Gives the headers of a request with the caller in them, for `NextResponse.next({ request: { headers } })`. */
  forward: (request: Request, caller: Verdict) => Promise<Headers>;
  /** Gives the caller that `forward` passed on within the last minute; undefined for any other request. */
  callerOf: (request: WithHeaders) => Promise<Verdict | undefined>;
} {
  const now = options.now ?? Date.now;
  return {
    ...webGuard(options),
    async forward(request, caller) {
      const text = `${now()}.${encode(new TextEncoder().encode(JSON.stringify(caller)))}`;
      const { subtle } = await webCrypto();
      const mark = await subtle.sign("HMAC", await keyOf(subtle, options.secret), signed(text));
      const headers = new Headers(request.headers);
      headers.set(field, `${text}.${encode(new Uint8Array(mark))}`);
      return headers;
    },
    async callerOf(request) {
      const { subtle } = await webCrypto();
      const key = await keyOf(subtle, options.secret);
      const [at = "", caller = "", mark = "", more] = request.headers.get(field)?.split(".") ?? [];
      const sum = decode(mark);
      if (more !== undefined || sum === undefined) return undefined;
      if (!(await subtle.verify("HMAC", key, sum, signed(`${at}.${caller}`)))) return undefined;
      if (Math.abs(now() - Number(at)) > freshFor) return undefined;
      return JSON.parse(new TextDecoder().decode(decode(caller))) as Verdict;
    },
  };
}

function keyOf(subtle: SubtleCrypto, secret: string | undefined): Promise<CryptoKey> {
  if (!secret) throw new TypeError("secret: forward and callerOf need one, such as the token of the service key");
  return subtle.importKey("raw", new TextEncoder().encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

function signed(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`keyward caller v1 ${text}`);
}

/** Writes bytes in the URL-safe base64 of RFC 4648, without padding. */
function encode(bytes: Uint8Array): string {
  let text = "";
  for (const one of bytes) text += String.fromCharCode(one);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function decode(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[0-9A-Za-z_-]+$/.test(text)) return undefined;
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  } catch {
    return undefined;
  }
}
