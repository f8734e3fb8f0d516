"""LangChain and LangGraph, with models that are not there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypedDict

import bgledger
import pytest
from bgledger.integrations import langchain
from langchain_core.language_models.fake_chat_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt

from .conftest import Records


class State(TypedDict):
    text: str


@pytest.fixture
def installed(ledger: bgledger.Ledger) -> Iterator[bgledger.integrations.Installation]:
    with langchain.install(ledger) as installation:
        yield installation


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    run = bgledger.current()
    assert run is not None
    with run.ledger.task("inside the tool"):
        return f"rain in {city}"


@tool
def broken(city: str) -> str:
    """It always fails."""
    raise ConnectionError("no line")


def model() -> GenericFakeChatModel:
    call = {"name": "weather", "args": {"city": "Bergen"}, "id": "call-1"}
    usage: Any = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12, "input_token_details": {"cache_read": 4}}
    answers = [AIMessage("", tool_calls=[call], usage_metadata=usage), AIMessage("rain", usage_metadata=usage)]
    return GenericFakeChatModel(messages=iter(answers))


def agent(name: str = "reporter", **options: Any) -> Any:
    """A model and its tools in a loop, as an agent is."""
    chat = model()
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [chat.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([weather]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", lambda state: "tools" if state["messages"][-1].tool_calls else END)
    graph.add_edge("tools", "model")
    return graph.compile(name=name, **options)


def test_an_agent_its_tool_and_what_the_tool_does(installed: Any, records: Records) -> None:
    question: Any = {"messages": [("user", "how is Bergen?")]}
    answer = agent(checkpointer=InMemorySaver()).invoke(question, {"configurable": {"thread_id": "chat-7"}})
    assert answer["messages"][-1].content == "rain"
    assert installed.flush()
    told = records()
    assert list(told) == ["reporter", "weather", "inside the tool"]
    run, called, inside = told.values()
    assert (run.status, run.runtime, run.session, run.parent) == ("succeeded", "langchain", "chat-7", None)
    assert (called.status, called.kind, called.session, called.parent) == ("succeeded", "tool", "chat-7", run.id)
    assert called.metadata == {"langgraph_node": "tools", "call_id": "call-1"}
    assert inside.parent == called.id
    assert run.usage == bgledger.Usage(20, 4, 8, {}, 1)
    assert run.run_id is not None and called.run_id is not None


def test_calls_of_the_model_are_recorded_when_asked_for(ledger: bgledger.Ledger) -> None:
    with langchain.install(ledger, llm=True):
        agent().invoke({"messages": [("user", "how is Bergen?")]})
    tasks = list(ledger.all())[::-1]
    assert [task.kind for task in tasks] == ["chain", "llm", "tool", None, "llm"]
    assert [task.usage.tokens_in for task in tasks if task.kind == "llm" and task.usage is not None] == [10, 10]
    assert tasks[0].usage == bgledger.Usage(tool_calls=1)


def test_a_graph_below_a_graph(installed: Any, records: Records) -> None:
    outer = StateGraph(MessagesState)
    outer.add_node("ask", agent("LangGraph"))
    outer.add_edge(START, "ask")
    question: Any = {"messages": [("user", "how is Bergen?")]}
    outer.compile(name="outer").invoke(question)
    assert installed.flush()
    told = records()
    assert list(told) == ["outer", "LangGraph", "weather", "inside the tool"]
    assert told["LangGraph"].parent == told["outer"].id and told["LangGraph"].kind == "agent"
    assert told["weather"].parent == told["LangGraph"].id


def test_a_chain_with_its_steps_is_one_task(installed: Any, records: Records) -> None:
    chat = FakeListChatModel(responses=["fine"])
    chain = (RunnableLambda(lambda text: text) | chat).with_config(run_name="ask")
    assert chain.invoke("how are you?").content == "fine"
    assert installed.flush()
    told = records()
    assert list(told) == ["ask"] and (told["ask"].status, told["ask"].kind) == ("succeeded", "chain")


def test_a_failure_and_a_failed_tool(installed: Any, records: Records) -> None:
    def ask(text: str) -> str:
        return str(broken.invoke({"city": text}))

    with pytest.raises(ConnectionError):
        RunnableLambda(ask).invoke("Bergen")
    assert installed.flush()
    told = records()
    assert [str(task.status) for task in told.values()] == ["failed", "failed"]
    assert told["broken"].parent == told["ask"].id
    error = told["ask"].error
    assert error is not None and (error.type, error.message) == ("ConnectionError", "no line")


def test_a_tool_that_says_by_its_message_that_it_failed(installed: Any, records: Records) -> None:
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([broken], handle_tool_errors=True))
    graph.add_edge(START, "tools")
    call = {"name": "broken", "args": {"city": "Bergen"}, "id": "call-1", "type": "tool_call"}
    answer = graph.compile(name="graph").invoke({"messages": [AIMessage("", tool_calls=[call])]})
    assert isinstance(answer["messages"][-1], ToolMessage)
    assert installed.flush()
    told = records()
    assert (told["graph"].status, told["broken"].status) == ("succeeded", "failed")


def test_a_run_that_is_cancelled(installed: Any, records: Records) -> None:
    begun = asyncio.Event()

    @tool
    async def forever() -> str:
        """It never ends."""
        begun.set()
        await asyncio.sleep(60)
        return ""

    async def call(text: str) -> Any:
        return await forever.ainvoke({})

    async def main() -> None:
        asking = asyncio.create_task(RunnableLambda(call).ainvoke("now"))
        await begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(main())
    assert installed.flush()
    told = records()
    assert {label: str(task.status) for label, task in told.items()} == {"call": "cancelled", "forever": "cancelled"}
    assert told["forever"].parent == told["call"].id


def test_a_graph_that_waits_for_a_person(installed: Any, records: Records) -> None:
    def ask(state: State) -> State:
        return {"text": interrupt("may I?")}

    graph = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.compile(checkpointer=InMemorySaver(), name="graph").invoke({"text": ""}, {"configurable": {"thread_id": "1"}})
    assert installed.flush()
    assert (records()["graph"].status, records()["graph"].outcome) == ("succeeded", "blocked")


def test_every_thread_is_seen_and_a_surrounding_task_is_above(
    ledger: bgledger.Ledger, installed: Any, records: Records
) -> None:
    thread = threading.Thread(target=lambda: RunnableLambda(str).with_config(run_name="elsewhere").invoke("x"))
    thread.start()
    thread.join()
    with ledger.task("around"):
        RunnableLambda(str).with_config(run_name="here").invoke("x")
    assert installed.flush()
    told = records()
    assert told["elsewhere"].parent is None and told["here"].parent == told["around"].id


def test_turned_off_it_records_nothing_and_turned_on_again_it_does(ledger: bgledger.Ledger, records: Records) -> None:
    langchain.install(ledger).uninstall()
    RunnableLambda(str).with_config(run_name="unseen").invoke("x")
    with langchain.install(ledger):
        RunnableLambda(str).with_config(run_name="seen").invoke("x")
    assert list(records()) == ["seen"]


def test_the_host_finishes_while_the_ledger_is_locked(
    ledger: bgledger.Ledger, records: Records, release: Callable[[], None]
) -> None:
    with langchain.install(ledger) as installed:
        assert RunnableLambda(str).with_config(run_name="ask").invoke(1) == "1"
        assert not installed.flush(0) and list(records()) == ["before"]
        release()
    assert records()["ask"].status == "succeeded"


def test_an_unusable_ledger_is_logged_once_and_the_host_goes_on(
    unusable: bgledger.Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    with langchain.install(unusable):
        for _ in range(5):
            assert RunnableLambda(str).invoke(1) == "1"
    assert len([each for each in caplog.records if each.name == "bgledger"]) == 1
