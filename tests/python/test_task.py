"""A block that does a task's work."""

from __future__ import annotations

import contextvars
import sys
import threading
import time
from collections.abc import Generator
from datetime import timedelta
from typing import Any, Callable

import bgledger
import pytest
from bgledger import Status
from conftest import until


def test_a_block_that_ends_well_is_a_success(ledger: bgledger.Ledger) -> None:
    with ledger.task("fetch the report", task="all of it", metadata={"pages": 3}) as task:
        assert ledger.get(task.number).status == "running"
        answer = task.progress("half", current=1, total=2, unit="pages")
        assert answer.changed and not answer.cancel_requested
        task.usage(tokens_in=10, tokens_out=5, cost={"USD": 1200}, tool_calls=2)
        task.artifact("report", "file:///tmp/report", size=7, media_type="text/plain")
        task.result = {"pages": [1, 2]}
        task.summary = "two pages"
    ended = ledger.get(task.number)
    assert ended.status is Status.SUCCEEDED and ended.outcome == "ok"
    assert ended.result == {"pages": [1, 2]} and ended.summary == "two pages"
    assert ended.progress == bgledger.Progress("half", 1, 2, "pages")
    assert ended.usage == bgledger.Usage(10, 5, 0, {"USD": 1200}, 2)
    assert ended.artifacts["report"].size == 7
    assert ended.metadata == {"pages": 3} and ended.task == "all of it"
    assert ended.duration is not None and ended.duration >= timedelta(0)
    assert task.record == ended


def test_a_result_may_be_anything_that_json_can_say(ledger: bgledger.Ledger) -> None:
    values: list[Any] = [None, 0, "", [], {"a": None}, 2**70, 1.5, "snow ☃"]
    for value in values:
        with ledger.task("say it") as task:
            task.result = value
        assert ledger.get(task.number).result == value


def test_a_success_may_be_blocked(ledger: bgledger.Ledger) -> None:
    with ledger.task("ask") as task:
        task.outcome = bgledger.Outcome.BLOCKED
    assert ledger.get(task.number).outcome == "blocked"


def test_an_exception_fails_the_task_and_goes_on(ledger: bgledger.Ledger) -> None:
    with pytest.raises(ZeroDivisionError):
        with ledger.task("divide") as task:
            1 / 0
    ended = ledger.get(task.number)
    assert (ended.status, ended.reason) == ("failed", "error")
    assert ended.error is not None and ended.error.type == "ZeroDivisionError"
    assert ended.error.message == "division by zero"
    assert ended.error.detail is not None and "1 / 0" in ended.error.detail


class Awkward(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message")


@pytest.mark.parametrize(
    "error",
    [
        Exception("x" * 3_000_000),
        Exception("a lone \ud800 surrogate and a \0"),
        Exception("snow ☃" * 100_000),
        Awkward(),
        type("N" * 2_000, (Exception,), {})("long name"),
        RecursionError("deep"),
    ],
    ids=["huge", "surrogate", "wide", "awkward", "long-name", "recursion"],
)
def test_any_exception_can_be_recorded(ledger: bgledger.Ledger, error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        with ledger.task("fail") as task:
            raise error
    assert raised.value is error
    ended = ledger.get(task.number)
    assert ended.status == "failed" and ended.error is not None and ended.error.message


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit])
def test_an_interrupt_cancels_the_task(ledger: bgledger.Ledger, error: type[BaseException]) -> None:
    with pytest.raises(error):
        with ledger.task("wait") as task:
            raise error
    assert ledger.get(task.number).status == "cancelled"


@pytest.mark.parametrize(("code", "status"), [(None, "succeeded"), (0, "succeeded"), (3, "failed"), ("no", "failed")])
def test_leaving_by_sys_exit_ends_it_as_the_code_says(ledger: bgledger.Ledger, code: Any, status: str) -> None:
    with pytest.raises(SystemExit):
        with ledger.task("leave") as task:
            sys.exit(code)
    ended = ledger.get(task.number)
    assert ended.status == status
    assert ended.exit_code == {3: 3, "no": 1}.get(code)


def test_a_block_may_end_its_task_itself(ledger: bgledger.Ledger) -> None:
    with ledger.task("decide") as task:
        task.finish("failed", error="no luck", reason="rejected")
    ended = ledger.get(task.number)
    assert (ended.status, ended.reason) == ("failed", "rejected")
    assert ended.error is not None and ended.error.message == "no luck"


def test_nested_tasks_are_children(ledger: bgledger.Ledger) -> None:
    assert bgledger.current() is None
    with ledger.task("outer") as outer:
        with ledger.task("inner") as inner:
            assert bgledger.current() is inner
            with ledger.task("leaf") as leaf:
                pass
        assert bgledger.current() is outer
        with ledger.task("apart", parent=None) as apart:
            pass
    assert ledger.get(inner.number).parent == outer.id
    assert ledger.get(leaf.number).parent == inner.id and ledger.get(leaf.number).root == outer.id
    assert ledger.get(apart.number).parent is None
    assert [child.task.label for child in ledger.tree(outer).children] == ["inner"]


def test_a_thread_gets_its_parent_by_copying_the_context(ledger: bgledger.Ledger) -> None:
    def work() -> None:
        with ledger.task("in a thread"):
            pass

    with ledger.task("outer") as outer:
        copied = threading.Thread(target=contextvars.copy_context().run, args=(work,))
        copied.start()
        copied.join()
    assert [task.label for task in ledger.list(parent=outer).tasks] == ["in a thread"]


def test_another_ledgers_task_is_no_parent(ledger: bgledger.Ledger, folder: Any) -> None:
    with bgledger.open(folder / "other.db") as elsewhere, ledger.task("here"):
        with elsewhere.task("there") as there:
            pass
        assert elsewhere.get(there.number).parent is None


def test_a_queued_task_is_started_and_a_lost_one_taken_over(ledger: bgledger.Ledger) -> None:
    queued = ledger.create("later", run_id="r1")
    with ledger.task("later", run_id="r1") as task:
        assert task.id == queued.id and task.attempt == 1
    lost = ledger.create("gone", run_id="r2", start=True, executor="external")
    ledger.settle(lost, "lost")
    with ledger.task("gone", run_id="r2") as task:
        assert task.id == lost.id and task.attempt == 2
    assert ledger.get(lost).status == "succeeded"


def test_a_task_that_runs_or_has_ended_is_refused_before_the_block(ledger: bgledger.Ledger) -> None:
    entered = []
    with ledger.task("once", run_id="r1"):
        with pytest.raises(bgledger.AlreadyRunning) as here:
            with ledger.task("once", run_id="r1", parent=None):
                entered.append(1)
        assert here.value.executor is not None and here.value.attempt == 1
    with pytest.raises(bgledger.AlreadyEnded) as ended:
        with ledger.task("once", run_id="r1"):
            entered.append(2)
    assert ended.value.recorded_status is Status.SUCCEEDED
    ledger.create("elsewhere", run_id="r2", start=True, executor="external")
    with pytest.raises(bgledger.AlreadyRunning):
        with ledger.task("elsewhere", run_id="r2"):
            entered.append(3)
    assert entered == []


def test_a_cancel_reaches_the_block(ledger: bgledger.Ledger, command: Callable[..., Any]) -> None:
    with pytest.raises(bgledger.TaskCancelled) as raised:
        with ledger.task("long") as task:
            assert not task.cancel_requested
            assert command("cancel", str(task.number), "--why", "enough")["cancel"] == "requested"
            until(lambda: task.cancel_requested)
            task.raise_if_cancelled()
    ended = ledger.get(task.number)
    assert ended.status == "cancelled" and ended.reason == "requested"
    assert ended.cancel is not None and ended.cancel.told_at is not None and ended.cancel.why == "enough"
    assert raised.value.number == task.number and raised.value.code == "cancel_requested"


def test_a_cancel_calls_back(ledger: bgledger.Ledger) -> None:
    told = threading.Event()
    with ledger.task("long", on_cancel=lambda task: told.set()) as task:
        ledger.cancel(task)
        assert told.wait(20) and task.cancel_requested
    assert ledger.get(task.number).status == "succeeded"


def test_a_lease_is_renewed_while_the_process_lives(ledger: bgledger.Ledger) -> None:
    from bgledger import _beat

    with ledger.task("leased", lease=0.3) as task:
        first = ledger.get(task.number).lease_expires_at
        assert first is not None
        until(lambda: (ledger.get(task.number).lease_expires_at or first) > first)
        assert _beat.is_running()
    until(lambda: not _beat.is_running())


def test_a_lease_proves_the_work_where_asked(ledger: bgledger.Ledger) -> None:
    with ledger.task("leased", lease=0.3, heartbeat="work") as task:
        time.sleep(0.5)
        assert ledger.get(task.number).heartbeat_at is None
        until(lambda: task.cancel_requested or ledger.get(task.number).heartbeat_at)


def test_a_lease_is_chosen(ledger: bgledger.Ledger) -> None:
    with ledger.task("none", lease=False) as task:
        assert task.record.lease is None
    with ledger.task("text", lease="90s") as task:
        assert task.record.lease == timedelta(seconds=90)
    with ledger.task("timedelta", lease=timedelta(minutes=2)) as task:
        assert task.record.lease == timedelta(minutes=2)


def test_an_end_that_cannot_be_recorded_does_not_hide_the_works_error(ledger: bgledger.Ledger) -> None:
    with pytest.raises(KeyError, match="mine"):
        with ledger.task("settled meanwhile") as task:
            ledger.settle(task.number, "succeeded", by="operator")
            raise KeyError("mine")
    with pytest.raises(bgledger.AlreadyEnded):
        with ledger.task("settled meanwhile") as task:
            ledger.settle(task.number, "failed", by="operator")


def test_a_block_is_entered_once(ledger: bgledger.Ledger) -> None:
    task = ledger.task("once")
    with task:
        pass
    with pytest.raises(RuntimeError):
        with task:
            pass


# ---- the decorator ---------------------------------------------------------------------------------------------


def test_a_tracked_function_is_a_task(ledger: bgledger.Ledger) -> None:
    @ledger.track
    def add(a: int, b: int) -> int:
        assert bgledger.current() is not None
        return a + b

    @ledger.track("named", kind="sum", record_result=True)
    def again(a: int) -> int:
        return add(a, 1)

    assert again(2) == 3 and again.__name__ == "again"
    outer, inner = ledger.get(1), ledger.get(2)
    assert (outer.label, outer.kind, outer.result, outer.status) == ("named", "sum", 3, "succeeded")
    assert inner.label.endswith("add") and inner.parent == outer.id


def test_a_tracked_generator_runs_from_first_to_last(ledger: bgledger.Ledger) -> None:
    @ledger.track("count", record_result=True)
    def count(most: int) -> Generator[int, None, str]:
        for number in range(most):
            assert bgledger.current() is not None
            yield number
        return "done"

    source = count(3)
    assert next(source) == 0
    assert bgledger.current() is None
    assert ledger.get(1).status == "running"
    assert list(source) == [1, 2]
    assert (ledger.get(1).status, ledger.get(1).result) == ("succeeded", "done")
    left = count(3)
    next(left)
    left.close()
    assert ledger.get(2).status == "cancelled"


def test_options_of_the_decorator_are_checked_at_once(ledger: bgledger.Ledger) -> None:
    with pytest.raises(TypeError, match="colour"):
        ledger.track("x", colour="red")
    with pytest.raises(bgledger.InvalidValue, match="timeout"):
        ledger.track("x", timeout=-1)
