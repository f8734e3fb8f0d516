"""How an error of the core becomes an exception, and what Python adds."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NoReturn

from ._base import Candidate, Executor, LedgerError
from ._codes import BY_CODE, CancelRequested, Internal, InvalidValue
from ._generated import FlowStatus, Status
from ._time import parse_time


class InvalidType(InvalidValue, TypeError):
    """An argument of a type that cannot be; also a ``TypeError``."""


class TaskCancelled(CancelRequested):
    """Raised by ``task.raise_if_cancelled()``: cancel of the task was requested."""


def fields_of(body: dict[str, Any]) -> dict[str, Any]:
    """The fields of an error as Python has them."""
    status = FlowStatus if "flow" in body else Status
    return {name: _field(name, value, status) for name, value in body.items() if name not in _COMMON}


_COMMON = frozenset({"code", "class", "message", "hint"})


def _field(name: str, value: Any, status: type[Status] | type[FlowStatus]) -> Any:
    if value is None:
        return None
    if name == "recorded_status":
        return status(value)
    if name == "executor":
        return Executor.from_dict(value)
    if name == "candidates":
        return tuple(Candidate(**{**each, "status": Status(each["status"])}) for each in value)
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, str) and (name in {"given", "now", "earliest"} or name.endswith("_at")):
        parsed: datetime = parse_time(value)
        return parsed
    return value


def raised(body: str | dict[str, Any]) -> LedgerError:
    """The exception of an error's JSON."""
    fields: dict[str, Any] = json.loads(body) if isinstance(body, str) else body
    return BY_CODE.get(fields.get("code", ""), Internal)(fields, fields_of(fields))


def again(kind: type[LedgerError], body: str) -> LedgerError:
    """An exception as it was pickled."""
    fields: dict[str, Any] = json.loads(body)
    return kind(fields, fields_of(fields))


def invalid(field: str, problem: str, expected: str, kind: type[InvalidValue] = InvalidValue) -> NoReturn:
    """Refuses an argument before anything is asked of the ledger."""
    message = f"{field}: {problem}; expected {expected}"
    body = {"code": kind.code, "class": "invalid", "message": message, "hint": None}
    fields = {"field": field, "problem": problem, "expected": expected}
    raise kind({**body, **fields}, fields)
