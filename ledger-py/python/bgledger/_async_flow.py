"""The block of a flow for asyncio: the loop never waits for the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ._async_task import surely
from ._flow_types import Flow, FlowCancelReply, FlowStatus
from ._recording import KEEP, Lookup

if TYPE_CHECKING:
    from ._flow_run import FlowRun
    from ._ledger import Ledger
    from ._task import TaskRun

T = TypeVar("T")


class AsyncFlow:
    """A flow and the ``async with`` block that moves it; see :class:`bgledger.FlowRun`.

    Its moves are recorded in the order of the calls by a thread of the handle. They answer with a future: await it, as
    the record tells of a move only once it is recorded.
    """

    def __init__(self, run: FlowRun) -> None:
        self._run = run

    @property
    def ledger(self) -> Ledger:
        """The handle."""
        return self._run.ledger

    @property
    def record(self) -> Flow:
        """The flow as the last answer told it."""
        return self._run.record

    @property
    def created(self) -> bool:
        """Whether the block recorded it; otherwise it was there, and goes on."""
        return self._run.created

    @property
    def number(self) -> int:
        """The short handle that people type as ``F3``."""
        return self._run.number

    @property
    def id(self) -> str:
        """The global id."""
        return self._run.id

    @property
    def goal(self) -> str:
        """What it is for."""
        return self._run.goal

    @property
    def status(self) -> FlowStatus:
        """Where it stands, as the last answer told it."""
        return self._run.status

    @property
    def revision(self) -> int:
        """The revision that the next move names."""
        return self._run.revision

    @property
    def step(self) -> str | None:
        """The step that it is at."""
        return self._run.step

    @property
    def state(self) -> Any:
        """What its controller keeps of it."""
        return self._run.state

    def __repr__(self) -> str:
        return f"<bgledger.AsyncFlow of {self._run!r}>"

    def wait(
        self,
        *,
        step: str | None = KEEP,
        state: Any = KEEP,
        wait: Any = KEEP,
        blocked_task: Lookup | None = None,
        blocked_summary: str | None = None,
    ) -> asyncio.Future[Flow]:
        """Says that it waits, or what blocks it; see :meth:`bgledger.Ledger.flow_wait`."""
        blocked: dict[str, Any] = {"blocked_task": blocked_task, "blocked_summary": blocked_summary}
        return self._soon(lambda: self._run.wait(step=step, state=state, wait=wait, **blocked))

    def resume(
        self, *, running: bool = True, step: str | None = KEEP, state: Any = KEEP
    ) -> asyncio.Future[Flow]:
        """Says that it goes on, by this block unless ``running`` is false; see :meth:`bgledger.Ledger.flow_resume`."""
        return self._soon(lambda: self._run.resume(running=running, step=step, state=state))

    def finish(self, *, step: str | None = KEEP, state: Any = KEEP) -> asyncio.Future[Flow]:
        """Says that it did what it was for; see :meth:`bgledger.Ledger.flow_finish`."""
        return self._soon(lambda: self._run.finish(step=step, state=state))

    def fail(
        self,
        *,
        step: str | None = KEEP,
        state: Any = KEEP,
        blocked_task: Lookup | None = None,
        blocked_summary: str | None = None,
    ) -> asyncio.Future[Flow]:
        """Says that it did not, and what stood in its way; see :meth:`bgledger.Ledger.flow_fail`."""
        blocked: dict[str, Any] = {"blocked_task": blocked_task, "blocked_summary": blocked_summary}
        return self._soon(lambda: self._run.fail(step=step, state=state, **blocked))

    def cancel(self, *, by: str | None = None, why: str | None = None) -> asyncio.Future[FlowCancelReply]:
        """Asks to cancel it and its tasks; see :meth:`bgledger.Ledger.flow_cancel`."""
        return self._soon(lambda: self._run.cancel(by=by, why=why))

    def refresh(self) -> asyncio.Future[Flow]:
        """Looks at it as it is now, with what its tasks come to. The next move is made on that."""
        return self._soon(self._run.refresh)

    def task(self, label: str, **options: Any) -> TaskRun:
        """A task of this flow for the ``async with`` block that follows; see :meth:`bgledger.Ledger.task`."""
        return self._run.task(label, **options)

    # ---- its block -------------------------------------------------------------------------------------------

    def _soon(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return self.ledger._worker.soon(work)

    async def _begin(self) -> None:
        begun = self._soon(self._run._begin)
        try:
            await asyncio.shield(begun)
        except BaseException as error:
            # It may be recorded all the same; the block is not entered.
            await surely(begun, ignore=True)
            await surely(self._soon(lambda: self._run._end(error)), ignore=True)
            raise

    async def _end(self, error: BaseException | None) -> None:
        await surely(self._soon(lambda: self._run._end(error)))
