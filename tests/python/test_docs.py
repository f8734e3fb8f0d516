"""What the pages and the examples show is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "ledger-py"
EXAMPLES = sorted((PACKAGE / "examples").glob("*.py"))


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "XDG_STATE_HOME": str(folder)}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_each_example_runs(example: Path, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(example)], cwd=folder, env=environment(folder), capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout


def test_the_tutorial_says_what_happens(folder: Path) -> None:
    """Every block of the page runs in one program, in order; what follows as text is what it printed."""
    page = (PACKAGE / "README.md").read_text()
    blocks = re.findall(r"```(python|text)\n(.*?)```", page, re.DOTALL)
    program = "\n".join(text for kind, text in blocks if kind == "python")
    expected = "".join(text for kind, text in blocks if kind == "text")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment(folder), capture_output=True, text=True
    )
    assert (done.stdout, done.stderr, done.returncode) == (expected, "", 0)
