"""Notices to webhooks are verified as every client does it, by the cases of sdk/conformance/webhooks.json."""

import json
from pathlib import Path

import keyward.webhook
import pytest
from keyward import KeywardError, WebhookSignatureError, verify_webhook
from keyward.secret import Secret

CASES = json.loads((Path(__file__).resolve().parents[2] / "conformance" / "webhooks.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
@pytest.mark.parametrize("kind", [str, str.encode, Secret])
def test_a_notice_is_good_by_its_secret_and_its_time_alone(monkeypatch, case, kind):
    monkeypatch.setattr(keyward.webhook.time, "time", lambda: case["clock"])
    secret = Secret(case["secret"]) if kind is Secret else case["secret"]
    body = case["body"].encode() if kind is str.encode else case["body"]
    if case["says"] == "good":
        assert verify_webhook(secret, case["headers"], body) == json.loads(case["body"])
        return
    with pytest.raises(KeywardError) as refused:
        verify_webhook(secret, case["headers"], body)
    assert isinstance(refused.value, WebhookSignatureError) == (case["says"] == "signature")
    assert len(case["secret"]) < 10 or case["secret"] not in str(refused.value)


def test_there_are_cases():
    assert len(CASES) > 40
