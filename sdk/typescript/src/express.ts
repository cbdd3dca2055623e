import type { Verdict } from "./client.js";
import { Guard, type GuardOptions, type Rule, ruleOf } from "./guard.js";

export type { GuardOptions, Rule } from "./guard.js";

declare global {
  namespace Express {
    interface Request {
      /** The verdict on the caller's key, which is VALID. */
      keyward?: Verdict;
    }
  }
}

/** The parts of Express's request that the guard uses. */
export interface ExpressRequest {
  headers: Record<string, string | string[] | undefined>;
  headersDistinct?: NodeJS.Dict<string[]>;
  url: string;
  originalUrl?: string;
  ip?: string | undefined;
  keyward?: Verdict;
}

/** The parts of Express's response that the guard uses. */
export interface ExpressResponse {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  end(body?: string): unknown;
}

/**
 * Makes guards for Express (and Connect).
 *
 * ```ts
 * const { requireKey } = guard({ keyward, environment: "live" });
 * app.get("/calls", requireKey("calls:read"), (req, res) => res.json({ workspace: req.keyward!.workspaceId }));
 * ```
 *
 * The address is req.ip: set Express's "trust proxy" to your own proxies.
 */
export function guard(options: GuardOptions): {
  requireKey: (...needs: (string | Rule)[]) => (req: ExpressRequest, res: ExpressResponse, next: (error?: unknown) => void) => void;
} {
  const own = new Guard(options);
  return {
    requireKey(...needs) {
      const decide = own.by(ruleOf(needs));
      return (req, res, next) => {
        const url = req.originalUrl ?? req.url;
        const header = (name: string) => req.headersDistinct?.[name] ?? [req.headers[name] ?? []].flat();
        const question = url.indexOf("?");
        decide({ header, query: question < 0 ? "" : url.slice(question + 1), ip: req.ip }).then((outcome) => {
          const { headers } = "refusal" in outcome ? outcome.refusal : outcome;
          for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
          if ("refusal" in outcome) {
            res.statusCode = outcome.refusal.status;
            res.end(outcome.refusal.body);
            return;
          }
          req.keyward = outcome.verdict;
          next();
        }, next);
      };
    },
  };
}
