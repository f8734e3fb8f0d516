"""The same for asyncio: the loop never waits for the ledger."""

import asyncio

import bgledger.aio


async def fetch(ledger: bgledger.aio.Ledger, page: int) -> None:
    async with ledger.task(f"fetch page {page}", timeout="30s") as task:
        await asyncio.sleep(0.01)
        task.progress("read")  # recorded in order; await it to have the answer
        task.result = page


async def main() -> None:
    async with bgledger.aio.open("ledger.db") as ledger:
        async with ledger.task("fetch the book") as book:
            await asyncio.gather(*(fetch(ledger, page) for page in range(5)))
        tree = await ledger.tree(book.number)
        assert [child.task.status for child in tree.children] == ["succeeded"] * 5

        try:
            async with ledger.task("too slow", run_id="slow-1", timeout=0.05):
                await asyncio.sleep(60)
        except TimeoutError:
            assert (await ledger.get("run:slow-1")).status == "timed_out"

        async for event in ledger.watch(after=0, timeout=0):
            print(event.seq, event.number, event.type)


asyncio.run(main())
