"""The handle: what a program holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

from . import _core, _given
from ._flows import Flowing
from ._given import Span
from ._listening import hush
from ._notices import Noticing
from ._operating import Operating
from ._reading import Reading
from ._recording import Recording
from ._track import Tracking

if TYPE_CHECKING:
    from ._types import Task

__all__ = ["Ledger", "open"]


class Ledger(Recording, Reading, Noticing, Flowing, Operating, Tracking):
    """A handle on a ledger. Share it between threads; a forked child may go on using its copy.

    Opening creates nothing: the first recorded task does. A handle pickles as its path and opens it again.

    Args:
        path: The file; else ``$BGLEDGER_DB``, else ``bgledger/ledger.db`` in the XDG state folder.
        owner: See and touch the records of this owner alone. Without one the handle is the operator's: it sees all,
            and records under ``local`` unless told.
        durability: ``"full"`` or ``"relaxed"``; else the ledger's own setting.
        readonly: Never record.
        busy_timeout: How long a call waits for other writers.
        allow_network_fs: Use a ledger on a network file system all the same.

    Raises:
        BadPath: The path cannot be a ledger.
        NotALedger: The file is something else.
        NetworkFileSystem: The path is on a network file system.
        InvalidValue: An owner or durability that cannot be.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        owner: str | None = None,
        durability: str | None = None,
        readonly: bool = False,
        busy_timeout: Span | None = None,
        allow_network_fs: bool = False,
        _scripted: bool = False,
    ) -> None:
        patience = None if busy_timeout is None else _given.span("busy_timeout", busy_timeout)
        self._core = _core.Handle(
            _given.path("path", path),
            None if owner is None else _given.text("owner", owner),
            None if durability is None else _given.text("durability", durability),
            _given.flag("readonly", readonly),
            patience,
            _given.flag("allow_network_fs", allow_network_fs),
            _scripted,
        )
        self._options: dict[str, Any] = {
            "owner": owner,
            "durability": durability,
            "readonly": readonly,
            "busy_timeout": busy_timeout,
            "allow_network_fs": allow_network_fs,
        }
        self._is_closed = False
        self._path = os.fspath(self._core.path)

    @property
    def path(self) -> str:
        """The file."""
        return self._path

    @property
    def owner(self) -> str | None:
        """The owner whose records the handle sees; ``None``: the operator, who sees all."""
        owner: str | None = self._options["owner"]
        return owner

    @property
    def closed(self) -> bool:
        """Whether the handle was closed."""
        return self._is_closed

    def close(self) -> None:
        """Lets go of the ledger. What was recorded is recorded; a second close does nothing."""
        self._is_closed = True
        self._core.close()
        hush(self)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        owner = "" if self.owner is None else f" owner={self.owner!r}"
        return f"<bgledger.Ledger {self._path!r}{owner}{' closed' if self.closed else ''}>"

    def __reduce__(self) -> Any:
        return _reopen, (self._path, self._options)

    @overload
    def call(self, request: Mapping[str, Any] | str, /) -> Any: ...
    @overload
    def call(self, request: str, /, **fields: Any) -> Any: ...

    def call(self, request: Mapping[str, Any] | str, /, **fields: Any) -> Any:
        """Carries out any Request of the ledger's one waist, and gives what it answers as plain JSON values.

        >>> ledger.call("show", lookup=7)["task"]["label"]        # doctest: +SKIP
        >>> ledger.call({"show": {"lookup": 7}})["task"]["label"]  # doctest: +SKIP

        Raises:
            LedgerError: What the ledger answers, by its class.
        """
        if isinstance(request, str) and not request.lstrip().startswith("{"):
            request = {request: fields}
        elif fields:
            raise TypeError("call() takes fields after a command's name only")
        text = request if isinstance(request, str) else _given.json_text("request", request)
        return self._told(self._core.await_answer(_given.text("request", text)))

    def __getitem__(self, lookup: int | str) -> Task:
        return self.get(lookup)

    def __iter__(self) -> Iterator[Task]:
        return self.all()


def _reopen(path: str, options: dict[str, Any]) -> Ledger:
    return Ledger(path, **options)


def open(
    path: str | os.PathLike[str] | None = None,
    *,
    owner: str | None = None,
    durability: str | None = None,
    readonly: bool = False,
    busy_timeout: Span | None = None,
    allow_network_fs: bool = False,
) -> Ledger:
    """Opens a ledger; see :class:`Ledger`. Use it as a context manager, or keep it for the life of the process.

    >>> import bgledger
    >>> with bgledger.open("ledger.db") as ledger:          # doctest: +SKIP
    ...     with ledger.task("fetch the report") as task:
    ...         task.progress("half", current=1, total=2)
    """
    return Ledger(
        path,
        owner=owner,
        durability=durability,
        readonly=readonly,
        busy_timeout=busy_timeout,
        allow_network_fs=allow_network_fs,
    )
