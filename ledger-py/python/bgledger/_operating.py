"""The methods of those who look after a ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _given
from ._errors import InvalidType, invalid
from ._given import Span, optional
from ._types import (
    AuditReport,
    Change,
    Check,
    DoctorReport,
    Finding,
    MaintenanceReport,
    PruneReport,
    Setting,
    Stats,
    VerifyReport,
)
from ._waist import Waist


class Operating(Waist):
    """Looking after a ledger; see :class:`bgledger.Ledger`."""

    def stats(self) -> Stats:
        """Counts: by status (every one named), by runtime; the audit's findings; the size in bytes."""
        return Stats(**self._ask("stats"))

    def audit(
        self, *, severity: str | None = None, code: str | None = None, limit: int | None = None
    ) -> AuditReport:
        """What is wrong, worst first, with what mends it. ``severity="error"`` leaves out the warnings."""
        answer = self._ask(
            "audit",
            severity=optional(_given.text, "severity", severity),
            code=optional(_given.text, "code", code),
            limit=optional(_given.count, "limit", limit),
        )
        return AuditReport(tuple(Finding.from_dict(each) for each in answer["findings"]), answer["summary"])

    def maintain(self, *, apply: bool = False, confirm_clock: bool = False) -> MaintenanceReport:
        """Settles what nobody else will: dead executors, expired records. A preview unless told to ``apply``.

        After a jump of the clock by more than a day nothing is done, and ``held`` says so, until ``confirm_clock`` says
        that the clock is right.
        """
        confirms = _given.flag("confirm_clock", confirm_clock)
        answer = self._ask("maintenance", apply=_given.flag("apply", apply), confirm_clock=confirms)
        changes = tuple(Change.from_dict(each) for each in answer["changes"])
        return MaintenanceReport(answer["applied"], changes, answer["held"])

    def prune(self, *, older_than: Span | None = None, dry_run: bool = False) -> PruneReport:
        """Removes what ended long enough ago, whole; with ``dry_run`` only says what would go.

        How long that is is the ledger's policy (``config("retention")`` and its like), or ``older_than`` alone. What is
        active, or under a flow that goes on, stays. A tombstone tells for 90 days that the task was there: see
        :class:`bgledger.Pruned`.
        """
        answer = self._ask(
            "prune",
            older_than=optional(_given.span, "older_than", older_than),
            dry_run=_given.flag("dry_run", dry_run),
        )
        return PruneReport(**answer)

    def config(self, key: str | None = None, *, set: Mapping[str, str | None] | None = None) -> dict[str, Setting]:
        """The ledger's policy, the same for every process: one key, or all.

        ``set={"notify.cron": "done_only"}`` sets some first; ``None`` returns a key to its default.

        Raises:
            UnknownKey: There is no such key; ``exc.expected`` has those there are.
        """
        fields: dict[str, Any] = {}
        if set is not None:
            if not isinstance(set, Mapping):
                invalid("set", _given.shown(set), "a mapping of keys to values", InvalidType)
            fields["set"] = {_given.text("set", name): optional(_given.text, name, value) for name, value in set.items()}
        if key is not None:
            fields["get"] = _given.text("key", key)
        answer = self._ask_as_is("config", fields)
        return {name: Setting(**each) for name, each in answer["config"].items()}

    def doctor(self) -> DoctorReport:
        """Looks at the ledger's health: file, format, locks, host."""
        answer = self._ask("doctor")
        return DoctorReport(answer["healthy"], tuple(Check(**each) for each in answer["checks"]))

    def verify(self) -> VerifyReport:
        """Proves that every row equals its history."""
        answer = self._ask("verify")
        return VerifyReport(answer["ok"], answer["tasks"], answer["events"], tuple(answer["problems"]))
