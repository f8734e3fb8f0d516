"""A flow that the surrounding block moves."""

from __future__ import annotations

import contextvars
import logging
import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _given
from ._base import LedgerError
from ._codes import FlowCancelRequested, FlowEnded
from ._current import CURRENT, FLOW
from ._ending import cut, failure_of, plain
from ._flow_types import Flow, FlowCancelReply, FlowStatus
from ._generated import NOTE_BYTES
from ._recording import KEEP, Lookup

if TYPE_CHECKING:
    from ._async_flow import AsyncFlow
    from ._ledger import Ledger
    from ._task import TaskRun

log = logging.getLogger("bgledger")


class FlowRun:
    """A flow and the block that moves it: ``with ledger.flow("goal", controller="name") as flow:``.

    It carries the flow's revision along: a move that somebody else came before is refused as ``RevisionConflict``;
    :meth:`refresh` takes over what is recorded. Tasks begun in the block belong to the flow, and so do their children.

    As the block is left, a flow that still runs has done what it was for: it is finished, and where that is refused the
    refusal is raised. One that waits, is blocked or queued stays so, for another block to go on with. An exception,
    also Ctrl-C, fails it, with the exception in words as its ``blocked.summary``, and goes on; but a block that is left
    by ``FlowCancelRequested`` or ``FlowEnded`` leaves it as it is: the ledger ends what is cancelled.
    """

    def __init__(self, ledger: Ledger, goal: str, fields: dict[str, Any], taken_up: Flow | None) -> None:
        self._ledger = ledger
        self._goal = goal
        self._fields = fields
        self._taken_up = taken_up
        self._flow: Flow | None = None
        self._pid = 0
        self._created = False
        #: The task around the flow's block: what begins below it, and not below another, is the flow's.
        self._outside: TaskRun | None = None
        self._token: contextvars.Token[FlowRun | None] | None = None
        self._async: AsyncFlow | None = None

    # ---- what it is ------------------------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        """The handle."""
        return self._ledger

    @property
    def record(self) -> Flow:
        """The flow as the last answer told it."""
        if self._flow is None:
            raise RuntimeError("the flow begins with its block: with ledger.flow(…) as flow:")
        return self._flow

    @property
    def created(self) -> bool:
        """Whether the block recorded it; otherwise it was there, and goes on."""
        return self._created

    @property
    def number(self) -> int:
        """The short handle that people type as ``F3``."""
        return self.record.number

    @property
    def id(self) -> str:
        """The global id."""
        return self.record.id

    @property
    def goal(self) -> str:
        """What it is for."""
        return self._goal

    @property
    def status(self) -> FlowStatus:
        """Where it stands, as the last answer told it."""
        return self.record.status

    @property
    def revision(self) -> int:
        """The revision that the next move names."""
        return self.record.revision

    @property
    def step(self) -> str | None:
        """The step that it is at."""
        return self.record.step

    @property
    def state(self) -> Any:
        """What its controller keeps of it."""
        return self.record.state

    def __repr__(self) -> str:
        stands = "not begun" if self._flow is None else f"F{self._flow.number} {self._flow.status}"
        return f"<bgledger.FlowRun {stands} {self._goal!r}>"

    # ---- its moves -------------------------------------------------------------------------------------------

    def wait(
        self,
        *,
        step: str | None = KEEP,
        state: Any = KEEP,
        wait: Any = KEEP,
        blocked_task: Lookup | None = None,
        blocked_summary: str | None = None,
    ) -> Flow:
        """Says that it waits, or what blocks it; see :meth:`bgledger.Ledger.flow_wait`."""
        blocked: dict[str, Any] = {"blocked_task": blocked_task, "blocked_summary": blocked_summary}
        return self._at(
            self._ledger.flow_wait(self, self.revision, step=step, state=state, wait=wait, **blocked)
        )

    def resume(self, *, running: bool = True, step: str | None = KEEP, state: Any = KEEP) -> Flow:
        """Says that it goes on, by this block unless ``running`` is false; see :meth:`bgledger.Ledger.flow_resume`."""
        return self._at(self._ledger.flow_resume(self, self.revision, running=running, step=step, state=state))

    def finish(self, *, step: str | None = KEEP, state: Any = KEEP) -> Flow:
        """Says that it did what it was for; see :meth:`bgledger.Ledger.flow_finish`."""
        return self._at(self._ledger.flow_finish(self, self.revision, step=step, state=state))

    def fail(
        self,
        *,
        step: str | None = KEEP,
        state: Any = KEEP,
        blocked_task: Lookup | None = None,
        blocked_summary: str | None = None,
    ) -> Flow:
        """Says that it did not, and what stood in its way; see :meth:`bgledger.Ledger.flow_fail`."""
        blocked: dict[str, Any] = {"blocked_task": blocked_task, "blocked_summary": blocked_summary}
        return self._at(self._ledger.flow_fail(self, self.revision, step=step, state=state, **blocked))

    def cancel(self, *, by: str | None = None, why: str | None = None) -> FlowCancelReply:
        """Asks to cancel it and its tasks; see :meth:`bgledger.Ledger.flow_cancel`."""
        reply = self._ledger.flow_cancel(self, by=by, why=why)
        self._at(reply.flow)
        return reply

    def refresh(self) -> Flow:
        """Looks at it as it is now, with what its tasks come to. The next move is made on that."""
        return self._at(self._ledger.flow_show(self))

    def task(self, label: str, **options: Any) -> TaskRun:
        """A task of this flow for the block that follows; see :meth:`bgledger.Ledger.task`."""
        return self._ledger.task(label, flow=self, **options)

    def _at(self, flow: Flow) -> Flow:
        self._flow = flow
        return flow

    # ---- its block -------------------------------------------------------------------------------------------

    def __enter__(self) -> FlowRun:
        self._begin()
        self._enter_context()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave_context()
        self._end(error)

    async def __aenter__(self) -> AsyncFlow:
        from ._async_flow import AsyncFlow

        self._async = AsyncFlow(self)
        await self._async._begin()
        self._enter_context()
        return self._async

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave_context()
        if self._async is not None:
            await self._async._end(error)

    def _enter_context(self) -> None:
        self._outside = CURRENT.get()
        self._token = FLOW.set(self)

    def _leave_context(self) -> None:
        token, self._token = self._token, None
        if token is not None:
            try:
                FLOW.reset(token)
            except ValueError:  # left in another context than it was entered in, as generators do
                pass

    def _begin(self) -> None:
        """Records it as running, or takes up the one that is recorded."""
        if self._flow is not None:
            raise RuntimeError("the block of a flow is entered once; ask ledger.flow() for another")
        self._pid = os.getpid()
        found = self._taken_up
        if found is None:
            found = self._ledger.flow_create(self._goal, running=True, **self._fields)
            self._created = bool(found.created)
        if not self._created:
            # The move tells who was at it before that it is not theirs any more.
            found = self._ledger.flow_resume(found, found.revision, running=True)
        self._flow = found

    def _end(self, error: BaseException | None) -> None:
        """Records how the block was left. A forked child records nothing: the flow is its parent's."""
        flow = self._flow
        if flow is None or flow.is_ended or os.getpid() != self._pid or sys.is_finalizing():
            return
        if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            if flow.status == FlowStatus.RUNNING:
                self.finish()
            return
        if isinstance(error, (FlowCancelRequested, FlowEnded)) and error.flow == flow.number:
            return
        try:
            self.fail(blocked_summary=_words(error))
        except LedgerError as refusal:
            # The block's own exception is what the caller must see.
            log.warning("that flow F%s failed could not be recorded: %s", flow.number, refusal)
            if hasattr(error, "add_note"):
                error.add_note(f"bgledger could not record that flow F{flow.number} failed: {refusal}")


def _words(error: BaseException) -> str:
    """An exception in words: its class, and its message where it has one."""
    failure = failure_of(error)
    return cut(": ".join(part for part in (failure.type, failure.message) if part), NOTE_BYTES)


__all__ = ["FlowRun"]
