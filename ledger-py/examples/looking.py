"""Finding tasks, and looking after the ledger."""

import bgledger

with bgledger.open("ledger.db") as ledger:
    for number in range(30):
        ledger.create(f"piece {number}", kind="piece", metadata={"even": number % 2 == 0})

    page = ledger.list(active=True, metadata={"even": True}, limit=10)
    assert len(page.tasks) == 10 and page.next is not None
    print(ledger.list(after=page.next, metadata={"even": True}, limit=10).tasks[0])
    assert sum(1 for task in ledger.all(kind="piece")) == 30

    for event in ledger.watch(after=0, timeout=0):
        assert event.type == "created"
    print(ledger.stats().by_status)
    for finding in ledger.audit().findings:
        print(finding.severity, finding.code, finding.message, finding.command)
    preview = ledger.maintain()
    assert not preview.applied and ledger.maintain(apply=True).applied
    assert ledger.doctor().healthy and ledger.verify().ok
    print(ledger.config("durability")["durability"].value, page.tasks[0].to_dict()["created_at"])
