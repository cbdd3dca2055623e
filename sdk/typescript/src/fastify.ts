import type { Verdict } from "./client.js";
import { Guard, type GuardOptions, type Rule, ruleOf } from "./guard.js";

export type { GuardOptions, Rule } from "./guard.js";

/** The parts of Fastify's request that the guard uses. */
export interface FastifyRequest {
  raw: { headersDistinct?: NodeJS.Dict<string[]>; url?: string | undefined };
  headers: Record<string, string | string[] | undefined>;
  ip: string;
  keyward?: Verdict | undefined;
}

/** The parts of Fastify's reply that the guard uses. */
export interface FastifyReply {
  code(status: number): unknown;
  headers(values: Record<string, string>): unknown;
  send(body: string): unknown;
}

/**
 * Makes guards for Fastify, as preHandler or onRequest hooks.
 *
 * ```ts
 * const { requireKey } = guard({ keyward, environment: "live" });
 * app.get("/calls", { onRequest: requireKey("calls:read") }, async (req) => ({ workspace: callerOf(req).workspaceId }));
 * ```
 *
 * The address is req.ip: set Fastify's trustProxy to your own proxies.
 */
export function guard(options: GuardOptions): {
  requireKey: (...needs: (string | Rule)[]) => (req: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
} {
  const own = new Guard(options);
  return {
    requireKey(...needs) {
      const decide = own.by(ruleOf(needs));
      return async (req, reply) => {
        const url = req.raw.url ?? "";
        const question = url.indexOf("?");
        const outcome = await decide({
          header: (name) => req.raw.headersDistinct?.[name] ?? [req.headers[name] ?? []].flat(),
          query: question < 0 ? "" : url.slice(question + 1),
          ip: req.ip,
        });
        if ("refusal" in outcome) {
          reply.code(outcome.refusal.status);
          reply.headers(outcome.refusal.headers);
          return reply.send(outcome.refusal.body);
        }
        reply.headers(outcome.headers);
        req.keyward = outcome.verdict;
        return undefined;
      };
    },
  };
}

/** Gives the verdict on the caller's key. It throws where no guard let the request through. */
export function callerOf(req: object): Verdict {
  const verdict = (req as { keyward?: Verdict }).keyward;
  if (!verdict) throw new Error("no guard let this request through");
  return verdict;
}
