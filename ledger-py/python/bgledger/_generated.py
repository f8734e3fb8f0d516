"""The words of the ledger's core. Written by a test: BGLEDGER_BLESS=1 cargo test --test py_generated"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Status(str, Enum):
    """Where a task stands. Each equals its word: ``Status.QUEUED == "queued"``."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, format_spec: str) -> str:
        return format(str(self.value), format_spec)

    @property
    def is_active(self) -> bool:
        """Queued or running."""
        return self.value in _ACTIVE

    @property
    def is_final(self) -> bool:
        """Ended for good. ``lost`` is not: the executor's own word overrides it."""
        return self.value in _FINAL


_ACTIVE: Final[frozenset[str]] = frozenset({
    "queued",
    "running",
})
_FINAL: Final[frozenset[str]] = frozenset({
    "succeeded",
    "failed",
    "timed_out",
    "cancelled",
})


class FlowStatus(str, Enum):
    """Where a flow stands. Each equals its word: ``FlowStatus.WAITING == "waiting"``."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    BLOCKED = "blocked"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, format_spec: str) -> str:
        return format(str(self.value), format_spec)


class Runtime:
    """Who runs a task. Any other lower-case word is one, too."""

    ACP: Final = "acp"
    CLI: Final = "cli"
    CRON: Final = "cron"
    SUBAGENT: Final = "subagent"


class Outcome:
    """What a success amounts to."""

    OK: Final = "ok"
    BLOCKED: Final = "blocked"
    NO_RESULT: Final = "no_result"


class Reason:
    """Why a task ended other than by success."""

    ERROR: Final = "error"
    EXIT_CODE: Final = "exit_code"
    SIGNAL: Final = "signal"
    REJECTED: Final = "rejected"
    DEADLINE: Final = "deadline"
    QUEUE_DEADLINE: Final = "queue_deadline"
    REQUESTED: Final = "requested"
    FORCED: Final = "forced"
    EXECUTOR_GONE: Final = "executor_gone"
    LEASE_EXPIRED: Final = "lease_expired"
    REPORTED: Final = "reported"
    UNKNOWN_TO_ITS_RUNTIME: Final = "unknown_to_its_runtime"


class WaitingOn:
    """What running work waits for."""

    INPUT: Final = "input"
    AUTH: Final = "auth"
    DEPENDENCY: Final = "dependency"
    TIMER: Final = "timer"
    EXTERNAL: Final = "external"


class NotifyPolicy:
    """Whom a task's notices go out for."""

    DONE_ONLY: Final = "done_only"
    STATE_CHANGES: Final = "state_changes"
    SILENT: Final = "silent"


class Delivery:
    """What became of a task's notices."""

    PENDING: Final = "pending"
    FAILED: Final = "failed"
    DELIVERED: Final = "delivered"
    DISMISSED: Final = "dismissed"
    NOT_APPLICABLE: Final = "not_applicable"


class EventType:
    """What happened to a task."""

    CREATED: Final = "created"
    STARTED: Final = "started"
    PROGRESS: Final = "progress"
    CANCEL_REQUESTED: Final = "cancel_requested"
    CANCEL_TOLD: Final = "cancel_told"
    FINISHED: Final = "finished"
    SETTLED: Final = "settled"
    EXPIRED: Final = "expired"
    REAPED: Final = "reaped"
    RECOVERED: Final = "recovered"
    NOTIFY_CHANGED: Final = "notify_changed"


class FindingCode:
    """What the audit may find."""

    EXECUTOR_GONE: Final = "executor_gone"
    LEASE_EXPIRED: Final = "lease_expired"
    QUEUE_EXPIRED: Final = "queue_expired"
    OVERDUE: Final = "overdue"
    UNOBSERVED: Final = "unobserved"
    STALE_QUEUED: Final = "stale_queued"
    LOST: Final = "lost"
    TIMES_OUT_OF_ORDER: Final = "times_out_of_order"
    CLOCK_JUMP: Final = "clock_jump"
    NEVER_HEARTBEATED: Final = "never_heartbeated"
    NO_PROGRESS: Final = "no_progress"
    CANCEL_STUCK: Final = "cancel_stuck"
    UNDELIVERED: Final = "undelivered"
    DEAD_LETTERS: Final = "dead_letters"
    FLOW_IDLE: Final = "flow_idle"
    FLOW_WAITING: Final = "flow_waiting"
    FLOW_BLOCKED: Final = "flow_blocked"
    FLOW_BLOCKER_GONE: Final = "flow_blocker_gone"
    FLOW_CANCEL_STUCK: Final = "flow_cancel_stuck"
    FLOW_TIMES_OUT_OF_ORDER: Final = "flow_times_out_of_order"
    WAL_LARGE: Final = "wal_large"
    FREE_SPACE: Final = "free_space"
    ROW_DIFFERS: Final = "row_differs"
    LOOSE_END: Final = "loose_end"
    UNKNOWN_WORD: Final = "unknown_word"

COMMANDS: Final[tuple[str, ...]] = (
    "create",
    "start",
    "progress",
    "heartbeat",
    "finish",
    "settle",
    "cancel",
    "notify",
    "notices",
    "notices_claim",
    "notices_ack",
    "notices_nack",
    "notices_retry",
    "notices_drop",
    "notices_dismiss",
    "flow_create",
    "flow_list",
    "flow_show",
    "flow_wait",
    "flow_resume",
    "flow_finish",
    "flow_fail",
    "flow_cancel",
    "list",
    "show",
    "history",
    "tree",
    "watch",
    "wait",
    "stats",
    "audit",
    "acknowledge",
    "maintenance",
    "reconcile",
    "drain",
    "prune",
    "config",
    "doctor",
    "verify",
    "backup",
    "recover",
    "migrate",
)
ERROR_MESSAGE_BYTES: Final = 16384
ERROR_DETAIL_BYTES: Final = 65536
ERROR_TYPE_BYTES: Final = 512
NOTE_BYTES: Final = 4096
RENEWALS: Final = 3
LABEL_BYTES: Final = 512
LIST_DEFAULT: Final = 50
LIST_MOST: Final = 10000
