"""Errors of the client. KeywardError is the base of all; an APIError is a refusal by the server, one class for each code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Type

if TYPE_CHECKING:
    from ._models import ApiKey


class KeywardError(Exception):
    """KeywardError is the base of the errors of this package."""


class ConnectionFailed(KeywardError):
    """ConnectionFailed says that the server could not be reached, or did not answer in time."""


class ProtocolError(KeywardError):
    """ProtocolError says that an answer is not one of a Keyward server."""


class ReplayedWithoutValue(KeywardError):
    """ReplayedWithoutValue says that an earlier call with the same idempotency key made or rotated the key, and that its value is not
    told again. Rotate the key for a new value."""

    def __init__(self, api_key: ApiKey) -> None:
        super().__init__(f"an earlier call with this idempotency key did this to key {api_key.id}, whose value is not told again")
        self.api_key = api_key

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.api_key,)


@dataclass(frozen=True)
class Detail:
    """Detail is one field of a request, or one permission, and the reason why it was refused."""

    field: str
    message: str


class APIError(KeywardError):
    """APIError is a refusal. Its class tells the code; a code that this version does not know is an APIError itself.

    status: the HTTP status. code: the stable word, empty where the answer was not a Keyward server's. details: fields or permissions
    that were refused. request_id: finds the call in the server's log. retry_after: seconds to wait, None where the server named none.
    """

    code = ""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Optional[List[Detail]] = None,
        request_id: Optional[str] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.details = details or []
        self.request_id = request_id
        self.retry_after = retry_after
        text = f"status {status}"
        if code:
            text += f" {code}"
        if message:
            text += f": {message}"
        if self.details:
            text += ": " + "; ".join(f"{d.field}: {d.message}" for d in self.details)
        if request_id:
            text += f" (request {request_id})"
        super().__init__(text)

    def __reduce__(self) -> Tuple[Any, ...]:
        """__reduce__ lets the error cross processes, as in multiprocessing and Celery."""
        return type(self), (self.status, self.code, self.message, self.details, self.request_id, self.retry_after)


class InvalidRequest(APIError):
    """400: a value of the request is wrong; details name the field."""


class Unauthenticated(APIError):
    """401: the token is missing, unknown, expired or revoked."""


class PermissionDenied(APIError):
    """403: the caller lacks a permission or scope that the operation needs; details name it."""


class PermissionEscalation(APIError):
    """403: more would be granted than caller and creator hold; details name each permission."""


class NotFound(APIError):
    """404: the caller's workspace has no such object."""


class MethodNotAllowed(APIError):
    """405: the path does not take this method."""


class Conflict(APIError):
    """409: the change does not fit the present state."""


class LimitReached(APIError):
    """409: a quota of the workspace's plan has no room left; details name it."""


class BodyTooLarge(APIError):
    """413: the body is larger than 1 MiB."""


class UnsupportedMediaType(APIError):
    """415: the body's type is not one that the operation takes."""


class RateLimited(APIError):
    """429: a limit is spent; retry_after says for how long."""


class Unavailable(APIError):
    """503: the server cannot answer now; nothing was changed."""


class OutcomeUnknown(APIError):
    """503: the change may or may not have taken place. Look before asking again. The client does not repeat such a call by itself."""


_BY_CODE: Dict[str, Type[APIError]] = {
    "invalid_request": InvalidRequest,
    "unauthenticated": Unauthenticated,
    "permission_denied": PermissionDenied,
    "permission_escalation": PermissionEscalation,
    "not_found": NotFound,
    "method_not_allowed": MethodNotAllowed,
    "conflict": Conflict,
    "limit_reached": LimitReached,
    "body_too_large": BodyTooLarge,
    "unsupported_media_type": UnsupportedMediaType,
    "rate_limited": RateLimited,
    "unavailable": Unavailable,
    "outcome_unknown": OutcomeUnknown,
}


_BY_STATUS: Dict[int, Type[APIError]] = {429: RateLimited, 503: Unavailable}


def error_class(status: int, code: str) -> Type[APIError]:
    """error_class gives the class for a code; for an answer without one, by something in front of the server, the status decides."""
    if code:
        return _BY_CODE.get(code, APIError)
    return _BY_STATUS.get(status, APIError)
