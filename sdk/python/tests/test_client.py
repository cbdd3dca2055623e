"""The client against a real server."""

import asyncio
import hashlib
import json
import pickle
import socket
import threading
from datetime import datetime, timedelta, timezone

import keyward
import pytest
from keyward import AsyncKeyward, Keyward

ABSENT = "019a5c42-1f08-7c3a-8b52-6d0e9f4a7c21"


def make(client, server, **more):
    options = {"name": "t", "user_id": server.owner, "workspace_id": server.workspace, "permissions": ["calls:read"], **more}
    return client.keys.create(**options)


def test_a_key_from_creation_to_its_end(client, server):
    made = make(client, server, rate_limit={"requestsPerMinute": 5, "requestsPerDay": None}, metadata={"team": "a"})
    assert made.api_key.permissions == ["calls:read"] and made.api_key.rate_limit.requests_per_minute == 5
    assert made.api_key.key.startswith("kw_live_") and "…" in made.api_key.key
    verdict = client.verify(made.key, ["calls:read"], environment="live")
    assert verdict.valid and verdict.key_id == made.api_key.id and verdict.metadata == {"team": "a"}
    assert verdict.rate_limit.minute.remaining == 4
    assert client.verify(made.key, {"any": ["calls:write"]}).code == "INSUFFICIENT_PERMISSIONS"
    assert client.verify(made.key, environment="test").code == "NOT_FOUND"
    assert client.verify(made.key, workspace_id=[server.workspace]).valid
    new = client.keys.rotate(made.api_key.id, overlap_seconds=60)
    assert client.verify(made.key).valid and client.verify(new.key).valid and new.key != made.key
    assert client.keys.disable(made.api_key.id, wait=True).is_active is False
    assert client.verify(new.key).code == "DISABLED"
    assert client.keys.enable(made.api_key.id).is_active is True
    assert client.keys.delete(made.api_key.id, wait=True).revocation.effective == "everywhere"
    assert client.verify(new.key).code == "NOT_FOUND"


def test_the_value_of_a_key_does_not_print(client, server):
    made = make(client, server)
    value = made.key.reveal()
    for shown in (str(made), repr(made), f"{made.key}", "%s" % made.key, repr(vars(made))):
        assert value not in shown
    with pytest.raises(TypeError):
        pickle.dumps(made.key)


def test_a_list_of_keys_by_conditions(client, server):
    soon = datetime.now(timezone.utc) + timedelta(days=3)
    made = make(client, server, permissions=["agents:test"], environment="test", expires_at=soon, name="conditions")
    page = client.keys.list(
        workspace_id=server.workspace, status="expiring", environment="test", permission="agents:test", expiring_before=soon + timedelta(hours=1),
        unused_since=soon, sort_by="expiresAt", sort_order="asc", counts=True,
    )
    assert [k.id for k in page.api_keys] == [made.api_key.id] and made.api_key.last_tried_at is None
    assert (page.counts.total, page.counts.active, page.counts.expiring, page.counts.disabled) == (1, 1, 1, 0)
    assert client.keys.list(workspace_id=server.workspace, permission="agents:test", tried_since=soon).api_keys == []


def test_a_refusal_has_a_class_a_code_and_details(client, server):
    with pytest.raises(keyward.InvalidRequest) as caught:
        make(client, server, permissions=["calls:raed"])
    assert caught.value.details[0].field == "permissions[0]" and caught.value.request_id
    with pytest.raises(keyward.NotFound):
        client.keys.get(ABSENT)
    with Keyward(server.url, "kw_svc_wrong") as other, pytest.raises(keyward.Unauthenticated):
        other.keys.list()
    key = make(client, server, permissions=["api-keys:write"]).key
    with Keyward(server.url, key) as derived, pytest.raises(keyward.PermissionEscalation) as caught:
        derived.keys.create(name="more", user_id=server.owner, permissions=["calls:read"])
    assert caught.value.status == 403


def test_a_refusal_is_explained(client, server):
    made = make(client, server, permissions=["calls:read"], allowed_ips=["10.0.0.0/8"])
    told = client.keys.explain(made.api_key.id, ["calls:read"], ip="203.0.113.7", workspace_id=[server.workspace], cost=0)
    assert told.verdict == "IP_FORBIDDEN" and [s.code for s in told.steps if s.reached and not s.passed] == ["IP_FORBIDDEN"]
    assert told.steps[3].why == "IP not allowed: 203.0.113.7 is not in 10.0.0.0/8"
    client.verify(made.key, ["calls:read"], ip="203.0.113.7")
    told = client.keys.refusals(made.api_key.id)
    assert [(r.code, r.why, r.demanded, r.value) for r in told] == [
        ("IP_FORBIDDEN", "IP not allowed: 203.0.113.7", ["calls:read"], "current")
    ]
    assert client.workspaces.refusals(server.workspace, limit=1)[0].key_id == made.api_key.id
    demanded = {p.permission: p.denied for p in client.workspaces.permission_usage(server.workspace).permissions}
    assert demanded["calls:read"] >= 1 and not client.keys.permission_usage(made.api_key.id).permissions[0].used
    assert client.keys.explain(made.api_key.id, {"any": ["calls:write", "calls:read"]}, ip="10.1.2.3").verdict == "VALID"


def test_keys_are_not_put_into_urls(client, server):
    made = make(client, server)
    for wrong in (made.key.reveal(), "", ".."):
        with pytest.raises(keyward.KeywardError):
            client.keys.get(wrong)
    with pytest.raises(keyward.KeywardError):
        client.keys.list(search=made.key.reveal())


def test_unset_none_and_a_value_differ(client, server):
    end = datetime.now(timezone.utc) + timedelta(days=1)
    made = make(client, server, expires_at=end, description="d")
    assert abs(made.api_key.expires_at - end) < timedelta(milliseconds=1)
    changed = client.keys.update([{"id": made.api_key.id, "description": None}]).updated[0]
    assert changed.description is None and changed.expires_at == made.api_key.expires_at
    with pytest.raises(keyward.KeywardError, match="time zone"):
        make(client, server, expires_at=datetime.now())


def test_a_repeat_with_the_same_idempotency_key_is_the_same_key(client, server):
    first = make(client, server, idempotency_key="once-1")
    again = make(client, server, idempotency_key="once-1")
    assert first.api_key.id == again.api_key.id and first.key == again.key
    client.keys.rotate(first.api_key.id)
    with pytest.raises(keyward.ReplayedWithoutValue) as caught:
        make(client, server, idempotency_key="once-1")
    assert caught.value.api_key.id == first.api_key.id


def test_pages_are_walked(client, server):
    made = {make(client, server, name=f"walk {i}").api_key.id for i in range(7)}
    found = {k.id for k in client.keys.all(workspace_id=server.workspace, search="walk ", limit=2)}
    assert found == made


def test_key_requests(client, server):
    asked = client.key_requests.create(workspace_id=server.workspace, user_id="ada", name="asked", permissions=[])
    assert (asked.kind, asked.status, asked.key_id, asked.asks.name) == ("create", "pending", asked.id, "asked")
    assert client.key_requests.decline(asked.id) == [asked.id]
    assert client.key_requests.get(asked.id).status == "declined"
    with pytest.raises(keyward.NotFound):
        client.key_requests.rotation(asked.id, overlap_seconds=60)


def test_portal_sessions(client, server):
    made = client.portal_sessions.create(
        workspace_id=server.workspace, user_id="ada", capabilities=["keys:read", "keys:create"],
        ceiling={"permissions": ["calls:read"], "maxKeys": 5}, allowed_origins=["https://app.example.com"],
    )
    assert made.url.reveal().endswith("#" + made.client_secret.reveal())
    id = made.portal_session.id
    assert client.portal_sessions.get(id).ceiling.max_keys == 5
    assert id in [p.id for p in client.portal_sessions.list(workspace_id=server.workspace, user_id="ada").portal_sessions]
    with pytest.raises(keyward.Unauthenticated):
        client.portal_sessions.exchange(made.client_secret, "no proof")
    with pytest.raises(keyward.Unauthenticated):
        client.portal_sessions.renew(id, "no proof")
    assert client.portal_sessions.end(id, wait=True).deleted == [id]
    assert client.portal_sessions.end_all("ada").deleted == []


def test_members_and_roles(client, server):
    role = client.roles.create(server.workspace, name="Reader", permissions=["calls:read"])
    member = client.members.put(server.workspace, "bob", email="bob@example.com", role_id=role.id)
    assert member.role_name == "Reader"
    assert client.members.update(server.workspace, "bob", display_name="Bob").display_name == "Bob"
    assert {x.user_id for x in client.members.all(server.workspace)} >= {"ada", "bob"}
    assert client.roles.update(server.workspace, role.id, description="reads").description == "reads"
    with pytest.raises(keyward.Conflict):
        client.roles.delete(server.workspace, role.id)
    assert "/signin/invitation#keyward_invite_" in client.members.invite(server.workspace, "bob").url.reveal()
    assert client.members.reset_sign_in(server.workspace, "bob").ended.passkeys == 0
    preview = client.members.remove(server.workspace, "bob", dry_run=True)
    assert preview.removed == "bob" and client.members.get(server.workspace, "bob")
    removed = client.members.remove(server.workspace, "bob", keys="stop", wait=True)
    assert removed.removal_id and removed.restorable_until
    assert client.members.restore(server.workspace, "bob", removed.removal_id).member.role_name == "Reader"
    assert client.members.remove(server.workspace, "bob", reason="leaked").removal_id is None
    assert client.roles.delete(server.workspace, role.id) == [role.id]


def test_service_keys_workspaces_and_the_installation(client, server):
    service = client.service_keys.create(name="gateway", scopes=["verify"], environments=["live"])
    with Keyward(server.url, service.key) as gateway:
        assert gateway.me().credential.id == service.service_key.id
        with pytest.raises(keyward.PermissionDenied):
            gateway.keys.list(workspace_id=server.workspace)
    assert client.service_keys.delete(service.service_key.id).deleted == [service.service_key.id]
    assert client.workspaces.update(server.workspace, name="Acme 2").workspace.name == "Acme 2"
    assert client.workspaces.put_plan(server.workspace, {"maxRoles": 50}).plan.max_roles == 50
    assert any(w.id == server.workspace for w in client.workspaces.all())
    assert len(client.permissions()) == 101 and client.nodes()[0].is_self
    for key in client.keys.list(workspace_id=server.workspace, limit=1).api_keys:
        left = client.keys.limits(key.id)
        assert left.counting == "local" and left.retry_at is None
    assert client.installation().nodes.ready == 1 and client.usage_by_workspace(limit=1).complete
    assert client.usage(granularity="day").total >= 0 and client.workspaces.usage(server.workspace).series
    extra = client.workspaces.create(name="Short", owner={"userId": "eve", "email": "eve@example.com"})
    assert client.workspaces.get(extra.id).owner_id == "eve"
    assert client.workspaces.delete(extra.id, wait=True).deleted == [extra.id]


def test_the_log(client, server):
    made = make(client, server)
    client.keys.delete(made.api_key.id)
    events = [e.event_type for e in client.logs.all(workspace_id=server.workspace, limit=5)]
    assert "api_key.created" in events and "api_key.deleted" in events
    with client.logs.export("ndjson", workspace_id=server.workspace) as stream:
        lines = b"".join(stream).splitlines()
    assert len(lines) >= len(events)


def test_feed(client, server):
    limits = {"requestsPerMinute": 5, "requestsPerDay": 7}
    key = make(client, server, rate_limit=limits).api_key
    made = client.service_keys.create(name="follower", scopes=["follow"])
    with Keyward(server.url, made.key) as follower:
        with follower.feed.snapshot(nonce="n", fields="name,metadata") as stream:
            lines = [json.loads(line) for line in b"".join(stream).splitlines()]
        assert "settings" in lines[0] and lines[-1]["nonce"] == "n"
        client.keys.update([{"id": key.id, "name": "renamed"}])
        with follower.feed.read(lines[-1]["cursor"], wait=1, nonce="m", fields="name,metadata", fenced=False) as stream:
            page = [json.loads(line) for line in b"".join(stream).splitlines()]
        assert page[-1]["nonce"] == "m" and any(line.get("key", {}).get("name") == "renamed" for line in page)
        with pytest.raises(keyward.InvalidRequest):
            follower.feed.read("nonsense")
        ask = {"number": 1, "keyId": key.id, "cost": 1, "minute": {"want": 9, "ahead": True}}
        assert follower.feed.lease_minutes("i", [ask]).leases[0].minute.granted == 5
        claims = [{"accountId": key.id, "day": datetime.now(timezone.utc).strftime("%Y-%m-%d"), "want": 9}]
        for _ in range(2):
            assert follower.feed.reserve_days("i", 1, claims)[0].granted == 7
        follower.feed.report_uses("i", 1)
    client.service_keys.delete(made.service_key.id)


def test_sessions(client, server):
    link = client.sessions.create_link(workspace_id=server.workspace, user_id=server.owner)
    assert link.code.reveal() not in repr(link)
    started = client.sessions.start(link.code)
    with Keyward(server.url, started.token) as person:
        assert person.me().user.id == server.owner
    assert client.sessions.end(started.session.id) == [started.session.id]


def test_the_words_of_oauth(client, server):
    made = make(client, server)
    assert client.oauth.introspect(made.key, environment="live")["scope"] == "calls:read"
    client.oauth.revoke(made.key)
    assert client.oauth.introspect(made.key) == {"active": False}


def test_a_batch(client, server):
    made = make(client, server)
    codes = [v.code for v in client.verify_batch([{"key": made.key, "permissions": ["calls:read"]}, {"key": "nothing"}])]
    assert codes == ["VALID", "MALFORMED"]


def test_import(client, server):
    value = "legacy-" + "x" * 30
    item = {"name": "old", "userId": server.owner, "sha256": hashlib.sha256(value.encode()).hexdigest()}
    answer = client.keys.import_keys([item], workspace_id=server.workspace)
    assert answer.errors == [] and answer.imported[0].key is None
    assert client.verify(value).key_id == answer.imported[0].id


def test_asyncio_says_the_same(server):
    async def story():
        async with AsyncKeyward(server.url, server.root) as client:
            made = await make(client, server, name="aio")
            verdicts = await asyncio.gather(*(client.verify(made.key, ["calls:read"]) for _ in range(20)))
            assert all(v.valid for v in verdicts)
            found = [k async for k in client.keys.all(workspace_id=server.workspace, search="aio", limit=3)]
            assert [k.id for k in found] == [made.api_key.id]
            async with await client.logs.export("csv", workspace_id=server.workspace) as stream:
                text = b"".join([piece async for piece in stream])
            assert text.count(b"\n") > 2
            with pytest.raises(keyward.NotFound):
                await client.keys.get(ABSENT)

    asyncio.run(story())


def relay(listener, port):
    """relay carries connections of a unix socket to the server."""

    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    while True:
        try:
            inside, _ = listener.accept()
        except OSError:
            return
        outside = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=pump, args=(inside, outside), daemon=True).start()
        threading.Thread(target=pump, args=(outside, inside), daemon=True).start()


def test_a_unix_socket(server, tmp_path):
    path = str(tmp_path / "keyward.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        threading.Thread(target=relay, args=(listener, int(server.url.rsplit(":", 1)[1])), daemon=True).start()
        with Keyward("unix:" + path, server.root) as client:
            assert client.ready() and len(client.permissions()) == 101

        async def story():
            async with AsyncKeyward("unix:" + path, server.root) as client:
                assert len(await client.permissions()) == 101

        asyncio.run(story())


def test_one_client_in_many_threads(client, server):
    key = make(client, server).key
    results = []
    threads = [threading.Thread(target=lambda: results.extend(client.verify(key).valid for _ in range(10))) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [True] * 80


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://user:pass@host", "http://h?q=1", "unix:relative", "http://h:port"])
def test_a_wrong_url_is_refused_without_being_shown(url):
    with pytest.raises(keyward.KeywardError) as caught:
        Keyward(url, "t")
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "é"])
def test_a_token_that_no_header_carries_is_refused(token):
    with pytest.raises(keyward.KeywardError):
        Keyward("http://h", token)
