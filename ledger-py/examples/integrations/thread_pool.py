"""What is submitted to a pool is recorded, and what it begins is below it."""

from concurrent.futures import ThreadPoolExecutor

import bgledger
from bgledger.integrations import futures

ledger = bgledger.open("ledger.db")


def page(number: int) -> str:
    with ledger.task(f"parse page {number}"):
        return f"page {number}"


with ThreadPoolExecutor(4) as pool, futures.install(ledger, pool):
    print(list(pool.map(page, range(3))))

for task in ledger.list(status="succeeded").tasks:
    print(task, "below another" if task.parent else "")
