"""Makes the calls of the conversations under api/conversations, and prints what the client gave.

The test in test/sdk compares each request, and what the client gives for the answer, for all clients alike. The blocking client and the
one for asyncio make the calls by turns.
"""

import asyncio
import dataclasses
import datetime
import inspect
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from keyward import AsyncKeyward, Keyward  # noqa: E402
from keyward.errors import APIError, ReplayedWithoutValue  # noqa: E402
from keyward.secret import Secret  # noqa: E402


def snake(name):
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: "_" + m.group(1).lower(), name)


def words(mapping):
    """words gives the members of a body, or of a query, as keyword arguments."""
    return {"from_" if name == "from" else snake(name): value for name, value in (mapping or {}).items()}


def question(item):
    return {snake(name): value for name, value in item.items()}


def overrides(body):
    return {o["id"]: o["keys"] for o in (body or {}).get("overrides", [])} or None


# The calls of all operations: k is the client, p the parameters of the path, q those of the query, b the body, c the call.
CALLS = {
    "createApiKey": lambda k, p, q, b, c: k.keys.create(**words(b), idempotency_key=c.get("idempotencyKey")),
    "listApiKeys": lambda k, p, q, b, c: k.keys.list(**q),
    "getSelf": lambda k, p, q, b, c: k.keys.self_key(),
    "getApiKey": lambda k, p, q, b, c: k.keys.get(p["id"]),
    "updateApiKeys": lambda k, p, q, b, c: k.keys.update(b["apiKeys"], **q),
    "deleteApiKeys": lambda k, p, q, b, c: k.keys.delete_many(b["ids"], **q),
    "deleteApiKey": lambda k, p, q, b, c: k.keys.delete(p["id"], **q),
    "importApiKeys": lambda k, p, q, b, c: k.keys.import_keys(b["apiKeys"], **words({n: v for n, v in b.items() if n != "apiKeys"})),
    "rotateSelf": lambda k, p, q, b, c: k.keys.rotate_self(
        overlap_seconds=(b or {}).get("overlapSeconds", 0), idempotency_key=c.get("idempotencyKey"), **q),
    "rotateApiKey": lambda k, p, q, b, c: k.keys.rotate(p["id"], **words(b), idempotency_key=c.get("idempotencyKey"), **q),
    "getMe": lambda k, p, q, b, c: k.me(**q),
    "listPermissions": lambda k, p, q, b, c: k.permissions(),
    "explainApiKey": lambda k, p, q, b, c: k.keys.explain(
        p["id"], {"all": listed(q.pop("permission", [])), "any": listed(q.pop("any", []))}, **q),
    "listApiKeyRefusals": lambda k, p, q, b, c: k.keys.refusals(p["id"], **q),
    "getApiKeyLimits": lambda k, p, q, b, c: k.keys.limits(p["id"], **q),
    "getApiKeyUsage": lambda k, p, q, b, c: k.keys.usage(p["id"], **q),
    "getApiKeyPermissionUsage": lambda k, p, q, b, c: k.keys.permission_usage(p["id"]),
    "verifyApiKey": lambda k, p, q, b, c: k.verify(**question(b)),
    "verifyApiKeys": lambda k, p, q, b, c: k.verify_batch([question(item) for item in b["items"]]),
    "introspectToken": lambda k, p, q, b, c: k.oauth.introspect(c["form"]["token"][0], **demands(c["form"])),
    "revokeToken": lambda k, p, q, b, c: k.oauth.revoke(c["form"]["token"][0], **demands(c["form"])),
    "createWorkspace": lambda k, p, q, b, c: k.workspaces.create(**words(b)),
    "listWorkspaces": lambda k, p, q, b, c: k.workspaces.list(**q),
    "getWorkspace": lambda k, p, q, b, c: k.workspaces.get(p["workspaceId"]),
    "updateWorkspace": lambda k, p, q, b, c: k.workspaces.update(p["workspaceId"], **words(b), **q),
    "deleteWorkspace": lambda k, p, q, b, c: k.workspaces.delete(p["workspaceId"], **q),
    "putPlan": lambda k, p, q, b, c: k.workspaces.put_plan(p["workspaceId"], b),
    "listMembers": lambda k, p, q, b, c: k.members.list(p["workspaceId"], **q),
    "getMember": lambda k, p, q, b, c: k.members.get(p["workspaceId"], p["userId"]),
    "putMember": lambda k, p, q, b, c: k.members.put(p["workspaceId"], p["userId"], **words(b)),
    "updateMember": lambda k, p, q, b, c: k.members.update(p["workspaceId"], p["userId"], **words(b)),
    "removeMember": lambda k, p, q, b, c: k.members.remove(p["workspaceId"], p["userId"], overrides=overrides(b), **q),
    "restoreMember": lambda k, p, q, b, c: k.members.restore(p["workspaceId"], p["userId"], b["removalId"]),
    "inviteMember": lambda k, p, q, b, c: k.members.invite(p["workspaceId"], p["userId"]),
    "resetSignIn": lambda k, p, q, b, c: k.members.reset_sign_in(p["workspaceId"], p["userId"]),
    "createRole": lambda k, p, q, b, c: k.roles.create(p["workspaceId"], **words(b)),
    "listRoles": lambda k, p, q, b, c: k.roles.list(p["workspaceId"], **q),
    "getRole": lambda k, p, q, b, c: k.roles.get(p["workspaceId"], p["roleId"]),
    "updateRole": lambda k, p, q, b, c: k.roles.update(p["workspaceId"], p["roleId"], **words(b)),
    "deleteRole": lambda k, p, q, b, c: k.roles.delete(p["workspaceId"], p["roleId"]),
    "listRefusals": lambda k, p, q, b, c: k.workspaces.refusals(p["workspaceId"], **q),
    "getWorkspaceUsage": lambda k, p, q, b, c: k.workspaces.usage(p["workspaceId"], **q),
    "getWorkspaceLimits": lambda k, p, q, b, c: k.workspaces.limits(p["workspaceId"]),
    "getWorkspacePermissionUsage": lambda k, p, q, b, c: k.workspaces.permission_usage(p["workspaceId"], **q),
    "listLogs": lambda k, p, q, b, c: k.logs.list(**q) if q.pop("format", "json") == "json" else k.logs.export(c["query"]["format"][0], **q),
    "listInstallationRefusals": lambda k, p, q, b, c: k.refusals(**q),
    "getUsage": lambda k, p, q, b, c: k.usage(**q),
    "getUsageByWorkspace": lambda k, p, q, b, c: k.usage_by_workspace(**q),
    "createServiceKey": lambda k, p, q, b, c: k.service_keys.create(**words(b)),
    "listServiceKeys": lambda k, p, q, b, c: k.service_keys.list(**q),
    "deleteServiceKey": lambda k, p, q, b, c: k.service_keys.delete(p["id"], **q),
    "readFeed": lambda k, p, q, b, c: k.feed.read(**q),
    "readFeedSnapshot": lambda k, p, q, b, c: k.feed.snapshot(**q),
    "leaseMinutes": lambda k, p, q, b, c: k.feed.lease_minutes(**words(b)),
    "reserveDays": lambda k, p, q, b, c: k.feed.reserve_days(**words(b)),
    "reportUses": lambda k, p, q, b, c: k.feed.report_uses(**words(b)),
    "getInstallation": lambda k, p, q, b, c: k.installation(),
    "listNodes": lambda k, p, q, b, c: k.nodes(),
    "createSignInLink": lambda k, p, q, b, c: k.sessions.create_link(**words(b)),
    "startSession": lambda k, p, q, b, c: k.sessions.start(b["code"]),
    "listSessions": lambda k, p, q, b, c: k.sessions.list(**q),
    "endSession": lambda k, p, q, b, c: k.sessions.end(p["id"]),
    "endSessions": lambda k, p, q, b, c: k.sessions.end_all(**q),
    "requestApiKey": lambda k, p, q, b, c: k.key_requests.create(**words(b)),
    "requestApiKeyRotation": lambda k, p, q, b, c: k.key_requests.rotation(p["id"], **words(b)),
    "listKeyRequests": lambda k, p, q, b, c: k.key_requests.list(**q),
    "getKeyRequest": lambda k, p, q, b, c: k.key_requests.get(p["id"]),
    "declineKeyRequest": lambda k, p, q, b, c: k.key_requests.decline(p["id"]),
    "createWebhook": lambda k, p, q, b, c: k.webhooks.create(**words(b)),
    "listWebhooks": lambda k, p, q, b, c: k.webhooks.list(**q),
    "getWebhook": lambda k, p, q, b, c: k.webhooks.get(p["id"]),
    "updateWebhook": lambda k, p, q, b, c: k.webhooks.update(p["id"], **words(b)),
    "deleteWebhook": lambda k, p, q, b, c: k.webhooks.delete(p["id"]),
    "rotateWebhookSecret": lambda k, p, q, b, c: k.webhooks.rotate_secret(p["id"], **words(b)),
    "testWebhook": lambda k, p, q, b, c: k.webhooks.test(p["id"]),
    "listWebhookDeliveries": lambda k, p, q, b, c: k.webhooks.deliveries(p["id"], **q),
    "replayWebhookDelivery": lambda k, p, q, b, c: k.webhooks.replay(p["id"], p["deliveryId"]),
    "createPortalSession": lambda k, p, q, b, c: k.portal_sessions.create(**words(b)),
    "listPortalSessions": lambda k, p, q, b, c: k.portal_sessions.list(**q),
    "endPortalSessions": lambda k, p, q, b, c: k.portal_sessions.end_all(**q),
    "getPortalSession": lambda k, p, q, b, c: k.portal_sessions.get(p["id"]),
    "endPortalSession": lambda k, p, q, b, c: k.portal_sessions.end(p["id"], **q),
    "exchangePortalSession": lambda k, p, q, b, c: k.portal_sessions.exchange(b["clientSecret"], c["proof"]),
    "renewPortalSession": lambda k, p, q, b, c: k.portal_sessions.renew(p["id"], c["proof"]),
    "getHealth": lambda k, p, q, b, c: k.healthy(),
    "getReadiness": lambda k, p, q, b, c: k.ready(),
}

# Operations whose calls have a workspace_id of their own.
NAMED = {"listApiKeys", "explainApiKey", "listLogs", "listSessions", "listKeyRequests", "listWebhooks", "listPortalSessions", "getMe"}


def listed(value):
    return value if isinstance(value, list) else [value]


def demands(form):
    out = {name: form[name][0] for name in ("ip", "environment") if name in form}
    if "workspaceId" in form:
        out["workspace_id"] = form["workspaceId"]
    return out


def arguments(query):
    """arguments gives the query as keyword arguments."""
    out = {}
    for name, values in (query or {}).items():
        value = values if len(values) > 1 else values[0]
        if value in ("true", "false"):
            value = value == "true"
        if name == "wait":
            value = True if value == "all" else float(value)
        out["from_" if name == "from" else snake(name)] = value
    return out


def camel(name):
    return re.sub(r"_([a-z0-9])", lambda m: m.group(1).upper(), name.rstrip("_"))


def shown(value):
    """shown gives a result by the names of the API, its secrets revealed."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if dataclasses.is_dataclass(value):
        return {camel(f.name): shown(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: shown(v) for name, v in value.items()}
    if isinstance(value, list):
        return [shown(v) for v in value]
    return value


def client_for(kind, call):
    client = kind(call["url"], call["token"] or None, retries=0)
    query = arguments(call.get("query"))
    if isinstance(query.get("workspace_id"), str) and call["operation"] not in NAMED:
        client = client.within(query.pop("workspace_id"))
    return client, query


def refused(error):
    if isinstance(error, ReplayedWithoutValue):
        return {"replayed": error.api_key.id}
    if isinstance(error, APIError):
        return {
            "error": {
                "status": error.status, "code": error.code, "message": error.message, "requestId": error.request_id,
                "details": [{"field": d.field, "message": d.message} for d in error.details], "retryAfter": error.retry_after or 0,
            }
        }
    return {"failed": f"{type(error).__name__}: {error}"}


def told(result):
    return {"done": True} if result is None or result is True else {"result": shown(result)}


def blocking(call):
    client, query = client_for(Keyward, call)
    with client:
        result = CALLS[call["operation"]](client, call["path"] or {}, query, call.get("body"), call)
        if hasattr(result, "__iter__") and not isinstance(result, (list, dict)):
            return {"text": b"".join(result).decode()}
        return told(result)


async def awaiting(call):
    client, query = client_for(AsyncKeyward, call)
    async with client:
        result = CALLS[call["operation"]](client, call["path"] or {}, query, call.get("body"), call)
        if inspect.isawaitable(result):
            result = await result
        if hasattr(result, "__aiter__"):
            return {"text": b"".join([piece async for piece in result]).decode()}
        return told(result)


def replay(number, call):
    if call["operation"] not in CALLS:
        return {"failed": f"the Python client's replay lacks {call['operation']}"}
    try:
        return blocking(call) if number % 2 == 0 else asyncio.run(awaiting(call))
    except Exception as error:  # noqa: BLE001
        return refused(error)


if __name__ == "__main__":
    json.dump([replay(i, call) for i, call in enumerate(json.load(sys.stdin))], sys.stdout, default=str)
