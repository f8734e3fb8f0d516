"""What the ledger tells of flows: frozen, typed records."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, Union

from ._base import Record
from ._generated import FlowStatus
from ._time import parse_time
from ._types import Usage

if TYPE_CHECKING:
    from ._async_flow import AsyncFlow
    from ._flow_run import FlowRun

__all__ = [
    "Blocked",
    "Flow",
    "FlowCancel",
    "FlowCancelReply",
    "FlowLookup",
    "FlowPage",
    "FlowStatus",
    "RollUp",
    "UnitProgress",
]


@dataclasses.dataclass(frozen=True)
class Blocked(Record):
    """What stands in a flow's way: a task's id, words, or both."""

    task: str | None = None
    summary: str | None = None


@dataclasses.dataclass(frozen=True)
class FlowCancel(Record):
    """The request to cancel a flow: when, by whom, why."""

    requested_at: datetime
    by: str | None = None
    why: str | None = None


@dataclasses.dataclass(frozen=True)
class UnitProgress(Record):
    """How far the tasks of a flow are, summed over those that count in one unit.

    ``total`` is ``None`` if one of them does not know it.
    """

    unit: str | None
    current: int
    total: int | None


@dataclasses.dataclass(frozen=True)
class RollUp(Record):
    """What a flow's tasks come to: how many there are, how far they are, what they cost."""

    total: int
    active: int
    by_status: dict[str, int]
    progress: tuple[UnitProgress, ...]
    usage: Usage | None

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> RollUp:
        """The sum of its JSON form."""
        progress = tuple(UnitProgress(**each) for each in value["progress"])
        usage = None if value["usage"] is None else Usage(**value["usage"])
        return cls(**{**value, "progress": progress, "usage": usage})


@dataclasses.dataclass(frozen=True, repr=False)
class Flow(Record):
    """The durable record of many-step work, which groups tasks.

    ``number`` is the short handle that people type as ``F3``, ``id`` the global one. A managed flow is moved by its
    ``controller``, each move naming the ``revision`` that it saw. A mirrored one follows the task whose id is
    ``mirrors``. ``state`` is what the controller keeps of it, ``wait`` what it waits for; ``tasks`` sums up its tasks.
    """

    number: int
    id: str
    key: str | None
    owner: str
    mirrors: str | None
    controller: str | None
    goal: str
    status: FlowStatus
    step: str | None
    state: Any
    wait: Any
    blocked: Blocked | None
    cancel: FlowCancel | None
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    revision: int
    origin: Any
    tasks: RollUp
    #: Of what ``flow_create`` answers: whether it was recorded now. ``None`` elsewhere, and no part of the record.
    created: bool | None = dataclasses.field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The flow as ``bgledger flow show --json`` has it."""
        record = super().to_dict()
        del record["created"]
        return record

    @classmethod
    def from_dict(cls, value: dict[str, Any], created: bool | None = None) -> Flow:
        """The flow of its JSON form: what ``to_dict()`` gave."""
        blocked, asked, ended_at = value["blocked"], value["cancel"], value["ended_at"]
        cancel = None if asked is None else FlowCancel(parse_time(asked["requested_at"]), asked["by"], asked["why"])
        read: dict[str, Any] = {
            "status": FlowStatus(value["status"]),
            "blocked": None if blocked is None else Blocked(**blocked),
            "cancel": cancel,
            "created_at": parse_time(value["created_at"]),
            "updated_at": parse_time(value["updated_at"]),
            "ended_at": None if ended_at is None else parse_time(ended_at),
            "tasks": RollUp.from_dict(value["tasks"]),
        }
        return cls(**{**value, **read}, created=created)

    def __hash__(self) -> int:
        return hash((self.id, self.revision))

    def __repr__(self) -> str:
        return f"<Flow F{self.number} {self.goal!r} {self.status.value}>"

    @property
    def is_ended(self) -> bool:
        """Whether it has ended: nothing moves it any more."""
        return self.ended_at is not None


@dataclasses.dataclass(frozen=True)
class FlowPage(Record):
    """A page of flows, newest first. ``next`` goes into ``after``; ``None`` at the end."""

    flows: tuple[Flow, ...]
    next: str | None
    unreadable: tuple[dict[str, Any], ...] = ()


@dataclasses.dataclass(frozen=True)
class FlowCancelReply(Record):
    """What the cancel of a flow came to: ``requested`` while one of its tasks is active, ``cancelled`` or ``already``.

    ``tasks`` has for its tasks and those below them what it came to, by number; ``hooks`` is as in
    :class:`bgledger.CancelReply`.
    """

    cancel: str
    flow: Flow
    tasks: dict[int, str]
    hooks: dict[int, str | None]

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON has it."""
        tasks = [{"number": number, "cancel": word} for number, word in self.tasks.items()]
        hooks = [{"number": number, "problem": problem} for number, problem in self.hooks.items()]
        return {"cancel": self.cancel, "flow": self.flow.to_dict(), "tasks": tasks, "hooks": hooks}


FlowLookup = Union[int, str, uuid.UUID, Flow, "FlowRun", "AsyncFlow"]
"""What names a flow: its number (``3`` or ``"F3"``), its id, an owner whose flow is meant, or a flow."""
