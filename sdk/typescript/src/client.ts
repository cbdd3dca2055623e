import { type Call, type CallOptions, isObject, type KeywardOptions, type Repeat, Transport } from "./call.js";
import { APIError, KeywardError, ProtocolError, ReplayedWithoutValueError } from "./errors.js";
import { uuid } from "./random.js";
import type { components } from "./schema.js";
import { mask, reveal, Secret } from "./secret.js";

type Schemas = components["schemas"];

export type APIKey = Schemas["ApiKey"];
export type Verdict = Loose<Schemas["Verdict"]>;
export type Workspace = Schemas["Workspace"];
export type Member = Schemas["Member"];
export type Role = Schemas["Role"];
export type ServiceKey = Schemas["ServiceKey"];
export type LogEntry = Schemas["Log"];
export type Session = Schemas["Session"];
/** What a follower says of itself with each question, and what it wants to be told. */
export interface FollowerOptions extends CallOptions {
  nonce?: string;
  fields?: "name" | "metadata" | "name,metadata" | "metadata,name";
  name?: string;
  version?: string;
  incarnation?: string;
  count?: number;
  maxStalenessMs?: number;
  ageMs?: number;
  fenced?: boolean;
  leaving?: boolean;
  followers?: number;
  below?: number;
}

export type Node = Schemas["Node"];
export type Installation = Schemas["Installation"];
export type WorkspaceUsages = Schemas["WorkspaceUsages"];
export type KeyPermissions = Schemas["KeyPermissions"];
export type PermissionUsages = Schemas["PermissionUsages"];
export type Usage = Schemas["Usage"];
export type Revocation = Schemas["Revocation"];
export type ItemError = Schemas["ItemError"];
export type Pagination = Schemas["Pagination"];
export type Permission = Schemas["PermissionEntry"];
export type Me = Result<"MeAnswer">;
export type KeyRefusal = Schemas["ApiKeyRefusal"];
export type Refusal = Schemas["Refusal"];
export type InstallationRefusal = Schemas["InstallationRefusal"];

/** The code of a verdict. A later release may answer further ones. */
export type VerdictCode = Schemas["Verdict"]["code"] | (string & {});

type Loose<T extends { code: string }> = Omit<T, "code"> & { code: VerdictCode };
type Result<Name extends keyof Schemas> = Schemas[Name] extends { data: { result: infer R } } ? R : never;
type Value = string | Secret;
/** A time: a Date, or a text of ISO 8601. */
export type Time = Date | string;

/** A new or rotated key. The value is told once. */
export interface Revealed {
  apiKey: APIKey;
  key: Secret;
}

export interface Rotated extends Revealed {
  revocation: Revocation;
}

type Timed<T> = Omit<T, "expiresAt"> & { expiresAt?: Time | null };
export type KeyRequest = Schemas["KeyRequest"];
export type Webhook = Schemas["Webhook"];
export type Delivery = Schemas["Delivery"];
export type CreateKey = Timed<Schemas["CreateApiKey"]>;
export type UpdateKey = Timed<Schemas["UpdateApiKeys"]["apiKeys"][number]>;
export type ImportKey = Timed<Schemas["ImportApiKey"]>;

/** A question about a key. Demand the environment: without it a test key is VALID. */
export interface Question {
  key: Value;
  permissions?: string[] | { all?: string[]; any?: string[] };
  environment?: "live" | "test";
  workspaceId?: string | string[];
  ip?: string;
  cost?: number;
}

export interface PageOptions extends CallOptions {
  limit?: number;
  cursor?: string;
}

export interface ListKeys extends PageOptions {
  workspaceId?: string;
  userId?: string;
  isActive?: boolean;
  status?: "active" | "expiring" | "expired" | "disabled";
  environment?: "live" | "test";
  /** One that the keys hold. */
  permission?: string;
  expiringBefore?: Time;
  unusedSince?: Time;
  triedSince?: Time;
  search?: string;
  sortBy?: "createdAt" | "expiresAt" | "lastUsedAt" | "lastTriedAt";
  sortOrder?: "asc" | "desc";
  /** Asks for the number of keys of each status. */
  counts?: boolean;
  /** Further query parameters of the operation, by their names there. */
  filters?: Record<string, unknown>;
}

export interface ListLogs extends PageOptions {
  workspaceId?: string;
  offset?: number;
  search?: string;
  eventType?: string;
  actorId?: string;
  sortOrder?: "asc" | "desc";
  from?: Time;
  to?: Time;
}

export interface UsageOptions extends CallOptions {
  granularity?: "minute" | "hour" | "day";
  from?: Time;
  to?: Time;
}

/** Options of a change that takes something away: with wait it is answered when every live node has applied it. */
export interface ChangeOptions extends CallOptions {
  wait?: boolean;
  workspaceId?: string;
}

export interface RevealOptions extends ChangeOptions {
  /** Names the call, so that a repeat is the same call. One is made where none is given. */
  idempotencyKey?: string;
}

const change = (o?: ChangeOptions) => ({ workspaceId: o?.workspaceId, wait: o?.wait ? "all" : undefined });

class Resource {
  constructor(protected readonly t: Transport) {}

  protected get<T>(operation: string, path: string[], query?: Record<string, unknown>, o?: CallOptions): Promise<T> {
    void operation;
    return this.t.result<T>({ method: "GET", path, query: query ?? {}, repeat: "always" }, o);
  }

  protected send<T>(
    operation: string,
    method: string,
    path: string[],
    repeat: Repeat,
    more: Partial<Call>,
    o?: CallOptions,
  ): Promise<T> {
    void operation;
    return this.t.result<T>({ method, path, repeat, ...more }, o);
  }
}

async function* pages<T>(
  cursor: string | undefined,
  page: (cursor: string | undefined) => Promise<{ items: T[]; pagination: { hasNext: boolean; nextCursor?: string | null } }>,
): AsyncGenerator<T, void, undefined> {
  for (let at = cursor; ; ) {
    const { items, pagination } = await page(at);
    yield* items;
    if (!pagination.hasNext || !pagination.nextCursor) return;
    if (pagination.nextCursor === at) throw new KeywardError("the list does not advance: the same cursor twice");
    at = pagination.nextCursor;
  }
}

/** API keys. */
export class Keys extends Resource {
  /** Makes a key. The answer alone holds its value. Permissions left out are all that the creator holds; an empty list is none. */
  async create(key: CreateKey, o?: RevealOptions): Promise<Revealed> {
    const headers = { "idempotency-key": o?.idempotencyKey ?? (await uuid()) };
    return revealed(await this.send("createApiKey", "POST", ["api-keys"], "always", { body: key, headers }, o));
  }

  /** Gives one page of the keys that meet every condition, newest first unless sortBy says otherwise. */
  list(o: ListKeys = {}): Promise<Result<"ApiKeysAnswer">> {
    const { signal, filters, ...query } = o;
    return this.get("listApiKeys", ["api-keys"], { ...query, ...filters }, only(signal));
  }

  /** Gives every key of list, page after page. */
  all(o: ListKeys = {}): AsyncGenerator<APIKey, void, undefined> {
    return pages(o.cursor, async (cursor) => {
      const page = await this.list(at(o, cursor));
      return { items: page.apiKeys, pagination: page.pagination };
    });
  }

  /** Gives a key by its id. */
  async retrieve(id: string, o?: CallOptions & { workspaceId?: string }): Promise<APIKey> {
    return (await this.get<{ apiKey: APIKey }>("getApiKey", ["api-keys", id], { workspaceId: o?.workspaceId }, o)).apiKey;
  }

  /** Gives the API key that calls. It costs no limit. */
  async self(o?: CallOptions): Promise<APIKey> {
    return (await this.get<{ apiKey: APIKey }>("getSelf", ["api-keys", "self"], {}, o)).apiKey;
  }

  /** Changes 1 to 100 keys; null clears a member. Items that were refused are in errors, the others are changed. */
  update(changes: UpdateKey[], o?: ChangeOptions): Promise<Result<"UpdatedApiKeysAnswer">> {
    return this.send("updateApiKeys", "PUT", ["api-keys"], "always", { body: { apiKeys: changes }, query: change(o) }, o);
  }

  /** Stops a key. */
  disable(id: string, o?: ChangeOptions): Promise<APIKey> {
    return this.#one({ id, isActive: false }, o);
  }

  /** Starts a disabled key again. */
  enable(id: string, o?: ChangeOptions): Promise<APIKey> {
    return this.#one({ id, isActive: true }, o);
  }

  async #one(item: UpdateKey, o?: ChangeOptions): Promise<APIKey> {
    const { updated, errors } = await this.update([item], o);
    if (updated[0]) return updated[0];
    throw itemError(errors[0]);
  }

  /** Removes a key. */
  delete(id: string, o?: ChangeOptions): Promise<Result<"StoppedAnswer">> {
    return this.send("deleteApiKey", "DELETE", ["api-keys", id], "always", { query: change(o) }, o);
  }

  /** Removes 1 to 100 keys. */
  deleteMany(ids: string[], o?: ChangeOptions): Promise<Result<"DeletedApiKeysAnswer">> {
    return this.send("deleteApiKeys", "DELETE", ["api-keys"], "always", { body: { ids }, query: change(o) }, o);
  }

  /** Gives a key a new value; the old one works until the overlap (0 to 604,800 seconds) ends. */
  async rotate(id: string, o?: RevealOptions & { overlapSeconds?: number }): Promise<Rotated> {
    return this.#rotate("rotateApiKey", id, o?.overlapSeconds ?? 0, o);
  }

  /** Gives the calling key a new value. Without an overlap a lost answer would lose the key: hence 60 seconds by default. */
  async rotateSelf(o?: RevealOptions & { overlapSeconds?: number }): Promise<Rotated> {
    return this.#rotate("rotateSelf", "self", o?.overlapSeconds ?? 60, o);
  }

  async #rotate(operation: string, id: string, overlapSeconds: number, o?: RevealOptions): Promise<Rotated> {
    const headers = { "idempotency-key": o?.idempotencyKey ?? (await uuid()) };
    const more = { body: { overlapSeconds }, headers, query: change(o) };
    return revealed(await this.send(operation, "POST", ["api-keys", id, "rotate"], "always", more, o)) as Rotated;
  }

  /** Takes over 1 to 1,000 keys by their digests, or makes them with generate: true. */
  async import(
    apiKeys: ImportKey[],
    o?: CallOptions & { workspaceId?: string },
  ): Promise<{ imported: { index: number; id: string; key: Secret | null }[]; errors: Result<"ImportedApiKeysAnswer">["errors"] }> {
    const body = { workspaceId: o?.workspaceId, apiKeys };
    const answer = await this.send<Result<"ImportedApiKeysAnswer">>("importApiKeys", "POST", ["api-keys", "import"], "never", { body }, o);
    return { ...answer, imported: answer.imported.map((i) => ({ ...i, key: typeof i.key === "string" ? new Secret(i.key) : null })) };
  }

  /** Says step by step how a question about a key would be decided now. It spends nothing. */
  explain(
    id: string,
    o: CallOptions & {
      permission?: string | string[];
      any?: string | string[];
      ip?: string;
      environment?: "live" | "test";
      workspaceId?: string | string[];
      cost?: number;
    } = {},
  ): Promise<Result<"ExplanationAnswer">> {
    const { signal, ...query } = o;
    return this.get("explainApiKey", ["api-keys", id, "explain"], query, only(signal));
  }

  /** Lists the latest refusals of a key, the newest first. */
  async refusals(id: string, o: CallOptions & { limit?: number; workspaceId?: string } = {}): Promise<KeyRefusal[]> {
    const { signal, ...query } = o;
    return (await this.get<{ refusals: KeyRefusal[] }>("listApiKeyRefusals", ["api-keys", id, "refusals"], query, only(signal))).refusals;
  }

  /** Says what is left of a key's limits and when it returns. It spends nothing of the key. */
  limits(id: string, o: CallOptions & { workspaceId?: string } = {}): Promise<Result<"KeyLimitsAnswer">> {
    const { signal, ...query } = o;
    return this.get("getApiKeyLimits", ["api-keys", id, "limits"], query, only(signal));
  }

  /** Counts the verifications of a key. */
  usage(id: string, o: UsageOptions = {}): Promise<Usage> {
    const { signal, ...query } = o;
    return this.get("getApiKeyUsage", ["api-keys", id, "usage"], query, only(signal));
  }

  /** Says which permissions of a key were used in the last 30 days. */
  permissionUsage(id: string, o?: CallOptions): Promise<KeyPermissions> {
    return this.get("getApiKeyPermissionUsage", ["api-keys", id, "usage", "permissions"], {}, o);
  }
}

/** Workspaces. */
export class Workspaces extends Resource {
  async create(workspace: Schemas["CreateWorkspace"], o?: CallOptions): Promise<Workspace> {
    const body = { body: workspace };
    return (await this.send<{ workspace: Workspace }>("createWorkspace", "POST", ["workspaces"], "never", body, o)).workspace;
  }

  list(o: PageOptions = {}): Promise<Result<"WorkspacesAnswer">> {
    const { signal, ...query } = o;
    return this.get("listWorkspaces", ["workspaces"], query, only(signal));
  }

  all(o: PageOptions = {}): AsyncGenerator<Workspace, void, undefined> {
    return pages(o.cursor, async (cursor) => {
      const page = await this.list(at(o, cursor));
      return { items: page.workspaces, pagination: page.pagination };
    });
  }

  async retrieve(id: string, o?: CallOptions): Promise<Workspace> {
    return (await this.get<{ workspace: Workspace }>("getWorkspace", ["workspaces", id], {}, o)).workspace;
  }

  update(id: string, body: Schemas["UpdateWorkspace"], o?: ChangeOptions): Promise<Result<"UpdatedWorkspaceAnswer">> {
    return this.send("updateWorkspace", "PATCH", ["workspaces", id], "refused", { body, query: change(o) }, o);
  }

  delete(id: string, o?: ChangeOptions): Promise<Result<"StoppedAnswer">> {
    return this.send("deleteWorkspace", "DELETE", ["workspaces", id], "always", { query: change(o) }, o);
  }

  /** Replaces the plan; null or nothing is no quota. */
  async putPlan(id: string, plan: Schemas["PutPlan"], o?: CallOptions): Promise<Workspace> {
    const path = ["workspaces", id, "plan"];
    return (await this.send<{ workspace: Workspace }>("putPlan", "PUT", path, "always", { body: plan }, o)).workspace;
  }

  /** Lists the latest refusals of all keys of a workspace, each with its key. */
  async refusals(id: string, o: CallOptions & { limit?: number } = {}): Promise<Refusal[]> {
    const { signal, ...query } = o;
    return (await this.get<{ refusals: Refusal[] }>("listRefusals", ["workspaces", id, "refusals"], query, only(signal))).refusals;
  }

  /** Says what is left of the limits that all keys of a workspace share, and when it returns. */
  limits(id: string, o?: CallOptions): Promise<Result<"KeyLimitsAnswer">> {
    return this.get("getWorkspaceLimits", ["workspaces", id, "limits"], {}, o);
  }

  usage(id: string, o: UsageOptions = {}): Promise<Usage> {
    const { signal, ...query } = o;
    return this.get("getWorkspaceUsage", ["workspaces", id, "usage"], query, only(signal));
  }

  /** Counts what was demanded of the keys of a workspace, by permission, on whole days. */
  permissionUsage(id: string, o: CallOptions & { from?: string | Date; to?: string | Date } = {}): Promise<PermissionUsages> {
    const { signal, ...query } = o;
    return this.get("getWorkspacePermissionUsage", ["workspaces", id, "usage", "permissions"], query, only(signal));
  }
}

/** Members of workspaces. */
export class Members extends Resource {
  list(workspaceId: string, o: PageOptions = {}): Promise<Result<"MembersAnswer">> {
    const { signal, ...query } = o;
    return this.get("listMembers", ["workspaces", workspaceId, "members"], query, only(signal));
  }

  all(workspaceId: string, o: PageOptions = {}): AsyncGenerator<Member, void, undefined> {
    return pages(o.cursor, async (cursor) => {
      const page = await this.list(workspaceId, at(o, cursor));
      return { items: page.members, pagination: page.pagination };
    });
  }

  async retrieve(workspaceId: string, userId: string, o?: CallOptions): Promise<Member> {
    return (await this.get<{ member: Member }>("getMember", ["workspaces", workspaceId, "members", userId], {}, o)).member;
  }

  /** Adds a member, or changes the one who is there. */
  async put(workspaceId: string, userId: string, member: Schemas["PutMember"], o?: CallOptions): Promise<Member> {
    const path = ["workspaces", workspaceId, "members", userId];
    return (await this.send<{ member: Member }>("putMember", "PUT", path, "always", { body: member }, o)).member;
  }

  async update(workspaceId: string, userId: string, member: Schemas["UpdateMember"], o?: CallOptions): Promise<Member> {
    const path = ["workspaces", workspaceId, "members", userId];
    return (await this.send<{ member: Member }>("updateMember", "PATCH", path, "refused", { body: member }, o)).member;
  }

  /** Makes a one-time link by which a member who has never signed in registers a passkey. */
  async invite(workspaceId: string, userId: string, o?: CallOptions): Promise<Invitation> {
    const path = ["workspaces", workspaceId, "members", userId, "invitation"];
    return invited((await this.send<Result<"InvitationAnswer">>("inviteMember", "POST", path, "never", { body: {} }, o)).invitation);
  }

  /** Ends the passkeys and sessions that a member has in the workspace, and makes an invitation. */
  async resetSignIn(
    workspaceId: string,
    userId: string,
    o?: CallOptions,
  ): Promise<Omit<Result<"SignInResetAnswer">, "invitation"> & { invitation: Invitation }> {
    const path = ["workspaces", workspaceId, "members", userId, "sign-in-reset"];
    const answer = await this.send<Result<"SignInResetAnswer">>("resetSignIn", "POST", path, "never", { body: {} }, o);
    return { ...answer, invitation: invited(answer.invitation) };
  }

  /**
   * Removes a member. keys is "stop" (the default), "keep" or "transfer:USER"; overrides chooses otherwise for single keys. With dryRun
   * nothing changes.
   */
  remove(
    workspaceId: string,
    userId: string,
    o?: ChangeOptions & { keys?: string; reason?: "left" | "leaked"; dryRun?: boolean; overrides?: { id: string; keys: string }[] },
  ): Promise<Result<"RemovedMemberAnswer">> {
    const query = { keys: o?.keys, reason: o?.reason, dryRun: o?.dryRun, wait: o?.wait ? "all" : undefined };
    const body = o?.overrides?.length ? { overrides: o.overrides } : undefined;
    return this.send("removeMember", "DELETE", ["workspaces", workspaceId, "members", userId], "always", { query, body }, o);
  }

  /** Undoes a removal within ten minutes, as a whole or not at all. */
  restore(workspaceId: string, userId: string, removalId: string, o?: CallOptions): Promise<Result<"RestoredMemberAnswer">> {
    const path = ["workspaces", workspaceId, "members", userId, "restore"];
    return this.send("restoreMember", "POST", path, "never", { body: { removalId } }, o);
  }
}

/** A link by which a member registers a passkey. It is shown once. */
export type Invitation = Omit<Schemas["Invitation"], "code" | "path" | "url"> & { code: Secret; path: Secret; url: Secret };

function invited(i: Schemas["Invitation"]): Invitation {
  const { code, path, url, ...rest } = i;
  return { ...rest, code: new Secret(code), path: new Secret(path), url: new Secret(url) };
}

/** Roles of workspaces. */
export class Roles extends Resource {
  async create(workspaceId: string, role: Schemas["CreateRole"], o?: CallOptions): Promise<Role> {
    return (await this.send<{ role: Role }>("createRole", "POST", ["workspaces", workspaceId, "roles"], "never", { body: role }, o)).role;
  }

  list(workspaceId: string, o: PageOptions = {}): Promise<Result<"RolesAnswer">> {
    const { signal, ...query } = o;
    return this.get("listRoles", ["workspaces", workspaceId, "roles"], query, only(signal));
  }

  all(workspaceId: string, o: PageOptions = {}): AsyncGenerator<Role, void, undefined> {
    return pages(o.cursor, async (cursor) => {
      const page = await this.list(workspaceId, at(o, cursor));
      return { items: page.roles, pagination: page.pagination };
    });
  }

  async retrieve(workspaceId: string, roleId: string, o?: CallOptions): Promise<Role> {
    return (await this.get<{ role: Role }>("getRole", ["workspaces", workspaceId, "roles", roleId], {}, o)).role;
  }

  async update(workspaceId: string, roleId: string, role: Schemas["UpdateRole"], o?: CallOptions): Promise<Role> {
    const path = ["workspaces", workspaceId, "roles", roleId];
    return (await this.send<{ role: Role }>("updateRole", "PATCH", path, "refused", { body: role }, o)).role;
  }

  delete(workspaceId: string, roleId: string, o?: CallOptions): Promise<Result<"DeletedAnswer">> {
    return this.send("deleteRole", "DELETE", ["workspaces", workspaceId, "roles", roleId], "always", {}, o);
  }
}

/** Operators' credentials. */
export class ServiceKeys extends Resource {
  async create(key: Timed<Schemas["CreateServiceKey"]>, o?: CallOptions): Promise<{ serviceKey: ServiceKey; key: Secret }> {
    const body = { body: key };
    const answer = await this.send<Result<"RevealedServiceKeyAnswer">>("createServiceKey", "POST", ["service-keys"], "never", body, o);
    return { ...answer, key: new Secret(answer.key) };
  }

  list(o: PageOptions = {}): Promise<Result<"ServiceKeysAnswer">> {
    const { signal, ...query } = o;
    return this.get("listServiceKeys", ["service-keys"], query, only(signal));
  }

  delete(id: string, o?: ChangeOptions): Promise<Result<"StoppedAnswer">> {
    return this.send("deleteServiceKey", "DELETE", ["service-keys", id], "always", { query: { wait: o?.wait ? "all" : undefined } }, o);
  }
}

/** Sign-ins of people to the dashboard. */
export class Sessions extends Resource {
  /** Makes a one-time link that signs a member in. */
  async createLink(
    link: Schemas["CreateSignInLink"],
    o?: CallOptions,
  ): Promise<Omit<Schemas["SignInLink"], "code" | "path"> & { code: Secret; path: Secret }> {
    const body = { body: link };
    const answer = await this.send<Result<"SignInLinkAnswer">>("createSignInLink", "POST", ["sign-in-links"], "never", body, o);
    const { code, path, ...rest } = answer.signInLink;
    return { ...rest, code: new Secret(code), path: new Secret(path) };
  }

  /** Spends a link's code and gives a session's token. */
  async start(code: Value, o?: CallOptions): Promise<{ session: Session; token: Secret }> {
    const body = { body: { code: reveal(code) } };
    const answer = await this.send<Result<"StartedSessionAnswer">>("startSession", "POST", ["sessions"], "never", body, o);
    return { ...answer, token: new Secret(answer.token) };
  }

  list(o: PageOptions & { workspaceId?: string; userId?: string } = {}): Promise<Result<"SessionsAnswer">> {
    const { signal, ...query } = o;
    return this.get("listSessions", ["sessions"], query, only(signal));
  }

  end(id: string, o?: CallOptions): Promise<Result<"EndedSessionsAnswer">> {
    return this.send("endSession", "DELETE", ["sessions", id], "always", {}, o);
  }

  /** Ends the sessions of a user, or the caller's own. */
  endAll(o?: CallOptions & { userId?: string }): Promise<Result<"EndedSessionsAnswer">> {
    return this.send("endSessions", "DELETE", ["sessions"], "always", { query: { userId: o?.userId } }, o);
  }
}

/** A token of a portal session. It is presented as `Authorization: DPoP`, with a proof for each request. */
export type StartedPortalSession = Omit<Result<"StartedPortalSessionAnswer">, "token"> & { token: Secret };

/** Sessions through which a page of the platform acts as a member for a while. */
export class PortalSessions extends Resource {
  /** Makes a portal session. Its clientSecret is for the user's browser, once and within five minutes. */
  async create(
    session: Schemas["CreatePortalSession"],
    o?: CallOptions,
  ): Promise<{ portalSession: Schemas["PortalSession"]; clientSecret: Secret; url: Secret }> {
    const body = { body: session };
    const answer = await this.send<Result<"CreatedPortalSessionAnswer">>("createPortalSession", "POST", ["portal-sessions"], "never", body, o);
    return { ...answer, clientSecret: new Secret(answer.clientSecret), url: new Secret(answer.url) };
  }

  async retrieve(id: string, o?: CallOptions): Promise<Schemas["PortalSession"]> {
    return (await this.get<Result<"PortalSessionAnswer">>("getPortalSession", ["portal-sessions", id], {}, o)).portalSession;
  }

  list(o: PageOptions & { workspaceId?: string; userId?: string } = {}): Promise<Result<"PortalSessionsAnswer">> {
    const { signal, ...query } = o;
    return this.get("listPortalSessions", ["portal-sessions"], query, only(signal));
  }

  /** Ends a portal session with its token at once. */
  end(id: string, o?: ChangeOptions): Promise<Result<"EndedPortalSessionsAnswer">> {
    return this.send("endPortalSession", "DELETE", ["portal-sessions", id], "always", { query: change(o) }, o);
  }

  /** Ends those of a user, or the caller's own: a platform calls it as the user signs out. */
  endAll(o?: ChangeOptions & { userId?: string }): Promise<Result<"EndedPortalSessionsAnswer">> {
    const query = { ...change(o), userId: o?.userId };
    return this.send("endPortalSessions", "DELETE", ["portal-sessions"], "always", { query }, o);
  }

  /** Gives a token for a client secret, once. proof is a proof of possession (RFC 9449). Browsers do this by themselves. */
  async exchange(clientSecret: Value, proof: string, o?: CallOptions): Promise<StartedPortalSession> {
    const path = ["portal-sessions", "exchange"];
    const more = { body: { clientSecret: reveal(clientSecret) }, headers: { DPoP: proof } };
    const answer = await this.send<Result<"StartedPortalSessionAnswer">>("exchangePortalSession", "POST", path, "never", more, o);
    return { ...answer, token: new Secret(answer.token) };
  }

  /** Gives another token to the key that the session is bound to. */
  async renew(id: string, proof: string, o?: CallOptions): Promise<StartedPortalSession> {
    const path = ["portal-sessions", id, "renew"];
    const more = { body: {}, headers: { DPoP: proof } };
    const answer = await this.send<Result<"StartedPortalSessionAnswer">>("renewPortalSession", "POST", path, "never", more, o);
    return { ...answer, token: new Secret(answer.token) };
  }
}

/** A webhook and, this once, its secret. */
export type RevealedWebhook = Omit<Result<"RevealedWebhookAnswer">, "secret"> & { secret: Secret };

/** Signed notices of what happens to keys. verifyWebhook checks one where it arrives. */
export class Webhooks extends Resource {
  /** Makes a webhook. Its secret is in this answer alone. */
  async create(webhook: Schemas["CreateWebhook"], o?: CallOptions): Promise<RevealedWebhook> {
    return revealedWebhook(await this.send("createWebhook", "POST", ["webhooks"], "never", { body: webhook }, o));
  }

  list(o: PageOptions & { workspaceId?: string } = {}): Promise<Result<"WebhooksAnswer">> {
    const { signal, ...query } = o;
    return this.get("listWebhooks", ["webhooks"], query, only(signal));
  }

  async retrieve(id: string, o?: CallOptions): Promise<Webhook> {
    return (await this.get<Result<"WebhookAnswer">>("getWebhook", ["webhooks", id], {}, o)).webhook;
  }

  /** Changes the given fields. One that is switched on again is told of what happens from then on. */
  async update(id: string, changes: Schemas["UpdateWebhook"], o?: CallOptions): Promise<Webhook> {
    const more = { body: changes };
    return (await this.send<Result<"WebhookAnswer">>("updateWebhook", "PATCH", ["webhooks", id], "never", more, o)).webhook;
  }

  delete(id: string, o?: CallOptions): Promise<Result<"DeletedAnswer">> {
    return this.send("deleteWebhook", "DELETE", ["webhooks", id], "never", {}, o);
  }

  /** Gives a new secret, in this answer alone. The former one signs, too, for the overlap (a day where none is given). */
  async rotateSecret(id: string, o?: CallOptions & { overlapSeconds?: number }): Promise<RevealedWebhook> {
    const more = { body: o?.overlapSeconds === undefined ? {} : { overlapSeconds: o.overlapSeconds } };
    return revealedWebhook(await this.send("rotateWebhookSecret", "POST", ["webhooks", id, "rotate-secret"], "never", more, o));
  }

  /** Queues a notice of the type webhook.test. */
  async test(id: string, o?: CallOptions): Promise<Delivery> {
    return (await this.send<Result<"DeliveryAnswer">>("testWebhook", "POST", ["webhooks", id, "test"], "never", {}, o)).delivery;
  }

  deliveries(
    id: string,
    o: PageOptions & { status?: "pending" | "delivered" | "failed" } = {},
  ): Promise<Result<"DeliveriesAnswer">> {
    const { signal, ...query } = o;
    return this.get("listWebhookDeliveries", ["webhooks", id, "deliveries"], query, only(signal));
  }

  /** Queues the notice of a delivery that has ended once more, with the same id and body. */
  async replay(id: string, deliveryId: string, o?: CallOptions): Promise<Delivery> {
    const path = ["webhooks", id, "deliveries", deliveryId, "replay"];
    return (await this.send<Result<"DeliveryAnswer">>("replayWebhookDelivery", "POST", path, "never", {}, o)).delivery;
  }
}

function revealedWebhook(answer: Result<"RevealedWebhookAnswer">): RevealedWebhook {
  return { ...answer, secret: new Secret(answer.secret) };
}

/** Requests for keys that a signed-in member confirms, for programs that are not to hold a value. */
export class KeyRequests extends Resource {
  /** Asks for a key. A member who may make it confirms at url within 15 minutes, and alone sees the value. */
  async create(key: CreateKey, o?: CallOptions): Promise<KeyRequest> {
    return this.#one(await this.send("requestApiKey", "POST", ["key-requests"], "never", { body: key }, o));
  }

  /** Asks for a new value of a key; the present one works for the overlap after the confirmation. */
  async rotation(id: string, o?: CallOptions & { overlapSeconds?: number }): Promise<KeyRequest> {
    const more = { body: { overlapSeconds: o?.overlapSeconds ?? 0 } };
    return this.#one(await this.send("requestApiKeyRotation", "POST", ["api-keys", id, "key-requests"], "never", more, o));
  }

  /** Lists the requests that wait: the caller's own, and with api-keys:manage-others all of the workspace. */
  list(o: PageOptions & { workspaceId?: string } = {}): Promise<Result<"KeyRequestsAnswer">> {
    const { signal, ...query } = o;
    return this.get("listKeyRequests", ["key-requests"], query, only(signal));
  }

  async retrieve(id: string, o?: CallOptions): Promise<KeyRequest> {
    return this.#one(await this.get("getKeyRequest", ["key-requests", id], {}, o));
  }

  /** Ends a request without a value. */
  decline(id: string, o?: CallOptions): Promise<Result<"DeletedAnswer">> {
    return this.send("declineKeyRequest", "DELETE", ["key-requests", id], "never", {}, o);
  }

  #one(answer: Result<"KeyRequestAnswer">): KeyRequest {
    return answer.keyRequest;
  }
}

/** Events: who changed what, and when. */
export class Logs extends Resource {
  /** Gives one page. A page of a search may be empty with hasNext true: go on with its cursor. */
  list(o: ListLogs = {}): Promise<Result<"LogsAnswer">> {
    const { signal, ...query } = o;
    return this.get("listLogs", ["workspaces", "logs"], query, only(signal));
  }

  all(o: ListLogs = {}): AsyncGenerator<LogEntry, void, undefined> {
    return pages(o.cursor, async (cursor) => {
      const { offset, ...rest } = o;
      const page = await this.list(cursor === undefined ? o : { ...rest, cursor });
      return { items: page.logs, pagination: page.pagination };
    });
  }

  /** Streams the events of list as text, all of them unless limit says otherwise. */
  async export(format: "csv" | "ndjson", o: ListLogs = {}): Promise<ReadableStream<Uint8Array>> {
    const { signal, ...query } = o;
    const call: Call = {
      method: "GET",
      path: ["workspaces", "logs"],
      query: { ...query, format },
      headers: { accept: "*/*" },
      repeat: "never",
    };
    const response = await this.t.response(call, only(signal));
    if (!response.body) throw new KeywardError("the answer has no body");
    return response.body;
  }
}

/** The form of a token, and where it must come from. */
function demandedOf(token: Value, o?: { environment?: string; workspaceId?: string | string[] }): [string, string][] {
  const form: [string, string][] = [["token", reveal(token)]];
  if (o?.environment !== undefined) form.push(["environment", o.environment]);
  for (const id of [o?.workspaceId ?? []].flat()) form.push(["workspaceId", id]);
  return form;
}

/** The words of RFC 7662 and RFC 7009. */
export class OAuth extends Resource {
  /** Gives the members of RFC 7662; {active: false} tells nothing more. */
  async introspect(
    token: Value,
    o?: CallOptions & { ip?: string; environment?: string; workspaceId?: string | string[] },
  ): Promise<{ active: boolean } & Record<string, unknown>> {
    const form = demandedOf(token, o);
    if (o?.ip !== undefined) form.push(["ip", o.ip]);
    return this.#form("introspectToken", ["oauth2", "introspect"], form, "refused", o) as Promise<
      { active: boolean } & Record<string, unknown>
    >;
  }

  /** Takes a key away by its value. An unknown value, or one from elsewhere than o says, is no error (RFC 7009, section 2.2). */
  async revoke(token: Value, o?: CallOptions & { environment?: string; workspaceId?: string | string[] }): Promise<void> {
    await this.#form("revokeToken", ["oauth2", "revoke"], demandedOf(token, o), "always", o);
  }

  #form(operation: string, path: string[], form: [string, string][], repeat: Repeat, o?: CallOptions): Promise<unknown> {
    void operation;
    return this.t.json({ method: "POST", path, form, repeat }, o);
  }
}

/** Calls one Keyward server. */
export class Keyward extends Resource {
  readonly keys: Keys;
  readonly workspaces: Workspaces;
  readonly members: Members;
  readonly roles: Roles;
  readonly serviceKeys: ServiceKeys;
  readonly sessions: Sessions;
  readonly keyRequests: KeyRequests;
  readonly portalSessions: PortalSessions;
  readonly webhooks: Webhooks;
  readonly logs: Logs;
  readonly oauth: OAuth;
  readonly #options: KeywardOptions;

  constructor(options: KeywardOptions) {
    const t = new Transport(options);
    super(t);
    this.#options = options;
    this.keys = new Keys(t);
    this.workspaces = new Workspaces(t);
    this.members = new Members(t);
    this.roles = new Roles(t);
    this.serviceKeys = new ServiceKeys(t);
    this.sessions = new Sessions(t);
    this.keyRequests = new KeyRequests(t);
    this.portalSessions = new PortalSessions(t);
    this.webhooks = new Webhooks(t);
    this.logs = new Logs(t);
    this.oauth = new OAuth(t);
  }

  /**
   * Gives a client of the same server and token whose every call is about one workspace: an object of another one is not found (404),
   * and a verification demands a key of it. Calls that belong to no workspace are refused (400).
   */
  within(workspaceId: string): Keyward {
    return new Keyward({ ...this.#options, workspaceId });
  }

  #asked(q: Question): Record<string, unknown> {
    return { ...q, key: reveal(q.key), workspaceId: this.t.demanded(q.workspaceId) };
  }

  /** Asks whether a key is good for a request. */
  async verify(question: Question, o?: CallOptions): Promise<Verdict> {
    const more = { body: this.#asked(question), question: true };
    return sound(await this.send("verifyApiKey", "POST", ["api-keys", "verify"], "refused", more, o));
  }

  /** Asks 1 to 1,000 questions. The code UNAVAILABLE says that one item could not be judged. */
  async verifyBatch(questions: Question[], o?: CallOptions): Promise<Verdict[]> {
    const more = { body: { items: questions.map((q) => this.#asked(q)) }, question: true };
    const path = ["api-keys", "verify-batch"];
    const { results } = await this.send<{ results: unknown }>("verifyApiKeys", "POST", path, "refused", more, o);
    if (!Array.isArray(results) || results.length !== questions.length) {
      throw new ProtocolError("the answer has another number of verdicts than there were questions");
    }
    return results.map(sound);
  }

  /** Says who calls: user, workspaces, role, permissions, and what may be granted. */
  me(o?: CallOptions & { workspaceId?: string }): Promise<Me> {
    return this.get("getMe", ["me"], { workspaceId: o?.workspaceId }, o);
  }

  /** Gives the catalogue of permissions, in its order. */
  async permissions(o?: CallOptions): Promise<Permission[]> {
    return (await this.get<{ permissions: Permission[] }>("listPermissions", ["permissions"], {}, o)).permissions;
  }

  /** Gives the condition of the installation, and what needs attention. */
  installation(o?: CallOptions): Promise<Installation> {
    return this.get("getInstallation", ["installation"], {}, o);
  }

  /** Compares the usage of workspaces, the most used first. */
  usageByWorkspace(o: UsageOptions & { limit?: number } = {}): Promise<WorkspaceUsages> {
    const { signal, ...query } = o;
    return this.get("getUsageByWorkspace", ["usage", "workspaces"], query, only(signal));
  }

  /** Gives the processes without a database that follow the installation's nodes. */
  async followers(o?: CallOptions): Promise<Result<"NodesAnswer">["followers"]> {
    return (await this.get<Result<"NodesAnswer">>("listNodes", ["nodes"], {}, o)).followers;
  }

  /** Gives the processes that serve the installation. */
  async nodes(o?: CallOptions): Promise<Node[]> {
    return (await this.get<{ nodes: Node[] }>("listNodes", ["nodes"], {}, o)).nodes;
  }

  /** Lists the latest refusals of all keys of the installation, the newest first. */
  async refusals(o: CallOptions & { limit?: number } = {}): Promise<InstallationRefusal[]> {
    const { signal, ...query } = o;
    return (await this.get<{ refusals: InstallationRefusal[] }>("listInstallationRefusals", ["refusals"], query, only(signal))).refusals;
  }

  /** Streams everything that a follower needs, as JSON lines. */
  feedSnapshot(o: FollowerOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#send("readFeedSnapshot", ["feed", "snapshot"], o);
  }

  /** Streams the changes after a cursor, as JSON lines: they count once the last line is there. */
  feed(o: FollowerOptions & { after?: string; wait?: number; reporting?: boolean }): Promise<ReadableStream<Uint8Array>> {
    return this.#send("readFeed", ["feed"], o);
  }

  /** Takes units of limits per minute, for a follower. A number that comes again gets its first answer. */
  leaseMinutes(questions: Schemas["FollowerLeases"], o?: CallOptions): Promise<Result<"LeasesAnswer">> {
    return this.send("leaseMinutes", "POST", ["feed", "leases"], "never", { body: questions }, o);
  }

  /** Reserves units of limits per day, for a follower, and gives some back. A batch that comes again is done once. */
  reserveDays(batch: Schemas["FollowerDays"], o?: CallOptions): Promise<Result<"DaysAnswer">> {
    return this.send("reserveDays", "POST", ["feed", "days"], "never", { body: batch }, o);
  }

  /** Tells what a follower has counted. A batch that comes again is done once. */
  reportUses(batch: Schemas["FollowerUses"], o?: CallOptions): Promise<Result<"UsesAnswer">> {
    return this.send("reportUses", "POST", ["feed", "usage"], "never", { body: batch }, o);
  }

  async #send(_operation: string, path: string[], o: FollowerOptions): Promise<ReadableStream<Uint8Array>> {
    const { signal, ...query } = o;
    const call: Call = { method: "GET", path, query: query as NonNullable<Call["query"]>, headers: { accept: "*/*" }, repeat: "never" };
    const response = await this.t.response(call, only(signal));
    if (!response.body) throw new KeywardError("the answer has no body");
    return response.body;
  }

  /** Counts the verifications of the whole installation. */
  usage(o: UsageOptions = {}): Promise<Usage> {
    const { signal, ...query } = o;
    return this.get("getUsage", ["usage"], query, only(signal));
  }

  /** Tells whether the process is alive. */
  healthy(o?: CallOptions): Promise<boolean> {
    return this.#probe("getHealth", "healthz", o);
  }

  /** Tells whether the server can verify keys now. */
  ready(o?: CallOptions): Promise<boolean> {
    return this.#probe("getReadiness", "readyz", o);
  }

  async #probe(operation: string, path: string, o?: CallOptions): Promise<boolean> {
    void operation;
    try {
      await this.t.json({ method: "GET", path: [path], root: true, repeat: "never" }, o);
      return true;
    } catch (error) {
      if (error instanceof KeywardError) return false;
      throw error;
    }
  }
}

const only = (signal: AbortSignal | undefined): CallOptions => (signal ? { signal } : {});

/** Refuses a verdict that contradicts itself, because a reader of one of its two words must not be misled. */
function sound(verdict: unknown): Verdict {
  const { valid, code } = isObject(verdict) ? verdict : {};
  if (typeof valid !== "boolean" || typeof code !== "string" || code === "" || valid !== (code === "VALID")) {
    throw new ProtocolError("a verdict without a code, or one that contradicts it");
  }
  return verdict as unknown as Verdict;
}

/** The options with another cursor, or as they are. */
function at<T extends PageOptions>(o: T, cursor: string | undefined): T {
  return cursor === undefined ? o : { ...o, cursor };
}

/** Wraps the value of a new or rotated key. A replay without the value is an error that names the key. */
function revealed(result: unknown): Revealed {
  if (!isObject(result) || !isObject(result["apiKey"])) throw new KeywardError("the answer holds no key");
  const apiKey = result["apiKey"] as unknown as APIKey;
  const value = result["key"];
  if (typeof value !== "string") throw new ReplayedWithoutValueError(apiKey.id);
  const shown = mask(apiKey.key);
  return { ...result, apiKey: { ...apiKey, key: shown === value ? "…" : shown }, key: new Secret(value) };
}

const statuses: Record<string, number> = {
  permission_denied: 403,
  permission_escalation: 403,
  not_found: 404,
  conflict: 409,
  limit_reached: 409,
};

function itemError(item: ItemError | undefined): KeywardError {
  if (!item) return new KeywardError("the answer names no key");
  return new APIError(statuses[item.error] ?? 400, item.error, "", item.details);
}
