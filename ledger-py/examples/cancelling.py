"""A cancel is a request: the work learns of it and stops."""

import threading
import time

import bgledger

ledger = bgledger.open("ledger.db")
numbers: list[int] = []


def work() -> None:
    try:
        with ledger.task("a long export") as task:
            numbers.append(task.number)
            while True:
                time.sleep(0.01)
                task.raise_if_cancelled()
    except bgledger.TaskCancelled:
        pass


thread = threading.Thread(target=work)
thread.start()
while not numbers:
    time.sleep(0.01)
reply = ledger.cancel(numbers[0], by="me", why="no longer needed")
assert reply.cancel == "requested"
(ended,) = ledger.wait(numbers[0], timeout=30)
thread.join()
assert ended.status == "cancelled" and ended.cancel is not None
print(ended, ended.cancel.why, ended.cancel.told_at)
