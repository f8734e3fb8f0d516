"""Flows: durable records of many-step work, which group tasks."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from collections.abc import Callable
from typing import Any

import bgledger
import bgledger.aio
import pytest
from bgledger import Flow, FlowStatus
from conftest import Other, until

JUNE = {"trip": ["june", 3], "note": "ü"}


def made(ledger: bgledger.Ledger, **fields: Any) -> Flow:
    return ledger.flow_create("plan the trip", controller="planner", **fields)


# ---- the methods ----------------------------------------------------------------------------------------------


def test_a_flow_lives_through_its_moves(ledger: bgledger.Ledger, command: Callable[..., Any]) -> None:
    flow = made(ledger, step="begin", state=JUNE)
    assert flow.created and flow.status is FlowStatus.QUEUED and flow.revision == 1 and not flow.is_ended
    assert (flow.goal, flow.controller, flow.owner, flow.state) == ("plan the trip", "planner", "local", JUNE)
    assert repr(flow) == "<Flow F1 'plan the trip' queued>"
    assert flow.to_dict() == command("flow", "show", "F1")["flow"]

    waits = ledger.flow_wait(flow, 1, step="ask", wait={"for": "answer"})
    assert waits.status == "waiting" and waits.wait == {"for": "answer"} and waits.state == JUNE and waits.revision == 2
    stands = ledger.flow_wait("F1", 2, blocked_summary="no answer", wait=None, state=None)
    assert (stands.status, stands.step, stands.wait, stands.state) == (FlowStatus.BLOCKED, "ask", None, None)
    assert stands.blocked == bgledger.Blocked(None, "no answer")
    goes_on = ledger.flow_resume(1, 3, running=True, step=None)
    assert (goes_on.status, goes_on.step, goes_on.blocked) == (FlowStatus.RUNNING, None, None)
    assert ledger.flow_resume(flow.id, 4).status == "queued"
    done = ledger.flow_finish(f"id:{flow.id}", 5, state=[1])
    assert done.status == "succeeded" and done.is_ended and done.state == [1]
    assert ledger.flow_finish(flow, 5) == done == ledger.flow_show(flow)
    assert hash(done) != hash(flow) and pickle.loads(pickle.dumps(done)) == done
    assert Flow.from_dict(done.to_dict()) == done


def test_flows_are_found(ledger: bgledger.Ledger) -> None:
    first, second = made(ledger, key="one"), ledger.flow_create("other", controller="cook", running=True, owner="her")
    again = made(ledger, key="one")
    assert again == first and not again.created
    assert ledger.flow_list().flows == (second, first)
    assert ledger.flow_list(controller="cook").flows == (second,) == ledger.flow_list(status="running").flows
    assert ledger.flow_list(status=[FlowStatus.QUEUED, "failed"]).flows == (first,)
    page = ledger.flow_list(limit=1)
    assert page.flows == (second,) and ledger.flow_list(limit=1, after=page.next).flows == (first,)
    ledger.flow_fail(first, 1, blocked_summary="no time")
    assert ledger.flow_list(active=True).flows == (second,)
    assert ledger.flow_show("her") == second == ledger.flow_show("owner:her")
    hers = bgledger.open(ledger.path, owner="her")
    assert hers.flow_list().flows == (second,)
    with pytest.raises(bgledger.NoFlow) as missing:
        hers.flow_show(first)
    assert isinstance(missing.value, KeyError) and missing.value.code == "no_flow"
    ledger.flow_create("third", controller="cook", owner="her")
    with pytest.raises(bgledger.AmbiguousFlow) as several:
        ledger.flow_cancel("owner:her")
    assert several.value.flows == (3, 2) and several.value.count == 2


def test_who_has_not_seen_the_newest_is_refused(ledger: bgledger.Ledger) -> None:
    flow = made(ledger)
    ledger.flow_resume(flow, flow.revision, running=True)
    for move in (ledger.flow_wait, ledger.flow_resume, ledger.flow_finish, ledger.flow_fail):
        with pytest.raises(bgledger.RevisionConflict) as conflict:
            move(flow, flow.revision)
        told = conflict.value
        assert (told.code, told.flow, told.given, told.recorded) == ("revision_conflict", 1, 1, 2)
        assert told.recorded_status is FlowStatus.RUNNING and told.updated_at.tzinfo is not None
        assert isinstance(pickle.loads(pickle.dumps(told)).recorded_status, FlowStatus)


def test_what_ended_moves_no_more(ledger: bgledger.Ledger) -> None:
    flow = made(ledger)
    ledger.flow_fail(flow, 1)
    with pytest.raises(bgledger.FlowEnded) as ended:
        ledger.flow_finish(flow, 2)
    assert ended.value.recorded_status is FlowStatus.FAILED and ended.value.code == "flow_ended"
    for refused in (
        lambda: ledger.flow_wait(flow, 2),
        lambda: ledger.flow_resume(flow, 2),
        lambda: ledger.create("late", flow=flow),
        lambda: ledger.flow(flow).__enter__(),
    ):
        with pytest.raises(bgledger.FlowEnded):
            refused()
    assert ledger.flow_cancel(flow).cancel == "already"
    assert ledger.flow_show(flow).status == "failed"


def test_its_tasks_are_linked_and_summed_up(ledger: bgledger.Ledger) -> None:
    flow = made(ledger)
    one = ledger.create("one", flow=flow, start=True)
    ledger.progress(one, current=2, total=5, unit="pages", usage={"tokens_in": 3, "cost": {"USD": 5}})
    two = ledger.create("two", flow="F1", status="failed")
    late = ledger.create("late", start=True, executor="external")
    assert ledger.progress(late, current=1, unit="pages", fill={"flow": flow}).task.flow == flow.id
    queued = ledger.create("queued")
    assert ledger.start(queued, fill={"flow": flow.id, "parent": one}).parent == one.id
    below = ledger.create("below", parent=one)
    assert one.flow == two.flow == below.flow == flow.id
    assert [task.label for task in ledger.list(flow=flow).tasks] == ["below", "queued", "late", "two", "one"]
    assert {task.number for task in ledger.all(flow=1, active=True)} == {one.number, late.number, queued.number, below.number}
    tasks = ledger.flow_show(flow).tasks
    assert (tasks.total, tasks.active, tasks.by_status["failed"]) == (5, 4, 1)
    assert tasks.progress == (bgledger.UnitProgress("pages", 3, None),)
    assert tasks.usage is not None and tasks.usage.tokens_in == 3 and tasks.usage.cost == {"USD": 5}


def test_a_cancel_stays_and_ends_the_flow_with_its_last_task(
    ledger: bgledger.Ledger, other: Callable[..., Other]
) -> None:
    flow = made(ledger, running=True)
    work = other(
        """
        ledger = bgledger.open(path)
        with ledger.task("far away", flow=1) as task:
            print("begun")
            while not task.cancel_requested:
                time.sleep(0.01)
            print("told")
            sys.stdin.readline()
            task.raise_if_cancelled()
        """
    )
    assert work.line() == "begun"
    queued = ledger.create("waits", flow=flow)
    reply = ledger.flow_cancel(flow, by="alice", why="too dear")
    assert reply.cancel == "requested" and reply.tasks == {1: "requested", queued.number: "cancelled"}
    asked = reply.flow.cancel
    assert asked is not None and (asked.by, asked.why) == ("alice", "too dear") and reply.flow.status == "running"
    assert reply.to_dict()["tasks"][0] == {"number": 1, "cancel": "requested"}
    assert work.line() == "told"
    with pytest.raises(bgledger.FlowCancelRequested) as refused:
        ledger.create("late", flow=flow)
    assert refused.value.requested_at == asked.requested_at
    for move in (ledger.flow_wait, ledger.flow_resume):
        with pytest.raises(bgledger.FlowCancelRequested):
            move(flow, reply.flow.revision)
    assert ledger.flow_cancel(flow).flow.cancel == asked
    assert work.process.stdin is not None
    work.process.stdin.write("\n")
    work.process.stdin.flush()
    ended = until(lambda: (found := ledger.flow_show(flow)).is_ended and found)
    assert ended.status is FlowStatus.CANCELLED and ended.tasks.by_status["cancelled"] == 2
    assert ledger.flow_cancel(flow).cancel == "already"


def test_a_mirrored_flow_follows_its_task(ledger: bgledger.Ledger) -> None:
    task = ledger.create("read the papers", start=True)
    flow = ledger.flow_create(mirrors=task)
    assert (flow.mirrors, flow.goal, flow.status) == (task.id, "read the papers", FlowStatus.RUNNING)
    assert not ledger.flow_create(mirrors=task).created
    ledger.progress(task, waiting_on="input")
    assert ledger.flow_show(flow).status is FlowStatus.WAITING
    assert [each.number for each in ledger.list(flow=flow).tasks] == [task.number]
    for refused in (lambda: ledger.flow_finish(flow, 2), lambda: ledger.create("another", flow=flow)):
        with pytest.raises(bgledger.FlowMirrored):
            refused()
    assert ledger.flow_cancel(flow).tasks == {task.number: "requested"}
    ledger.finish(task, "cancelled")
    assert ledger.flow_show(flow).status is FlowStatus.CANCELLED


BAD: dict[str, tuple[Callable[[bgledger.Ledger], Any], type[bgledger.LedgerError], str]] = {
    "no goal": (lambda ledger: ledger.flow_create(controller="c"), bgledger.InvalidValue, "goal"),
    "goal of a number": (lambda ledger: ledger.flow_create(3), bgledger.InvalidType, "goal"),  # type: ignore[arg-type]
    "huge goal": (lambda ledger: ledger.flow_create("x" * 20_000, controller="c"), bgledger.TooLarge, "goal"),
    "no controller": (lambda ledger: ledger.flow_create("g"), bgledger.InvalidValue, "controller"),
    "block without controller": (lambda ledger: ledger.flow("g"), bgledger.InvalidType, "controller"),  # type: ignore[call-overload]
    "block with a goal of bytes": (
        lambda ledger: ledger.flow(b"g", controller="c"),  # type: ignore[call-overload]
        bgledger.InvalidType,
        "goal",
    ),
    "block of a flow and a step": (
        lambda ledger: ledger.flow(ledger.flow_show(1), step="x"),  # type: ignore[call-overload]
        bgledger.InvalidValue,
        "step",
    ),
    "state that is no JSON": (lambda ledger: ledger.flow_wait(1, 1, state={1, 2}), bgledger.InvalidType, "state"),
    "huge state": (lambda ledger: ledger.flow_wait(1, 1, state="x" * 300_000), bgledger.TooLarge, "state"),
    "wait not a number": (lambda ledger: ledger.flow_wait(1, 1, wait=float("nan")), bgledger.InvalidValue, "wait"),
    "step of a number": (lambda ledger: ledger.flow_finish(1, 1, step=3), bgledger.InvalidType, "step"),  # type: ignore[arg-type]
    "revision of a text": (lambda ledger: ledger.flow_finish(1, "1"), bgledger.InvalidType, "revision"),  # type: ignore[arg-type]
    "negative revision": (lambda ledger: ledger.flow_finish(1, -1), bgledger.InvalidValue, "revision"),
    "huge revision": (lambda ledger: ledger.flow_finish(1, 2**64 - 1), bgledger.InvalidValue, "revision"),
    "running that is none": (lambda ledger: ledger.flow_resume(1, 1, running=1), bgledger.InvalidType, "running"),  # type: ignore[arg-type]
    "flow that is a task": (lambda ledger: ledger.flow_show(ledger.get(1)), bgledger.InvalidType, "flow"),  # type: ignore[arg-type]
    "task that is a flow": (lambda ledger: ledger.get(ledger.flow_show(1)), bgledger.InvalidType, "lookup"),  # type: ignore[call-overload]
    "flow of a wrong type": (lambda ledger: ledger.task("x", flow=1.5), bgledger.InvalidType, "flow"),  # type: ignore[arg-type]
    "number of no flow": (lambda ledger: ledger.flow_show(0), bgledger.InvalidValue, "flow"),
    "status of no flow": (lambda ledger: ledger.flow_list(status="lost in space"), bgledger.InvalidValue, "status"),
    "a page that is none": (lambda ledger: ledger.flow_list(after="x"), bgledger.InvalidValue, "after"),
    "mirror of more": (lambda ledger: ledger.flow_create("g", mirrors=1), bgledger.InvalidValue, "mirrors"),
    "blocked by a flow": (
        lambda ledger: ledger.flow_wait(1, 1, blocked_task=ledger.flow_show(1)),  # type: ignore[arg-type]
        bgledger.InvalidType,
        "blocked_task",
    ),
    "fill of no flow": (lambda ledger: ledger.start(1, fill={"flow": "F1"}), bgledger.InvalidValue, "flow"),
    "reader that is none": (lambda ledger: ledger.get(1, ack="me"), bgledger.InvalidValue, "ack"),
    "reader of a wrong type": (lambda ledger: ledger.wait(1, ack=3), bgledger.InvalidType, "ack"),  # type: ignore[arg-type]
    "age of no sense": (lambda ledger: ledger.prune(older_than="old"), bgledger.InvalidValue, "older_than"),
    "dry of no sense": (lambda ledger: ledger.prune(dry_run=1), bgledger.InvalidType, "dry_run"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused_by_name(ledger: bgledger.Ledger, case: str) -> None:
    attempt, kind, named = BAD[case]
    ledger.create("x")
    before = made(ledger)
    with pytest.raises(kind) as refused:
        attempt(ledger)
    assert named in refused.value.field  # type: ignore[attr-defined]
    assert isinstance(refused.value, ValueError) and refused.value.code
    assert ledger.flow_list().flows == (before,) and len(list(ledger)) == 1


def test_each_refusal_is_an_exception_of_its_own(ledger: bgledger.Ledger) -> None:
    made(ledger, key="k")
    refusals: list[tuple[Callable[[], Any], type[bgledger.LedgerError]]] = [
        (lambda: ledger.flow_create("other", controller="planner", key="k"), bgledger.FlowExistsWithDifferent),
        (lambda: ledger.flow("other", controller="planner", key="k").__enter__(), bgledger.FlowExistsWithDifferent),
        (lambda: ledger.flow_show("F9"), bgledger.NoFlow),
        (lambda: ledger.create("x", flow="F9"), bgledger.NoFlow),
        (lambda: ledger.list(flow=9), bgledger.NoFlow),
        (lambda: ledger.flow_create(mirrors=9), bgledger.NotFound),
        (lambda: ledger.flow_wait(1, 1, blocked_task=9), bgledger.NotFound),
        (lambda: ledger.get(9, ack="session:s"), bgledger.NotFound),
    ]
    for attempt, kind in refusals:
        with pytest.raises(kind) as refused:
            attempt()
        assert type(refused.value) is kind and kind.code in str(refused.value.body)


# ---- the block ------------------------------------------------------------------------------------------------


def test_a_block_carries_the_revision_along(ledger: bgledger.Ledger) -> None:
    with ledger.flow("plan the trip", controller="planner", step="begin", state=JUNE) as flow:
        assert flow.created and flow.status == "running" and flow.revision == 1 and flow.state == JUNE
        flow.wait(step="ask", wait="answer")
        assert flow.status is FlowStatus.WAITING and flow.record.wait == "answer" and flow.revision == 2
        flow.resume(state=None)
        with flow.task("book", run_id="r1") as task:
            pass
        assert flow.record.tasks.total == 0 and flow.refresh().tasks.total == 1 and flow.step == "ask"
        assert "F1 running" in repr(flow) and flow.ledger is ledger and flow.goal == "plan the trip"
    done = ledger.flow_show(flow)
    assert done.status == "succeeded" and done == flow.record.__class__.from_dict(done.to_dict())
    assert ledger.get(task).flow == flow.id and done.tasks.by_status["succeeded"] == 1


def test_leaving_it_tells_how_it_stands(ledger: bgledger.Ledger) -> None:
    with pytest.raises(ZeroDivisionError):
        with ledger.flow("divide", controller="c") as flow:
            1 / 0
    failed = ledger.flow_show(flow)
    assert failed.status == "failed" and failed.blocked is not None
    assert failed.blocked.summary == "ZeroDivisionError: division by zero"
    with pytest.raises(RuntimeError, match="x" * 100):
        with ledger.flow("say much", controller="c") as flow:
            raise RuntimeError("x" * 100_000)
    assert ledger.flow_show(flow).status == "failed"

    with ledger.flow("wait", controller="c", key="w") as flow:
        flow.wait(wait={"for": "you"})
    assert ledger.flow_show(flow).status == "waiting"
    with ledger.flow("wait", controller="c", key="w") as again:
        assert again.id == flow.id and not again.created and again.status == "running"
        again.wait(blocked_summary="no key")
    assert ledger.flow_show(flow).status == "blocked"
    with ledger.flow(ledger.flow_show(flow)) as again:
        again.resume(running=False)
    assert ledger.flow_show(flow).status == "queued"
    with ledger.flow(ledger.flow_show(flow)) as again:
        again.finish(step="over")
    assert ledger.flow_show(flow).step == "over"
    with ledger.flow("fail", controller="c") as flow:
        flow.fail(blocked_summary="as it must")
    assert ledger.flow_show(flow).blocked == bgledger.Blocked(None, "as it must")
    with pytest.raises(SystemExit), ledger.flow("exit", controller="c") as flow:
        raise SystemExit(0)
    assert ledger.flow_show(flow).status == "succeeded"
    with pytest.raises(RuntimeError, match="begins with its block"):
        _ = ledger.flow("never", controller="c").revision
    with pytest.raises(RuntimeError, match="entered once"):
        flow.__enter__()


def test_somebody_elses_move_is_a_conflict(ledger: bgledger.Ledger) -> None:
    with ledger.flow("plan", controller="c", key="k") as first:
        with ledger.flow("plan", controller="c", key="k") as second:
            with pytest.raises(bgledger.RevisionConflict):
                first.wait()
            second.wait(step="mine")
        first.refresh()
        first.resume()
        assert first.step == "mine"
    assert ledger.flow_show(first).status == "succeeded"
    with pytest.raises(bgledger.RevisionConflict):
        with ledger.flow("plan", controller="c") as flow:
            ledger.flow_wait(flow.id, flow.revision)
    with pytest.raises(ZeroDivisionError) as raised:
        with ledger.flow("plan", controller="c") as flow:
            ledger.flow_wait(flow.id, flow.revision)
            1 / 0
    assert not hasattr(raised.value, "add_note") or "could not record" in raised.value.__notes__[0]
    assert ledger.flow_show(flow).status == "waiting"


def test_a_cancel_ends_its_block(ledger: bgledger.Ledger) -> None:
    with ledger.flow("plan", controller="c") as flow:
        assert flow.cancel(why="enough").cancel == "cancelled"
    assert ledger.flow_show(flow).status == "cancelled"
    with pytest.raises(bgledger.FlowCancelRequested):
        with ledger.flow("plan", controller="c") as flow:
            child = ledger.create("active", flow=flow, start=True)
            ledger.flow_cancel(flow)
            with flow.task("late"):
                raise AssertionError("it was entered")
    assert not ledger.flow_show(flow).is_ended
    ledger.finish(child, "cancelled")
    assert ledger.flow_show(flow).status == "cancelled"
    with pytest.raises(bgledger.FlowEnded):
        with ledger.flow("plan", controller="c") as flow:
            ledger.flow_cancel(flow.id)


def test_tasks_in_the_block_belong_to_it(path: str, ledger: bgledger.Ledger) -> None:
    hers = bgledger.open(path, owner="her")

    @ledger.track("tracked")
    def tracked() -> str | None:
        task = bgledger.current()
        assert task is not None
        return task.record.flow

    known = ledger.create("known", run_id="known")
    with ledger.task("around") as around, ledger.flow("g", controller="c") as flow:
        with ledger.task("inside") as inside, ledger.task("below") as below:
            assert inside.record.parent == around.id and inside.record.flow == flow.id
            assert below.record.parent == inside.id and below.record.flow == flow.id
            with ledger.flow("inner", controller="c") as inner, ledger.task("of the inner") as task:
                assert task.record.flow == inner.id and task.record.parent == below.id
        assert tracked() == flow.id
        with ledger.task("by its word", flow=None) as task:
            assert task.record.flow is None
        with ledger.task("with a parent", parent=around) as task:
            assert task.record.flow is None
        with ledger.task("with no parent", parent=None) as task:
            assert task.record.flow == flow.id and task.record.parent is None
        with ledger.task("known", run_id="known") as task:
            assert task.id == known.id and task.record.flow is None
        with hers.task("hers") as task:
            assert task.record.flow is None and task.record.owner == "her"
        assert ledger.create("by hand").flow is None

        seen: list[str | None] = []

        def in_a_thread() -> None:
            seen.append(tracked())

        thread = threading.Thread(target=bgledger.inherit(in_a_thread))
        thread.start()
        thread.join()
        assert seen == [flow.id]
        flow.finish()
        with ledger.task("after its end") as task:
            assert task.record.flow is None
    with ledger.flow("g", controller="c") as flow:
        ledger.flow_finish(flow.id, flow.revision)
        with ledger.task("after an end that the block did not hear of") as task:
            assert task.record.flow is None
        flow.refresh()
    with ledger.task("outside") as task:
        assert task.record.flow is None


def test_a_forked_child_finishes_nothing(ledger: bgledger.Ledger) -> None:
    with ledger.flow("g", controller="c") as flow:
        pid = os.fork()
        if pid == 0:
            try:
                flow.__exit__(None, None, None)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        assert flow.refresh().status == "running"


# ---- asyncio --------------------------------------------------------------------------------------------------


def test_the_same_for_asyncio(path: str) -> None:
    async def main() -> None:
        async with bgledger.aio.open(path) as ledger:
            flow = await ledger.flow_create("by hand", controller="c")
            moved = await ledger.flow_wait(flow, 1, wait="x")
            moved = await ledger.flow_resume(flow, moved.revision, running=True)
            with pytest.raises(bgledger.RevisionConflict):
                await ledger.flow_fail(flow, 1)
            await ledger.flow_finish(flow, moved.revision)
            assert (await ledger.flow_show(flow)).status == "succeeded"
            assert (await ledger.flow_cancel(flow)).cancel == "already"

            async with ledger.flow("plan", controller="c", key="k", state=JUNE) as run:
                assert isinstance(run, bgledger.AsyncFlow) and run.created and run.state == JUNE
                await run.wait(step="ask", wait=1)
                assert (run.status, run.step, run.revision, run.number) == ("waiting", "ask", 2, 2)
                await run.resume()

                async def work(number: int) -> None:
                    async with ledger.task(f"part {number}") as task:
                        assert task.record.flow == run.id

                await asyncio.gather(*(work(number) for number in range(3)))
                async with run.task("named") as task:
                    assert task.record.flow == run.id
                assert (await run.refresh()).tasks.by_status["succeeded"] == 4
                assert "F2" in repr(run) and run.goal == "plan" and run.record.tasks.total == 4
            assert [found.number for found in (await ledger.flow_list(status="succeeded")).flows] == [2, 1]

            with pytest.raises(bgledger.FlowEnded):
                async with ledger.flow("plan", controller="c", key="k"):
                    raise AssertionError("it was entered")
            with pytest.raises(ZeroDivisionError):
                async with ledger.flow("divide", controller="c") as run:
                    1 / 0
            blocked = (await ledger.flow_show(run)).blocked
            assert blocked is not None and blocked.summary == "ZeroDivisionError: division by zero"
            async with ledger.flow("cancel", controller="c") as run:
                assert (await run.cancel(by="me")).cancel == "cancelled"
            async with ledger.flow("fail", controller="c") as run:
                await run.fail(blocked_summary="no")
            async with ledger.flow("finish", controller="c") as run:
                await run.finish()
            with pytest.raises((asyncio.TimeoutError, TimeoutError)):
                await asyncio.wait_for(_stuck(ledger), 0.1)
            stuck = await ledger.flow_show(7)
            assert stuck.status == "failed" and stuck.blocked is not None
            assert stuck.blocked.summary is not None and "CancelledError" in stuck.blocked.summary

    asyncio.run(main())


async def _stuck(ledger: bgledger.aio.Ledger) -> None:
    async with ledger.flow("stuck", controller="c"):
        await asyncio.sleep(60)
