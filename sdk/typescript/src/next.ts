import type { Keyward, Verdict } from "./client.js";
import { guard as webGuard, type WebGuardOptions } from "./web.js";

export type { Rule, WebGuardOptions } from "./web.js";

/**
 * Makes guards for route handlers of Next.js, and for its middleware.
 *
 * ```ts
 * // app/api/calls/route.ts
 * const { requireKey } = guard({ keyward, environment: "live" });
 * export const GET = requireKey("calls:read")(async (request, caller) => Response.json({ workspace: caller.workspaceId }));
 *
 * // proxy.ts (middleware.ts before Next.js 16)
 * const { check } = guard({ keyward, environment: "live" });
 * const ask = check("calls:read");
 * export async function proxy(request: NextRequest) {
 *   const answer = await ask(request);
 *   return answer instanceof Response ? answer : NextResponse.next();
 * }
 * ```
 */
export const guard = webGuard;

export type { Keyward, Verdict };
export type NextGuardOptions = WebGuardOptions;
