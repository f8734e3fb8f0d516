"""What the page and the examples show of the heavy frameworks."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import bgledger
import pytest

from ..test_pages import EXAMPLES, HEAVY, blocks


def test_the_blocks_of_the_page_run(ledger: bgledger.Ledger) -> None:
    heavy = [block for block in blocks() if HEAVY in block]
    assert heavy
    for block in heavy:
        exec(block, {"ledger": ledger})


@pytest.mark.parametrize("example", [path for path in EXAMPLES if path.name.startswith(HEAVY)], ids=os.path.basename)
def test_the_examples_import(example: Path) -> None:
    """They ask a model when they run."""
    spec = importlib.util.spec_from_file_location(example.stem, example)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
