"""One process that records lives with one of the peers: run by `cargo bench --package bgledger-tests --bench peers`.

    peer.py NAME FOLDER prepare              makes the files, alone
    peer.py NAME FOLDER run SECONDS FIRST    says "ready", waits for a line, and records lives one after the other;
                                             then says how many, their processor time in all, the p50 of one and of a
                                             read, in nanoseconds
    peer.py NAME FOLDER count                how many lives are there

A life is recorded, marked as started and marked as finished, each committed on its own.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
import uuid
from pathlib import Path
from typing import Any

PATIENCE = 60


class Ledger:
    """The whole record: a row of 59 columns, twelve indexes, an event a step, a notice of the end."""

    def __init__(self, folder: Path) -> None:
        import bgledger

        self.ledger = bgledger.open(str(folder / "ledger.db"), durability="full", busy_timeout=PATIENCE)
        self.last: Any = None

    def prepare(self) -> None:
        self.ledger.create("the first")

    def life(self, run: int) -> None:
        self.last = self.ledger.create("fetch the report", run_id=f"run-{run}", session="chat-7", task="all of it")
        self.ledger.start(self.last)
        self.ledger.finish(self.last, "succeeded", summary="done")

    def read(self) -> object:
        return self.ledger.get(self.last)

    def count(self) -> int:
        verified = self.ledger.verify()
        assert verified.ok, verified
        return self.ledger.stats().by_status["succeeded"]


class ByHand:
    """The same rows and events in the ledger's own tables, by the standard library, committed with FULL."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.db"
        self.last = 0
        if self.path.exists():
            self.open()

    def open(self) -> None:
        self.sql = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, cached_statements=256)
        self.sql.execute("PRAGMA synchronous = FULL")
        self.sql.execute("PRAGMA temp_store = MEMORY")

    def prepare(self) -> None:
        import bgledger

        with bgledger.open(str(self.path)) as ledger:
            ledger.create("the first")

    def event(self, task: int, prev: int, at: int, kind: int, data: str) -> int:
        next_seq = "SELECT 1 + coalesce(max(seq), 0) FROM event"
        (seq,) = self.sql.execute(next_seq).fetchone()
        insert = "INSERT INTO event (seq, task, prev, at, kind, data) VALUES (?, ?, ?, ?, ?, ?)"
        self.sql.execute(insert, (seq, task, prev, at, kind, data))
        return int(seq)

    def life(self, run: int) -> None:
        execute = self.sql.execute
        execute("BEGIN IMMEDIATE")
        at, run_id = time.time_ns() // 1_000_000, f"run-{run}"
        known = "SELECT number FROM task WHERE run_id = ? AND runtime = ? AND owner = ? AND key IS NULL"
        assert execute(known, (run_id, "subagent", "local")).fetchone() is None
        (number,) = execute("SELECT 1 + coalesce(max(number), 0) FROM task").fetchone()
        seq = self.event(number, 0, at, 1, '{"notify":"done_only"}')
        execute(
            "INSERT INTO task (number, id, owner, runtime, label, status, revision, generation, attempt,"
            " progress_reports, last_event, created_at, updated_at, run_id, session, task, notify)"
            " VALUES (?, ?, 'local', 'subagent', ?, 1, 1, 0, 0, 0, ?, ?, ?, ?, 'chat-7', 'all of it', 'done_only')",
            (number, uuid.uuid4().bytes, "fetch the report", seq, at, at, run_id),
        )
        execute("COMMIT")
        for step in (self.start, self.finish):
            execute("BEGIN IMMEDIATE")
            at = time.time_ns() // 1_000_000
            # The whole row, as whoever decides by it and answers with the task reads it.
            look = "SELECT status, last_event, revision, cancel, * FROM task WHERE number = ?"
            status, last, revision, cancel, *_row = execute(look, (number,)).fetchone()
            assert status < 3 and cancel is None
            step(number, last, revision, at)
            execute("COMMIT")
        self.last = number

    def start(self, number: int, last: int, revision: int, at: int) -> None:
        seq = self.event(number, last, at, 2, '{"attempt":1}')
        self.sql.execute(
            "UPDATE task SET status = 2, attempt = 1, started_at = ?, attempt_started_at = ?, updated_at = ?,"
            " revision = revision + 1, last_event = ?, pid = ? WHERE number = ? AND revision = ?",
            (at, at, at, seq, os.getpid(), number, revision),
        )

    def finish(self, number: int, last: int, revision: int, at: int) -> None:
        seq = self.event(number, last, at, 4, '{"status":"succeeded","outcome":"ok"}')
        self.sql.execute(
            "UPDATE task SET status = 3, outcome = 'ok', summary = 'done', ended_at = ?, updated_at = ?,"
            " generation = generation + 1, revision = revision + 1, last_event = ? WHERE number = ? AND revision = ?",
            (at, at, seq, number, revision),
        )
        self.sql.execute(
            "INSERT INTO notice (task, seq, recipient, kind, generation, state, owed_at, due_at, known)"
            " VALUES (?, ?, 'owner:local', 6, 1, 1, ?, ?, 0)",
            (number, seq, at, at),
        )

    def read(self) -> object:
        return self.sql.execute("SELECT * FROM task WHERE number = ?", (self.last,)).fetchone()

    def count(self) -> int:
        (check,) = self.sql.execute("PRAGMA integrity_check").fetchone()
        assert check == "ok", check
        (count,) = self.sql.execute("SELECT count(*) FROM task WHERE status = 3").fetchone()
        return int(count)


class Huey:
    """A small row in the queue, and one of the result; no history, no lookup by run or session."""

    fsync: bool | None = None

    def __init__(self, folder: Path) -> None:
        from huey import SqliteHuey

        self.huey = SqliteHuey("bench", filename=str(folder / "huey.db"), timeout=PATIENCE, fsync=self.fsync)

        @self.huey.task()
        def fetch(run: int) -> str:
            return "done"

        self.fetch = fetch
        self.last: Any = None

    def prepare(self) -> None:
        pass

    def life(self, run: int) -> None:
        self.last = self.fetch(run)
        task = self.huey.dequeue()
        self.huey.execute(task)

    def read(self) -> object:
        return self.huey.storage.peek_data(self.last.id)

    def count(self) -> int:
        return int(self.huey.result_count())


class HueyUnsynced(Huey):
    """Not safe: it never syncs."""

    fsync = False


class Litequeue:
    """A small row; NORMAL, so a power loss takes what was acknowledged last."""

    def __init__(self, folder: Path) -> None:
        from litequeue import LiteQueue

        self.queue = LiteQueue(str(folder / "queue.db"), timeout=PATIENCE)
        self.last: Any = None

    def prepare(self) -> None:
        pass

    def life(self, run: int) -> None:
        self.queue.put(json.dumps({"label": "fetch the report", "run_id": f"run-{run}"}))
        self.last = self.queue.pop()
        self.queue.done(self.last.message_id)

    def read(self) -> object:
        return self.queue.get(self.last.message_id)

    def count(self) -> int:
        (count,) = self.queue.conn.execute(f"SELECT count(*) FROM {self.queue.table} WHERE status = 2").fetchone()
        return int(count)


class PersistQueue:
    """A small row whose status changes."""

    def __init__(self, folder: Path) -> None:
        from persistqueue import SQLiteAckQueue

        self.queue = SQLiteAckQueue(str(folder), auto_commit=True, timeout=PATIENCE)

    def prepare(self) -> None:
        pass

    def life(self, run: int) -> None:
        self.queue.put({"label": "fetch the report", "run_id": f"run-{run}"})
        self.queue.ack(self.queue.get())

    def read(self) -> object:
        return None

    def count(self) -> int:
        return int(self.queue.acked_count())


class Celery:
    """The result backend of a database: what becomes of a task, stored three times."""

    def __init__(self, folder: Path) -> None:
        from celery import Celery as App

        app = App("bench", broker="memory://", backend=f"db+sqlite:///{folder}/celery.db")
        app.conf.database_engine_options = {"connect_args": {"timeout": PATIENCE}}
        self.backend = app.backend
        self.last = ""

    def prepare(self) -> None:
        self.backend.store_result("first", None, "PENDING")

    def life(self, run: int) -> None:
        self.last = f"run-{run}"
        self.backend.store_result(self.last, None, "PENDING")
        self.backend.store_result(self.last, {"pid": os.getpid()}, "STARTED")
        self.backend.store_result(self.last, "done", "SUCCESS")

    def read(self) -> object:
        return self.backend.get_task_meta(self.last, cache=False)

    def count(self) -> int:
        with self.backend.ResultSession() as session:
            return int(session.query(self.backend.task_cls).filter_by(status="SUCCESS").count())


class Dbos:
    """A workflow of one step."""

    def __init__(self, folder: Path) -> None:
        from dbos import DBOS, SetWorkflowID

        self.named = SetWorkflowID
        url = f"sqlite:///{folder}/dbos.sqlite"
        DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR"})

        @DBOS.step()
        def fetch(run: int) -> str:
            return "done"

        @DBOS.workflow()
        def work(run: int) -> str:
            return fetch(run)

        self.dbos, self.work, self.last = DBOS, work, ""
        DBOS.launch()

    def prepare(self) -> None:
        self.life(-1)

    def life(self, run: int) -> None:
        self.last = f"run-{run}"
        with self.named(self.last):
            self.work(run)

    def read(self) -> object:
        return self.dbos.get_workflow_status(self.last)

    def count(self) -> int:
        return sum(1 for each in self.dbos.list_workflows(status="SUCCESS") if each.workflow_id != "run--1")


class Postgres:
    """Tables with the same columns that a life writes, and an event a step."""

    def __init__(self, folder: Path) -> None:
        import psycopg

        self.sql = psycopg.connect(host=str(folder), dbname="postgres", user="postgres", autocommit=True)
        self.last = 0

    def prepare(self) -> None:
        self.sql.execute(
            "CREATE TABLE task (number bigserial PRIMARY KEY, id uuid NOT NULL UNIQUE, owner text NOT NULL, runtime text"
            " NOT NULL, label text NOT NULL, status smallint NOT NULL, revision int NOT NULL, created_at bigint NOT NULL,"
            " started_at bigint, ended_at bigint, updated_at bigint NOT NULL, run_id text, session text, task text,"
            " pid int, outcome text, summary text);"
            "CREATE INDEX ON task (run_id); CREATE INDEX ON task (session); CREATE INDEX ON task (status);"
            "CREATE TABLE event (seq bigserial PRIMARY KEY, task bigint NOT NULL, at bigint NOT NULL, kind smallint, data text)"
        )

    def life(self, run: int) -> None:
        at = time.time_ns() // 1_000_000
        event = "INSERT INTO event (task, at, kind, data) VALUES (%s, %s, %s, %s)"
        with self.sql.transaction():
            insert = (
                "INSERT INTO task (id, owner, runtime, label, status, revision, created_at, updated_at, run_id, session, task)"
                " VALUES (%s, 'local', 'subagent', 'fetch the report', 1, 1, %s, %s, %s, 'chat-7', 'all of it') RETURNING number"
            )
            row = self.sql.execute(insert, (uuid.uuid4(), at, at, f"run-{run}")).fetchone()
            assert row is not None
            self.last = row[0]
            self.sql.execute(event, (self.last, at, 1, "{}"))
        look = "SELECT status FROM task WHERE number = %s FOR UPDATE"
        with self.sql.transaction():
            self.sql.execute(look, (self.last,)).fetchone()
            start = "UPDATE task SET status = 2, started_at = %s, updated_at = %s, revision = 2, pid = %s WHERE number = %s"
            self.sql.execute(start, (at, at, os.getpid(), self.last))
            self.sql.execute(event, (self.last, at, 2, '{"attempt":1}'))
        with self.sql.transaction():
            self.sql.execute(look, (self.last,)).fetchone()
            end = (
                "UPDATE task SET status = 3, ended_at = %s, updated_at = %s, revision = 3, outcome = 'ok', summary = 'done'"
                " WHERE number = %s"
            )
            self.sql.execute(end, (at, at, self.last))
            self.sql.execute(event, (self.last, at, 4, '{"status":"succeeded"}'))

    def read(self) -> object:
        return self.sql.execute("SELECT * FROM task WHERE number = %s", (self.last,)).fetchone()

    def count(self) -> int:
        row = self.sql.execute("SELECT count(*) FROM task WHERE status = 3").fetchone()
        assert row is not None
        return int(row[0])


PEERS: dict[str, Any] = {
    "bgledger": Ledger,
    "by-hand": ByHand,
    "huey": Huey,
    "huey-unsynced": HueyUnsynced,
    "litequeue": Litequeue,
    "persist-queue": PersistQueue,
    "celery": Celery,
    "dbos": Dbos,
    "postgres": Postgres,
}


def middle(times: list[int]) -> int:
    return sorted(times)[len(times) // 2] if times else 0


def run(peer: Any, seconds: float, first: int) -> None:
    for warm_up in range(3):
        peer.life(first + warm_up)
    print("ready", flush=True)
    sys.stdin.readline()
    done, times = 3, []
    cpu, until = time.process_time_ns(), time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter_ns()
        peer.life(first + done)
        times.append(time.perf_counter_ns() - began)
        done += 1
    cpu = time.process_time_ns() - cpu
    reads = []
    for _ in range(50):
        began = time.perf_counter_ns()
        peer.read()
        reads.append(time.perf_counter_ns() - began)
    print(done - 3, cpu, middle(times), middle(reads), flush=True)


if __name__ == "__main__":
    name, folder, what = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    peer = PEERS[name](folder)
    if what == "prepare":
        peer.prepare()
    elif what == "run":
        run(peer, float(sys.argv[4]), int(sys.argv[5]))
    else:
        print(peer.count(), flush=True)
    sys.stdout.flush()
    # DBOS keeps threads of its own.
    os._exit(0)
