"""bgledger: a durable ledger of background tasks.

>>> import bgledger
>>> with bgledger.open("ledger.db") as ledger:               # doctest: +SKIP
...     with ledger.task("fetch the report") as task:
...         task.progress("half", current=1, total=2)
...         task.result = {"pages": 2}

One file and no daemon: any number of processes, in any language, record and query it at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from . import _core
from ._base import Candidate, Executor, Group, LedgerError, Process
from ._codes import (
    AlreadyEnded,
    AlreadyRunning,
    AlreadySet,
    Ambiguous,
    AncestorCancelled,
    BadLedger,
    BadPath,
    Busy,
    CancelRequested,
    Corrupt,
    DiskFull,
    ExistsWithDifferent,
    Failed,
    Fenced,
    FutureTime,
    Internal,
    Invalid,
    InvalidRequest,
    InvalidValue,
    Io,
    NetworkFileSystem,
    NewerLedger,
    NoLedger,
    NoNotice,
    NotALedger,
    NotAvailable,
    NotDue,
    NotFound,
    NoticeSettled,
    NotStarted,
    ReadOnly,
    Refused,
    StaleClaim,
    TimeOrder,
    TooLarge,
    TreeShape,
    Unknown,
    UnknownCommand,
    UnknownKey,
    Unreadable,
    WaitTimedOut,
)
from ._errors import InvalidType, TaskCancelled
from ._generated import (
    Delivery,
    EventType,
    FindingCode,
    NotifyPolicy,
    Outcome,
    Reason,
    Runtime,
    Status,
    WaitingOn,
)
from ._ledger import Ledger, open
from ._notices import ClaimedNotices, Notice, NoticePage
from ._reading import Watch
from ._task import TaskRun, current, inherit
from ._types import (
    Artifact,
    AuditReport,
    Cancel,
    CancelReply,
    Change,
    Check,
    DoctorReport,
    Event,
    Failure,
    Finding,
    MaintenanceReport,
    Output,
    Progress,
    Recorded,
    Setting,
    Stats,
    Task,
    TaskPage,
    Tree,
    Usage,
    VerifyReport,
)

if _TYPE_CHECKING:
    from ._async_task import AsyncTask

__version__ = _core.VERSION

__all__ = [
    "AlreadyEnded",
    "AlreadyRunning",
    "AlreadySet",
    "Ambiguous",
    "AncestorCancelled",
    "Artifact",
    "AsyncTask",
    "AuditReport",
    "BadLedger",
    "BadPath",
    "Busy",
    "Cancel",
    "CancelReply",
    "CancelRequested",
    "Candidate",
    "Change",
    "Check",
    "ClaimedNotices",
    "Corrupt",
    "Delivery",
    "DiskFull",
    "DoctorReport",
    "Event",
    "EventType",
    "Executor",
    "ExistsWithDifferent",
    "Failed",
    "Failure",
    "Fenced",
    "Finding",
    "FindingCode",
    "FutureTime",
    "Group",
    "Internal",
    "Invalid",
    "InvalidRequest",
    "InvalidType",
    "InvalidValue",
    "Io",
    "Ledger",
    "LedgerError",
    "MaintenanceReport",
    "NetworkFileSystem",
    "NewerLedger",
    "NoLedger",
    "NoNotice",
    "NotALedger",
    "NotAvailable",
    "NotDue",
    "NotFound",
    "NotStarted",
    "Notice",
    "NoticePage",
    "NoticeSettled",
    "NotifyPolicy",
    "Outcome",
    "Output",
    "Process",
    "Progress",
    "ReadOnly",
    "Reason",
    "Recorded",
    "Refused",
    "Runtime",
    "Setting",
    "StaleClaim",
    "Stats",
    "Status",
    "Task",
    "TaskCancelled",
    "TaskPage",
    "TaskRun",
    "TimeOrder",
    "TooLarge",
    "Tree",
    "TreeShape",
    "Unknown",
    "UnknownCommand",
    "UnknownKey",
    "Unreadable",
    "Usage",
    "VerifyReport",
    "WaitTimedOut",
    "WaitingOn",
    "Watch",
    "__version__",
    "current",
    "inherit",
    "open",
]


def __getattr__(name: str) -> object:
    """asyncio is imported by those who use it."""
    if name == "AsyncTask":
        from ._async_task import AsyncTask

        return AsyncTask
    if name == "aio":
        import importlib

        return importlib.import_module("bgledger.aio")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
