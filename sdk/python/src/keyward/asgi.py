"""A guard for ASGI applications, such as Starlette, FastAPI and Quart.

    from keyward import AsyncKeyward
    from keyward.asgi import Guard

    keyward = AsyncKeyward("http://127.0.0.1:8080", token)
    app = Guard(app, keyward, ["calls:read"], environment="live")

The verdict on the caller's key is scope["state"]["keyward"], which is request.state.keyward in Starlette.
"""

from __future__ import annotations

from typing import Any, Awaitable, Callable, List, MutableMapping, Optional, Sequence, Tuple

from ._async import AsyncKeyward
from ._models import Verdict
from .errors import KeywardError
from .guard import UNAVAILABLE, Demand, Policy, Refusal, Refused, credential, demand_of, limit_headers, log

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def peer(scope: Scope) -> Optional[str]:
    """peer is the address of the connection."""
    client = scope.get("client")
    return client[0] if client else None


async def ask(
    client: AsyncKeyward, rules: Policy, demand: Demand, headers: Sequence[Tuple[str, str]], query: bytes, cost: Optional[int],
    ip: Optional[str],
) -> Tuple[Verdict, List[Tuple[str, str]]]:
    """ask decides about one request. It gives the verdict and the RateLimit fields, or raises Refused (with limits)."""
    key = credential(headers, query)
    question = rules.question(key, demand, cost, ip)
    verdict = rules.kept(question)
    if verdict is None:
        asked = rules.clock()
        try:
            verdict = await client.verify(**question)
        except KeywardError as error:
            log.error("Keyward cannot be asked: %s", error)
            raise Refused(UNAVAILABLE) from error
        rules.keep(question, verdict, asked)
    limits = limit_headers(verdict, rules.clock())
    try:
        rules.judge(verdict, demand)
    except Refused as refused:
        refused.limits = limits
        raise
    rules.warn(verdict)
    return verdict, limits


class Guard:
    """Guard lets requests through whose key holds all of permissions, and one of any where given. The arguments are those of
    keyward.wsgi.require."""

    def __init__(
        self,
        app: ASGIApp,
        client: AsyncKeyward,
        permissions: Sequence[str] = (),
        *,
        any: Optional[Sequence[str]] = None,
        cost: Optional[int] = None,
        client_ip: Callable[[Scope], Optional[str]] = peer,
        policy: Optional[Policy] = None,
        environment: Optional[str] = None,
        workspaces: Optional[Sequence[str]] = None,
    ) -> None:
        self._app = app
        self._client = client
        self._demand = demand_of(permissions, any)
        self._cost = cost
        self._client_ip = client_ip
        self._policy = policy or Policy(environment, workspaces)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = [(name.decode("latin-1"), text.decode("latin-1")) for name, text in scope["headers"]]
        try:
            verdict, limits = await ask(
                self._client, self._policy, self._demand, headers, scope.get("query_string", b""), self._cost, self._client_ip(scope)
            )
        except Refused as refused:
            await _refuse(scope, receive, send, headers, refused.refusal, refused.limits)
            return
        scope.setdefault("state", {})["keyward"] = verdict

        async def with_limits(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                more = [(name.lower().encode(), text.encode()) for name, text in limits]
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        await self._app(scope, receive, with_limits)


async def _refuse(
    scope: Scope, receive: Receive, send: Send, headers: Sequence[Tuple[str, str]], refusal: Refusal, limits: Sequence[Tuple[str, str]]
) -> None:
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        await send({"type": "websocket.close", "code": 1008})
        return
    request_id = next((text for name, text in headers if name.lower() == "x-request-id"), None)
    fields, body = refusal.answer(request_id, limits)
    fields.append(("Content-Length", str(len(body))))
    encoded = [(name.lower().encode(), text.encode()) for name, text in fields]
    await send({"type": "http.response.start", "status": refusal.status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if scope.get("method") == "HEAD" else body})
