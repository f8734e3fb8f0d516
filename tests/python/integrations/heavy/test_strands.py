"""Strands, by its spans, with a model that is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import bgledger
from bgledger.integrations import opentelemetry
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from strands import Agent, tool
from strands.models import Model


class Scripted(Model):
    def update_config(self, **model_config: Any) -> None: ...

    def get_config(self) -> Any:
        return {"model_id": "scripted"}

    async def structured_output(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError
        yield

    async def stream(self, messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        is_answered = any("toolResult" in part for message in messages for part in message["content"])
        yield {"messageStart": {"role": "assistant"}}
        if is_answered:
            yield {"contentBlockDelta": {"delta": {"text": "rain"}}}
        else:
            yield {"contentBlockStart": {"start": {"toolUse": {"name": "weather", "toolUseId": "call-1"}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"city": "Bergen"}'}}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn" if is_answered else "tool_use"}}
        usage = {"inputTokens": 10, "outputTokens": 2, "totalTokens": 12}
        yield {"metadata": {"usage": usage, "metrics": {"latencyMs": 1}}}


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"rain in {city}"


def test_an_agent_and_its_tool(ledger: bgledger.Ledger) -> None:
    trace.set_tracer_provider(TracerProvider())
    with opentelemetry.install(ledger):
        Agent(name="reporter", model=Scripted(), tools=[weather], callback_handler=None)("how is Bergen?")
    tasks = {task.label: task for task in ledger.all()}
    run, called = tasks["reporter"], tasks["weather"]
    assert (run.status, run.kind, run.runtime) == ("succeeded", "agent", "strands")
    assert (called.status, called.kind, called.parent) == ("succeeded", "tool", run.id)
    assert run.usage is not None and (run.usage.tokens_in, run.usage.tokens_out) == (20, 4)
