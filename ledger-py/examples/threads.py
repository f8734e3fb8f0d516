"""A thread begins outside of any block; `inherit` gives it the task around, so that what it begins is a child."""

from concurrent.futures import ThreadPoolExecutor

import bgledger

ledger = bgledger.open("ledger.db")


def read(page: int) -> int:
    with ledger.task(f"read page {page}") as task:
        task.result = page * 100
    return page * 100


with ledger.task("read the book") as book, ThreadPoolExecutor(4) as pool:
    assert sum(pool.map(bgledger.inherit(read), range(1, 4))) == 600

tree = ledger.tree(book)
assert sorted(child.task.label for child in tree.children) == ["read page 1", "read page 2", "read page 3"]
print(tree.task, len(tree.children))
