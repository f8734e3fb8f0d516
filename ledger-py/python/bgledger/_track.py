"""Tasks by a block or by a decorator."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from . import _core, _given
from ._ending import cut
from ._errors import InvalidType, invalid
from ._generated import LABEL_BYTES
from ._flow_types import FlowLookup
from ._given import Span
from ._recording import KEEP, Lookup, Scalar
from ._waist import Waist
from ._current import FLOW
from ._task import CURRENT, TaskRun, span_in

if TYPE_CHECKING:
    from ._ledger import Ledger
    from ._worker import Worker

F = TypeVar("F", bound=Callable[..., Any])


class Tracking(Waist):
    """Tasks by a block or by a decorator; see :class:`bgledger.Ledger`."""

    def task(
        self,
        label: str,
        *,
        task: str | None = None,
        runtime: str | None = None,
        run_id: str | None = None,
        session: str | None = None,
        parent: Lookup | None = KEEP,
        flow: FlowLookup | None = KEEP,
        lease: Span | Literal[False] | None = None,
        timeout: Span | None = None,
        metadata: Mapping[str, Scalar] | None = None,
        notify: str | None = None,
        kind: str | None = None,
        agent: str | None = None,
        key: str | None = None,
        source_id: str | None = None,
        owner: str | None = None,
        requester_session: str | None = None,
        requester_agent: str | None = None,
        retry_of: Lookup | None = None,
        heartbeat: Literal["process", "work"] = "process",
        on_cancel: Callable[[TaskRun], object] | None = None,
    ) -> TaskRun:
        """A task for the block that follows: ``with ledger.task("label") as task:``, or ``async with``.

        It is recorded and started as the block is entered, and ends as the block is left; see
        :class:`bgledger.TaskRun`. With a ``run_id`` or ``key`` that is recorded already, a queued task is started and
        a lost one taken over.

        Args:
            parent: The task that starts it; ``None`` for none. Unless given it is that of the surrounding block, where
                the handle sees it and the task is not recorded already.
            flow: The flow that it belongs to; ``None`` for its parent's, if any. Unless given, and unless a parent is
                given, it is that of the surrounding block of a flow, where no other task's block is in between.
            lease: How long the process may be silent before the task is presumed lost. It is renewed by itself. In a
                container a task takes one unless told otherwise; ``False`` means none.
            timeout: How long it may run. ``async with`` enforces it; elsewhere it is recorded, and the audit says so.
            heartbeat: ``"work"`` renews the lease only while the work shows itself: by ``task.heartbeat()``,
                ``task.progress()``, or by asking ``task.cancel_requested``.
            on_cancel: Called once, with the task, on a thread of its own, when a cancel is learned of, or that somebody
                else ended the task or took it over. In ``async with`` the surrounding asyncio task is cancelled unless
                this says otherwise.

        Raises:
            AlreadyRunning: It is running elsewhere, or in this process.
            AlreadyEnded: It ended for good.
        """
        fields: dict[str, Any] = {
            "task": task,
            "runtime": runtime,
            "run_id": run_id,
            "session": session,
            "timeout": None if timeout is None else _given.span("timeout", timeout) / 1000,
            "metadata": metadata,
            "notify": notify,
            "kind": kind,
            "agent": agent,
            "key": key,
            "source_id": source_id,
            "owner": owner,
            "requester_session": requester_session,
            "requester_agent": requester_agent,
            "retry_of": retry_of,
        }
        if heartbeat not in ("process", "work"):
            invalid("heartbeat", _given.shown(heartbeat), '"process" or "work"')
        if on_cancel is not None and not callable(on_cancel):
            invalid("on_cancel", _given.shown(on_cancel), "a function of one argument: the task", InvalidType)
        lasting = _core.default_lease() if lease is None else None if lease is False else _given.span("lease", lease)
        run = TaskRun(
            self._as_ledger(),
            _given.text("label", label),
            {name: value for name, value in fields.items() if value is not None},
            lease=lasting,
            timeout=span_in("timeout", timeout),
            proves=heartbeat == "work",
            on_cancel=on_cancel,
        )
        above = self._surrounding() if parent is KEEP else None
        if above is not None:
            run._guesses["parent"] = _given.lookup("parent", above)
        elif parent is not KEEP:
            run._fields["parent"] = _given.optional(_given.lookup, "parent", parent)
        around = self._surrounding_flow() if flow is KEEP and (parent is KEEP or parent is None) else None
        if around is not None:
            run._guesses["flow"] = _given.flow("flow", around)
        elif flow is not KEEP:
            run._fields["flow"] = _given.optional(_given.flow, "flow", flow)
        return run

    @overload
    def track(self, label: F, /) -> F: ...
    @overload
    def track(
        self, label: str | None = None, /, *, record_result: bool = False, **options: Any
    ) -> Callable[[F], F]: ...

    def track(
        self, label: Any = None, /, *, record_result: bool = False, **options: Any
    ) -> Any:
        """Records each call of a function, coroutine function, generator or async generator as a task.

        ``@ledger.track``, or with a label and the options of :meth:`task`: ``@ledger.track("fetch", timeout="5m")``.
        The label is the function's name unless given. ``record_result=True`` records what it returns, which must then
        be what JSON can say. Inside, ``bgledger.current()`` is the task.
        """
        if callable(label):
            return self._tracked(label, _name(label), False, {})
        _ = self.task("options that cannot be are refused here", **options)
        _given.flag("record_result", record_result)
        chosen = None if label is None else _given.text("label", label)

        def decorate(function: F) -> F:
            tracked: F = self._tracked(function, chosen or _name(function), record_result, options)
            return tracked

        return decorate

    def _tracked(self, function: Any, label: str, record_result: bool, options: dict[str, Any]) -> Any:
        def begin() -> TaskRun:
            return self.task(label, **options)

        if inspect.isasyncgenfunction(function):

            @functools.wraps(function)
            async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
                async with _Steps(begin(), function(*args, **kwargs)) as steps:
                    source = steps.source
                    try:
                        value = await steps.step(source.__anext__)
                        while True:
                            try:
                                sent = yield value
                            except GeneratorExit:
                                raise
                            except BaseException as error:
                                value = await steps.step(source.athrow, error)
                            else:
                                value = await steps.step(source.asend, sent)
                    except StopAsyncIteration:
                        return
                    finally:
                        with _inside(steps.run):
                            await source.aclose()

            return async_generator

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                async with begin() as task:
                    value = await function(*args, **kwargs)
                    if record_result:
                        task.result = value
                    return value

            return coroutine

        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
                run = begin()
                error: BaseException | None = None
                try:
                    run._begin()
                    source = function(*args, **kwargs)
                    result = yield from _stepped(run, source)
                    if record_result:
                        run.result = result
                    return result
                except BaseException as left:
                    error = left
                    raise
                finally:
                    run._end(error)

            return generator

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with begin() as task:
                value = function(*args, **kwargs)
                if record_result:
                    task.result = value
                return value

        return call

    def _as_ledger(self) -> Ledger:
        from ._ledger import Ledger

        assert isinstance(self, Ledger)
        return self

    def _surrounding(self) -> Lookup | None:
        """The task of the surrounding block; outside of any, the one that ``bgledger run`` started us for."""
        run = CURRENT.get()
        if run is not None and run.ledger._path == self._path and run._task is not None:
            return run
        above = os.environ.get("BGLEDGER_TASK")
        if above and os.environ.get("BGLEDGER_DB") and os.path.realpath(os.environ["BGLEDGER_DB"]) == self._path:
            return above
        return None

    def _surrounding_flow(self) -> FlowLookup | None:
        """The flow of the surrounding block, unless another task's block is in between: its children have its flow."""
        flow = FLOW.get()
        if flow is None or flow.ledger._path != self._path or flow.record.is_ended or CURRENT.get() is not flow._outside:
            return None
        return flow

    _own_worker: Worker | None = None

    @property
    def _worker(self) -> Worker:
        """The handle's one thread for asyncio. A forked child has its own."""
        if self._own_worker is None or self._own_worker.is_foreign:
            from ._worker import Worker

            self._own_worker = Worker()
        return self._own_worker


class _inside:
    """A step of a generator: the code that resumes it is not inside its task."""

    def __init__(self, run: TaskRun) -> None:
        self._run = run

    def __enter__(self) -> None:
        self._token = CURRENT.set(self._run)

    def __exit__(self, *_: object) -> None:
        CURRENT.reset(self._token)


def _stepped(run: TaskRun, source: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The same generator, each step inside the task."""
    try:
        with _inside(run):
            value = next(source)
        while True:
            try:
                sent = yield value
            except GeneratorExit:
                with _inside(run):
                    source.close()
                raise
            except BaseException as thrown:
                with _inside(run):
                    value = source.throw(thrown)
            else:
                with _inside(run):
                    value = source.send(sent)
    except StopIteration as over:
        return over.value


class _Steps:
    """An ``async with`` whose task is current, and whose asyncio task may be stopped, only while a step runs."""

    def __init__(self, run: TaskRun, source: AsyncGenerator[Any, Any]) -> None:
        self.run, self.source = run, source

    async def __aenter__(self) -> _Steps:
        from ._async_task import AsyncTask

        self.run._async = AsyncTask(self.run)
        await self.run._async._begin()
        return self

    async def step(self, resume: Callable[..., Awaitable[Any]], *given: Any) -> Any:
        task = self.run._async
        assert task is not None
        error: BaseException | None = None
        is_late = task._resume()
        try:
            with _inside(self.run):
                if is_late:
                    return await self.source.athrow(_cancelled())
                return await resume(*given)
        except BaseException as left:
            error = left
            raise
        finally:
            task._suspend(error)

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        await self.run.__aexit__(kind, error, trace)


def _cancelled() -> BaseException:
    import asyncio

    return asyncio.CancelledError("the task was to stop while nobody resumed it")


def _name(function: Any) -> str:
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return cut(str(name).replace("<locals>.", ""), LABEL_BYTES)
