"""The same block for asyncio: the loop never waits for the ledger."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ._recording import KEEP, Fill
from ._types import Artifact, Recorded, Task, Usage

if TYPE_CHECKING:
    from ._ledger import Ledger
    from ._task import TaskRun

T = TypeVar("T")


class AsyncTask:
    """A task and the ``async with`` block that does its work.

    ``progress`` and its like are recorded in the order of the calls by a thread of the handle. They answer with a
    future: await it for the answer, or go on without.
    """

    def __init__(self, run: TaskRun) -> None:
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._host: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._cancelling = 0
        #: Why it was stopped, and the asyncio task that was cancelled for it.
        self._stopped_for: str | None = None
        self._stopped: asyncio.Task[Any] | None = None
        self._is_missed = self._is_left = False

    @property
    def ledger(self) -> Ledger:
        """The handle."""
        return self._run.ledger

    @property
    def record(self) -> Task:
        """The task as the last answer told it."""
        return self._run.record

    @property
    def number(self) -> int:
        """The short handle people type."""
        return self._run.number

    @property
    def id(self) -> str:
        """The global id."""
        return self._run.id

    @property
    def attempt(self) -> int:
        """The attempt that this block is."""
        return self._run.attempt

    @property
    def label(self) -> str:
        """The short title."""
        return self._run.label

    def __repr__(self) -> str:
        return f"<bgledger.AsyncTask of {self._run!r}>"

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
    ) -> asyncio.Future[Recorded]:
        """Reports how far the work is; see :meth:`bgledger.Ledger.progress`."""
        said: dict[str, Any] = {"current": current, "total": total, "unit": unit, "waiting_on": waiting_on, "fill": fill}
        return self._soon(lambda: self._run.progress(text, **said, usage=usage, artifacts=artifacts))

    def heartbeat(self) -> asyncio.Future[Recorded]:
        """Says that the work lives."""
        return self._soon(self._run.heartbeat)

    def usage(
        self,
        tokens_in: int = 0,
        tokens_out: int = 0,
        tokens_cached: int = 0,
        cost: Mapping[str, int] | None = None,
        tool_calls: int = 0,
    ) -> asyncio.Future[Recorded]:
        """Tells what the attempt cost so far: its running total."""
        return self._soon(lambda: self._run.usage(tokens_in, tokens_out, tokens_cached, cost, tool_calls))

    def artifact(
        self,
        name: str,
        uri: str,
        *,
        size: int | None = None,
        sha256: str | None = None,
        media_type: str | None = None,
    ) -> asyncio.Future[Recorded]:
        """Tells of something the work leaves behind."""
        return self._soon(
            lambda: self._run.artifact(name, uri, size=size, sha256=sha256, media_type=media_type)
        )

    def finish(self, status: str = "succeeded", **said: Any) -> asyncio.Future[Task]:
        """Ends the task before its block ends; see :meth:`bgledger.Ledger.finish`."""
        return self._soon(lambda: self._run.finish(status, **said))

    @property
    def result(self) -> Any:
        """What the work comes to: anything that JSON can say. It is recorded with the success."""
        return self._run.result

    @result.setter
    def result(self, value: Any) -> None:
        self._run.result = value

    @property
    def summary(self) -> str | None:
        """The result in words."""
        return self._run.summary

    @summary.setter
    def summary(self, value: str | None) -> None:
        self._run.summary = value

    @property
    def outcome(self) -> str | None:
        """What the success amounts to; ``ok`` unless set."""
        return self._run.outcome

    @outcome.setter
    def outcome(self, value: str | None) -> None:
        self._run.outcome = value

    @property
    def cancel_requested(self) -> bool:
        """Whether the work should stop: somebody asked to cancel the task, or ended it, or took it over.

        A thread of the process listens to the ledger: asking costs nothing.
        """
        self._run._signs += 1
        return self._run._is_cancelled

    def raise_if_cancelled(self) -> None:
        """Leaves the block as ``cancelled`` if the work should stop."""
        if self.cancel_requested:
            self._run.raise_if_cancelled()

    # ---- its block -------------------------------------------------------------------------------------------

    def _soon(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return self.ledger._worker.soon(work)

    async def _begin(self) -> None:
        run = self._run
        run._once()
        begun = self._soon(run._begin)
        try:
            await asyncio.shield(begun)
        except BaseException as error:
            # It may be recorded all the same; the block is not entered.
            await surely(begun, ignore=True)
            await surely(self._soon(lambda: run._end(error)), ignore=True)
            raise
        if run._timeout is not None:
            self._timer = self._loop.call_later(run._timeout / 1000, self._stop, "deadline")
        if self._resume() and self._host is not None:
            self._stopped = self._host
            self._host.cancel()

    async def _end(self, error: BaseException | None) -> None:
        run = self._run
        self._is_left = True
        if self._timer is not None:
            self._timer.cancel()
        is_overdue = self._is_overdue(error)
        run._ending.is_overdue = is_overdue
        overdue = TimeoutError(f"task #{run.number} ran for more than {(run._timeout or 0) / 1000:g} s")
        await surely(self._soon(lambda: run._end(overdue if is_overdue else error)))
        if is_overdue:
            raise overdue from error

    # ---- what stops it -------------------------------------------------------------------------------------------

    def _resume(self) -> bool:
        """From here on the running asyncio task does the work. Says, once, whether it was to stop while nobody did."""
        self._host = asyncio.current_task()
        if self._host is not None and sys.version_info >= (3, 11):
            self._cancelling = self._host.cancelling()
        is_missed, self._is_missed = self._is_missed, False
        return is_missed

    def _suspend(self, error: BaseException | None) -> None:
        """From here on nobody does: who goes through a generator is not the work."""
        self._host = None
        if not isinstance(error, asyncio.CancelledError):
            self._take_back()

    def _take_back(self) -> bool:
        """Takes back the cancel of the asyncio task; whether no other one is left."""
        stopped, self._stopped = self._stopped, None
        if stopped is None or sys.version_info < (3, 11):
            return True
        return stopped.uncancel() <= self._cancelling

    def _is_overdue(self, error: BaseException | None) -> bool:
        """Whether it was left because of its deadline. A cancel that was requested goes on as one, if it is left so."""
        is_cancelled = isinstance(error, asyncio.CancelledError)
        is_deadline = self._stopped_for == "deadline"
        is_alone = self._take_back() if is_deadline or not is_cancelled else True
        return is_deadline and is_cancelled and is_alone

    def _cancel_soon(self) -> None:
        """The ledger says that it should stop."""
        try:
            self._loop.call_soon_threadsafe(self._stop, "requested")
        except RuntimeError:  # the loop is closed: nobody is left to be told
            pass

    def _stop(self, why: str) -> None:
        if self._is_left or self._stopped_for is not None:
            return
        self._stopped_for = why
        if self._host is None:
            self._is_missed = True
        else:
            self._stopped = self._host
            self._host.cancel()


async def surely(future: asyncio.Future[Any], ignore: bool = False) -> None:
    """Waits for what is under way, though this task be cancelled meanwhile; then the cancellation goes on."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:
            break
    if not ignore:
        future.result()
    elif not future.cancelled():
        future.exception()
    if cancelled is not None and not ignore:
        raise cancelled
