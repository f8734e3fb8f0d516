"""What is answered to those who keep a ledger's file safe."""

from __future__ import annotations

import dataclasses
from typing import Any

from ._base import Record

__all__ = ["BackupReport", "MigrateReport", "RecoverReport"]


@dataclasses.dataclass(frozen=True)
class BackupReport(Record):
    """The copy that was made. What was recorded after the event ``last_seq`` is not in it."""

    path: str
    bytes: int
    format: int
    tasks: int
    events: int
    last_seq: int


@dataclasses.dataclass(frozen=True)
class RecoverReport(Record):
    """What was saved of a damaged ledger, and what was not.

    ``ledger`` is the new one; ``complete`` is true if no damage was met and nothing is known to be missing. Of ``pages``,
    ``tasks``, ``events``, ``notices`` and ``flows`` it is told how many were ``found``, ``recovered`` and ``lost``.
    """

    from_: str
    ledger: str
    complete: bool
    copies: tuple[dict[str, Any], ...]
    pages: dict[str, int]
    tasks: dict[str, int]
    events: dict[str, int]
    notices: dict[str, int]
    flows: dict[str, int]
    lost_tasks: tuple[dict[str, int], ...]
    lost_events: tuple[dict[str, int], ...]
    mended: tuple[int, ...]
    unproved: tuple[int, ...]
    problems: tuple[str, ...]

    @classmethod
    def from_dict(cls, answer: dict[str, Any]) -> RecoverReport:
        """The report in an answer."""
        lists = {name: tuple(value) for name, value in answer.items() if isinstance(value, list)}
        return cls(from_=answer["from"], **{name: value for name, value in {**answer, **lists}.items() if name != "from"})

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {name.rstrip("_"): value for name, value in super().to_dict().items()}


@dataclasses.dataclass(frozen=True)
class MigrateReport(Record):
    """The file's format before, this program's, whether the file was brought to it, and the copy made before."""

    from_: int
    to: int
    applied: bool
    backup: str | None

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {name.rstrip("_"): value for name, value in super().to_dict().items()}
