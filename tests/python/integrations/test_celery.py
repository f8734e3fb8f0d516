"""Celery, with real workers: one in a thread, and one that forks its pool."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bgledger
import pytest
from bgledger.integrations import celery as recording

from conftest import until

Celery: Any = importlib.import_module("celery").Celery
start_worker: Any = importlib.import_module("celery.contrib.testing.worker").start_worker
HERE = Path(__file__).parent


def tasks_of(ledger: bgledger.Ledger, label: str) -> list[bgledger.Task]:
    return [task for task in reversed(list(ledger.all())) if task.label.endswith(label)]


def ended(ledger: bgledger.Ledger, label: str, count: int = 1) -> list[bgledger.Task]:
    """The tasks of a name, once so many have ended."""

    def look() -> list[bgledger.Task] | None:
        tasks = tasks_of(ledger, label)
        return tasks if len(tasks) >= count and not any(task.is_active for task in tasks) else None

    told: list[bgledger.Task] = until(look, 180)
    assert len(told) == count, told
    return told


class TestThread:
    """The worker is a thread of this process, and the broker is its memory."""

    @pytest.fixture
    def app(self) -> Any:
        app = Celery("app", broker="memory://", backend="cache+memory://")
        app.conf.broker_transport_options = {"polling_interval": 0.02}
        app.conf.worker_hijack_root_logger = False

        @app.task(name="add", shared=False)
        def add(a: int, b: int) -> int:
            return a + b

        @app.task(name="fail", shared=False)
        def fail() -> None:
            raise ConnectionError("no line")

        return app

    @pytest.fixture
    def installed(self, ledger: bgledger.Ledger, app: Any) -> Iterator[bgledger.integrations.Installation]:
        with recording.install(ledger) as installation:
            yield installation

    def test_queued_then_succeeded(self, ledger: bgledger.Ledger, app: Any, installed: Any) -> None:
        with ledger.task("around") as around:
            result = app.tasks["add"].delay(1, 2)
        assert installed.flush()
        queued = ledger.get(result.id)
        assert (queued.status, queued.runtime, queued.kind, queued.label) == ("queued", "celery", "task", "add")
        with start_worker(app, perform_ping_check=False, pool="solo", loglevel="warning"):
            assert result.get(timeout=120) == 3
            (done,) = ended(ledger, "add")
        assert (done.status, done.id, done.parent) == ("succeeded", queued.id, around.id)
        assert [event.type for event in ledger.history(done)] == ["created", "started", "finished"]

    def test_a_failure(self, ledger: bgledger.Ledger, app: Any, installed: Any) -> None:
        with start_worker(app, perform_ping_check=False, pool="solo", loglevel="warning"):
            with pytest.raises(ConnectionError):
                app.tasks["fail"].delay().get(timeout=120)
            (failed,) = ended(ledger, "fail")
        assert failed.status == "failed" and failed.error is not None
        assert (failed.error.type, failed.error.message) == ("ConnectionError", "no line")
        assert failed.error.detail is not None and "raise ConnectionError" in failed.error.detail

    def test_eager(self, ledger: bgledger.Ledger, app: Any, installed: Any) -> None:
        with ledger.task("around") as around:
            assert app.tasks["add"].apply((1, 2)).get() == 3
        assert installed.flush()
        (done,) = tasks_of(ledger, "add")
        assert (done.status, done.parent) == ("succeeded", around.id)

    def test_the_host_finishes_while_the_ledger_is_locked(
        self, ledger: bgledger.Ledger, app: Any, release: Callable[[], None]
    ) -> None:
        with (
            recording.install(ledger) as installed,
            start_worker(app, perform_ping_check=False, pool="solo", loglevel="warning"),
        ):
            assert app.tasks["add"].delay(1, 2).get(timeout=120) == 3
            assert not installed.flush(0) and tasks_of(ledger, "add") == []
            release()
            assert [str(task.status) for task in ended(ledger, "add")] == ["succeeded"]

    def test_an_unusable_ledger_is_logged_once_and_the_host_goes_on(
        self, unusable: bgledger.Ledger, app: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        with recording.install(unusable), start_worker(app, perform_ping_check=False, pool="solo", loglevel="warning"):
            for _ in range(3):
                assert app.tasks["add"].delay(1, 2).get(timeout=120) == 3
        assert len([each for each in caplog.records if each.name == "bgledger"]) == 1


class TestPrefork:
    """The worker is another process, which forks those that run the tasks; so is who publishes."""

    @pytest.fixture
    def environment(self, folder: Path, path: str) -> dict[str, str]:
        paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {**os.environ, "CELERY_FOLDER": str(folder), "CELERY_LEDGER": path, "PYTHONPATH": os.pathsep.join(paths)}

    @pytest.fixture
    def worker(self, environment: dict[str, str], folder: Path) -> Iterator[Callable[[], None]]:
        """Starts the worker; it is stopped in the end."""
        started: list[subprocess.Popen[bytes]] = []
        command = ["-A", "celery_app", "worker", "--pool", "prefork", "--concurrency", "2", "--without-gossip"]

        def start() -> None:
            with open(folder / "worker.log", "wb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "celery", *command, "--loglevel", "info"],
                    env=environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            started.append(process)
            until(lambda: process.poll() is not None or b" ready." in (folder / "worker.log").read_bytes(), 180)
            assert process.poll() is None, (folder / "worker.log").read_text()

        yield start
        for process in started:
            # Asked to stop, it waits for what was revoked.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @pytest.fixture
    def publish(self, environment: dict[str, str]) -> Callable[[str], Any]:
        def run(source: str) -> Any:
            program = f"import celery_app, json\nfrom celery_app import *\nprint(json.dumps({source}))"
            done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)

        return run

    def test_from_the_queue_to_the_end(
        self, ledger: bgledger.Ledger, worker: Callable[[], None], publish: Callable[[str], Any]
    ) -> None:
        ident = publish("where.delay().id")
        queued = ledger.get(ident)
        assert queued.status == "queued"
        worker()
        pid = publish(f"app.AsyncResult({ident!r}).get(timeout=120)")
        (done,) = ended(ledger, "where")
        assert (done.status, done.id) == ("succeeded", queued.id)
        assert done.executor is not None and done.executor.pid == pid

        publish("fail.delay().id")
        (failed,) = ended(ledger, "fail")
        assert failed.error is not None and (failed.error.type, failed.error.message) == ("ConnectionError", "no line")

        publish("outer.delay().id")
        (added,), (inside,), (outer,) = ended(ledger, "add"), ended(ledger, "inside"), ended(ledger, "outer")
        assert inside.parent == outer.id and added.parent == inside.id

        publish("overdue.delay().id")
        assert ended(ledger, "overdue")[0].status == "timed_out"

        publish("die.delay().id")
        (died,) = ended(ledger, "die")
        assert died.status == "failed" and died.error is not None and died.error.type is not None
        assert died.error.type.endswith("WorkerLostError")

    def test_retries(self, ledger: bgledger.Ledger, worker: Callable[[], None], publish: Callable[[str], Any]) -> None:
        worker()
        ident = publish("again.delay().id")
        tries = ended(ledger, "again", 3)
        assert [str(task.status) for task in tries] == ["failed", "failed", "succeeded"]
        assert [task.retry_of for task in tries] == [None, tries[0].id, tries[1].id]
        assert {task.run_id for task in tries} == {ident}
        assert [task.error.message for task in tries[:2] if task.error] == ["no line, try 0", "no line, try 1"]

    def test_expired_and_revoked_while_it_waits_and_while_it_runs(
        self, ledger: bgledger.Ledger, worker: Callable[[], None], publish: Callable[[str], Any]
    ) -> None:
        publish("where.apply_async(expires=0.001).id")
        worker()
        (expired,) = ended(ledger, "where")
        assert (expired.status, expired.attempt) == ("timed_out", 0)

        waiting, running = publish("[add.apply_async((1, 2), countdown=4).id, sleep.delay().id]")
        until(lambda: ledger.get(running).status == "running", 180)
        publish(f"[app.control.revoke({waiting!r}), app.control.revoke({running!r}, terminate=True)] and None")
        (killed,), (revoked,) = ended(ledger, "sleep"), ended(ledger, "add")
        assert (killed.status, killed.attempt) == ("cancelled", 1)
        assert (revoked.status, revoked.attempt) == ("cancelled", 0)
