"""What ended long enough ago goes, and whoever looks for it is told so."""

from __future__ import annotations

import asyncio
import pickle
import warnings

import bgledger
import bgledger.aio
import pytest
from conftest import until


def test_what_ended_goes_whole(ledger: bgledger.Ledger) -> None:
    ended = ledger.create("ended", run_id="r", status="failed")
    ledger.create("goes on")
    preview = ledger.prune(older_than="0s", dry_run=True)
    assert not preview.applied and (preview.tasks, preview.flows) == (1, 0) and preview.held is None
    assert ledger.prune().tasks == 0 and ledger.get(ended) == ended
    done = ledger.prune(older_than=0)
    assert done.applied and (done.tasks, done.events, done.unclaimed) == (1, preview.events, 1)
    assert done.to_dict().keys() == preview.to_dict().keys()
    for lookup in (1, ended.id, "run:r"):
        with pytest.raises(bgledger.Pruned) as pruned:
            ledger.get(lookup)
        told = pruned.value
        assert (told.number, told.recorded_status, told.id) == (1, bgledger.Status.FAILED, ended.id)
        assert told.ended_at == ended.ended_at and told.pruned_at >= told.ended_at
        assert isinstance(told, KeyError) and pickle.loads(pickle.dumps(told)).number == 1
    assert ledger.get(1, None) is None
    (letter,) = ledger.notices(state="dead").notices
    assert (letter.task, letter.number, letter.reason) == (None, 1, "unclaimed") and letter.to_dict()["task"] is None
    assert "ended" in letter.message and bgledger.Notice.from_dict(letter.to_dict()) == letter


def test_a_flow_that_goes_on_keeps_its_tasks(ledger: bgledger.Ledger) -> None:
    with ledger.flow("g", controller="c") as flow:
        with flow.task("part"):
            pass
        assert ledger.prune(older_than=0).tasks == 0
    assert ledger.prune(older_than=0).tasks == 1
    assert ledger.prune(older_than=0).flows <= 1
    with pytest.raises(bgledger.Pruned):
        ledger.flow_show(flow)


def gap(ledger: bgledger.Ledger) -> tuple[int, int]:
    """Prunes what came after an event; the event, and the newest."""
    first = ledger.create("stays")
    begin = ledger.history(first)[-1].seq
    ledger.create("goes", status="succeeded")
    last = ledger.history(ledger.create("new"))[-1].seq
    assert ledger.prune(older_than=0).tasks == 1
    return begin, last


def test_a_watch_tells_what_it_missed(ledger: bgledger.Ledger) -> None:
    begin, last = gap(ledger)
    watch = ledger.watch(after=begin, timeout=0)
    with pytest.warns(bgledger.Truncated, match=f"after seq {begin} are gone") as warned:
        events = list(watch)
    assert [event.seq for event in events] == [last] and watch.truncated and len(warned) == 1
    assert warned[0].filename == __file__

    strict = ledger.watch(after=begin, timeout=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", bgledger.Truncated)
        with pytest.raises(bgledger.Truncated):
            next(strict)
        assert next(strict).seq == last  # what follows is not lost

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Who begins at 0 asks for what there is.
        whole = ledger.watch(after=0, timeout=0)
        assert [event.seq for event in whole] == [begin, last] and whole.truncated
        later = ledger.watch(timeout=0)
        assert list(later) == [] and not later.truncated
        one = ledger.watch(1, after=0, timeout=0)
        assert [event.seq for event in one] == [begin] and not one.truncated


def test_what_is_missed_while_nothing_comes_is_told_with_what_comes(ledger: bgledger.Ledger) -> None:
    begin, _ = gap(ledger)
    ledger.settle(1, "failed")
    ledger.settle(3, "failed")
    ledger.prune(older_than=0)
    watch = ledger.watch(after=begin, timeout=1.2)
    with pytest.warns(bgledger.Truncated):
        assert list(watch) == [] and watch.truncated


def test_the_same_for_asyncio(path: str, ledger: bgledger.Ledger) -> None:
    begin, last = gap(ledger)

    async def main() -> None:
        async with bgledger.aio.open(path) as ledger:
            watch = ledger.watch(after=begin, timeout=0)
            with pytest.warns(bgledger.Truncated) as warned:
                assert [event.seq async for event in watch] == [last]
            assert watch.truncated and [each.filename for each in warned] == [__file__]
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                whole = ledger.watch(after=0, timeout=0)
                assert [event.seq async for event in whole] == [begin, last] and whole.truncated
            assert (await ledger.prune(older_than="0s", dry_run=True)).tasks == 0

    asyncio.run(main())


def test_a_task_that_was_pruned_under_its_block_is_heard_of(ledger: bgledger.Ledger) -> None:
    with pytest.raises(bgledger.LedgerError) as raised:
        with ledger.task("taken") as task:
            ledger.settle(task, "failed")
            ledger.prune(older_than=0)
            assert until(lambda: task.cancel_requested)
    assert isinstance(raised.value, bgledger.Pruned)
