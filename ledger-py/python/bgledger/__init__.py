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
    AmbiguousFlow,
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
    FileExists,
    FlowCancelRequested,
    FlowEnded,
    FlowExistsWithDifferent,
    FlowMirrored,
    FutureTime,
    Internal,
    Invalid,
    InvalidRequest,
    InvalidValue,
    Io,
    NetworkFileSystem,
    NewerLedger,
    NoFlow,
    NoLedger,
    NoNotice,
    NotALedger,
    NotAvailable,
    NotDue,
    NotFound,
    NoticeSettled,
    NotStarted,
    Pruned,
    ReadOnly,
    Refused,
    RevisionConflict,
    StaleClaim,
    TimeOrder,
    TooLarge,
    TreeShape,
    Unknown,
    UnknownCommand,
    UnknownKey,
    UnknownRecipient,
    Unreadable,
    WaitTimedOut,
)
from ._errors import InvalidType, TaskCancelled
from ._flow_run import FlowRun
from ._flow_types import Blocked, Flow, FlowCancel, FlowCancelReply, FlowPage, RollUp, UnitProgress
from ._generated import (
    Delivery,
    EventType,
    FindingCode,
    FlowStatus,
    NotifyPolicy,
    Outcome,
    Reason,
    Runtime,
    Status,
    WaitingOn,
)
from ._ledger import Ledger, open
from ._notices import ClaimedNotices, Notice, NoticePage
from ._operating_types import (
    Acknowledged,
    Acknowledgement,
    AuditReport,
    Cause,
    Change,
    Check,
    DoctorReport,
    Drained,
    Finding,
    FlowChange,
    MaintenanceReport,
    PruneReport,
    ReconcileAction,
    Reconciled,
    Setting,
    Stats,
    VerifyReport,
)
from ._reading import Truncated, UnreadableTask, Watch
from ._reports import BackupReport, MigrateReport, RecoverReport
from ._task import TaskRun, current, inherit
from ._types import (
    Artifact,
    Cancel,
    CancelReply,
    Event,
    Failure,
    Output,
    Progress,
    Recorded,
    Task,
    TaskPage,
    Tree,
    Usage,
)

if _TYPE_CHECKING:
    from ._async_flow import AsyncFlow
    from ._async_task import AsyncTask

__version__ = _core.VERSION

__all__ = [
    "Acknowledged",
    "Acknowledgement",
    "AlreadyEnded",
    "AlreadyRunning",
    "AlreadySet",
    "Ambiguous",
    "AmbiguousFlow",
    "AncestorCancelled",
    "Artifact",
    "AsyncFlow",
    "AsyncTask",
    "AuditReport",
    "BackupReport",
    "BadLedger",
    "BadPath",
    "Blocked",
    "Busy",
    "Cancel",
    "CancelReply",
    "CancelRequested",
    "Candidate",
    "Cause",
    "Change",
    "Check",
    "ClaimedNotices",
    "Corrupt",
    "Delivery",
    "DiskFull",
    "DoctorReport",
    "Drained",
    "Event",
    "EventType",
    "Executor",
    "ExistsWithDifferent",
    "Failed",
    "Failure",
    "Fenced",
    "FileExists",
    "Finding",
    "FindingCode",
    "Flow",
    "FlowCancel",
    "FlowCancelReply",
    "FlowCancelRequested",
    "FlowChange",
    "FlowEnded",
    "FlowExistsWithDifferent",
    "FlowMirrored",
    "FlowPage",
    "FlowRun",
    "FlowStatus",
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
    "MigrateReport",
    "NetworkFileSystem",
    "NewerLedger",
    "NoFlow",
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
    "PruneReport",
    "Pruned",
    "ReadOnly",
    "Reason",
    "ReconcileAction",
    "Reconciled",
    "Recorded",
    "RecoverReport",
    "Refused",
    "RevisionConflict",
    "RollUp",
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
    "Truncated",
    "UnitProgress",
    "Unknown",
    "UnknownCommand",
    "UnknownKey",
    "UnknownRecipient",
    "Unreadable",
    "UnreadableTask",
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
    if name == "AsyncFlow":
        from ._async_flow import AsyncFlow

        return AsyncFlow
    if name == "aio":
        import importlib

        return importlib.import_module("bgledger.aio")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
