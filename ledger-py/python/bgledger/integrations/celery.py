"""Celery: every task, from its publication to its end.

>>> from bgledger.integrations import celery               # doctest: +SKIP
>>> celery.install(ledger)                                 # doctest: +SKIP

Install it in the processes that publish and in the workers; where a module defines the app, one line there is both.
A task is ``queued`` as it is published, ``running`` in the worker's process that runs it, and ends as it ends; revoked
ones are ``cancelled``, over a time limit ``timed_out``. Each retry is a task of its own that names the one before in
``retry_of``. Inside a task ``bgledger.current()`` is its record, and what it publishes or begins is below it.
Arguments and results are not recorded.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from .._generated import Outcome, Reason, Status
from .._ledger import Ledger
from .._task import CURRENT
from ._installation import Installation, quiet, recorder_for
from ._recorder import Recorder
from ._run import AROUND, Run

__all__ = ["install"]

signals: Any = importlib.import_module("celery.signals")  # Celery has no types.


class _Signals:
    """What happens when Celery says so."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        # By task id: what this process runs.
        self._running: dict[str, Run] = {}
        self._by_signal = [
            (signals.before_task_publish, self._publish),
            (signals.task_prerun, self._begin),
            (signals.task_postrun, self._after),
            (signals.task_failure, self._failure),
            (signals.task_retry, self._retry),
            (signals.task_revoked, self._revoked),
            (signals.worker_process_shutdown, self._leave),
            (signals.worker_shutdown, self._leave),
        ]

    def connect(self) -> None:
        for signal, receiver in self._by_signal:
            signal.connect(receiver, weak=False)

    def disconnect(self) -> None:
        for signal, receiver in self._by_signal:
            signal.disconnect(receiver)

    def _run(self, task_id: str, name: object, tries: int, **more: Any) -> Run:
        # Both sides use one key: whoever comes first records the task, the other finds it.
        key = f"celery:{task_id}:{tries}"
        return Run(self.recorder, name, kind="task", run_id=task_id, more={"key": key}, **more)

    @quiet
    def _publish(self, sender: Any = None, headers: Any = None, **_: Any) -> None:
        if isinstance(headers, dict) and "id" in headers:
            tries = headers.get("retries") or 0
            earlier = self._running.get(headers["id"]) if tries else None
            parent = None if tries else AROUND
            self._run(headers["id"], sender, tries, parent=parent, retry_of=earlier, is_queued=True)

    @quiet
    def _begin(self, task_id: str = "", task: Any = None, **_: Any) -> None:
        # Called by hand (`task()`, or eagerly) inside another task, it belongs there; else its publisher knows where.
        parent = AROUND if task.request.called_directly or task.request.is_eager else None
        run = self._run(task_id, task.name, task.request.retries or 0, parent=parent)
        self._running[task_id] = run
        CURRENT.set(run)

    @quiet
    def _after(self, task_id: str = "", state: Any = None, **_: Any) -> None:
        run = self._running.pop(task_id, None)
        if run is None:
            return
        if CURRENT.get() is run:
            CURRENT.set(run.outside)
        if state == "REJECTED":
            run.end_as(Status.CANCELLED, reason=Reason.REJECTED)
        elif state in ("IGNORED", "SUCCESS"):
            run.end_as(Status.SUCCEEDED, outcome=Outcome.NO_RESULT if state == "IGNORED" else None)
        elif state is None:  # something else than an Exception leaves it: its process is told to stop
            run.end_as(Status.CANCELLED, summary=f"left by {type(sys.exc_info()[1]).__name__}")
        else:
            run.end_as(Status.FAILED, summary=f"it ended in the state {state}")

    @quiet
    def _failure(
        self, sender: Any = None, task_id: str = "", exception: BaseException | None = None, einfo: Any = None, **_: Any
    ) -> None:
        # The worker itself tells of a process that died or was killed for its time limit.
        run = self._running.get(task_id) or self._found(sender, task_id)
        kind = type(exception)
        if kind.__name__.endswith("TimeLimitExceeded"):
            run.end_as(Status.TIMED_OUT, error={"type": kind.__name__, "message": str(exception)})
        elif exception is not None and exception.__traceback__ is not None:
            run.end(exception)
        else:
            run.fail(f"{kind.__module__}.{kind.__qualname__}", exception, getattr(einfo, "traceback", None))

    def _found(self, sender: Any, task_id: str) -> Run:
        request = getattr(sender, "request", None)
        tries = getattr(request, "retries", 0) if getattr(request, "id", None) == task_id else 0
        return self._run(task_id, getattr(sender, "name", sender), tries or 0, parent=None, is_queued=True)

    @quiet
    def _retry(self, request: Any = None, reason: Any = None, **_: Any) -> None:
        run = self._running.get(request.id)
        if run is not None:
            cause = getattr(reason, "exc", None)
            kind = type(cause if cause is not None else reason)
            run.fail(f"{kind.__module__}.{kind.__qualname__}", cause if cause is not None else reason, summary=reason)

    @quiet
    def _revoked(
        self, request: Any = None, terminated: Any = None, signum: Any = None, expired: Any = None, **_: Any
    ) -> None:
        # In the worker's main process: the task waited, or ran in a process that was killed.
        tries = getattr(request, "retries", None) or (getattr(request, "request_dict", None) or {}).get("retries") or 0
        name = getattr(request, "task_name", None) or getattr(request, "task", None) or "task"
        run = self._run(request.id, name, tries, parent=None, is_queued=True)
        if expired:
            run.end_as(Status.TIMED_OUT, reason=Reason.QUEUE_DEADLINE)
        else:
            run.end_as(Status.CANCELLED, summary=f"revoked and killed by {signum}" if terminated else "revoked")

    @quiet
    def _leave(self, **_: Any) -> None:
        # A process of the pool ends without the interpreter's end.
        self.recorder.flush()


def install(ledger: Ledger | None = None) -> Installation:
    """Records every task that this process, or a worker process forked from it, publishes or runs.

    Args:
        ledger: Where; else the default ledger. All processes must mean the same file.
    """
    recorder = recorder_for(ledger, "celery")
    receivers = _Signals(recorder)
    receivers.connect()
    return Installation(recorder, receivers.disconnect)
