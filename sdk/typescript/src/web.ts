import type { Verdict } from "./client.js";
import { Guard, type GuardOptions, type Incoming, type Outcome, type Rule, ruleOf } from "./guard.js";

export type { GuardOptions, Rule } from "./guard.js";

/** Options of a guard for requests of the web's standard. */
export interface WebGuardOptions extends GuardOptions {
  /**
   * Reads the caller's address, for keys that are bound to networks. A standard Request does not have it: without this such keys are
   * refused. Read what your own platform or proxy sets, and nothing that a client can set.
   */
  clientIp?: (request: Request) => string | undefined;
}

/**
 * Makes guards for handlers that take a Request and give a Response: Workers, Deno, Bun, and frameworks on them.
 *
 * ```ts
 * const { requireKey } = guard({ keyward, environment: "live" });
 * export default { fetch: requireKey("calls:read")((request, caller) => Response.json({ workspace: caller.workspaceId })) };
 * ```
 */
export function guard(options: WebGuardOptions): {
  requireKey: (
    ...needs: (string | Rule)[]
  ) => <R extends Request, A extends unknown[]>(
    handler: (request: R, caller: Verdict, ...rest: A) => Response | Promise<Response>,
  ) => (request: R, ...rest: A) => Promise<Response>;
  check: (...needs: (string | Rule)[]) => (request: Request) => Promise<Verdict | Response>;
} {
  const own = new Guard(options);
  const decider = (needs: (string | Rule)[]) => {
    const decide = own.by(ruleOf(needs));
    return (request: Request): Promise<Outcome> => decide(incoming(request, options.clientIp?.(request)));
  };
  return {
    requireKey(...needs) {
      const decide = decider(needs);
      return (handler) =>
        async (request, ...rest) => {
          const outcome = await decide(request);
          if ("refusal" in outcome) return responseOf(outcome);
          const response = await handler(request, outcome.verdict, ...rest);
          return withHeaders(response, outcome.headers);
        };
    },
    check(...needs) {
      const decide = decider(needs);
      return async (request) => {
        const outcome = await decide(request);
        return "refusal" in outcome ? responseOf(outcome) : outcome.verdict;
      };
    },
  };
}

/** A context of Hono, as far as the guard uses it. */
export interface HonoContext {
  req: { raw: Request };
  set(name: "keyward", value: Verdict): void;
  header(name: string, value: string): void;
}

/**
 * Makes a middleware for Hono. The verdict is c.get("keyward").
 *
 * ```ts
 * app.get("/calls", hono({ keyward, environment: "live" }).requireKey("calls:read"), (c) => c.json({ workspace: c.get("keyward").workspaceId }));
 * ```
 */
export function hono(options: WebGuardOptions): {
  requireKey: (...needs: (string | Rule)[]) => (c: HonoContext, next: () => Promise<void>) => Promise<Response | void>;
} {
  const own = new Guard(options);
  return {
    requireKey(...needs) {
      const decide = own.by(ruleOf(needs));
      return async (c, next) => {
        const outcome = await decide(incoming(c.req.raw, options.clientIp?.(c.req.raw)));
        if ("refusal" in outcome) return responseOf(outcome);
        c.set("keyward", outcome.verdict);
        for (const [name, value] of Object.entries(outcome.headers)) c.header(name, value);
        await next();
      };
    },
  };
}

/** Reads a standard request. Its fields of one name are joined by ", ", which no credential holds. */
function incoming(request: Request, ip: string | undefined): Incoming {
  const question = request.url.indexOf("?");
  const end = request.url.indexOf("#");
  return {
    header: (name) => request.headers.get(name)?.split(", ") ?? [],
    query: question < 0 ? "" : request.url.slice(question + 1, end < 0 ? undefined : end),
    ip,
  };
}

function responseOf({ refusal }: Extract<Outcome, { refusal: unknown }>): Response {
  return new Response(refusal.body, { status: refusal.status, headers: refusal.headers });
}

/** Adds fields to a response, whose headers may be immutable. */
function withHeaders(response: Response, more: Record<string, string>): Response {
  if (Object.keys(more).length === 0) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(more)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
