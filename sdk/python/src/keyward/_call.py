"""One operation on its way to the server, without any input or output: how a call becomes bytes, and an answer a result or an error."""

from __future__ import annotations

import enum
import json
import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Callable, Dict, Generic, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union
from urllib.parse import quote, urlencode, urlsplit

from .errors import APIError, Detail, KeywardError, ProtocolError, error_class
from .secret import Secret, looks_like_key

T = TypeVar("T")

BASE = "/api/v2"
MAX_ANSWER = 32 << 20  # bytes: a batch of 1,000 verdicts with full metadata, several times over
MAX_REFUSAL = 1 << 20
LONGEST_RETRY_AFTER = 60.0  # seconds that a call waits by itself; a daily quota asks for hours, and the caller decides
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0


class Unset(enum.Enum):
    """Unset is the type of UNSET: a member that is not sent, which differs from None (null: no expiry, no limit, cleared)."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset.UNSET


class Repeat(enum.Enum):
    """Repeat says after which failures a call may be sent again."""

    ALWAYS = "always"  # doing it twice does no harm: reads, full updates, deletions, calls with an idempotency key
    REFUSED = "refused"  # only after 429 and 503, which say that nothing was done
    NEVER = "never"


@dataclass(frozen=True)
class Call(Generic[T]):
    """Call is one operation. operation is its operationId in the OpenAPI document."""

    operation: str
    method: str
    path: Sequence[str]
    read: Callable[[Any], T]
    query: Sequence[Tuple[str, Any]] = ()
    # These hold keys, which a traceback with its variables would show.
    body: Optional[Mapping[str, Any]] = field(default=None, repr=False)
    form: Optional[Sequence[Tuple[str, Union[str, Secret]]]] = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    repeat: Repeat = Repeat.NEVER
    bare: bool = False  # the answer is not in the envelope (OAuth, operation endpoints)
    root: bool = False  # the path is not below /api/v2
    question: bool = False  # the body names the workspaces
    within: Optional[float] = None  # seconds for all attempts together

    def target(self) -> str:
        """target gives path and query. Keys are refused in both, because URLs are logged."""
        out = "" if self.root else BASE
        for segment in self.path:
            if segment in ("", ".", ".."):
                raise KeywardError(f"{segment!r} cannot be an id in a path")
            if looks_like_key(segment):
                raise KeywardError("an id is wanted, not a key: keys are not put into URLs")
            out += "/" + quote(segment, safe="")
        pairs = [(name, text) for name, v in self.query for text in _texts(v)]
        for name, text in pairs:
            if looks_like_key(text):
                raise KeywardError(f"{name} is a key: keys are not put into URLs")
        return out + ("?" + urlencode(pairs) if pairs else "")

    def payload(self) -> Tuple[Optional[bytes], Optional[str]]:
        if self.form is not None:
            pairs = [(name, v.reveal() if isinstance(v, Secret) else v) for name, v in self.form]
            return urlencode(pairs).encode(), "application/x-www-form-urlencoded"
        if self.body is not None:
            return json.dumps(plain(self.body), ensure_ascii=False, allow_nan=False).encode(), "application/json"
        return None, None


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes = field(repr=False)


def plain(v: Any) -> Any:
    """plain makes JSON of a request's values: times as RFC 3339, sets as lists; UNSET members are left out."""
    if isinstance(v, Mapping):
        return {name: plain(item) for name, item in v.items() if item is not UNSET}
    if isinstance(v, (list, tuple)):
        return [plain(item) for item in v]
    if isinstance(v, (set, frozenset)):
        return sorted(plain(item) for item in v)
    if isinstance(v, datetime):
        return time_text(v)
    if isinstance(v, Secret):
        return v.reveal()
    return v


def time_text(v: datetime) -> str:
    if v.tzinfo is None:
        raise KeywardError("a time without a time zone is refused: use datetime.now(timezone.utc) or the like")
    return v.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _texts(v: Any) -> List[str]:
    if v is None or v is UNSET:
        return []
    if isinstance(v, bool):
        return ["true" if v else "false"]
    if isinstance(v, datetime):
        return [time_text(v)]
    if isinstance(v, (list, tuple, set, frozenset)):
        return [text for item in v for text in _texts(item)]
    return [str(v)]


def new_idempotency_key() -> str:
    return str(uuid.uuid4())


def result_of(call: Call[T], answer: Answer) -> T:
    """result_of reads the result of an answer that was not refused."""
    if call.read is raw_bytes:
        return call.read(answer.body)
    try:
        document = json.loads(answer.body) if answer.body else {}
    except ValueError:
        raise ProtocolError("the answer is not JSON: is this a Keyward server?") from None
    if call.bare:
        return call.read(document)
    if not isinstance(document, dict) or document.get("success") is not True or not isinstance(document.get("data"), dict):
        raise ProtocolError("the answer holds no result: is this a Keyward server?")
    if "result" not in document["data"]:
        raise ProtocolError("the answer holds no result: is this a Keyward server?")
    return call.read(document["data"]["result"])


def raw_bytes(v: Any) -> Any:
    return v


def without_frames(error: KeywardError) -> KeywardError:
    """without_frames drops the frames of an error and of its causes: their variables hold the token and keys, and programs that report
    errors show variables."""
    at: Optional[BaseException] = error
    while at is not None:
        at.__traceback__ = None
        at = at.__cause__ or at.__context__
    return error


def refusal_of(answer: Answer) -> APIError:
    """refusal_of makes an error of a refusal. A body that is not Keyward's is not repeated: it may hold anything."""
    code, message, details = "", "", []
    request_id = answer.headers.get("x-request-id")
    if 300 <= answer.status < 400:
        message = "the answer is a redirect, which is not followed because it would carry the token elsewhere"
    else:
        try:
            document = json.loads(answer.body)
        except ValueError:
            document = None
        own = document.get("error") if isinstance(document, dict) else None
        if isinstance(own, str) and isinstance(document, dict):
            code, message = own, str(document.get("error_description", ""))
        elif isinstance(own, dict) and isinstance(own.get("code"), str):
            code, message = own["code"], str(own.get("message", ""))
            listed = own.get("details")
            for d in listed if isinstance(listed, list) else []:
                if isinstance(d, dict):
                    details.append(Detail(str(d.get("field", "")), str(d.get("message", ""))))
            if isinstance(own.get("requestId"), str):
                request_id = own["requestId"]
    return error_class(answer.status, code)(answer.status, code, message, details, request_id, retry_after(answer.headers))


def retry_after(headers: Mapping[str, str]) -> Optional[float]:
    """retry_after reads both forms of RFC 9110, section 10.2.3. A date is measured against the answer's own Date, else against this
    clock."""
    text = headers.get("retry-after", "").strip()
    if _digits(text) and len(text) < 10:
        return float(text)
    at = _date(text)
    sent = _date(headers.get("date", "")) or datetime.now(timezone.utc)
    return None if at is None else max(0.0, (at - sent).total_seconds())


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _date(text: str) -> Optional[datetime]:
    """_date reads a date of HTTP; None for another text."""
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)


def pause_before(
    call: Call[Any], error: KeywardError, attempt: int, retries: int, left: Optional[float] = None
) -> Optional[float]:
    """pause_before gives the seconds to wait before the next attempt, or None where there is none.

    The pause is the time that the server asks for and a random part of a span that doubles with each attempt ("full jitter"). One that
    would take all of the seconds that are left is not begun.
    """
    if attempt >= retries or call.repeat is Repeat.NEVER:
        return None
    asked = 0.0
    if isinstance(error, APIError):
        if error.code == "outcome_unknown" or error.status not in (429, 503):
            return None
        asked = error.retry_after or 0.0
        if asked > LONGEST_RETRY_AFTER:
            return None
    elif call.repeat is not Repeat.ALWAYS:
        return None
    pause = asked + random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt, 10)))
    return None if left is not None and pause >= left else pause


@dataclass(frozen=True)
class Base:
    """Base is a server's address: a URL, or unix:/path for a socket."""

    scheme: str
    host: str
    port: int
    prefix: str
    socket: str

    @property
    def authority(self) -> str:
        if self.socket:
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"


def base_of(url: str) -> Base:
    """base_of reads http://, https:// and unix:/path. The URL is not repeated in an error: it can hold a password."""
    if url.startswith("unix:"):
        path = url[len("unix:"):]
        if not path.startswith("/"):
            raise KeywardError("the base URL unix:/path needs an absolute path")
        return Base("http", "localhost", 80, "", path)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise KeywardError("the base URL cannot be parsed") from None
    if parts.scheme not in ("http", "https"):
        raise KeywardError("the base URL is not http, https or unix")
    if not parts.hostname:
        raise KeywardError("the base URL names no host")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise KeywardError("the base URL holds a user, a query or a fragment")
    return Base(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/"), "")


def token_of(token: Union[str, Secret, None]) -> Optional[Secret]:
    if token is None:
        return None
    text = token.reveal() if isinstance(token, Secret) else token
    if text == "" or any(not "!" <= c <= "~" for c in text):
        raise KeywardError("the token is empty or holds characters that a header cannot carry")
    return Secret(text)


def head_of(call: Call[Any], base: Base, token: Optional[Secret], agent: str, content_type: Optional[str]) -> Dict[str, str]:
    headers = {"Host": base.authority, "User-Agent": agent, "Accept": "application/json"}
    headers.update(call.headers)
    if content_type:
        headers["Content-Type"] = content_type
    if token is not None:
        headers["Authorization"] = "Bearer " + token.reveal()
    for name, text in headers.items():
        if any(c in "\r\n\0" or c > "\xff" for c in text):
            raise KeywardError(f"{name} holds characters that a header cannot carry")
    return headers


_STATUS = {
    "invalid_request": 400, "permission_denied": 403, "permission_escalation": 403, "not_found": 404, "conflict": 409,
    "limit_reached": 409, "unavailable": 503, "outcome_unknown": 503,
}


def item_error(code: str, details: Sequence[Tuple[str, str]]) -> APIError:
    """item_error makes an error of what went wrong with one item of a bulk operation."""
    status = _STATUS.get(code, 400)
    return error_class(status, code)(status, code, "", [Detail(name, text) for name, text in details])
