"""A run of the OpenAI Agents SDK: the run, the agent, the tool. The model here is a script, so that nothing is sent."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, Runner, function_tool, set_trace_processors
from agents.items import ModelResponse
from agents.models.interface import Model
from agents.usage import Usage
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

import bgledger
from bgledger.integrations import openai_agents

set_trace_processors([])  # the SDK's own sends traces to its vendor

ledger = bgledger.open("ledger.db")
installed = openai_agents.install(ledger)


class Scripted(Model):
    def __init__(self) -> None:
        part = ResponseOutputText(text="rain", type="output_text", annotations=[])
        self.turns: list[ResponseFunctionToolCall | ResponseOutputMessage] = [
            ResponseFunctionToolCall(name="weather", arguments='{"city": "Bergen"}', call_id="1", type="function_call"),
            ResponseOutputMessage(id="2", content=[part], role="assistant", status="completed", type="message"),
        ]

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return ModelResponse(output=[self.turns.pop(0)], usage=Usage(), response_id=None)

    def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


@function_tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"rain in {city}"


print(asyncio.run(Runner.run(Agent("reporter", model=Scripted(), tools=[weather]), "How is Bergen?")).final_output)

installed.flush()
for task in reversed(list(ledger.all())):
    print(task, task.kind)
