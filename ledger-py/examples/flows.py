"""Many-step work: a flow remembers where it is, also when the program that moves it ends between two steps."""

import bgledger

with bgledger.open("ledger.db") as ledger:
    # As the block is left the flow still waits: it stays so.
    with ledger.flow("plan the trip", controller="planner", key="trip-7", step="search") as flow:
        with ledger.task("find trains") as trains:
            trains.progress("three found", current=3, unit="offers")
        with ledger.task("find a room"):
            pass
        flow.wait(step="choose", state={"train": 17}, wait={"for": "the traveller's choice"})

    # Later, perhaps in another process: the same key is the same flow, and it goes on.
    with ledger.flow("plan the trip", controller="planner", key="trip-7") as flow:
        print(flow.step, flow.state["train"], flow.record.tasks.by_status["succeeded"])
        with flow.task("book it"):
            pass

    # It was left running, so it is done.
    done = ledger.flow_show(flow)
    assert done.status == "succeeded" and done.tasks.total == 3
    print([task.label for task in ledger.list(flow=done).tasks])

    # Each move names the revision that it saw: nobody overwrites what somebody else decided.
    other = ledger.flow_create("plan another", controller="planner")
    ledger.flow_wait(other, other.revision, blocked_summary="no passport")
    try:
        ledger.flow_finish(other, other.revision)
    except bgledger.RevisionConflict as conflict:
        print(conflict.code, conflict.given, conflict.recorded, conflict.recorded_status)

    # A cancel reaches every task, and the flow takes no more.
    waiting = ledger.create("wait for the passport", flow=other)
    print(ledger.flow_cancel(other, why="staying home").cancel, ledger.get(waiting).status)
