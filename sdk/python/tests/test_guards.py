"""The guards of WSGI, ASGI and FastAPI, in front of applications that answer who calls, against a real server."""

import asyncio
import io
import json
import logging
import time
from datetime import datetime, timezone
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import keyward.fastapi
import pytest
from fastapi import Depends, FastAPI
from fastapi.responses import PlainTextResponse
from keyward import AsyncKeyward, Keyward, Verdict
from keyward.asgi import Guard
from keyward.guard import Policy, _Told
from keyward.wsgi import require
from scripted import Scripted

NEVER = "kw_live_" + "A" * 43 + "2ImIO6"


def wsgi(app, headers, query="", method="GET", address="127.0.0.1"):
    environ = {"REMOTE_ADDR": address, "QUERY_STRING": query, "REQUEST_METHOD": method}
    setup_testing_defaults(environ)
    for name, value in headers:
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    answer = {}

    def start(status, fields, *rest):
        answer["status"], answer["headers"] = int(status.split()[0]), {n.lower(): v for n, v in fields}

    answer["body"] = b"".join(app(environ, start))
    return answer


def asgi(app, headers, query="", method="GET", address="127.0.0.1"):
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": "/calls", "raw_path": b"/calls",
        "root_path": "", "scheme": "http", "query_string": query.encode(), "client": (address, 5), "server": ("127.0.0.1", 80),
        "headers": [(n.lower().encode(), v.encode()) for n, v in headers],
    }
    answer = {"body": b""}

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            answer["status"], answer["headers"] = message["status"], {n.decode(): v.decode() for n, v in message["headers"]}
        else:
            answer["body"] += message.get("body", b"")

    asyncio.run(app(scope, receive, send))
    return answer


def wsgi_app(server, **options):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["keyward.caller"].user_id.encode()]

    client = Keyward(server.url, server.root, retries=0)
    guarded = require(client, options.pop("permissions", ["calls:read"]), **options)(app)
    return lambda *a, **k: wsgi(guarded, *a, **k)


def asgi_app(server, **options):
    permissions = options.pop("permissions", ["calls:read"])

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["state"]["keyward"].user_id.encode()})

    def call(*a, **k):
        return asgi(Guard(app, AsyncKeyward(server.url, server.root, retries=0), permissions, **options), *a, **k)

    return call


def fastapi_app(server, **options):
    permissions = options.pop("permissions", ["calls:read"])

    def call(*a, **k):
        app = FastAPI()
        keyward.fastapi.install(app)
        needs = keyward.fastapi.RequireKey(AsyncKeyward(server.url, server.root, retries=0), permissions, **options)

        @app.get("/calls", response_class=PlainTextResponse)
        async def calls(caller: Verdict = Depends(needs)):
            return caller.user_id

        return asgi(app, *a, **k)

    return call


GUARDS = pytest.mark.parametrize("guard", [wsgi_app, asgi_app, fastapi_app])


@pytest.fixture
def key(client, server):
    def make(**more):
        options = {"name": "g", "user_id": server.owner, "workspace_id": server.workspace, "permissions": ["calls:read"], **more}
        return client.keys.create(**options).key.reveal()

    return make


@GUARDS
def test_a_request_with_a_good_key_gets_through(guard, server, key):
    value = key()
    ask = guard(server, environment="live")
    for headers in ([("Authorization", "Bearer " + value)], [("X-API-Key", value)], [("authorization", "bearer  " + value)]):
        answer = ask(headers)
        assert (answer["status"], answer["body"]) == (200, b"ada")


@GUARDS
def test_every_refusal_has_keywards_status_and_form(guard, server, key, client):
    good, other, poor = key(), key(environment="test"), key(permissions=[])
    bound, spent = key(allowed_ips=["10.0.0.0/8"]), key(rate_limit={"requestsPerMinute": 1})
    assert client.verify(spent).valid
    ask = guard(server, environment="live")
    bearer = lambda v: [("Authorization", "Bearer " + v)]  # noqa: E731
    cases = [
        ([], "", 401, "unauthenticated"),
        (bearer(NEVER), "", 401, "unauthenticated"),
        (bearer("nonsense"), "", 401, "unauthenticated"),
        (bearer(other), "", 401, "unauthenticated"),
        (bearer(poor), "", 403, "permission_denied"),
        (bearer(bound), "", 403, "permission_denied"),
        (bearer(spent), "", 429, "rate_limited"),
        (bearer(good) + [("X-API-Key", spent)], "", 400, "invalid_request"),
        (bearer(good), "token=" + good, 400, "invalid_request"),
        (bearer(good), "token=" + good.replace("_", "%5F"), 400, "invalid_request"),
    ]
    for headers, query, status, code in cases:
        answer = ask(headers, query)
        assert answer["status"] == status
        error = json.loads(answer["body"])["error"]
        assert error["code"] == code and error["requestId"] == answer["headers"]["x-request-id"]
        assert ("www-authenticate" in answer["headers"]) == (status in (401, 403))
        assert ("retry-after" in answer["headers"]) == (status == 429)
        assert good not in answer["body"].decode()
    assert ask(bearer(bound), address="10.1.2.3")["status"] == 200


REFUSALS = json.loads((Path(__file__).resolve().parents[2] / "conformance" / "refusals.json").read_text())
NOW = datetime(2026, 11, 4, 9, 31, tzinfo=timezone.utc).timestamp()


@GUARDS
@pytest.mark.parametrize("case", REFUSALS, ids=[c["name"] for c in REFUSALS])
def test_a_refusal_is_that_of_every_guard(guard, case):
    with Scripted([case["answer"]] if "answer" in case else []) as scripted:

        class At:
            url, root = scripted.url, "kw_svc_token"

        patience = 0.2 if case.get("answer", {}).get("delayMs") else 60.0
        policy = Policy(environment="live", clock=lambda: NOW, timeout=patience)
        answer = guard(At, permissions=["calls:read", "calls:write"], policy=policy)(case["headers"], case.get("query", ""))
    want, error = case["want"], json.loads(answer["body"])["error"]
    assert (answer["status"], {name: error[name] for name in want["error"]}) == (want["status"], want["error"])
    assert {name: answer["headers"].get(name) for name in want["headers"]} == want["headers"]


@GUARDS
def test_limits_are_told(guard, server, key):
    ask = guard(server)
    answer = ask([("Authorization", "Bearer " + key(rate_limit={"requestsPerMinute": 2}))])
    assert answer["headers"]["ratelimit-policy"] == '"minute";q=2;w=60'
    assert answer["headers"]["ratelimit"].startswith('"minute";r=1;')


@GUARDS
def test_without_a_server_no_request_gets_through(guard, server, key):
    class Gone:
        url, root = "http://127.0.0.1:1", "t"

    answer = guard(Gone)([("Authorization", "Bearer " + key())])
    assert answer["status"] == 503 and answer["headers"]["retry-after"] == "1"


@GUARDS
def test_one_of_several(guard, server, key):
    ask = guard(server, permissions=[], any=["calls:write", "calls:read"])
    assert ask([("Authorization", "Bearer " + key())])["status"] == 200
    assert ask([("Authorization", "Bearer " + key(permissions=["agents:read"]))])["status"] == 403


def test_a_demand_that_went_wrong_stops_the_start(server):
    for make in (
        lambda: wsgi_app(server, any=[]),
        lambda: wsgi_app(server, permissions="calls:read"),
        lambda: Policy(workspaces=[]),
        lambda: Policy(environment="prod"),
        lambda: Policy(cache=3600),
    ):
        with pytest.raises((TypeError, ValueError)):
            make()


def test_the_cache_is_bounded_and_holds_no_key(server, key, client):
    now = [1_000_000_000.0]
    policy = Policy(environment="live", cache=30, clock=lambda: now[0])
    ask = wsgi_app(server, policy=policy)
    value = key()
    headers = [("Authorization", "Bearer " + value)]
    assert ask(headers)["status"] == 200
    client.keys.disable(client.verify(value).key_id, wait=True)
    assert ask(headers)["status"] == 200  # still taken as true
    now[0] += 31
    assert ask(headers)["status"] == 401
    assert value not in repr(vars(policy))
    limited = key(rate_limit={"requestsPerMinute": 1})
    assert [ask([("X-API-Key", limited)])["status"] for _ in range(2)] == [200, 429]


def test_a_key_that_ends_soon_is_told_once(server, key, caplog):
    from datetime import datetime, timedelta, timezone

    value = key(expires_at=datetime.now(timezone.utc) + timedelta(days=2))
    ask = wsgi_app(server)
    with caplog.at_level(logging.WARNING, "keyward.guard"):
        for _ in range(3):
            assert ask([("X-API-Key", value)])["status"] == 200
    assert len(caplog.records) == 1 and "expires in" in caplog.text and value not in caplog.text


def test_an_earlier_value_in_use_is_told_once_for_each_rotation(server, key, client, caplog):
    value = key()
    ask = wsgi_app(server)
    with caplog.at_level(logging.WARNING, "keyward.guard"):
        for overlap in (3600, 1800):
            rotated = client.keys.rotate(client.verify(value).key_id, overlap_seconds=overlap)
            for _ in range(3):
                assert ask([("X-API-Key", value)])["status"] == 200
            assert ask([("X-API-Key", rotated.key.reveal())])["status"] == 200
    assert [("ends in 0 hours" in r.getMessage(), "earlier value" in r.getMessage()) for r in caplog.records] == [(True, True)] * 2
    assert value not in caplog.text


def test_a_cached_verdict_ends_with_the_overlap(server, key, client):
    now = [time.time()]
    ask = wsgi_app(server, policy=Policy(environment="live", cache=30, clock=lambda: now[0]))
    value = key()
    headers = [("X-API-Key", value)]
    client.keys.rotate(client.verify(value).key_id, overlap_seconds=20)
    assert ask(headers)["status"] == 200
    client.keys.disable(client.verify(value).key_id, wait=True)
    now[0] += 10
    assert ask(headers)["status"] == 200  # still taken as true
    now[0] += 11
    assert ask(headers)["status"] == 401


def test_notices_are_remembered_within_bounds():
    told = _Told()
    told.most = 3
    end = datetime.now(timezone.utc)
    first = [told.first("expires", str(i), end) for i in range(4)]
    again = [told.first("expires", str(i), end) for i in range(4)]
    assert first == [True] * 4 and again == [False] * 4
    for i in range(100):
        told.first("expires", "later %d" % i, end)
    assert told.first("expires", "0", end)


def test_a_websocket_is_closed():
    pytest.importorskip("starlette")
    sent = []

    async def story():
        async def app(scope, receive, send):
            raise AssertionError("not reached")

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message)

        guard = Guard(app, AsyncKeyward("http://127.0.0.1:1", "t", retries=0), ["calls:read"])
        await guard({"type": "websocket", "headers": [], "query_string": b"", "client": None}, receive, send)

    asyncio.run(story())
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_head_has_no_body(server):
    ask = wsgi_app(server)
    answer = ask([], method="HEAD")
    assert answer["status"] == 401 and answer["body"] == b"" and io.BytesIO(answer["body"]).read() == b""
