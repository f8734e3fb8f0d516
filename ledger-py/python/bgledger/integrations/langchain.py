"""LangChain and LangGraph: every run of the process, without a change to it.

>>> from bgledger.integrations import langchain            # doctest: +SKIP
>>> langchain.install(ledger)                              # doctest: +SKIP

What is called from outside (a chain, a graph, an agent), graphs and agents below it, and tools are tasks that nest as
the runs do. The steps between are not, nor calls of a model unless ``llm=True``. Inside a tool ``bgledger.current()``
is its task. Inputs and outputs are not recorded.
"""

from __future__ import annotations

import weakref
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import LLMResult
from langchain_core.tracers.context import register_configure_hook

from .._generated import Outcome, Status
from .._ledger import Ledger
from .._task import CURRENT
from ._installation import Installation, quiet, recorder_for
from ._recorder import Recorder
from ._run import AROUND, Run

__all__ = ["LedgerCallbackHandler", "install"]

SESSIONS = ("thread_id", "session_id", "conversation_id")
"""What names the conversation in a run's metadata."""


class LedgerCallbackHandler(BaseCallbackHandler):
    """Records runs. ``install`` hands it to every run; it may also be given to one, in ``callbacks=[…]``."""

    # On the caller's thread and in its context, in the order in which things happen: a note takes microseconds.
    run_inline = True

    def __init__(self, recorder: Recorder | None, *, llm: bool = False) -> None:
        self.recorder = recorder
        self.llm = llm
        # By run id: its task, or the nearest above it, and whether it is its own.
        self._open: dict[UUID, tuple[Run | None, bool]] = {}
        # Tasks in which a step waits for a person: that step says so, the run around it just ends.
        self._interrupted: weakref.WeakSet[Run] = weakref.WeakSet()

    @quiet
    def on_chain_start(
        self,
        serialized: dict[str, Any] | None,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A chain, a graph, an agent, or a step of one."""
        said, label = metadata or {}, _label(serialized, kwargs)
        is_agent = label in ("LangGraph", "AgentExecutor", said.get("lc_agent_name"))
        kind = "agent" if is_agent else "chain" if parent_run_id is None else None
        agent = said.get("lc_agent_name") if is_agent else None
        self._begin(run_id, parent_run_id, kind, label, said, agent=agent)

    @quiet
    def on_tool_start(
        self,
        serialized: dict[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A tool."""
        said = {**(metadata or {}), "call_id": kwargs.get("tool_call_id")}
        above = self._above(parent_run_id)
        if above is not None:
            above.add_usage(tool_calls=1)
        self._begin(run_id, parent_run_id, "tool", _label(serialized, kwargs), said)

    @quiet
    def on_chat_model_start(
        self,
        serialized: dict[str, Any] | None,
        messages: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """A call of a model."""
        said = metadata or {}
        said = {**said, "model": said.get("ls_model_name")}
        self._begin(run_id, parent_run_id, "llm" if self.llm else None, _label(serialized, kwargs), said)

    @quiet
    def on_llm_start(self, serialized: dict[str, Any] | None, prompts: list[str], **kwargs: Any) -> None:
        """A call of a model that takes plain text."""
        self.on_chat_model_start(serialized, prompts, **kwargs)

    @quiet
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """A model answered; where it says what that cost, that is added up."""
        run = self._open.get(run_id, (None, False))[0]
        if run is not None:
            run.add_usage(*_tokens(response))
        self._end(run_id)

    @quiet
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """It ended well, or waits for a person."""
        self._end(run_id)

    @quiet
    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """It ended well, or with a message that says how it failed."""
        failure = str(getattr(output, "content", "")) if getattr(output, "status", None) == "error" else None
        self._end(run_id, failure=failure)

    @quiet
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It failed, or was cancelled."""
        is_interrupted = any(kind.__name__ == "GraphBubbleUp" for kind in type(error).__mro__)
        self._end(run_id, None if is_interrupted else error, is_interrupted=is_interrupted)

    @quiet
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It failed, or was cancelled."""
        self.on_chain_error(error, run_id=run_id)

    @quiet
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It failed, or was cancelled."""
        self.on_chain_error(error, run_id=run_id)

    def _above(self, parent_run_id: UUID | None) -> Run | None:
        return None if parent_run_id is None else self._open.get(parent_run_id, (None, False))[0]

    def _begin(
        self,
        run_id: UUID,
        parent_run_id: UUID | None,
        kind: str | None,
        label: str,
        said: dict[str, Any],
        agent: object = None,
    ) -> None:
        if self.recorder is None:
            return
        above = self._above(parent_run_id)
        if kind is None:
            self._open[run_id] = (above, False)
            return
        run = Run(
            self.recorder,
            label,
            kind=kind,
            run_id=run_id,
            session=next((said[name] for name in SESSIONS if said.get(name)), None),
            agent=agent,
            parent=AROUND if above is None else above,
            metadata={name: said.get(name) for name in ("langgraph_node", "model", "call_id")},
        )
        self._open[run_id] = (run, True)
        if kind == "tool":
            CURRENT.set(run)

    def _end(
        self,
        run_id: UUID,
        error: BaseException | None = None,
        *,
        failure: str | None = None,
        is_interrupted: bool = False,
    ) -> None:
        run, is_own = self._open.pop(run_id, (None, False))
        if run is None or self.recorder is None:
            return
        if is_interrupted:
            self._interrupted.add(run.above if is_own and isinstance(run.above, Run) else run)
        if not is_own:
            return
        if CURRENT.get() is run:
            CURRENT.set(run.outside)
        if is_interrupted or (error is None and run in self._interrupted):
            run.end_as(Status.SUCCEEDED, outcome=Outcome.BLOCKED, summary="interrupted: it waits to be resumed")
        elif failure is not None:
            run.fail("ToolError", failure)
        else:
            run.end(error)


_handler = LedgerCallbackHandler(None)
_hook: ContextVar[BaseCallbackHandler | None] | None = None


def install(ledger: Ledger | None = None, *, llm: bool = False) -> Installation:
    """Records every run of the process; a second call takes over from the first.

    Args:
        ledger: Where; else the default ledger.
        llm: Record each call of a model, too. Otherwise its tokens count for the task that made it.
    """
    global _hook
    if _hook is None:
        # As a default it is there in every thread and context. A hook cannot be taken back, so it is registered once.
        _hook = ContextVar("bgledger_langchain", default=_handler)
        register_configure_hook(_hook, inheritable=True)
    recorder = recorder_for(ledger, "langchain")
    _handler.recorder, _handler.llm = recorder, llm

    def remove() -> None:
        if _handler.recorder is recorder:
            _handler.recorder = None
            _handler._open.clear()

    return Installation(recorder, remove)


def _label(serialized: dict[str, Any] | None, said: dict[str, Any]) -> str:
    given = serialized or {}
    return str(said.get("name") or given.get("name") or (given.get("id") or ["run"])[-1])


def _tokens(response: LLMResult) -> tuple[Any, Any, Any]:
    message = next((getattr(each, "message", None) for choices in response.generations for each in choices), None)
    usage = getattr(message, "usage_metadata", None)
    if usage:
        return (
            usage.get("input_tokens"),
            usage.get("output_tokens"),
            (usage.get("input_token_details") or {}).get("cache_read"),
        )
    told = (response.llm_output or {}).get("token_usage") or {}
    return told.get("prompt_tokens"), told.get("completion_tokens"), 0
