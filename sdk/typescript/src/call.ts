import { APIError, ConnectionError, type Detail, KeywardError, ProtocolError } from "./errors.js";
import { looksLikeKey, reveal, type Secret } from "./secret.js";
import { version } from "./version.js";

/** Options of a client. */
export interface KeywardOptions {
  /** The server: https://keys.example.com, or http://127.0.0.1:8080. */
  url: string;
  /** A service key, an API key or a person's token. */
  token?: string | Secret;
  /** Milliseconds for one attempt; the default is 30,000. */
  timeout?: number;
  /** Further attempts after 429, 503 and broken connections, where repeating is safe; the default is 3. */
  retries?: number;
  /** Another fetch, such as the one of keyward/node for unix sockets. */
  fetch?: typeof fetch;
  /** The workspace that every call is about, as Keyward.within has it. */
  workspaceId?: string;
  /** Milliseconds of the first pause before a further attempt; it doubles with each; the default is 100. */
  firstPause?: number;
}

/** Options of one call. */
export interface CallOptions {
  signal?: AbortSignal;
}

/** After which failures a call may be sent again: always, only where the answer says that nothing was done, or never. */
export type Repeat = "always" | "refused" | "never";

export interface Call {
  method: string;
  path: string[];
  query?: Record<string, unknown>;
  body?: unknown;
  form?: [string, string][];
  headers?: Record<string, string>;
  repeat: Repeat;
  /** The path is not below /api/v2. */
  root?: boolean;
  /** The body names the workspaces. */
  question?: boolean;
  /** The body of the answer is read by the caller. */
  stream?: boolean;
}

const longestRetryAfter = 60; // seconds; a daily quota asks for hours, and the caller decides then
const longestPause = 5000; // milliseconds

/** Sends calls to one server. */
export class Transport {
  readonly #base: string;
  readonly #token: string | undefined;
  readonly #options: KeywardOptions;

  constructor(options: KeywardOptions) {
    this.#base = cleanBase(options.url);
    this.#options = options;
    const token = options.token === undefined ? undefined : reveal(options.token);
    if (token !== undefined && !/^[!-~]+$/.test(token)) {
      throw new KeywardError("the token is empty or holds characters that a header cannot carry");
    }
    this.#token = token;
  }

  /** Narrows the workspaces that a call names to the client's own. */
  demanded(named?: string | string[] | null): string | string[] | undefined {
    const own = this.#options.workspaceId;
    if (own === undefined) return named ?? undefined;
    if (named !== undefined && named !== null && ![named].flat().includes(own)) {
      throw new KeywardError(`the call is about another workspace than ${own}`);
    }
    return own;
  }

  /** Adds the client's workspace to a call. */
  #confined(call: Call): Call {
    if (this.#options.workspaceId === undefined || call.root || call.question) return call;
    if (!call.form) return { ...call, query: { ...call.query, workspaceId: this.demanded(call.query?.["workspaceId"] as string) } };
    const named = call.form.filter(([name]) => name === "workspaceId").map(([, id]) => id);
    const rest = call.form.filter(([name]) => name !== "workspaceId");
    return { ...call, form: [...rest, ["workspaceId", this.demanded(named.length ? named : undefined) as string]] };
  }

  /** Gives the result of an answer's envelope. */
  async result<T>(call: Call, options?: CallOptions): Promise<T> {
    const document = await this.json(call, options);
    const data = isObject(document) && document["success"] === true ? document["data"] : undefined;
    if (!isObject(data) || !("result" in data)) throw new ProtocolError("the answer holds no result: is this a Keyward server?");
    return data["result"] as T;
  }

  async json(call: Call, options?: CallOptions): Promise<unknown> {
    const text = await this.#attempts(call, options, (r) => r.text());
    try {
      return text === "" ? {} : JSON.parse(text);
    } catch {
      throw new ProtocolError("the answer is not JSON: is this a Keyward server?");
    }
  }

  /** Gives the answer itself, its body unread. The signal ends the reading, too. */
  response(call: Call, options?: CallOptions): Promise<Response> {
    return this.#attempts({ ...call, stream: true }, options, async (r) => r);
  }

  async #attempts<T>(asked: Call, options: CallOptions | undefined, read: (r: Response) => Promise<T>): Promise<T> {
    const call = this.#confined(asked);
    const url = this.#base + target(call);
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(url, call, options, read);
      } catch (error) {
        const pause = this.#pauseBefore(call, error, attempt);
        if (pause === undefined || options?.signal?.aborted) throw error;
        await sleep(pause, options?.signal);
      }
    }
  }

  async #once<T>(url: string, call: Call, options: CallOptions | undefined, read: (r: Response) => Promise<T>): Promise<T> {
    const headers: Record<string, string> = { accept: "application/json", "user-agent": `keyward-js/${version}`, ...call.headers };
    let body: string | undefined;
    if (call.form) {
      body = new URLSearchParams(call.form).toString();
      headers["content-type"] = "application/x-www-form-urlencoded";
    } else if (call.body !== undefined) {
      body = JSON.stringify(call.body);
      headers["content-type"] = "application/json";
    }
    if (this.#token !== undefined) headers["authorization"] = "Bearer " + this.#token;
    const end = new AbortController();
    const timer = setTimeout(() => end.abort(new ConnectionError("the server did not answer in time")), this.#options.timeout ?? 30_000);
    const stop = () => end.abort(options?.signal?.reason);
    options?.signal?.addEventListener("abort", stop);
    let streams = false;
    try {
      if (options?.signal?.aborted) stop();
      const send = this.#options.fetch ?? fetch;
      const init: RequestInit = { method: call.method, headers, redirect: "manual", signal: end.signal };
      if (body !== undefined) init.body = body;
      const response = await send(url, init);
      if (response.status < 200 || response.status >= 300) throw await refusal(response);
      const answer = await read(response);
      streams = call.stream === true;
      return answer;
    } catch (error) {
      if (options?.signal?.aborted) throw options.signal.reason ?? error;
      if (error instanceof KeywardError) throw error;
      if (end.signal.aborted) throw end.signal.reason;
      throw new ConnectionError("the server cannot be reached, or its answer broke off", { cause: error });
    } finally {
      clearTimeout(timer);
      if (!streams) options?.signal?.removeEventListener("abort", stop);
    }
  }

  /** Milliseconds before the next attempt, or undefined where there is none: what the server asks for, and a random part of a span
   * that doubles ("full jitter"). */
  #pauseBefore(call: Call, error: unknown, attempt: number): number | undefined {
    if (attempt >= (this.#options.retries ?? 3) || call.repeat === "never") return undefined;
    let asked = 0;
    if (error instanceof APIError) {
      if (error.code === "outcome_unknown" || (error.status !== 429 && error.status !== 503)) return undefined;
      asked = error.retryAfter ?? 0;
      if (asked > longestRetryAfter) return undefined;
    } else if (!(error instanceof ConnectionError) || call.repeat !== "always") {
      return undefined;
    }
    return asked * 1000 + Math.random() * Math.min(longestPause, (this.#options.firstPause ?? 100) * 2 ** Math.min(attempt, 10));
  }
}

/** Gives path and query. Keys are refused in both, because URLs are logged. */
function target(call: Call): string {
  let out = call.root ? "" : "/api/v2";
  for (const segment of call.path) {
    if (segment === "" || segment === "." || segment === "..") throw new KeywardError(`"${segment}" cannot be an id in a path`);
    if (looksLikeKey(segment)) throw new KeywardError("an id is wanted, not a key: keys are not put into URLs");
    out += "/" + encodeURIComponent(segment);
  }
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(call.query ?? {})) {
    for (const v of Array.isArray(value) ? value : [value]) {
      if (v === undefined || v === null) continue;
      const text = v instanceof Date ? v.toISOString() : String(v);
      if (looksLikeKey(text)) throw new KeywardError(`${name} is a key: keys are not put into URLs`);
      query.append(name, text);
    }
  }
  const text = query.toString();
  return text === "" ? out : out + "?" + text;
}

/** The URL is not repeated in an error: it can hold a password. */
function cleanBase(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new KeywardError("the URL cannot be parsed");
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new KeywardError("the URL is not http or https");
  if (url.username || url.password || url.search || url.hash) throw new KeywardError("the URL holds a user, a query or a fragment");
  return (url.origin + url.pathname).replace(/\/+$/, "");
}

/** Makes an error of a refusal. A body that is not Keyward's is not repeated: it may hold anything. */
async function refusal(response: Response): Promise<APIError> {
  const { status, headers } = response;
  let code = "";
  let message = "";
  let details: Detail[] = [];
  let requestId = headers.get("x-request-id") ?? undefined;
  if (response.type === "opaqueredirect" || (status >= 300 && status < 400)) {
    message = "the answer is a redirect, which is not followed because it would carry the token elsewhere";
  } else {
    const document: unknown = await response.json().catch(() => undefined);
    const own = isObject(document) ? document["error"] : undefined;
    if (typeof own === "string") {
      code = own;
      message = String((document as Record<string, unknown>)["error_description"] ?? "");
    } else if (isObject(own) && typeof own["code"] === "string") {
      code = own["code"];
      message = String(own["message"] ?? "");
      if (Array.isArray(own["details"])) details = own["details"].filter(isObject) as unknown as Detail[];
      if (typeof own["requestId"] === "string") requestId = own["requestId"];
    }
  }
  return new APIError(status, code, message, details, requestId, retryAfter(headers));
}

/** Reads both forms of RFC 9110, section 10.2.3. A date is measured against the answer's own Date, else against this clock. */
function retryAfter(headers: Headers): number | undefined {
  const text = headers.get("retry-after")?.trim() ?? "";
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  const sent = Date.parse(headers.get("date") ?? "");
  const seconds = (Date.parse(text) - (Number.isNaN(sent) ? Date.now() : sent)) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}

export function isObject(v: unknown): v is Record<string, unknown> {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}
