"""The task and the flow of the running code."""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from ._flow_run import FlowRun
    from ._task import TaskRun

P = ParamSpec("P")
T = TypeVar("T")

CURRENT: contextvars.ContextVar[TaskRun | None] = contextvars.ContextVar("bgledger_task", default=None)
"""The task whose block surrounds the running code: the parent of those that begin inside it."""

FLOW: contextvars.ContextVar[FlowRun | None] = contextvars.ContextVar("bgledger_flow", default=None)
"""The flow whose block surrounds the running code."""


def current() -> TaskRun | None:
    """The task whose block surrounds the running code, if any.

    Tasks begun inside are its children: also in asyncio tasks. A new thread begins outside of any: see :func:`inherit`.
    """
    return CURRENT.get()


def inherit(function: Callable[P, T]) -> Callable[P, T]:
    """The function with the task and the flow of the running code around it, wherever it is called.

    For threads, which begin outside of any:

    >>> threading.Thread(target=bgledger.inherit(work)).start()        # doctest: +SKIP
    >>> pool.map(bgledger.inherit(work), items)                        # doctest: +SKIP
    """
    run, flow = CURRENT.get(), FLOW.get()

    @functools.wraps(function)
    def inherited(*args: P.args, **kwargs: P.kwargs) -> T:
        token, flow_token = CURRENT.set(run), FLOW.set(flow)
        try:
            return function(*args, **kwargs)
        finally:
            CURRENT.reset(token)
            FLOW.reset(flow_token)

    return inherited


__all__ = ["CURRENT", "FLOW", "current", "inherit"]
