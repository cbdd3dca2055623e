"""The decision of the guards: how a key is read from a request, and how a refusal is told. It does no input and no output.

keyward.wsgi, keyward.asgi and keyward.fastapi use it. A refusal has the status, the fields and the body that Keyward itself gives.
Where the server cannot be asked, no request gets through: 503.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple
from urllib.parse import unquote_to_bytes

from ._models import LimitState, Verdict
from .errors import Detail

log = logging.getLogger("keyward.guard")

Demand = Mapping[str, Sequence[str]]

_NAMES = {"authorization": "Authorization", "x-api-key": "X-API-Key"}
_REQUEST_ID = re.compile(r"^[0-9A-Za-z._:-]{1,128}$")
_KEY_IN_TEXT = re.compile(rb"[a-z][a-z0-9]{0,15}_(?:live|test|svc)_[0-9A-Za-z]{49}(?![0-9A-Za-z])")
LONGEST_CACHE = 60.0  # seconds


@dataclass(frozen=True)
class Refusal:
    """Refusal is the answer to a request that does not get through."""

    status: int
    code: str
    message: str
    details: Tuple[Detail, ...] = ()
    challenge: str = ""
    retry_after: Optional[int] = None

    def answer(self, request_id: Optional[str], limits: Sequence[Tuple[str, str]] = ()) -> Tuple[List[Tuple[str, str]], bytes]:
        """answer gives the fields and the body."""
        shown = request_id if request_id and _REQUEST_ID.match(request_id) and not holds_key(request_id.encode()) else secrets.token_hex(13)
        body = {
            "success": False,
            "error": {
                "code": self.code, "message": self.message,
                "details": [{"field": d.field, "message": d.message} for d in self.details], "requestId": shown,
            },
        }
        headers = [
            ("Content-Type", "application/json; charset=utf-8"), ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"), ("X-Request-Id", shown), *limits,
        ]
        if self.challenge:
            headers.append(("WWW-Authenticate", self.challenge))
        if self.retry_after is not None:
            headers.append(("Retry-After", str(self.retry_after)))
        return headers, json.dumps(body, ensure_ascii=False).encode()


UNAVAILABLE = Refusal(503, "unavailable", "this cannot be answered now; ask again shortly", retry_after=1)
NO_KEY = Refusal(
    401, "unauthenticated", "this needs an API key: Authorization: Bearer <key>, or X-API-Key: <key>", challenge="Bearer"
)
_IN_URL = "a credential must not stand in a URL, where logs keep it: treat it as exposed, and send it in the Authorization header"


class Refused(Exception):
    """Refused carries a refusal out of the reading of a request."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.limits: List[Tuple[str, str]] = []


def _invalid(name: str, message: str) -> Refused:
    return Refused(Refusal(400, "invalid_request", f"{name}: {message}", (Detail(name, message),)))


def holds_key(text: bytes) -> bool:
    """holds_key tells whether a text holds a whole key of Keyward's form, also percent-encoded."""
    return _KEY_IN_TEXT.search(text) is not None or _KEY_IN_TEXT.search(unquote_to_bytes(text)) is not None


def credential(headers: Sequence[Tuple[str, str]], query: bytes) -> str:
    """credential reads the one key of a request, from Authorization: Bearer (RFC 6750, section 2.1) or X-API-Key.

    Two that differ are refused, because another reader could take the other one; so is a key in the URL, which is logged. Raises
    Refused.
    """
    if holds_key(query):
        raise _invalid("query", _IN_URL)
    given: Dict[str, str] = {}
    for name, text in headers:
        lower = name.lower()
        if lower in _NAMES:
            if lower in given:
                raise _invalid(_NAMES[lower], "stands more than once")
            given[lower] = text
    key = ""
    if given.get("authorization"):
        scheme, _, rest = given["authorization"].partition(" ")
        if scheme.lower() == "bearer":
            key = rest.strip(" ")
        if given.get("x-api-key") and given["x-api-key"].strip(" ") != key:
            raise _invalid("X-API-Key", "differs from the credential in Authorization")
    elif given.get("x-api-key"):
        key = given["x-api-key"].strip(" ")
    if not key:
        raise Refused(NO_KEY)
    return key


class _Told:
    """_Told remembers the notices of two generations. One is given again only after as many others as a generation holds."""

    most = 10_000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: Set[Tuple[str, Optional[str], datetime]] = set()
        self._then: Set[Tuple[str, Optional[str], datetime]] = set()

    def first(self, about: str, key: Optional[str], end: datetime) -> bool:
        """first tells whether a notice was not given before."""
        notice = (about, key, end)
        with self._lock:
            if notice in self._now:
                return False
            again = notice in self._then
            if len(self._now) >= self.most:
                self._now, self._then = set(), self._now
            self._now.add(notice)
            return not again


@dataclass(frozen=True)
class Policy:
    """Policy is the demand of a guard and its way of asking.

    environment: "live" or "test"; demand it, because without it a test key opens production. workspaces: the ids of which the key
    must be of one. cache: seconds (at most 60) for which a VALID answer for a key without limits is taken as still true; 0 asks
    for every request. A key that was revoked gets through for up to that long. cache_entries bounds the memory of it. timeout:
    seconds that a request waits for the server, further attempts included; then it is refused with 503.
    """

    environment: Optional[str] = None
    workspaces: Optional[Sequence[str]] = None
    cache: float = 0.0
    cache_entries: int = 10_000
    timeout: float = 2.0
    clock: Callable[[], float] = time.time
    _kept: Dict[bytes, Tuple[Verdict, float]] = field(default_factory=dict, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _told: _Told = field(default_factory=_Told, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.workspaces is not None and len(self.workspaces) == 0:
            raise ValueError("workspaces: a workspace is demanded, and none is named")
        if self.environment not in (None, "live", "test"):
            raise ValueError("environment is live or test")
        if not 0 <= self.cache <= LONGEST_CACHE:
            raise ValueError("cache is 0 to 60 seconds")
        if self.timeout <= 0:
            raise ValueError("timeout is more than 0 seconds")

    def question(self, key: str, demand: Demand, cost: Optional[int], ip: Optional[str]) -> Dict[str, Any]:
        """question gives the arguments of verify."""
        return {
            "key": key, "permissions": dict(demand), "environment": self.environment,
            "workspace_id": list(self.workspaces) if self.workspaces is not None else None, "ip": ip, "cost": cost,
            "timeout": self.timeout,
        }

    def kept(self, question: Mapping[str, Any]) -> Optional[Verdict]:
        """kept gives the verdict on the same question, if it is still taken as true."""
        if self.cache == 0:
            return None
        digest = _digest(question)
        with self._lock:
            found = self._kept.get(digest)
            if found is None:
                return None
            if self.clock() >= found[1]:
                del self._kept[digest]
                return None
            return found[0]

    def keep(self, question: Mapping[str, Any], verdict: Verdict, asked: float) -> None:
        """keep notes a VALID answer for a key without limits, from the moment of asking, and no longer than the key lasts."""
        if self.cache == 0 or not verdict.valid or verdict.rate_limit is not None:
            return
        until = asked + self.cache
        for end in (verdict.expires_at, verdict.previous_key_expires_at):
            if end is not None:
                until = min(until, end.timestamp())
        with self._lock:
            if len(self._kept) >= self.cache_entries:
                self._kept.pop(next(iter(self._kept)))
            self._kept[_digest(question)] = (verdict, until)

    def warn(self, verdict: Verdict) -> None:
        """warn tells the service's log, once each, that the key expires within seven days, and that an earlier value of it is still in use."""
        expires, overlap = verdict.expires_at, verdict.previous_key_expires_at
        if expires is not None and self._left(expires) < 7 * 86400 and self._told.first("expires", verdict.key_id, expires):
            log.warning("key %s expires in %d hours", verdict.key_id, self._hours(expires))
        if overlap is not None and self._told.first("earlier", verdict.key_id, overlap):
            log.warning(
                "an earlier value of the rotated key %s is still in use; it ends in %d hours", verdict.key_id, self._hours(overlap)
            )

    def _left(self, end: datetime) -> float:
        return end.timestamp() - self.clock()

    def _hours(self, end: datetime) -> int:
        return max(0, int(self._left(end) // 3600))

    def judge(self, verdict: Verdict, demand: Demand) -> None:
        """judge raises Refused for a verdict that is not VALID."""
        if verdict.valid is True and verdict.code == "VALID":
            return
        raise Refused(refusal_of(verdict, demand, self.clock()))


def demand_of(all: Sequence[str] = (), any: Optional[Sequence[str]] = None) -> Demand:
    """demand_of makes the demand of a guard; one permission out of none cannot be met, and is refused when the service starts."""
    if isinstance(all, str) or isinstance(any, str):
        raise TypeError("permissions are a list, not one string")
    demand: Dict[str, Sequence[str]] = {}
    if all:
        demand["all"] = list(all)
    if any is not None:
        if len(any) == 0:
            raise ValueError("any: one permission out of none is demanded")
        demand["any"] = list(any)
    return demand


def refusal_of(verdict: Verdict, demand: Demand, now: float) -> Refusal:
    """refusal_of gives the refusal for a verdict. Unknown, disabled and expired keys get the same one."""
    code = verdict.code
    if code == "IP_FORBIDDEN":
        outside = (Detail("allowedIps", "do not hold the address of the request"),)
        message = "this key may not be used from this address"
        return Refusal(403, "permission_denied", message, outside, challenge='Bearer error="insufficient_scope"')
    if code == "INSUFFICIENT_PERMISSIONS":
        scope = " ".join([*demand.get("all", ()), *demand.get("any", ())])
        details = tuple(Detail("permissions", p) for p in verdict.missing_permissions or ())
        message = "the key lacks a permission"
        return Refusal(403, "permission_denied", message, details, challenge=f'Bearer error="insufficient_scope", scope="{scope}"')
    if code in ("RATE_LIMITED", "QUOTA_EXCEEDED"):
        wait = _until_reset(verdict, now)
        message = f"the limit per {'day' if code == 'QUOTA_EXCEEDED' else 'minute'} is used up"
        return Refusal(429, "rate_limited", message, retry_after=wait)
    if code in ("MALFORMED", "NOT_FOUND", "DISABLED", "EXPIRED"):
        return Refusal(401, "unauthenticated", "the credential is not valid", challenge='Bearer error="invalid_token"')
    return UNAVAILABLE  # a code of a later release


def limit_headers(verdict: Verdict, now: float) -> List[Tuple[str, str]]:
    """limit_headers gives RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers)."""
    if verdict.rate_limit is None:
        return []
    policies, states = [], []
    limits = verdict.rate_limit
    for name, seconds, state in (
        ("minute", 60, limits.minute), ("day", 86400, limits.day),
        ("workspace-minute", 60, limits.workspace_minute), ("workspace-day", 86400, limits.workspace_day),
    ):
        if state is not None:
            left = max(0, math.ceil(state.reset_at.timestamp() - now))
            policies.append(f'"{name}";q={state.limit};w={seconds}')
            states.append(f'"{name}";r={state.remaining};t={left}')
    return [("RateLimit-Policy", ", ".join(policies)), ("RateLimit", ", ".join(states))] if policies else []


def _until_reset(verdict: Verdict, now: float) -> int:
    states: Tuple[Optional[LimitState], ...] = ()
    limits = verdict.rate_limit
    if limits is not None:
        day = verdict.code == "QUOTA_EXCEEDED"
        states = (limits.day, limits.workspace_day) if day else (limits.minute, limits.workspace_minute)
    return max([1, *(math.ceil(s.reset_at.timestamp() - now) for s in states if s is not None)])


def _digest(question: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(json.dumps(question, sort_keys=True, default=list).encode()).digest()


def utc(seconds: float) -> datetime:
    """utc gives a time of Policy.clock as a datetime."""
    return datetime.fromtimestamp(seconds, timezone.utc)
