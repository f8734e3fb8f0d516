"""A Celery app that is recorded, in whoever publishes and in its workers: one line where it is made.

Here the broker is the memory of this process and its worker a thread; with a real broker, `celery worker` is as good.
"""

import importlib
from typing import Any

import bgledger
from bgledger.integrations import celery as recording

# Celery has no types.
Celery: Any = importlib.import_module("celery").Celery
start_worker: Any = importlib.import_module("celery.contrib.testing.worker").start_worker

ledger = bgledger.open("ledger.db")
app = Celery("app", broker="memory://", backend="cache+memory://")
recording.install(ledger)


def add(a: int, b: int) -> int:
    return a + b


task = app.task(add)

if __name__ == "__main__":
    result = task.delay(1, 2)
    with start_worker(app, pool="solo", perform_ping_check=False):
        print(result.get(timeout=30))
        (done,) = ledger.wait(result.id, timeout=30)
    print(done, done.run_id == result.id)
