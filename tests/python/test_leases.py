"""A lease is renewed as long as it should be. Its end is looked at: the grace that follows it is not waited for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import bgledger
import pytest

LEASE = 2.0
BEYOND = LEASE + 0.5


def expires(ledger: bgledger.Ledger, number: int) -> datetime:
    at = ledger.get(number).lease_expires_at
    assert at is not None
    return at


def moved(ledger: bgledger.Ledger, number: int, first: datetime) -> bool:
    """Whether it was renewed so often that it has not run out by now."""
    return expires(ledger, number) > first and expires(ledger, number) > datetime.now(first.tzinfo)


def test_an_async_block_renews_its_lease(ledger: bgledger.Ledger) -> None:
    async def main() -> None:
        async with ledger.task("leased", lease=LEASE) as task:
            first = expires(ledger, task.number)
            await asyncio.sleep(BEYOND)
            assert moved(ledger, task.number, first)

    asyncio.run(main())


@pytest.mark.parametrize("how", ["a callback", "asking", "asking proves the work"])
def test_a_block_that_looks_for_a_cancel_renews_its_lease(ledger: bgledger.Ledger, how: str) -> None:
    every: dict[str, dict[str, Any]] = {
        "a callback": {"on_cancel": lambda task: None},
        "asking": {},
        "asking proves the work": {"heartbeat": "work"},
    }
    options = every[how]
    with ledger.task("leased", lease=LEASE, **options) as task:
        first = expires(ledger, task.number)
        until = time.monotonic() + BEYOND
        while time.monotonic() < until:
            assert how == "a callback" or not task.cancel_requested
            time.sleep(0.05)
        assert moved(ledger, task.number, first)


def test_a_silent_work_that_should_prove_itself_does_not_renew_it(ledger: bgledger.Ledger) -> None:
    with ledger.task("silent", lease=LEASE, heartbeat="work", on_cancel=lambda task: None) as task:
        first = expires(ledger, task.number)
        ledger.create("something else happens")
        time.sleep(BEYOND)
        assert expires(ledger, task.number) == first
        task.progress("a sign")
        assert moved(ledger, task.number, first)


def test_a_callback_that_takes_its_time_holds_no_lease_up(ledger: bgledger.Ledger) -> None:
    called, over = threading.Event(), threading.Event()

    def slowly(task: bgledger.TaskRun) -> None:
        called.set()
        over.wait(60)

    with ledger.task("leased", lease=LEASE) as leased, ledger.task("slow", lease=LEASE, on_cancel=slowly) as slow:
        ledger.cancel(slow)
        assert called.wait(20)
        first = expires(ledger, leased.number), expires(ledger, slow.number)
        time.sleep(BEYOND)
        assert moved(ledger, leased.number, first[0]) and moved(ledger, slow.number, first[1])
        over.set()


def test_a_process_of_many_leases_renews_each(path: str, other: Callable[..., Any], ledger: bgledger.Ledger) -> None:
    work = other(
        """
        import asyncio, bgledger.aio
        async def one(ledger, number):
            async with ledger.task(f"task {number}", lease=2.0):
                await asyncio.sleep(600)
        async def main():
            async with bgledger.aio.open(path) as ledger:
                works = [asyncio.ensure_future(one(ledger, number)) for number in range(30)]
                while len(await running(ledger)) < 30:
                    await asyncio.sleep(0.01)
                print("run")
                await asyncio.gather(*works)
        async def running(ledger):
            try:
                return (await ledger.list(status="running")).tasks
            except KeyError:
                return ()
        asyncio.run(main())
        """
    )
    assert work.line() == "run"
    first = {task.number: expires(ledger, task.number) for task in ledger.all()}
    assert len(first) == 30
    time.sleep(BEYOND)
    assert all(moved(ledger, number, at) for number, at in first.items())
