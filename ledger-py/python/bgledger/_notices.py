"""The methods about notices: what the ledger owes somebody, claimed and answered."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from . import _given
from ._base import Record
from ._errors import InvalidType, invalid
from ._given import Span, optional
from ._recording import Lookup
from ._time import parse_time
from ._types import Task
from ._waist import Waist

__all__ = ["ClaimedNotices", "Notice", "NoticePage", "Noticing"]


@dataclasses.dataclass(frozen=True)
class Notice(Record):
    """A message that the ledger owes somebody about a task.

    ``notice`` is its name within the ledger; ``key`` its name everywhere: who records it together with the effect has
    the effect once. ``type`` is what happened, ``message`` the text for people. ``state`` is ``pending``, ``claimed``,
    ``delivered``, ``dismissed`` or ``dead``. ``task`` is ``None`` once the task is pruned.
    """

    notice: str
    key: str
    type: str
    message: str
    number: int
    seq: int
    recipient: str
    generation: int
    state: str
    attempts: int
    due_at: datetime
    claim: dict[str, Any] | None
    reason: str | None
    task: Task | None

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Notice:
        """The notice of its JSON form."""
        task = None if value["task"] is None else Task.from_dict(value["task"])
        return cls(**{**value, "due_at": parse_time(value["due_at"]), "task": task})


@dataclasses.dataclass(frozen=True)
class NoticePage(Record):
    """A page of notices, newest first. ``next`` goes into ``after``; ``None`` at the end."""

    notices: tuple[Notice, ...]
    next: str | None


@dataclasses.dataclass(frozen=True)
class ClaimedNotices(Record):
    """What a claim brought, oldest first; ``claim`` answers for them, ``None`` if nothing was due."""

    claim: str | None
    notices: tuple[Notice, ...]


def _notices(answer: dict[str, Any]) -> tuple[Notice, ...]:
    return tuple(Notice.from_dict(each) for each in answer["notices"])


def _names(name: str, values: object) -> list[str]:
    if isinstance(values, (str, Notice)):
        values = [values]
    if not isinstance(values, Iterable):
        invalid(name, _given.shown(values), "notices, or their names", InvalidType)
    return [each.notice if isinstance(each, Notice) else _given.text(name, each) for each in values]


class Noticing(Waist):
    """Hearing of what happened; see :class:`bgledger.Ledger`."""

    def notices(
        self,
        *,
        recipient: str | None = None,
        state: str | Iterable[str] | None = None,
        task: Lookup | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> NoticePage:
        """Notices, newest first, that fit every filter: for a recipient, in some states, about one task."""
        answer = self._ask(
            "notices",
            recipient=optional(_given.text, "recipient", recipient),
            state=None if state is None else _given.texts("state", state, "a state, or several"),
            task=optional(_given.lookup, "task", task),
            limit=optional(_given.count, "limit", limit),
            after=optional(_given.text, "after", after),
        )
        return NoticePage(_notices(answer), answer["next"])

    def notices_claim(
        self,
        *recipients: str,
        consumer: str | None = None,
        lease: Span | None = None,
        limit: int | None = None,
    ) -> ClaimedNotices:
        """Takes what is due, oldest first: for some recipients (``"session:KEY"``, ``"owner:NAME"``), or for all.

        What is not answered within the lease (a minute unless told) returns, and is claimed again.
        """
        answer = self._ask(
            "notices_claim",
            recipients=[_given.text("recipients", each) for each in recipients],
            consumer=optional(_given.text, "consumer", consumer),
            lease=optional(_given.span, "lease", lease),
            limit=optional(_given.count, "limit", limit),
        )
        return ClaimedNotices(answer["claim"], _notices(answer))

    def notices_ack(self, claim: str, notices: str | Notice | Iterable[str | Notice]) -> tuple[Notice, ...]:
        """Says that they were delivered.

        Raises:
            StaleClaim: The claim does not hold one of them any more; nothing was changed.
        """
        named = _names("notices", notices)
        return _notices(self._ask("notices_ack", claim=_given.text("claim", claim), notices=named))

    def notices_nack(
        self, claim: str, notices: str | Notice | Iterable[str | Notice], reason: str
    ) -> tuple[Notice, ...]:
        """Says that they could not be delivered: they are tried again later, and given up in the end."""
        named = _names("notices", notices)
        told = _given.text("reason", reason)
        return _notices(self._ask("notices_nack", claim=_given.text("claim", claim), notices=named, reason=told))

    def notices_retry(self, notices: str | Notice | Iterable[str | Notice]) -> tuple[Notice, ...]:
        """Tries dead letters and dismissed ones again, or waiting ones at once."""
        return _notices(self._ask("notices_retry", notices=_names("notices", notices)))

    def notices_drop(self, notices: str | Notice | Iterable[str | Notice]) -> tuple[Notice, ...]:
        """Forgets dead letters, and dismissed ones."""
        return _notices(self._ask("notices_drop", notices=_names("notices", notices)))

    def notices_dismiss(
        self, notices: str | Notice | Iterable[str | Notice], reason: str | None = None
    ) -> tuple[Notice, ...]:
        """Says that they need not be delivered."""
        named = _names("notices", notices)
        told = optional(_given.text, "reason", reason)
        return _notices(self._ask("notices_dismiss", notices=named, reason=told))
