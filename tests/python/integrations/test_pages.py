"""What the page and the examples show is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import bgledger
import pytest

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "ledger-py/examples/integrations").glob("*.py"))
HEAVY = "claude_"


def run(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "XDG_STATE_HOME": str(folder)}
    command = [sys.executable, "-W", "ignore", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "example", [path for path in EXAMPLES if not path.name.startswith(HEAVY)], ids=lambda path: path.stem
)
def test_each_example_runs(example: Path, folder: Path) -> None:
    assert run(folder, str(example))
    with bgledger.open(folder / "ledger.db") as ledger:
        assert ledger.stats().total > 0 and ledger.stats().active == 0


def blocks() -> list[str]:
    page = (ROOT / "docs/integrations.md").read_text()
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


def test_every_block_of_the_page_runs(folder: Path) -> None:
    """In one program, in order, but for the one whose framework is not here: its test has it."""
    program = "\n".join(block for block in blocks() if HEAVY not in block)
    assert len(blocks()) == 9
    run(folder, "-c", program)


def test_every_module_has_its_section_and_its_example() -> None:
    page = (ROOT / "docs/integrations.md").read_text()
    folder = ROOT / "ledger-py/python/bgledger/integrations"
    modules = {path.stem for path in folder.glob("*.py") if not path.name.startswith("_")}
    shown = {name for name in modules if f"from bgledger.integrations import {name}\n" in page}
    assert modules == shown
    for example in EXAMPLES:
        assert f"`{example.name}`" in page
