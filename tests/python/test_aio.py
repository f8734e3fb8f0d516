"""The ledger for asyncio."""

from __future__ import annotations

import asyncio
import pickle
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import bgledger
import bgledger.aio
import pytest


def run(main: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(main, 60)

    asyncio.run(limited())


def test_a_life(path: str) -> None:
    async def main() -> None:
        async with bgledger.aio.open(path) as ledger:
            task = await ledger.create("fetch", run_id="r1", metadata={"a": 1})
            assert (await ledger.start("r1")).status == "running"
            assert (await ledger.progress(task, "half", current=1, total=2)).changed
            assert not (await ledger.heartbeat(task)).cancel_requested
            assert (await ledger.finish(task, result=[1])).result == [1]
            assert (await ledger.get(task)).label == "fetch" and await ledger.get(99, None) is None
            assert len((await ledger.list()).tasks) == 1 and (await ledger.stats()).total == 1
            assert [each.number async for each in ledger.all()] == [1]
            assert (await ledger.history(1))[0].type == "created" and (await ledger.tree(1)).children == ()
            assert (await ledger.audit()).findings == () and not (await ledger.maintain()).changes
            assert (await ledger.cancel(1)).cancel == "already"
            assert (await ledger.notify(1, "silent")).notify == "silent"
            assert (await ledger.verify()).ok and (await ledger.doctor()).healthy
            assert (await ledger.call("show", lookup=1))["task"]["number"] == 1
            assert "durability" in await ledger.config()
            assert (await ledger.settle(await ledger.create("x"), "failed")).reason == "forced"
            with pytest.raises(KeyError):
                await ledger.get("nowhere")
            with pytest.raises(TypeError):
                await ledger.create("x", colour="red")  # type: ignore[call-arg]
            assert pickle.loads(pickle.dumps(ledger)).path == path

    run(main())


def test_blocks_end_as_they_are_left(ledger: bgledger.Ledger) -> None:
    async def main() -> None:
        async with ledger.task("well") as task:
            told = await task.progress("half")
            assert told.changed
            task.progress("more")
            task.result = {"a": 1}
        assert (ledger.get(1).status, ledger.get(1).result) == ("succeeded", {"a": 1})
        assert [e.data.get("text") for e in ledger.history(1) if e.type == "progress"] == ["half", "more"]
        with pytest.raises(ValueError):
            async with ledger.task("badly"):
                raise ValueError("no")
        assert ledger.get(2).status == "failed"
        with pytest.raises(TimeoutError):
            async with ledger.task("late", timeout=0.05):
                await asyncio.sleep(30)
        late = ledger.get(3)
        assert (late.status, late.reason) == ("timed_out", "deadline")
        work = asyncio.ensure_future(forever(ledger, "cancelled"))
        await begun(ledger, 4)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert ledger.get(4).status == "cancelled"
        # The loop goes on, and so does this task: nothing is left of the timeout.
        await asyncio.sleep(0)
        uncancelled()

    run(main())


async def forever(ledger: bgledger.Ledger, label: str) -> None:
    async with ledger.task(label):
        await asyncio.sleep(600)


async def begun(ledger: bgledger.Ledger, number: int) -> None:
    """Waits until a task runs; there may be no ledger before."""
    while True:
        try:
            if ledger.get(number).status == "running":
                return
        except KeyError:
            pass
        await asyncio.sleep(0.01)


def test_a_cancel_from_the_command_line_cancels_the_asyncio_task(
    ledger: bgledger.Ledger, command: Callable[..., Any]
) -> None:
    async def main() -> None:
        work = asyncio.ensure_future(forever(ledger, "long"))
        await begun(ledger, 1)
        await asyncio.to_thread(command, "cancel", "1")
        with pytest.raises(asyncio.CancelledError):
            await work

    run(main())
    ended = ledger.get(1)
    assert (ended.status, ended.reason) == ("cancelled", "requested")
    assert ended.cancel is not None and ended.cancel.told_at is not None


def test_a_cancel_while_the_task_begins_leaves_no_running_record(ledger: bgledger.Ledger) -> None:
    async def main() -> None:
        for _ in range(20):
            work = asyncio.ensure_future(forever(ledger, "short"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work

    run(main())
    assert ledger.list(active=True).tasks == ()


def test_parents_follow_asyncio_tasks(ledger: bgledger.Ledger) -> None:
    async def child(number: int) -> None:
        async with ledger.task(f"child {number}"):
            await asyncio.sleep(0)

    async def main() -> None:
        async with ledger.task("top") as top:
            await asyncio.gather(*(child(number) for number in range(10)))
            with ledger.task("blocking child") as below:
                assert below.record.parent == top.id
        assert bgledger.current() is None

    run(main())
    assert len(ledger.tree(1).children) == 11


def test_coroutines_and_async_generators_are_tracked(ledger: bgledger.Ledger) -> None:
    @ledger.track("double", record_result=True)
    async def double(number: int) -> int:
        return 2 * number

    @ledger.track
    async def count(most: int) -> AsyncIterator[int]:
        for number in range(most):
            assert bgledger.current() is not None
            yield await double(number)

    async def main() -> None:
        assert [number async for number in count(2)] == [0, 2]
        assert bgledger.current() is None
        source = count(3)
        await source.__anext__()
        await source.aclose()  # type: ignore[attr-defined]
        with pytest.raises(ZeroDivisionError):
            await fail()

    @ledger.track
    async def fail() -> None:
        1 / 0

    run(main())
    assert ledger.get(1).status == "succeeded" and ledger.get(1).label.endswith("count")
    assert ledger.get(2).result == 0 and ledger.get(2).parent == ledger.get(1).id
    assert ledger.get(4).status == "cancelled" and ledger.get(6).status == "failed"


def test_a_deadline_stops_a_generator_and_never_who_goes_through_it(ledger: bgledger.Ledger) -> None:
    cleaned: list[str] = []

    @ledger.track("count", timeout=0.2)
    async def count(pause: float) -> AsyncIterator[int]:
        try:
            for number in range(1000):
                yield number
                await asyncio.sleep(pause)
        finally:
            cleaned.append("up")

    async def main() -> None:
        # Its consumer takes its time between two steps: the next step is late, the consumer goes on.
        source = count(0)
        assert await source.__anext__() == 0
        await asyncio.sleep(0.5)
        with pytest.raises(TimeoutError):
            await source.__anext__()
        # The step itself takes too long.
        with pytest.raises(TimeoutError):
            async for _ in count(600):
                pass
        await asyncio.sleep(0)
        assert cleaned == ["up", "up"]
        assert [(ledger.get(number).status, ledger.get(number).reason) for number in (1, 2)] == [("timed_out", "deadline")] * 2
        # One that is done with in time, and one that is left alone.
        source = count(0)
        await source.__anext__()
        await source.aclose()  # type: ignore[attr-defined]
        assert ledger.get(3).status == "cancelled"
        uncancelled()

    run(main())


def test_a_cancel_stops_a_generator_at_its_next_step(ledger: bgledger.Ledger) -> None:
    @ledger.track
    async def count() -> AsyncIterator[int]:
        for number in range(1000):
            yield number

    async def main() -> None:
        source = count()
        await source.__anext__()
        await asyncio.to_thread(ledger.cancel, 1)
        await asyncio.sleep(0.5)
        with pytest.raises(asyncio.CancelledError):
            await source.__anext__()
        uncancelled()

    run(main())
    assert ledger.get(1).status == "cancelled" and ledger.get(1).cancel is not None


def uncancelled() -> None:
    """Nothing is left of what stopped a block."""
    if sys.version_info >= (3, 11):
        current = asyncio.current_task()
        assert current is not None and current.cancelling() == 0


@pytest.mark.parametrize("why", ["deadline", "requested"])
@pytest.mark.parametrize("how", ["raises", "swallows"])
def test_what_becomes_of_a_cancellation_is_the_works_to_say(ledger: bgledger.Ledger, why: str, how: str) -> None:
    async def work() -> None:
        async with ledger.task("stubborn", timeout=0.1 if why == "deadline" else None):
            try:
                if why == "requested":
                    await asyncio.to_thread(ledger.cancel, 1)
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                if how == "raises":
                    raise KeyError("mine") from None

    async def main() -> None:
        if how == "raises":
            with pytest.raises(KeyError, match="mine"):
                await work()
        else:
            await work()
        uncancelled()

    run(main())
    assert ledger.get(1).status == ("failed" if how == "raises" else "succeeded")


def test_the_task_of_an_async_block_is_a_lookup(path: str) -> None:
    async def main() -> None:
        async with bgledger.aio.open(path) as ledger:
            async with ledger.task("x") as task:
                assert (await ledger.get(task)).status == ledger.blocking.get(task).status == "running"
                assert (await ledger.create("below", parent=task)).parent == task.id
                assert len((await ledger.tree(task)).children) == 1

    run(main())


def test_waits_are_woken_and_cancelled(path: str) -> None:
    async def main() -> None:
        async with bgledger.aio.open(path) as ledger:
            one, two = await ledger.create("one"), await ledger.create("two")
            with pytest.raises(TimeoutError) as over:
                await ledger.wait(one, two, timeout=0.05)
            assert isinstance(over.value, bgledger.WaitTimedOut) and over.value.waited_ms >= 50
            waits = [asyncio.ensure_future(ledger.wait(one, two)) for _ in range(100)]
            first = asyncio.ensure_future(ledger.wait(one, two, any=True))
            cancelled = asyncio.ensure_future(ledger.wait(one))
            await asyncio.sleep(0.1)
            cancelled.cancel()
            began = time.monotonic()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            assert time.monotonic() - began < 1
            await ledger.finish(two)
            assert [task.status for task in await first] == ["queued", "succeeded"]
            await ledger.finish(one, "failed")
            for done in await asyncio.gather(*waits):
                assert [task.status for task in done] == ["failed", "succeeded"]
            with pytest.raises(KeyError):
                await ledger.wait("nowhere")

    run(main())


def test_watching_sees_each_event_once_and_in_order(path: str) -> None:
    async def main() -> None:
        async with bgledger.aio.open(path) as ledger:
            await ledger.create("before")
            seen: list[int] = []

            async def follow() -> None:
                async for event in ledger.watch(after=0):
                    seen.append(event.seq)
                    if event.type == "finished":
                        return

            follower = asyncio.ensure_future(follow())
            for number in range(50):
                await ledger.create(f"task {number}")
            await ledger.finish(1)
            await asyncio.wait_for(follower, 20)
            assert seen == list(range(1, len(seen) + 1)) and len(seen) == 53
            assert [event.seq async for event in ledger.watch(after=50, timeout=0)] == [51, 52, 53]
            late = ledger.watch(timeout=0.2)
            assert [event async for event in late] == [] and late.seq == 53

    run(main())
    until_no_threads()


def until_no_threads() -> None:
    ends = time.monotonic() + 15
    while any(thread.name == "bgledger-ear" for thread in threading.enumerate()):
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_the_loop_turns_while_another_process_holds_the_ledger(path: str, other: Callable[..., Any]) -> None:
    bgledger.open(path).create("first")
    holder = other(
        """
        import sqlite3
        held = sqlite3.connect(path, isolation_level=None)
        held.execute("BEGIN IMMEDIATE")
        print("held")
        time.sleep(0.5)
        held.execute("ROLLBACK")
        """
    )
    assert holder.line() == "held"

    async def main() -> None:
        turns = 0
        async with bgledger.aio.open(path) as ledger:
            creation = asyncio.ensure_future(ledger.create("second"))
            while not creation.done():
                await asyncio.sleep(0.005)
                turns += 1
            assert (await creation).number == 2 and turns > 20

    run(main())
