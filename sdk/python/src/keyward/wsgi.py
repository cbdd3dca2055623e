"""A guard for WSGI applications (PEP 3333), such as Flask and Django.

    from keyward import Keyward
    from keyward.wsgi import require

    keyward = Keyward("http://127.0.0.1:8080", token)
    app = require(keyward, ["calls:read"], environment="live")(app)

The verdict on the caller's key is environ["keyward.caller"].
"""

from __future__ import annotations

from http.client import responses
from typing import Any, Callable, Iterable, List, Optional, Sequence, Tuple

from ._sync import Keyward
from .errors import KeywardError
from .guard import UNAVAILABLE, Policy, Refused, credential, demand_of, limit_headers, log

Application = Callable[..., Iterable[bytes]]


def require(
    client: Keyward,
    permissions: Sequence[str] = (),
    *,
    any: Optional[Sequence[str]] = None,
    cost: Optional[int] = None,
    client_ip: Callable[[Any], Optional[str]] = lambda environ: environ.get("REMOTE_ADDR") or None,
    policy: Optional[Policy] = None,
    environment: Optional[str] = None,
    workspaces: Optional[Sequence[str]] = None,
) -> Callable[[Application], Application]:
    """require lets requests through whose key holds all of permissions, and one of any where given.

    client_ip reads the caller's address, for keys that are bound to networks: behind a proxy, read what your proxy sets. policy holds
    the demand and the cache for several guards; environment and workspaces make one.
    """
    rules = policy or Policy(environment, workspaces)
    demand = demand_of(permissions, any)

    def wrap(app: Application) -> Application:
        def guarded(environ: Any, start_response: Any) -> Iterable[bytes]:
            limits: List[Tuple[str, str]] = []
            try:
                key = credential(_headers(environ), environ.get("QUERY_STRING", "").encode("latin-1"))
                question = rules.question(key, demand, cost, client_ip(environ))
                verdict = rules.kept(question)
                if verdict is None:
                    asked = rules.clock()
                    verdict = client.verify(**question)
                    rules.keep(question, verdict, asked)
                limits = limit_headers(verdict, rules.clock())
                rules.judge(verdict, demand)
                rules.warn(verdict)
            except Refused as refused:
                refusal = refused.refusal
            except KeywardError as error:
                log.error("Keyward cannot be asked: %s", error)
                refusal = UNAVAILABLE
            else:
                environ["keyward.caller"] = verdict
                return app(environ, _with(start_response, limits))
            headers, body = refusal.answer(environ.get("HTTP_X_REQUEST_ID"), limits)
            headers.append(("Content-Length", str(len(body))))
            start_response(f"{refusal.status} {responses[refusal.status]}", headers)
            return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]

        return guarded

    return wrap


def _with(start_response: Any, more: List[Tuple[str, str]]) -> Any:
    def start(status: str, headers: List[Tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [*headers, *more], *rest)

    return start


def _headers(environ: Any) -> List[Tuple[str, str]]:
    found = []
    for variable, name in (("HTTP_AUTHORIZATION", "Authorization"), ("HTTP_X_API_KEY", "X-API-Key")):
        if environ.get(variable):
            found.append((name, environ[variable]))
    return found
