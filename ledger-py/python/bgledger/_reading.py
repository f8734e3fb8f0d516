"""The methods that read."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar, overload

from . import _given
from ._codes import NotFound, Pruned
from ._flow_types import FlowLookup
from ._generated import LIST_DEFAULT, LIST_MOST
from ._given import Span, optional
from ._recording import KEEP, Lookup, Scalar
from ._types import Event, Task, TaskPage, Tree
from ._waist import Waist

T = TypeVar("T")
Events = list[Event]


class Reading(Waist):
    """Reading; see :class:`bgledger.Ledger`."""

    @overload
    def get(self, lookup: Lookup, /, *, ack: str | None = None) -> Task: ...
    @overload
    def get(self, lookup: Lookup, default: T, /, *, ack: str | None = None) -> Task | T: ...

    def get(self, lookup: Lookup, default: Any = KEEP, /, *, ack: str | None = None) -> Any:
        """One task in full, by number, id, run id or session key.

        ``ack`` names a recipient (``"session:KEY"``, ``"owner:NAME"``, ``"subscriber:NAME"``) who reads the task by
        this: what is owed to it about the task is delivered, and it need not be told again.

        Raises:
            NotFound: No such task, or none this handle may see (a ``KeyError``); unless a ``default`` is given.
            Pruned: It was there, and is pruned (a ``NotFound``, too); unless a ``default`` is given.
            Ambiguous: Several tasks have that run id: ``exc.candidates``.
            UnknownRecipient: There is no such subscriber, or none this handle may see.
        """
        named = _given.lookup("lookup", lookup)
        try:
            if ack is None:
                return self._core.show(named)
            return Task.from_dict(self._ask("show", lookup=named, ack=_given.text("ack", ack))["task"])
        except NotFound as missing:
            if default is KEEP or missing.code not in (NotFound.code, Pruned.code):
                raise
            return default

    def list(
        self,
        *,
        active: bool = False,
        status: str | Iterable[str] | None = None,
        runtime: str | None = None,
        kind: str | None = None,
        session: str | None = None,
        agent: str | None = None,
        label: str | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, Scalar] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        search: str | None = None,
        parent: Lookup | None = None,
        flow: FlowLookup | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> TaskPage:
        """Tasks that fit every filter given, newest first: 50 unless ``limit`` says otherwise.

        ``page.tasks`` has them; ``page.next``, given as ``after``, goes on. :meth:`all` goes through all pages.
        """
        filters: dict[str, Any] = dict(
            active=_given.flag("active", active),
            status=None if status is None else _given.texts("status", status, "a status, or several"),
            runtime=optional(_given.text, "runtime", runtime),
            kind=optional(_given.text, "kind", kind),
            session=optional(_given.text, "session", session),
            agent=optional(_given.text, "agent", agent),
            label=optional(_given.text, "label", label),
            run_id=optional(_given.text, "run_id", run_id),
            metadata=optional(_given.metadata, "metadata", metadata),
            since=optional(_given.time, "since", since),
            until=optional(_given.time, "until", until),
            search=optional(_given.text, "search", search),
            parent=optional(_given.lookup, "parent", parent),
            flow=optional(_given.flow, "flow", flow),
            after=optional(_given.text, "after", after),
        )
        left = LIST_DEFAULT if limit is None else _given.count("limit", limit)
        tasks: list[Task] = []
        unreadable: list[Any] = []
        # The ledger looks at so many tasks for one answer: what fits may lie further back.
        while True:
            answer = self._ask("list", limit=left, **filters)
            tasks.extend(Task.from_dict(each) for each in answer["tasks"])
            unreadable.extend(answer["unreadable"])
            filters["after"] = answer["next"]
            left -= len(answer["tasks"]) + len(answer["unreadable"])
            if answer["next"] is None or left <= 0:
                return TaskPage(tuple(tasks), answer["next"], tuple(unreadable))

    def all(self, **filters: Any) -> Iterator[Task]:
        """Every task that fits the filters of :meth:`list`, page by page.

        Warns of those that cannot be read: :class:`bgledger.UnreadableTask`.
        """
        filters.setdefault("limit", LIST_MOST // 10)
        while True:
            page = self.list(**filters)
            yield from page.tasks
            warn_unreadable(page.unreadable)
            if page.next is None:
                return
            filters["after"] = page.next

    def history(self, lookup: Lookup, *, after: int | None = None, limit: int | None = None) -> tuple[Event, ...]:
        """A task's events, oldest first: those after a ``seq``, at most ``limit``."""
        answer = self._ask(
            "history",
            lookup=_given.lookup("lookup", lookup),
            after=optional(_given.count, "after", after),
            limit=optional(_given.count, "limit", limit),
        )
        return tuple(Event.from_dict(each) for each in answer["events"])

    def tree(self, lookup: Lookup) -> Tree:
        """A task and all that descends from it."""
        return Tree.from_dict(self._ask("tree", lookup=_given.lookup("lookup", lookup)))

    def wait(
        self, *lookups: Lookup, any: bool = False, timeout: Span | None = None, ack: str | None = None
    ) -> tuple[Task, ...]:
        """Blocks until the tasks end, or with ``any`` one of them. Other threads run on, and Ctrl-C ends it.

        Returns the tasks in the order asked for. ``ack`` names a recipient who need not be told again of those that
        ended: see :meth:`get`.

        Raises:
            WaitTimedOut: The time is over (a ``TimeoutError``); ``exc.pending`` has the numbers of those that go on.
        """
        named = [_given.lookup("lookups", each) for each in lookups]
        lasting = optional(_given.span, "timeout", timeout)
        reader = optional(_given.text, "ack", ack)
        answer = self._wait_for("wait", lookups=named, any=_given.flag("any", any), timeout=lasting, ack=reader)
        return tuple(Task.from_dict(each) for each in answer["tasks"])

    def watch(
        self, lookup: Lookup | None = None, *, after: int | None = None, timeout: Span | None = None
    ) -> Watch:
        """Follows the ledger, or one task: an iterator of events, each once and in order, as they are recorded.

        It begins after the ``seq`` given as ``after``, or with what is recorded after this call. It goes on for ever,
        or with a ``timeout`` until nothing came for so long. ``watch.seq`` is where another one would go on.

        Events go when their task is pruned. ``watch.truncated`` says that some are gone between two that it gave, or
        after the ``seq`` at which it began; unless it began at 0, it also warns of that once: :class:`bgledger.Truncated`.
        """
        named = optional(_given.lookup, "lookup", lookup)
        begin = optional(_given.count, "after", after)
        if begin is None:
            begin = int(self._ask("watch", lookup=named, timeout=0)["next"])
        return Watch(self, named, begin, optional(_given.span, "timeout", timeout))

    def _events(self, lookup: int | str | None, after: int, timeout: int) -> tuple[Events, int, bool]:
        answer = self._wait_for("watch", lookup=lookup, after=after, timeout=timeout)
        return [Event.from_dict(each) for each in answer["events"]], int(answer["next"]), bool(answer["truncated"])


class UnreadableTask(UserWarning):
    """A task that :meth:`Ledger.all` would have given cannot be read: its row is damaged, or missing."""


def warn_unreadable(odd: Iterable[Mapping[str, Any]]) -> None:
    """Warns whoever goes through all tasks of those that could not be given."""
    for each in odd:
        warnings.warn(f"#{each['number']} cannot be read: {each['problem']}", UnreadableTask, stacklevel=3)


class Truncated(UserWarning):
    """Events between the ``seq`` at which a watch went on and what it gives next are gone with tasks that were pruned."""


def warn_truncated(begin: int, stacklevel: int) -> None:
    """Warns whoever follows the ledger of what it missed. Who begins at 0 asks for what there is."""
    if begin > 0:
        message = f"events after seq {begin} are gone with tasks that were pruned: look at the ledger as it is now"
        warnings.warn(message, Truncated, stacklevel=stacklevel)


class Watch(Iterator[Event]):
    """The events of a ledger as they come."""

    def __init__(self, ledger: Reading, lookup: int | str | None, seq: int, timeout: int | None) -> None:
        self._ledger, self._lookup, self._timeout = ledger, lookup, timeout
        self._waiting: Events = []
        #: The last event given, or where it began.
        self.seq = seq
        #: Whether events that it should have given are gone with tasks that were pruned.
        self.truncated = False
        self._next = seq

    def __iter__(self) -> Watch:
        return self

    def __next__(self) -> Event:
        while not self._waiting:
            begin = self._next
            events, self._next, is_cut = self._ledger._events(self._lookup, begin, self._slice())
            self._waiting = events[::-1]
            if is_cut and not self.truncated:
                self.truncated = True
                warn_truncated(begin, stacklevel=3)
            if not events and self._timeout is not None:
                raise StopIteration
        event = self._waiting.pop()
        self.seq = event.seq
        return event

    def _slice(self) -> int:
        return _LONG if self._timeout is None else self._timeout


_LONG = timedelta(hours=1) // timedelta(milliseconds=1)
