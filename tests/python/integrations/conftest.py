"""What the tests of all integrations look at: the records, and a host whose ledger is out of reach."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import bgledger
import pytest

Records = Callable[[], dict[str, bgledger.Task]]


@pytest.fixture
def records(ledger: bgledger.Ledger) -> Records:
    """Every task by its label, in the order in which they were recorded."""

    def read() -> dict[str, bgledger.Task]:
        tasks = list(ledger.all())
        assert len({task.label for task in tasks}) == len(tasks), tasks
        return {task.label: task for task in reversed(tasks)}

    return read


HOLDER = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
held.execute("ROLLBACK")
"""


@pytest.fixture
def release(ledger: bgledger.Ledger) -> Iterator[Callable[[], None]]:
    """Another process holds the ledger's write lock until this is called."""
    ledger.create("before")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, ledger.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdin is not None
    assert holder.stdout.readline() == "held\n"

    def let_go() -> None:
        holder.communicate()

    yield let_go
    if holder.poll() is None:
        holder.communicate()


@pytest.fixture
def unusable(folder: Path) -> bgledger.Ledger:
    """A ledger in which nothing can be recorded."""
    path = folder / "unusable.db"
    path.write_text("This is no ledger, and long enough to be taken for a file of something else. " * 20)
    return bgledger.open(path)
