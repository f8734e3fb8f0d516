"""Commands that a program starts, with their exit codes and signals."""

import subprocess

import bgledger
from bgledger.integrations import processes

ledger = bgledger.open("ledger.db")

processes.run(["sh", "-c", "exit 3"], ledger=ledger)

with processes.install(ledger):
    subprocess.run(["true"], check=True)
    subprocess.run("kill -TERM $$", shell=True)

for task in reversed(ledger.list().tasks):
    print(task, task.exit_code, task.signal)
