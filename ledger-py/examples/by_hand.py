"""Recording without a block: for hosts that know when their work begins and ends."""

from datetime import datetime, timedelta, timezone

import bgledger
from bgledger import Outcome, Runtime, Status, WaitingOn

with bgledger.open("ledger.db", owner="alice") as ledger:
    task = ledger.create("nightly report", runtime=Runtime.CRON, run_id="2026-11-22", queue_timeout="1h")
    again = ledger.create("nightly report", runtime=Runtime.CRON, run_id="2026-11-22")
    assert task.created and not again.created and again.id == task.id

    ledger.start(task, executor="external", lease=timedelta(minutes=5))
    told = ledger.progress(task, "asked for the key", waiting_on=WaitingOn.AUTH)
    assert not told.cancel_requested
    done = ledger.finish(task, Status.SUCCEEDED, outcome=Outcome.BLOCKED, summary="no key came")
    print(done.status, done.outcome, done.summary)

    earlier = datetime.now(timezone.utc) - timedelta(hours=1)
    old = ledger.create("it ran elsewhere", created_at=earlier, status="failed", error="no disk", ended_at=earlier)
    print(old)
