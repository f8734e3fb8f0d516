"""What a handle says and takes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import os
import pickle
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import bgledger
import bgledger.aio
import pytest
from bgledger import Runtime, Status

METHODS = {"show": "get", "maintenance": "maintain"}


def test_every_command_of_the_core_has_a_method_in_both_handles() -> None:
    from bgledger._generated import COMMANDS

    assert len(COMMANDS) > 15
    for handle in (bgledger.Ledger, bgledger.aio.Ledger):
        for command in COMMANDS:
            assert inspect.getdoc(getattr(handle, METHODS.get(command, command))), command


def test_notices_are_claimed_and_answered(ledger: bgledger.Ledger) -> None:
    task = ledger.create("told", requester_session="chat", notify="done_only")
    ledger.finish(task, summary="well")
    assert [each.state for each in ledger.notices(task=task).notices] == ["pending"]
    first = ledger.notices_claim("session:chat", consumer="bot", lease=60)
    assert first.claim is not None and [each.type for each in first.notices] == ["finished"]
    assert ledger.notices_claim("session:chat").claim is None
    (refused,) = ledger.notices_nack(first.claim, first.notices, "no route")
    assert (refused.state, refused.reason) == ("pending", "no route")
    with pytest.raises(bgledger.StaleClaim):
        ledger.notices_ack(first.claim, first.notices)
    (again,) = ledger.notices_retry(refused)
    second = ledger.notices_claim(limit=1)
    assert second.claim is not None and again.attempts == 0
    assert ledger.notices_ack(second.claim, second.notices)[0].state == "delivered"
    assert ledger.get(task).delivery == "delivered"
    with pytest.raises(bgledger.NoticeSettled):
        ledger.notices_dismiss(second.notices)
    with pytest.raises(bgledger.NoNotice):
        ledger.notices_drop("999")


def test_a_life_by_hand(ledger: bgledger.Ledger) -> None:
    task = ledger.create("fetch", runtime=Runtime.CRON, run_id="r1", session="s1", timeout="5m", notify="silent")
    assert task.created and task.status is Status.QUEUED and task.timeout == timedelta(minutes=5)
    assert not ledger.create("fetch", runtime=Runtime.CRON, run_id="r1").created
    assert ledger.start(task, lease=60, fill={"agent": "a1"}).agent == "a1"
    told = ledger.progress(task, "half", current=1, total=2, waiting_on="input")
    assert told.task.waiting_on == "input" and told.changed
    assert ledger.progress(task, waiting_on=None).task.waiting_on is None
    assert not ledger.heartbeat("r1").cancel_requested
    assert ledger.notify(task, "done_only").notify == "done_only"
    done = ledger.finish(task, outcome="blocked", summary="stuck", result={"a": 1}, exit_code=0)
    assert (done.outcome, done.result, done.exit_code) == ("blocked", {"a": 1}, 0)
    assert [event.type for event in ledger.history(task)][:3] == ["created", "started", "progress"]
    assert ledger.history(task, after=ledger.history(task)[-1].seq) == ()


def test_what_is_over_can_be_recorded(ledger: bgledger.Ledger) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=timezone.utc)
    task = ledger.create(
        "old", status="failed", error="no luck", created_at=at, started_at=at, ended_at=at + timedelta(seconds=1),
        start=True, executor="external",
    )
    assert task.status == "failed" and task.created_at == at and task.duration == timedelta(seconds=1)
    assert task.error == bgledger.Failure(None, "no luck", None)


def test_what_is_over_is_recorded_with_all_that_it_left(ledger: bgledger.Ledger) -> None:
    task = ledger.create(
        "make", status="failed", reason="exit_code", exit_code=2, summary="no rule", result={"lines": 3},
        output=bgledger.Output("no rule to make target", 900, True), usage={"tokens_in": 7},
        artifacts={"log": bgledger.Artifact("file:///log", 900)},
    )
    assert (task.status, task.reason, task.exit_code, task.result) == ("failed", "exit_code", 2, {"lines": 3})
    assert task.output == bgledger.Output("no rule to make target", 900, True)
    assert task.usage == bgledger.Usage(7) and task.artifacts["log"].size == 900
    killed = ledger.create("run", status="failed", reason="signal", signal=9)
    assert (killed.signal, killed.exit_code, killed.started_at is not None) == (9, None, True)


def test_a_start_is_asked_for(ledger: bgledger.Ledger) -> None:
    plain, rich = ledger.create("a", start=True, lease=60), ledger.create("b", start=True, lease=60, metadata={"a": 1})
    assert plain.status == rich.status == "running" and plain.lease == rich.lease == timedelta(seconds=60)
    over = ledger.create("c", status="succeeded", executor="external", started_at=datetime.now(timezone.utc))
    assert over.status == "succeeded" and over.attempt == 1


def test_a_process_and_its_group_do_the_work(ledger: bgledger.Ledger) -> None:
    command = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        task = ledger.create("sleep", start=True, executor=bgledger.Process(os.getpid(), group=command.pid))
        assert task.executor is not None and task.executor.pid == os.getpid()
        assert task.executor.group is not None and task.executor.group.id == command.pid
        by_pid = ledger.create("by its pid", start=True, executor=command.pid)
        assert by_pid.executor is not None and (by_pid.executor.pid, by_pid.executor.group) == (command.pid, None)
        queued = ledger.create("later")
        started = ledger.start(queued, executor=bgledger.Process(command.pid, group=command.pid))
        assert started.executor is not None and started.executor.group is not None
        assert bgledger.Process(1, 2).to_dict() == {"pid": 1, "group": 2}
    finally:
        command.kill()
        command.wait()


def test_what_another_block_of_this_process_runs_is_refused_in_the_cores_words(ledger: bgledger.Ledger) -> None:
    with ledger.task("once", run_id="r1") as task:
        with pytest.raises(bgledger.AlreadyRunning) as refused:
            ledger.task("once", run_id="r1").__enter__()
    assert refused.value.message.startswith(f"#{task.number} is running already: attempt 1, by ")
    assert refused.value.hint and refused.value.started_at == task.record.attempt_started_at


def test_both_ways_of_the_waist_tell_the_same(ledger: bgledger.Ledger) -> None:
    parent = ledger.create("top", start=True, executor="external")
    with ledger.task("all of it", parent=parent, metadata={"a": 1, "b": None, "c": 1.5, "d": True}, lease=60) as task:
        task.progress("x", current=1, total=2, unit="u", usage=bgledger.Usage(1, 2, 3, {"EUR": 4}, 5))
        task.artifact("a", "file:///a", sha256="0" * 64)
        ledger.cancel(task, by="me", why="enough")
        task.heartbeat()
        task.finish("failed", error=bgledger.Failure("T", "m", "d"), signal=9, output={"tail": "t", "bytes": 9})
    for lookup in (task.number, parent):
        typed = ledger.get(lookup)
        plain = ledger.call("show", lookup=typed.number)["task"]
        assert typed == bgledger.Task.from_dict(plain)
        assert typed.to_dict() == plain
        assert json.loads(json.dumps(typed.to_dict())) == plain


def test_a_create_by_either_way_is_the_same(ledger: bgledger.Ledger) -> None:
    fast = ledger.create("a", task="t", runtime="cron", kind="k", session="s", agent="g", notify="silent", timeout=5)
    slow = ledger.create("a", task="t", runtime="cron", kind="k", session="s", agent="g", notify="silent", timeout=5,
                         metadata={})
    unlike = {"number", "id", "key", "created_at", "updated_at"}
    assert {k: v for k, v in fast.to_dict().items() if k not in unlike} == {
        k: v for k, v in slow.to_dict().items() if k not in unlike
    }


def test_records_are_frozen_and_pickled(ledger: bgledger.Ledger) -> None:
    with ledger.task("x", metadata={"a": 1}) as run:
        run.progress("half")
    task = ledger.get(run)
    with pytest.raises(AttributeError):
        task.label = "y"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(task)) == task and hash(task) == hash(ledger.get(run))
    assert repr(task) == "<Task #1 'x' succeeded (ok)>"
    event = ledger.history(task)[0]
    assert pickle.loads(pickle.dumps(event)) == event
    assert event.to_dict()["type"] == "created" and event.at.tzinfo is timezone.utc
    assert event.to_dict() == ledger.call("history", lookup=1)["events"][0]


def test_lookups(ledger: bgledger.Ledger) -> None:
    task = ledger.create("x", run_id="7", session="s1")
    for lookup in (1, "#1", "run:7", "session:s1", task.id, uuid.UUID(task.id), f"id:{task.id}", task):
        assert ledger.get(lookup) == task
    assert ledger[1] == task and list(ledger) == [task]
    assert ledger.get(99, None) is None
    with pytest.raises(KeyError) as missing:
        ledger.get("nowhere")
    assert missing.value.code == "not_found"  # type: ignore[attr-defined]
    assert "nowhere" in str(missing.value)


def test_list_filters_and_pages(ledger: bgledger.Ledger) -> None:
    for number in range(25):
        ledger.create(f"task {number % 5}", runtime="cron", metadata={"n": number})
    assert [task.metadata["n"] for task in ledger.list(limit=3).tasks] == [24, 23, 22]
    assert [task.metadata["n"] for task in ledger.list(label="task 0").tasks] == [20, 15, 10, 5, 0]
    assert [task.number for task in ledger.list(metadata={"n": 7}).tasks] == [8]
    assert ledger.list(status="running").tasks == ledger.list(status=[Status.LOST, "failed"]).tasks == ()
    assert len(list(ledger.all(limit=10))) == 25
    page = ledger.list(limit=20)
    assert len(ledger.list(limit=20, after=page.next).tasks) == 5
    assert ledger.list(since=datetime.now(timezone.utc) + timedelta(hours=1)).tasks == ()
    assert ledger.list(search="task 3", active=True, limit=1).tasks[0].label == "task 3"


def test_wait_and_watch(ledger: bgledger.Ledger) -> None:
    one, two = ledger.create("one"), ledger.create("two")
    with pytest.raises(TimeoutError) as over:
        ledger.wait(one, two, timeout=0.05)
    assert isinstance(over.value, bgledger.WaitTimedOut) and over.value.pending == (1, 2)
    assert over.value.waited_ms >= 50
    watch = ledger.watch(timeout=0.05)
    begin = watch.seq
    ledger.finish(two)
    assert [task.number for task in ledger.wait(one, two, any=True)] == [1, 2]
    seen = list(watch)
    assert [event.seq for event in seen] == list(range(begin + 1, begin + 1 + len(seen)))
    assert seen[-1].type == "finished" and watch.seq == seen[-1].seq
    assert [event.number for event in ledger.watch(one, after=0, timeout=0)] == [1]


def test_looking_after_it(ledger: bgledger.Ledger) -> None:
    ledger.finish(ledger.create("the first writer sweeps, and nobody again for a minute"))
    late = ledger.create("late", queue_timeout=0, created_at=datetime(2026, 1, 1, tzinfo=timezone.utc))
    (finding,) = ledger.audit().findings
    assert (finding.code, finding.remedy, finding.number) == ("queue_expired", "auto", late.number)
    assert finding.to_dict() == ledger.call("audit")["findings"][0]
    assert ledger.audit(severity="error").findings == ()
    preview = ledger.maintain()
    assert not preview.applied and [change.after for change in preview.changes] == ["timed_out"]
    assert preview.to_dict() == ledger.call("maintenance")
    assert ledger.maintain(apply=True).applied and ledger.maintain(apply=True).changes == ()
    assert ledger.stats().by_status["timed_out"] == 1 and ledger.stats().to_dict() == ledger.call("stats")
    assert ledger.config("durability")["durability"].value == "full"
    assert ledger.config(set={"notify.cron": "done_only"})["notify.cron"].origin == "ledger"
    assert ledger.config(set={"notify.cron": None})["notify.cron"].origin == "default"
    with pytest.raises(bgledger.UnknownKey) as unknown:
        ledger.config("colour")
    assert "durability" in unknown.value.expected
    assert ledger.doctor().healthy and ledger.verify().ok
    assert ledger.settle(ledger.create("x"), "lost", by="me", why="gone").reason == "reported"
    tree = ledger.create("top")
    below = ledger.create("below", parent=tree)
    reply = ledger.cancel(tree, why="enough")
    assert reply.cancel == "cancelled" and reply.descendants == {below.number: "cancelled"}
    with pytest.raises(bgledger.AncestorCancelled) as ancestor:
        ledger.create("late child", parent=tree)
    assert ancestor.value.ancestor == tree.number


# ---- errors ----------------------------------------------------------------------------------------------------


def test_each_error_is_of_its_class_and_says_its_fields(ledger: bgledger.Ledger) -> None:
    ledger.create("a", run_id="r", runtime="cron")
    ledger.create("b", run_id="r", runtime="cli")
    with pytest.raises(bgledger.Ambiguous) as ambiguous:
        ledger.finish("r")
    assert [each.number for each in ambiguous.value.candidates] == [2, 1]
    assert ambiguous.value.candidates[0].status is Status.QUEUED
    assert ambiguous.value.hint is not None and isinstance(ambiguous.value, bgledger.Refused)
    with pytest.raises(bgledger.ExistsWithDifferent) as different:
        ledger.create("c", run_id="r", runtime="cron")
    assert different.value.fields == ("label",) and different.value.number == 1
    ledger.finish(1)
    with pytest.raises(bgledger.AlreadyEnded) as ended:
        ledger.finish(1, "failed")
    assert ended.value.recorded_status is Status.SUCCEEDED and isinstance(ended.value.ended_at, datetime)
    again = pickle.loads(pickle.dumps(ended.value))
    assert (type(again), again.ended_at, str(again)) == (bgledger.AlreadyEnded, ended.value.ended_at, str(ended.value))
    old = ledger.create("d", start=True, executor="external")
    ledger.settle(old, "lost")
    ledger.start(old, executor="external")
    with pytest.raises(bgledger.Fenced) as fenced:
        ledger.heartbeat(old, attempt=1)
    assert (fenced.value.given, fenced.value.attempt, fenced.value.executor) == (1, 2, None)


def test_built_in_classes_catch_ours(folder: Path, ledger: bgledger.Ledger) -> None:
    with pytest.raises(ValueError):
        ledger.create("")
    with pytest.raises(TypeError):
        ledger.create(7)  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        bgledger.open(folder / "none.db").get(1)
    with pytest.raises(TimeoutError):
        ledger.wait(ledger.create("x"), timeout=0)
    with pytest.raises(OSError) as bad:
        (folder / "text.db").write_text("not a ledger, for certain " * 100)
        bgledger.open(folder / "text.db").stats()
    assert isinstance(bad.value, bgledger.NotALedger) and bad.value.code == "not_a_ledger"


def test_errors_cover_every_code() -> None:
    from bgledger._codes import BY_CODE

    for code, kind in BY_CODE.items():
        assert kind.code == code and issubclass(kind, bgledger.LedgerError)
        assert getattr(bgledger, kind.__name__) is kind and kind.__doc__
    numbers = [kind.number_of_code for kind in BY_CODE.values()]
    assert numbers == sorted(set(numbers)) and min(numbers) == 100


# ---- handles ---------------------------------------------------------------------------------------------------


def test_opening_and_reading_creates_nothing(path: str) -> None:
    with bgledger.open(path) as ledger:
        with pytest.raises(bgledger.NoLedger):
            ledger.stats()
        assert not Path(path).exists()
        ledger.create("x")
        assert Path(path).exists() and ledger.path == path
    with pytest.raises(bgledger.NotAvailable, match="closed"):
        ledger.stats()
    assert ledger.closed and "closed" in repr(ledger)


@pytest.mark.parametrize("how", ["close", "let go"])
def test_closing_lets_other_threads_run(path: str, other: Callable[..., Any], how: str) -> None:
    """The last to let go of a ledger brings its journal into the file, a long one here: other threads go on meanwhile."""
    ledger: bgledger.Ledger | None = bgledger.open(path)
    assert ledger is not None
    ledger.create("first")
    reader = other(
        """
        import sqlite3
        reading = sqlite3.connect(path, isolation_level=None)
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_master").fetchall()
        print("reads")
        sys.stdin.readline()
        """
    )
    assert reader.line() == "reads"
    for number in range(40):
        ledger.create(f"task {number}", task="x" * 1_000_000)
    reader.signal(signal.SIGKILL)
    reader.end()
    turns, is_over = 0, threading.Event()

    def turn() -> None:
        nonlocal turns
        while not is_over.wait(0.0001):
            turns += 1

    turning = threading.Thread(target=turn)
    turning.start()
    while not turns:
        time.sleep(0.01)
    before = turns
    if how == "close":
        ledger.close()
    else:
        ledger = None
    during = turns - before
    is_over.set()
    turning.join()
    assert during >= 5


def test_a_readonly_handle_never_records(path: str) -> None:
    bgledger.open(path).create("x")
    with bgledger.open(path, readonly=True) as reading:
        assert reading.get(1).label == "x"
        with pytest.raises(bgledger.ReadOnly):
            reading.create("y")


def test_an_owner_sees_its_own(path: str) -> None:
    mine, operator = bgledger.open(path, owner="me"), bgledger.open(path)
    hers = operator.create("hers", owner="her")
    task = mine.create("mine")
    assert task.owner == "me" and [each.number for each in mine] == [task.number]
    with pytest.raises(bgledger.NotFound):
        mine.get(hers)
    assert len(list(operator)) == 2


def test_a_pickled_handle_opens_its_path_again(path: str) -> None:
    ledger = bgledger.open(path, owner="me", durability="relaxed")
    ledger.create("x")
    again = pickle.loads(pickle.dumps(ledger))
    assert again.owner == "me" and again.get(1) == ledger.get(1)


def test_where_the_ledger_is_unless_told(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("BGLEDGER_DB", str(folder / "told.db"))
    assert bgledger.open().path == str(folder / "told.db")
    monkeypatch.delenv("BGLEDGER_DB")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    assert bgledger.open().path == str(folder / "bgledger" / "ledger.db")


def test_inside_bgledger_run_its_task_is_the_parent(
    monkeypatch: pytest.MonkeyPatch, ledger: bgledger.Ledger, path: str
) -> None:
    above = ledger.create("run", start=True, executor="external")
    monkeypatch.setenv("BGLEDGER_DB", path)
    monkeypatch.setenv("BGLEDGER_TASK", above.id)
    with ledger.task("inside") as task:
        pass
    assert ledger.get(task).parent == above.id


def test_any_request_may_be_called(ledger: bgledger.Ledger, command: Callable[..., Any]) -> None:
    assert ledger.call({"create": {"label": "x"}})["created"]
    assert ledger.call('{"show": {"lookup": 1}}') == command("show", "1")
    assert ledger.call("show", lookup=1)["task"]["runtime"] == Runtime.SUBAGENT
    with pytest.raises(bgledger.UnknownCommand) as unknown:
        ledger.call("paint")
    assert "create" in unknown.value.expected
    with pytest.raises(bgledger.InvalidValue, match="colour"):
        ledger.call("create", label="x", colour="red")


def test_statuses_are_their_words() -> None:
    queued: str = Status.QUEUED
    assert queued == "queued" and str(Status.QUEUED) == "queued" and f"{Status.QUEUED}" == "queued"
    assert Status("lost") is Status.LOST and not Status.LOST.is_final and not Status.LOST.is_active
    assert json.dumps({"status": Status.FAILED}) == '{"status": "failed"}'
    assert Status.RUNNING.is_active and Status.TIMED_OUT.is_final


def test_a_ledger_is_copied_saved_and_of_this_format(ledger: bgledger.Ledger, tmp_path: Path) -> None:
    ledger.create("kept")
    copy = ledger.backup(tmp_path / "copy.db")
    assert (copy.tasks, copy.events, copy.last_seq) == (1, 1, 1)
    with pytest.raises(bgledger.FileExists) as caught:
        ledger.backup(tmp_path / "copy.db")
    assert caught.value.code == "file_exists"
    ledger.backup(tmp_path / "copy.db", replace=True)
    with bgledger.open(tmp_path / "copy.db", readonly=True) as other:
        assert other.get(1).label == "kept"
    saved = ledger.recover(tmp_path / "saved")
    assert saved.complete and saved.from_ == ledger.path
    assert saved.tasks == {"found": 1, "recovered": 1, "lost": 0, "unknown": False}
    assert ledger.migrate(dry_run=True) == bgledger.MigrateReport(1, 1, False, None)
    assert ledger.doctor(quick=True).healthy


def test_a_task_is_the_same_whatever_is_asked_of_it_first(ledger: bgledger.Ledger) -> None:
    number = ledger.create("fetch the report", run_id="r", metadata={"pages": 3}).number
    first = ledger.get(number)
    ways: list[Callable[[bgledger.Task], bgledger.Task]] = [
        copy.copy,
        copy.deepcopy,
        lambda task: pickle.loads(pickle.dumps(task)),
        dataclasses.replace,
        lambda task: bgledger.Task.from_dict(task.to_dict()),
        lambda task: task,
    ]
    for way in ways:
        assert way(ledger.get(number)) == first
    assert hash(ledger.get(number)) == hash(first) and repr(ledger.get(number)) == repr(first)
    again = ledger.create("fetch the report", run_id="r", metadata={"pages": 3})
    assert again.created is False and again == first and ledger.get(number).created is None
    with pytest.raises(AttributeError, match="no attribute 'numbr'"):
        getattr(ledger.get(number), "numbr")
    shared, labels = ledger.get(number), set()
    threads = [threading.Thread(target=lambda: labels.add(shared.label)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert labels == {"fetch the report"}
