"""A dependency for FastAPI.

    from fastapi import Depends, FastAPI
    from keyward import AsyncKeyward, Verdict
    from keyward.fastapi import RequireKey, install

    app = FastAPI()
    install(app)
    keyward = AsyncKeyward("http://127.0.0.1:8080", token)

    @app.get("/calls")
    async def calls(caller: Verdict = Depends(RequireKey(keyward, ["calls:read"], environment="live"))):
        return {"workspace": caller.workspace_id}
"""

from typing import Any, Callable, Optional, Sequence

from fastapi import FastAPI, Request, Response

from ._async import AsyncKeyward
from ._models import Verdict
from .asgi import ask
from .guard import Policy, Refused, demand_of


class RequireKey:
    """RequireKey is a dependency that gives the verdict on the caller's key. The arguments are those of keyward.wsgi.require."""

    def __init__(
        self,
        client: AsyncKeyward,
        permissions: Sequence[str] = (),
        *,
        any: Optional[Sequence[str]] = None,
        cost: Optional[int] = None,
        client_ip: Callable[[Request], Optional[str]] = lambda request: request.client.host if request.client else None,
        policy: Optional[Policy] = None,
        environment: Optional[str] = None,
        workspaces: Optional[Sequence[str]] = None,
    ) -> None:
        self._client = client
        self._demand = demand_of(permissions, any)
        self._cost = cost
        self._client_ip = client_ip
        self._policy = policy or Policy(environment, workspaces)

    async def __call__(self, request: Request, response: Response) -> Verdict:
        headers = [(name.decode("latin-1"), text.decode("latin-1")) for name, text in request.headers.raw]
        query = request.scope.get("query_string", b"")
        verdict, limits = await ask(
            self._client, self._policy, self._demand, headers, query, self._cost, self._client_ip(request)
        )
        for name, text in limits:
            response.headers[name] = text
        return verdict


def install(app: FastAPI) -> None:
    """install has the application answer a refused request as Keyward does. Without it a refusal is an error of the application."""

    async def refuse(request: Request, refused: Any) -> Response:
        headers, body = refused.refusal.answer(request.headers.get("x-request-id"), refused.limits)
        return Response(body, refused.refusal.status, dict(headers))

    app.add_exception_handler(Refused, refuse)
