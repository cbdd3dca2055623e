import type { Keyward, Question, Verdict } from "./client.js";
import { ConnectionError, type Detail } from "./errors.js";
import { uuid, webCrypto } from "./random.js";

/** What a request needs: all of `all`, and one of `any` where given. */
export interface Rule {
  all?: string[];
  any?: string[];
  /** What the request takes from the key's limits, 0 to 1000; the default is 1. */
  cost?: number;
}

/** Options of a guard. */
export interface GuardOptions {
  /** The client that asks; its token is a service key with the scope verify. */
  keyward: Pick<Keyward, "verify">;
  /** Demand it: without it a test key opens production. */
  environment?: "live" | "test";
  /** Workspaces of which the key must be of one. */
  workspaces?: string[];
  /**
   * Takes VALID for a key without limits as still true for maxAge milliseconds, 60,000 at most. Off by default: a key that was
   * revoked gets through for up to that long. It holds digests, no keys.
   */
  cache?: { maxAge: number; entries?: number };
  /** Milliseconds that a request waits for the server, further attempts included; then it is refused with 503. The default is 2,000. */
  timeout?: number;
  /** Is told why the server could not be asked. The error holds no key. The default is console.error. */
  onError?: (error: unknown) => void;
  /** Is told once for each key that it expires within seven days. The default is a line by console.warn. */
  onExpiring?: (verdict: Verdict) => void;
  /**
   * Is told once for each earlier value of a key that is still in use in the overlap after a rotation; the verdict's
   * `previousKeyExpiresAt` says when it ends. The default is a line by console.warn.
   */
  onPreviousKey?: (verdict: Verdict) => void;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** The parts of a request that a guard reads. */
export interface Incoming {
  /** All values of a field, by its name in lower case. */
  header(name: string): string[];
  /** The query, without "?". */
  query: string;
  /** The caller's address, where it is known. */
  ip: string | undefined;
}

/** An answer to a request that does not get through. */
export interface Refusal {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export type Outcome = { verdict: Verdict; headers: Record<string, string> } | { refusal: Refusal };

interface Reason {
  status: number;
  code: string;
  message: string;
  details?: Detail[];
  challenge?: string;
  retryAfter?: number;
}

const unavailable: Reason = { status: 503, code: "unavailable", message: "this cannot be answered now; ask again shortly", retryAfter: 1 };
const noKey = "this needs an API key: Authorization: Bearer <key>, or X-API-Key: <key>";
const inURL = "a credential must not stand in a URL, where logs keep it: treat it as exposed, and send it in the Authorization header";
const keyInText = /[a-z][a-z0-9]{0,15}_(?:live|test|svc)_[0-9A-Za-z]{49}(?![0-9A-Za-z])/;
const longestCache = 60_000;
const week = 7 * 86_400_000;

/** Decides about requests. The guards of the frameworks use it. */
export class Guard {
  readonly #o: GuardOptions;
  readonly #cache = new Map<string, { verdict: Verdict; until: number }>();
  #told = new Set<string>();
  #toldBefore = new Set<string>();

  constructor(options: GuardOptions) {
    if (options.workspaces && options.workspaces.length === 0) throw new TypeError("workspaces: a workspace is demanded, and none is named");
    this.#o = options;
  }

  /** Gives the function that decides by a rule. It throws where the rule wants one permission out of none. */
  by(rule: Rule): (request: Incoming) => Promise<Outcome> {
    if (rule.any && rule.any.length === 0) throw new TypeError("any: one permission out of none is demanded");
    return async (request) => {
      let headers: Record<string, string> = {};
      try {
        const key = credential(request);
        const verdict = await this.#ask(this.#question(key, rule, request.ip));
        headers = limitHeaders(verdict, this.#now());
        if (verdict.valid !== true || verdict.code !== "VALID") throw new Refused(reasonOf(verdict, rule, this.#now()));
        this.#warn(verdict);
        return { verdict, headers };
      } catch (error) {
        if (!(error instanceof Refused)) (this.#o.onError ?? logError)(error);
        const reason = error instanceof Refused ? error.reason : unavailable;
        return { refusal: await refusalOf(reason, request.header("x-request-id")[0], headers) };
      }
    };
  }

  #now(): number {
    return (this.#o.now ?? Date.now)();
  }

  #question(key: string, rule: Rule, ip: string | undefined): Question {
    const permissions = { ...(rule.all && { all: rule.all }), ...(rule.any && { any: rule.any }) };
    return {
      key,
      permissions,
      ...(this.#o.environment && { environment: this.#o.environment }),
      ...(this.#o.workspaces && { workspaceId: this.#o.workspaces }),
      ...(ip !== undefined && { ip }),
      ...(rule.cost !== undefined && { cost: rule.cost }),
    };
  }

  async #ask(question: Question): Promise<Verdict> {
    const cache = this.#o.cache;
    if (!cache) return this.#verify(question);
    const digest = await digestOf(question);
    const kept = this.#cache.get(digest);
    if (kept && this.#now() < kept.until) return kept.verdict;
    this.#cache.delete(digest);
    const asked = this.#now();
    const verdict = await this.#verify(question);
    if (verdict.valid && !verdict.rateLimit) {
      let until = asked + Math.min(cache.maxAge, longestCache);
      for (const end of [verdict.expiresAt, verdict.previousKeyExpiresAt]) if (end) until = Math.min(until, Date.parse(end));
      const oldest = this.#cache.keys().next();
      if (this.#cache.size >= (cache.entries ?? 10_000) && !oldest.done) this.#cache.delete(oldest.value);
      this.#cache.set(digest, { verdict, until });
    }
    return verdict;
  }

  async #verify(question: Question): Promise<Verdict> {
    const end = new AbortController();
    const timer = setTimeout(() => end.abort(new ConnectionError("the server did not answer in time")), this.#o.timeout ?? 2000);
    try {
      return await this.#o.keyward.verify(question, { signal: end.signal });
    } finally {
      clearTimeout(timer);
    }
  }

  #warn(verdict: Verdict): void {
    const { expiresAt, previousKeyExpiresAt, keyId } = verdict;
    if (expiresAt && this.#left(expiresAt) < week && this.#first(`expires ${keyId} ${expiresAt}`)) {
      if (this.#o.onExpiring) this.#o.onExpiring(verdict);
      else console.warn(`keyward: key ${keyId} expires in ${this.#hours(expiresAt)} hours`);
    }
    if (previousKeyExpiresAt && this.#first(`earlier ${keyId} ${previousKeyExpiresAt}`)) {
      if (this.#o.onPreviousKey) this.#o.onPreviousKey(verdict);
      else console.warn(`keyward: an earlier value of the rotated key ${keyId} is still in use; it ends in ${this.#hours(previousKeyExpiresAt)} hours`);
    }
  }

  #left(end: string): number {
    return Date.parse(end) - this.#now();
  }

  #hours(end: string): number {
    return Math.max(0, Math.floor(this.#left(end) / 3_600_000));
  }

  // Two generations of notices are remembered: one is given again only after as many others as a generation holds.
  #first(notice: string): boolean {
    if (this.#told.has(notice)) return false;
    const again = this.#toldBefore.has(notice);
    if (this.#told.size >= 10_000) {
      this.#toldBefore = this.#told;
      this.#told = new Set();
    }
    this.#told.add(notice);
    return !again;
  }
}

function logError(error: unknown): void {
  console.error("keyward: the server cannot be asked:", error);
}

class Refused extends Error {
  constructor(readonly reason: Reason) {
    super(reason.message);
  }
}

function invalid(field: string, message: string): Refused {
  return new Refused({ status: 400, code: "invalid_request", message: `${field}: ${message}`, details: [{ field, message }] });
}

function holdsKey(text: string): boolean {
  const decoded = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return keyInText.test(text) || keyInText.test(decoded);
}

/**
 * Reads the one key of a request, from Authorization: Bearer (RFC 6750, section 2.1) or X-API-Key. Two that differ are refused, because
 * another reader could take the other one; so is a key in the URL, which is logged.
 */
function credential(request: Incoming): string {
  if (holdsKey(request.query)) throw invalid("query", inURL);
  const [authorization, more] = request.header("authorization");
  const [apiKey, moreKeys] = request.header("x-api-key");
  if (more !== undefined) throw invalid("Authorization", "stands more than once");
  if (moreKeys !== undefined) throw invalid("X-API-Key", "stands more than once");
  let key = apiKey?.trim() ?? "";
  if (authorization) {
    const bearer = /^bearer +(.*)$/i.exec(authorization)?.[1]?.trim() ?? "";
    if (apiKey && apiKey.trim() !== bearer) throw invalid("X-API-Key", "differs from the credential in Authorization");
    key = bearer;
  }
  if (!key) throw new Refused({ status: 401, code: "unauthenticated", message: noKey, challenge: "Bearer" });
  return key;
}

/** Tells why a key is not good. Unknown, disabled and expired keys get the same answer. */
function reasonOf(verdict: Verdict, rule: Rule, now: number): Reason {
  switch (verdict.code) {
    case "IP_FORBIDDEN":
      return {
        status: 403,
        code: "permission_denied",
        message: "this key may not be used from this address",
        details: [{ field: "allowedIps", message: "do not hold the address of the request" }],
        challenge: 'Bearer error="insufficient_scope"',
      };
    case "INSUFFICIENT_PERMISSIONS":
      return {
        status: 403,
        code: "permission_denied",
        message: "the key lacks a permission",
        details: (verdict.missingPermissions ?? []).map((p) => ({ field: "permissions", message: p })),
        challenge: `Bearer error="insufficient_scope", scope="${[...(rule.all ?? []), ...(rule.any ?? [])].join(" ")}"`,
      };
    case "RATE_LIMITED":
    case "QUOTA_EXCEEDED": {
      const l = verdict.rateLimit;
      const states = verdict.code === "QUOTA_EXCEEDED" ? [l?.day, l?.workspaceDay] : [l?.minute, l?.workspaceMinute];
      const waits = states.map((s) => (s ? Math.ceil((Date.parse(s.resetAt) - now) / 1000) : 1));
      const retryAfter = Math.max(1, ...waits);
      const message = `the limit per ${verdict.code === "QUOTA_EXCEEDED" ? "day" : "minute"} is used up`;
      return { status: 429, code: "rate_limited", message, retryAfter };
    }
    case "MALFORMED":
    case "NOT_FOUND":
    case "DISABLED":
    case "EXPIRED":
      return { status: 401, code: "unauthenticated", message: "the credential is not valid", challenge: 'Bearer error="invalid_token"' };
    default:
      return unavailable; // a code of a later release
  }
}

async function refusalOf(reason: Reason, requestId: string | undefined, limits: Record<string, string>): Promise<Refusal> {
  const id = requestId && /^[0-9A-Za-z._:-]{1,128}$/.test(requestId) && !holdsKey(requestId) ? requestId : await uuid();
  const error = { code: reason.code, message: reason.message, details: reason.details ?? [], requestId: id };
  const headers: Record<string, string> = {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-request-id": id,
    ...limits,
  };
  if (reason.challenge) headers["www-authenticate"] = reason.challenge;
  if (reason.retryAfter !== undefined) headers["retry-after"] = String(reason.retryAfter);
  return { status: reason.status, headers, body: JSON.stringify({ success: false, error }) };
}

/** Gives RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers). */
function limitHeaders(verdict: Verdict, now: number): Record<string, string> {
  const policies: string[] = [];
  const states: string[] = [];
  const limits = verdict.rateLimit;
  for (const [name, seconds, state] of [
    ["minute", 60, limits?.minute],
    ["day", 86_400, limits?.day],
    ["workspace-minute", 60, limits?.workspaceMinute],
    ["workspace-day", 86_400, limits?.workspaceDay],
  ] as const) {
    if (!state) continue;
    policies.push(`"${name}";q=${state.limit};w=${seconds}`);
    states.push(`"${name}";r=${state.remaining};t=${Math.max(0, Math.ceil((Date.parse(state.resetAt) - now) / 1000))}`);
  }
  return policies.length === 0 ? {} : { "ratelimit-policy": policies.join(", "), ratelimit: states.join(", ") };
}

async function digestOf(question: Question): Promise<string> {
  const sum = await (await webCrypto()).subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(question)));
  return String.fromCharCode(...new Uint8Array(sum));
}

/** Makes a rule of permissions that are all needed, or passes a rule on. */
export function ruleOf(needs: (string | Rule)[]): Rule {
  const [first, ...rest] = needs;
  if (typeof first === "object") {
    if (rest.length > 0) throw new TypeError("give one rule, or permissions");
    return first;
  }
  if (needs.some((n) => typeof n !== "string")) throw new TypeError("give one rule, or permissions");
  return needs.length === 0 ? {} : { all: needs as string[] };
}
