"""concurrent.futures: what is submitted to an executor.

>>> from bgledger.integrations import futures              # doctest: +SKIP
>>> futures.install(ledger, pool)                          # doctest: +SKIP

Each call is ``queued`` as it is submitted (also by ``map``) and ends as it ends; a future that was cancelled, or left
behind by ``shutdown(cancel_futures=True)``, is ``cancelled``. In a pool of threads it is ``running`` while it runs and
``bgledger.current()`` inside. What a pool of processes does is seen from here only: when it is over.
Arguments and results are not recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from .._generated import Status
from .._ledger import Ledger
from .._task import CURRENT
from ._installation import Installation, quiet, recorder_for
from ._recorder import Recorder
from ._run import Run

__all__ = ["install"]


class _Submitting:
    def __init__(self, recorder: Recorder, pool: Executor) -> None:
        self.recorder = recorder
        self._submit: Callable[..., Future[Any]] = pool.submit
        self._is_threads = isinstance(pool, ThreadPoolExecutor)

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        run = self._queued(function)
        if run is None:
            return self._submit(function, *args, **kwargs)
        try:
            if self._is_threads:
                future = self._submit(_inside, run, function, args, kwargs)
            else:
                future = self._submit(function, *args, **kwargs)
        except BaseException as error:
            run.end(error)
            raise
        future.add_done_callback(lambda done: self._over(run, done))
        return future

    @quiet
    def _queued(self, function: Callable[..., Any]) -> Run:
        wrapped = getattr(function, "func", function)
        name = getattr(wrapped, "__qualname__", None) or type(wrapped).__qualname__
        return Run(self.recorder, str(name).replace("<locals>.", ""), kind="function", is_queued=True)

    @quiet
    def _over(self, run: Run, future: Future[Any]) -> None:
        if future.cancelled():
            run.end_as(Status.CANCELLED)
        elif not run.is_left:
            run.end(future.exception())


def _inside(run: Run, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    run.begin()
    token = CURRENT.set(run)
    try:
        value = function(*args, **kwargs)
    except BaseException as error:
        run.end(error)
        raise
    finally:
        CURRENT.reset(token)
    # Noted before whoever waits for the future goes on, so that a flush there covers it.
    run.end()
    return value


def install(ledger: Ledger | None = None, pool: Executor | None = None) -> Installation:
    """Records what is submitted to ``pool``: any executor, its own ``submit`` is replaced until ``uninstall()``.

    Args:
        ledger: Where; else the default ledger.
        pool: The executor; without one, every ``ThreadPoolExecutor`` of the process.
    """
    recorder = recorder_for(ledger, "futures")
    if pool is not None:
        setattr(pool, "submit", _Submitting(recorder, pool).submit)
        return Installation(recorder, lambda: delattr(pool, "submit"))
    original = ThreadPoolExecutor.submit

    def submit(self: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        submitting = _Submitting(recorder, self)
        submitting._submit = original.__get__(self)
        return submitting.submit(function, *args, **kwargs)

    setattr(ThreadPoolExecutor, "submit", submit)
    return Installation(recorder, lambda: setattr(ThreadPoolExecutor, "submit", original))
