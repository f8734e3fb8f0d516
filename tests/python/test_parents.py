"""Whose child a task is, where nobody says."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import bgledger
import pytest


def test_a_nested_handle_of_another_owner_has_its_own_tasks(path: str, ledger: bgledger.Ledger) -> None:
    hers = bgledger.open(path, owner="her")
    with ledger.task("mine") as outer:
        with hers.task("hers") as inner:
            with ledger.task("below hers") as below:
                pass
        with hers.task("hers, with metadata", metadata={"a": 1}) as other:
            pass
    assert (ledger.get(inner).owner, ledger.get(inner).parent) == ("her", None)
    assert ledger.get(other).parent is None and ledger.get(below).parent == inner.id != outer.id
    with hers.task("top") as top, pytest.raises(bgledger.NotFound):
        with hers.task("by its word", parent=outer.number):
            raise AssertionError("a parent that is named must be there")
    assert hers.get(top).status == "succeeded"


def test_the_task_of_bgledger_run_may_be_another_owners(
    monkeypatch: pytest.MonkeyPatch, path: str, ledger: bgledger.Ledger
) -> None:
    above = ledger.create("run", start=True, executor="external")
    monkeypatch.setenv("BGLEDGER_DB", path)
    monkeypatch.setenv("BGLEDGER_TASK", above.id)
    hers = bgledger.open(path, owner="her")
    with hers.task("inside") as task:
        pass
    assert hers.get(task).parent is None

    async def main() -> None:
        async with hers.task("inside, too") as inside:
            assert inside.record.parent is None

    asyncio.run(main())


def test_a_recorded_task_is_entered_wherever_one_is(ledger: bgledger.Ledger) -> None:
    queued = ledger.create("later", run_id="r1")
    lost = ledger.create("gone", run_id="r2", start=True, executor="external")
    ledger.settle(lost, "lost")
    with ledger.task("first", run_id="r3") as first:
        child = ledger.create("child", run_id="r4", parent=first)
    with ledger.task("around"):
        with ledger.task("later", run_id="r1") as task:
            assert task.id == queued.id and task.record.parent is None
        with ledger.task("gone", run_id="r2") as task:
            assert task.id == lost.id and task.attempt == 2
        with ledger.task("child", run_id="r4") as task:
            assert task.id == child.id and task.record.parent == first.id
        # What is said differs, as before.
        with pytest.raises(bgledger.ExistsWithDifferent) as different:
            ledger.task("other", run_id="r1").__enter__()
        assert different.value.fields == ("label",)
    with ledger.task("here") as here:
        again = ledger.create("by its word", run_id="r5")
        with pytest.raises(bgledger.ExistsWithDifferent) as different:
            ledger.task("by its word", run_id="r5", parent=here).__enter__()
        assert different.value.fields == ("parent",) and again.created


def test_threads_inherit_the_task_where_they_are_given_it(ledger: bgledger.Ledger) -> None:
    def work(number: int, label: str = "in a pool") -> int:
        with ledger.task(f"{label} {number}"):
            return number

    with ledger.task("outer") as outer:
        thread = threading.Thread(target=bgledger.inherit(work), args=(0, "in a thread"))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(bgledger.inherit(work), range(20))) == list(range(20))
            assert pool.submit(work, 21, "outside").result() == 21
        given = bgledger.inherit(work)
        assert given.__name__ == "work"
    assert given(22, "afterwards") == 22 and bgledger.current() is None
    below = {child.task.label for child in ledger.tree(outer).children}
    assert below == {"in a thread 0", "afterwards 22", *(f"in a pool {number}" for number in range(20))}
