"""One thread that carries records to the ledger, in the order in which the host made them.

A callback of a framework runs on the host's time, often on its event loop. It only notes what happened, with the time;
the thread does the rest, so that a locked or slow ledger holds up nobody. Killed in between, the process loses the
notes of the last moments, a few milliseconds' worth unless the ledger is held up: a task that was noted only is then
absent, and one whose end was noted only is found as ``lost``.
"""

from __future__ import annotations

import atexit
import collections
import copy
import logging
import multiprocessing.util
import os
import threading
import time
import weakref
from collections.abc import Callable

from .._base import LedgerError
from .._codes import AlreadyEnded, Busy
from .._ledger import Ledger

log = logging.getLogger("bgledger")

WAITING = 10_000
"""How many notes may wait. Beyond, new tasks and progress are left out; the ends of those begun never are."""
IDLE = 5.0
"""How many seconds the thread waits for another note."""
LAST = 10.0
"""How many seconds the interpreter's end, and whoever turns an integration off, waits for the thread."""
TRIES = 5
"""How often a note is tried while others hold the ledger."""


class Recorder:
    """The thread and its notes. A forked child has its own, on the same ledger."""

    def __init__(self, ledger: Ledger, runtime: str) -> None:
        self.runtime = runtime
        # A handle of its own, so that the ledger given may be closed: the last notes arrive after the host's last word.
        self.given = ledger
        self._ledger: Ledger | None = None
        self._logged: set[str] = set()
        self.renew()
        _recorders.add(self)

    def renew(self) -> None:
        """Begins anew in this process: the parent's thread, lock and notes are not a forked child's."""
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._notes: collections.deque[Callable[[], object]] = collections.deque()
        self._is_busy = False
        self._thread: threading.Thread | None = None

    @property
    def ledger(self) -> Ledger:
        """The handle on which the thread records."""
        if self._ledger is None:
            self._ledger = copy.copy(self.given)
        return self._ledger

    def note(self, work: Callable[[], object], *, is_new: bool) -> bool:
        """Has something recorded soon; says whether it will be. Only what is new may be turned away."""
        with self._changed:
            if is_new and len(self._notes) >= WAITING:
                self.failed("full", f"{WAITING} records are waiting")
                return False
            self._notes.append(work)
            if self._thread is None:
                self._begin()
            elif len(self._notes) == 1:
                self._changed.notify_all()
        return True

    def flush(self, timeout: float = LAST) -> bool:
        """Waits until all that was noted is recorded, or given up; says whether that came in ``timeout`` seconds."""
        if threading.current_thread() is self._thread:
            return False
        with self._changed:
            return self._changed.wait_for(lambda: not self._notes and not self._is_busy, timeout)

    def failed(self, cause: str, problem: object) -> None:
        """Logs what could not be recorded, the first time for each cause. The host goes on."""
        if cause not in self._logged:
            self._logged.add(cause)
            log.warning("%s: not recorded: %s (the next of this cause is not logged)", self.runtime, problem)

    def _begin(self) -> None:
        thread = threading.Thread(target=self._work, name=f"bgledger-{self.runtime}", daemon=True)
        try:
            thread.start()
            self._thread = thread
        except RuntimeError:  # the interpreter ends and starts no thread any more: the end records what is left
            pass

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._notes:
                    self._changed.wait(IDLE)
                    if not self._notes:
                        self._thread = None
                        return
                work = self._notes.popleft()
                self._is_busy = True
            try:
                self._do(work)
            finally:
                del work
                with self._changed:
                    self._is_busy = False
                    if not self._notes:
                        self._changed.notify_all()

    def _do(self, work: Callable[[], object]) -> None:
        for left in reversed(range(TRIES)):
            try:
                work()
            except Busy as error:
                if left:
                    time.sleep(0.01)
                    continue
                self.failed(error.code, error)
            except AlreadyEnded:  # by its own word, or an operator's
                pass
            except LedgerError as error:
                self.failed(error.code, error)
            except Exception as error:
                self.failed(type(error).__name__, repr(error))
            return

    def end(self) -> None:
        """Before the interpreter ends: what was noted is recorded, by whoever is left."""
        self.flush(LAST)
        if self._thread is None and self._pid == os.getpid():
            until = time.monotonic() + LAST
            while self._notes and time.monotonic() < until:
                self._do(self._notes.popleft())


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


@atexit.register
def _end() -> None:
    for recorder in list(_recorders):
        recorder.end()


def _renew() -> None:
    for recorder in list(_recorders):
        recorder.renew()


os.register_at_fork(after_in_child=_renew)


class _Forked:
    """What a child of ``multiprocessing`` looks at as it begins: it ends without the interpreter's end."""


_forked = _Forked()
multiprocessing.util.register_after_fork(
    _forked, lambda _: multiprocessing.util.Finalize(None, _end, exitpriority=-100)
)
