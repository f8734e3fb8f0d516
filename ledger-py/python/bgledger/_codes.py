"""The errors of the ledger's core. Written by a test: BGLEDGER_BLESS=1 cargo test --test py_generated"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from ._base import Candidate, Executor, LedgerError
from ._generated import FlowStatus, Status


class Invalid(LedgerError, ValueError):
    """The request cannot be: correct it."""


class InvalidRequest(Invalid):
    """The code ``invalid_request``. A request is an object with one command, such as {"create": {"label": "…"}}."""

    code = "invalid_request"
    number_of_code = 100
    problem: str


class UnknownCommand(Invalid):
    """The code ``unknown_command``. See `expected` for the commands there are."""

    code = "unknown_command"
    number_of_code = 101
    command: str
    expected: tuple[str, ...]


class InvalidValue(Invalid):
    """The code ``invalid_value``."""

    code = "invalid_value"
    number_of_code = 102
    expected: str
    field: str
    problem: str


class TooLarge(Invalid):
    """The code ``too_large``. Keep large data elsewhere and record it as an artifact."""

    code = "too_large"
    number_of_code = 103
    actual: int
    field: str
    limit: int


class FutureTime(Invalid):
    """The code ``future_time``. Leave the time out to use the ledger's clock."""

    code = "future_time"
    number_of_code = 104
    field: str
    given: datetime
    now: datetime


class TimeOrder(Invalid):
    """The code ``time_order``. Leave the time out to use the ledger's clock."""

    code = "time_order"
    number_of_code = 105
    earliest: datetime
    event: str
    field: str
    given: datetime


class NotAvailable(Invalid):
    """The code ``not_available``."""

    code = "not_available"
    number_of_code = 106
    what: str
    why: str


class NotFound(LedgerError, KeyError):
    """There is no such thing, or none this handle may see."""

    code = "not_found"
    number_of_code = 200
    lookup: str
    why: str


class NoLedger(NotFound):
    """The code ``no_ledger``. The first recorded task creates it; or name another with --ledger or BGLEDGER_DB."""

    code = "no_ledger"
    number_of_code = 201
    path: str


class UnknownKey(NotFound):
    """The code ``unknown_key``. `bgledger config` shows every key."""

    code = "unknown_key"
    number_of_code = 202
    expected: tuple[str, ...]
    key: str


class NoNotice(NotFound):
    """The code ``no_notice``. `bgledger notices` shows them; a newer outcome withdraws those that nobody claimed."""

    code = "no_notice"
    number_of_code = 203
    notice: str
    why: str


class NoFlow(NotFound):
    """The code ``no_flow``. `bgledger flow list` shows the flows; a lookup is a number such as F3, an id or an owner."""

    code = "no_flow"
    number_of_code = 204
    lookup: str
    why: str


class Pruned(NotFound):
    """The code ``pruned``. How long ended tasks stay is the ledger's policy: `bgledger config get retention`."""

    code = "pruned"
    number_of_code = 205
    ended_at: datetime
    id: str
    number: int
    pruned_at: datetime
    recorded_status: Status


class UnknownRecipient(NotFound):
    """The code ``unknown_recipient``. A recipient is session:KEY, owner:NAME or subscriber:NAME; `bgledger config` shows the subscribers."""

    code = "unknown_recipient"
    number_of_code = 206
    recipient: str


class Refused(LedgerError):
    """The rules say no; the error names what is recorded."""


class Ambiguous(Refused):
    """The code ``ambiguous``. Name one task by its number or id."""

    code = "ambiguous"
    number_of_code = 300
    candidates: tuple[Candidate, ...]
    count: int
    lookup: str


class ExistsWithDifferent(Refused):
    """The code ``exists_with_different``. Use another key or run id, or say the same as before."""

    code = "exists_with_different"
    number_of_code = 301
    fields: tuple[str, ...]
    id: str
    number: int


class AncestorCancelled(Refused):
    """The code ``ancestor_cancelled``. Create the task without this parent if it is to run all the same."""

    code = "ancestor_cancelled"
    number_of_code = 302
    ancestor: int


class NotStarted(Refused):
    """The code ``not_started``. Start it first, or finish or settle it as it is."""

    code = "not_started"
    number_of_code = 303
    created_at: datetime
    number: int


class Fenced(Refused):
    """The code ``fenced``. Another executor took the task over: stop working on it."""

    code = "fenced"
    number_of_code = 304
    attempt: int
    executor: Executor | None
    given: int
    number: int
    recorded_status: Status
    started_at: datetime | None


class AlreadyEnded(Refused):
    """The code ``already_ended``. An end is final; to run it again, create a new task that is a retry of this one."""

    code = "already_ended"
    number_of_code = 305
    ended_at: datetime
    number: int
    recorded_detail: str
    recorded_status: Status


class AlreadyRunning(Refused):
    """The code ``already_running``. Wait for it, or cancel it."""

    code = "already_running"
    number_of_code = 306
    attempt: int
    executor: Executor | None
    number: int
    started_at: datetime | None


class CancelRequested(Refused):
    """The code ``cancel_requested``. To run it all the same, create a new task that is a retry of this one."""

    code = "cancel_requested"
    number_of_code = 307
    by: str | None
    number: int
    requested_at: datetime


class AlreadySet(Refused):
    """The code ``already_set``. Such a field is filled in once."""

    code = "already_set"
    number_of_code = 308
    field: str
    number: int
    recorded: str


class TreeShape(Refused):
    """The code ``tree_shape``."""

    code = "tree_shape"
    number_of_code = 309
    problem: str


class NotDue(Refused):
    """The code ``not_due``."""

    code = "not_due"
    number_of_code = 310
    number: int
    problem: str
    recorded_status: Status
    updated_at: datetime


class StaleClaim(Refused):
    """The code ``stale_claim``. Somebody else has it or it was answered: claim again, and drop what this claim brought."""

    code = "stale_claim"
    number_of_code = 311
    due_at: datetime
    notice: str
    state: str


class NoticeSettled(Refused):
    """The code ``notice_settled``."""

    code = "notice_settled"
    number_of_code = 312
    notice: str
    problem: str
    state: str


class AmbiguousFlow(Refused):
    """The code ``ambiguous_flow``. Name one flow by its number or id."""

    code = "ambiguous_flow"
    number_of_code = 313
    count: int
    flows: tuple[int, ...]
    lookup: str


class RevisionConflict(Refused):
    """The code ``revision_conflict``. Look at the flow as it is now, and decide again."""

    code = "revision_conflict"
    number_of_code = 314
    flow: int
    given: int
    recorded: int
    recorded_status: FlowStatus
    updated_at: datetime


class FlowEnded(Refused):
    """The code ``flow_ended``. An end is final: create another flow."""

    code = "flow_ended"
    number_of_code = 315
    ended_at: datetime
    flow: int
    recorded_status: FlowStatus


class FlowCancelRequested(Refused):
    """The code ``flow_cancel_requested``. It may only end; create another flow for what is to go on."""

    code = "flow_cancel_requested"
    number_of_code = 316
    flow: int
    requested_at: datetime


class FlowMirrored(Refused):
    """The code ``flow_mirrored``. Change the task that it follows."""

    code = "flow_mirrored"
    number_of_code = 317
    flow: int


class FlowExistsWithDifferent(Refused):
    """The code ``flow_exists_with_different``. Use another key, or say the same as before."""

    code = "flow_exists_with_different"
    number_of_code = 318
    fields: tuple[str, ...]
    flow: int
    id: str


class FileExists(Refused):
    """The code ``file_exists``. Name another file, or say that it may be replaced."""

    code = "file_exists"
    number_of_code = 319
    path: str


class Busy(LedgerError, TimeoutError):
    """Others held the ledger for too long: ask again."""

    code = "busy"
    number_of_code = 400
    waited_ms: int


class WaitTimedOut(Busy):
    """The code ``wait_timed_out``. The tasks go on; wait again for longer."""

    code = "wait_timed_out"
    number_of_code = 401
    awaited: int
    pending: tuple[int, ...]
    waited_ms: int


class BadLedger(LedgerError, OSError):
    """The ledger itself needs attention."""


class NotALedger(BadLedger):
    """The code ``not_a_ledger``. Name a ledger with --ledger or BGLEDGER_DB; of one that was: `bgledger recover --to FOLDER`."""

    code = "not_a_ledger"
    number_of_code = 500
    path: str
    problem: str


class NewerLedger(BadLedger):
    """The code ``newer_ledger``. Use a newer bgledger; the file was left as it is."""

    code = "newer_ledger"
    number_of_code = 501
    known: int
    needed: int
    path: str
    purpose: str


class Corrupt(BadLedger):
    """The code ``corrupt``. `bgledger doctor` says more, and `bgledger recover --to FOLDER` saves what can be read."""

    code = "corrupt"
    number_of_code = 502
    path: str
    problem: str


class NetworkFileSystem(BadLedger):
    """The code ``network_file_system``. Put the ledger on a local disk, or allow it with --allow-network-fs."""

    code = "network_file_system"
    number_of_code = 503
    file_system: str
    path: str


class BadPath(BadLedger):
    """The code ``bad_path``."""

    code = "bad_path"
    number_of_code = 504
    path: str
    problem: str


class Unreadable(BadLedger):
    """The code ``unreadable``. Look at the permissions of the file and its folder."""

    code = "unreadable"
    number_of_code = 505
    path: str
    problem: str


class Failed(LedgerError, OSError):
    """It failed, and nothing was changed."""


class ReadOnly(Failed):
    """The code ``read_only``. Look at the permissions of the file and its folder."""

    code = "read_only"
    number_of_code = 600
    path: str
    problem: str


class DiskFull(Failed):
    """The code ``disk_full``. Free some space and ask again."""

    code = "disk_full"
    number_of_code = 601
    path: str


class Io(Failed):
    """The code ``io``. Ask again; if it stays, `bgledger doctor` says more."""

    code = "io"
    number_of_code = 602
    path: str
    problem: str


class Unknown(LedgerError, OSError):
    """It may have taken effect; asking again is safe."""

    code = "unknown"
    number_of_code = 700
    path: str
    problem: str


class Internal(LedgerError, RuntimeError):
    """A fault in bgledger."""

    code = "internal"
    number_of_code = 900
    problem: str


def _below(kind: type[LedgerError]) -> Iterator[type[LedgerError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


#: The class of each code.
BY_CODE: Final[dict[str, type[LedgerError]]] = {
    each.code: each for each in _below(LedgerError) if "code" in vars(each)
}
