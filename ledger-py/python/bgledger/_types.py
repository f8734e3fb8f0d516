"""The records that the ledger tells of: frozen, typed, comparable, picklable, with ``to_dict()`` for JSON."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ._base import Candidate, Executor, Group, Record
from ._generated import Status
from ._time import parse_time, span_of_ms, time_of_ms

if TYPE_CHECKING:
    from ._core import Told

__all__ = [
    "ABSENT",
    "Artifact",
    "Cancel",
    "CancelReply",
    "Candidate",
    "Event",
    "Executor",
    "Failure",
    "Group",
    "Output",
    "Progress",
    "Recorded",
    "Status",
    "Task",
    "TaskPage",
    "Tree",
    "Usage",
    "json_of_text",
    "span_of_ms",
    "time_of_ms",
]


def json_of_text(text: str) -> Any:
    """The value of a JSON text that the ledger kept."""
    return json.loads(text)


@dataclasses.dataclass(frozen=True)
class Cancel(Record):
    """The request to cancel a task: when, by whom, why, and when its executor learned of it."""

    requested_at: datetime
    by: str | None = None
    why: str | None = None
    told_at: datetime | None = None


@dataclasses.dataclass(frozen=True)
class Progress(Record):
    """How far the work is."""

    text: str | None = None
    current: int | None = None
    total: int | None = None
    unit: str | None = None


@dataclasses.dataclass(frozen=True)
class Failure(Record):
    """What went wrong: an exception's type, its message, its traceback."""

    type: str | None = None
    message: str | None = None
    detail: str | None = None


@dataclasses.dataclass(frozen=True)
class Output(Record):
    """The end of a command's output."""

    tail: str
    bytes: int = 0
    truncated: bool = False


@dataclasses.dataclass(frozen=True)
class Artifact(Record):
    """Something the work left behind. ``size`` is in bytes, ``sha256`` 64 hexadecimal digits."""

    uri: str
    size: int | None = None
    sha256: str | None = None
    media_type: str | None = None


@dataclasses.dataclass(frozen=True)
class Usage(Record):
    """What the work cost. ``cost`` is in millionths of a unit, by currency."""

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost: dict[str, int] = dataclasses.field(default_factory=dict)
    tool_calls: int = 0


@dataclasses.dataclass(frozen=True, repr=False)
class Task(Record):
    """The record of one piece of detached work.

    ``number`` is the short handle people type, ``id`` the global one. ``status``, ``outcome`` or ``reason``, ``cancel``,
    ``waiting_on`` and ``delivery`` are separate facts. Times are aware datetimes, lengths of time timedeltas.
    """

    number: int
    id: str
    key: str | None
    runtime: str
    kind: str | None
    source_id: str | None
    run_id: str | None
    owner: str
    requester_session: str | None
    session: str | None
    agent: str | None
    requester_agent: str | None
    parent: str | None
    root: str | None
    flow: str | None
    retry_of: str | None
    label: str
    task: str | None
    metadata: dict[str, str | int | float | bool | None]
    notify: str
    status: Status
    outcome: str | None
    reason: str | None
    cancel: Cancel | None
    waiting_on: str | None
    progress: Progress | None
    error: Failure | None
    summary: str | None
    result: Any
    exit_code: int | None
    signal: int | None
    output: Output | None
    artifacts: dict[str, Artifact]
    usage: Usage | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    updated_at: datetime
    executor: Executor | None
    attempt: int
    attempt_started_at: datetime | None
    lease: timedelta | None
    lease_expires_at: datetime | None
    heartbeat_at: datetime | None
    progress_at: datetime | None
    queue_timeout: timedelta | None
    timeout: timedelta | None
    revision: int
    generation: int
    progress_reports: int
    origin: Any
    delivery: str
    liveness: str | None
    #: Of what ``create`` answers: whether it was recorded now. ``None`` elsewhere, and no part of the record.
    created: bool | None = dataclasses.field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The task as ``bgledger show --json`` has it."""
        record = super().to_dict()
        del record["created"]
        return record

    @classmethod
    def _of(cls, fields: dict[str, Any]) -> Task:
        """A task of all its fields."""
        task = object.__new__(cls)
        object.__setattr__(task, "__dict__", fields)
        return task

    @classmethod
    def _told(cls, told: Told, number: int, ident: str) -> Task:
        """A task as the extension tells it: the other fields are made once one of them is asked for."""
        return cls._of({_TOLD: told, "number": number, "id": ident})

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # Whoever comes here found nothing under that name: fields are missing, or were until a moment ago.
            fields = self.__dict__
            if (told := fields.get(_TOLD)) is not None:
                fields.update(told.fields())
                fields.pop(_TOLD, None)
            if name in fields:
                return fields[name]
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def __getstate__(self) -> dict[str, Any]:
        _status = self.status
        return dict(self.__dict__)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Task:
        """The task of its JSON form: what ``to_dict()`` gave."""
        return cls._of({name: _TASK.get(name, _same)(each) for name, each in value.items()})

    def __hash__(self) -> int:
        return hash((self.id, self.revision))

    def __repr__(self) -> str:
        detail = self.outcome or self.reason
        stands = f"{self.status.value} ({detail})" if detail else self.status.value
        return f"<Task #{self.number} {self.label!r} {stands}>"

    @property
    def is_active(self) -> bool:
        """Queued or running."""
        return self.status.is_active

    @property
    def duration(self) -> timedelta | None:
        """From its first start to its end."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at


_TOLD = "_told_by"
"""Where a task keeps what its fields are made of, as long as nobody asked for one."""

ABSENT: dict[str, Any] = {name: None for name in Task.__dataclass_fields__ if name != "created"}
"""Every field of a task, absent: what the extension begins with."""


def _same(value: Any) -> Any:
    return value


def _time(value: Any) -> Any:
    return None if value is None else parse_time(value)


def _span(value: Any) -> Any:
    return None if value is None else span_of_ms(value)


def _cancel(value: Any) -> Any:
    if value is None:
        return None
    return Cancel(parse_time(value["requested_at"]), value["by"], value["why"], _time(value["told_at"]))


_TASK: dict[str, Any] = {
    "status": Status,
    "cancel": _cancel,
    "progress": lambda value: None if value is None else Progress(**value),
    "error": lambda value: None if value is None else Failure(**value),
    "output": lambda value: None if value is None else Output(**value),
    "artifacts": lambda value: {name: Artifact(**each) for name, each in value.items()},
    "usage": lambda value: None if value is None else Usage(**value),
    "executor": lambda value: None if value is None else Executor.from_dict(value),
    **{
        name: _time
        for name in (
            "created_at",
            "started_at",
            "ended_at",
            "updated_at",
            "attempt_started_at",
            "lease_expires_at",
            "heartbeat_at",
            "progress_at",
        )
    },
    **{name: _span for name in ("lease", "queue_timeout", "timeout")},
}


@dataclasses.dataclass(frozen=True)
class Event(Record):
    """One immutable fact. ``seq`` orders the whole ledger; ``data`` is what its type says beside it."""

    seq: int
    at: datetime
    type: str
    number: int
    id: str
    data: dict[str, Any]

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Event:
        """The event of its JSON form."""
        data = dict(value)
        own = (data.pop("seq"), parse_time(data.pop("at")), data.pop("type"), data.pop("number"), data.pop("id"))
        return cls(*own, data=data)

    def to_dict(self) -> dict[str, Any]:
        """The event as JSON has it: its data stands beside its own fields."""
        own = super().to_dict()
        data = own.pop("data")
        return {**own, **data}

    def __hash__(self) -> int:
        return hash((self.seq, self.id))


@dataclasses.dataclass(frozen=True)
class Recorded(Record):
    """The answer to what changes one task."""

    changed: bool
    cancel_requested: bool
    deadline_passed: bool
    task: Task


@dataclasses.dataclass(frozen=True)
class TaskPage(Record):
    """A page of tasks, newest first. ``next`` goes into ``after``; ``None`` at the end.

    ``unreadable`` says what of it cannot be read: each entry has a ``number`` and the ``problem``.
    """

    tasks: tuple[Task, ...]
    next: str | None
    unreadable: tuple[dict[str, Any], ...] = ()


@dataclasses.dataclass(frozen=True)
class CancelReply(Record):
    """What a cancel came to: ``requested``, ``cancelled``, ``already`` or ``executor_gone``.

    ``descendants`` has the same for the tasks below, by number; ``hooks`` has for each task whose runtime's cancel hook
    was run why it failed, or ``None``.
    """

    cancel: str
    task: Task
    descendants: dict[int, str]
    hooks: dict[int, str | None] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON has it."""
        below = [{"number": number, "cancel": word} for number, word in self.descendants.items()]
        hooks = [{"number": number, "problem": problem} for number, problem in self.hooks.items()]
        return {"cancel": self.cancel, "task": self.task.to_dict(), "descendants": below, "hooks": hooks}


@dataclasses.dataclass(frozen=True)
class Tree(Record):
    """A task and all that descends from it; children oldest first.

    ``truncated`` on the top: it has more descendants than an answer tells. ``unreadable`` there: those whose rows are
    damaged; what is below them is not told.
    """

    task: Task
    children: tuple[Tree, ...]
    truncated: bool = False
    unreadable: tuple[dict[str, Any], ...] = ()

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Tree:
        """The tree of its JSON form."""
        children = tuple(cls.from_dict(each) for each in value["children"])
        unreadable = tuple(value.get("unreadable", ()))
        return cls(Task.from_dict(value["task"]), children, value.get("truncated", False), unreadable)
