"""What cannot be is refused by name, and nothing is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import bgledger
import pytest
from bgledger import InvalidType, InvalidValue, TooLarge

LONE = "a \ud800 surrogate"
NAIVE = datetime(2026, 1, 1)
L = bgledger.Ledger
Attempt = Callable[[L], Any]


def _enter(ledger: L, label: Any = "x", **options: Any) -> None:
    with ledger.task(label, **options):
        raise AssertionError("the block was entered")


# What is tried on a ledger with one running task, the argument that the error names, and its class.
CASES: dict[str, tuple[Attempt, str, type[Exception]]] = {
    "label of a wrong type": (lambda ledger: ledger.create(7), "label", InvalidType),  # type: ignore[arg-type]
    "label of bytes": (lambda ledger: ledger.create(b"x"), "label", InvalidType),  # type: ignore[arg-type]
    "empty label": (lambda ledger: ledger.create(""), "label", InvalidValue),
    "label with a surrogate": (lambda ledger: ledger.create(LONE), "label", InvalidValue),
    "task's label with a surrogate": (lambda ledger: _enter(ledger, LONE), "label", InvalidValue),
    "task's label of a wrong type": (lambda ledger: _enter(ledger, None), "label", InvalidType),
    "long label": (lambda ledger: ledger.create("x" * 10_000), "label", TooLarge),
    "label with NUL": (lambda ledger: ledger.create("a\0b"), "label", InvalidValue),
    "text of a wrong type": (lambda ledger: ledger.create("x", task=3), "task", InvalidType),  # type: ignore[arg-type]
    "run id with a surrogate": (lambda ledger: ledger.create("x", run_id=LONE), "run_id", InvalidValue),
    "runtime in capitals": (lambda ledger: ledger.create("x", runtime="Cron"), "runtime", InvalidValue),
    "unknown policy": (lambda ledger: ledger.create("x", notify="loud"), "notify", InvalidValue),
    "negative timeout": (lambda ledger: ledger.create("x", timeout=-1), "timeout", InvalidValue),
    "timeout that is not a number": (lambda ledger: ledger.create("x", timeout=math.nan), "timeout", InvalidValue),
    "endless timeout": (lambda ledger: _enter(ledger, timeout=math.inf), "timeout", InvalidValue),
    "huge timeout": (lambda ledger: ledger.create("x", timeout=10**30), "timeout", InvalidValue),
    "very huge timeout": (lambda ledger: ledger.create("x", timeout=10**400), "timeout", InvalidValue),
    "timeout beyond all numbers": (lambda ledger: _enter(ledger, timeout=1e308), "timeout", InvalidValue),
    "timeout below all numbers": (lambda ledger: ledger.create("x", timeout=-1e308), "timeout", InvalidValue),
    "timeout in words": (lambda ledger: ledger.create("x", timeout="soon"), "timeout", InvalidValue),
    "timeout of a wrong type": (lambda ledger: _enter(ledger, timeout=[1]), "timeout", InvalidType),
    "boolean lease": (lambda ledger: _enter(ledger, lease=True), "lease", InvalidType),
    "lease of a negative timedelta": (lambda ledger: _enter(ledger, lease=timedelta(-1)), "lease", InvalidValue),
    "naive time": (lambda ledger: ledger.create("x", created_at=NAIVE), "created_at", InvalidValue),
    "time as a text": (lambda ledger: ledger.create("x", created_at="now"), "created_at", InvalidType),  # type: ignore[arg-type]
    "time before 1970": (
        lambda ledger: ledger.create("x", created_at=datetime(1960, 1, 1, tzinfo=timezone.utc)),
        "created_at",
        InvalidValue,
    ),
    "time in the future": (
        lambda ledger: ledger.create("x", created_at=datetime.now(timezone.utc) + timedelta(days=9)),
        "created_at",
        bgledger.FutureTime,
    ),
    "the last time there is": (
        lambda ledger: ledger.create("x", created_at=datetime.max.replace(tzinfo=timezone(-timedelta(hours=20)))),
        "created_at",
        bgledger.Invalid,
    ),
    "the first time there is": (
        lambda ledger: ledger.create("x", created_at=datetime.min.replace(tzinfo=timezone(timedelta(hours=20)))),
        "created_at",
        InvalidValue,
    ),
    "naive filter": (lambda ledger: ledger.list(since=NAIVE), "since", InvalidValue),
    "nested metadata": (lambda ledger: ledger.create("x", metadata={"a": [1]}), "metadata.a", InvalidType),  # type: ignore[dict-item]
    "metadata that is no mapping": (lambda ledger: _enter(ledger, metadata=[1]), "metadata", InvalidType),
    "metadata with a key that is none": (lambda ledger: ledger.create("x", metadata={1: 2}), "metadata", InvalidType),  # type: ignore[dict-item]
    "metadata not a number": (lambda ledger: ledger.create("x", metadata={"a": math.nan}), "metadata.a", InvalidValue),
    "metadata with a surrogate": (lambda ledger: _enter(ledger, metadata={"a": LONE}), "metadata.a", InvalidValue),
    "status that is none": (lambda ledger: ledger.finish(1, "done"), "status", InvalidValue),
    "status of a wrong type": (lambda ledger: ledger.finish(1, 3), "status", InvalidType),  # type: ignore[arg-type]
    "status that is no end": (lambda ledger: ledger.finish(1, "running"), "status", InvalidValue),
    "result not a number": (lambda ledger: ledger.finish(1, result=math.nan), "result", InvalidValue),
    "result deep inside not a number": (
        lambda ledger: ledger.finish(1, result={"a": [math.inf]}),
        "result",
        InvalidValue,
    ),
    "result that is not JSON": (lambda ledger: ledger.finish(1, result=object()), "result", InvalidType),
    "result with a surrogate": (lambda ledger: ledger.finish(1, result=[LONE]), "result", InvalidValue),
    "result with itself inside": (lambda ledger: ledger.finish(1, result=_circle()), "result", InvalidValue),
    "result that nests deeply": (lambda ledger: ledger.finish(1, result=_deep(100)), "result", TooLarge),
    "result that nests very deeply": (lambda ledger: ledger.finish(1, result=_deep(100_000)), "result", InvalidValue),
    "large result": (lambda ledger: ledger.finish(1, result="x" * 2_000_000), "result", TooLarge),
    "outcome of a failure": (lambda ledger: ledger.finish(1, "failed", outcome="ok"), "outcome", InvalidValue),
    "huge exit code": (lambda ledger: ledger.finish(1, "failed", exit_code=2**40), "exit_code", InvalidValue),
    "error of a wrong type": (lambda ledger: ledger.finish(1, "failed", error=3), "error", InvalidType),  # type: ignore[arg-type]
    "unknown field of an error": (
        lambda ledger: ledger.finish(1, "failed", error={"colour": "red"}),
        "error.colour",
        InvalidValue,
    ),
    "huge count": (lambda ledger: ledger.progress(1, current=2**63), "current", InvalidValue),
    "very huge count": (lambda ledger: ledger.progress(1, current=2**200), "current", InvalidValue),
    "negative count": (lambda ledger: ledger.progress(1, total=-1), "total", InvalidValue),
    "count of a wrong type": (lambda ledger: ledger.progress(1, total=1.5), "total", InvalidType),  # type: ignore[arg-type]
    "boolean count": (lambda ledger: ledger.progress(1, current=True), "current", InvalidType),
    "more than all": (lambda ledger: ledger.progress(1, current=2, total=1), "current", InvalidValue),
    "text of a list": (lambda ledger: ledger.progress(1, ["x"]), "text", InvalidType),  # type: ignore[arg-type]
    "waiting for a list": (lambda ledger: ledger.progress(1, waiting_on=[1]), "waiting_on", InvalidType),  # type: ignore[arg-type]
    "usage of a wrong type": (lambda ledger: ledger.progress(1, usage=3), "usage", InvalidType),  # type: ignore[arg-type]
    "artifact of a wrong type": (lambda ledger: ledger.progress(1, artifacts={"a": 3}), "artifacts.a", InvalidType),  # type: ignore[dict-item]
    "field to fill that is none": (lambda ledger: ledger.start(1, fill={"colour": "red"}), "colour", InvalidValue),
    "lookup of a wrong type": (lambda ledger: ledger.get(1.5), "lookup", InvalidType),  # type: ignore[call-overload]
    "boolean lookup": (lambda ledger: ledger.get(True), "lookup", InvalidType),
    "negative lookup": (lambda ledger: ledger.get(-1), "lookup", InvalidValue),
    "huge lookup": (lambda ledger: ledger.get(2**70), "lookup", InvalidValue),
    "lookup with a surrogate": (lambda ledger: ledger.cancel(LONE), "lookup", InvalidValue),
    "negative attempt": (lambda ledger: ledger.progress(1, attempt=-1), "attempt", InvalidValue),
    "negative attempt of a heartbeat": (lambda ledger: ledger.heartbeat(1, attempt=-1), "attempt", InvalidValue),
    "negative attempt of an end": (lambda ledger: ledger.finish(1, attempt=-1), "attempt", InvalidValue),
    "negative attempt of a failure": (lambda ledger: ledger.finish(1, "failed", attempt=-1), "attempt", InvalidValue),
    "huge attempt": (lambda ledger: ledger.heartbeat(1, attempt=2**32), "attempt", InvalidValue),
    "nonce of a wrong type": (lambda ledger: ledger.progress(1, nonce=3), "nonce", InvalidType),  # type: ignore[arg-type]
    "nonce of a heartbeat": (lambda ledger: ledger.heartbeat(1, nonce=3), "nonce", InvalidType),  # type: ignore[arg-type]
    "nonce of an end": (lambda ledger: ledger.finish(1, nonce=3), "nonce", InvalidType),  # type: ignore[arg-type]
    "nonce with a surrogate": (lambda ledger: ledger.progress(1, nonce=LONE), "nonce", InvalidValue),
    "nonce of a heartbeat with a surrogate": (lambda ledger: ledger.heartbeat(1, nonce=LONE), "nonce", InvalidValue),
    "nonce of an end with a surrogate": (lambda ledger: ledger.finish(1, nonce=LONE), "nonce", InvalidValue),
    "state of a wrong type": (lambda ledger: ledger.notices(state=3), "state", InvalidType),  # type: ignore[arg-type]
    "state that is none": (lambda ledger: ledger.notices(state=["gone"]), "state", InvalidValue),
    "status filter of a wrong type": (lambda ledger: ledger.list(status=3), "status", InvalidType),  # type: ignore[arg-type]
    "lease of nothing that starts": (lambda ledger: ledger.create("x", lease=60), "lease", InvalidValue),
    "the same with metadata": (lambda ledger: ledger.create("x", lease=60, metadata={"a": 1}), "lease", InvalidValue),
    "executor of nothing that starts": (lambda ledger: ledger.create("x", executor="external"), "executor", InvalidValue),
    "start time of nothing that starts": (
        lambda ledger: ledger.create("x", started_at=datetime.now(timezone.utc)),
        "started_at",
        InvalidValue,
    ),
    "exit code of nothing that ended": (lambda ledger: ledger.create("x", exit_code=1), "status", InvalidValue),
    "pid that is none": (
        lambda ledger: ledger.create("x", start=True, executor=bgledger.Process(-1)),
        "executor.pid",
        InvalidValue,
    ),
    "group of a wrong type": (
        lambda ledger: ledger.create("x", start=True, executor=bgledger.Process(1, "all")),  # type: ignore[arg-type]
        "executor.group",
        InvalidType,
    ),
    "callback that is none": (lambda ledger: _enter(ledger, on_cancel=3), "on_cancel", InvalidType),
    "record_result that is none": (lambda ledger: ledger.track("x", record_result="no"), "record_result", InvalidType),  # type: ignore[call-overload]
    "limit of nothing": (lambda ledger: ledger.list(limit=0), "limit", InvalidValue),
    "filter of a wrong type": (lambda ledger: ledger.list(active=1), "active", InvalidType),  # type: ignore[arg-type]
    "status filter that is none": (lambda ledger: ledger.list(status=["done"]), "status", InvalidValue),
    "waiting for nothing": (lambda ledger: ledger.wait(), "lookups", InvalidValue),
    "owner of a wrong type": (lambda ledger: bgledger.open(ledger.path, owner=3), "owner", InvalidType),  # type: ignore[arg-type]
    "durability that is none": (lambda ledger: bgledger.open(ledger.path, durability="none"), "durability", InvalidValue),
    "path of a wrong type": (lambda ledger: bgledger.open(3), "path", InvalidType),  # type: ignore[arg-type]
    "path with a surrogate": (lambda ledger: bgledger.open("/tmp/\ud800"), "path", InvalidValue),
    "path with NUL": (lambda ledger: bgledger.open("a\0b"), "path", InvalidValue),
    "heartbeat that is none": (lambda ledger: _enter(ledger, heartbeat="heart"), "heartbeat", InvalidValue),
    "executor of a wrong type": (
        lambda ledger: ledger.create("x", start=True, executor=1.5),  # type: ignore[arg-type]
        "executor",
        InvalidType,
    ),
    "key that is none": (lambda ledger: ledger.config(set={"durability": "none"}), "durability", InvalidValue),
    "unknown keyword of create": (lambda ledger: ledger.create("x", colour="red"), "colour", TypeError),  # type: ignore[call-arg]
    "unknown keyword of task": (lambda ledger: _enter(ledger, colour="red"), "colour", TypeError),
    "unknown keyword of finish": (lambda ledger: ledger.finish(1, colour="red"), "colour", TypeError),  # type: ignore[call-arg]
    "unknown keyword of open": (lambda ledger: bgledger.open(ledger.path, colour="red"), "colour", TypeError),  # type: ignore[call-arg]
}


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def _deep(levels: int) -> list[Any]:
    deep: list[Any] = []
    for _ in range(levels):
        deep = [deep]
    return deep


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bgledger.Ledger]:
    with bgledger.open(tmp_path_factory.mktemp("bad") / "ledger.db", durability="relaxed") as ledger:
        ledger.create("running", start=True, executor="external")
        yield ledger


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_by_name_and_nothing_is_written(shared: bgledger.Ledger, case: str) -> None:
    attempt, named, kind = CASES[case]
    before = shared.get(1), shared.stats()
    with pytest.raises(kind) as refused:
        attempt(shared)
    assert named in str(refused.value)
    if isinstance(refused.value, bgledger.LedgerError):
        assert named in refused.value.field  # type: ignore[attr-defined]
        assert isinstance(refused.value, ValueError)
    else:
        assert kind is TypeError
    assert len(str(refused.value)) < 500
    assert (shared.get(1), shared.stats()) == before


def test_a_result_that_cannot_be_fails_the_task_where_it_is_set(ledger: bgledger.Ledger) -> None:
    with pytest.raises(InvalidValue, match="result"):
        with ledger.task("x") as task:
            task.result = {"a": math.nan}
    ended = ledger.get(task)
    assert ended.status == "failed" and ended.error is not None and ended.error.type == "bgledger._codes.InvalidValue"
