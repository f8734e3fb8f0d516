"""The app of the tests: its worker is another process, which forks."""

from __future__ import annotations

import importlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import bgledger
from bgledger.integrations import celery as recording

Celery: Any = importlib.import_module("celery").Celery

folder = Path(os.environ["CELERY_FOLDER"])
app = Celery("app", broker="filesystem://", backend=f"file://{folder}/results")
for name in ("queue", "done", "results"):
    (folder / name).mkdir(exist_ok=True)
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "processed_folder": str(folder / "done"),
        "polling_interval": 0.05,
        "control_folder": str(folder / "control"),
    },
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)
recording.install(bgledger.open(os.environ["CELERY_LEDGER"]))


@app.task
def add(a: int, b: int) -> int:
    return a + b


@app.task
def outer() -> None:
    with bgledger.open(os.environ["CELERY_LEDGER"]).task("inside"):
        add.delay(1, 2)


@app.task
def fail() -> None:
    raise ConnectionError("no line")


@app.task(bind=True, max_retries=2)
def again(self: Any) -> str:
    if self.request.retries < 2:
        raise self.retry(exc=ConnectionError(f"no line, try {self.request.retries}"), countdown=0)
    return "at last"


@app.task
def sleep() -> None:
    time.sleep(60)


@app.task(soft_time_limit=1)
def overdue() -> None:
    time.sleep(60)


@app.task
def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@app.task
def where() -> int:
    return os.getpid()
