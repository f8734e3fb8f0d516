"""What a recorder's thread does with the notes of a run. Nothing here is called on the host's time."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .. import _beat, _core
from .._codes import ExistsWithDifferent, FutureTime, Invalid, TimeOrder
from .._generated import Status
from .._types import Task
from ._recorder import LAST

if TYPE_CHECKING:
    from ._run import Run


def create(run: Run) -> None:
    """Records a run, or finds it recorded; and starts it, unless it is only queued."""
    try:
        run.recorded = _queued(run) if run.is_queued else _running(run)
        _renew(run)
    finally:
        run.is_recorded.set()


def start(run: Run, at: datetime) -> None:
    """Starts a run that was queued."""
    try:
        if run.recorded is not None:
            ledger, lease, task = run.recorder.ledger, _take_lease(run), run.recorded
            run.recorded = _at(lambda **time: ledger.start(task, lease=lease, **time), started_at=at)
            _renew(run)
    finally:
        run.is_ready.set()


def progress(run: Run, text: str | None, said: dict[str, Any]) -> None:
    """Records how far a run is."""
    if run.recorded is not None:
        run.recorded = run.recorder.ledger.progress(run.recorded, text, **said).task


def finish(run: Run, status: str, said: dict[str, Any], at: datetime) -> None:
    """Records how a run ended."""
    _beat.remove(run)
    task, ledger = run.recorded, run.recorder.ledger
    if task is not None:
        if task.executor is not None:
            said = {**said, "attempt": task.attempt, "nonce": task.executor.nonce}
        run.recorded = _at(lambda **time: ledger.finish(task, status, **said, **time), ended_at=at)


def recorded_above(run: Run) -> str | None:
    """The nearest recorded task above. One that another recorder's thread has not reached yet is waited for: it was
    noted before, so nobody waits in a circle."""
    above: Any = run.above
    while above is not None and not isinstance(above, str):
        if above._pid == os.getpid():
            above.is_recorded.wait(LAST)
        if above.recorded is not None:
            return f"id:{above.recorded.id}"
        above = above.above
    return above if isinstance(above, str) else None


def _places(run: Run) -> tuple[str | None, dict[str, Any]]:
    """The task above, and what is told of the run: a retry belongs where the try before belongs."""
    earlier = None if run.retry_of is None else run.retry_of.recorded
    if earlier is None:
        return recorded_above(run), run.fields
    return None if earlier.parent is None else f"id:{earlier.parent}", {**run.fields, "retry_of": earlier}


def _queued(run: Run) -> Task:
    ledger, (above, fields) = run.recorder.ledger, _places(run)
    task = _known(run, lambda: ledger.create(run.label, parent=above, **fields))
    if not task.created and task.status == Status.RUNNING:
        # Who runs it was faster, and did not know where it belongs.
        missing: dict[str, str] = {}
        if task.parent is None and above is not None:
            missing["parent"] = ledger.get(above).id
        if task.retry_of is None and "retry_of" in fields:
            missing["retry_of"] = fields["retry_of"].id
        if missing:
            task = ledger.progress(task, fill=missing).task
    return task


def _running(run: Run) -> Task | None:
    """``None``: it ended before, and is nobody's to run."""
    ledger, (above, fields), lease = run.recorder.ledger, _places(run), _take_lease(run)

    def created(**claim: Any) -> Task:
        return ledger.create(run.label, parent=above, start=True, lease=lease, **fields, **claim)

    def begun() -> Task:
        try:
            return _at(lambda **time: created(executor=run.executor, **time), started_at=run.begun)
        except Invalid:
            if run.executor is None:
                raise
            # The process was gone before anybody could look at it.
            return _at(created, started_at=run.begun)

    task = _known(run, begun)
    if not task.created:
        if task.status.is_final:
            return None
        fill = {"parent": ledger.get(above).id} if task.parent is None and above is not None else None
        task = ledger.start(f"id:{task.id}", fill=fill, lease=lease)
    return task


def _known(run: Run, create: Callable[[], Task]) -> Task:
    """What is recorded counts, where another process knew the same work by other words."""
    try:
        return create()
    except ExistsWithDifferent as error:
        return run.recorder.ledger.get(error.number)


def _at(record: Callable[..., Task], **time: datetime) -> Task:
    """Records something with its time; without, if the clock was set back meanwhile."""
    try:
        return record(**time)
    except (FutureTime, TimeOrder):
        return record()


def _take_lease(run: Run) -> float | None:
    """In a container, where a restart hides what ran there, a lease in seconds; it is renewed while the work runs."""
    run._lease = _core.default_lease()
    return None if run._lease is None else run._lease / 1000


def _renew(run: Run) -> None:
    if run._lease is not None and run.recorded is not None:
        try:
            _beat.add(run, run._interval())
        except RuntimeError:  # the interpreter ends and starts no thread any more: the end is recorded at once
            pass
