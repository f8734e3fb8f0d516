"""Google ADK, by its spans, with a model that is not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import bgledger
from bgledger.integrations import opentelemetry
from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import InMemoryRunner
from google.genai import types
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider


class Scripted(BaseLlm):
    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        is_answered = any(part.function_response for content in llm_request.contents for part in content.parts or [])
        if is_answered:
            part = types.Part(text="rain")
        else:
            part = types.Part(function_call=types.FunctionCall(name="weather", args={"city": "Bergen"}))
        usage = types.GenerateContentResponseUsageMetadata(prompt_token_count=10, candidates_token_count=2)
        yield LlmResponse(content=types.Content(role="model", parts=[part]), usage_metadata=usage)


def weather(city: str) -> str:
    """The weather of a city."""
    return f"rain in {city}"


def test_an_agent_and_its_tool(ledger: bgledger.Ledger) -> None:
    trace.set_tracer_provider(TracerProvider())
    agent: Any = LlmAgent(name="reporter", model=Scripted(model="scripted"), tools=[weather])

    async def main() -> None:
        runner = InMemoryRunner(agent=agent, app_name="app")
        session = await runner.session_service.create_session(app_name="app", user_id="u", session_id="chat-7")
        question = types.Content(role="user", parts=[types.Part(text="how is Bergen?")])
        async for _ in runner.run_async(user_id="u", session_id=session.id, new_message=question):
            pass

    with opentelemetry.install(ledger):
        asyncio.run(main())
    whole, run, tool = reversed(list(ledger.all()))
    assert (whole.status, whole.kind, whole.label) == ("succeeded", "workflow", "reporter")
    assert (run.status, run.kind, run.runtime, run.session) == ("succeeded", "agent", "google-adk", "chat-7")
    assert (tool.status, tool.kind, tool.label) == ("succeeded", "tool", "weather")
    assert (run.parent, tool.parent) == (whole.id, run.id)
    assert run.usage is not None and run.usage.tokens_in >= 10 and run.usage.tool_calls == 1
