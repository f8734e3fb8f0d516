"""What turns an integration on and off, and what keeps its faults from the host."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from .._ledger import Ledger, open
from ._recorder import LAST, Recorder

R = TypeVar("R")


class Installation:
    """An integration that is turned on. As a context manager it is turned off at the block's end."""

    def __init__(self, recorder: Recorder, remove: Callable[[], object]) -> None:
        self.recorder = recorder
        self._remove: Callable[[], object] | None = remove

    def flush(self, timeout: float = LAST) -> bool:
        """Waits until what happened so far is recorded; says whether that came within ``timeout`` seconds."""
        return self.recorder.flush(timeout)

    def uninstall(self, timeout: float = LAST) -> bool:
        """Turns it off, and flushes. What runs on is recorded no more. A second time does nothing but flush."""
        remove, self._remove = self._remove, None
        if remove is not None:
            remove()
        return self.flush(timeout)

    @property
    def is_installed(self) -> bool:
        """Whether it is turned on."""
        return self._remove is not None

    def __enter__(self) -> Installation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.uninstall()


def recorder_for(ledger: Ledger | None, runtime: str) -> Recorder:
    """The recorder of an integration, on the ledger given, else on the default one."""
    return Recorder(open() if ledger is None else ledger, runtime)


def quiet(hook: Callable[..., R]) -> Callable[..., R | None]:
    """A method that the host calls: what goes wrong inside is logged by its ``recorder``, and the host goes on."""

    @functools.wraps(hook)
    def called(self: Any, *args: Any, **kwargs: Any) -> R | None:
        try:
            return hook(self, *args, **kwargs)
        except Exception as error:
            recorder: Recorder | None = self.recorder
            if recorder is not None:
                recorder.failed(f"{hook.__name__}: {type(error).__name__}", repr(error))
            return None

    return called
