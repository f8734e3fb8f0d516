"""OpenAI Agents SDK, with a model that is not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import agents
import bgledger
import pytest
from agents import Agent, RunConfig, Runner, function_tool
from agents.items import ModelResponse
from agents.models.interface import Model
from agents.usage import Usage
from bgledger.integrations import openai_agents
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from openai.types.responses.response_usage import InputTokensDetails

from .conftest import Records


class Scripted(Model):
    """It says what it was told to say."""

    def __init__(self, *turns: Any) -> None:
        self.turns = list(turns)

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        with agents.generation_span(model="scripted") as span:
            turn = self.turns.pop(0)
            if isinstance(turn, BaseException):
                raise turn
            span.span_data.usage = {
                "input_tokens": 10,
                "output_tokens": 2,
                "input_tokens_details": {"cached_tokens": 4},
            }
            usage = Usage(
                requests=1,
                input_tokens=10,
                output_tokens=2,
                input_tokens_details=InputTokensDetails(cached_tokens=4, cache_write_tokens=0),
            )
            return ModelResponse(output=[turn], usage=usage, response_id=None)

    def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


def says(text: str) -> ResponseOutputMessage:
    part = ResponseOutputText(text=text, type="output_text", annotations=[])
    return ResponseOutputMessage(id="m", content=[part], role="assistant", status="completed", type="message")


def calls(name: str, arguments: str = "{}") -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(name=name, arguments=arguments, call_id="c", type="function_call", id="f")


@function_tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"rain in {city}"


@function_tool(failure_error_function=None)
def broken() -> str:
    """It always fails."""
    raise ConnectionError("no line")


@pytest.fixture(autouse=True)
def none_else() -> None:
    """Nothing is sent to anybody."""
    agents.set_trace_processors([])


@pytest.fixture
def installed(ledger: bgledger.Ledger) -> Iterator[bgledger.integrations.Installation]:
    with openai_agents.install(ledger) as installation:
        yield installation


def ask(agent: Agent[Any], **options: Any) -> Any:
    return asyncio.run(Runner.run(agent, "how is Bergen?", run_config=RunConfig(**options)))


def test_a_run_its_agent_and_its_tool(installed: Any, records: Records) -> None:
    agent = Agent("reporter", tools=[weather], model=Scripted(calls("weather", '{"city": "Bergen"}'), says("rain")))
    assert ask(agent, workflow_name="report", group_id="chat-7").final_output == "rain"
    assert installed.flush()
    told = records()
    assert list(told) == ["report", "reporter", "weather"]
    run, one, called = told.values()
    assert (run.status, run.runtime, run.kind, run.session) == ("succeeded", "openai-agents", "workflow", "chat-7")
    assert run.run_id is not None and run.run_id.startswith("trace_")
    assert (one.status, one.kind, one.agent, one.parent) == ("succeeded", "agent", "reporter", run.id)
    assert (called.status, called.kind, called.parent) == ("succeeded", "tool", one.id)
    assert one.usage == bgledger.Usage(20, 4, 8, {}, 1)


def test_an_agent_as_a_tool_is_below_that_tool(installed: Any, records: Records) -> None:
    inner = Agent("inner", model=Scripted(says("rain")))
    tool = inner.as_tool("ask_inner", "Asks another.")
    outer = Agent("outer", tools=[tool], model=Scripted(calls("ask_inner", '{"input": "x"}'), says("done")))
    ask(outer)
    assert installed.flush()
    told = records()
    assert list(told) == ["Agent workflow", "outer", "ask_inner", "inner"]
    assert told["inner"].parent == told["ask_inner"].id and told["ask_inner"].parent == told["outer"].id


def test_calls_of_the_model_are_recorded_when_asked_for(ledger: bgledger.Ledger, records: Records) -> None:
    with openai_agents.install(ledger, llm=True):
        ask(Agent("reporter", model=Scripted(says("rain"))))
    told = records()
    assert list(told) == ["Agent workflow", "reporter", "scripted"]
    assert (told["scripted"].kind, told["scripted"].parent) == ("llm", told["reporter"].id)
    assert told["scripted"].usage == bgledger.Usage(10, 2, 4) and told["reporter"].usage is None


def test_a_tool_that_fails_fails_the_run(installed: Any, records: Records) -> None:
    with pytest.raises(Exception, match="no line"):
        ask(Agent("reporter", tools=[broken], model=Scripted(calls("broken"))))
    assert installed.flush()
    told = records()
    assert {label: str(task.status) for label, task in told.items()} == {
        "Agent workflow": "failed",
        "reporter": "failed",
        "broken": "failed",
    }
    error = told["broken"].error
    assert error is not None and error.message is not None and "no line" in error.message


def test_a_model_that_fails_fails_the_run(installed: Any, records: Records) -> None:
    with pytest.raises(ConnectionError):
        ask(Agent("reporter", model=Scripted(ConnectionError("no line"))))
    assert installed.flush()
    told = records()
    assert {label: str(task.status) for label, task in told.items()} == {
        "Agent workflow": "failed",
        "reporter": "failed",
    }
    error = told["reporter"].error
    assert error is not None and error.message is not None


def test_a_run_that_is_cancelled(installed: Any, records: Records) -> None:
    begun = asyncio.Event()

    @function_tool
    async def forever() -> str:
        """It never ends."""
        begun.set()
        await asyncio.sleep(60)
        return ""

    async def main() -> None:
        asking = asyncio.create_task(
            Runner.run(Agent("reporter", tools=[forever], model=Scripted(calls("forever"))), "x")
        )
        await begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(main())
    assert installed.flush()
    told = records()
    assert {label: str(task.status) for label, task in told.items()} == {
        "Agent workflow": "cancelled",
        "reporter": "cancelled",
        "forever": "cancelled",
    }


def test_turned_off_it_records_nothing(ledger: bgledger.Ledger) -> None:
    openai_agents.install(ledger).uninstall()
    ask(Agent("reporter", model=Scripted(says("rain"))))
    with pytest.raises(bgledger.NoLedger):
        ledger.list()


def test_the_host_finishes_while_the_ledger_is_locked(
    ledger: bgledger.Ledger, records: Records, release: Callable[[], None]
) -> None:
    with openai_agents.install(ledger) as installed:
        assert ask(Agent("reporter", model=Scripted(says("rain")))).final_output == "rain"
        assert not installed.flush(0) and list(records()) == ["before"]
        release()
    assert records()["reporter"].status == "succeeded"


def test_an_unusable_ledger_is_logged_once_and_the_host_goes_on(
    unusable: bgledger.Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    with openai_agents.install(unusable):
        assert ask(Agent("reporter", model=Scripted(says("rain")))).final_output == "rain"
    assert len([each for each in caplog.records if each.name == "bgledger"]) == 1
