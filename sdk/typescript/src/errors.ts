/** The stable codes of refusals. A later release may answer further ones. */
export type ErrorCode =
  | "invalid_request"
  | "unauthenticated"
  | "permission_denied"
  | "permission_escalation"
  | "not_found"
  | "method_not_allowed"
  | "conflict"
  | "limit_reached"
  | "body_too_large"
  | "unsupported_media_type"
  | "rate_limited"
  | "unavailable"
  | "outcome_unknown"
  | (string & {});

/** One field of a request, or one permission, and the reason why it was refused. */
export interface Detail {
  field: string;
  message: string;
}

/** The base of the errors of this package. */
export class KeywardError extends Error {
  override name = "KeywardError";
}

/** The server could not be reached, or did not answer in time. */
export class ConnectionError extends KeywardError {
  override name = "ConnectionError";
}

/** An answer is not one of a Keyward server. */
export class ProtocolError extends KeywardError {
  override name = "ProtocolError";
}

/**
 * An earlier call with the same idempotency key made or rotated the key, and its value is not told again. Rotate the key for a new
 * value.
 */
export class ReplayedWithoutValueError extends KeywardError {
  override name = "ReplayedWithoutValueError";

  constructor(readonly keyId: string) {
    super(`an earlier call with this idempotency key did this to key ${keyId}, whose value is not told again`);
  }
}

/** A refusal by the server, or by something in front of it. */
export class APIError extends KeywardError {
  override name = "APIError";

  constructor(
    /** The HTTP status. */
    readonly status: number,
    /** The stable word; empty where the answer was not a Keyward server's. */
    readonly code: ErrorCode,
    /** The server's sentence for people; message says it with status, code and details. */
    readonly reason: string,
    /** The fields, or the permissions, that were refused. */
    readonly details: Detail[] = [],
    /** Finds the call in the server's log. */
    readonly requestId?: string,
    /** Seconds to wait, where the server named them. */
    readonly retryAfter?: number,
  ) {
    const named = details.map((d) => `${d.field}: ${d.message}`).join("; ");
    super(
      `status ${status}${code && " " + code}${reason && ": " + reason}${named && ": " + named}` +
        (requestId ? ` (request ${requestId})` : ""),
    );
  }
}

/** Tells whether an error is a refusal with one of the codes. */
export function isCode(error: unknown, ...codes: ErrorCode[]): error is APIError {
  return error instanceof APIError && codes.includes(error.code);
}
