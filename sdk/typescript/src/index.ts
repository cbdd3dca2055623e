/**
 * Keyward: issue, verify and take back API keys.
 *
 * ```ts
 * const keyward = new Keyward({ url: "http://127.0.0.1:8080", token });
 * const { key } = await keyward.keys.create({ name: "CI", userId: "ada", workspaceId, permissions: ["calls:read"] });
 * const verdict = await keyward.verify({ key, permissions: ["calls:read"], environment: "live" });
 * ```
 */
export type { CallOptions, KeywardOptions } from "./call.js";
export * from "./client.js";
export { APIError, ConnectionError, type Detail, type ErrorCode, isCode, KeywardError, ProtocolError, ReplayedWithoutValueError } from "./errors.js";
export type { components, operations, paths } from "./schema.js";
export { Secret } from "./secret.js";
export { version } from "./version.js";
export { type Notice, verifyWebhook, type WebhookHeaders, WebhookSignatureError, webhookTolerance } from "./webhook.js";
