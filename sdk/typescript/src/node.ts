import { request as plain } from "node:http";
import { Readable } from "node:stream";

/**
 * Gives a fetch that speaks HTTP over a unix socket, for Keyward's `fetch` option:
 *
 * ```ts
 * const keyward = new Keyward({ url: "http://localhost", token, fetch: unixFetch("/run/keyward.sock") });
 * ```
 */
export function unixFetch(socketPath: string): typeof fetch {
  return (input, init) =>
    new Promise((resolve, reject) => {
      const url = new URL(input instanceof Request ? input.url : input);
      const headers = Object.fromEntries(new Headers(init?.headers));
      const body = typeof init?.body === "string" ? init.body : undefined;
      if (body !== undefined) headers["content-length"] = String(Buffer.byteLength(body));
      const outgoing = plain(
        { socketPath, path: url.pathname + url.search, method: init?.method ?? "GET", headers, ...(init?.signal && { signal: init.signal }) },
        (incoming) => {
          const answered = new Headers();
          for (let i = 0; i < incoming.rawHeaders.length; i += 2) answered.append(incoming.rawHeaders[i] ?? "", incoming.rawHeaders[i + 1] ?? "");
          const status = incoming.statusCode ?? 500;
          const empty = status === 204 || status === 304 || init?.method === "HEAD";
          const stream = empty ? null : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>);
          resolve(new Response(stream, { status, statusText: incoming.statusMessage ?? "", headers: answered }));
        },
      );
      outgoing.on("error", reject);
      outgoing.end(body);
    });
}
