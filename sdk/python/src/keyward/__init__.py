"""Keyward: issue, verify and take back API keys.

    from keyward import Keyward

    with Keyward("http://127.0.0.1:8080", token) as keyward:
        made = keyward.keys.create(name="CI", user_id="ada", workspace_id=workspace, permissions=["calls:read"])
        verdict = keyward.verify(made.key, ["calls:read"], environment="live")

AsyncKeyward is the same for asyncio. keyward.wsgi, keyward.asgi and keyward.fastapi guard a service's own requests.
"""

from ._async import AsyncKeyward
from ._call import UNSET, Unset
from ._models import *  # noqa: F403
from ._models import __all__ as _names
from ._sync import Keyward
from ._version import __version__
from .errors import (
    APIError, BodyTooLarge, Conflict, ConnectionFailed, Detail, InvalidRequest, KeywardError, LimitReached, MethodNotAllowed, NotFound,
    OutcomeUnknown, PermissionDenied, PermissionEscalation, ProtocolError, RateLimited, ReplayedWithoutValue, Unauthenticated,
    Unavailable, UnsupportedMediaType,
)
from .secret import Secret
from .webhook import WebhookSignatureError, verify_webhook

__all__ = [
    "APIError", "AsyncKeyward", "BodyTooLarge", "Conflict", "ConnectionFailed", "Detail", "InvalidRequest", "Keyward", "KeywardError",
    "LimitReached", "MethodNotAllowed", "NotFound", "OutcomeUnknown", "PermissionDenied", "PermissionEscalation", "ProtocolError",
    "RateLimited", "ReplayedWithoutValue", "Secret", "UNSET", "Unauthenticated", "Unavailable", "Unset", "UnsupportedMediaType",
    "WebhookSignatureError", "__version__", "verify_webhook", *_names,
]
