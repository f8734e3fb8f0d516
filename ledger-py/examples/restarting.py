"""A scheduler that restarts: before, it waits until nothing runs; after, it tells the ledger what it knows."""

import bgledger

with bgledger.open("ledger.db") as ledger:
    # What the scheduler started on other machines: the ledger sees none of the processes.
    for number in range(1, 5):
        ledger.create(f"job {number}", runtime="cron", run_id=f"nightly-{number}", start=True, executor="external")
    ledger.finish("nightly-1")

    # Before it stops: is anything still at work?
    drained = ledger.drain(runtime="cron", timeout="100ms")
    print([task.label for task in drained.active])

    # Afterwards it knows of one that it is at work on and of one that ended. The rest is lost.
    said = {"nightly-2": {"status": "failed", "error": "disk full", "exit_code": 1}}
    preview = ledger.reconcile("cron", owned=["nightly-3"], ended=said, complete=True)
    assert not preview.applied and ledger.get("nightly-2").status == "running"
    for action in ledger.reconcile("cron", owned=["nightly-3"], ended=said, complete=True, apply=True).actions:
        print(action.action, action.label, action.before, action.after)

    # What is wrong now, by cause; one of the findings is known, and need not be told for a week.
    for finding in ledger.audit(code="lost").findings:
        print(finding.subject, finding.message)
        ledger.acknowledge(finding.code, finding.subject, until="7d", by="ops", note="it runs again tonight")
    report = ledger.audit()
    assert report.summary["acknowledged"] == 1 and "lost" not in [cause.code for cause in report.causes]
