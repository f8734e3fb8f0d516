"""OpenTelemetry: GenAI spans as any framework emits them, with the real SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import bgledger
import pytest
from bgledger.integrations import opentelemetry
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Status, StatusCode

from .conftest import Records


@pytest.fixture
def provider() -> TracerProvider:
    return TracerProvider()


@pytest.fixture
def installed(ledger: bgledger.Ledger, provider: TracerProvider) -> Iterator[bgledger.integrations.Installation]:
    with opentelemetry.install(ledger, provider=provider) as installation:
        yield installation


def said(operation: str, **more: Any) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": operation,
        **{f"gen_ai.{name.replace('__', '.')}": value for name, value in more.items()},
    }


def trip(tracer: Any) -> None:
    """An agent that asks its model, calls a tool, and has another agent work for it; spans between are its host's."""
    with tracer.start_as_current_span(
        "invoke_agent planner", attributes=said("invoke_agent", agent__name="planner", conversation__id="chat-7")
    ):
        with tracer.start_as_current_span("chat m", attributes=said("chat", request__model="m")) as chat:
            chat.set_attributes(said("chat", usage__input_tokens=10, usage__output_tokens=2))
            chat.set_attribute("gen_ai.usage.cache_read.input_tokens", 4)
        with tracer.start_as_current_span("running tools"):
            with tracer.start_as_current_span(
                "execute_tool weather", attributes=said("execute_tool", tool__name="weather")
            ):
                with tracer.start_as_current_span("GET /weather"):
                    with tracer.start_as_current_span(
                        "invoke_agent helper", attributes=said("invoke_agent", agent__name="helper")
                    ):
                        pass


def test_agents_and_tools_nest_as_the_spans_do(provider: TracerProvider, installed: Any, records: Records) -> None:
    with provider.get_tracer("web").start_as_current_span("POST /trip"):
        trip(provider.get_tracer("Any.Framework 2"))
    assert installed.flush()
    told = records()
    assert list(told) == ["planner", "weather", "helper"]
    planner, weather, helper = told.values()
    assert (planner.status, planner.kind, planner.runtime) == ("succeeded", "agent", "any.framework-2")
    assert (planner.session, planner.agent, planner.parent) == ("chat-7", "planner", None)
    assert (weather.kind, weather.parent, helper.parent) == ("tool", planner.id, weather.id)
    assert planner.usage == bgledger.Usage(10, 2, 4, {}, 1)
    assert planner.run_id == f"{planner.metadata['trace_id']}-{planner.metadata['span_id']}"


def test_calls_of_the_model_are_recorded_when_asked_for(
    ledger: bgledger.Ledger, provider: TracerProvider, records: Records
) -> None:
    with opentelemetry.install(ledger, provider=provider, llm=True):
        trip(provider.get_tracer("pydantic-ai"))
    told = records()
    assert (told["m"].kind, told["m"].parent, told["m"].runtime) == ("llm", told["planner"].id, "pydantic-ai")
    assert told["m"].usage == bgledger.Usage(10, 2, 4) and told["planner"].usage == bgledger.Usage(tool_calls=1)


def test_an_agent_that_says_only_at_its_end_what_it_is(
    provider: TracerProvider, installed: Any, records: Records
) -> None:
    tracer = provider.get_tracer("gcp.vertex.agent")
    with tracer.start_as_current_span("some work") as span:
        span.set_attributes(said("invoke_agent", agent__name="late", usage__input_tokens=7))
    assert installed.flush()
    late = records()["late"]
    assert (late.status, late.runtime, late.usage) == ("succeeded", "google-adk", bgledger.Usage(tokens_in=7))


def test_failures_by_an_exception_and_by_a_status(provider: TracerProvider, installed: Any, records: Records) -> None:
    tracer = provider.get_tracer("any")
    with pytest.raises(ConnectionError):
        with tracer.start_as_current_span("invoke_agent one"):
            raise ConnectionError("no line")
    with tracer.start_as_current_span("execute_tool two", attributes={"error.type": "TimeoutError"}) as span:
        span.set_status(Status(StatusCode.ERROR, "it took too long"))
    assert installed.flush()
    one, two = records().values()
    assert one.status == two.status == "failed" and one.error is not None and two.error is not None
    assert (one.error.type, one.error.message) == ("ConnectionError", "no line")
    assert one.error.detail is not None and "raise ConnectionError" in one.error.detail
    assert (two.error.type, two.error.message) == ("TimeoutError", "it took too long")


def test_a_cancelled_agent_of_which_the_sdk_says_nothing(
    provider: TracerProvider, installed: Any, records: Records
) -> None:
    tracer = provider.get_tracer("any")

    async def work() -> None:
        with tracer.start_as_current_span("invoke_agent one"):
            with tracer.start_as_current_span("execute_tool two"):
                await asyncio.sleep(60)

    async def main() -> None:
        working = asyncio.create_task(work())
        await asyncio.sleep(0)
        working.cancel()
        try:
            await working
        except asyncio.CancelledError:
            # What begins and ends while that exception is handled was not cancelled.
            with tracer.start_as_current_span("invoke_agent three"):
                pass

    asyncio.run(main())
    assert installed.flush()
    told = records()
    assert {label.strip(): str(task.status) for label, task in told.items()} == {
        "one": "cancelled",
        "two": "cancelled",
        "three": "succeeded",
    }


def test_without_a_provider_the_global_one_is_used(ledger: bgledger.Ledger, other: Callable[..., Any]) -> None:
    host = """
    from bgledger.integrations import opentelemetry
    opentelemetry.install(bgledger.open(path))
    from opentelemetry import trace
    with trace.get_tracer("any").start_as_current_span("invoke_agent one"):
        pass
    """
    process = other(host)
    assert process.end() == 0 and process.errors == ""
    assert [(task.label, str(task.status)) for task in ledger.all()] == [("one", "succeeded")]


def test_a_provider_that_takes_no_processors_is_refused(ledger: bgledger.Ledger) -> None:
    from opentelemetry.trace import NoOpTracerProvider

    with pytest.raises(TypeError, match="provider"):
        opentelemetry.install(ledger, provider=NoOpTracerProvider())


def test_the_host_finishes_while_the_ledger_is_locked(
    ledger: bgledger.Ledger, provider: TracerProvider, records: Records, release: Callable[[], None]
) -> None:
    with opentelemetry.install(ledger, provider=provider) as installed:
        trip(provider.get_tracer("any"))
        assert not installed.flush(0) and list(records()) == ["before"]
        release()
    assert records()["planner"].status == "succeeded"


def test_an_unusable_ledger_is_logged_once_and_the_host_goes_on(
    unusable: bgledger.Ledger, provider: TracerProvider, caplog: pytest.LogCaptureFixture
) -> None:
    with opentelemetry.install(unusable, provider=provider):
        for _ in range(5):
            trip(provider.get_tracer("any"))
    assert len([each for each in caplog.records if each.name == "bgledger"]) == 1
