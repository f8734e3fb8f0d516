"""OpenTelemetry: the GenAI spans of any framework that emits them.

>>> from bgledger.integrations import opentelemetry       # doctest: +SKIP
>>> opentelemetry.install(ledger)                         # doctest: +SKIP

That records Pydantic AI (``Agent.instrument_all()`` turns its spans on), Google ADK, Microsoft Agent Framework
(``ENABLE_INSTRUMENTATION=true``) and Strands, which all follow the conventions: an agent's run, its sub-agents and its
tools are tasks that nest as the spans do. Prompts and answers are not recorded.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.trace import StatusCode

from .._ending import is_cancelled
from .._generated import Status
from .._ledger import Ledger
from ._installation import Installation, quiet, recorder_for
from ._recorder import Recorder
from ._run import AROUND, Run, count, name_of

__all__ = ["LedgerSpanProcessor", "install"]

KINDS = {
    "invoke_agent": "agent",
    "invoke_workflow": "workflow",
    "execute_tool": "tool",
    "chat": "llm",
    "generate_content": "llm",
    "text_completion": "llm",
}
"""What becomes of an operation. Others (``create_agent``, ``embeddings`` …) are no work of their own."""

RUNTIMES = {
    "pydantic-ai": "pydantic-ai",
    "gcp.vertex.agent": "google-adk",
    "agent_framework": "agent-framework",
    "strands.telemetry.tracer": "strands",
}
"""The runtime of each instrumentation; one that is not here names itself."""


class LedgerSpanProcessor(SpanProcessor):
    """Records GenAI spans. ``install`` adds one; with ``llm=True`` each call of a model is a task, too."""

    def __init__(self, recorder: Recorder, *, llm: bool = False) -> None:
        self.recorder: Recorder | None = recorder
        self._llm = llm
        # By span: its task, or the nearest above it, and the exception that was being handled as it began.
        self._open: dict[int, tuple[Run | None, bool, BaseException | None]] = {}

    @quiet
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """A span began. Some frameworks tell the operation only by the name yet, and some only at the end."""
        context = span.get_span_context()
        if self.recorder is None or context is None:
            return
        operation = _operation(span, span.name)
        above = self._above(span)
        run = self._run(span, operation, above) if operation in KINDS else None
        self._open[context.span_id] = (run or above, run is not None, sys.exc_info()[1])

    @quiet
    def on_end(self, span: ReadableSpan) -> None:
        """A span ended: well, with an error, or because the work was cancelled."""
        context = span.get_span_context()
        if context is None:
            return
        run, is_own, before = self._open.pop(context.span_id, (None, False, None))
        if self.recorder is None:
            return
        operation = _operation(span, span.name)
        if not is_own and operation in KINDS:
            above, run = run, self._run(span, operation, run)
            is_own = run is not None
            run = run or above
        if run is None:
            return
        kind = KINDS.get(operation)
        if kind == "llm" or (is_own and not self._llm and run.usage_so_far.tokens_in == 0):
            run.add_usage(*_tokens(span.attributes or {}))
        if is_own:
            session = (span.attributes or {}).get("gen_ai.conversation.id")
            if session and not run.session:
                run.say(None, fill={"session": name_of(session) or "-"})
            if kind == "tool" and isinstance(run.above, Run):
                run.above.add_usage(tool_calls=1)
            # The SDK sets no status for CancelledError, which passes through just now.
            passing = sys.exc_info()[1]
            _end(run, span, None if passing is before else passing)

    def shutdown(self) -> None:
        """The host shuts its tracing down."""
        self.force_flush()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Waits until all is recorded; says whether it is."""
        return self.recorder is None or self.recorder.flush(timeout_millis / 1000)

    def _above(self, span: ReadableSpan) -> Run | None:
        return None if span.parent is None else self._open.get(span.parent.span_id, (None, False, None))[0]

    def _run(self, span: ReadableSpan, operation: str, above: Run | None) -> Run | None:
        kind, context = KINDS[operation], span.get_span_context()
        if self.recorder is None or context is None or (kind == "llm" and not self._llm):
            return None
        said: Mapping[str, Any] = span.attributes or {}
        scope = span.instrumentation_scope
        agent = said.get("gen_ai.agent.name")
        names = {"agent": agent, "tool": said.get("gen_ai.tool.name"), "llm": said.get("gen_ai.request.model")}
        label = names.get(kind) or said.get("gen_ai.workflow.name") or span.name.removeprefix(operation)
        return Run(
            self.recorder,
            label,
            kind=kind,
            runtime=_runtime("" if scope is None else scope.name),
            run_id=f"{context.trace_id:032x}-{context.span_id:016x}",
            session=said.get("gen_ai.conversation.id"),
            agent=agent,
            parent=AROUND if above is None else above,
            metadata={
                "trace_id": f"{context.trace_id:032x}",
                "span_id": f"{context.span_id:016x}",
                "model": said.get("gen_ai.request.model"),
                "call_id": said.get("gen_ai.tool.call.id"),
            },
            begun=None if span.start_time is None else datetime.fromtimestamp(span.start_time / 1e9, timezone.utc),
        )


def install(
    ledger: Ledger | None = None, *, provider: trace.TracerProvider | None = None, llm: bool = False
) -> Installation:
    """Records the GenAI spans of this process.

    Args:
        ledger: Where; else the default ledger.
        provider: Whose spans; else the global provider's. Where no SDK was set up, one is.
        llm: Record each call of a model, too. Otherwise its tokens count for the task that made it.

    Raises:
        TypeError: The provider takes no span processors.
    """
    chosen = provider or trace.get_tracer_provider()
    if provider is None and not hasattr(chosen, "add_span_processor"):
        chosen = TracerProvider()
        trace.set_tracer_provider(chosen)
    add = getattr(chosen, "add_span_processor", None)
    if add is None:
        raise TypeError("provider: expected an SDK's TracerProvider, which takes span processors")
    recorder = recorder_for(ledger, "opentelemetry")
    processor = LedgerSpanProcessor(recorder, llm=llm)
    add(processor)

    def remove() -> None:  # a provider lets no processor go: it stays, and does nothing
        processor.recorder = None

    return Installation(recorder, remove)


def _operation(span: ReadableSpan, name: str) -> str:
    said = (span.attributes or {}).get("gen_ai.operation.name")
    return said if isinstance(said, str) else name.partition(" ")[0]


def _runtime(scope: str) -> str:
    words = re.sub(r"[^a-z0-9_.-]+", "-", scope.lower()).strip("-_.")
    return RUNTIMES.get(scope) or (words[:64] if words[:1].isalpha() else "opentelemetry")


def _tokens(said: Mapping[str, Any]) -> tuple[int, int, int]:
    cached = said.get("gen_ai.usage.cache_read.input_tokens", said.get("gen_ai.usage.cache_read_input_tokens"))
    return count(said.get("gen_ai.usage.input_tokens")), count(said.get("gen_ai.usage.output_tokens")), count(cached)


def _end(run: Run, span: ReadableSpan, passing: BaseException | None) -> None:
    failures = [event.attributes or {} for event in span.events if event.name == "exception"]
    failure: Mapping[str, Any] = failures[-1] if failures else {}
    kind = failure.get("exception.type") or (span.attributes or {}).get("error.type")
    if passing is not None and is_cancelled(passing) or str(kind).endswith("CancelledError"):
        run.end_as(Status.CANCELLED)
    elif span.status.status_code is StatusCode.ERROR or kind is not None:
        run.fail(kind, failure.get("exception.message") or span.status.description, failure.get("exception.stacktrace"))
    else:
        run.end_as(Status.SUCCEEDED)
