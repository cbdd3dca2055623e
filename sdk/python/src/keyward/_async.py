"""The client for asyncio. scripts/generate.py makes the blocking client of this file."""

from __future__ import annotations

import asyncio
import ssl
from copy import copy
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Any, AsyncIterator, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar, Union

from . import _models as m
from ._async_http import AsyncStream, AsyncTransport
from ._call import (
    UNSET, Answer, Call, Repeat, Unset, base_of, head_of, item_error, new_idempotency_key, pause_before, raw_bytes, refusal_of,
    result_of, token_of, without_frames,
)
from ._decode import Model, each, obj, strings, value
from ._version import __version__
from .errors import KeywardError, ProtocolError, ReplayedWithoutValue
from .secret import Secret, secret_of

T = TypeVar("T")
M = TypeVar("M", bound=Model)
Token = Union[str, Secret]
Maybe = Union[T, Unset]
Limits = Mapping[str, Optional[int]]
Demand = Union[Sequence[str], Mapping[str, Sequence[str]]]


def _member(name: str, read: Callable[[Any], T]) -> Callable[[Any], T]:
    """_member reads the one member of a result."""
    return lambda result: value(result, name, read)


def _object(model: Type[M]) -> Callable[[Any], M]:
    return obj(model)


def _objects(model: Type[M]) -> Callable[[Any], List[M]]:
    return each(obj(model))


def _nothing(result: Any) -> None:
    del result


def _change(workspace_id: Optional[str], wait: bool) -> List[Tuple[str, Any]]:
    return [("workspaceId", workspace_id), ("wait", "all" if wait else None)]


class _Resource:
    def __init__(self, client: AsyncKeyward) -> None:
        self._client = client


class Keys(_Resource):
    """Keys are the API keys of a workspace."""

    async def create(
        self,
        *,
        name: str,
        user_id: str,
        workspace_id: Maybe[str] = UNSET,
        permissions: Maybe[Sequence[str]] = UNSET,
        environment: Maybe[str] = UNSET,
        expires_at: Maybe[Union[datetime, str, None]] = UNSET,
        rate_limit: Maybe[Optional[Limits]] = UNSET,
        allowed_ips: Maybe[Sequence[str]] = UNSET,
        description: Maybe[Optional[str]] = UNSET,
        metadata: Maybe[Mapping[str, Any]] = UNSET,
        idempotency_key: Optional[str] = None,
    ) -> m.RevealedApiKey:
        """create makes a key. The answer alone holds its value, as a Secret.

        Permissions left out are all that the creator holds; an empty list is none. rate_limit is
        {"requestsPerMinute": n, "requestsPerDay": n}. An idempotency key is made when none is given, so that a repeat after a broken
        connection makes no second key. Raises PermissionEscalation where more would be granted than caller and creator hold, and
        ReplayedWithoutValue where the value of an earlier call is not told again.
        """
        body = {
            "name": name, "userId": user_id, "workspaceId": workspace_id, "permissions": permissions, "environment": environment,
            "expiresAt": expires_at, "rateLimit": rate_limit, "allowedIps": allowed_ips, "description": description,
            "metadata": metadata,
        }
        headers = {"Idempotency-Key": idempotency_key or new_idempotency_key()}
        call = Call("createApiKey", "POST", ("api-keys",), _revealed(m.RevealedApiKey), body=body, headers=headers, repeat=Repeat.ALWAYS)
        return await self._client.call(call)

    async def list(
        self,
        *,
        workspace_id: Optional[str] = None,
        user_id: Optional[str] = None,
        is_active: Optional[bool] = None,
        status: Optional[str] = None,
        environment: Optional[str] = None,
        permission: Optional[str] = None,
        expiring_before: Optional[Union[datetime, str]] = None,
        unused_since: Optional[Union[datetime, str]] = None,
        tried_since: Optional[Union[datetime, str]] = None,
        search: Optional[str] = None,
        sort_by: Optional[str] = None,
        sort_order: Optional[str] = None,
        counts: Optional[bool] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
        filters: Optional[Mapping[str, Any]] = None,
    ) -> m.ApiKeys:
        """list gives one page of the keys that meet every condition, newest first unless sort_by says otherwise.

        status is active, expiring, expired or disabled; sort_by is createdAt, expiresAt, lastUsedAt or lastTriedAt; sort_order is asc or
        desc. With counts the page says how many keys there are of each status. filters holds further query parameters of listApiKeys by
        their names there.
        """
        query = [
            ("workspaceId", workspace_id), ("userId", user_id), ("isActive", is_active), ("status", status), ("environment", environment),
            ("permission", permission), ("expiringBefore", expiring_before), ("unusedSince", unused_since), ("triedSince", tried_since),
            ("search", search), ("sortBy", sort_by), ("sortOrder", sort_order), ("counts", counts), ("limit", limit), ("cursor", cursor),
            *(filters or {}).items(),
        ]
        return await self._client.call(
            Call("listApiKeys", "GET", ("api-keys",), _object(m.ApiKeys), query=query, repeat=Repeat.ALWAYS)
        )

    async def all(self, **options: Any) -> AsyncIterator[m.ApiKey]:
        """all yields every key of list, page after page."""
        while True:
            page = await self.list(**options)
            for item in page.api_keys:
                yield item
            if not page.pagination.has_next or not page.pagination.next_cursor:
                return
            options["cursor"] = page.pagination.next_cursor

    async def get(self, id: str, *, workspace_id: Optional[str] = None) -> m.ApiKey:
        """get gives a key. Raises NotFound."""
        query = [("workspaceId", workspace_id)]
        read = _member("apiKey", _object(m.ApiKey))
        return await self._client.call(Call("getApiKey", "GET", ("api-keys", id), read, query=query, repeat=Repeat.ALWAYS))

    async def self_key(self) -> m.ApiKey:
        """self_key gives the API key that calls. It costs no limit."""
        read = _member("apiKey", _object(m.ApiKey))
        return await self._client.call(Call("getSelf", "GET", ("api-keys", "self"), read, repeat=Repeat.ALWAYS))

    async def update(
        self, changes: Sequence[Mapping[str, Any]], *, workspace_id: Optional[str] = None, wait: bool = False
    ) -> m.UpdatedApiKeys:
        """update changes 1 to 100 keys. Each change is a mapping with id and the members to change, by their names in the API
        (isActive, expiresAt, rateLimit, …); None clears one. Items that were refused are in errors, the others are changed."""
        return await self._client.call(
            Call(
                "updateApiKeys", "PUT", ("api-keys",), _object(m.UpdatedApiKeys), query=_change(workspace_id, wait),
                body={"apiKeys": list(changes)}, repeat=Repeat.ALWAYS,
            )
        )

    async def disable(self, id: str, *, wait: bool = False) -> m.ApiKey:
        """disable stops a key. wait answers when every node has applied it. Raises the error of the item."""
        return await self._one(id, {"isActive": False}, wait)

    async def enable(self, id: str) -> m.ApiKey:
        """enable starts a disabled key again. Raises PermissionEscalation where the key may do what the caller may not."""
        return await self._one(id, {"isActive": True}, False)

    async def _one(self, id: str, change: Mapping[str, Any], wait: bool) -> m.ApiKey:
        answer = await self.update([{"id": id, **change}], wait=wait)
        if answer.errors:
            raise _item_error(answer.errors[0])
        return answer.updated[0]

    async def delete(self, id: str, *, workspace_id: Optional[str] = None, wait: bool = False) -> m.Stopped:
        """delete removes a key. wait answers when every node has applied it."""
        query = _change(workspace_id, wait)
        return await self._client.call(
            Call("deleteApiKey", "DELETE", ("api-keys", id), _object(m.Stopped), query=query, repeat=Repeat.ALWAYS)
        )

    async def delete_many(
        self, ids: Sequence[str], *, workspace_id: Optional[str] = None, wait: bool = False
    ) -> m.DeletedApiKeys:
        """delete_many removes 1 to 100 keys; ids that were refused are in errors."""
        return await self._client.call(
            Call(
                "deleteApiKeys", "DELETE", ("api-keys",), _object(m.DeletedApiKeys), query=_change(workspace_id, wait),
                body={"ids": list(ids)}, repeat=Repeat.ALWAYS,
            )
        )

    async def rotate(
        self, id: str, *, overlap_seconds: int = 0, workspace_id: Optional[str] = None, wait: bool = False,
        idempotency_key: Optional[str] = None,
    ) -> m.RotatedApiKey:
        """rotate gives a key a new value; the old one works until the overlap (0 to 604800 seconds) ends."""
        return await self._rotate("rotateApiKey", ("api-keys", id, "rotate"), overlap_seconds, workspace_id, wait, idempotency_key)

    async def rotate_self(
        self, *, overlap_seconds: int = 60, wait: bool = False, idempotency_key: Optional[str] = None
    ) -> m.RotatedApiKey:
        """rotate_self gives the calling key a new value. Without an overlap a lost answer would lose the key: hence 60 seconds."""
        path = ("api-keys", "self", "rotate")
        return await self._rotate("rotateSelf", path, overlap_seconds, None, wait, idempotency_key)

    async def _rotate(
        self, operation: str, path: Sequence[str], overlap: int, workspace_id: Optional[str], wait: bool, key: Optional[str]
    ) -> m.RotatedApiKey:
        headers = {"Idempotency-Key": key or new_idempotency_key()}
        return await self._client.call(
            Call(
                operation, "POST", path, _revealed(m.RotatedApiKey), query=_change(workspace_id, wait),
                body={"overlapSeconds": overlap}, headers=headers, repeat=Repeat.ALWAYS,
            )
        )

    async def import_keys(
        self, items: Sequence[Mapping[str, Any]], *, workspace_id: Maybe[str] = UNSET
    ) -> m.ImportedApiKeys:
        """import_keys takes over 1 to 1,000 keys by their digests, or makes them with generate: True. Each item is a mapping of the
        members of creation, by their names in the API, and sha256, digest or generate."""
        body = {"workspaceId": workspace_id, "apiKeys": list(items)}
        return await self._client.call(
            Call("importApiKeys", "POST", ("api-keys", "import"), _object(m.ImportedApiKeys), body=body)
        )

    async def explain(
        self,
        id: str,
        permissions: Optional[Demand] = None,
        *,
        environment: Optional[str] = None,
        workspace_id: Union[str, Sequence[str], None] = None,
        ip: Optional[str] = None,
        cost: Optional[int] = None,
    ) -> m.Explanation:
        """explain says step by step what a verification of a key would say and why. It takes nothing of the limits.

        The arguments are those of verify, with the key's id in the place of its value.
        """
        demand = permissions if isinstance(permissions, Mapping) else {"all": permissions or []}
        query = [
            ("permission", demand.get("all")), ("any", demand.get("any")), ("environment", environment), ("workspaceId", workspace_id),
            ("ip", ip), ("cost", cost),
        ]
        path = ("api-keys", id, "explain")
        return await self._client.call(
            Call("explainApiKey", "GET", path, _object(m.Explanation), query=query, repeat=Repeat.ALWAYS)
        )

    async def refusals(self, id: str, *, limit: Optional[int] = None, workspace_id: Optional[str] = None) -> List[m.ApiKeyRefusal]:
        """refusals lists the latest refusals of a key, the newest first: at most 200, of the last 7 days."""
        query = [("limit", limit), ("workspaceId", workspace_id)]
        read = _member("refusals", _objects(m.ApiKeyRefusal))
        path = ("api-keys", id, "refusals")
        return await self._client.call(Call("listApiKeyRefusals", "GET", path, read, query=query, repeat=Repeat.ALWAYS))

    async def limits(self, id: str, *, workspace_id: Optional[str] = None) -> m.KeyLimits:
        """limits says what is left of a key's limits and when it returns. It spends nothing of the key."""
        query, path = [("workspaceId", workspace_id)], ("api-keys", id, "limits")
        return await self._client.call(
            Call("getApiKeyLimits", "GET", path, _object(m.KeyLimits), query=query, repeat=Repeat.ALWAYS)
        )

    async def usage(
        self, id: str, *, granularity: Optional[str] = None, from_: Optional[datetime] = None, to: Optional[datetime] = None
    ) -> m.Usage:
        """usage counts the verifications of a key by minute, hour (the default) or day."""
        return await self._client.call(_usage("getApiKeyUsage", ("api-keys", id, "usage"), granularity, from_, to))

    async def permission_usage(self, id: str) -> m.KeyPermissions:
        """permission_usage says which permissions of a key were used in the last 30 days."""
        path = ("api-keys", id, "usage", "permissions")
        return await self._client.call(
            Call("getApiKeyPermissionUsage", "GET", path, _object(m.KeyPermissions), repeat=Repeat.ALWAYS)
        )


class Workspaces(_Resource):
    """Workspaces are the tenants of an installation."""

    async def create(
        self, *, name: str, owner: Maybe[Mapping[str, Any]] = UNSET, settings: Maybe[Mapping[str, Any]] = UNSET
    ) -> m.Workspace:
        """create makes a workspace. A service key names the owner: {"userId", "email", "displayName"?}."""
        body = {"name": name, "owner": owner, "settings": settings}
        read = _member("workspace", _object(m.Workspace))
        return await self._client.call(Call("createWorkspace", "POST", ("workspaces",), read, body=body))

    async def list(self, *, limit: Optional[int] = None, cursor: Optional[str] = None) -> m.Workspaces:
        """list gives one page of the workspaces that the caller is in."""
        query = [("limit", limit), ("cursor", cursor)]
        return await self._client.call(
            Call("listWorkspaces", "GET", ("workspaces",), _object(m.Workspaces), query=query, repeat=Repeat.ALWAYS)
        )

    async def all(self, **options: Any) -> AsyncIterator[m.Workspace]:
        """all yields every workspace of list, page after page."""
        while True:
            page = await self.list(**options)
            for item in page.workspaces:
                yield item
            if not page.pagination.has_next or not page.pagination.next_cursor:
                return
            options["cursor"] = page.pagination.next_cursor

    async def get(self, id: str, *, workspace_id: Optional[str] = None) -> m.Workspace:
        """get gives a workspace. Raises NotFound, also where workspace_id is another one."""
        read = _member("workspace", _object(m.Workspace))
        query = [("workspaceId", workspace_id)]
        return await self._client.call(Call("getWorkspace", "GET", ("workspaces", id), read, query=query, repeat=Repeat.ALWAYS))

    async def update(
        self, id: str, *, name: Maybe[str] = UNSET, is_active: Maybe[bool] = UNSET, settings: Maybe[Mapping[str, Any]] = UNSET,
        workspace_id: Optional[str] = None, wait: bool = False,
    ) -> m.UpdatedWorkspace:
        """update changes a workspace. One that is not active verifies no key."""
        body = {"name": name, "isActive": is_active, "settings": settings}
        return await self._client.call(
            Call(
                "updateWorkspace", "PATCH", ("workspaces", id), _object(m.UpdatedWorkspace), query=_change(workspace_id, wait),
                body=body, repeat=Repeat.REFUSED,
            )
        )

    async def delete(self, id: str, *, workspace_id: Optional[str] = None, wait: bool = False) -> m.Stopped:
        """delete removes a workspace and everything in it."""
        query = _change(workspace_id, wait)
        return await self._client.call(
            Call("deleteWorkspace", "DELETE", ("workspaces", id), _object(m.Stopped), query=query, repeat=Repeat.ALWAYS)
        )

    async def put_plan(self, id: str, plan: Mapping[str, Any]) -> m.Workspace:
        """put_plan replaces the plan (requestsPerMinute, maxKeys, …); None or an absent member is no limit and no quota."""
        read = _member("workspace", _object(m.Workspace))
        return await self._client.call(
            Call("putPlan", "PUT", ("workspaces", id, "plan"), read, body=dict(plan), repeat=Repeat.ALWAYS)
        )

    async def refusals(self, id: str, *, limit: Optional[int] = None) -> List[m.Refusal]:
        """refusals lists the latest refusals of all keys of a workspace, each with its key."""
        read = _member("refusals", _objects(m.Refusal))
        path = ("workspaces", id, "refusals")
        return await self._client.call(Call("listRefusals", "GET", path, read, query=[("limit", limit)], repeat=Repeat.ALWAYS))

    async def limits(self, id: str) -> m.KeyLimits:
        """limits says what is left of the limits that all keys of a workspace share, and when it returns."""
        path, read = ("workspaces", id, "limits"), _object(m.KeyLimits)
        return await self._client.call(Call("getWorkspaceLimits", "GET", path, read, repeat=Repeat.ALWAYS))

    async def usage(
        self, id: str, *, granularity: Optional[str] = None, from_: Optional[datetime] = None, to: Optional[datetime] = None
    ) -> m.Usage:
        """usage counts the verifications of all keys of a workspace."""
        return await self._client.call(_usage("getWorkspaceUsage", ("workspaces", id, "usage"), granularity, from_, to))

    async def permission_usage(
        self, id: str, *, from_: Optional[datetime] = None, to: Optional[datetime] = None
    ) -> m.PermissionUsages:
        """permission_usage counts what was demanded of the keys of a workspace, by permission."""
        path = ("workspaces", id, "usage", "permissions")
        query = [("from", from_), ("to", to)]
        read = _object(m.PermissionUsages)
        return await self._client.call(
            Call("getWorkspacePermissionUsage", "GET", path, read, query=query, repeat=Repeat.ALWAYS)
        )


class Members(_Resource):
    """Members are the people of a workspace."""

    async def list(self, workspace_id: str, *, limit: Optional[int] = None, cursor: Optional[str] = None) -> m.Members:
        """list gives one page of members."""
        query = [("limit", limit), ("cursor", cursor)]
        path = ("workspaces", workspace_id, "members")
        return await self._client.call(
            Call("listMembers", "GET", path, _object(m.Members), query=query, repeat=Repeat.ALWAYS)
        )

    async def all(self, workspace_id: str, **options: Any) -> AsyncIterator[m.Member]:
        """all yields every member of list, page after page."""
        while True:
            page = await self.list(workspace_id, **options)
            for item in page.members:
                yield item
            if not page.pagination.has_next or not page.pagination.next_cursor:
                return
            options["cursor"] = page.pagination.next_cursor

    async def get(self, workspace_id: str, user_id: str) -> m.Member:
        """get gives a member. Raises NotFound."""
        path = ("workspaces", workspace_id, "members", user_id)
        read = _member("member", _object(m.Member))
        return await self._client.call(Call("getMember", "GET", path, read, repeat=Repeat.ALWAYS))

    async def put(
        self, workspace_id: str, user_id: str, *, email: str, role_id: str, display_name: Maybe[Optional[str]] = UNSET
    ) -> m.Member:
        """put adds a member, or changes the one who is there."""
        path = ("workspaces", workspace_id, "members", user_id)
        body = {"email": email, "roleId": role_id, "displayName": display_name}
        read = _member("member", _object(m.Member))
        return await self._client.call(Call("putMember", "PUT", path, read, body=body, repeat=Repeat.ALWAYS))

    async def invite(self, workspace_id: str, user_id: str) -> m.Invitation:
        """invite makes a one-time link by which a member registers a passkey. Raises Conflict, PermissionEscalation."""
        path = ("workspaces", workspace_id, "members", user_id, "invitation")
        read = _member("invitation", _object(m.Invitation))
        return await self._client.call(Call("inviteMember", "POST", path, read, body={}))

    async def reset_sign_in(self, workspace_id: str, user_id: str) -> m.SignInReset:
        """reset_sign_in ends the passkeys and sessions that a member has in the workspace, and makes an invitation."""
        path = ("workspaces", workspace_id, "members", user_id, "sign-in-reset")
        return await self._client.call(Call("resetSignIn", "POST", path, _object(m.SignInReset), body={}))

    async def update(
        self, workspace_id: str, user_id: str, *, role_id: Maybe[str] = UNSET, email: Maybe[str] = UNSET,
        display_name: Maybe[Optional[str]] = UNSET,
    ) -> m.Member:
        """update changes a member's role, email or display name."""
        path = ("workspaces", workspace_id, "members", user_id)
        body = {"roleId": role_id, "email": email, "displayName": display_name}
        read = _member("member", _object(m.Member))
        return await self._client.call(Call("updateMember", "PATCH", path, read, body=body, repeat=Repeat.REFUSED))

    async def remove(
        self, workspace_id: str, user_id: str, *, keys: Optional[str] = None, reason: Optional[str] = None,
        dry_run: bool = False, wait: bool = False, overrides: Optional[Mapping[str, str]] = None,
    ) -> m.RemovedMember:
        """remove removes a member. keys is "stop" (the default), "keep" or "transfer:USER"; overrides chooses otherwise for single
        keys, by their ids. After the reason "leaked" it cannot be undone. dry_run changes nothing and says what would happen."""
        path = ("workspaces", workspace_id, "members", user_id)
        body = {"overrides": [{"id": id, "keys": to} for id, to in overrides.items()]} if overrides else None
        query = [("keys", keys), ("reason", reason), ("dryRun", True if dry_run else None), ("wait", "all" if wait else None)]
        return await self._client.call(
            Call("removeMember", "DELETE", path, _object(m.RemovedMember), query=query, body=body, repeat=Repeat.ALWAYS)
        )

    async def restore(self, workspace_id: str, user_id: str, removal_id: str) -> m.RestoredMember:
        """restore undoes a removal within ten minutes, as a whole or not at all."""
        path = ("workspaces", workspace_id, "members", user_id, "restore")
        body = {"removalId": removal_id}
        return await self._client.call(Call("restoreMember", "POST", path, _object(m.RestoredMember), body=body))


class Roles(_Resource):
    """Roles are sets of permissions that members have."""

    async def create(
        self, workspace_id: str, *, name: str, permissions: Sequence[str], description: Maybe[Optional[str]] = UNSET
    ) -> m.Role:
        """create makes a role. Raises PermissionEscalation where it would hold more than the caller."""
        body = {"name": name, "permissions": list(permissions), "description": description}
        read = _member("role", _object(m.Role))
        return await self._client.call(Call("createRole", "POST", ("workspaces", workspace_id, "roles"), read, body=body))

    async def list(self, workspace_id: str, *, limit: Optional[int] = None, cursor: Optional[str] = None) -> m.Roles:
        """list gives one page of roles."""
        query = [("limit", limit), ("cursor", cursor)]
        path = ("workspaces", workspace_id, "roles")
        return await self._client.call(Call("listRoles", "GET", path, _object(m.Roles), query=query, repeat=Repeat.ALWAYS))

    async def all(self, workspace_id: str, **options: Any) -> AsyncIterator[m.Role]:
        """all yields every role of list, page after page."""
        while True:
            page = await self.list(workspace_id, **options)
            for item in page.roles:
                yield item
            if not page.pagination.has_next or not page.pagination.next_cursor:
                return
            options["cursor"] = page.pagination.next_cursor

    async def get(self, workspace_id: str, role_id: str) -> m.Role:
        """get gives a role. Raises NotFound."""
        read = _member("role", _object(m.Role))
        path = ("workspaces", workspace_id, "roles", role_id)
        return await self._client.call(Call("getRole", "GET", path, read, repeat=Repeat.ALWAYS))

    async def update(
        self, workspace_id: str, role_id: str, *, name: Maybe[str] = UNSET, permissions: Maybe[Sequence[str]] = UNSET,
        description: Maybe[Optional[str]] = UNSET,
    ) -> m.Role:
        """update changes a role of one's own; system roles cannot be changed (Conflict)."""
        body = {"name": name, "permissions": permissions, "description": description}
        read = _member("role", _object(m.Role))
        path = ("workspaces", workspace_id, "roles", role_id)
        return await self._client.call(Call("updateRole", "PATCH", path, read, body=body, repeat=Repeat.REFUSED))

    async def delete(self, workspace_id: str, role_id: str) -> List[str]:
        """delete removes a role that no member holds (else Conflict), and gives its id."""
        path = ("workspaces", workspace_id, "roles", role_id)
        return await self._client.call(Call("deleteRole", "DELETE", path, _ids("deleted"), repeat=Repeat.ALWAYS))


class ServiceKeys(_Resource):
    """ServiceKeys are the operators' credentials."""

    async def create(
        self, *, name: str, scopes: Sequence[str], workspace_ids: Maybe[Optional[Sequence[str]]] = UNSET,
        environments: Maybe[Optional[Sequence[str]]] = UNSET, allowed_ips: Maybe[Optional[Sequence[str]]] = UNSET,
        expires_at: Maybe[Union[datetime, str, None]] = UNSET, follower_modes: Maybe[Sequence[str]] = UNSET,
    ) -> m.RevealedServiceKey:
        """create makes a service key that reaches no further than the calling one. The answer alone holds its value."""
        body = {
            "name": name, "scopes": list(scopes), "workspaceIds": workspace_ids, "environments": environments,
            "allowedIps": allowed_ips, "expiresAt": expires_at, "followerModes": follower_modes,
        }
        return await self._client.call(
            Call("createServiceKey", "POST", ("service-keys",), _object(m.RevealedServiceKey), body=body)
        )

    async def list(self, *, limit: Optional[int] = None, cursor: Optional[str] = None) -> m.ServiceKeys:
        """list gives one page of service keys."""
        query = [("limit", limit), ("cursor", cursor)]
        return await self._client.call(
            Call("listServiceKeys", "GET", ("service-keys",), _object(m.ServiceKeys), query=query, repeat=Repeat.ALWAYS)
        )

    async def delete(self, id: str, *, wait: bool = False) -> m.Stopped:
        """delete removes a service key."""
        query = [("wait", "all" if wait else None)]
        return await self._client.call(
            Call("deleteServiceKey", "DELETE", ("service-keys", id), _object(m.Stopped), query=query, repeat=Repeat.ALWAYS)
        )


class Sessions(_Resource):
    """Sessions are the sign-ins of people to the dashboard."""

    async def create_link(
        self, *, user_id: Maybe[str] = UNSET, workspace_id: Maybe[str] = UNSET, root: Maybe[bool] = UNSET
    ) -> m.SignInLink:
        """create_link makes a one-time link that signs a member in."""
        body = {"userId": user_id, "workspaceId": workspace_id, "root": root}
        read = _member("signInLink", _object(m.SignInLink))
        return await self._client.call(Call("createSignInLink", "POST", ("sign-in-links",), read, body=body))

    async def start(self, code: Token) -> m.StartedSession:
        """start spends a link's code and gives a session's token."""
        code = secret_of(code)
        body = {"code": code}
        return await self._client.call(Call("startSession", "POST", ("sessions",), _object(m.StartedSession), body=body))

    async def list(
        self, *, workspace_id: Optional[str] = None, user_id: Optional[str] = None, limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> m.Sessions:
        """list gives one page of sessions."""
        query = [("workspaceId", workspace_id), ("userId", user_id), ("limit", limit), ("cursor", cursor)]
        return await self._client.call(
            Call("listSessions", "GET", ("sessions",), _object(m.Sessions), query=query, repeat=Repeat.ALWAYS)
        )

    async def end(self, id: str) -> List[str]:
        """end ends a session, and gives its id."""
        return await self._client.call(
            Call("endSession", "DELETE", ("sessions", id), _ids("deleted"), repeat=Repeat.ALWAYS)
        )

    async def end_all(self, user_id: Optional[str] = None) -> List[str]:
        """end_all ends the sessions of a user, or the caller's own, and gives their ids."""
        query = [("userId", user_id)]
        return await self._client.call(
            Call("endSessions", "DELETE", ("sessions",), _ids("deleted"), query=query, repeat=Repeat.ALWAYS)
        )


class KeyRequests(_Resource):
    """KeyRequests ask for keys that a signed-in member confirms, for programs that are not to hold a value."""

    async def create(
        self,
        *,
        name: str,
        user_id: str,
        workspace_id: Maybe[str] = UNSET,
        permissions: Maybe[Sequence[str]] = UNSET,
        environment: Maybe[str] = UNSET,
        expires_at: Maybe[Union[datetime, str, None]] = UNSET,
        rate_limit: Maybe[Optional[Limits]] = UNSET,
        allowed_ips: Maybe[Sequence[str]] = UNSET,
        description: Maybe[Optional[str]] = UNSET,
        metadata: Maybe[Mapping[str, Any]] = UNSET,
    ) -> m.KeyRequest:
        """create asks for a key. A member who may make it confirms at url within 15 minutes, and alone sees the value."""
        body = {
            "name": name, "userId": user_id, "workspaceId": workspace_id, "permissions": permissions, "environment": environment,
            "expiresAt": expires_at, "rateLimit": rate_limit, "allowedIps": allowed_ips, "description": description,
            "metadata": metadata,
        }
        read = _member("keyRequest", _object(m.KeyRequest))
        return await self._client.call(Call("requestApiKey", "POST", ("key-requests",), read, body=body))

    async def rotation(self, id: str, *, overlap_seconds: int = 0) -> m.KeyRequest:
        """rotation asks for a new value of a key; the present one works for the overlap after the confirmation."""
        path, read = ("api-keys", id, "key-requests"), _member("keyRequest", _object(m.KeyRequest))
        return await self._client.call(Call("requestApiKeyRotation", "POST", path, read, body={"overlapSeconds": overlap_seconds}))

    async def list(
        self, *, workspace_id: Optional[str] = None, limit: Optional[int] = None, cursor: Optional[str] = None
    ) -> m.KeyRequests:
        """list gives one page of the requests that wait: the caller's own, and with api-keys:manage-others all."""
        query = [("workspaceId", workspace_id), ("limit", limit), ("cursor", cursor)]
        return await self._client.call(
            Call("listKeyRequests", "GET", ("key-requests",), _object(m.KeyRequests), query=query, repeat=Repeat.ALWAYS)
        )

    async def get(self, id: str) -> m.KeyRequest:
        """get gives a request, for an hour after its end, too."""
        read = _member("keyRequest", _object(m.KeyRequest))
        return await self._client.call(Call("getKeyRequest", "GET", ("key-requests", id), read, repeat=Repeat.ALWAYS))

    async def decline(self, id: str) -> List[str]:
        """decline ends a request without a value."""
        return await self._client.call(Call("declineKeyRequest", "DELETE", ("key-requests", id), _ids("deleted")))


class Webhooks(_Resource):
    """Webhooks are URLs to which signed notices are sent. keyward.verify_webhook checks one where it arrives."""

    async def create(
        self, *, url: str, workspace_id: Maybe[str] = UNSET, events: Maybe[Sequence[str]] = UNSET,
        description: Maybe[Optional[str]] = UNSET,
    ) -> m.RevealedWebhook:
        """create makes a webhook. Its secret is in this answer alone."""
        body = {"url": url, "workspaceId": workspace_id, "events": events, "description": description}
        return await self._client.call(Call("createWebhook", "POST", ("webhooks",), _object(m.RevealedWebhook), body=body))

    async def list(
        self, *, workspace_id: Optional[str] = None, limit: Optional[int] = None, cursor: Optional[str] = None,
    ) -> m.Webhooks:
        """list gives one page of webhooks."""
        query = [("workspaceId", workspace_id), ("limit", limit), ("cursor", cursor)]
        return await self._client.call(
            Call("listWebhooks", "GET", ("webhooks",), _object(m.Webhooks), query=query, repeat=Repeat.ALWAYS)
        )

    async def get(self, id: str) -> m.Webhook:
        """get gives a webhook, without its secret."""
        read = _member("webhook", _object(m.Webhook))
        return await self._client.call(Call("getWebhook", "GET", ("webhooks", id), read, repeat=Repeat.ALWAYS))

    async def update(
        self, id: str, *, url: Maybe[str] = UNSET, events: Maybe[Sequence[str]] = UNSET,
        description: Maybe[Optional[str]] = UNSET, is_active: Maybe[bool] = UNSET,
    ) -> Union[m.Webhook, m.UnseenWebhookWebhook]:
        """update changes the given fields. One that is switched on again is told of what happens from then on. A caller without
        integrations:read may only switch off, and is answered with an UnseenWebhookWebhook.
        """
        body = {"url": url, "events": events, "description": description, "isActive": is_active}
        read = _member("webhook", _webhook)
        return await self._client.call(Call("updateWebhook", "PATCH", ("webhooks", id), read, body=body))

    async def delete(self, id: str) -> List[str]:
        """delete takes a webhook away, with what waits for it."""
        return await self._client.call(Call("deleteWebhook", "DELETE", ("webhooks", id), _ids("deleted")))

    async def rotate_secret(self, id: str, *, overlap_seconds: int = 86400) -> m.RevealedWebhook:
        """rotate_secret gives a new secret, in this answer alone. The former one signs, too, for the overlap."""
        path, body = ("webhooks", id, "rotate-secret"), {"overlapSeconds": overlap_seconds}
        return await self._client.call(Call("rotateWebhookSecret", "POST", path, _object(m.RevealedWebhook), body=body))

    async def test(self, id: str) -> m.Delivery:
        """test queues a notice of the type webhook.test."""
        read = _member("delivery", _object(m.Delivery))
        return await self._client.call(Call("testWebhook", "POST", ("webhooks", id, "test"), read))

    async def deliveries(
        self, id: str, *, status: Optional[str] = None, limit: Optional[int] = None, cursor: Optional[str] = None,
    ) -> m.Deliveries:
        """deliveries gives one page of the deliveries of a webhook; status is pending, delivered or failed."""
        path, query = ("webhooks", id, "deliveries"), [("status", status), ("limit", limit), ("cursor", cursor)]
        return await self._client.call(
            Call("listWebhookDeliveries", "GET", path, _object(m.Deliveries), query=query, repeat=Repeat.ALWAYS)
        )

    async def replay(self, id: str, delivery_id: str) -> m.Delivery:
        """replay queues the notice of a delivery that has ended once more, with the same id and body."""
        path, read = ("webhooks", id, "deliveries", delivery_id, "replay"), _member("delivery", _object(m.Delivery))
        return await self._client.call(Call("replayWebhookDelivery", "POST", path, read))


class PortalSessions(_Resource):
    """PortalSessions let a page of the platform act as a member for a while."""

    async def create(
        self, *, workspace_id: Maybe[str] = UNSET, user_id: Maybe[str] = UNSET, capabilities: Sequence[str],
        allowed_origins: Sequence[str], create_member: Maybe[Mapping[str, Any]] = UNSET,
        ceiling: Maybe[Mapping[str, Any]] = UNSET, reveal: Maybe[str] = UNSET, locale: Maybe[str] = UNSET,
        theme: Maybe[str] = UNSET, return_url: Maybe[str] = UNSET, label: Maybe[str] = UNSET,
        expires_in_seconds: Maybe[int] = UNSET,
    ) -> m.CreatedPortalSession:
        """create makes a portal session. Its client_secret is for the user's browser, once and within five minutes.

        create_member and ceiling are mappings with the names of the API: {"email": ..., "roleId": ...} and {"maxKeys": 5}.
        """
        body = {
            "workspaceId": workspace_id, "userId": user_id, "capabilities": list(capabilities), "allowedOrigins": list(allowed_origins),
            "createMember": create_member, "ceiling": ceiling, "reveal": reveal, "locale": locale, "theme": theme,
            "returnUrl": return_url, "label": label, "expiresInSeconds": expires_in_seconds,
        }
        read = _object(m.CreatedPortalSession)
        return await self._client.call(Call("createPortalSession", "POST", ("portal-sessions",), read, body=body))

    async def get(self, id: str) -> m.PortalSession:
        """get gives a portal session that goes on."""
        read = _member("portalSession", _object(m.PortalSession))
        return await self._client.call(Call("getPortalSession", "GET", ("portal-sessions", id), read, repeat=Repeat.ALWAYS))

    async def list(
        self, *, workspace_id: Optional[str] = None, user_id: Optional[str] = None, limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> m.PortalSessions:
        """list gives one page of the portal sessions that go on."""
        query = [("workspaceId", workspace_id), ("userId", user_id), ("limit", limit), ("cursor", cursor)]
        return await self._client.call(
            Call("listPortalSessions", "GET", ("portal-sessions",), _object(m.PortalSessions), query=query, repeat=Repeat.ALWAYS)
        )

    async def end(self, id: str, *, wait: bool = False) -> m.EndedPortalSessions:
        """end ends a portal session with its token at once."""
        read, query = _object(m.EndedPortalSessions), [("wait", "all" if wait else None)]
        return await self._client.call(
            Call("endPortalSession", "DELETE", ("portal-sessions", id), read, query=query, repeat=Repeat.ALWAYS)
        )

    async def end_all(self, user_id: Optional[str] = None, *, wait: bool = False) -> m.EndedPortalSessions:
        """end_all ends those of a user, or the caller's own: a platform calls it as the user signs out."""
        read, query = _object(m.EndedPortalSessions), [("userId", user_id), ("wait", "all" if wait else None)]
        return await self._client.call(
            Call("endPortalSessions", "DELETE", ("portal-sessions",), read, query=query, repeat=Repeat.ALWAYS)
        )

    async def exchange(self, client_secret: Token, proof: str) -> m.StartedPortalSession:
        """exchange gives a token for a client secret, once. proof is a proof of possession (RFC 9449). Browsers do this themselves."""
        client_secret = secret_of(client_secret)
        body = {"clientSecret": client_secret}
        path, read = ("portal-sessions", "exchange"), _object(m.StartedPortalSession)
        return await self._client.call(Call("exchangePortalSession", "POST", path, read, body=body, headers={"DPoP": proof}))

    async def renew(self, id: str, proof: str) -> m.StartedPortalSession:
        """renew gives another token to the key that the session is bound to."""
        path, read = ("portal-sessions", id, "renew"), _object(m.StartedPortalSession)
        return await self._client.call(Call("renewPortalSession", "POST", path, read, body={}, headers={"DPoP": proof}))


class Logs(_Resource):
    """Logs are the events of a workspace: who changed what, and when."""

    async def list(
        self, *, workspace_id: Optional[str] = None, limit: Optional[int] = None, offset: Optional[int] = None,
        cursor: Optional[str] = None, search: Optional[str] = None, event_type: Optional[str] = None,
        actor_id: Optional[str] = None, sort_order: Optional[str] = None, from_: Optional[datetime] = None,
        to: Optional[datetime] = None,
    ) -> m.Logs:
        """list gives one page. A page of a search may be empty with has_next true: go on with its cursor."""
        query = [
            ("workspaceId", workspace_id), ("limit", limit), ("offset", offset), ("cursor", cursor), ("search", search),
            ("eventType", event_type), ("actorId", actor_id), ("sortOrder", sort_order), ("from", from_), ("to", to),
        ]
        return await self._client.call(
            Call("listLogs", "GET", ("workspaces", "logs"), _object(m.Logs), query=query, repeat=Repeat.ALWAYS)
        )

    async def all(self, **options: Any) -> AsyncIterator[m.Log]:
        """all yields every event of list, page after page."""
        while True:
            page = await self.list(**options)
            for item in page.logs:
                yield item
            if not page.pagination.has_next or not page.pagination.next_cursor:
                return
            options.pop("offset", None)
            options["cursor"] = page.pagination.next_cursor

    async def export(
        self, format: str, *, workspace_id: Optional[str] = None, limit: Optional[int] = None, offset: Optional[int] = None,
        cursor: Optional[str] = None, search: Optional[str] = None, event_type: Optional[str] = None,
        actor_id: Optional[str] = None, sort_order: Optional[str] = None, from_: Optional[datetime] = None,
        to: Optional[datetime] = None,
    ) -> AsyncStream:
        """export streams the events of list as "csv" or "ndjson", all of them unless limit says otherwise. Read it to the end, or
        close it."""
        query = [
            ("workspaceId", workspace_id), ("limit", limit), ("offset", offset), ("cursor", cursor), ("search", search),
            ("eventType", event_type), ("actorId", actor_id), ("sortOrder", sort_order), ("from", from_), ("to", to),
            ("format", format),
        ]
        accept = {"Accept": "*/*"}
        return await self._client.open(Call("listLogs", "GET", ("workspaces", "logs"), raw_bytes, query=query, headers=accept))


class OAuth(_Resource):
    """OAuth asks and revokes in the words of RFC 7662 and RFC 7009."""

    async def introspect(
        self, token: Token, *, ip: Optional[str] = None, environment: Optional[str] = None,
        workspace_id: Union[str, Sequence[str], None] = None,
    ) -> Dict[str, Any]:
        """introspect gives the members of RFC 7662; {"active": False} tells nothing more."""
        token = secret_of(token)
        form = _form(token, environment, workspace_id)
        if ip is not None:
            form.append(("ip", ip))
        return await self._client.call(
            Call("introspectToken", "POST", ("oauth2", "introspect"), dict, form=form, bare=True, repeat=Repeat.REFUSED)
        )

    async def revoke(
        self, token: Token, *, environment: Optional[str] = None, workspace_id: Union[str, Sequence[str], None] = None
    ) -> None:
        """revoke takes a key away by its value. An unknown value, or one of another environment or workspace than is given, is no
        error (RFC 7009, section 2.2)."""
        token = secret_of(token)
        form = _form(token, environment, workspace_id)
        await self._client.call(
            Call("revokeToken", "POST", ("oauth2", "revoke"), _nothing, form=form, bare=True, repeat=Repeat.ALWAYS)
        )


class Feed(_Resource):
    """Feed is what a follower reads, borrows and reports, by a service key with the scope follow. Bodies are those of the OpenAPI
    document. `keyward follow` is a whole follower.
    """

    async def snapshot(
        self, *, nonce: Optional[str] = None, fields: Optional[str] = None, name: Optional[str] = None,
        version: Optional[str] = None, incarnation: Optional[str] = None, count: Optional[int] = None,
        max_staleness_ms: Optional[int] = None, age_ms: Optional[int] = None, fenced: Optional[bool] = None,
        leaving: Optional[bool] = None, followers: Optional[int] = None, below: Optional[int] = None,
    ) -> AsyncStream:
        """snapshot streams everything that a follower needs, as JSON lines, the cursor on the last. Read it to the end, or close it."""
        query = _presence(
            nonce, fields, name, version, incarnation, count, max_staleness_ms, age_ms, fenced, leaving, followers, below
        )
        accept = {"Accept": "*/*"}
        return await self._client.open(
            Call("readFeedSnapshot", "GET", ("feed", "snapshot"), raw_bytes, query=query, headers=accept)
        )

    async def read(
        self, after: Optional[str] = None, *, wait: Optional[float] = None, reporting: Optional[bool] = None,
        nonce: Optional[str] = None, fields: Optional[str] = None, name: Optional[str] = None,
        version: Optional[str] = None, incarnation: Optional[str] = None, count: Optional[int] = None,
        max_staleness_ms: Optional[int] = None, age_ms: Optional[int] = None, fenced: Optional[bool] = None,
        leaving: Optional[bool] = None, followers: Optional[int] = None, below: Optional[int] = None,
    ) -> AsyncStream:
        """read streams the changes after a cursor, as JSON lines: they count once the last line is there, the next cursor. Conflict says
        to load a snapshot.
        """
        query = _presence(
            nonce, fields, name, version, incarnation, count, max_staleness_ms, age_ms, fenced, leaving, followers, below
        )
        query += [("after", after), ("wait", wait), ("reporting", reporting)]
        accept = {"Accept": "*/*"}
        return await self._client.open(Call("readFeed", "GET", ("feed",), raw_bytes, query=query, headers=accept))

    async def lease_minutes(self, incarnation: str, leases: Sequence[Mapping[str, Any]]) -> m.Leases:
        """lease_minutes takes units of limits per minute. A number that comes again gets its first answer."""
        body = {"incarnation": incarnation, "leases": list(leases)}
        return await self._client.call(Call("leaseMinutes", "POST", ("feed", "leases"), _object(m.Leases), body=body))

    async def reserve_days(self, incarnation: str, number: int, claims: Sequence[Mapping[str, Any]]) -> List[m.DaysClaims]:
        """reserve_days reserves units of limits per day, and gives some back. A batch that comes again is done once."""
        body = {"incarnation": incarnation, "number": number, "claims": list(claims)}
        read = _member("claims", _objects(m.DaysClaims))
        return await self._client.call(Call("reserveDays", "POST", ("feed", "days"), read, body=body))

    async def report_uses(
        self, incarnation: str, number: int, *, uses: Sequence[Mapping[str, Any]] = (), lost: int = 0,
        previous: Sequence[Mapping[str, Any]] = (), refusals: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """report_uses tells what a follower has counted. A batch that comes again is done once."""
        body = {"incarnation": incarnation, "number": number, "lost": lost, "uses": list(uses), "previous": list(previous),
                "refusals": list(refusals)}
        await self._client.call(Call("reportUses", "POST", ("feed", "usage"), _nothing, body=body))


def _presence(
    nonce: Optional[str], fields: Optional[str], name: Optional[str], version: Optional[str], incarnation: Optional[str],
    count: Optional[int], max_staleness_ms: Optional[int], age_ms: Optional[int], fenced: Optional[bool], leaving: Optional[bool],
    followers: Optional[int], below: Optional[int],
) -> List[Tuple[str, Any]]:
    """_presence is what a follower says of itself."""
    return [
        ("nonce", nonce), ("fields", fields), ("name", name), ("version", version), ("incarnation", incarnation), ("count", count),
        ("maxStalenessMs", max_staleness_ms), ("ageMs", age_ms), ("fenced", fenced), ("leaving", leaving),
        ("followers", followers), ("below", below),
    ]


class AsyncKeyward:
    """AsyncKeyward calls one Keyward server. Close it, or use it as a context manager.

    url: https://keys.example.com, http://127.0.0.1:8080 or unix:/run/keyward.sock. token: a service key, an API key or a person's
    token. timeout: seconds for one attempt. retries: further attempts after 429, 503 and broken connections, where repeating is
    safe. tls: an ssl.SSLContext for a private authority.
    """

    def __init__(
        self, url: str, token: Optional[Token] = None, *, timeout: float = 30.0, retries: int = 3,
        tls: Optional[ssl.SSLContext] = None, user_agent: str = "",
    ) -> None:
        if retries < 0:
            raise KeywardError("retries is negative")
        self._base = base_of(url)
        self._token = token_of(token)
        self._retries = retries
        self._agent = (user_agent + " " if user_agent else "") + f"keyward-python/{__version__}"
        self._transport = AsyncTransport(self._base, timeout, tls)
        self._within: Optional[str] = None
        self._make_resources()

    def _make_resources(self) -> None:
        self.keys = Keys(self)
        self.workspaces = Workspaces(self)
        self.members = Members(self)
        self.roles = Roles(self)
        self.service_keys = ServiceKeys(self)
        self.sessions = Sessions(self)
        self.key_requests = KeyRequests(self)
        self.portal_sessions = PortalSessions(self)
        self.webhooks = Webhooks(self)
        self.logs = Logs(self)
        self.oauth = OAuth(self)
        self.feed = Feed(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._base.authority}>"

    def within(self, workspace_id: str) -> AsyncKeyward:
        """within gives a client of the same connections and token whose every call is about one workspace.

        An object of another workspace is not found (NotFound), and a verification demands a key of it. Calls that belong to no
        workspace are refused (InvalidRequest). Closing one of the two clients closes both.
        """
        confined = copy(self)
        confined._within = workspace_id
        confined._make_resources()
        return confined

    def _demanded(self, named: Union[str, Sequence[str], None]) -> Union[str, Sequence[str], None]:
        """_demanded narrows the workspaces that a call names to the client's own."""
        if self._within is None:
            return named
        if named is not None and self._within not in ([named] if isinstance(named, str) else list(named)):
            raise KeywardError(f"the call is about another workspace than {self._within}")
        return self._within

    def _confined(self, call: Call[T]) -> Call[T]:
        """_confined adds the client's workspace to a call."""
        if self._within is None or call.root or call.question:
            return call
        pairs = list(call.query if call.form is None else call.form)
        named = [id for name, v in pairs if name == "workspaceId" and v is not None for id in ([v] if isinstance(v, str) else v)]
        own = ("workspaceId", self._demanded(named or None))
        pairs = [(name, v) for name, v in pairs if name != "workspaceId"] + [own]
        return replace(call, query=pairs) if call.form is None else replace(call, form=pairs)

    async def __aenter__(self) -> AsyncKeyward:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """close ends the kept connections. Calls afterwards raise ConnectionFailed."""
        await self._transport.close()

    async def verify(
        self,
        key: Token,
        permissions: Optional[Demand] = None,
        *,
        environment: Optional[str] = None,
        workspace_id: Union[str, Sequence[str], None] = None,
        ip: Optional[str] = None,
        cost: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> m.Verdict:
        """verify asks whether a key is good for a request. permissions is a list (all of them) or {"all": [...], "any": [...]}.

        Demand the environment: without it a test key is VALID. cost (0 to 1,000, default 1) counts against the key's limits. timeout:
        seconds for all attempts together.
        """
        key = secret_of(key)
        body = verification(key, permissions, environment, self._demanded(workspace_id), ip, cost)
        return await self.call(
            Call(
                "verifyApiKey", "POST", ("api-keys", "verify"), _verdict, body=body, question=True, repeat=Repeat.REFUSED,
                within=timeout,
            )
        )

    async def verify_batch(self, items: Iterable[Mapping[str, Any]]) -> List[m.Verdict]:
        """verify_batch asks 1 to 1,000 questions: mappings with the arguments of verify, such as
        {"key": k, "permissions": [...], "environment": "live"}. The code UNAVAILABLE says that one item could not be judged."""
        questions: List[Dict[str, Any]] = [{**item, "workspace_id": self._demanded(item.get("workspace_id"))} for item in items]
        body = {"items": [verification(**item) for item in questions]}
        read = _member("results", _verdicts(len(questions)))
        return await self.call(
            Call(
                "verifyApiKeys", "POST", ("api-keys", "verify-batch"), read, body=body, question=True, repeat=Repeat.REFUSED
            )
        )

    async def me(self, *, workspace_id: Optional[str] = None) -> m.Me:
        """me says who calls: user, workspaces, role, permissions, and what may be granted."""
        query = [("workspaceId", workspace_id)]
        return await self.call(Call("getMe", "GET", ("me",), _object(m.Me), query=query, repeat=Repeat.ALWAYS))

    async def permissions(self) -> List[m.PermissionEntry]:
        """permissions gives the catalogue, in its order."""
        read = _member("permissions", _objects(m.PermissionEntry))
        return await self.call(Call("listPermissions", "GET", ("permissions",), read, repeat=Repeat.ALWAYS))

    async def installation(self) -> m.Installation:
        """installation gives the condition of the installation, and what needs attention."""
        return await self.call(
            Call("getInstallation", "GET", ("installation",), _object(m.Installation), repeat=Repeat.ALWAYS)
        )

    async def usage_by_workspace(
        self,
        *,
        granularity: Optional[str] = None,
        from_: Optional[datetime] = None,
        to: Optional[datetime] = None,
        limit: Optional[int] = None,
    ) -> m.WorkspaceUsages:
        """usage_by_workspace compares the usage of workspaces, the most used first."""
        query = [("granularity", granularity), ("from", from_), ("to", to), ("limit", limit)]
        read = _object(m.WorkspaceUsages)
        return await self.call(
            Call("getUsageByWorkspace", "GET", ("usage", "workspaces"), read, query=query, repeat=Repeat.ALWAYS)
        )

    async def followers(self) -> List[m.Follower]:
        """followers gives the processes without a database that follow the installation's nodes."""
        read = _member("followers", _objects(m.Follower))
        return await self.call(Call("listNodes", "GET", ("nodes",), read, repeat=Repeat.ALWAYS))

    async def nodes(self) -> List[m.Node]:
        """nodes gives the processes that serve the installation."""
        read = _member("nodes", _objects(m.Node))
        return await self.call(Call("listNodes", "GET", ("nodes",), read, repeat=Repeat.ALWAYS))

    async def refusals(self, *, limit: Optional[int] = None) -> List[m.InstallationRefusal]:
        """refusals lists the latest refusals of all keys of the installation, each with its workspace and its key."""
        read = _member("refusals", _objects(m.InstallationRefusal))
        return await self.call(
            Call("listInstallationRefusals", "GET", ("refusals",), read, query=[("limit", limit)], repeat=Repeat.ALWAYS)
        )

    async def usage(
        self, *, granularity: Optional[str] = None, from_: Optional[datetime] = None, to: Optional[datetime] = None
    ) -> m.Usage:
        """usage counts the verifications of the whole installation."""
        return await self.call(_usage("getUsage", ("usage",), granularity, from_, to))

    async def healthy(self) -> bool:
        """healthy tells whether the process is alive."""
        return await self._probe("getHealth", "healthz")

    async def ready(self) -> bool:
        """ready tells whether the server can verify keys now."""
        return await self._probe("getReadiness", "readyz")

    async def _probe(self, operation: str, path: str) -> bool:
        try:
            await self.call(Call(operation, "GET", (path,), _nothing, root=True, repeat=Repeat.NEVER))
        except KeywardError:
            return False
        return True

    async def call(self, call: Call[T]) -> T:
        """call sends one operation, and again where that is safe. Raises APIError, ConnectionFailed or ProtocolError."""
        try:
            return result_of(call, await self._send(call))
        except KeywardError as error:
            raise without_frames(error)

    async def _send(self, call: Call[Any]) -> Answer:
        call = self._confined(call)
        target = call.target()
        body, content_type = call.payload()
        headers = head_of(call, self._base, self._token, self._agent, content_type)
        end = None if call.within is None else monotonic() + call.within
        attempt = 0
        while True:
            left = None if end is None else end - monotonic()
            try:
                answer = await self._transport.send(call.method, target, headers, body, left)
                if 200 <= answer.status < 300:
                    return answer
                raise refusal_of(answer)
            except KeywardError as error:
                left = None if end is None else end - monotonic()
                pause = pause_before(call, error, attempt, self._retries, left)
                if pause is None:
                    raise
                attempt += 1
                await asyncio.sleep(pause)

    async def open(self, call: Call[Any]) -> AsyncStream:
        """open sends one operation and gives its answer's body as a stream."""
        call = self._confined(call)
        headers = head_of(call, self._base, self._token, self._agent, None)
        try:
            answer, stream = await self._transport.stream(call.method, call.target(), headers, None)
        except KeywardError as error:
            raise without_frames(error)
        if not 200 <= answer.status < 300:
            raise refusal_of(answer)
        return stream


def verification(
    key: Token,
    permissions: Optional[Demand] = None,
    environment: Optional[str] = None,
    workspace_id: Union[str, Sequence[str], None] = None,
    ip: Optional[str] = None,
    cost: Optional[int] = None,
) -> Dict[str, Any]:
    """verification makes the body of one question; members that are None are left out."""
    given: Dict[str, Any] = {
        "key": secret_of(key),
        "permissions": permissions if isinstance(permissions, Mapping) or permissions is None else list(permissions),
        "environment": environment,
        "workspaceId": workspace_id if isinstance(workspace_id, str) or workspace_id is None else list(workspace_id),
        "ip": ip,
        "cost": cost,
    }
    return {name: v for name, v in given.items() if v is not None}


def _usage(
    operation: str, path: Sequence[str], granularity: Optional[str], from_: Optional[datetime], to: Optional[datetime]
) -> Call[m.Usage]:
    query = [("granularity", granularity), ("from", from_), ("to", to)]
    return Call(operation, "GET", path, _object(m.Usage), query=query, repeat=Repeat.ALWAYS)


def _form(token: Secret, environment: Optional[str], workspace_id: Union[str, Sequence[str], None]) -> List[Tuple[str, Token]]:
    """_form holds a token, and where it must come from."""
    form: List[Tuple[str, Token]] = [("token", token)]
    form += [("environment", environment)] if environment is not None else []
    return form + [("workspaceId", id) for id in ([workspace_id] if isinstance(workspace_id, str) else list(workspace_id or ()))]


def _verdict(v: Any) -> m.Verdict:
    """_verdict reads a verdict. One that contradicts itself is refused, because a reader of one of its two words must not be misled."""
    verdict = obj(m.Verdict)(v)
    if not verdict.code or verdict.valid is not (verdict.code == "VALID"):
        raise ProtocolError("a verdict without a code, or one that contradicts it")
    return verdict


def _verdicts(n: int) -> Callable[[Any], List[m.Verdict]]:
    def read(v: Any) -> List[m.Verdict]:
        verdicts = each(_verdict)(v)
        if len(verdicts) != n:
            raise ProtocolError("the answer has another number of verdicts than there were questions")
        return verdicts

    return read


def _ids(name: str) -> Callable[[Any], List[str]]:
    return _member(name, strings)


def _webhook(v: Any) -> Union[m.Webhook, m.UnseenWebhookWebhook]:
    """_webhook reads a webhook, or what a caller who may not read it is told."""
    if isinstance(v, dict) and "url" not in v:
        return obj(m.UnseenWebhookWebhook)(v)
    return obj(m.Webhook)(v)


def _revealed(model: Type[M]) -> Callable[[Any], M]:
    """_revealed reads a created or rotated key. A replay without the value is an error that names the key."""

    def read(result: Any) -> M:
        if isinstance(result, dict) and result.get("key") is None and isinstance(result.get("apiKey"), dict):
            raise ReplayedWithoutValue(m.ApiKey.from_json(result["apiKey"]))
        return model.from_json(result)

    return read


def _item_error(item: m.ItemError) -> KeywardError:
    return item_error(item.error, [(d.field, d.message) for d in item.details])
