"""How a block is left is how its task ends, and errors are of their classes."""

import bgledger

with bgledger.open("ledger.db") as ledger:
    try:
        with ledger.task("divide", run_id="run-1"):
            print(1 / 0)
    except ZeroDivisionError:
        pass
    failed = ledger.get("run:run-1")
    assert failed.status == "failed" and failed.error is not None
    print(failed.error.type, failed.error.message)

    try:
        with ledger.task("divide", run_id="run-1"):
            raise AssertionError("an end is final: the block is not entered")
    except bgledger.AlreadyEnded as ended:
        print(ended.code, ended.recorded_status, ended.ended_at)

    with ledger.task("divide", retry_of=failed):
        print("again, as a new task")

    try:
        ledger.get("nowhere")
    except KeyError as missing:
        print(missing)
