"""A block that does a task's work."""

import bgledger

with bgledger.open("ledger.db") as ledger:
    with ledger.task("fetch the report", session="chat-7", metadata={"urgent": True}) as task:
        for page in range(1, 4):
            task.progress(f"page {page}", current=page, total=3, unit="pages")
        task.usage(tokens_in=1200, tokens_out=80, cost={"USD": 4100})
        task.artifact("report", "file:///reports/7.pdf", media_type="application/pdf")
        task.result = {"pages": 3}

    done = ledger.get(task.number)
    assert done.status == "succeeded" and done.result == {"pages": 3}
    print(done, done.duration)
