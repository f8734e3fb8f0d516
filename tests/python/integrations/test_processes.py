"""subprocess: commands are recorded, and run as before."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import bgledger
import pytest
from bgledger.integrations import processes


def only(ledger: bgledger.Ledger) -> bgledger.Task:
    (task,) = ledger.all()
    return task


def test_a_command_that_succeeds(ledger: bgledger.Ledger) -> None:
    # It lives for a while, so that it can be looked at.
    echo = "import time; time.sleep(0.5); print(input())"
    done = processes.run([sys.executable, "-c", echo], ledger=ledger, input="hi there", text=True, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hi there\n", "")
    task = only(ledger)
    assert (task.status, task.runtime, task.kind, task.exit_code) == ("succeeded", "subprocess", "command", 0)
    assert task.task == f"{sys.executable} -c '{echo}'"
    assert task.label == task.task
    assert task.executor is not None and task.executor.pid != os.getpid()


def test_an_exit_code(ledger: bgledger.Ledger) -> None:
    with pytest.raises(subprocess.CalledProcessError, match="status 3"):
        processes.run("exit 3", ledger=ledger, shell=True, check=True)
    task = only(ledger)
    assert (task.status, task.reason, task.exit_code, task.label) == ("failed", "exit_code", 3, "exit 3")


def test_a_signal(ledger: bgledger.Ledger) -> None:
    assert processes.run("kill -TERM $$", ledger=ledger, shell=True).returncode == -signal.SIGTERM
    task = only(ledger)
    assert (task.status, task.reason, task.signal) == ("failed", "signal", signal.SIGTERM)


def test_a_timeout_of_the_caller(ledger: bgledger.Ledger) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        processes.run(["sleep", "60"], ledger=ledger, timeout=0.05)
    task = only(ledger)
    assert (task.status, task.reason, task.signal) == ("timed_out", "deadline", signal.SIGKILL)


def test_a_command_that_is_not_there(ledger: bgledger.Ledger) -> None:
    with pytest.raises(FileNotFoundError):
        processes.run(["/no/such/command", "x" * 2000], ledger=ledger)
    task = only(ledger)
    assert task.status == "failed" and task.error is not None and task.error.type == "FileNotFoundError"
    assert len(task.label.encode()) <= 512


def test_every_way_to_start_one_until_it_is_turned_off(ledger: bgledger.Ledger) -> None:
    popen: Any = subprocess.Popen

    async def main() -> int:
        process = await asyncio.create_subprocess_exec("sh", "-c", "exit 4")
        return await process.wait()

    with ledger.task("around") as around, processes.install(ledger):
        assert isinstance(subprocess.Popen(["true"]).wait(), int)
        assert subprocess.check_output(["echo", "hi"]) == b"hi\n"
        assert subprocess.run(["false"]).returncode == 1
        assert asyncio.run(main()) == 4
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run(["sleep", "60"], timeout=0.05)
    assert subprocess.Popen is popen
    subprocess.run(["true"], check=True)
    told = [(task.label, str(task.status), task.exit_code) for task in reversed(list(ledger.all()))]
    assert told == [
        ("around", "succeeded", None),
        ("true", "succeeded", 0),
        ("echo hi", "succeeded", 0),
        ("false", "failed", 1),
        ("sh -c 'exit 4'", "failed", 4),
        ("sleep 60", "timed_out", None),
    ]
    assert {task.parent for task in ledger.all()} == {None, around.id}


def test_a_command_that_outlives_the_program_goes_on_running(
    ledger: bgledger.Ledger, other: Callable[..., Any]
) -> None:
    host = """
    import subprocess
    from bgledger.integrations import processes
    installed = processes.install(bgledger.open(path))
    child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    installed.flush()
    print(child.pid)
    sys.stdin.read()
    """
    process = other(host)
    pid = int(process.line())
    process.signal(9)
    process.process.wait()
    try:
        ledger.maintain(apply=True)
        task = only(ledger)
        assert task.status == "running" and task.executor is not None and task.executor.pid == pid
    finally:
        os.kill(pid, signal.SIGKILL)
    process.end()


def test_the_host_finishes_while_the_ledger_is_locked(ledger: bgledger.Ledger, release: Callable[[], None]) -> None:
    installed = processes.install(ledger)
    try:
        assert subprocess.run(["true"]).returncode == 0
    finally:
        assert not installed.uninstall(0)
    release()
    assert installed.flush()
    task = ledger.get(2)
    assert (task.status, task.exit_code) == ("succeeded", 0)


def test_an_unusable_ledger_is_logged_once_and_the_host_goes_on(
    unusable: bgledger.Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    with processes.install(unusable):
        for _ in range(5):
            assert subprocess.run(["true"]).returncode == 0
    assert len([each for each in caplog.records if each.name == "bgledger"]) == 1
