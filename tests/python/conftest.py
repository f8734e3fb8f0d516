"""A ledger of its own for each test, and other processes that use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bgledger
import pytest

for name in ("BGLEDGER_DB", "BGLEDGER_TASK", "BGLEDGER_DURABILITY"):
    os.environ.pop(name, None)


@pytest.fixture
def folder() -> Iterator[Path]:
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


@pytest.fixture
def path(folder: Path) -> str:
    return str(folder / "ledger.db")


@pytest.fixture
def ledger(path: str) -> Iterator[bgledger.Ledger]:
    with bgledger.open(path) as opened:
        yield opened


@pytest.fixture
def command(path: str) -> Callable[..., Any]:
    """The real command line on the same ledger."""

    def run(*arguments: str, ok: bool = True) -> Any:
        program = os.environ["BGLEDGER_BIN"]
        done = subprocess.run([program, "--ledger", path, "--json", *arguments], capture_output=True, text=True)
        assert done.returncode == 0 or not ok, done.stderr
        return json.loads(done.stdout) if done.stdout else json.loads(done.stderr)

    return run


class Other:
    """Another Python process: it prints a line for each thing to wait for."""

    def __init__(self, path: str, source: str, *arguments: str) -> None:
        head = "import bgledger, os, sys, time\npath = sys.argv[1]\n"
        program = head + textwrap.dedent(source)
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", program, path, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        if not said:
            assert self.process.stderr is not None
            raise AssertionError(f"it ended: {self.process.stderr.read()}")
        return said.strip()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def rest(self) -> list[str]:
        """What else it said, now that it ends."""
        assert self.process.stdout is not None
        return self.process.stdout.read().split()

    def end(self) -> int:
        """How it ended; what it said after the last line read is thrown away."""
        self.said, self.errors = self.process.communicate(timeout=60)
        return self.process.returncode


@pytest.fixture
def other(path: str) -> Iterator[Callable[..., Other]]:
    started: list[Other] = []

    def start(source: str, *arguments: str) -> Other:
        started.append(Other(path, source, *arguments))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Waits until something holds."""
    ends = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.02)
