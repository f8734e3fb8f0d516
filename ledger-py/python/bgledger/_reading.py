"""The methods that read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar, overload

from . import _given
from ._codes import NotFound
from ._generated import LIST_MOST
from ._given import Span, optional
from ._recording import KEEP, Lookup, Scalar
from ._types import Event, Task, TaskPage, Tree
from ._waist import Waist

T = TypeVar("T")
Events = list[Event]


class Reading(Waist):
    """Reading; see :class:`bgledger.Ledger`."""

    @overload
    def get(self, lookup: Lookup, /) -> Task: ...
    @overload
    def get(self, lookup: Lookup, default: T, /) -> Task | T: ...

    def get(self, lookup: Lookup, default: Any = KEEP, /) -> Any:
        """One task in full, by number, id, run id or session key.

        Raises:
            NotFound: No such task, or none this handle may see (a ``KeyError``); unless a ``default`` is given.
            Ambiguous: Several tasks have that run id: ``exc.candidates``.
        """
        try:
            return self._core.show(_given.lookup("lookup", lookup))
        except NotFound as missing:
            if default is KEEP or missing.code != NotFound.code:
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
        limit: int | None = None,
        after: str | None = None,
    ) -> TaskPage:
        """Tasks that fit every filter given, newest first: 50 unless ``limit`` says otherwise.

        ``page.tasks`` has them; ``page.next``, given as ``after``, goes on. :meth:`all` goes through all pages.
        """
        answer = self._ask(
            "list",
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
            limit=optional(_given.count, "limit", limit),
            after=optional(_given.text, "after", after),
        )
        return TaskPage(tuple(Task.from_dict(each) for each in answer["tasks"]), answer["next"])

    def all(self, **filters: Any) -> Iterator[Task]:
        """Every task that fits the filters of :meth:`list`, page by page."""
        filters.setdefault("limit", LIST_MOST // 10)
        while True:
            page = self.list(**filters)
            yield from page.tasks
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

    def wait(self, *lookups: Lookup, any: bool = False, timeout: Span | None = None) -> tuple[Task, ...]:
        """Blocks until the tasks end, or with ``any`` one of them. Other threads run on, and Ctrl-C ends it.

        Returns the tasks in the order asked for.

        Raises:
            WaitTimedOut: The time is over (a ``TimeoutError``); ``exc.pending`` has the numbers of those that go on.
        """
        named = [_given.lookup("lookups", each) for each in lookups]
        lasting = optional(_given.span, "timeout", timeout)
        answer = self._wait_for("wait", lookups=named, any=_given.flag("any", any), timeout=lasting)
        return tuple(Task.from_dict(each) for each in answer["tasks"])

    def watch(
        self, lookup: Lookup | None = None, *, after: int | None = None, timeout: Span | None = None
    ) -> Watch:
        """Follows the ledger, or one task: an iterator of events, each once and in order, as they are recorded.

        It begins after the ``seq`` given as ``after``, or with what is recorded after this call. It goes on for ever,
        or with a ``timeout`` until nothing came for so long. ``watch.seq`` is where another one would go on.
        """
        named = optional(_given.lookup, "lookup", lookup)
        begin = optional(_given.count, "after", after)
        if begin is None:
            begin = int(self._ask("watch", lookup=named, timeout=0)["next"])
        return Watch(self, named, begin, optional(_given.span, "timeout", timeout))

    def _events(self, lookup: int | str | None, after: int, timeout: int) -> tuple[Events, int]:
        answer = self._wait_for("watch", lookup=lookup, after=after, timeout=timeout)
        return [Event.from_dict(each) for each in answer["events"]], int(answer["next"])


class Watch(Iterator[Event]):
    """The events of a ledger as they come."""

    def __init__(self, ledger: Reading, lookup: int | str | None, seq: int, timeout: int | None) -> None:
        self._ledger, self._lookup, self._timeout = ledger, lookup, timeout
        self._waiting: Events = []
        #: The last event given, or where it began.
        self.seq = seq
        self._next = seq

    def __iter__(self) -> Watch:
        return self

    def __next__(self) -> Event:
        while not self._waiting:
            events, self._next = self._ledger._events(self._lookup, self._next, self._slice())
            if not events and self._timeout is not None:
                raise StopIteration
            self._waiting = events[::-1]
        event = self._waiting.pop()
        self.seq = event.seq
        return event

    def _slice(self) -> int:
        return _LONG if self._timeout is None else self._timeout


_LONG = timedelta(hours=1) // timedelta(milliseconds=1)
