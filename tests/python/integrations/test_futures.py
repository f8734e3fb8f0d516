"""concurrent.futures: what is submitted is recorded, and the pool works as before."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from multiprocessing import get_context

import bgledger
import pytest
from bgledger.integrations import futures

from .conftest import Records


def double(value: int) -> int:
    return 2 * value


def divide() -> float:
    return 1 / 0


def die() -> None:
    os._exit(3)


def test_each_call_is_a_task_that_ends_as_the_call_does(ledger: bgledger.Ledger, records: Records) -> None:
    with ThreadPoolExecutor(2) as pool:
        installed = futures.install(ledger, pool)
        assert pool.submit(double, 4).result() == 8
        with pytest.raises(ZeroDivisionError):
            pool.submit(divide).result()
        assert installed.flush()
    told = records()
    assert (told["double"].status, told["double"].runtime, told["double"].kind) == ("succeeded", "futures", "function")
    assert told["double"].executor is not None and told["double"].executor.pid == os.getpid()
    failed = told["divide"]
    assert failed.status == "failed" and failed.error is not None
    assert (failed.error.type, failed.error.message) == ("ZeroDivisionError", "division by zero")
    assert failed.error.detail is not None and "in divide" in failed.error.detail


def test_map_and_a_cancelled_future(ledger: bgledger.Ledger, records: Records) -> None:
    begun, over = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        over.wait(30)

    with ThreadPoolExecutor(1) as pool:
        installed = futures.install(ledger, pool)
        first = pool.submit(hold)
        begun.wait(30)
        waiting = pool.submit(divide)
        assert installed.flush()
        held, queued = ledger.list().tasks[::-1]
        assert (held.status, queued.status) == ("running", "queued")
        assert waiting.cancel()
        over.set()
        first.result()
        assert list(pool.map(double, [3])) == [6]
        assert installed.flush()
    assert [task.status for task in ledger.all()] == ["succeeded", "cancelled", "succeeded"]


def test_a_task_inside_is_below_it_and_so_is_what_it_begins(ledger: bgledger.Ledger, records: Records) -> None:
    def work() -> int:
        run = bgledger.current()
        assert run is not None
        run.progress("half", current=1, total=2)
        with ledger.task("inside"):
            return run.number

    with ledger.task("around") as around, ThreadPoolExecutor(1) as pool, futures.install(ledger, pool):
        number = pool.submit(work).result()
    told = records()
    run = ledger.get(number)
    assert told["inside"].parent == run.id and run.parent == around.id
    assert run.progress is not None and run.progress.text == "half"


def test_a_pool_of_processes_is_recorded_from_here(ledger: bgledger.Ledger, records: Records) -> None:
    done: list[Future[object]] = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        installed = futures.install(ledger, pool)
        assert pool.submit(double, 4).result() == 8
        with pytest.raises(ZeroDivisionError):
            pool.submit(divide).result()
        with pytest.raises(Exception, match="terminated abruptly"):
            pool.submit(die).result()
        wait(done)
    assert installed.flush()
    told = records()
    assert (told["double"].status, told["divide"].status, told["die"].status) == ("succeeded", "failed", "failed")
    assert told["die"].error is not None and told["die"].error.type is not None
    assert told["die"].error.type.endswith("BrokenProcessPool")


def test_every_pool_of_threads_until_it_is_turned_off(ledger: bgledger.Ledger, records: Records) -> None:
    submit = ThreadPoolExecutor.submit
    with futures.install(ledger), ThreadPoolExecutor(1) as pool:
        assert pool.submit(double, 1).result() == 2
    assert ThreadPoolExecutor.submit is submit
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(divide).exception() is not None
    assert list(records()) == ["double"]


def test_the_host_finishes_while_the_ledger_is_locked(
    ledger: bgledger.Ledger, records: Records, release: Callable[[], None]
) -> None:
    with ThreadPoolExecutor(2) as pool:
        installed = futures.install(ledger, pool)
        assert pool.submit(double, 4).result() == 8
    assert not installed.flush(0)
    assert list(records()) == ["before"]
    release()
    assert installed.flush()
    assert records()["double"].status == "succeeded"


def test_an_unusable_ledger_is_logged_once_and_the_host_goes_on(
    unusable: bgledger.Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    with ThreadPoolExecutor(2) as pool:
        installed = futures.install(unusable, pool)
        assert list(pool.map(double, range(20))) == list(range(0, 40, 2))
    installed.flush()
    assert len([each for each in caplog.records if each.name == "bgledger"]) == 1
