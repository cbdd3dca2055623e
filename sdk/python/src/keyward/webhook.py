"""Notices to webhooks, checked where they arrive."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import Any, Dict, Mapping, Union

from .errors import KeywardError
from .secret import Secret

# How far the timestamp of a notice may lie from the clock, in seconds.
TOLERANCE = 300


class WebhookSignatureError(KeywardError):
    """WebhookSignatureError says that a notice is not from the server that has the secret, or was changed, or is too old."""


def verify_webhook(secret: Union[str, Secret], headers: Mapping[str, str], body: Union[str, bytes]) -> Dict[str, Any]:
    """verify_webhook checks a notice to a webhook by Standard Webhooks and gives it: {"type": ..., "timestamp": ..., "data": {...}}.

    body is what came, byte for byte. The timestamp must lie within five minutes of the clock. A notice may come more than once, with
    the same webhook-id.
    """
    text = secret.reveal() if isinstance(secret, Secret) else secret
    try:
        if not text.startswith("whsec_"):
            raise ValueError
        key = base64.b64decode(text[len("whsec_"):], validate=True)
        if not key:
            raise ValueError
    except (ValueError, binascii.Error):
        raise KeywardError("the secret of a webhook begins with whsec_ and goes on in base64") from None
    head = {name.lower(): value for name, value in headers.items()}
    id, stamp = head.get("webhook-id", ""), head.get("webhook-timestamp", "")
    if not id or not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise WebhookSignatureError("the notice has no id or no timestamp")
    if abs(time.time() - int(stamp)) > TOLERANCE:
        raise WebhookSignatureError("the timestamp of the notice is too far from the clock")
    try:
        raw = body.encode() if isinstance(body, str) else body
        want = hmac.new(key, f"{id}.{stamp}.".encode() + raw, hashlib.sha256).digest()
    except UnicodeEncodeError:  # some servers hand on bytes that are not UTF-8 as lone surrogates
        raise WebhookSignatureError("the notice holds bytes that are no text") from None
    for one in head.get("webhook-signature", "").split(" "):
        version, _, sum = one.partition(",")
        try:
            got = base64.b64decode(sum, validate=True)
        except (ValueError, binascii.Error):
            continue
        if version == "v1" and hmac.compare_digest(got, want):
            notice: Dict[str, Any] = json.loads(raw)
            return notice
    raise WebhookSignatureError("no signature of the notice fits")
