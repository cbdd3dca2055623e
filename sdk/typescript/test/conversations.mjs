// Makes the calls of the conversations under api/conversations with the built package, in whatever runtime this is. The test in
// test/sdk compares each request, and what the client gives for the answer, for all clients alike.
import { APIError, Keyward, ReplayedWithoutValueError, Secret } from "../dist/index.js";

/** The calls of all operations: k is the client, p the parameters of the path, q those of the query, b the body, c the call. */
const calls = {
  createApiKey: (k, p, q, b, c) => k.keys.create(b, { idempotencyKey: c.idempotencyKey }),
  listApiKeys: (k, p, q) => k.keys.list(q),
  getSelf: (k) => k.keys.self(),
  getApiKey: (k, p) => k.keys.retrieve(p.id),
  updateApiKeys: (k, p, q, b) => k.keys.update(b.apiKeys, q),
  deleteApiKeys: (k, p, q, b) => k.keys.deleteMany(b.ids, q),
  deleteApiKey: (k, p, q) => k.keys.delete(p.id, q),
  importApiKeys: (k, p, q, b) => k.keys.import(b.apiKeys, { workspaceId: b.workspaceId }),
  rotateSelf: (k, p, q, b, c) => k.keys.rotateSelf({ ...q, overlapSeconds: b?.overlapSeconds ?? 0, idempotencyKey: c.idempotencyKey }),
  rotateApiKey: (k, p, q, b, c) => k.keys.rotate(p.id, { ...q, ...b, idempotencyKey: c.idempotencyKey }),
  getMe: (k, p, q) => k.me(q),
  listPermissions: (k) => k.permissions(),
  explainApiKey: (k, p, q) => k.keys.explain(p.id, q),
  listApiKeyRefusals: (k, p, q) => k.keys.refusals(p.id, q),
  getApiKeyLimits: (k, p, q) => k.keys.limits(p.id, q),
  getApiKeyUsage: (k, p, q) => k.keys.usage(p.id, q),
  getApiKeyPermissionUsage: (k, p) => k.keys.permissionUsage(p.id),
  verifyApiKey: (k, p, q, b) => k.verify(b),
  verifyApiKeys: (k, p, q, b) => k.verifyBatch(b.items),
  introspectToken: (k, p, q, b, c) => k.oauth.introspect(c.form.token[0], introspection(c.form)),
  revokeToken: (k, p, q, b, c) => k.oauth.revoke(c.form.token[0], introspection(c.form)),
  createWorkspace: (k, p, q, b) => k.workspaces.create(b),
  listWorkspaces: (k, p, q) => k.workspaces.list(q),
  getWorkspace: (k, p) => k.workspaces.retrieve(p.workspaceId),
  updateWorkspace: (k, p, q, b) => k.workspaces.update(p.workspaceId, b, q),
  deleteWorkspace: (k, p, q) => k.workspaces.delete(p.workspaceId, q),
  putPlan: (k, p, q, b) => k.workspaces.putPlan(p.workspaceId, b),
  listMembers: (k, p, q) => k.members.list(p.workspaceId, q),
  getMember: (k, p) => k.members.retrieve(p.workspaceId, p.userId),
  putMember: (k, p, q, b) => k.members.put(p.workspaceId, p.userId, b),
  updateMember: (k, p, q, b) => k.members.update(p.workspaceId, p.userId, b),
  removeMember: (k, p, q, b) => k.members.remove(p.workspaceId, p.userId, { ...q, ...b }),
  restoreMember: (k, p, q, b) => k.members.restore(p.workspaceId, p.userId, b.removalId),
  inviteMember: (k, p) => k.members.invite(p.workspaceId, p.userId),
  resetSignIn: (k, p) => k.members.resetSignIn(p.workspaceId, p.userId),
  createRole: (k, p, q, b) => k.roles.create(p.workspaceId, b),
  listRoles: (k, p, q) => k.roles.list(p.workspaceId, q),
  getRole: (k, p) => k.roles.retrieve(p.workspaceId, p.roleId),
  updateRole: (k, p, q, b) => k.roles.update(p.workspaceId, p.roleId, b),
  deleteRole: (k, p) => k.roles.delete(p.workspaceId, p.roleId),
  listRefusals: (k, p, q) => k.workspaces.refusals(p.workspaceId, q),
  getWorkspaceUsage: (k, p, q) => k.workspaces.usage(p.workspaceId, q),
  getWorkspaceLimits: (k, p) => k.workspaces.limits(p.workspaceId),
  getWorkspacePermissionUsage: (k, p, q) => k.workspaces.permissionUsage(p.workspaceId, q),
  listLogs: (k, p, q) => (q.format && q.format !== "json" ? k.logs.export(q.format, without(q, "format")) : k.logs.list(without(q, "format"))),
  listInstallationRefusals: (k, p, q) => k.refusals(q),
  getUsage: (k, p, q) => k.usage(q),
  getUsageByWorkspace: (k, p, q) => k.usageByWorkspace(q),
  createServiceKey: (k, p, q, b) => k.serviceKeys.create(b),
  listServiceKeys: (k, p, q) => k.serviceKeys.list(q),
  deleteServiceKey: (k, p, q) => k.serviceKeys.delete(p.id, q),
  readFeed: (k, p, q) => k.feed(q),
  readFeedSnapshot: (k, p, q) => k.feedSnapshot(q),
  leaseMinutes: (k, p, q, b) => k.leaseMinutes(b),
  reserveDays: (k, p, q, b) => k.reserveDays(b),
  reportUses: (k, p, q, b) => k.reportUses(b),
  getInstallation: (k) => k.installation(),
  listNodes: (k) => k.nodes(),
  createSignInLink: (k, p, q, b) => k.sessions.createLink(b),
  startSession: (k, p, q, b) => k.sessions.start(b.code),
  listSessions: (k, p, q) => k.sessions.list(q),
  endSession: (k, p) => k.sessions.end(p.id),
  endSessions: (k, p, q) => k.sessions.endAll(q),
  requestApiKey: (k, p, q, b) => k.keyRequests.create(b),
  requestApiKeyRotation: (k, p, q, b) => k.keyRequests.rotation(p.id, b),
  listKeyRequests: (k, p, q) => k.keyRequests.list(q),
  getKeyRequest: (k, p) => k.keyRequests.retrieve(p.id),
  declineKeyRequest: (k, p) => k.keyRequests.decline(p.id),
  createWebhook: (k, p, q, b) => k.webhooks.create(b),
  listWebhooks: (k, p, q) => k.webhooks.list(q),
  getWebhook: (k, p) => k.webhooks.retrieve(p.id),
  updateWebhook: (k, p, q, b) => k.webhooks.update(p.id, b),
  deleteWebhook: (k, p) => k.webhooks.delete(p.id),
  rotateWebhookSecret: (k, p, q, b) => k.webhooks.rotateSecret(p.id, b),
  testWebhook: (k, p) => k.webhooks.test(p.id),
  listWebhookDeliveries: (k, p, q) => k.webhooks.deliveries(p.id, q),
  replayWebhookDelivery: (k, p) => k.webhooks.replay(p.id, p.deliveryId),
  createPortalSession: (k, p, q, b) => k.portalSessions.create(b),
  listPortalSessions: (k, p, q) => k.portalSessions.list(q),
  endPortalSessions: (k, p, q) => k.portalSessions.endAll(q),
  getPortalSession: (k, p) => k.portalSessions.retrieve(p.id),
  endPortalSession: (k, p, q) => k.portalSessions.end(p.id, q),
  exchangePortalSession: (k, p, q, b, c) => k.portalSessions.exchange(b.clientSecret, c.proof),
  renewPortalSession: (k, p, q, b, c) => k.portalSessions.renew(p.id, c.proof),
  getHealth: (k) => k.healthy(),
  getReadiness: (k) => k.ready(),
};

const without = (object, name) => Object.fromEntries(Object.entries(object).filter(([n]) => n !== name));

const introspection = (form) => ({ ip: form.ip?.[0], environment: form.environment?.[0], workspaceId: form.workspaceId });

/** The query as the options of a call have it. */
function options(query) {
  const out = {};
  for (const [name, values] of Object.entries(query ?? {})) {
    const value = values.length === 1 ? values[0] : values;
    if (name === "wait" && value === "all") out.wait = true;
    else if (value === "true" || value === "false") out[name] = value === "true";
    else out[name] = value;
  }
  return out;
}

/** A result whose secrets are shown. */
const shown = (value) => JSON.parse(JSON.stringify(value, function (name, v) {
  const own = this[name];
  return own instanceof Secret ? own.reveal() : v;
}));

async function replay(call) {
  let keyward = new Keyward({ url: call.url, ...(call.token ? { token: call.token } : {}), retries: 0 });
  const make = calls[call.operation];
  if (!make) return { failed: `the TypeScript client's replay lacks ${call.operation}` };
  try {
    const query = options(call.query);
    const own = call.operation;
    if (typeof query.workspaceId === "string" && !named.has(own)) {
      keyward = keyward.within(query.workspaceId);
      delete query.workspaceId;
    }
    const result = await make(keyward, call.path ?? {}, query, call.body, call);
    if (result instanceof ReadableStream) return { text: await new Response(result).text() };
    if (result === undefined || result === true) return { done: true };
    return { result: shown(result) };
  } catch (error) {
    if (error instanceof APIError) {
      const { status, code, details, requestId, retryAfter, reason } = error;
      return { error: { status, code, message: reason, details, requestId, retryAfter } };
    }
    if (error instanceof ReplayedWithoutValueError) return { replayed: error.keyId };
    return { failed: String(error?.stack ?? error) };
  }
}

/** Operations whose options have a workspaceId of their own. */
const named = new Set(["listApiKeys", "explainApiKey", "listLogs", "listSessions", "listKeyRequests", "listWebhooks", "listPortalSessions", "getMe"]);

/** Makes the calls, some of them at the same time. */
export async function replayAll(list) {
  const out = new Array(list.length);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < list.length; i = next++) out[i] = await replay(list[i]);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return out;
}
