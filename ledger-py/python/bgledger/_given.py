"""What callers give, checked before anything is asked of the ledger. A refusal names the argument."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar, Union

from . import _core
from ._base import EPOCH, MILLISECOND, Record
from ._errors import InvalidType, invalid
from ._types import Task

T = TypeVar("T")

Span = Union[float, timedelta, str]
"""A length of time: seconds, a ``timedelta``, or text such as ``"90s"`` or ``"2h 30m"``."""


def _kind(value: object) -> str:
    return f"{type(value).__name__} {shown(value)}"


def shown(value: object) -> str:
    """A value in a message, cut if long."""
    try:
        text = ascii(value)
    except Exception:
        text = "(no repr)"
    return text if len(text) <= 80 else text[:77] + "..."


def text(name: str, value: object) -> str:
    """A text that is Unicode."""
    if not isinstance(value, str):
        invalid(name, _kind(value), "a text", InvalidType)
    try:
        value.encode()
    except UnicodeEncodeError:
        invalid(name, f"{shown(value)} has a lone surrogate", "a text that is valid Unicode")
    return value


def count(name: str, value: object, bits: int = 64) -> int:
    """A whole number from 0 on that the core can be given; what it takes, it says."""
    return _whole(name, value, 0, 2**bits, f"a whole number from 0 on, of {bits} bits")


def integer(name: str, value: object) -> int:
    """A whole number of 32 bits."""
    return _whole(name, value, -(2**31), 2**31, "a whole number of 32 bits")


def attempt(name: str, value: object) -> int:
    """An attempt's number."""
    return count(name, value, 32)


def _whole(name: str, value: object, least: int, beyond: int, expected: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        invalid(name, _kind(value), "a whole number", InvalidType)
    if not least <= value < beyond:
        invalid(name, shown(value), expected)
    return value


def span(name: str, value: object) -> int:
    """A length of time, in milliseconds."""
    if isinstance(value, str):
        ms = _core.span(text(name, value))
        if ms is None:
            invalid(name, shown(value), _LENGTHS)
        return ms
    if isinstance(value, timedelta):
        ms = value // MILLISECOND
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        # Compared as it is given: a float that no integer can hold is none of the numbers in between.
        ms = round(value * 1000) if 0 <= value <= _LONGEST else -1
    else:
        invalid(name, _kind(value), _LENGTHS, InvalidType)
    if not 0 <= ms <= _LONGEST:
        invalid(name, shown(value), f"{_LENGTHS}: not negative, {_LONGEST // 86_400_000} days at most")
    return ms


_LONGEST = _core.LONGEST_SPAN
_LENGTHS = 'seconds, a timedelta, or text such as "90s" or "2h 30m"'


def time(name: str, value: object) -> int:
    """An aware time, in milliseconds since 1970."""
    if not isinstance(value, datetime):
        invalid(name, _kind(value), "an aware datetime", InvalidType)
    if value.utcoffset() is None:
        invalid(name, f"{value.isoformat()} is naive", "an aware datetime, with a time zone")
    ms = (value - EPOCH) // MILLISECOND
    if ms < 0:
        invalid(name, value.isoformat(), "a time from 1970 on")
    return ms


def lookup(name: str, value: object) -> int | str:
    """A number, an id, a run id, a session key, or a task."""
    if type(value) is Task:
        return f"id:{value.id}"
    return _named(name, value, False, "a task, its number, id, run id or session key")


def flow(name: str, value: object) -> int | str:
    """A flow's number, an id, an owner, or a flow."""
    return _named(name, value, True, "a flow, its number such as F3, id or owner")


def _named(name: str, value: object, is_flow: bool, expected: str) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 < value < 2**63:
            invalid(name, shown(value), f"a number from 1 on: {expected}")
        return value
    if isinstance(value, str):
        return text(name, value)
    if isinstance(value, uuid.UUID):
        return f"id:{value}"
    ident = getattr(value, "id", None)
    if isinstance(ident, str) and hasattr(value, "number") and hasattr(value, "goal") is is_flow:
        return f"id:{ident}"
    invalid(name, _kind(value), expected, InvalidType)


def json_text(name: str, value: object) -> str:
    """Any value that JSON can say, as its text."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_record)
        text.encode()
    except UnicodeEncodeError:
        invalid(name, "it has a lone surrogate", "text that is valid Unicode")
    except RecursionError:
        invalid(name, "it nests too deeply", "what JSON can say")
    except TypeError as error:
        invalid(name, str(error), "what JSON can say", InvalidType)
    except ValueError as error:
        invalid(name, str(error), "what JSON can say")
    return text


def _record(value: object) -> object:
    if isinstance(value, Record):
        return value.to_dict()
    raise TypeError(f"a {type(value).__name__} is not JSON")


def plain(name: str, value: object) -> Any:
    """The same value after it went through JSON."""
    return json.loads(json_text(name, value))


def metadata(name: str, value: object) -> dict[str, Any]:
    """A flat map of names to texts, numbers, booleans and nulls."""
    if not isinstance(value, Mapping):
        invalid(name, _kind(value), "a mapping of names to texts, numbers, booleans and nulls", InvalidType)
    flat: dict[str, Any] = {}
    for key, each in value.items():
        key = text(f"{name} (a name)", key)
        if each is not None and not isinstance(each, (str, int, float, bool)):
            invalid(f"{name}.{key}", _kind(each), "a text, number, boolean or None", InvalidType)
        json_text(f"{name}.{key}", each)
        flat[key] = each
    return flat


def flag(name: str, value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        invalid(name, _kind(value), "True or False", InvalidType)
    return value


def path(name: str, value: object) -> str:
    """A file's path; the default one for ``None``."""
    if value is None:
        return os.fspath(_core.default_path())
    if not isinstance(value, (str, os.PathLike)):
        invalid(name, _kind(value), "a path", InvalidType)
    spelled: Any = os.fspath(value)
    if not isinstance(spelled, str):
        invalid(name, _kind(value), "a path that is text", InvalidType)
    if "\0" in spelled:
        invalid(name, shown(spelled), "a path without NUL")
    try:
        os.fsencode(spelled)
    except UnicodeEncodeError:
        invalid(name, shown(spelled), "a path that the file system can spell")
    return str(spelled)


def texts(name: str, value: object, expected: str) -> list[str]:
    """A text, or several."""
    if isinstance(value, str):
        return [text(name, value)]
    if not isinstance(value, Iterable):
        invalid(name, _kind(value), expected, InvalidType)
    return [text(name, each) for each in value]


def optional(check: Callable[[str, object], T], name: str, value: object) -> T | None:
    """The same for what may be left out."""
    return None if value is None else check(name, value)
