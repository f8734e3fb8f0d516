"""Each call of a decorated function is a task; those made inside are its children."""

from collections.abc import Iterator

import bgledger

ledger = bgledger.open("ledger.db")


@ledger.track(record_result=True)
def read(page: int) -> str:
    return f"page {page}"


@ledger.track("read the book", kind="reading")
def pages(count: int) -> Iterator[str]:
    for page in range(count):
        yield read(page)


assert list(pages(3)) == ["page 0", "page 1", "page 2"]
tree = ledger.tree(1)
assert tree.task.label == "read the book" and len(tree.children) == 3
for child in tree.children:
    print(child.task, child.task.result)
