"""Recording without a block: for hosts that know when their work begins and ends."""

import subprocess
from datetime import datetime, timedelta, timezone

import bgledger
from bgledger import Outcome, Process, Runtime, Status, WaitingOn

with bgledger.open("ledger.db", owner="alice") as ledger:
    task = ledger.create("nightly report", runtime=Runtime.CRON, run_id="2026-11-22", queue_timeout="1h")
    again = ledger.create("nightly report", runtime=Runtime.CRON, run_id="2026-11-22")
    assert task.created and not again.created and again.id == task.id

    ledger.start(task, executor="external", lease=timedelta(minutes=5))
    told = ledger.progress(task, "asked for the key", waiting_on=WaitingOn.AUTH)
    assert not told.cancel_requested
    done = ledger.finish(task, Status.SUCCEEDED, outcome=Outcome.BLOCKED, summary="no key came")
    print(done.status, done.outcome, done.summary)

    # Another process of this machine does it; a cancel stops the process group of its command.
    command = subprocess.Popen(["sleep", "60"], start_new_session=True)
    watched = ledger.create("sleep", start=True, executor=Process(command.pid, group=command.pid))
    assert ledger.cancel(watched, why="it is enough").cancel in ("requested", "cancelled", "executor_gone")
    print(command.wait(), ledger.get(watched).status)

    earlier = datetime.now(timezone.utc) - timedelta(hours=1)
    old = ledger.create(
        "it ran elsewhere", created_at=earlier, status="failed", error="no disk", exit_code=1, ended_at=earlier
    )
    print(old)
