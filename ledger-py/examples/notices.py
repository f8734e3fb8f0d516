"""Whoever asked hears of the end: a notice is claimed, told and acknowledged, or else comes again."""

import bgledger
from bgledger import NotifyPolicy

told: list[str] = []

with bgledger.open("ledger.db") as ledger:
    with ledger.task("book a table", requester_session="chat-7", notify=NotifyPolicy.DONE_ONLY) as task:
        task.summary = "at eight, for two"

    claimed = ledger.notices_claim("session:chat-7", consumer="bot", lease="1m")
    assert claimed.claim is not None
    for notice in claimed.notices:
        told.append(notice.message)
        # Unless it is acknowledged within the lease it is claimed again; `notice.key` tells whether it was told before.
        ledger.notices_ack(claimed.claim, notice)
    assert len(told) == 1 and ledger.get(task).delivery == "delivered"
    print(told[0])

    with ledger.task("book another", requester_session="chat-8", notify=NotifyPolicy.DONE_ONLY):
        pass
    claimed = ledger.notices_claim("session:chat-8")
    assert claimed.claim is not None
    (refused,) = ledger.notices_nack(claimed.claim, claimed.notices, "the chat is closed")
    print(refused.state, refused.reason, refused.due_at)
    ledger.notices_dismiss(refused, "nobody is left to tell")
    assert [notice.state for notice in ledger.notices(state="dismissed").notices] == ["dismissed"]

    with ledger.task("book a third", requester_session="chat-9", notify=NotifyPolicy.DONE_ONLY) as task:
        pass
    # Whoever reads the end need not be told of it.
    assert ledger.get(task, ack="session:chat-9").delivery == "delivered"
    assert ledger.notices_claim("session:chat-9").claim is None
