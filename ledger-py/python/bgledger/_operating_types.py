"""What the ledger tells those who look after it: frozen, typed records."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from ._base import Record
from ._generated import FlowStatus, Status
from ._time import parse_time
from ._types import Task

__all__ = [
    "Acknowledged",
    "Acknowledgement",
    "AuditReport",
    "Cause",
    "Change",
    "Check",
    "DoctorReport",
    "Drained",
    "Finding",
    "FlowChange",
    "MaintenanceReport",
    "PruneReport",
    "ReconcileAction",
    "Reconciled",
    "Setting",
    "Stats",
    "VerifyReport",
]


@dataclasses.dataclass(frozen=True)
class Stats(Record):
    """Counts. ``bytes`` is the ledger's size, ``issues`` the audit's findings."""

    total: int
    active: int
    by_status: dict[str, int]
    by_runtime: dict[str, int]
    issues: int
    last_seq: int
    bytes: int


def _time(value: str | None) -> datetime | None:
    return None if value is None else parse_time(value)


@dataclasses.dataclass(frozen=True)
class Acknowledgement(Record):
    """That somebody knows of a finding: until when it need not be told, by whom, why."""

    until: datetime
    by: str | None = None
    note: str | None = None

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Acknowledgement:
        """The acknowledgement of its JSON form."""
        return cls(parse_time(value["until"]), value["by"], value["note"])


def _acknowledgement(value: dict[str, Any] | None) -> Acknowledgement | None:
    return None if value is None else Acknowledgement.from_dict(value)


@dataclasses.dataclass(frozen=True)
class Acknowledged(Record):
    """The answer to what acknowledges a finding: whether it changed anything, and what is recorded now."""

    changed: bool
    acknowledged: Acknowledgement | None

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Acknowledged:
        """The answer of its JSON form."""
        return cls(value["changed"], _acknowledgement(value["acknowledged"]))


@dataclasses.dataclass(frozen=True)
class Finding(Record):
    """One thing the audit says is wrong. ``remedy`` is ``auto``, ``command`` (then ``command`` is it) or ``info``.

    ``subject`` is what it is about: a task such as ``#12``, a flow such as ``F3``, a recipient of notices, or the
    ``ledger``. Of a task ``number``, ``id``, ``status`` and ``runtime`` say more; of a flow ``flow`` has its number, and
    ``label`` its goal. ``count`` is how many things of the kind it stands for.
    """

    code: str
    severity: str
    remedy: str
    command: str | None
    message: str
    subject: str
    number: int | None
    id: str | None
    status: Status | None
    runtime: str | None
    label: str | None
    flow: int | None
    count: int
    since: datetime | None
    evidence: dict[str, Any] | None
    acknowledged: Acknowledgement | None

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Finding:
        """The finding of its JSON form."""
        read: dict[str, Any] = {
            "status": None if value["status"] is None else Status(value["status"]),
            "since": _time(value["since"]),
            "acknowledged": _acknowledgement(value["acknowledged"]),
        }
        return cls(**{**value, **read})


@dataclasses.dataclass(frozen=True)
class Cause(Record):
    """The findings of one code: how many they are, since when the oldest is wrong, what it means."""

    code: str
    severity: str
    remedy: str
    count: int
    since: datetime | None
    meaning: str

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Cause:
        """The cause of its JSON form."""
        return cls(**{**value, "since": _time(value["since"])})


@dataclasses.dataclass(frozen=True)
class AuditReport(Record):
    """What is wrong, worst first: one by one as ``findings``, and by cause.

    ``summary`` counts all of it, listed or not; what somebody acknowledged it counts apart.
    """

    findings: tuple[Finding, ...]
    causes: tuple[Cause, ...]
    summary: dict[str, Any]

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> AuditReport:
        """The report of its JSON form."""
        findings = tuple(Finding.from_dict(each) for each in value["findings"])
        return cls(findings, tuple(Cause.from_dict(each) for each in value["causes"]), value["summary"])


@dataclasses.dataclass(frozen=True)
class Change(Record):
    """What maintenance did to a task, or would do."""

    code: str
    number: int
    id: str
    label: str
    before: Status
    after: Status
    reason: str | None
    evidence: dict[str, Any] | None

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Change:
        """The change of its JSON form, where ``before`` and ``after`` are ``from`` and ``to``."""
        before, after, rest = _moved(value)
        return cls(before=Status(before), after=Status(after), **rest)

    def to_dict(self) -> dict[str, Any]:
        """The change as JSON has it."""
        return _as_moved(super().to_dict())


@dataclasses.dataclass(frozen=True)
class FlowChange(Record):
    """What maintenance did to a flow, or would do: ``flow`` is its number."""

    code: str
    flow: int
    id: str
    goal: str
    before: FlowStatus
    after: FlowStatus

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> FlowChange:
        """The change of its JSON form, where ``before`` and ``after`` are ``from`` and ``to``."""
        before, after, rest = _moved(value)
        return cls(before=FlowStatus(before), after=FlowStatus(after), **rest)

    def to_dict(self) -> dict[str, Any]:
        """The change as JSON has it."""
        return _as_moved(super().to_dict())


def _moved(value: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    rest = dict(value)
    return rest.pop("from"), rest.pop("to"), rest


def _as_moved(own: dict[str, Any]) -> dict[str, Any]:
    own["from"], own["to"] = own.pop("before"), own.pop("after")
    return own


@dataclasses.dataclass(frozen=True)
class PruneReport(Record):
    """What went, or (``applied`` is false) would go: ``tasks`` with their ``events``, ``flows``, what outlived them.

    ``unclaimed`` notices became dead letters; dead ``letters`` and ``tombstones`` go after a time of their own.
    ``held``: nothing goes, since the clock jumped.
    """

    applied: bool
    tasks: int
    events: int
    flows: int
    unclaimed: int
    letters: int
    tombstones: int
    held: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class MaintenanceReport(Record):
    """What maintenance did, or (``applied`` is false) would do: to tasks, to flows, and what is ``pruned``.

    ``held``: nothing, since the clock jumped.
    """

    applied: bool
    changes: tuple[Change, ...]
    flows: tuple[FlowChange, ...]
    pruned: PruneReport
    held: dict[str, Any] | None = None

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> MaintenanceReport:
        """The report of its JSON form."""
        changes = tuple(Change.from_dict(each) for each in value["changes"])
        flows = tuple(FlowChange.from_dict(each) for each in value["flows"])
        return cls(value["applied"], changes, flows, PruneReport(**value["pruned"]), value["held"])


@dataclasses.dataclass(frozen=True)
class ReconcileAction(Record):
    """What follows for one task from its runtime's word: ``adopt``, ``recover``, ``settle`` or ``lose``."""

    action: str
    number: int
    id: str
    label: str
    before: Status
    after: Status

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> ReconcileAction:
        """The action of its JSON form, where ``before`` and ``after`` are ``from`` and ``to``."""
        before, after, rest = _moved(value)
        return cls(before=Status(before), after=Status(after), **rest)

    def to_dict(self) -> dict[str, Any]:
        """The action as JSON has it."""
        return _as_moved(super().to_dict())


@dataclasses.dataclass(frozen=True)
class Reconciled(Record):
    """What a runtime's word led to, or (``applied`` is false) would lead to, in the order of the tasks' numbers.

    ``unknown`` has what was named and is not there, or is another runtime's; ``unchanged`` counts what was named and
    needs nothing done.
    """

    applied: bool
    actions: tuple[ReconcileAction, ...]
    unknown: tuple[str, ...]
    unchanged: int

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Reconciled:
        """The answer of its JSON form."""
        actions = tuple(ReconcileAction.from_dict(each) for each in value["actions"])
        return cls(value["applied"], actions, tuple(value["unknown"]), value["unchanged"])


@dataclasses.dataclass(frozen=True)
class Drained(Record):
    """Whether nothing is left that may run; ``active`` has what is, newest first, the first ten thousand."""

    drained: bool
    active: tuple[Task, ...]

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Drained:
        """The answer of its JSON form."""
        return cls(value["drained"], tuple(Task.from_dict(each) for each in value["active"]))


@dataclasses.dataclass(frozen=True)
class Setting(Record):
    """A setting of the ledger: its value, and whether the ``ledger`` says so or it is the ``default``."""

    value: str | None
    origin: str


@dataclasses.dataclass(frozen=True)
class Check(Record):
    """What one check found: ``ok``, ``warning`` or ``error``."""

    name: str
    state: str
    detail: str
    hint: str | None


@dataclasses.dataclass(frozen=True)
class DoctorReport(Record):
    """The ledger's health."""

    healthy: bool
    checks: tuple[Check, ...]


@dataclasses.dataclass(frozen=True)
class VerifyReport(Record):
    """Whether every row equals its history."""

    ok: bool
    tasks: int
    events: int
    problems: tuple[str, ...]
