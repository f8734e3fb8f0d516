"""One thread of a handle for asyncio: calls are carried out in the order in which they were made.

It begins with the first call and ends when it has had nothing to do for a while. Results come back to a loop together,
so that a busy ledger does not wake it for each of them.
"""

from __future__ import annotations

import asyncio
import atexit
import collections
import os
import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

IDLE = 5.0
"""How many seconds the thread waits for another call."""

Work = tuple["Replies", "asyncio.Future[Any]", Callable[[], Any]]


class Worker:
    """The thread of one handle. A forked child has one of its own."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._replies: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Replies] = weakref.WeakKeyDictionary()
        _workers.add(self)

    def soon(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Has something done by the thread; the future is the running loop's."""
        loop = asyncio.get_running_loop()
        replies = self._replies.get(loop)
        if replies is None:
            replies = self._replies[loop] = Replies(loop)
        future: asyncio.Future[T] = loop.create_future()
        with self._lock:
            if self._thread is not None or self._begin():
                self._work.put((replies, future, work))
            else:
                self._do(replies, future, work)
        return future

    def _begin(self) -> bool:
        thread = threading.Thread(target=self._run, name="bgledger-calls", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter ends, and starts no thread any more: the loop itself has to wait
            return False
        self._thread = thread
        return True

    def end(self) -> None:
        """Before the interpreter ends: what was asked for is done, and the thread is gone."""
        thread = self._thread
        if thread is not None and self._pid == os.getpid():
            self._work.put(None)
            thread.join(10)

    @property
    def is_foreign(self) -> bool:
        """Whether it is a forked parent's."""
        return self._pid != os.getpid()

    def _run(self) -> None:
        while True:
            try:
                asked = self._work.get(timeout=IDLE)
            except queue.Empty:
                asked = None
            if asked is None:
                with self._lock:
                    if self._work.empty():
                        self._thread = None
                        return
                continue
            self._do(*asked)
            # What the work holds is let go of here, not with the next call.
            del asked

    @staticmethod
    def _do(replies: Replies, future: asyncio.Future[Any], work: Callable[[], Any]) -> None:
        try:
            result, error = work(), None
        except BaseException as raised:
            result, error = None, raised
        replies.add(future, result, error)


class Replies:
    """What goes back to one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._waiting: collections.deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = collections.deque()
        self._is_called = False

    def add(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self._waiting.append((future, result, error))
        loop = self._loop()
        if not self._is_called and loop is not None:
            self._is_called = True
            try:
                loop.call_soon_threadsafe(self._give)
            except RuntimeError:  # the loop is closed: nobody waits any more
                self._waiting.clear()

    def _give(self) -> None:
        # Said first: what is added from here on calls again, though this turn may give it already.
        self._is_called = False
        for _ in range(len(self._waiting)):
            future, result, error = self._waiting.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            elif isinstance(error, (StopIteration, StopAsyncIteration)):
                future.set_exception(RuntimeError(f"{error!r} left a call"))
            else:
                future.set_exception(error)


_workers: weakref.WeakSet[Worker] = weakref.WeakSet()


@atexit.register
def _end() -> None:
    for worker in list(_workers):
        worker.end()
