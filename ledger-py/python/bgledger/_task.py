"""A task that the surrounding block carries out."""

from __future__ import annotations

import contextvars
import os
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _beat, _given
from ._ending import Ending, ending_of
from ._errors import TaskCancelled, fields_of, raised
from ._base import LedgerError
from ._generated import Status
from ._given import Span
from ._recording import KEEP
from ._types import Artifact, Recorded, Task, Usage

if TYPE_CHECKING:
    from ._async_task import AsyncTask
    from ._ledger import Ledger

CURRENT: contextvars.ContextVar[TaskRun | None] = contextvars.ContextVar("bgledger_task", default=None)
"""The task whose block surrounds the running code: the parent of those that begin inside it."""

LOOK = 0.2
"""How many seconds the answer to ``cancel_requested`` may be old."""


class TaskRun:
    """A task and the block that does its work: ``with ledger.task("label") as task:``.

    As the block is left the task ends: ``succeeded``; or ``failed`` with the exception, its message and traceback; or
    ``cancelled`` by ``KeyboardInterrupt``, ``CancelledError`` or ``task.raise_if_cancelled()``. The exception goes on.
    In ``async with`` a ``timeout`` is enforced, and ends it ``timed_out``.
    """

    def __init__(
        self,
        ledger: Ledger,
        label: str,
        fields: dict[str, Any],
        *,
        lease: int | None,
        timeout: int | None,
        proves: bool,
        on_cancel: Callable[[TaskRun], object] | None,
    ) -> None:
        self._ledger = ledger
        self._label = label
        self._fields = fields
        self._lease = lease
        self._timeout = timeout
        self._proves = proves
        self._on_cancel = on_cancel
        self._task: Task | None = None
        self._pid = 0
        self._is_over = False
        self._is_cancelled = False
        self._looked = 0.0
        self._signs = self._signs_sent = 0
        self._ending = Ending()
        self._token: contextvars.Token[TaskRun | None] | None = None
        self._async: AsyncTask | None = None

    # ---- what it is ------------------------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        """The handle."""
        return self._ledger

    @property
    def record(self) -> Task:
        """The task as the last answer told it."""
        if self._task is None:
            raise RuntimeError("the task begins with its block: with ledger.task(…) as task:")
        return self._task

    @property
    def number(self) -> int:
        """The short handle people type."""
        return self.record.number

    @property
    def id(self) -> str:
        """The global id."""
        return self.record.id

    @property
    def attempt(self) -> int:
        """The attempt that this block is."""
        return self.record.attempt

    @property
    def label(self) -> str:
        """The short title."""
        return self._label

    def __repr__(self) -> str:
        stands = "not begun" if self._task is None else f"#{self._task.number} {self._task.status}"
        return f"<bgledger.TaskRun {stands} {self._label!r}>"

    # ---- what the work says ----------------------------------------------------------------------------------

    def progress(
        self,
        text: str | None = None,
        *,
        current: int | None = None,
        total: int | None = None,
        unit: str | None = None,
        waiting_on: str | None = KEEP,
        usage: Usage | Mapping[str, Any] | None = None,
        artifacts: Mapping[str, Artifact | Mapping[str, Any]] | None = None,
        fill: Mapping[str, str] | None = None,
    ) -> Recorded:
        """Reports how far the work is; see :meth:`bgledger.Ledger.progress`."""
        said: dict[str, Any] = {"current": current, "total": total, "unit": unit, "fill": fill}
        if waiting_on is not KEEP:
            said["waiting_on"] = waiting_on
        for name, value in (("usage", usage), ("artifacts", artifacts)):
            if value is not None:
                said[name] = value
        return self._heard(self._ledger.progress(self.number, text, **said, **self._names()))

    def heartbeat(self) -> Recorded:
        """Says that the work lives. Leased tasks do so by themselves, unless ``heartbeat="work"`` was asked for."""
        return self._heard(self._ledger.heartbeat(self.number, **self._names()))

    def usage(
        self,
        tokens_in: int = 0,
        tokens_out: int = 0,
        tokens_cached: int = 0,
        cost: Mapping[str, int] | None = None,
        tool_calls: int = 0,
    ) -> Recorded:
        """Tells what the attempt cost so far: its running total, not a difference. ``cost`` is in millionths."""
        total = Usage(tokens_in, tokens_out, tokens_cached, dict(cost or {}), tool_calls)
        return self.progress(usage=total)

    def artifact(
        self,
        name: str,
        uri: str,
        *,
        size: int | None = None,
        sha256: str | None = None,
        media_type: str | None = None,
    ) -> Recorded:
        """Tells of something the work leaves behind."""
        return self.progress(artifacts={name: Artifact(uri, size, sha256, media_type)})

    @property
    def result(self) -> Any:
        """What the work comes to: anything that JSON can say. It is recorded with the success."""
        return None if self._ending.result is KEEP else self._ending.result

    @result.setter
    def result(self, value: Any) -> None:
        _given.json_text("result", value)
        self._ending.result = value

    @property
    def summary(self) -> str | None:
        """The result in words. It is recorded with the end."""
        return self._ending.summary

    @summary.setter
    def summary(self, value: str | None) -> None:
        self._ending.summary = None if value is None else _given.text("summary", value)

    @property
    def outcome(self) -> str | None:
        """What the success amounts to: see :class:`bgledger.Outcome`; ``ok`` unless set."""
        return self._ending.outcome

    @outcome.setter
    def outcome(self, value: str | None) -> None:
        self._ending.outcome = None if value is None else _given.text("outcome", value)

    def finish(self, status: str = Status.SUCCEEDED, **said: Any) -> Task:
        """Ends the task before its block ends; see :meth:`bgledger.Ledger.finish`."""
        if said.get("result", KEEP) is KEEP and self._ending.result is not KEEP and status == Status.SUCCEEDED:
            said["result"] = self._ending.result
        said.setdefault("summary", self._ending.summary)
        if status == Status.SUCCEEDED:
            said.setdefault("outcome", self._ending.outcome)
        task = self._ledger.finish(self.number, status, **said, **self._names())
        self._leave(task)
        return task

    # ---- cancel ----------------------------------------------------------------------------------------------

    @property
    def cancel_requested(self) -> bool:
        """Whether somebody asked to cancel the task. Asking is cheap: the ledger is looked at a few times a second."""
        self._signs += 1
        if not self._is_cancelled and not self._is_over and time.monotonic() - self._looked > LOOK:
            self._look()
        return self._is_cancelled

    def raise_if_cancelled(self) -> None:
        """Leaves the block as ``cancelled`` if somebody asked to cancel the task.

        Raises:
            TaskCancelled: Cancel was requested; ``exc.by`` says who asked.
        """
        if self.cancel_requested:
            cancel = self.record.cancel
            by, at = (None, None) if cancel is None else (cancel.by, cancel.to_dict()["requested_at"])
            message = f"cancel of #{self.number} was requested"
            body = {"code": TaskCancelled.code, "class": "refused", "message": message, "hint": None}
            fields = {"number": self.number, "requested_at": at, "by": by}
            raise TaskCancelled({**body, **fields}, fields_of(fields))

    def _look(self) -> None:
        """Reads whether cancel is requested, and if so records that the executor learned of it."""
        self._looked = time.monotonic()
        seen = self._ledger._core.show(self.number)
        if seen.cancel is not None and seen.attempt == self.attempt:
            self._heard(self._ledger.heartbeat(self.number, **self._names()))

    def _heard(self, answer: Recorded) -> Recorded:
        self._task, self._looked = answer.task, time.monotonic()
        self._signs += 1
        if answer.cancel_requested and not self._is_cancelled:
            self._is_cancelled = True
            self._told()
        return answer

    def _told(self) -> None:
        """The work is told of the cancel, once."""
        if self._on_cancel is not None:
            try:
                self._on_cancel(self)
            except Exception:
                _beat.log.exception("on_cancel of task #%s failed", self.number)

    # ---- its block -------------------------------------------------------------------------------------------

    def __enter__(self) -> TaskRun:
        self._begin()
        self._token = CURRENT.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            try:
                CURRENT.reset(self._token)
            except ValueError:  # left in another context than it was entered in, as generators do
                pass
            self._token = None
        self._end(error)

    async def __aenter__(self) -> AsyncTask:
        from ._async_task import AsyncTask

        self._async = AsyncTask(self)
        await self._async._begin()
        self._token = CURRENT.set(self)
        return self._async

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            try:
                CURRENT.reset(self._token)
            except ValueError:
                pass
            self._token = None
        if self._async is not None:
            await self._async._end(error)

    def _begin(self) -> None:
        """Records the task and claims it. A queued one is started, a lost one taken over, others are refused."""
        if self._task is not None:
            raise RuntimeError("the block of a task is entered once; ask ledger.task() for another")
        ledger = self._ledger
        lease = None if self._lease is None else self._lease / 1000
        task = ledger.create(self._label, **self._fields, start=True, lease=lease)
        if not task.created:
            changed, _, _, task = ledger._core.start(f"id:{task.id}", self._lease)
            if not changed:
                raise raised(_running_here(task))
        self._task, self._pid, self._looked = task, os.getpid(), time.monotonic()
        if self._lease is not None or self._on_cancel is not None:
            _beat.add(self, self._interval())

    def _end(self, error: BaseException | None) -> None:
        """Records how the block was left. A forked child records nothing: the work is its parent's."""
        _beat.remove(self)
        if self._task is None or self._is_over or os.getpid() != self._pid:
            return
        said = ending_of(error, self)
        try:
            self._leave(self._ledger.finish(self.number, **said, **self._names()))
        except LedgerError as refusal:
            self._is_over = True
            if error is None:
                raise
            # The work's own exception is what the caller must see.
            _beat.log.warning("the end of task #%s could not be recorded: %s", self.number, refusal)
            if hasattr(error, "add_note"):
                error.add_note(f"bgledger could not record the end of task #{self.number}: {refusal}")

    def _leave(self, task: Task) -> None:
        self._task, self._is_over = task, True
        _beat.remove(self)

    def _names(self) -> dict[str, Any]:
        """The attempt that speaks."""
        task = self.record
        return {"attempt": self._attempt_of(task), "nonce": None if task.executor is None else task.executor.nonce}

    @staticmethod
    def _attempt_of(task: Task) -> int:
        return task.attempt

    # ---- what the process does for it meanwhile ------------------------------------------------------------------

    def _interval(self) -> float:
        """Thrice within a lease; more often where a cancel is waited for."""
        third = float("inf") if self._lease is None else self._lease / 3000
        return third if self._on_cancel is None else min(third, LOOK)

    def _beat(self) -> float | None:
        if self._is_over or os.getpid() != self._pid:
            return None
        is_due = self._lease is not None and time.monotonic() - self._renewed() >= self._lease / 3000
        try:
            if is_due and (not self._proves or self._signs != self._signs_sent):
                signs = self._signs
                self._heard(self._ledger.heartbeat(self.number, **self._names()))
                self._signs = self._signs_sent = signs
                self._renewal = time.monotonic()
            elif self._on_cancel is not None and not self._is_cancelled:
                self._look()
        except LedgerError as error:
            if error.code in ("fenced", "already_ended", "not_found", "not_available"):
                return None
            _beat.log.warning("a heartbeat of task #%s failed: %s", self.number, error)
        return self._interval()

    _renewal: float | None = None

    def _renewed(self) -> float:
        return self._looked if self._renewal is None else self._renewal


def _running_here(task: Task) -> dict[str, Any]:
    """The refusal for a task that this very process runs already."""
    seen = task.to_dict()
    since = seen["attempt_started_at"]
    message = f"#{task.number} is running already: attempt {task.attempt}, by this process, since {since}"
    body = {"code": "already_running", "class": "refused", "message": message, "hint": "wait for it, or cancel it"}
    return {**body, "number": task.number, "attempt": task.attempt, "executor": seen["executor"], "started_at": since}


def current() -> TaskRun | None:
    """The task whose block surrounds the running code, if any.

    Tasks begun inside are its children: also in asyncio tasks. A new thread has an empty context; give it this one by
    ``threading.Thread(target=contextvars.copy_context().run, args=(work,))``.
    """
    return CURRENT.get()


def span_in(name: str, value: Span | None) -> int | None:
    """A length of time that may be left out, in milliseconds."""
    return None if value is None else _given.span(name, value)


__all__ = ["CURRENT", "TaskRun", "current", "span_in"]
