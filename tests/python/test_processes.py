"""Real processes that end as processes do."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import bgledger
import pytest
from bgledger import Status
from conftest import Other

Start = Callable[..., Other]

LONG = """
with bgledger.open(path).task("long", lease=False, metadata={"why": "a test"}) as task:
    print(task.number)
    time.sleep(600)
"""


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [(signal.SIGINT, "cancelled", -2), (signal.SIGTERM, "lost", -15), (signal.SIGKILL, "lost", -9)],
    ids=["Ctrl-C", "kill -TERM", "kill -9"],
)
def test_a_signalled_process(ledger: bgledger.Ledger, other: Start, number: int, status: str, code: int) -> None:
    work = other(LONG)
    task = int(work.line())
    work.signal(number)
    assert work.end() in (code, 128 - code)
    ledger.maintain(apply=True)
    ended = ledger.get(task)
    assert ended.status == status
    assert ended.reason == {"cancelled": "requested", "lost": "executor_gone"}[status]


def test_a_host_that_turns_term_into_an_exit(ledger: bgledger.Ledger, other: Start) -> None:
    work = other("import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n" + LONG)
    task = int(work.line())
    work.signal(signal.SIGTERM)
    assert work.end() == 143
    assert (ledger.get(task).status, ledger.get(task).exit_code) == ("failed", 143)


def test_an_exception_a_timeout_and_a_cancel(ledger: bgledger.Ledger, other: Start, command: Callable[..., Any]) -> None:
    failing = other('with bgledger.open(path).task("x") as task:\n    print(task.number)\n    raise ValueError("no")')
    number = int(failing.line())
    assert failing.end() == 1 and "ValueError: no" in failing.errors
    assert ledger.get(number).error == bgledger.Failure("ValueError", "no", ledger.get(number).error.detail)  # type: ignore[union-attr]
    late = other(
        """
        import asyncio
        async def main():
            async with bgledger.open(path).task("late", timeout=0.1) as task:
                print(task.number)
                await asyncio.sleep(600)
        asyncio.run(main())
        """
    )
    number = int(late.line())
    assert late.end() == 1 and "TimeoutError" in late.errors
    assert ledger.get(number).status is Status.TIMED_OUT
    polite = other(
        """
        with bgledger.open(path).task("polite") as task:
            print(task.number)
            while True:
                task.raise_if_cancelled()
                time.sleep(0.01)
        """
    )
    number = int(polite.line())
    assert command("cancel", str(number), "--wait")["task"]["status"] == "cancelled"
    assert polite.end() == 1 and "TaskCancelled" in polite.errors


def test_ctrl_c_ends_a_wait(ledger: bgledger.Ledger, other: Start) -> None:
    ledger.create("nobody does it")
    for wait in ("bgledger.open(path).wait(1)", "next(bgledger.open(path).watch())"):
        waiting = other(f"print('waits')\n{wait}")
        waiting.line()
        threading.Event().wait(0.3)
        waiting.signal(signal.SIGINT)
        assert waiting.end() in (-2, 130) and "KeyboardInterrupt" in waiting.errors


def test_the_interpreter_ends_with_work_under_way(ledger: bgledger.Ledger, other: Start) -> None:
    work = other(
        """
        import asyncio, threading, bgledger.aio
        ledger = bgledger.open(path)
        ledger.create("x")
        task = ledger.task("leased", lease=0.2)
        task.__enter__()
        def follow():
            for event in ledger.watch():
                pass
        threading.Thread(target=follow, daemon=True).start()
        async def main():
            listening = asyncio.ensure_future(bgledger.aio.Ledger(ledger).wait(1))
            await asyncio.sleep(0.4)
        asyncio.run(main())
        print("over")
        """
    )
    assert work.line() == "over"
    assert work.end() == 0 and work.errors == ""


# ---- fork ------------------------------------------------------------------------------------------------------


def test_a_forked_child_records_for_itself_and_finishes_nothing_of_its_parents(ledger: bgledger.Ledger) -> None:
    with ledger.task("parent", lease=1) as task:
        child = os.fork()
        if child == 0:
            try:
                with ledger.task("child"):
                    pass
                task.__exit__(None, None, None)
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert ledger.get(task).status == "running"
        task.progress("still here")
    assert ledger.get(task).status == "succeeded"
    (below,) = ledger.tree(task).children
    assert below.task.label == "child" and below.task.status == "succeeded"
    assert below.task.executor is not None and below.task.executor.pid == child


def test_a_fork_while_threads_write(ledger: bgledger.Ledger) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with ledger.task("from a thread"):
                pass

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        child = os.fork()
        if child == 0:
            try:
                ledger.create("from a child")
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert len(ledger.list(label="from a child").tasks) == 10
    assert ledger.verify().ok and ledger.list(active=True).tasks[9:] and not ledger.audit().findings


def work_in_a_pool(ledger: bgledger.Ledger, number: int) -> int:
    with ledger.task(f"piece {number}") as task:
        task.result = number
    return task.number


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pools_of_processes(ledger: bgledger.Ledger, method: str) -> None:
    ledger.create("there")
    context = multiprocessing.get_context(method)
    with context.Pool(3) as pool:
        numbers = pool.starmap(work_in_a_pool, [(ledger, number) for number in range(12)])
    assert len(set(numbers)) == 12
    assert all(ledger.get(number).status == "succeeded" for number in numbers)


# ---- another SQLite in this process ----------------------------------------------------------------------------

FOREIGN = {
    "sqlite3 reads and closes": """
import sqlite3
def meddle():
    connection = sqlite3.connect(path)
    connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    connection.close()
""",
    "open and close": """
def meddle():
    open(path, "rb").close()
""",
    "a handle comes and goes": """
def meddle():
    with bgledger.open(path) as ledger:
        ledger.stats()
        ledger.create("by the other handle")
""",
    "the C library beside the module": """
import ctypes
beside = os.path.join(os.path.dirname(os.environ["BGLEDGER_BIN"]), "libbgledger.so")
library = ctypes.CDLL(os.environ.get("BGLEDGER_LIBRARY", beside))
library.bgl_free.argtypes = [ctypes.c_void_p]
library.bgl_close.argtypes = [ctypes.c_void_p]
REQUEST = b'{"create": {"label": "by the C library"}}'
def meddle():
    handle, answer, size = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t()
    assert library.bgl_open(path.encode(), None, ctypes.byref(handle)) == 0
    length = ctypes.c_size_t(len(REQUEST))
    assert library.bgl_call(handle, REQUEST, length, ctypes.byref(answer), ctypes.byref(size)) == 0
    assert b'"created":true' in ctypes.string_at(answer, size.value), ctypes.string_at(answer, size.value)
    library.bgl_free(answer)
    assert library.bgl_close(handle) == 0
""",
}


@pytest.fixture
def lister(path: str) -> Iterator[None]:
    """Another process that looks at the ledger all the time, and closes it each time."""
    loop = 'while :; do "$1" --ledger "$2" --quiet list >/dev/null 2>&1; done'
    looking = subprocess.Popen(["sh", "-c", loop, "sh", os.environ["BGLEDGER_BIN"], path], start_new_session=True)
    yield
    os.killpg(looking.pid, signal.SIGKILL)
    looking.wait()


@pytest.mark.parametrize("how", FOREIGN)
def test_what_was_acknowledged_is_there_after_sigkill(path: str, other: Start, how: str, lister: None) -> None:
    writer = other(
        FOREIGN[how]
        + """
ledger = bgledger.open(path)
for number in range(10**9):
    with ledger.task(f"task {number}") as task:
        meddle()
    print(task.number)
    if number % 3 == 0:
        meddle()
"""
    )
    acknowledged = [int(writer.line()) for _ in range(60)]
    writer.signal(signal.SIGKILL)
    acknowledged += [int(line) for line in writer.rest()]
    assert writer.end() == -signal.SIGKILL
    with bgledger.open(path) as ledger:
        assert ledger.verify().ok
        for number in acknowledged:
            assert ledger.get(number).status == "succeeded"
        assert ledger.stats().by_status["succeeded"] in (len(acknowledged), len(acknowledged) + 1)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# ---- many at once ----------------------------------------------------------------------------------------------

BLOCKING = """
ledger = bgledger.open(path)
for number in range(int(sys.argv[2])):
    with ledger.task(f"{sys.argv[3]} {number}", lease=False):
        pass
print("done")
"""

ASYNCIO = """
import asyncio, bgledger.aio
async def main():
    async with bgledger.aio.open(path) as ledger:
        gate = asyncio.Semaphore(50)
        async def one(number):
            async with gate:
                async with ledger.task(f"{sys.argv[3]} {number}", lease=False):
                    pass
        await asyncio.gather(*(one(number) for number in range(int(sys.argv[2]))))
asyncio.run(main())
print("done")
"""


def test_four_write_while_a_fifth_sees_each_event_once_and_in_order(
    path: str, ledger: bgledger.Ledger, other: Start
) -> None:
    many = int(os.environ.get("BGLEDGER_PY_TASKS", "1000"))
    ledger.create("so that there is something to watch")
    follower = other(
        """
        import json
        watch = bgledger.open(path).watch(after=0)
        print("watches")
        ends, last, created = 0, 0, set()
        for event in watch:
            assert event.seq == last + 1, (event, last)
            last = event.seq
            if event.type == "created":
                assert event.number not in created
                created.add(event.number)
            ends += event.type == "finished"
            if ends == int(sys.argv[2]):
                break
        print(json.dumps([len(created), ends, last]))
        """,
        str(4 * many),
    )
    assert follower.line() == "watches"
    shell = (
        'i=0; while [ "$i" -lt "$2" ]; do i=$((i + 1)); printf \'{"create": {"label": "shell %d", "finish": '
        '{"status": "succeeded"}}}\\n\' "$i"; done | "$1" --ledger "$3" call >/dev/null'
    )
    writers = [other(BLOCKING, str(many), "first"), other(BLOCKING, str(many), "second"), other(ASYNCIO, str(many), "loop")]
    by_shell = subprocess.Popen(["sh", "-c", shell, "sh", os.environ["BGLEDGER_BIN"], str(many), path])
    for writer in writers:
        assert writer.line() == "done" and writer.end() == 0
    assert by_shell.wait(60) == 0
    created, ends, last = json.loads(follower.line())
    assert (created, ends, last) == (4 * many + 1, 4 * many, ledger.stats().last_seq)
    assert ledger.stats().by_status["succeeded"] == 4 * many and ledger.verify().ok


def test_handles_are_pickled_to_a_program_that_knows_nothing(path: str, ledger: bgledger.Ledger) -> None:
    ledger.create("x")
    program = "import pickle, sys; print(pickle.load(sys.stdin.buffer).get(1).label)"
    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(ledger), capture_output=True)
    assert done.stdout.strip() == b"x", done.stderr
