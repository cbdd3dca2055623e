"""Readers for the members of an answer. Each takes a JSON value and gives the value of the dataclass, or raises ProtocolError."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any, Callable, Dict, List, Mapping, Optional, Protocol, Type, TypeVar

from .errors import ProtocolError
from .secret import Secret, looks_like_key, mask

_FRACTION = re.compile(r"\.([0-9]+)")

T = TypeVar("T")
M = TypeVar("M", bound="Model")


class Model(Protocol):
    @classmethod
    def from_json(cls: Type[M], data: Mapping[str, Any]) -> M: ...


def value(data: Mapping[str, Any], name: str, read: Callable[[Any], T]) -> T:
    """value reads one member; an error names it."""
    try:
        return read(data.get(name))
    except ProtocolError as error:
        raise ProtocolError(f"{name}: {error}") from None


def optional(read: Callable[[Any], T]) -> Callable[[Any], Optional[T]]:
    return lambda v: None if v is None else read(v)


def string(v: Any) -> str:
    if not isinstance(v, str):
        raise ProtocolError("not a string")
    return v


def integer(v: Any) -> int:
    if not isinstance(v, int) or isinstance(v, bool):
        raise ProtocolError("not an integer")
    return v


def boolean(v: Any) -> bool:
    if not isinstance(v, bool):
        raise ProtocolError("not a boolean")
    return v


def mapping(v: Any) -> Any:
    return v


def secret(v: Any) -> Secret:
    return Secret(string(v))


def masked_key(v: Any) -> str:
    text = string(v)
    return mask(text) if looks_like_key(text) else text


def time(v: Any) -> datetime:
    text = string(v)
    try:
        if text[-1:] in ("Z", "z"):
            text = text[:-1] + "+00:00"
        # Before Python 3.11 fromisoformat takes a fraction of three or six digits alone.
        text = _FRACTION.sub(lambda found: "." + found.group(1)[:6].ljust(6, "0"), text)
        return datetime.fromisoformat(text).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise ProtocolError("not a time") from None


def strings(v: Any) -> List[str]:
    return each(string)(v)


def each(read: Callable[[Any], T]) -> Callable[[Any], List[T]]:
    def items(v: Any) -> List[T]:
        if not isinstance(v, list):
            raise ProtocolError("not a list")
        return [read(item) for item in v]

    return items


def table(read: Callable[[Any], T]) -> Callable[[Any], Dict[str, T]]:
    def items(v: Any) -> Dict[str, T]:
        if not isinstance(v, dict):
            raise ProtocolError("not an object")
        return {name: read(item) for name, item in v.items()}

    return items


def obj(model: Type[M]) -> Callable[[Any], M]:
    def read(v: Any) -> M:
        if not isinstance(v, dict):
            raise ProtocolError("not an object")
        return model.from_json(v)

    return read
