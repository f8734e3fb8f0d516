"""What a host runs, from the moment it is noted: a task whose record follows."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from .._ending import cut, ending_of, plain
from .._generated import ERROR_MESSAGE_BYTES, ERROR_TYPE_BYTES, LABEL_BYTES, NotifyPolicy, Status
from .._task import CURRENT, TaskRun
from .._types import Failure, Task, Usage
from . import _carrying
from ._recorder import LAST, Recorder

NAME_BYTES = ERROR_TYPE_BYTES
TEXT_BYTES = ERROR_MESSAGE_BYTES
"""What is kept of a work's text, of a summary and of an error's message."""
VALUE_BYTES = 1024
"""What is kept of one value of the metadata."""
AROUND: Any = object()
"""As a parent: the task whose block surrounds the host's code."""


def name_of(value: object) -> str | None:
    """A name as the ledger takes it; ``None`` where the host has none."""
    text = "" if value is None else cut(plain(str(value).strip()), NAME_BYTES).strip()
    return text or None


def text_of(value: object, most: int = TEXT_BYTES) -> str | None:
    """A text, or what stands for it; ``None`` where the host has none."""
    return None if value is None or value == "" else cut(plain(str(value)), most)


class Run(TaskRun):
    """A task of the host. It is current inside its work where the host lets that be known.

    What the work asks of ``bgledger.current()`` waits until the task is recorded; the host itself never does.
    """

    def __init__(
        self,
        recorder: Recorder,
        label: object,
        *,
        kind: str,
        runtime: str | None = None,
        run_id: object = None,
        session: object = None,
        agent: object = None,
        task: object = None,
        parent: Run | str | None = AROUND,
        metadata: Mapping[str, object] | None = None,
        more: Mapping[str, Any] | None = None,
        is_queued: bool = False,
        executor: int | None = None,
        begun: datetime | None = None,
        retry_of: Run | None = None,
    ) -> None:
        self.recorder = recorder
        self.above: Run | str | None = around(recorder) if parent is AROUND else parent
        #: What was current as it was noted: what is again, after it, where it was made current.
        self.outside = CURRENT.get()
        inherited = self.above.session if isinstance(self.above, Run) else None
        self.session: str | None = name_of(session) or inherited
        self.usage_so_far = Usage()
        #: What the thread has recorded, and whether it has come to it: to its creation, to its start.
        self.recorded: Task | None = None
        self.is_recorded = self.is_ready = threading.Event()
        title = cut(plain(str(label)).strip() or kind, LABEL_BYTES)
        super().__init__(recorder.given, title, {}, lease=None, timeout=None, proves=False, on_cancel=None)
        self._pid = os.getpid()
        fields: dict[str, Any] = {
            "runtime": runtime or recorder.runtime,
            "kind": kind,
            "run_id": name_of(run_id),
            "session": self.session,
            "agent": name_of(agent),
            "task": text_of(task),
            # An inner step owes nobody a notice: the work it belongs to does.
            "notify": NotifyPolicy.SILENT if isinstance(self.above, Run) else None,
            "metadata": _metadata(metadata or {}) or None,
            "created_at": datetime.now(timezone.utc) if is_queued else None,
            **(more or {}),
        }
        self.fields = {name: value for name, value in fields.items() if value is not None}
        self.is_queued = is_queued
        self.executor = executor
        self.retry_of = retry_of
        self.begun = begun or datetime.now(timezone.utc)
        self._is_left = not recorder.note(lambda: _carrying.create(self), is_new=True)
        if self._is_left:
            self.is_recorded.set()

    # ---- what the host notes -------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Its work begins, now that it was queued."""
        at = datetime.now(timezone.utc)
        if not self._is_left:
            self.is_ready = threading.Event()
            self.recorder.note(lambda: _carrying.start(self, at), is_new=False)

    def say(self, text: object, **said: Any) -> None:
        """Reports how far the work is."""
        if not self._is_left:
            self.recorder.note(lambda: _carrying.progress(self, text_of(text, VALUE_BYTES), said), is_new=True)

    def add_usage(
        self, tokens_in: object = 0, tokens_out: object = 0, tokens_cached: object = 0, tool_calls: int = 0
    ) -> None:
        """Adds to what the work cost so far; it is recorded with the end. What is no count counts for nothing."""
        sofar = self.usage_so_far
        self.usage_so_far = Usage(
            sofar.tokens_in + count(tokens_in),
            sofar.tokens_out + count(tokens_out),
            sofar.tokens_cached + count(tokens_cached),
            sofar.cost,
            sofar.tool_calls + tool_calls,
        )

    def end(self, error: BaseException | None = None, **said: Any) -> None:
        """The work is over: well, or by an exception, which tells a failure from a cancel."""
        self.end_as(**{**ending_of(error, self), **said})

    def fail(self, kind: object, message: object, detail: object = None, **said: Any) -> None:
        """The work failed, by the host's word."""
        failure = Failure(name_of(kind), text_of(message), None if detail is None else plain(str(detail)))
        self.end_as(Status.FAILED, error=failure, **said)

    def end_as(self, status: str, **said: Any) -> None:
        """The work is over, with this status. A forked child ends nothing of its parent's."""
        if self._is_left or self._pid != os.getpid():
            return
        self._is_left = True
        if "summary" in said:
            said["summary"] = text_of(said["summary"])
        if "usage" not in said and self.usage_so_far != Usage():
            said["usage"] = self.usage_so_far
        at = datetime.now(timezone.utc)
        self.recorder.note(lambda: _carrying.finish(self, status, said, at), is_new=False)

    # ---- what the surrounding code sees ------------------------------------------------------------------------------

    @property
    def _task(self) -> Task | None:
        """The record, for whoever is inside the work. Once it is over, nobody is."""
        if self._is_left:
            return None
        if self._pid == os.getpid():
            self.is_ready.wait(LAST)
        return self.recorded

    @_task.setter
    def _task(self, value: Task | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        if value is not None:
            self.recorded = value

    @property
    def is_left(self) -> bool:
        """Whether the host has noted its end, or could not even note its begin."""
        return self._is_left

    def _beat(self) -> float | None:
        return None if self._is_left else super()._beat()


def count(value: object) -> int:
    """A count as the ledger takes it; 0 for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else 0


def around(recorder: Recorder) -> Run | str | None:
    """The task around the host's code, in the same ledger."""
    run: TaskRun | Run | None = CURRENT.get()
    while isinstance(run, Run) and run.ledger.path == recorder.given.path:
        if not run.is_left:
            return run
        above = run.above
        if not isinstance(above, Run):
            return above
        run = above
    if isinstance(run, Run):
        return None
    outside = recorder.given._surrounding()
    return f"id:{outside.id}" if isinstance(outside, TaskRun) else None if outside is None else str(outside)


def _metadata(values: Mapping[str, object]) -> dict[str, str | int | float | bool]:
    return {name: _value(value) for name, value in values.items() if value is not None}


def _value(value: object) -> str | int | float | bool:
    if isinstance(value, (bool, int, float)) and abs(value) < 2**53:
        return value
    return cut(plain(str(value)), VALUE_BYTES)
