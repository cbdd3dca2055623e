"""The value of a credential, which does not print."""

from __future__ import annotations

import hmac
import re
from typing import Dict, NoReturn, Union

_TAIL = 49  # base62 digits at the end of a key: 43 random ones and 6 of the checksum
_KEY = re.compile(r"^([a-z][a-z0-9]{0,15}_(?:live|test|svc)_)[0-9A-Za-z]{49}$")


class Secret:
    """Secret holds a value that is shown once. It prints, formats and compares without telling the value; reveal gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """reveal gives the value. Store it where secrets are stored, and nowhere else."""
        return self._value

    def __str__(self) -> str:
        return "[secret]"

    def __repr__(self) -> str:
        return "Secret([secret])"

    def __format__(self, spec: str) -> str:
        return format("[secret]", spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(("keyward.Secret", self._value))

    def __bool__(self) -> bool:
        return self._value != ""

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: Dict[int, object]) -> Secret:
        return self  # it never changes; dataclasses.asdict copies deeply

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled; store reveal() where secrets are stored")


def secret_of(value: Union[str, Secret]) -> Secret:
    """secret_of wraps a value, so that a variable which holds it does not print."""
    return value if isinstance(value, Secret) else Secret(value)


def looks_like_key(text: str) -> bool:
    """looks_like_key tells whether a text has the form of a key of Keyward."""
    return _KEY.match(text) is not None


def mask(text: str) -> str:
    """mask shows a value as the server does: kw_live_AbCd…wxyz. A text of another form becomes one ellipsis."""
    found = _KEY.match(text)
    if found is None:
        return "…"
    head = found.end(1)
    return text[: head + 4] + "…" + text[-4:]
