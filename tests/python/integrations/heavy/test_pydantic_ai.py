"""Pydantic AI, by its spans, with a model that is not there."""

from __future__ import annotations


import bgledger
import pytest
from bgledger.integrations import opentelemetry
from opentelemetry.sdk.trace import TracerProvider
from pydantic_ai import Agent
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.test import TestModel


def test_an_agent_and_its_tool(ledger: bgledger.Ledger) -> None:
    provider = TracerProvider()
    with opentelemetry.install(ledger, provider=provider):
        Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))
        agent = Agent(TestModel(), name="reporter")

        @agent.tool_plain
        def weather(city: str) -> str:
            return f"rain in {city}"

        agent.run_sync("how is Bergen?")
    tool, run = ledger.list().tasks
    assert (run.status, run.kind, run.runtime, run.label) == ("succeeded", "agent", "pydantic-ai", "reporter")
    assert (tool.status, tool.kind, tool.label, tool.parent) == ("succeeded", "tool", "weather", run.id)
    assert run.usage is not None and run.usage.tokens_in > 0 and run.usage.tokens_out > 0 and run.usage.tool_calls == 1


def test_a_tool_that_fails(ledger: bgledger.Ledger) -> None:
    provider = TracerProvider()
    with opentelemetry.install(ledger, provider=provider):
        Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))
        agent = Agent(TestModel(), name="reporter")

        @agent.tool_plain
        def weather(city: str) -> str:
            raise ConnectionError("no line")

        with pytest.raises(ConnectionError):
            agent.run_sync("how is Bergen?")
    tool, run = ledger.list().tasks
    assert (run.status, tool.status, tool.parent) == ("failed", "failed", run.id)
    assert tool.error is not None and (tool.error.type, tool.error.message) == ("ConnectionError", "no line")
