"""What the way a block was left comes to."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

from ._base import LedgerError
from ._errors import TaskCancelled
from ._generated import ERROR_DETAIL_BYTES, ERROR_MESSAGE_BYTES, ERROR_TYPE_BYTES, Reason, Status
from ._recording import KEEP
from ._types import Failure

if TYPE_CHECKING:
    from ._task import TaskRun


def is_cancelled(error: BaseException) -> bool:
    """Whether an exception says that the work was cancelled. What was never imported was never raised."""
    if isinstance(error, (KeyboardInterrupt, GeneratorExit, TaskCancelled)):
        return True
    futures = sys.modules.get("concurrent.futures")
    loops = sys.modules.get("asyncio.exceptions")
    return any(module is not None and isinstance(error, module.CancelledError) for module in (futures, loops))


@dataclasses.dataclass
class Ending:
    """What the work said for its end before it came."""

    result: Any = KEEP
    summary: str | None = None
    outcome: str | None = None
    is_overdue: bool = False


def ending_of(error: BaseException | None, run: TaskRun) -> dict[str, Any]:
    """How a block that was left by this exception ended, as ``finish`` is told."""
    ending = run._ending
    said: dict[str, Any] = {"summary": ending.summary}
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return {**said, "status": Status.SUCCEEDED, "outcome": ending.outcome, "result": ending.result}
    if ending.is_overdue:
        return {**said, "status": Status.TIMED_OUT, "error": failure_of(error)}
    if is_cancelled(error):
        return {**said, "status": Status.CANCELLED}
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) and abs(error.code) < 2**31 else 1
        return {**said, "status": Status.FAILED, "reason": Reason.EXIT_CODE, "exit_code": code, "error": failure_of(error)}
    return {**said, "status": Status.FAILED, "error": failure_of(error)}


def bare_ending(said: dict[str, Any], refusal: LedgerError) -> dict[str, Any]:
    """The same end without what the work said of it, which was refused. A success without its result is none."""
    if said["status"] == Status.SUCCEEDED:
        return {"status": Status.FAILED, "error": failure_of(refusal)}
    return {name: value for name, value in said.items() if name != "summary"}


def failure_of(error: BaseException) -> Failure:
    """An exception: its class, its message, its traceback, all within the ledger's bounds."""
    import traceback

    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(error)
    except Exception:
        message = "(its message cannot be shown)"
    try:
        detail = "".join(traceback.format_exception(kind, error, error.__traceback__))
    except Exception:
        detail = ""
    # The core cuts a detail to its end and says so; what is cut here is only more than it ever keeps.
    detail = plain(detail)[-2 * ERROR_DETAIL_BYTES :]
    return Failure(cut(plain(name), ERROR_TYPE_BYTES), cut(plain(message), ERROR_MESSAGE_BYTES), detail or None)


def plain(text: str) -> str:
    """The text without what cannot be recorded: lone surrogates and NUL."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def cut(text: str, most: int) -> str:
    """The text's beginning, at most so many bytes, marked where it was cut."""
    data = text.encode()
    if len(data) <= most:
        return text
    return data[: most - 3].decode("utf-8", "ignore") + "…"
