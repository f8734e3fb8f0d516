"""asyncio: the tasks of an event loop.

>>> from bgledger.integrations import asyncio_tasks        # doctest: +SKIP
>>> asyncio_tasks.install(ledger)                          # doctest: +SKIP

Each task that the loop begins is one, below the task that created it, and ends as it ends: ``succeeded``, ``failed``,
or ``cancelled``. asyncio's own are left out. ``only`` chooses, for hosts whose every step is an asyncio task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Union

from .._generated import Status
from .._ledger import Ledger
from .._task import CURRENT
from ._installation import Installation, quiet, recorder_for
from ._recorder import Recorder
from ._run import Run

__all__ = ["install"]

Work = Union[Coroutine[Any, Any, Any], Generator[Any, None, Any]]


class _Factory:
    def __init__(self, recorder: Recorder, only: Callable[[Work], bool], before: Any) -> None:
        self.recorder = recorder
        self._only = only
        self._before = before

    def __call__(self, loop: asyncio.AbstractEventLoop, work: Work, **options: Any) -> Any:
        run = self._run(work)
        if run is None:
            return self._task(loop, work, options)
        # A task copies the context in which it is made; one that is given its context keeps it as it is.
        token = CURRENT.set(run)
        try:
            task = self._task(loop, work, options)
        except BaseException as error:
            run.end(error)
            raise
        finally:
            CURRENT.reset(token)
        task.add_done_callback(lambda done: self._over(run, done))
        return task

    def _task(self, loop: asyncio.AbstractEventLoop, work: Any, options: dict[str, Any]) -> Any:
        if self._before is not None:
            return self._before(loop, work, **options)
        return asyncio.Task(work, loop=loop, **options)

    @quiet
    def _run(self, work: Work) -> Run | None:
        frame = getattr(work, "cr_frame", None) or getattr(work, "gi_frame", None)
        module = "" if frame is None else str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] == "asyncio" or not self._only(work):
            return None
        name = getattr(work, "__qualname__", None) or type(work).__qualname__
        return Run(self.recorder, str(name).replace("<locals>.", ""), kind="coroutine")

    @quiet
    def _over(self, run: Run, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            run.end_as(Status.CANCELLED)
        else:
            # Not `exception()`, which would say that somebody has seen it: the loop warns of those that nobody saw.
            run.end(getattr(task, "_exception", None))


def install(
    ledger: Ledger | None = None,
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    only: Callable[[Work], bool] = lambda work: True,
) -> Installation:
    """Records the tasks that a loop begins from now on; a task factory set before goes on making them.

    Args:
        ledger: Where; else the default ledger.
        loop: Which loop; else the running one.
        only: Says of each coroutine whether it is recorded.

    Raises:
        RuntimeError: No loop was given, and none runs.
    """
    chosen = asyncio.get_running_loop() if loop is None else loop
    before: Any = chosen.get_task_factory()
    recorder = recorder_for(ledger, "asyncio")
    factory: Any = _Factory(recorder, only, before)
    chosen.set_task_factory(factory)

    def remove() -> None:
        if chosen.get_task_factory() is factory:
            chosen.set_task_factory(before)
        factory._only = lambda work: False

    return Installation(recorder, remove)
