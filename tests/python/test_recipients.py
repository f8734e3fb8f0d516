"""Who is owed a notice, and what reading a task says of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import bgledger
import bgledger.aio
import pytest


def test_who_reads_an_end_need_not_be_told(ledger: bgledger.Ledger) -> None:
    with ledger.task("book", session="chat") as task:
        pass
    assert ledger.get(task).delivery == "pending"
    assert ledger.get(task, ack="session:other").delivery == "pending"
    assert ledger.get(task.number, ack="session:chat").delivery == "delivered"
    assert ledger.notices_claim().claim is None
    assert ledger.get(99, None, ack="session:chat") is None

    other = ledger.create("late", session="chat", start=True)
    with pytest.raises(bgledger.WaitTimedOut):
        ledger.wait(other, timeout=0, ack="session:chat")
    ledger.finish(other)
    (ended,) = ledger.wait(other, ack="session:chat")
    assert ended.delivery == "delivered" and ledger.notices_claim().notices == ()
    with bgledger.open(ledger.path, readonly=True) as reading, pytest.raises(bgledger.ReadOnly):
        reading.get(task, ack="session:chat")


def test_the_same_for_asyncio(path: str) -> None:
    async def main() -> None:
        async with bgledger.aio.open(path) as ledger:
            task = await ledger.create("book", session="chat", start=True)
            waiting = asyncio.create_task(ledger.wait(task, timeout=60, ack="session:chat"))
            await asyncio.sleep(0.05)
            await ledger.finish(task)
            assert [each.delivery for each in await waiting] == ["delivered"]
            again = await ledger.create("book", session="chat", status="failed")
            assert (await ledger.get(again, ack="session:chat")).delivery == "delivered"
            assert await ledger.get(99, None, ack="session:chat") is None
            assert (await ledger.notices_claim()).claim is None

    asyncio.run(main())


def test_a_subscriber_hears_of_what_fits_its_filter(ledger: bgledger.Ledger, command: Callable[..., Any]) -> None:
    with pytest.raises(bgledger.UnknownRecipient) as unknown:
        ledger.get(ledger.create("x"), ack="subscriber:ops")
    assert unknown.value.recipient == "subscriber:ops" and isinstance(unknown.value, KeyError)
    command("config", "set", "subscriber.ops", json.dumps({"runtime": "acp", "status": ["failed"]}))
    assert ledger.config("subscriber.ops")["subscriber.ops"].origin == "ledger"
    for label, runtime, status in (("fits", "acp", "failed"), ("ends well", "acp", "succeeded"), ("else", "sub", "failed")):
        ledger.create(label, runtime=runtime, session="chat", status=status)
    claimed = ledger.notices_claim("subscriber:ops")
    assert claimed.claim is not None
    assert [notice.task and notice.task.label for notice in claimed.notices] == ["fits"]
    assert claimed.notices[0].recipient == "subscriber:ops"
    ledger.notices_ack(claimed.claim, claimed.notices)
    # Whoever asked is told all the same.
    assert len(ledger.notices(recipient="session:chat", state="pending").notices) == 3
    with pytest.raises(bgledger.InvalidValue):
        ledger.config(set={"subscriber.ops": "failed ones"})


def test_an_owners_default_goes_before_the_runtimes(ledger: bgledger.Ledger) -> None:
    ledger.config(set={"notify_owner.alice": "state_changes", "notify.subagent": "silent"})
    assert ledger.create("hers", owner="alice").notify == "state_changes"
    assert ledger.create("mine").notify == "silent"
    assert ledger.create("hers, by its word", owner="alice", notify="done_only").notify == "done_only"
