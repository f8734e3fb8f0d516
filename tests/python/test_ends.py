"""However a block is left, its task has ended."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Generator
from typing import Any

import bgledger
import pytest
from bgledger import Status

Say = Callable[[Any], None]


def _result_grows(task: Any) -> None:
    task.result = []
    task.result.append("x" * 2_000_000)


def _result_deepens(task: Any) -> None:
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    task.result = deep


def _outcome(task: Any) -> None:
    task.outcome = "Not A Word"


def _nul(task: Any) -> None:
    task.summary = "a\0b"


def _long(task: Any) -> None:
    task.summary = "x" * 5_000_000


SAID: dict[str, tuple[Say, str]] = {
    "a result too large": (_result_grows, "result"),
    "a result too deep": (_result_deepens, "result"),
    "an outcome that is none": (_outcome, "outcome"),
    "a summary with NUL": (_nul, "summary"),
    "a summary too large": (_long, "summary"),
}


@pytest.mark.parametrize("case", SAID)
def test_what_cannot_be_recorded_fails_the_task_and_reaches_the_caller(ledger: bgledger.Ledger, case: str) -> None:
    say, field = SAID[case]
    with pytest.raises(bgledger.Invalid) as refused:
        with ledger.task("x") as task:
            say(task)
    assert field in str(refused.value)
    ended = ledger.get(task.number)
    assert (ended.status, ended.reason, ended.summary, ended.result) == ("failed", "error", None, None)
    assert ended.error is not None and ended.error.message is not None and field in ended.error.message


@pytest.mark.parametrize("case", SAID)
def test_the_same_in_asyncio(ledger: bgledger.Ledger, case: str) -> None:
    say, field = SAID[case]

    async def main() -> None:
        with pytest.raises(bgledger.Invalid, match=field):
            async with ledger.task("x") as task:
                say(task)
        assert ledger.get(1).status == "failed"
        assert task.record.status == "failed"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [(KeyError("mine"), "failed", "error"), (KeyboardInterrupt(), "cancelled", "requested"), (SystemExit(3), "failed", "exit_code")],
    ids=["exception", "interrupt", "exit"],
)
def test_the_works_own_exception_is_recorded_and_goes_on(
    ledger: bgledger.Ledger, error: BaseException, status: str, reason: str
) -> None:
    with pytest.raises(type(error)) as raised:
        with ledger.task("x") as task:
            task.summary = "x" * 5_000_000
            raise error
    assert raised.value is error
    ended = ledger.get(task.number)
    assert (ended.status, ended.reason, ended.summary) == (status, reason, None)
    if isinstance(error, KeyError):
        assert ended.error is not None and ended.error.type == "KeyError"
    if sys.version_info >= (3, 11):
        assert any("summary" in note for note in error.__notes__)


def test_an_exit_whose_result_cannot_be_recorded_fails(ledger: bgledger.Ledger) -> None:
    with pytest.raises(SystemExit):
        with ledger.task("x") as task:
            _result_grows(task)
            sys.exit(0)
    assert ledger.get(task.number).status == "failed"


def test_an_end_by_the_blocks_own_word_that_is_refused_can_be_said_again(ledger: bgledger.Ledger) -> None:
    with ledger.task("x") as task:
        with pytest.raises(bgledger.TooLarge):
            task.finish(summary="x" * 5_000_000)
        assert ledger.get(task.number).status == "running"
        task.finish(summary="short")
    assert ledger.get(task.number).summary == "short"


def test_a_generators_result_that_is_not_json_fails_it(ledger: bgledger.Ledger) -> None:
    @ledger.track(record_result=True)
    def count() -> Generator[int, None, object]:
        yield 1
        return object()

    source = count()
    assert next(source) == 1
    with pytest.raises(bgledger.InvalidType, match="result"):
        next(source)
    ended = ledger.get(1)
    assert ended.status is Status.FAILED and ended.error is not None
    assert ended.error.type is not None and "InvalidType" in ended.error.type


INTERRUPTED = """
import signal
ledger = bgledger.open(path)
ledger.create("later", run_id="r0")
for number in range(1, 1000):
    # Ctrl-C comes with the n-th call or return in the package after the block began to begin: where a signal is heard.
    left, begun, entered = number, False, False
    def count(frame, event, arg):
        global left, begun
        if event == "call" and frame.f_code.co_name == "__enter__" and frame.f_globals["__name__"] == "bgledger._task":
            begun = True
        elif event == "return" and frame.f_code.co_name == "__enter__" and "_token" in frame.f_code.co_names:
            begun = False
        if begun and event != "c_call" and frame.f_globals["__name__"].startswith("bgledger"):
            left -= 1
            if left == 0:
                sys.setprofile(None)
                signal.raise_signal(signal.SIGINT)
    task = ledger.task("x", **OPTIONS)
    if QUEUED:
        ledger.create("x", run_id=f"r{number}", metadata=OPTIONS.get("metadata"))
        task = ledger.task("x", run_id=f"r{number}", **OPTIONS)
    try:
        sys.setprofile(count)
        with task:
            sys.setprofile(None)
            entered = True
    except KeyboardInterrupt:
        pass
    sys.setprofile(None)
    running = ledger.list(status="running").tasks
    assert running == (), (number, running)
    if left > 0:
        break

by = ledger.stats().by_status
assert by["cancelled"] >= 1 and by["succeeded"] == 1, by
print(number)
"""


@pytest.mark.parametrize("queued", [False, True], ids=["new", "queued"])
@pytest.mark.parametrize("options", [{}, {"lease": 60, "metadata": {"a": 1}}], ids=["plain", "leased"])
def test_ctrl_c_while_a_block_begins_leaves_nothing_running(
    other: Callable[..., Any], queued: bool, options: dict[str, Any]
) -> None:
    work = other(f"OPTIONS = {options!r}\nQUEUED = {queued}\n" + INTERRUPTED)
    assert int(work.line()) > 5
    assert work.end() == 0
