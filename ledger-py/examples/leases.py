"""A lease says how long a task may be silent before it is presumed lost. It is renewed by itself, or by the work."""

import time

import bgledger

with bgledger.open("ledger.db") as ledger:
    # The process renews it: whoever restarts the machine or the container ends it.
    with ledger.task("serve", lease="2s") as task:
        first = ledger.get(task).lease_expires_at
        time.sleep(1.5)
        renewed = ledger.get(task).lease_expires_at
        assert first is not None and renewed is not None and renewed > first

    # Only the work renews it, by progress, by a heartbeat, or by asking whether it should stop: one that hangs is found.
    with ledger.task("crunch", lease="5m", heartbeat="work") as task:
        for step in range(3):
            task.progress(f"step {step}", current=step, total=3)
            task.raise_if_cancelled()

    print(ledger.get(task))
