"""A task that the surrounding block carries out."""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _beat, _given
from ._base import LedgerError
from ._codes import AlreadyEnded, ExistsWithDifferent, Fenced, FlowEnded, Invalid, NoFlow, NotAvailable, NotFound, Pruned
from ._current import CURRENT, current, inherit
from ._ending import Ending, bare_ending, ending_of
from ._errors import TaskCancelled, fields_of
from ._generated import RENEWALS, Status
from ._given import Span
from ._listening import Ear, ear
from ._recording import KEEP, Fill, Lookup
from ._types import Artifact, Recorded, Task, Usage

if TYPE_CHECKING:
    from ._async_task import AsyncTask
    from ._ledger import Ledger

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
        #: The parent and the flow of the surrounding blocks, where the caller named none.
        self._guesses: dict[str, Any] = {}
        self._is_ending = self._is_over = False
        #: Whether the work should stop, and whether a thread listens for that.
        self._is_cancelled = self._is_heard = False
        self._is_untold = threading.Lock()
        self._ear: Ear | None = None
        self._looked = 0.0
        #: When the lease was last renewed: by the begin, by progress, by a heartbeat.
        self._renewed = 0.0
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
        fill: Fill | None = None,
    ) -> Recorded:
        """Reports how far the work is; see :meth:`bgledger.Ledger.progress`."""
        said: dict[str, Any] = {"current": current, "total": total, "unit": unit, "fill": fill}
        if waiting_on is not KEEP:
            said["waiting_on"] = waiting_on
        for name, value in (("usage", usage), ("artifacts", artifacts)):
            if value is not None:
                said[name] = value
        self._signs += 1
        return self._heard(self._ledger.progress(self.number, text, **said, **self._names()))

    def heartbeat(self) -> Recorded:
        """Says that the work lives. Leased tasks do so by themselves, unless ``heartbeat="work"`` was asked for."""
        self._signs += 1
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
        self._is_ending = True
        try:
            task = self._record_finish({**said, "status": status})
        except BaseException:
            self._is_ending = False
            raise
        self._leave()
        return task

    # ---- cancel ----------------------------------------------------------------------------------------------

    @property
    def cancel_requested(self) -> bool:
        """Whether the work should stop: somebody asked to cancel the task, or ended it, or took it over.

        Asking is cheap: the ledger is looked at a few times a second, or not at all where a thread listens to it.
        """
        self._signs += 1
        if not self._is_heard and time.monotonic() - self._looked > LOOK:
            self._looked = time.monotonic()
            self._look()
        return self._is_cancelled

    def raise_if_cancelled(self) -> None:
        """Leaves the block as ``cancelled`` if the work should stop: see :attr:`cancel_requested`.

        Raises:
            TaskCancelled: Cancel was requested, and ``exc.by`` says who asked; or the task is not this block's any more.
        """
        if self.cancel_requested:
            cancel = self.record.cancel
            by, at = (None, None) if cancel is None else (cancel.by, cancel.to_dict()["requested_at"])
            asked = "cancel was requested" if cancel is not None else "somebody else ended it, or took it over"
            message = f"#{self.number} should stop: {asked}"
            body = {"code": TaskCancelled.code, "class": "refused", "message": message, "hint": None}
            fields = {"number": self.number, "requested_at": at, "by": by}
            raise TaskCancelled({**body, **fields}, fields_of(fields))

    def _look(self) -> bool:
        """Reads whether the work should stop, and if it was asked to records that its executor learned of it.

        Says whether it could.
        """
        if self._is_cancelled or self._is_ending:
            return True
        try:
            seen = self._ledger._core.show(self.number)
            if seen.attempt != self.attempt or seen.status.is_final:
                self._stop(seen)
            elif seen.cancel is not None:
                self._heard(self._ledger.heartbeat(self.number, **self._names()))
        except LedgerError as error:
            return self._failed("a look at", error)
        return True

    def _heard(self, answer: Recorded) -> Recorded:
        """What was recorded for the work renewed its lease, too."""
        if not self._is_over:  # The end may have come before this answer.
            self._task = answer.task
        self._looked = self._renewed = time.monotonic()
        if answer.cancel_requested:
            self._stop(answer.task)
        return answer

    def _failed(self, what: str, error: LedgerError) -> bool:
        """Whether it failed for good: the task is not this block's any more."""
        if isinstance(error, (AlreadyEnded, Fenced, Pruned)) or error.code == NotFound.code:
            self._stop(None)
            return True
        _beat.log.warning("%s task #%s failed: %s", what, self.number, error)
        return False

    def _stop(self, seen: Task | None) -> None:
        """The work is told to stop, once."""
        if self._is_ending or not self._is_untold.acquire(blocking=False):
            return
        if seen is not None and seen.attempt == self.attempt:
            self._task = seen
        self._is_cancelled = True
        if self._on_cancel is not None:
            # On a thread of its own: what it does may take its time, and leases are renewed meanwhile.
            thread = threading.Thread(target=self._call_back, name="bgledger-cancel", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter ends, and starts no thread any more
                pass
        elif self._async is not None:
            self._async._cancel_soon()

    def _call_back(self) -> None:
        try:
            if self._on_cancel is not None:
                self._on_cancel(self)
        except Exception:
            _beat.log.exception("on_cancel of task #%s failed", self.number)

    # ---- its block -------------------------------------------------------------------------------------------

    def __enter__(self) -> TaskRun:
        self._once()
        outside = CURRENT.get()
        try:
            self._begin()
            self._token = CURRENT.set(self)
            return self
        except BaseException as error:
            if CURRENT.get() is self:
                CURRENT.set(outside)
            self._end(error)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._leave_context()
        finally:
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
        self._leave_context()
        if self._async is not None:
            await self._async._end(error)

    def _leave_context(self) -> None:
        token, self._token = self._token, None
        if token is not None:
            try:
                CURRENT.reset(token)
            except ValueError:  # left in another context than it was entered in, as generators do
                pass

    def _once(self) -> None:
        if self._task is not None:
            raise RuntimeError("the block of a task is entered once; ask ledger.task() for another")

    def _begin(self) -> None:
        """Records the task and claims it. A queued one is started, a lost one taken over, others are refused."""
        kept: list[tuple[bool, int]] = []
        self._pid = os.getpid()
        try:
            self._task = self._claimed(kept)
        except BaseException:
            # A signal's exception came after the claim: who catches it ends the task.
            if kept and kept[-1][0]:
                self._task = self._ledger._core.show(kept[-1][1])
            raise
        self._looked = self._renewed = time.monotonic()
        if self._lease is not None:
            _beat.add(self, self._interval())
        if self._on_cancel is not None or self._async is not None:
            self._ear = ear(self._ledger)
            self._is_heard = self._ear.tell(self)
            self._look()

    def _claimed(self, kept: list[tuple[bool, int]]) -> Task:
        task = self._recorded_as_new(kept)
        return task if task.created else self._ledger._core.claim(f"id:{task.id}", self._lease, kept)

    def _recorded_as_new(self, kept: list[tuple[bool, int]]) -> Task:
        """The task, new or as it is recorded.

        That it belongs to the surrounding blocks is a guess: it is dropped where the handle sees no such task or flow,
        where the flow is over, and where the task is recorded already.
        """
        lease = None if self._lease is None else self._lease / 1000
        fields = {**self._fields, "start": True, "lease": lease, "_kept": kept}
        guesses = self._guesses
        while True:
            try:
                return self._ledger.create(self._label, **guesses, **fields)
            except LedgerError as error:
                right = {name: guess for name, guess in guesses.items() if name not in _wrong(error)}
                if right == guesses:
                    raise
                guesses = right

    def _end(self, error: BaseException | None, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        """Records how the block was left. A forked child records nothing: the work is its parent's."""
        # A generator may be left by the interpreter's end, when modules are gone. Maintenance finds its task as lost.
        if is_finalizing() or self._task is None or self._is_over or os.getpid() != self._pid:
            return
        self._leave()
        try:
            self._record_end(error)
        except KeyboardInterrupt:
            # It may be recorded or not: asking again is safe.
            if not self._is_over:
                self._record_end(error)
            raise

    def _record_end(self, error: BaseException | None) -> None:
        said = ending_of(error, self)
        try:
            try:
                self._record_finish(said)
            except Invalid as refusal:
                # What the work said for its end cannot be recorded: that it ended can, and how.
                self._record_finish(bare_ending(said, refusal))
                raise
        except LedgerError as refusal:
            self._is_over = True
            if error is None:
                raise
            if self._is_cancelled and isinstance(refusal, (AlreadyEnded, Fenced)):
                return  # That the task was not the work's any more is why it stopped.
            # The work's own exception is what the caller must see.
            _beat.log.warning("the end of task #%s could not be recorded as it was: %s", self.number, refusal)
            if hasattr(error, "add_note"):
                error.add_note(f"bgledger could not record the end of task #{self.number} as it was: {refusal}")

    def _record_finish(self, said: dict[str, Any]) -> Task:
        task = self._ledger.finish(self.number, **said, **self._names())
        self._task, self._is_over = task, True
        return task

    def _leave(self) -> None:
        """Nothing is done for the task any more but to end it."""
        self._is_ending = True
        _beat.remove(self)
        if self._ear is not None and os.getpid() == self._pid:
            self._ear.forget(self)

    def _names(self) -> dict[str, Any]:
        """The attempt that speaks."""
        task = self.record
        return {"attempt": task.attempt, "nonce": None if task.executor is None else task.executor.nonce}

    # ---- its lease -----------------------------------------------------------------------------------------------

    def _interval(self) -> float:
        """How many seconds lie between two renewals."""
        return float("inf") if self._lease is None else self._lease / 1000 / RENEWALS

    def _beat(self) -> float | None:
        if self._is_over or self._is_ending or os.getpid() != self._pid:
            return None
        left = self._renewed + self._interval() - time.monotonic()
        if left > 0:
            return left
        if self._proves and self._signs == self._signs_sent:
            return self._interval()
        signs = self._signs
        try:
            self._heard(self._ledger.heartbeat(self.number, **self._names()))
            self._signs_sent = signs
        except LedgerError as error:
            if error.code == NotAvailable.code or self._failed("a heartbeat of", error):
                return None
        return self._interval()


def _wrong(error: LedgerError) -> tuple[str, ...]:
    """The fields by which a creation was refused, among those that are guessed."""
    if isinstance(error, ExistsWithDifferent):
        return error.fields
    if isinstance(error, (NoFlow, FlowEnded)):
        return ("flow",)
    return ("parent",) if error.code in (NotFound.code, Pruned.code) else ()


def span_in(name: str, value: Span | None) -> int | None:
    """A length of time that may be left out, in milliseconds."""
    return None if value is None else _given.span(name, value)


__all__ = ["CURRENT", "TaskRun", "current", "inherit", "span_in"]
