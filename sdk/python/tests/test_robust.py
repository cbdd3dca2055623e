"""What a program does with the client's objects beside calling it: copies, processes, event loops, reports of errors, odd answers."""

import asyncio
import copy
import dataclasses
import json
import os
import pickle
import traceback
from datetime import datetime, timezone

import keyward
import pytest
from keyward import AsyncKeyward, Keyward
from keyward import _decode as decode
from keyward._call import retry_after
from scripted import Scripted

TOKEN = "kw_svc_token"
KEY = "kw_live_" + "A" * 43 + "2ImIO6"
VALID = {"status": 200, "body": {"success": True, "data": {"message": "ok", "result": {"valid": True, "code": "VALID"}}}}


def test_a_dataclass_with_a_secret_is_copied_without_showing_it(client, server):
    made = client.keys.create(name="copied", user_id=server.owner, workspace_id=server.workspace, permissions=[])
    value = made.key.reveal()
    for copied in (copy.copy(made), copy.deepcopy(made), dataclasses.replace(made)):
        assert copied.key.reveal() == value and value not in repr(copied)
    shown = dataclasses.asdict(made)
    assert value not in repr(shown)
    with pytest.raises(TypeError):
        json.dumps(shown["key"])


def test_an_error_crosses_processes():
    details = [keyward.Detail("name", "is too long")]
    error = keyward.InvalidRequest(400, "invalid_request", "no", details, "r-1", 2.0)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is keyward.InvalidRequest and str(again) == str(error)
        assert (again.status, again.code, again.details, again.retry_after) == (400, "invalid_request", details, 2.0)
    for plain in (keyward.ConnectionFailed("gone"), keyward.ProtocolError("odd"), keyward.WebhookSignatureError("bad")):
        assert str(pickle.loads(pickle.dumps(plain))) == str(plain)


def frames_of(error):
    """frames_of is a traceback with its variables, as reporters of errors show it, of the frames within the package."""
    shown, package = [], os.path.dirname(keyward.__file__)
    while error is not None:
        for frame in traceback.TracebackException.from_exception(error, capture_locals=True).stack:
            if not frame.filename.startswith(os.path.dirname(__file__)):
                shown.append(f"{frame.filename} {frame.name} {frame.locals}")
        error = error.__cause__ or error.__context__
    assert any(package in line for line in shown)
    return "\n".join(shown)


@pytest.mark.parametrize("answers", [[{"drop": True}], [{"status": 500, "text": "no"}], [{"status": 200, "text": KEY}]])
def test_a_traceback_with_variables_shows_neither_key_nor_token(answers):
    calls = (lambda c: c.verify(KEY), lambda c: c.oauth.introspect(KEY), lambda c: c.sessions.start(KEY))
    for number, call in enumerate(calls):
        with Scripted(answers) as scripted, Keyward(scripted.url, TOKEN, retries=0) as client:
            with pytest.raises(keyward.KeywardError) as caught:
                call(client)
        shown = frames_of(caught.value)
        assert TOKEN not in shown and KEY not in shown, number

        async def story():
            async with AsyncKeyward(scripted.url, TOKEN, retries=0) as client:
                await call(client)

        with Scripted(answers) as scripted, pytest.raises(keyward.KeywardError) as caught:
            asyncio.run(story())
        shown = frames_of(caught.value)
        assert TOKEN not in shown and KEY not in shown, number


def test_a_client_for_asyncio_outlives_a_loop():
    with Scripted([VALID] * 3) as scripted:
        client = AsyncKeyward(scripted.url, TOKEN, retries=0)
        for _ in range(3):  # as a program that calls asyncio.run for each request
            assert asyncio.run(client.verify(KEY)).valid


def test_a_forked_process_has_connections_of_its_own():
    with Scripted([VALID] * 2) as scripted, Keyward(scripted.url, TOKEN, retries=0) as client:
        assert client.verify(KEY).valid
        kept = [connection for _, connection in client._transport._idle]
        client._transport._process -= 1  # as after a fork: the number of the process is another one
        assert client.verify(KEY).valid
        now = [connection for _, connection in client._transport._idle]
        assert kept and now and kept[0] is not now[0]


def test_a_kept_connection_that_the_server_has_closed_is_not_used():
    closing = {**VALID, "close": True}
    with Scripted([closing, VALID]) as scripted, Keyward(scripted.url, TOKEN, retries=0) as client:
        assert client.verify(KEY).valid
        scripted.closed.wait(5)
        assert client.verify(KEY).valid


@pytest.mark.parametrize("mode", ["blocking", "asyncio"])
def test_a_question_ends_with_its_time(mode):
    slow, busy = {**VALID, "delayMs": 1500}, {"status": 503, "headers": {"Retry-After": "1"}, "text": ""}
    for answers, error in (([slow], keyward.ConnectionFailed), ([busy] * 4, keyward.Unavailable)):
        with Scripted(answers) as scripted, pytest.raises(error):
            if mode == "blocking":
                with Keyward(scripted.url, TOKEN) as client:
                    client.verify(KEY, timeout=0.2)
            else:

                async def story():
                    async with AsyncKeyward(scripted.url, TOKEN) as client:
                        await client.verify(KEY, timeout=0.2)

                asyncio.run(story())
        assert len(scripted.requests) == 1


@pytest.mark.parametrize(
    "text,want", [("7", 7), ("²", None), ("٣", None), ("", None), ("soon", None), ("-1", None), ("1.5", None), ("9" * 30, None)]
)
def test_an_odd_retry_after_is_passed_over(text, want):
    assert retry_after({"retry-after": text}) == want


def test_a_date_to_retry_after_is_measured_against_the_answers_clock_else_this_one():
    date = {"retry-after": "Wed, 04 Nov 2026 10:31:00 GMT"}
    assert retry_after({**date, "date": "Wed, 04 Nov 2026 09:31:00 GMT"}) == 3600
    assert abs(retry_after(date) - retry_after({**date, "date": "nonsense"})) < 60
    assert retry_after({"retry-after": "Wed, 04 Nov 2020 10:31:00 GMT"}) == 0
    assert retry_after({"retry-after": "Fri, 04 Nov 2099 10:31:00 -0000"}) > 0


def test_a_time_with_any_fraction_is_read():
    at = datetime(2026, 11, 4, 9, 31, tzinfo=timezone.utc)
    for text, microsecond in (
        ("2026-11-04T09:31:00Z", 0), ("2026-11-04T09:31:00.5Z", 500_000), ("2026-11-04T09:31:00.12Z", 120_000),
        ("2026-11-04T09:31:00.123Z", 123_000), ("2026-11-04T09:31:00.123456789Z", 123_456), ("2026-11-04T10:31:00.1+01:00", 100_000),
    ):
        assert decode.time(text) == at.replace(microsecond=microsecond)
    for text in ("", "yesterday", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(keyward.ProtocolError):
            decode.time(text)


def test_a_header_that_cannot_be_sent_is_refused(server):
    for name in ("a\r\nX: y", "\u20ac", "a\0b"):
        with Keyward(server.url, server.root) as client, pytest.raises(keyward.KeywardError):
            client.keys.create(name="h", user_id="ada", permissions=[], idempotency_key=name)


def test_a_notice_that_is_no_text_is_refused():
    head = {"webhook-id": "m\udcff", "webhook-timestamp": str(int(datetime.now().timestamp())), "webhook-signature": "v1,YQ=="}
    with pytest.raises(keyward.WebhookSignatureError):
        keyward.verify_webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", head, b"{}")


def test_a_batch_with_another_number_of_verdicts_is_refused():
    answer = {"status": 200, "body": {"success": True, "data": {"result": {"results": [VALID["body"]["data"]["result"]]}}}}
    with Scripted([answer]) as scripted, Keyward(scripted.url, TOKEN) as client, pytest.raises(keyward.ProtocolError):
        client.verify_batch([{"key": KEY}, {"key": KEY}])
