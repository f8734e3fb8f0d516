"""subprocess: the commands that the program starts.

>>> from bgledger.integrations import processes            # doctest: +SKIP
>>> processes.install(ledger)                              # doctest: +SKIP
>>> processes.run(["make", "all"], ledger=ledger)          # doctest: +SKIP

``install`` records every command that is started by ``subprocess`` (``run``, ``check_output``, ``Popen`` …) or by
asyncio; ``run`` is ``subprocess.run`` for one that is to be recorded. The command line is kept, and how it ended:
``failed`` with its exit code or its signal, ``timed_out`` where the caller's timeout killed it. The executor is the
command's process, so it stays ``running`` if this one dies before. Its output is not recorded; ``bgledger run`` does.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._generated import Reason, Status
from .._ledger import Ledger
from ._installation import Installation, quiet, recorder_for
from ._recorder import Recorder
from ._run import Run

if TYPE_CHECKING:
    Base = subprocess.Popen[Any]
else:
    Base = subprocess.Popen

__all__ = ["install", "run"]


class RecordedPopen(Base):
    """A ``subprocess.Popen`` that is a task. Its end is noted when somebody learns of it: by ``wait`` or ``poll``."""

    recorder: Recorder | None = None
    _run: Run | None = None
    _returncode: int | None = None
    _is_overdue = False

    def __init__(self, args: Any, *rest: Any, **options: Any) -> None:
        try:
            super().__init__(args, *rest, **options)
        except OSError as error:
            # Also where a command is not found, or may not be executed.
            failed = self._begun(args, None)
            if failed is not None:
                failed.end(error)
            raise
        self._run = self._begun(args, self.pid)
        if self._returncode is not None:
            self._over(self._returncode)

    # asyncio learns of the end by itself, and tells it by setting this, as `wait` and `poll` do.
    @property
    def returncode(self) -> Any:
        return self._returncode

    @returncode.setter
    def returncode(self, value: int | None) -> None:
        self._returncode = value
        if value is not None:
            self._over(value)

    def communicate(self, input: Any = None, timeout: float | None = None) -> Any:
        try:
            return super().communicate(input, timeout)
        except subprocess.TimeoutExpired:
            self._is_overdue = True
            raise

    def wait(self, timeout: float | None = None) -> int:
        try:
            return super().wait(timeout)
        except subprocess.TimeoutExpired:
            self._is_overdue = True
            raise

    @quiet
    def _begun(self, args: Any, pid: int | None) -> Run | None:
        if self.recorder is None:
            return None
        words = [args] if isinstance(args, (str, bytes, os.PathLike)) else list(args)
        texts = [os.fsdecode(each) if isinstance(each, (str, bytes, os.PathLike)) else str(each) for each in words]
        line = texts[0] if len(texts) == 1 else shlex.join(texts)
        return Run(self.recorder, line, kind="command", task=line, executor=pid)

    @quiet
    def _over(self, code: int) -> None:
        run = self._run
        if run is None or run.is_left:
            return
        if code == 0:
            run.end_as(Status.SUCCEEDED, exit_code=0)
            return
        how = {"exit_code": code} if code > 0 else {"signal": -code}
        if self._is_overdue and code < 0:
            run.end_as(Status.TIMED_OUT, **how)
        else:
            reason = Reason.EXIT_CODE if code > 0 else Reason.SIGNAL
            words = f"exit code {code}" if code > 0 else f"signal {-code}"
            run.end_as(Status.FAILED, reason=reason, error={"message": words}, **how)


def install(ledger: Ledger | None = None) -> Installation:
    """Records every command that this process starts: until ``uninstall()``, ``subprocess.Popen`` is one that records.

    Args:
        ledger: Where; else the default ledger.
    """
    recorder = recorder_for(ledger, "subprocess")
    original: Any = subprocess.Popen
    recording = _recording(original, recorder)
    setattr(subprocess, "Popen", recording)

    def remove() -> None:
        if subprocess.Popen is recording:
            setattr(subprocess, "Popen", original)
        recording.recorder = None

    return Installation(recorder, remove)


def run(
    args: str | Sequence[str | os.PathLike[str]],
    *,
    ledger: Ledger | None = None,
    input: Any = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """``subprocess.run`` with the same arguments, and a record, which is there when it returns or raises.

    Args:
        ledger: Where; else the default ledger.

    Raises:
        CalledProcessError: ``check=True``, and the command failed.
        TimeoutExpired: It took longer than ``timeout`` seconds, and was killed.
        OSError: It could not be started.
    """
    recorder = recorder_for(ledger, "subprocess")
    if capture_output:
        options["stdout"] = options["stderr"] = subprocess.PIPE
    if input is not None:
        options["stdin"] = subprocess.PIPE
    try:
        with _recording(subprocess.Popen, recorder)(args, **options) as process:
            try:
                out, err = process.communicate(input, timeout=timeout)
            except BaseException:
                process.kill()
                process.wait()
                raise
    finally:
        recorder.flush()
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def _recording(base: Any, recorder: Recorder) -> Any:
    kind = base if issubclass(base, RecordedPopen) else RecordedPopen
    return type("Popen", (kind,), {"recorder": recorder})
