"""What everything else stands on: records with a JSON form, and the base of all errors."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from ._generated import Status

EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
MILLISECOND: Final = timedelta(milliseconds=1)


def json_form(value: Any) -> Any:
    """A value as the ledger's JSON has it: times in RFC 3339, lengths of time in milliseconds."""
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value // MILLISECOND
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {name: json_form(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_form(each) for each in value]
    return value


class Record:
    """A frozen record. ``to_dict()`` gives the shape that ``bgledger --json`` prints."""

    __slots__ = ()

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON has it: every field under its name, absent values as ``None``."""
        return {name: json_form(getattr(self, name)) for name in self.__dataclass_fields__}


@dataclasses.dataclass(frozen=True)
class Group(Record):
    """A process group and its leader's start, which tells a reused number apart."""

    id: int
    started: int


@dataclasses.dataclass(frozen=True)
class Executor(Record):
    """The process that does the work."""

    machine: str | None = None
    boot: str | None = None
    pid_namespace: int | None = None
    pid: int | None = None
    started: int | None = None
    nonce: str | None = None
    group: Group | None = None

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Executor:
        """The executor of its JSON form."""
        group = value.get("group")
        return cls(**{**value, "group": None if group is None else Group(**group)})


@dataclasses.dataclass(frozen=True)
class Process(Record):
    """A process of this machine as whoever starts a task names it: by its pid.

    ``group`` is the process group of the command that it runs (the leader's pid): a cancel stops that group.
    """

    pid: int
    group: int | None = None


@dataclasses.dataclass(frozen=True)
class Candidate(Record):
    """One of several tasks that fit a lookup."""

    number: int
    id: str
    status: Status
    runtime: str
    label: str


class LedgerError(Exception):
    """The base of everything that the ledger raises.

    ``code`` is a stable word, ``hint`` says what may be done, and the fields that matter are attributes:
    ``exc.recorded_status``, ``exc.candidates``. ``str(exc)`` is for people and may change.
    """

    code: str = "internal"
    number_of_code: int = 0
    hint: str | None = None

    def __init__(self, body: dict[str, Any] | str, fields: dict[str, Any] | None = None) -> None:
        self.body: dict[str, Any] = {"message": body} if isinstance(body, str) else body
        super().__init__(self.body.get("message", ""))
        self.hint = self.body.get("hint")
        for name, value in (fields or {}).items():
            setattr(self, name, value)

    @property
    def message(self) -> str:
        """What went wrong, in words."""
        return str(self.body.get("message", ""))

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message} ({self.hint})"

    def __reduce__(self) -> Any:
        from ._errors import again

        return again, (type(self), json.dumps(self.body))
