"""What is under way when the interpreter ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bgledger
import pytest

AFTER_MAIN = """
import asyncio, threading, bgledger.aio
ledger = bgledger.open(path)
ledger.create("x")

def block():
    with ledger.task("late", lease=60) as task:
        task.progress("half")

def called():
    with ledger.task("late", lease=60, on_cancel=lambda task: None) as task:
        ledger.cancel(task)
        while not task.cancel_requested:
            time.sleep(0.01)

def loop():
    async def main():
        handle = bgledger.aio.Ledger(ledger)
        async with handle.task("late", lease=60) as task:
            await task.progress("half")
        waiting = asyncio.ensure_future(handle.wait(1))
        await asyncio.sleep(0.1)
        await handle.finish(1)
        await waiting
        async for event in handle.watch(after=0, timeout=0):
            pass
    asyncio.run(main())

def late():
    threading.main_thread().join()
    {call}()
    print("done")

threading.Thread(target=late).start()
"""


@pytest.mark.parametrize("call", ["block", "called", "loop"])
def test_a_task_entered_after_the_main_thread_ended(ledger: bgledger.Ledger, other: Callable[..., Any], call: str) -> None:
    work = other(AFTER_MAIN.replace("{call}", call))
    assert work.line() == "done"
    assert work.end() == 0
    assert "Traceback" not in work.errors, work.errors
    assert ledger.get(2).status == "succeeded"


@pytest.mark.parametrize("where", ["globals", "a cycle", "a class"])
def test_a_tracked_generator_left_unfinished(ledger: bgledger.Ledger, other: Callable[..., Any], where: str) -> None:
    work = other(
        """
        ledger = bgledger.open(path)
        @ledger.track(lease=60)
        def count():
            while True:
                yield 1
        source = count()
        next(source)
        if sys.argv[2] == "a cycle":
            held = [source]
            held.append(held)
            sys.modules["held"] = held
            del source
        elif sys.argv[2] == "a class":
            class Held:
                kept = source
            bgledger._types.Task.held = Held
        print("over")
        """,
        where,
    )
    assert work.line() == "over"
    assert work.end() == 0 and work.errors == ""
    ledger.maintain(apply=True)
    assert ledger.get(1).status in ("lost", "cancelled", "running")
