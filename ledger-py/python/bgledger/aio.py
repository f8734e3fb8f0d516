"""The ledger for asyncio. The loop never waits for storage.

>>> import bgledger.aio
>>> async def main() -> None:
...     async with bgledger.aio.open("ledger.db") as ledger:
...         async with ledger.task("fetch", timeout="5m") as task:
...             await task.progress("half", current=1, total=2)
...         async for event in ledger.watch(after=0, timeout=0):
...             print(event.seq, event.type)

One thread per handle carries out the calls, in the order in which they were made. A call that is cancelled may have
been recorded; asking again is safe. Waiting holds no thread of the handle up, and stops at once when it is cancelled.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from . import _given
from ._async_flow import AsyncFlow
from ._async_task import AsyncTask
from ._codes import WaitTimedOut
from ._given import Span, optional
from ._ledger import Ledger as Blocking
from ._listening import AGAIN, ear
from ._operating_types import Drained
from ._reading import warn_truncated, warn_unreadable
from ._recording import KEEP, Lookup
from ._types import Event, Task

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

__all__ = ["AsyncFlow", "AsyncTask", "Ledger", "Watch", "open"]

DEATHS = 0.5
"""How many seconds pass at most before it looks whether an executor died, which nobody records by itself."""


def _awaited(method: Callable[Concatenate[Blocking, P], T]) -> Callable[Concatenate[Ledger, P], Coroutine[Any, Any, T]]:
    """The method of the blocking handle, carried out by the handle's thread."""

    @functools.wraps(method)
    async def awaited(self: Ledger, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._soon(lambda: method(self.blocking, *args, **kwargs))

    return awaited


def _same(method: Callable[Concatenate[Blocking, P], T]) -> Callable[Concatenate[Ledger, P], T]:
    """The method of the blocking handle, which does not wait."""

    @functools.wraps(method)
    def same(self: Ledger, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return method(self.blocking, *args, **kwargs)

    return same


class Ledger:
    """A handle for asyncio: the methods of :class:`bgledger.Ledger`, to be awaited, with the same arguments.

    It may be used by several loops and threads.
    """

    def __init__(self, path: str | os.PathLike[str] | Blocking | None = None, **options: Any) -> None:
        self.blocking: Blocking = path if isinstance(path, Blocking) else Blocking(path, **options)
        """The same handle for other threads."""

    @property
    def path(self) -> str:
        """The file."""
        return self.blocking.path

    @property
    def owner(self) -> str | None:
        """The owner whose records the handle sees; ``None``: the operator, who sees all."""
        return self.blocking.owner

    async def close(self) -> None:
        """Lets go of the ledger, after the calls under way."""
        await self._soon(self.blocking.close)

    async def __aenter__(self) -> Ledger:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<bgledger.aio.Ledger {self.path!r}>"

    def __reduce__(self) -> Any:
        return Ledger, (self.blocking,)

    # ---- recording -------------------------------------------------------------------------------------------

    task = _same(Blocking.task)
    flow = _same(Blocking.flow)

    @overload
    def track(self, label: F, /) -> F: ...
    @overload
    def track(self, label: str | None = None, /, **options: Any) -> Callable[[F], F]: ...

    def track(self, label: Any = None, /, **options: Any) -> Any:
        """Records each call of a function as a task; see :meth:`bgledger.Ledger.track`."""
        return self.blocking.track(label, **options)

    create = _awaited(Blocking.create)
    start = _awaited(Blocking.start)
    progress = _awaited(Blocking.progress)
    heartbeat = _awaited(Blocking.heartbeat)
    finish = _awaited(Blocking.finish)
    settle = _awaited(Blocking.settle)
    cancel = _awaited(Blocking.cancel)
    notify = _awaited(Blocking.notify)
    notices = _awaited(Blocking.notices)
    notices_claim = _awaited(Blocking.notices_claim)
    notices_ack = _awaited(Blocking.notices_ack)
    notices_nack = _awaited(Blocking.notices_nack)
    notices_retry = _awaited(Blocking.notices_retry)
    notices_drop = _awaited(Blocking.notices_drop)
    notices_dismiss = _awaited(Blocking.notices_dismiss)

    flow_create = _awaited(Blocking.flow_create)
    flow_list = _awaited(Blocking.flow_list)
    flow_show = _awaited(Blocking.flow_show)
    flow_wait = _awaited(Blocking.flow_wait)
    flow_resume = _awaited(Blocking.flow_resume)
    flow_finish = _awaited(Blocking.flow_finish)
    flow_fail = _awaited(Blocking.flow_fail)
    flow_cancel = _awaited(Blocking.flow_cancel)

    # ---- reading ---------------------------------------------------------------------------------------------

    @overload
    async def get(self, lookup: Lookup, /, *, ack: str | None = None) -> Task: ...
    @overload
    async def get(self, lookup: Lookup, default: T, /, *, ack: str | None = None) -> Task | T: ...

    async def get(self, lookup: Lookup, default: Any = KEEP, /, *, ack: str | None = None) -> Any:
        """See :meth:`bgledger.Ledger.get`."""
        return await self._soon(lambda: self.blocking.get(lookup, default, ack=ack))

    list = _awaited(Blocking.list)

    async def all(self, **filters: Any) -> AsyncIterator[Task]:
        """Every task that fits the filters of :meth:`list`, page by page."""
        while True:
            page = await self.list(**filters)
            for task in page.tasks:
                yield task
            warn_unreadable(page.unreadable)
            if page.next is None:
                return
            filters["after"] = page.next

    history = _awaited(Blocking.history)
    tree = _awaited(Blocking.tree)

    async def wait(
        self, *lookups: Lookup, any: bool = False, timeout: Span | None = None, ack: str | None = None
    ) -> tuple[Task, ...]:
        """Waits until the tasks end, or with ``any`` one of them; see :meth:`bgledger.Ledger.wait`."""
        lasting = None if timeout is None else _given.span("timeout", timeout) / 1000
        named = await self._settled(lookups)
        loop = asyncio.get_running_loop()
        ends = None if lasting is None else loop.time() + lasting
        began = loop.time()
        with _Listening(self.blocking) as bell:
            await self._soon(bell.is_ready)
            while True:
                bell.clear()
                try:
                    return await self._soon(lambda: self.blocking.wait(*named, any=any, timeout=0, ack=ack))
                except WaitTimedOut as over:
                    left = None if ends is None else ends - loop.time()
                    if left is not None and left <= 0:
                        raise _after(over, loop.time() - began) from None
                    await bell.rung(left)

    async def _settled(self, lookups: tuple[Lookup, ...]) -> tuple[Lookup, ...]:
        """What each lookup names, settled once."""
        return await self._soon(lambda: tuple(self.blocking.get(each).number for each in lookups))

    def watch(
        self, lookup: Lookup | None = None, *, after: int | None = None, timeout: Span | None = None
    ) -> Watch:
        """Follows the ledger, or one task: ``async for event in ledger.watch():``, each event once and in order.

        See :meth:`bgledger.Ledger.watch`. It begins, unless ``after`` says where, with what is recorded after the
        first event was asked for.
        """
        named = optional(_given.lookup, "lookup", lookup)
        begin = optional(_given.count, "after", after)
        return Watch(self, named, begin, optional(_given.span, "timeout", timeout))

    # ---- looking after it ------------------------------------------------------------------------------------

    stats = _awaited(Blocking.stats)
    audit = _awaited(Blocking.audit)
    acknowledge = _awaited(Blocking.acknowledge)
    maintain = _awaited(Blocking.maintain)
    reconcile = _awaited(Blocking.reconcile)

    async def drain(
        self, *, runtime: str | None = None, queued: bool = False, timeout: Span | None = None
    ) -> Drained:
        """Waits until nothing runs any more; see :meth:`bgledger.Ledger.drain`."""
        lasting = 0.0 if timeout is None else _given.span("timeout", timeout) / 1000
        loop = asyncio.get_running_loop()
        ends = loop.time() + lasting
        with _Listening(self.blocking) as bell:
            if lasting > 0:
                await self._soon(bell.is_ready)
            while True:
                bell.clear()
                told = await self._soon(lambda: self.blocking.drain(runtime=runtime, queued=queued))
                left = ends - loop.time()
                if told.drained or left <= 0:
                    return told
                await bell.rung(min(left, DEATHS))

    prune = _awaited(Blocking.prune)
    config = _awaited(Blocking.config)
    doctor = _awaited(Blocking.doctor)
    verify = _awaited(Blocking.verify)
    backup = _awaited(Blocking.backup)
    recover = _awaited(Blocking.recover)
    migrate = _awaited(Blocking.migrate)

    async def call(self, request: Any, /, **fields: Any) -> Any:
        """See :meth:`bgledger.Ledger.call`. A request that waits holds up the calls after it."""
        return await self._soon(lambda: self.blocking.call(request, **fields))

    def _soon(self, work: Callable[[], T]) -> Awaitable[T]:
        return self.blocking._worker.soon(work)


class Watch(AsyncIterator[Event]):
    """The events of a ledger as they come."""

    def __init__(self, ledger: Ledger, lookup: int | str | None, seq: int | None, timeout: int | None) -> None:
        self._ledger, self._lookup, self._timeout = ledger, lookup, timeout
        self._waiting: list[Event] = []
        #: The last event given, or where it began.
        self.seq = seq
        #: Whether events that it should have given are gone with tasks that were pruned.
        self.truncated = False
        self._next = seq

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> Event:
        if not self._waiting:
            await self._fill()
        event = self._waiting.pop()
        self.seq = event.seq
        return event

    async def _fill(self) -> None:
        blocking = self._ledger.blocking
        loop = asyncio.get_running_loop()
        ends = None if self._timeout is None else loop.time() + self._timeout / 1000
        if self._next is None:
            answer = await self._ledger._soon(lambda: blocking._ask("watch", lookup=self._lookup, timeout=0))
            self._next = self.seq = int(answer["next"])
        begin: int = self._next
        with _Listening(blocking) as bell:
            is_listening = False
            while True:
                bell.clear()
                asked = begin
                events, begin, is_cut = await self._ledger._soon(
                    lambda begin=begin: blocking._events(self._lookup, begin, 0)  # type: ignore[misc]
                )
                self._next = begin
                self._waiting = events[::-1]
                if is_cut and not self.truncated:
                    self.truncated = True
                    warn_truncated(asked, stacklevel=4)
                if events:
                    return
                left = None if ends is None else ends - loop.time()
                if left is not None and left <= 0:
                    raise StopAsyncIteration
                if is_listening:
                    await bell.rung(left)
                else:
                    # What is recorded from here on rings; what came before is looked for once more.
                    await self._ledger._soon(bell.is_ready)
                    is_listening = True


class _Listening:
    """One that waits in a loop for anything to be recorded."""

    def __init__(self, ledger: Blocking) -> None:
        self._ear = ear(ledger)
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()
        self._is_heard = False

    def __enter__(self) -> _Listening:
        self._is_heard = self._ear.ring(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._ear.silence(self)

    def is_ready(self) -> None:
        """Returns when the thread listens."""
        self._ear.wait()

    def clear(self) -> None:
        """Forgets what was recorded so far."""
        self._rung.clear()

    def ring(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._rung.set)
        except RuntimeError:  # the loop is closed
            pass

    async def rung(self, left: float | None) -> None:
        """Waits for the bell, or for what is left of the time."""
        if not self._is_heard:
            left = AGAIN if left is None else min(left, AGAIN)
        try:
            await asyncio.wait_for(self._rung.wait(), left)
        except (asyncio.TimeoutError, TimeoutError):
            pass


def _after(over: WaitTimedOut, seconds: float) -> WaitTimedOut:
    """The same error, with the whole time that was waited."""
    waited = round(seconds * 1000)
    message = over.message.replace(f"after {over.waited_ms} ms", f"after {waited} ms")
    body = {**over.body, "message": message, "waited_ms": waited}
    return WaitTimedOut(body, {"pending": over.pending, "awaited": over.awaited, "waited_ms": waited})


def open(path: str | os.PathLike[str] | None = None, **options: Any) -> Ledger:
    """Opens a ledger for asyncio, with the arguments of :func:`bgledger.open`."""
    return Ledger(path, **options)
