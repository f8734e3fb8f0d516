"""Microsoft Agent Framework, by its spans, with a model that is not there."""

from __future__ import annotations

import asyncio
from typing import Any

import bgledger
from agent_framework import Agent, BaseChatClient, ChatResponse, Content, FunctionInvocationLayer, Message
from agent_framework.observability import ChatTelemetryLayer, enable_instrumentation
from bgledger.integrations import opentelemetry
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider


class Scripted(FunctionInvocationLayer, ChatTelemetryLayer, BaseChatClient):  # type: ignore[misc]
    def _inner_get_response(self, *, messages: Any, **kwargs: Any) -> Any:
        async def answer() -> ChatResponse:
            is_answered = any(part.type == "function_result" for message in messages for part in message.contents)
            call = Content.from_function_call("call-1", "weather", arguments={"city": "Bergen"})
            part = Content.from_text("rain") if is_answered else call
            usage: Any = {"input_token_count": 10, "output_token_count": 2}
            return ChatResponse(messages=[Message("assistant", [part])], usage_details=usage)

        return answer()


def weather(city: str) -> str:
    """The weather of a city."""
    return f"rain in {city}"


def test_an_agent_and_its_tool(ledger: bgledger.Ledger) -> None:
    trace.set_tracer_provider(TracerProvider())
    enable_instrumentation()
    with opentelemetry.install(ledger):
        asyncio.run(Agent(Scripted(), name="reporter", tools=[weather]).run("how is Bergen?"))
    tasks = {task.label: task for task in ledger.all()}
    run, called = tasks["reporter"], tasks["weather"]
    assert (run.status, run.kind, run.runtime) == ("succeeded", "agent", "agent-framework")
    assert (called.status, called.kind, called.parent) == ("succeeded", "tool", run.id)
    assert run.usage is not None and run.usage.tokens_in >= 10
