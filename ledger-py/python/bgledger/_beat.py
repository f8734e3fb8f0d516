"""One thread for all running tasks of the process: it renews their leases.

It begins with the first task that needs it and ends with the last. A forked child has none until it needs one.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from typing import Protocol

log = logging.getLogger("bgledger")


class Beating(Protocol):
    """What the thread looks after."""

    def _beat(self) -> float | None:
        """Does what is due and says after how many seconds to come again; ``None``: not at all."""


class _Beats:
    def __init__(self) -> None:
        self.pid = os.getpid()
        # Taken as itself: a signal's exception inside a condition's own methods would leave it locked.
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.due: dict[Beating, float] = {}
        self.thread: threading.Thread | None = None
        self.is_over = False

    def add(self, one: Beating, after: float) -> None:
        with self.lock:
            if self.is_over:
                return
            self.due[one] = time.monotonic() + after
            if self.thread is None:
                thread = threading.Thread(target=self._run, name="bgledger-beat", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    # The interpreter ends, and starts no thread any more: the lease lasts as long as it was given.
                    del self.due[one]
                    log.warning("no thread can be started: leases are not renewed")
                    return
                self.thread = thread
            self.changed.notify_all()

    def remove(self, one: Beating) -> None:
        with self.lock:
            self.due.pop(one, None)
            self.changed.notify_all()

    def end(self) -> None:
        """Before the interpreter ends: no thread is left inside the ledger."""
        with self.lock:
            self.is_over = True
            self.due.clear()
            thread = self.thread
            self.changed.notify_all()
        if thread is not None and os.getpid() == self.pid:
            thread.join(timeout=10)

    def _run(self) -> None:
        while True:
            with self.lock:
                if not self.due:
                    self.thread = None
                    return
                one, at = min(self.due.items(), key=lambda entry: entry[1])
                wait = at - time.monotonic()
                if wait > 0:
                    self.changed.wait(wait)
                    continue
                del self.due[one]
            after = _beat(one)
            if after is not None:
                with self.lock:
                    if not self.is_over and not getattr(one, "_is_over", False):
                        self.due[one] = time.monotonic() + after


def _beat(one: Beating) -> float | None:
    try:
        return one._beat()
    except Exception:
        log.exception("a task's heartbeat failed")
        return None


_beats = _Beats()
atexit.register(lambda: _beats.end())


def _renew() -> None:
    """In a forked child: the parent's thread and locks are not here."""
    global _beats
    _beats = _Beats()


os.register_at_fork(after_in_child=_renew)


def add(one: Beating, after: float) -> None:
    """Has something looked after."""
    _beats.add(one, after)


def remove(one: Beating) -> None:
    """And no more."""
    _beats.remove(one)


def is_running() -> bool:
    """Whether the thread runs."""
    return _beats.thread is not None
