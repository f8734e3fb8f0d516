"""What all integrations share: order, bounds, forks, the end of the process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import bgledger
import pytest
from bgledger.integrations import _recorder
from bgledger.integrations._installation import recorder_for
from bgledger.integrations._run import Run

from .conftest import Records


def test_texts_of_the_host_are_cut_to_what_the_ledger_keeps(ledger: bgledger.Ledger) -> None:
    recorder = recorder_for(ledger, "host")
    much = "\ud800\0é" * 100_000
    run = Run(recorder, much, kind="tool", run_id=much, session=much, agent=much, task=much, metadata={"much": much})
    run.say(much)
    run.fail(much, much, much, summary=much)
    blank = Run(recorder, " \n", kind="tool", run_id="", session=" ", metadata={"nan": float("nan"), "huge": 2**80})
    blank.end(RuntimeError(much))
    assert recorder.flush()
    second, first = ledger.list().tasks
    assert first.status == second.status == "failed"
    assert first.label.startswith("\\ud800") and len(first.label.encode()) <= 512
    assert (second.label, second.run_id, second.session) == ("tool", None, None)


def test_more_than_may_wait_is_left_out_and_what_began_still_ends(
    ledger: bgledger.Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_recorder, "WAITING", 3)
    recorder = recorder_for(ledger, "host")
    held = threading.Event()
    recorder.note(lambda: held.wait(30), is_new=True)
    runs = [Run(recorder, f"run {number}", kind="tool") for number in range(10)]
    for run in runs:
        run.end()
    held.set()
    assert recorder.flush()
    told = list(ledger.all())
    assert 2 <= len(told) <= 3 and all(task.status == "succeeded" for task in told)
    assert "3 records are waiting" in caplog.text and len(caplog.records) == 1


def test_a_parent_that_could_not_be_recorded_is_stepped_over(ledger: bgledger.Ledger, records: Records) -> None:
    recorder = recorder_for(ledger, "host")
    top = Run(recorder, "top", kind="agent")
    between = Run(recorder, "between", kind="agent", parent=top, runtime="No Word")
    leaf = Run(recorder, "leaf", kind="tool", parent=between)
    for run in (leaf, between, top):
        run.end()
    assert recorder.flush()
    told = records()
    assert list(told) == ["top", "leaf"] and told["leaf"].parent == told["top"].id
    assert (told["top"].notify, told["leaf"].notify) == ("done_only", "silent")


def test_the_handle_that_was_given_may_be_closed(path: str) -> None:
    ledger = bgledger.open(path)
    recorder = recorder_for(ledger, "host")
    ledger.close()
    Run(recorder, "run", kind="tool").end()
    assert recorder.flush()
    with bgledger.open(path) as again:
        assert again.get(1).status == "succeeded"


def test_what_was_noted_is_recorded_before_the_process_ends(path: str, other: Callable[..., Any]) -> None:
    host = """
    from bgledger.integrations._installation import recorder_for
    from bgledger.integrations._run import Run
    recorder = recorder_for(bgledger.open(path), "host")
    for number in range(100):
        Run(recorder, f"run {number}", kind="tool").end()
    """
    assert other(host).end() == 0
    with bgledger.open(path) as ledger:
        assert ledger.stats().by_status["succeeded"] == 100


def test_a_forked_child_records_its_own_and_ends_nothing_of_its_parent(path: str, other: Callable[..., Any]) -> None:
    host = """
    import multiprocessing
    from bgledger.integrations._installation import recorder_for
    from bgledger.integrations._run import Run
    recorder = recorder_for(bgledger.open(path), "host")
    above = Run(recorder, "parent's", kind="agent")
    recorder.flush()
    def child():
        above.end()
        Run(recorder, "child's", kind="tool", parent=above).end()
    forked = multiprocessing.get_context("fork").Process(target=child)
    forked.start()
    forked.join()
    assert forked.exitcode == 0
    print(bgledger.open(path).get(1).status)
    above.end()
    """
    process = other(host)
    assert process.line() == "running"
    assert process.end() == 0, process.errors
    with bgledger.open(path) as ledger:
        parent, child = ledger.get(1), ledger.get(2)
    assert (parent.status, child.status, child.parent) == ("succeeded", "succeeded", parent.id)
    assert child.executor is not None and child.executor.pid not in (None, os.getpid())


def test_killed_it_leaves_tasks_that_maintenance_finds_lost(path: str, other: Callable[..., Any]) -> None:
    host = """
    from bgledger.integrations._installation import recorder_for
    from bgledger.integrations._run import Run
    recorder = recorder_for(bgledger.open(path), "host")
    run = Run(recorder, "run", kind="tool")
    recorder.flush()
    print("running")
    time.sleep(60)
    """
    process = other(host)
    process.line()
    process.signal(9)
    process.end()
    with bgledger.open(path) as ledger:
        ledger.maintain(apply=True)
        assert ledger.get(1).status == "lost"


def test_importing_the_package_imports_no_framework(other: Callable[..., Any]) -> None:
    program = """
    import bgledger.integrations
    print([name for name in ("opentelemetry", "langchain_core", "agents", "celery", "asyncio")
           if name in sys.modules])
    """
    process = other(program)
    assert process.line() == "[]"
