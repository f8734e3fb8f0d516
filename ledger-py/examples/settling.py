"""An operator's word ends what nobody else will end, and whoever still works on it hears of it."""

import time

import bgledger

with bgledger.open("ledger.db") as ledger:
    forgotten = ledger.create("run on another machine", start=True, executor="external")
    ended = ledger.settle(forgotten, "failed", by="ops", why="the machine is gone", error="no sign of it for a week")
    assert (ended.status, ended.reason) == ("failed", "forced")

    # `lost` is a presumption: the executor's own word overrides it.
    silent = ledger.create("run on a third", start=True, executor="external")
    ledger.settle(silent, "lost", by="ops", why="no answer")
    assert ledger.progress(silent, "here I am").task.status == "running"

    try:
        with ledger.task("a long export") as task:
            ledger.settle(task, "cancelled", by="ops", why="the disk is full")
            while True:
                time.sleep(0.01)
                task.raise_if_cancelled()
    except bgledger.TaskCancelled as stopped:
        print(stopped)
    print(*ledger.all(), sep="\n")
