"""Looking after a ledger: what is wrong, who knows of it, what a runtime says of its work, whether anything runs."""

from __future__ import annotations

import asyncio
import pickle
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import bgledger
import bgledger.aio
import pytest
from bgledger import FindingCode, Status
from conftest import Other, until

Start = Callable[..., Other]

LONG_AGO = datetime(2026, 1, 1, tzinfo=timezone.utc)

WORK = """
flow = sys.argv[2] if len(sys.argv) > 2 else None
with bgledger.open(path).task("work", runtime="cron", lease=False, flow=flow) as task:
    print(task.number)
    sys.stdin.readline()
"""


def finish(work: Other) -> None:
    """Has it end its work."""
    assert work.process.stdin is not None
    work.process.stdin.write("\n")
    work.process.stdin.flush()


def kill(work: Other) -> None:
    """Has it die without a word."""
    work.signal(signal.SIGKILL)
    assert work.process.wait(60) == -signal.SIGKILL


# ---- what is wrong, and who knows of it ------------------------------------------------------------------------


def test_findings_are_told_by_cause_too(ledger: bgledger.Ledger) -> None:
    for number in range(3):
        ledger.create(f"old {number}", created_at=LONG_AGO)
    report = ledger.audit(limit=1)
    (finding,) = report.findings
    assert (finding.code, finding.subject, finding.count, finding.flow) == ("stale_queued", "#1", 1, None)
    (cause,) = report.causes
    assert (cause.code, cause.severity, cause.remedy, cause.count) == ("stale_queued", "warning", "command", 3)
    assert cause.since == finding.since and "queued for long" in cause.meaning
    assert report.summary["total"] == 3 and report.summary["acknowledged"] == 0
    told = ledger.call("audit", limit=1)
    told["findings"][0]["message"] = finding.message  # it says for how long
    assert report.to_dict() == told
    assert bgledger.AuditReport.from_dict(report.to_dict()) == report == pickle.loads(pickle.dumps(report))


def test_what_is_acknowledged_is_told_again_after_a_date(ledger: bgledger.Ledger) -> None:
    task = ledger.create("old", created_at=LONG_AGO)
    code = FindingCode.STALE_QUEUED
    day = datetime.now(timezone.utc) + timedelta(days=1)
    told = ledger.acknowledge(code, task, until=day, by="anna", note="waits for the key")
    known = told.acknowledged
    assert told.changed and known is not None and abs(known.until - day) < timedelta(milliseconds=1)
    assert (known.by, known.note) == ("anna", "waits for the key")
    assert not ledger.acknowledge(code, "#1", until=known.until, by="anna", note="waits for the key").changed
    report = ledger.audit()
    assert (report.findings, report.causes, report.summary["acknowledged"]) == ((), (), 1)
    (finding,) = ledger.audit(acknowledged=True).findings
    assert finding.acknowledged == known and bgledger.Finding.from_dict(finding.to_dict()) == finding
    again = ledger.acknowledge(code, task, until=None)
    assert again == bgledger.Acknowledged(True, None) and len(ledger.audit().findings) == 1
    assert told.to_dict()["acknowledged"]["by"] == "anna" and again.to_dict() == {"changed": True, "acknowledged": None}


def test_a_subject_is_a_task_a_number_a_flow_or_what_the_finding_says(ledger: bgledger.Ledger) -> None:
    with ledger.task("runs") as run:
        task = ledger.get(run)
        for subject in (task, run, task.number, str(task.number), f"#{task.number}"):
            told = ledger.acknowledge("no_progress", subject, until="1h")
            assert told.acknowledged is not None
            ledger.acknowledge("no_progress", f"#{task.number}", until=None)
            assert ledger.acknowledge("no_progress", subject, until=None) == bgledger.Acknowledged(False, None)
    ledger.config(set={"audit.flow_idle": "0s"})
    flow = ledger.flow_create("g", controller="c", running=True)
    finding = until(lambda: ledger.audit(code="flow_idle").findings)[0]
    assert (finding.subject, finding.flow, finding.label, finding.number) == ("F1", 1, "g", None)
    for each in (flow, "F1", finding.subject):
        assert ledger.acknowledge(finding.code, each, until=timedelta(hours=1)).changed
        assert ledger.audit(code="flow_idle").findings == ()
        ledger.acknowledge(finding.code, "F1", until=None)
    assert ledger.acknowledge("wal_large", "ledger", until=3600).changed


def test_how_long_it_is_known_is_counted_from_now(ledger: bgledger.Ledger) -> None:
    ledger.create("x")
    spans: tuple[Any, ...] = ("2h", 7200, timedelta(hours=2))
    for span in spans:
        began = datetime.now(timezone.utc)
        known = ledger.acknowledge("lost", 1, until=span).acknowledged
        assert known is not None
        assert -timedelta(seconds=1) < known.until - began - timedelta(hours=2) < timedelta(seconds=20)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"code": 7}, "code"),
        ({"code": "stale"}, "acknowledge.code"),
        ({"subject": None}, "subject"),
        ({"subject": True}, "subject"),
        ({"subject": "x" * 5000}, "acknowledge.subject"),
        ({"until": "some day"}, "until"),
        ({"until": datetime(2027, 1, 1)}, "until"),
        ({"until": [1]}, "until"),
        ({"by": 7}, "by"),
        ({"note": b"x"}, "note"),
    ],
)
def test_what_cannot_be_acknowledged(ledger: bgledger.Ledger, given: Mapping[str, Any], field: str) -> None:
    ledger.create("x")
    arguments = {"code": "lost", "subject": 1, "until": "1h", **given}
    with pytest.raises(bgledger.Invalid) as wrong:
        ledger.acknowledge(**arguments)
    assert wrong.value.body["field"] == field
    with pytest.raises(TypeError):
        ledger.acknowledge("lost", 1)  # type: ignore[call-arg]


def test_a_deep_audit_finds_what_was_written_by_hand(ledger: bgledger.Ledger, path: str) -> None:
    ledger.create("true", status="failed")
    assert ledger.audit(deep=True).findings == ()
    with sqlite3.connect(path) as hand:
        hand.execute("UPDATE task SET status = ?", (3,))
    hand.close()
    assert ledger.audit().findings == ()
    (finding,) = ledger.audit(deep=True).findings
    assert (finding.code, finding.severity, finding.number) == ("row_differs", "error", 1)


def test_maintenance_ends_flows_and_prunes(ledger: bgledger.Ledger, other: Start) -> None:
    ledger.finish(ledger.create("the first writer sweeps, and nobody again for a minute"))
    flow = ledger.flow_create("g", controller="c")
    work = other(WORK, flow.id)
    number = int(work.line())
    assert ledger.flow_cancel(flow).cancel == "requested"
    kill(work)
    ledger.config(set={"retention.subagent": "0s"})
    preview = ledger.maintain()
    assert not preview.applied and not preview.pruned.applied and preview.pruned.tasks == 1
    (change,) = preview.changes
    assert (change.number, change.before, change.after) == (number, Status.RUNNING, Status.CANCELLED)
    (end,) = preview.flows
    assert (end.code, end.flow, end.id, end.goal) == ("flow_cancel_stuck", 1, flow.id, "g")
    assert (end.before, end.after) == (bgledger.FlowStatus.QUEUED, bgledger.FlowStatus.CANCELLED)
    assert preview.to_dict() == ledger.call("maintenance") and preview.to_dict()["flows"][0]["to"] == "cancelled"
    assert bgledger.MaintenanceReport.from_dict(preview.to_dict()) == preview == pickle.loads(pickle.dumps(preview))
    done = ledger.maintain(apply=True)
    assert done.applied and done.pruned.tasks == 1 and done.flows == preview.flows
    assert [each.number for each in done.changes] == [number]
    assert ledger.flow_show(flow).status == "cancelled" and ledger.get(number).status == "cancelled"
    again = ledger.maintain(apply=True)
    assert (again.changes, again.flows, again.pruned.tasks) == ((), (), 0)


# ---- a runtime's own word --------------------------------------------------------------------------------------


def jobs(ledger: bgledger.Ledger, count: int) -> list[bgledger.Task]:
    """Running tasks of which nothing can be seen."""
    return [
        ledger.create(f"job {number}", runtime="cron", run_id=f"r{number}", start=True, executor="external")
        for number in range(1, count + 1)
    ]


def test_a_runtimes_own_word_is_followed(ledger: bgledger.Ledger) -> None:
    one, two, three, four = jobs(ledger, 4)
    queued = ledger.create("job 5", runtime="cron", run_id="r5")
    elsewhere = ledger.create("another's", start=True, executor="external")
    ended_at = datetime.now(timezone.utc)
    said: dict[str, Any] = {
        "owned": [one, "r5"],
        "ended": {
            two.number: "succeeded",
            three: {"status": Status.FAILED, "error": "no route", "result": [1], "ended_at": ended_at},
            "nowhere": "failed",
            elsewhere: "failed",
        },
        "complete": True,
        "by": "the cron daemon",
    }
    preview = ledger.reconcile("cron", **said)
    assert not preview.applied and ledger.get(two).status == "running"
    assert [(each.action, each.number, each.before, each.after) for each in preview.actions] == [
        ("settle", two.number, Status.RUNNING, Status.SUCCEEDED),
        ("settle", three.number, Status.RUNNING, Status.FAILED),
        ("lose", four.number, Status.RUNNING, Status.LOST),
        ("adopt", queued.number, Status.QUEUED, Status.RUNNING),
    ]
    assert preview.actions[0].label == "job 2" and preview.actions[0].id == two.id
    assert preview.unknown == ("nowhere", f"id:{elsewhere.id}") and preview.unchanged == 1
    done = ledger.reconcile("cron", apply=True, **said)
    assert done.applied and done.actions == preview.actions
    failed = ledger.get(three)
    assert failed.error == bgledger.Failure(message="no route") and failed.result == [1]
    assert failed.ended_at is not None and abs(failed.ended_at - ended_at) < timedelta(milliseconds=1)
    assert ledger.get(four).reason == "unknown_to_its_runtime" and ledger.get(elsewhere).status == "running"
    assert ledger.history(two)[-1].data["by"] == "the cron daemon"
    again = ledger.reconcile("cron", apply=True, **said)
    assert (again.actions, again.unchanged) == ((), 4)
    back = ledger.reconcile("cron", owned=(each for each in [four]), apply=True)
    assert [(each.action, each.after) for each in back.actions] == [("recover", "running")]
    assert bgledger.Reconciled.from_dict(done.to_dict()) == done == pickle.loads(pickle.dumps(done))
    assert done.to_dict()["actions"][0]["from"] == "running"
    assert ledger.verify().ok


def test_what_started_since_the_runtime_looked_is_left_alone(ledger: bgledger.Ledger) -> None:
    before = datetime.now(timezone.utc) - timedelta(seconds=5)
    jobs(ledger, 1)
    assert ledger.reconcile("cron", complete=True, as_of=before).actions == ()
    assert len(ledger.reconcile("cron", complete=True).actions) == 1
    assert ledger.reconcile("cron").actions == ()


def test_a_living_process_is_not_taken_for_lost(ledger: bgledger.Ledger, other: Start) -> None:
    work = other(WORK)
    number = int(work.line())
    assert ledger.reconcile("cron", complete=True, apply=True).actions == ()
    kill(work)
    (action,) = ledger.reconcile("cron", complete=True, apply=True).actions
    assert (action.action, action.number) == ("lose", number)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"runtime": "Cron"}, "reconcile.runtime"),
        ({"owned": "r1"}, "owned"),
        ({"owned": 7}, "owned"),
        ({"owned": [1.5]}, "owned"),
        ({"ended": [("r1", "failed")]}, "ended"),
        ({"ended": {1.5: "failed"}}, "ended (a task)"),
        ({"ended": {"r1": 7}}, "ended['r1']"),
        ({"ended": {"r1": {"summary": "no status"}}}, "ended['r1'].status"),
        ({"ended": {"r1": {"status": "failed", "colour": "red"}}}, "ended['r1']"),
        ({"ended": {"r1": {"status": "failed", 7: "red"}}}, "ended['r1']"),
        ({"ended": {"r1": {"status": "failed", "exit_code": "1"}}}, "ended['r1'].exit_code"),
        ({"ended": {"r1": {"status": "failed", "result": {1j}}}}, "ended['r1'].result"),
        ({"ended": {"r1": "lost"}}, "reconcile.ended[0].end.status"),
        ({"owned": ["r1"], "ended": {"r1": "failed"}}, "reconcile"),
        ({"complete": 1}, "complete"),
        ({"as_of": datetime(2026, 1, 1)}, "as_of"),
        ({"apply": "yes"}, "apply"),
    ],
)
def test_a_word_that_cannot_be(ledger: bgledger.Ledger, given: Mapping[str, Any], field: str) -> None:
    jobs(ledger, 1)
    with pytest.raises(bgledger.InvalidValue) as wrong:
        ledger.reconcile(**{"runtime": "cron", **given})
    assert wrong.value.field == field
    assert ledger.get("r1").status == "running"


# ---- until nothing runs ----------------------------------------------------------------------------------------


def test_draining_waits_until_another_process_is_done(ledger: bgledger.Ledger, other: Start) -> None:
    ledger.create("queued", runtime="cron")
    assert ledger.drain(timeout="1m") == bgledger.Drained(True, ())
    assert [task.label for task in ledger.drain(queued=True).active] == ["queued"]
    work = other(WORK)
    number = int(work.line())
    looked = ledger.drain()
    assert not looked.drained and [(task.number, task.liveness) for task in looked.active] == [(number, "alive")]
    assert looked.active[0] == ledger.get(number) and bgledger.Drained.from_dict(looked.to_dict()) == looked
    began = time.monotonic()
    assert not ledger.drain(timeout=0.7).drained and time.monotonic() - began >= 0.7
    assert ledger.drain(runtime="acp", timeout="1m").drained
    threading.Timer(0.3, finish, [work]).start()
    began = time.monotonic()
    done = ledger.drain(runtime="cron", timeout="1m")
    assert done.drained and 0.2 < time.monotonic() - began < 20
    assert work.end() == 0 and ledger.get(number).status == "succeeded"


def test_the_dead_hold_nobody_up(ledger: bgledger.Ledger, other: Start) -> None:
    work = other(WORK)
    number = int(work.line())
    assert not ledger.drain().drained
    killer = threading.Timer(0.3, kill, [work])
    killer.start()
    began = time.monotonic()
    assert ledger.drain(timeout="1m").drained and time.monotonic() - began < 20
    killer.join()
    assert ledger.get(number).is_active  # nobody has said so yet


def test_other_threads_run_on_while_one_drains(ledger: bgledger.Ledger) -> None:
    (job,) = jobs(ledger, 1)
    told: list[bgledger.Drained] = []
    waiting = threading.Thread(target=lambda: told.append(ledger.drain(timeout="30s")))
    waiting.start()
    for number in range(20):
        ledger.create(f"meanwhile {number}")
    assert waiting.is_alive()
    ledger.finish(job)
    waiting.join(20)
    assert told and told[0].drained


def test_ctrl_c_ends_a_drain(ledger: bgledger.Ledger, other: Start) -> None:
    jobs(ledger, 1)
    waiting = other("print('waits')\nbgledger.open(path).drain(timeout='10m')")
    waiting.line()
    threading.Event().wait(0.3)
    waiting.signal(signal.SIGINT)
    assert waiting.end() in (-2, 130) and "KeyboardInterrupt" in waiting.errors


def test_what_cannot_be_drained(ledger: bgledger.Ledger) -> None:
    ledger.create("x")
    wrong: dict[str, dict[str, Any]] = {
        "drain.runtime": {"runtime": "Cron"},
        "queued": {"queued": 1},
        "timeout": {"timeout": -1},
    }
    for field, given in wrong.items():
        with pytest.raises(bgledger.InvalidValue) as raised:
            ledger.drain(**given)
        assert raised.value.field == field


# ---- the same for asyncio --------------------------------------------------------------------------------------


def test_the_same_for_asyncio(path: str, ledger: bgledger.Ledger, other: Start) -> None:
    old = ledger.create("old", created_at=LONG_AGO)
    work = other(WORK)
    number = int(work.line())

    async def main() -> None:
        async with bgledger.aio.open(path) as ledger:
            assert (await ledger.acknowledge("stale_queued", old, until="1h")).changed
            assert (await ledger.audit()).findings == ()
            assert len((await ledger.audit(acknowledged=True, deep=True)).findings) == 1
            assert (await ledger.reconcile("cron", owned=[number], ended={old: "failed"})).unchanged == 1
            assert (await ledger.maintain()).pruned.tasks == 0
            looked = await ledger.drain()
            assert [task.number for task in looked.active] == [number]
            assert len((await ledger.drain(queued=True)).active) == 2
            assert not (await ledger.drain(timeout=0.1)).drained
            drains = [asyncio.ensure_future(ledger.drain(runtime="cron", timeout="1m")) for _ in range(20)]
            cancelled = asyncio.ensure_future(ledger.drain(timeout="10m"))
            await asyncio.sleep(0.2)
            began = time.monotonic()
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            # Nobody who waits holds the others up.
            assert (await ledger.get(number)).status == "running" and time.monotonic() - began < 2
            finish(work)
            assert all(told.drained for told in await asyncio.wait_for(asyncio.gather(*drains), 30))

    asyncio.run(main())


def test_the_dead_hold_no_loop_up_either(path: str, ledger: bgledger.Ledger, other: Start) -> None:
    work = other(WORK)
    work.line()

    async def main() -> None:
        async with bgledger.aio.open(path) as ledger:
            waiting = asyncio.ensure_future(ledger.drain(timeout="1m"))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(kill, work)
            assert (await asyncio.wait_for(waiting, 30)).drained

    asyncio.run(main())
