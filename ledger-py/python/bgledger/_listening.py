"""One thread for each ledger that the process listens to. It sleeps until somebody records something.

It lets running tasks know that cancel was requested or that somebody else ended them, and rings for whoever waits in an
event loop. It begins with the first that listens and ends a while after the last. A forked child has none until it
needs one.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Protocol

from . import _core

if TYPE_CHECKING:
    from ._ledger import Ledger

IDLE = 2.0
"""How many seconds the thread stays when nobody listens any more."""
LONG = 10.0
"""How many seconds it sleeps at most where nothing is recorded."""
PAUSE = 0.05
"""How many seconds it lets pass between two looks for cancels alone, so that a busy ledger does not wake it each time."""
AGAIN = 0.25
"""How many seconds pass before it tries again what failed: there may be no ledger yet."""


class Told(Protocol):
    """A running task that is told when it should look at its record."""

    @property
    def number(self) -> int: ...

    def _look(self) -> bool: ...


class Rung(Protocol):
    """Something that is rung whenever anything was recorded."""

    def ring(self) -> None: ...


class Ear:
    """The thread of one ledger, and who listens."""

    def __init__(self, path: str, allow_network_fs: bool) -> None:
        self._path, self._allow_network_fs = path, allow_network_fs
        self._lock = threading.Lock()
        self._tasks: dict[int, set[Told]] = {}
        self._bells: set[Rung] = set()
        self._thread: threading.Thread | None = None
        self._core: _core.Handle | None = None
        self._ready = threading.Event()
        self._pause = threading.Event()
        self._left_at = 0.0
        self._is_over = False

    def tell(self, task: Told) -> bool:
        """Has a task told of what happens to it from here on; whether there is a thread that does."""
        with self._lock:
            self._tasks.setdefault(task.number, set()).add(task)
            return self._begin()

    def forget(self, task: Told) -> None:
        """And no more."""
        with self._lock:
            told = self._tasks.get(task.number, set())
            told.discard(task)
            if not told:
                self._tasks.pop(task.number, None)
            self._left_at = time.monotonic()

    def ring(self, bell: Rung) -> bool:
        """Rings a bell whenever anything is recorded; whether there is a thread that does."""
        with self._lock:
            self._bells.add(bell)
            return self._begin()

    def silence(self, bell: Rung) -> None:
        """And no more."""
        with self._lock:
            self._bells.discard(bell)
            self._left_at = time.monotonic()

    def hush(self) -> None:
        """Ends the thread at once if nobody listens: whoever closes the ledger wants its files let go."""
        with self._lock:
            if self._tasks or self._bells:
                return
            self._left_at, core, thread = 0.0, self._core, self._thread
        if core is not None:
            core.rouse()
        if thread is not None and thread is not threading.current_thread():
            thread.join(1)

    def wait(self) -> None:
        """Returns when the thread hears what is recorded from then on."""
        self._ready.wait(5)

    def end(self) -> None:
        """Before the interpreter ends: no thread is left inside the ledger."""
        with self._lock:
            self._is_over = True
            thread, core = self._thread, self._core
        self._pause.set()
        if core is not None:
            core.rouse()
        if thread is not None:
            thread.join(5)

    def _begin(self) -> bool:
        if self._thread is None and not self._is_over:
            self._ready = threading.Event()
            thread = threading.Thread(target=self._run, args=(self._ready,), name="bgledger-ear", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter ends, and starts no thread any more
                self._ready.set()
                return False
            self._thread = thread
        return self._thread is not None

    def _run(self, ready: threading.Event) -> None:
        after: int | None = None
        again: list[int] = []
        while True:
            with self._lock:
                is_idle = not self._tasks and not self._bells
                if self._is_over or (is_idle and time.monotonic() - self._left_at >= IDLE):
                    self._thread = self._core = None
                    return
            try:
                if self._core is None:
                    self._core = _core.Handle(self._path, None, None, True, None, self._allow_network_fs, False)
                begin, sleep = after, AGAIN if again else IDLE if is_idle else LONG
                after, taken = self._core.listen(begin, 0 if begin is None else round(sleep * 1000))
            except Exception:
                # Whoever waits asks for itself, and meets the same. The tasks are looked at when it is over.
                ready.set()
                self._ring()
                after = None
                self._pause.wait(AGAIN)
                continue
            if begin is None:
                # What came before the thread listened rang no bell.
                with self._lock:
                    taken = list(self._tasks)
                ready.set()
            if after != begin:
                self._ring()
            again = [number for number in {*taken, *again} if not self._tell(number)]
            if begin is not None and after != begin and not self._bells:
                self._pause.wait(PAUSE)

    def _ring(self) -> None:
        with self._lock:
            bells = list(self._bells)
        for bell in bells:
            bell.ring()

    def _tell(self, number: int) -> bool:
        with self._lock:
            tasks = list(self._tasks.get(number, ()))
        return all([task._look() for task in tasks])


_lock = threading.Lock()
_ears: weakref.WeakValueDictionary[tuple[str, bool], Ear] = weakref.WeakValueDictionary()
_is_over = False


def ear(ledger: Ledger) -> Ear:
    """The one that listens to a handle's ledger."""
    key = ledger._path, bool(ledger._options["allow_network_fs"])
    with _lock:
        found = _ears.get(key)
        if found is None:
            found = _ears[key] = Ear(*key)
            found._is_over = _is_over
        return found


def hush(ledger: Ledger) -> None:
    """Has the thread end that listens to a ledger, if nobody listens."""
    with _lock:
        found = _ears.get((ledger._path, bool(ledger._options["allow_network_fs"])))
    if found is not None:
        found.hush()


@atexit.register
def _end() -> None:
    global _is_over
    with _lock:
        _is_over = True
        ears = list(_ears.values())
    for each in ears:
        each.end()


def _renew() -> None:
    """In a forked child: the parent's threads and locks are not here."""
    global _lock
    _lock = threading.Lock()
    _ears.clear()


os.register_at_fork(after_in_child=_renew)
