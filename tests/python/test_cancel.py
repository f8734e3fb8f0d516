"""How a running task learns that it should stop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import bgledger
import pytest
from conftest import until


@pytest.mark.parametrize("status", ["cancelled", "failed", "succeeded"])
def test_an_operators_end_stops_the_work(ledger: bgledger.Ledger, status: str) -> None:
    with pytest.raises(bgledger.TaskCancelled):
        with ledger.task("long") as task:
            assert not task.cancel_requested
            if status == "cancelled":
                ledger.cancel(task)
            ledger.settle(task.number, status, by="operator")
            assert until(lambda: task.cancel_requested) is True
            assert task.cancel_requested is True
            task.raise_if_cancelled()
    assert ledger.get(task.number).status == status


def test_who_took_the_task_over_stops_the_work(ledger: bgledger.Ledger) -> None:
    with pytest.raises(bgledger.TaskCancelled, match="took it over"):
        with ledger.task("long") as task:
            ledger.settle(task.number, "lost")
            assert ledger.start(task.number, executor="external").attempt == 2
            until(lambda: task.cancel_requested)
            task.raise_if_cancelled()
    assert ledger.get(task.number).status == "running"


def test_a_presumed_loss_stops_nobody(ledger: bgledger.Ledger) -> None:
    with ledger.task("long") as task:
        ledger.settle(task.number, "lost")
        time.sleep(0.3)
        assert not task.cancel_requested
    assert ledger.get(task.number).status == "succeeded"


@pytest.mark.parametrize("how", ["cancel", "settle"])
def test_a_callback_is_called_once_on_a_thread_of_its_own(ledger: bgledger.Ledger, how: str) -> None:
    calls: list[str] = []
    with pytest.raises(bgledger.TaskCancelled):
        with ledger.task("long", on_cancel=lambda task: calls.append(threading.current_thread().name)) as task:
            if how == "cancel":
                ledger.cancel(task)
                task.progress("hears of it first")
            else:
                ledger.settle(task.number, "cancelled", by="operator")
            until(lambda: calls)
            ledger.create("something else happens")
            time.sleep(0.2)
            assert calls == ["bgledger-cancel"] and task.cancel_requested
            task.raise_if_cancelled()
    assert ledger.get(task.number).status == "cancelled"


def test_an_operators_end_cancels_the_asyncio_task(ledger: bgledger.Ledger, command: Callable[..., Any]) -> None:
    async def work() -> None:
        async with ledger.task("long"):
            await asyncio.sleep(600)

    async def main() -> None:
        working = asyncio.ensure_future(work())
        while not (await asyncio.to_thread(running, ledger)):
            await asyncio.sleep(0.01)
        await asyncio.to_thread(command, "settle", "1", "--status", "failed", "--by", "operator")
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(working, 20)

    asyncio.run(main())
    assert ledger.get(1).status == "failed"


def running(ledger: bgledger.Ledger) -> bool:
    try:
        return bool(ledger.list(status="running").tasks)
    except KeyError:
        return False


def test_many_idle_asyncio_tasks_cost_nothing_and_each_is_cancelled(path: str, ledger: bgledger.Ledger, other: Any) -> None:
    """Half a second of CPU in three of waiting would be what looking at each of them five times a second costs."""
    many = 300
    work = other(
        """
        import asyncio, bgledger.aio
        ended = 0
        async def one(ledger, number, begun):
            global ended
            try:
                async with ledger.task(f"task {number}", lease=False):
                    begun.set()
                    await asyncio.sleep(600)
            except asyncio.CancelledError:
                ended += 1
        async def main():
            async with bgledger.aio.open(path, durability="relaxed") as ledger:
                begun = [asyncio.Event() for _ in range(int(sys.argv[2]))]
                works = [asyncio.ensure_future(one(ledger, *each)) for each in enumerate(begun)]
                for each in begun:
                    await each.wait()
                await asyncio.sleep(0.5)
                before = time.process_time()
                await asyncio.sleep(3)
                print(time.process_time() - before)
                await asyncio.gather(*works)
                print(ended)
        asyncio.run(main())
        """,
        str(many),
    )
    assert float(work.line()) < 0.15
    for task in ledger.all():
        assert ledger.cancel(task).cancel == "requested"
    assert int(work.line()) == many and work.end() == 0, work.errors
    assert ledger.stats().by_status["cancelled"] == many


def test_the_thread_that_listens_ends_as_the_ledger_is_closed(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgledger._listening.IDLE", 600.0)
    before = set(threading.enumerate())

    def ears() -> list[str]:
        return [each.name for each in set(threading.enumerate()) - before if each.name == "bgledger-ear"]

    ledger = bgledger.open(path)
    with ledger.task("x", on_cancel=lambda task: None) as task:
        with bgledger.open(path):
            pass
        time.sleep(0.2)
        assert len(ears()) == 1
        ledger.cancel(task)
        until(lambda: task.cancel_requested)
    assert len(ears()) == 1
    ledger.close()
    until(lambda: not ears(), 10)
