"""What the package costs: run by `cargo bench --package bgledger-tests --bench python`.

    bench.py creates PATH COUNT     CPU nanoseconds of one create, the whole process aside
    bench.py loop PATH TASKS        the longest block of an asyncio loop, in milliseconds, with so many tasks at once
"""

from __future__ import annotations

import asyncio
import sys
import time

import bgledger
import bgledger.aio


def creates(path: str, count: int) -> float:
    ledger = bgledger.open(path, durability="relaxed")
    for number in range(200):
        ledger.create("warm up", run_id=f"w-{number}")
    began = time.process_time_ns()
    for number in range(count):
        ledger.create("fetch the report", task="all of it", run_id=f"r-{number}", session="chat-7")
    return (time.process_time_ns() - began) / count


async def loop(path: str, tasks: int) -> float:
    longest = 0.0
    is_over = False

    async def pulse() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not is_over:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest = max(longest, now - last)
            last = now

    async def one(ledger: bgledger.aio.Ledger, number: int) -> None:
        async with ledger.task(f"task {number}", timeout=600) as task:
            for step in range(3):
                await task.progress(f"step {step}", current=step, total=3)
                await asyncio.sleep(0.01)
            task.result = number

    async with bgledger.aio.open(path) as ledger:
        await ledger.create("first")
        pulsing = asyncio.ensure_future(pulse())
        await asyncio.gather(*(one(ledger, number) for number in range(tasks)))
        is_over = True
        await pulsing
    return longest * 1000


if __name__ == "__main__":
    what, path, many = sys.argv[1], sys.argv[2], int(sys.argv[3])
    print(creates(path, many) if what == "creates" else asyncio.run(loop(path, many)))
