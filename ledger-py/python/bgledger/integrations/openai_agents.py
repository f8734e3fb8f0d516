"""OpenAI Agents SDK: every traced run.

>>> from bgledger.integrations import openai_agents        # doctest: +SKIP
>>> openai_agents.install(ledger)                          # doctest: +SKIP

A run (the SDK's trace) is a task, and below it each agent and each tool, as the spans nest. Turns and guardrails are
not, nor calls of a model unless ``llm=True``. Inputs and outputs are not recorded. A run whose tracing is disabled
leaves no record.
"""

from __future__ import annotations

import sys
from typing import Any

from agents.tracing import Span, Trace, TracingProcessor, add_trace_processor

from .._ending import is_cancelled
from .._generated import Status
from .._ledger import Ledger
from ._installation import Installation, quiet, recorder_for
from ._recorder import Recorder
from ._run import Run, count

__all__ = ["LedgerTracingProcessor", "install"]

KINDS = {"agent": "agent", "function": "tool", "generation": "llm", "response": "llm"}
"""What becomes of a type of span. Others are steps of these."""


class LedgerTracingProcessor(TracingProcessor):
    """Records traces. ``install`` adds one; with ``llm=True`` each call of a model is a task, too."""

    def __init__(self, recorder: Recorder, *, llm: bool = False) -> None:
        self.recorder: Recorder | None = recorder
        self._llm = llm
        # By the id of a trace or span: its task, or the nearest above it, and whether it is its own.
        self._open: dict[str, tuple[Run, bool]] = {}
        # What the topmost span of each trace ended with: the SDK's traces say nothing of their end.
        self._failed: dict[str, tuple[str, str, str | None]] = {}

    @quiet
    def on_trace_start(self, trace: Trace) -> None:
        """A run begins."""
        if self.recorder is not None:
            told = trace.export() or {}
            session = told.get("group_id")
            run = Run(self.recorder, trace.name, kind="workflow", run_id=trace.trace_id, session=session)
            self._open[trace.trace_id] = (run, True)

    @quiet
    def on_trace_end(self, trace: Trace) -> None:
        """A run ended: as its last agent did."""
        run, _ = self._open.pop(trace.trace_id, (None, False))
        failed = self._failed.pop(trace.trace_id, None)
        if run is not None and self.recorder is not None:
            _end(run, failed)

    @quiet
    def on_span_start(self, span: Span[Any]) -> None:
        """An agent, a tool, or a step between."""
        above = self._open.get(span.parent_id or span.trace_id) or self._open.get(span.trace_id)
        if self.recorder is None or above is None:
            return
        data: Any = span.span_data
        kind = KINDS.get(data.type)
        if kind is None or (kind == "llm" and not self._llm):
            self._open[span.span_id] = (above[0], False)
            return
        name = getattr(data, "name", None) or getattr(data, "model", None) or data.type
        run = Run(
            self.recorder,
            name,
            kind=kind,
            run_id=span.span_id,
            agent=name if kind == "agent" else None,
            parent=above[0],
            metadata={"trace_id": span.trace_id},
        )
        if kind == "tool":
            above[0].add_usage(tool_calls=1)
        self._open[span.span_id] = (run, True)

    @quiet
    def on_span_end(self, span: Span[Any]) -> None:
        """An agent, a tool, or a step between ended: well, with an error, or because it was cancelled."""
        run, is_own = self._open.pop(span.span_id, (None, False))
        if run is None or self.recorder is None:
            return
        data: Any = span.span_data
        if KINDS.get(data.type) == "llm":
            run.add_usage(*_tokens(data))
        failed = _failure(span)
        if data.type in ("agent", "task") and failed is not None:
            self._failed[span.trace_id] = failed
        elif data.type == "agent":
            self._failed.pop(span.trace_id, None)
        if is_own:
            _end(run, failed)

    def shutdown(self) -> None:
        """The host shuts its tracing down."""
        self.force_flush()

    def force_flush(self) -> None:
        """Waits until all is recorded."""
        if self.recorder is not None:
            self.recorder.flush()


def install(ledger: Ledger | None = None, *, llm: bool = False) -> Installation:
    """Records every traced run of the process, beside what else processes its traces.

    Args:
        ledger: Where; else the default ledger.
        llm: Record each call of a model, too. Otherwise its tokens count for the agent that made it.
    """
    recorder = recorder_for(ledger, "openai-agents")
    processor = LedgerTracingProcessor(recorder, llm=llm)
    add_trace_processor(processor)

    def remove() -> None:  # the SDK lets no processor go: it stays, and does nothing
        processor.recorder = None

    return Installation(recorder, remove)


CANCELLED = ("CancelledError", "", None)


def _failure(span: Span[Any]) -> tuple[str, str, str | None] | None:
    """How it failed: the exception that passes through just now, else what the SDK noted."""
    passing = sys.exc_info()[1]
    if passing is not None and is_cancelled(passing):
        return CANCELLED
    if span.error is None:
        return None
    data: dict[str, Any] = span.error.get("data") or {}
    message = str(span.error.get("message") or "")
    told = data.get("error")
    return (
        str(data.get("error_type") or data.get("type") or "AgentError"),
        str(told or message),
        message if told else None,
    )


def _end(run: Run, failed: tuple[str, str, str | None] | None) -> None:
    if failed is None:
        run.end_as(Status.SUCCEEDED)
    elif failed is CANCELLED:
        run.end_as(Status.CANCELLED)
    else:
        run.fail(*failed)


def _tokens(data: Any) -> tuple[int, int, int]:
    usage = getattr(data, "usage", None) or getattr(getattr(data, "response", None), "usage", None)
    told: Any = usage if isinstance(usage, dict) else vars(usage) if usage is not None else {}
    details = told.get("input_tokens_details") or {}
    cached = details.get("cached_tokens") if isinstance(details, dict) else getattr(details, "cached_tokens", 0)
    return count(told.get("input_tokens")), count(told.get("output_tokens")), count(cached)
