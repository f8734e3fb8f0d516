"""Every asyncio task is a task; they nest as they were created."""

import asyncio

import bgledger
from bgledger.integrations import asyncio_tasks

ledger = bgledger.open("ledger.db")


async def fetch(page: int) -> int:
    await asyncio.sleep(0)
    return page


async def book() -> int:
    return sum(await asyncio.gather(fetch(1), fetch(2)))


async def main() -> None:
    with asyncio_tasks.install(ledger):
        print(await asyncio.create_task(book()))


asyncio.run(main())
tree = ledger.tree(1)
print(tree.task, [child.task.label for child in tree.children])
