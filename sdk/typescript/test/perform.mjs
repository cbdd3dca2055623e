// Makes the calls of sdk/conformance/faults.json with the built package, in whatever runtime this is, and tells what the client gave.
import { APIError, ConnectionError, Keyward, ProtocolError, ReplayedWithoutValueError } from "../dist/index.js";

export const token = "kw_svc_token";

/** Makes one call, and gives {result} or {error, status, retryAfter, field, text}. */
export async function perform(url, call) {
  const keyward = new Keyward({ url, token, timeout: 300, retries: 3, firstPause: 1 });
  const a = call.args;
  const calls = {
    getApiKey: () => keyward.keys.retrieve(a.id),
    createApiKey: () => keyward.keys.create({ name: a.name, userId: a.userId }),
    verifyApiKey: () => keyward.verify({ key: a.key }),
    deleteApiKey: () => keyward.keys.delete(a.id),
    rotateApiKey: () => keyward.keys.rotate(a.id),
    createRole: () => keyward.roles.create(a.workspaceId, { name: a.name, permissions: a.permissions }),
  };
  try {
    const result = await calls[call.operation]();
    return { result: result.apiKey ?? result };
  } catch (error) {
    const text = String(error) + String(error?.stack);
    if (error instanceof APIError) {
      return { error: error.code, status: error.status, retryAfter: error.retryAfter, field: error.details[0]?.field, text };
    }
    if (error instanceof ConnectionError) return { error: "connection", text };
    if (error instanceof ProtocolError) return { error: "protocol", text };
    if (error instanceof ReplayedWithoutValueError) return { error: "replayed", text };
    return { error: "unexpected", text };
  }
}

/** Makes the calls of [{url, call}], one after the other. */
export async function performAll(list) {
  const out = [];
  for (const { url, call } of list) out.push(await perform(url, call));
  return out;
}
