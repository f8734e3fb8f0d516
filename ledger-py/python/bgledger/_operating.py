"""The methods of those who look after a ledger."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Union

from . import _given
from ._codes import InvalidValue
from ._errors import InvalidType, invalid
from ._flow_types import Flow
from ._given import Span, optional
from ._reports import BackupReport, MigrateReport, RecoverReport
from ._operating_types import (
    Acknowledged,
    AuditReport,
    Check,
    DoctorReport,
    Drained,
    MaintenanceReport,
    PruneReport,
    Reconciled,
    Setting,
    Stats,
    VerifyReport,
)
from ._recording import Lookup, end
from ._types import Task
from ._waist import Waist

if TYPE_CHECKING:
    from ._async_flow import AsyncFlow
    from ._async_task import AsyncTask
    from ._flow_run import FlowRun
    from ._task import TaskRun

Subject = Union[int, str, Task, "TaskRun", "AsyncTask", Flow, "FlowRun", "AsyncFlow"]
"""What a finding is about, as its ``subject`` says; or a task, its number, or a flow."""

End = Union[str, Mapping[str, Any]]
"""How a task ended: its status, or a mapping of it and of what :meth:`bgledger.Ledger.finish` takes beside it."""


class Operating(Waist):
    """Looking after a ledger; see :class:`bgledger.Ledger`."""

    def stats(self) -> Stats:
        """Counts: by status (every one named), by runtime; the audit's findings; the size in bytes."""
        return Stats(**self._ask("stats"))

    def audit(
        self,
        *,
        severity: str | None = None,
        code: str | None = None,
        limit: int | None = None,
        acknowledged: bool = False,
        deep: bool = False,
    ) -> AuditReport:
        """What is wrong, worst first, with what mends it. ``severity="error"`` leaves out the warnings.

        What somebody acknowledged is counted apart, and listed only where ``acknowledged`` says so. A ``deep`` audit
        also proves every row by its history, which takes time with the history's length.
        """
        answer = self._ask(
            "audit",
            severity=optional(_given.text, "severity", severity),
            code=optional(_given.text, "code", code),
            limit=optional(_given.count, "limit", limit),
            acknowledged=_given.flag("acknowledged", acknowledged),
            deep=_given.flag("deep", deep),
        )
        return AuditReport.from_dict(answer)

    def acknowledge(
        self,
        code: str,
        subject: Subject,
        *,
        until: datetime | Span | None,
        by: str | None = None,
        note: str | None = None,
    ) -> Acknowledged:
        """Says that a finding of the audit is known: it is told again only after a date.

        >>> ledger.acknowledge("stale_queued", task, until=timedelta(days=7), note="waits for the key")  # doctest: +SKIP

        ``until`` is an aware time, or a length of time from now; with ``None`` it is told again at once. ``subject`` is
        what the finding says it is about, or that task or flow.
        """
        fields = {
            "code": _given.text("code", code),
            "subject": _subject(subject),
            "until": optional(_until, "until", until),
            "by": optional(_given.text, "by", by),
            "note": optional(_given.text, "note", note),
        }
        return Acknowledged.from_dict(self._ask_as_is("acknowledge", fields))

    def maintain(self, *, apply: bool = False, confirm_clock: bool = False) -> MaintenanceReport:
        """Settles what nobody else will, and prunes. A preview unless told to ``apply``.

        Tasks whose executors are dead or whose time is over end; so do flows that were to be cancelled and have no
        active task left; what ended long enough ago goes, as :meth:`prune` says.

        After a jump of the clock by more than a day nothing is done, and ``held`` says so, until ``confirm_clock`` says
        that the clock is right.
        """
        confirms = _given.flag("confirm_clock", confirm_clock)
        answer = self._ask("maintenance", apply=_given.flag("apply", apply), confirm_clock=confirms)
        return MaintenanceReport.from_dict(answer)

    def reconcile(
        self,
        runtime: str,
        *,
        owned: Iterable[Lookup] = (),
        ended: Mapping[Any, End] | None = None,
        complete: bool = False,
        as_of: datetime | None = None,
        by: str | None = None,
        apply: bool = False,
    ) -> Reconciled:
        """Follows a runtime's own word of its work: what it is at, and how the rest ended.

        >>> ledger.reconcile(                                               # doctest: +SKIP
        ...     "cron",
        ...     owned=["run:feeds-17"],
        ...     ended={"run:feeds-15": "succeeded", "run:feeds-16": {"status": "failed", "error": "no route"}},
        ...     complete=True,
        ...     apply=True,
        ... )

        A preview unless told to ``apply``; then all of it is done, or nothing. Only tasks of that runtime are touched,
        and what has ended for good stays as it is.

        Args:
            owned: What it is at work on. A queued task is started, one that was presumed dead is running again.
            ended: What it knows to have ended, by lookup: the status, or a mapping with ``"status"`` and what
                :meth:`finish` takes beside it.
            complete: That is all that it is at work on: a running task that it does not name, and whose executor nobody
                sees alive, is lost.
            as_of: When it looked; tasks that started since are not taken for lost. Now if absent.
            by: Who speaks for it.

        Raises:
            InvalidValue: The word cannot be, or there are two different ones of a task.
            Ambiguous: Several tasks have that run id: ``exc.candidates``.
        """
        answer = self._ask(
            "reconcile",
            runtime=_given.text("runtime", runtime),
            owned=_lookups("owned", owned),
            ended=[] if ended is None else _ends("ended", ended),
            complete=_given.flag("complete", complete),
            as_of=optional(_given.time, "as_of", as_of),
            by=optional(_given.text, "by", by),
            apply=_given.flag("apply", apply),
        )
        return Reconciled.from_dict(answer)

    def drain(
        self, *, runtime: str | None = None, queued: bool = False, timeout: Span | None = None
    ) -> Drained:
        """Waits until nothing runs any more, and says what does when the time is over. It stops nothing.

        >>> if not ledger.drain(timeout="2m").drained:  # doctest: +SKIP
        ...     print("still at work")

        Without a ``timeout`` it only looks. A task whose executor is proved dead holds nobody up, whatever its record
        says. Other threads run on, and Ctrl-C ends it.

        Args:
            runtime: Only this runtime's tasks.
            queued: Queued tasks, too.
            timeout: How long to wait.
        """
        answer = self._wait_for(
            "drain",
            runtime=optional(_given.text, "runtime", runtime),
            queued=_given.flag("queued", queued),
            timeout=optional(_given.span, "timeout", timeout),
        )
        return Drained.from_dict(answer)

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

    def doctor(self, *, quick: bool = False) -> DoctorReport:
        """Looks at the ledger's health: file, format, locks, host, history.

        With ``quick`` only at what takes no time on a long history.
        """
        answer = self._ask("doctor", quick=_given.flag("quick", quick))
        return DoctorReport(answer["healthy"], tuple(Check(**each) for each in answer["checks"]))

    def verify(self) -> VerifyReport:
        """Proves that every row equals its history."""
        answer = self._ask("verify")
        return VerifyReport(answer["ok"], answer["tasks"], answer["events"], tuple(answer["problems"]))

    def backup(self, path: str | os.PathLike[str], *, replace: bool = False) -> BackupReport:
        """Copies the ledger, as it is at one moment, into a file that is a whole ledger; writers go on meanwhile.

        The copy is proved before it gets its name.

        Raises:
            FileExists: Something is there, and may not be replaced.
        """
        answer = self._ask("backup", to=_given.path("path", path), replace=_given.flag("replace", replace))
        return BackupReport(**answer)

    def recover(self, folder: str | os.PathLike[str]) -> RecoverReport:
        """Keeps the files of a damaged ledger as they are, and makes a new one of what can be read of them.

        Both are put into a folder that this makes. The damaged ledger is only read. What is lost is no error: the report
        tells it.

        Raises:
            FileExists: The folder is there already.
        """
        return RecoverReport.from_dict(self._ask("recover", to=_given.path("folder", folder)))

    def migrate(self, *, dry_run: bool = False) -> MigrateReport:
        """Brings the file to this program's format, after a proved copy; with ``dry_run`` only says what it would do."""
        answer = self._ask("migrate", dry_run=_given.flag("dry_run", dry_run))
        return MigrateReport(answer["from"], answer["to"], answer["applied"], answer["backup"])

def _subject(value: object) -> str:
    """What a finding is about, as it says: ``#12``, ``F3``, a recipient, ``ledger``."""
    number = getattr(value, "number", value)
    if isinstance(number, int) and not isinstance(number, bool):
        return f"F{number}" if hasattr(value, "goal") else f"#{number}"
    if not isinstance(value, str):
        invalid("subject", _given.shown(value), "what the finding says it is about, a task or a flow", InvalidType)
    spelled = _given.text("subject", value)
    return f"#{spelled}" if spelled.isascii() and spelled.isdigit() else spelled


def _until(name: str, value: object) -> int:
    """A time to come, in milliseconds since 1970."""
    if isinstance(value, datetime):
        return _given.time(name, value)
    return _given.time(name, datetime.now(timezone.utc)) + _given.span(name, value)


def _lookups(name: str, values: object) -> list[int | str]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        invalid(name, _given.shown(values), "tasks, or what names them", InvalidType)
    return [_given.lookup(name, each) for each in values]


def _ends(name: str, values: object) -> list[dict[str, Any]]:
    """Ends by what names their tasks, as JSON has them."""
    if not isinstance(values, Mapping):
        invalid(name, _given.shown(values), "a mapping of tasks, or what names them, to their ends", InvalidType)
    return [
        {"lookup": _given.lookup(f"{name} (a task)", each), "end": _end(f"{name}[{_given.shown(each)}]", how)}
        for each, how in values.items()
    ]


def _end(name: str, how: object) -> dict[str, Any]:
    if isinstance(how, str):
        return {"status": _given.text(name, how)}
    if not isinstance(how, Mapping):
        invalid(name, _given.shown(how), "a status, or a mapping with one", InvalidType)
    said = dict(how)
    for each in said:
        if each not in _OF_AN_END:
            invalid(name, f"there is no {_given.shown(each)}", f"of {', '.join(sorted(_OF_AN_END))}")
    try:
        fields: dict[str, Any] = {"status": _given.text("status", said.pop("status", None))}
        if "result" in said:
            fields["result"] = _given.plain("result", said.pop("result"))
        rest = end(**said)
    except InvalidValue as fault:
        invalid(f"{name}.{fault.field}", fault.problem, fault.expected, type(fault))
    return {**fields, **{field: value for field, value in rest.items() if value is not None}}


_OF_AN_END = frozenset({"status", "result", *(end.__kwdefaults__ or ())})
