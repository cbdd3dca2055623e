"""The list that every client passes, sdk/conformance/faults.json, over the blocking client and over asyncio."""

import asyncio
import dataclasses
import inspect
import json
from pathlib import Path

import keyward
import pytest
from keyward import AsyncKeyward, Keyward
from keyward._call import LONGEST_PAUSE  # noqa: F401
from scripted import Scripted

CASES = json.loads((Path(__file__).resolve().parents[2] / "conformance" / "faults.json").read_text())
TOKEN = "kw_svc_token"


def perform(client, call):
    args = call["args"]
    return {
        "getApiKey": lambda: client.keys.get(args.get("id")),
        "createApiKey": lambda: client.keys.create(name=args.get("name"), user_id=args.get("userId")),
        "verifyApiKey": lambda: client.verify(args.get("key")),
        "deleteApiKey": lambda: client.keys.delete(args.get("id")),
        "rotateApiKey": lambda: client.keys.rotate(args.get("id")),
        "createRole": lambda: client.roles.create(args.get("workspaceId"), name=args.get("name"), permissions=args.get("permissions")),
    }[call["operation"]]()


def member(result, name):
    snake = "".join("_" + c.lower() if c.isupper() else c for c in name)
    result = getattr(result, "api_key", result)
    return dataclasses.asdict(result)[snake]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr("keyward._call.FIRST_PAUSE", 0.001)


@pytest.mark.parametrize("mode", ["blocking", "asyncio"])
@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_conformance(case, mode):
    with Scripted(case["answers"]) as server:
        result, error = None, None
        try:
            if mode == "blocking":
                with Keyward(server.url, TOKEN, timeout=0.3, retries=3) as client:
                    result = perform(client, case["call"])
            else:

                async def story():
                    async with AsyncKeyward(server.url, TOKEN, timeout=0.3, retries=3) as client:
                        made = perform(client, case["call"])
                        return await made if inspect.isawaitable(made) else made

                result = asyncio.run(story())
        except keyward.KeywardError as caught:
            error = caught
        check(case["want"], server.requests, result, error)


def check(want, requests, result, error):
    assert len(requests) == want["requests"]
    if "sameHeader" in want:
        assert len({r[want["sameHeader"]] for r in requests}) == 1
    if "error" not in want:
        assert error is None
        for name, value in want["result"].items():
            assert member(result, name) == value
        return
    kinds = {"connection": keyward.ConnectionFailed, "protocol": keyward.ProtocolError, "replayed": keyward.ReplayedWithoutValue}
    if want["error"] in kinds:
        assert isinstance(error, kinds[want["error"]])
        return
    assert isinstance(error, keyward.APIError) and error.code == want["error"] and error.status == want["status"]
    assert TOKEN not in str(error)
    if "retryAfter" in want:
        assert error.retry_after == want["retryAfter"]
    if "field" in want:
        assert error.details[0].field == want["field"]
    if "not" in want:
        assert want["not"] not in str(error)
