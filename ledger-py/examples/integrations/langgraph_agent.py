"""A graph, its tool, and what the tool begins."""

from typing import TypedDict

from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph

import bgledger
from bgledger.integrations import langchain

ledger = bgledger.open("ledger.db")
installed = langchain.install(ledger)


class State(TypedDict):
    city: str
    weather: str


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    with ledger.task(f"ask the station of {city}"):
        return "rain"


def look(state: State) -> dict[str, str]:
    return {"weather": weather.invoke({"city": state["city"]})}


graph = StateGraph(State)
graph.add_node("look", look)
graph.add_edge(START, "look")
graph.add_edge("look", END)
reporter = graph.compile(name="reporter")
print(reporter.invoke({"city": "Bergen", "weather": ""}, {"metadata": {"thread_id": "chat-7"}}))

installed.flush()
run = ledger.tree(1)
print(run.task, run.task.session)
print(run.children[0].task)
print(run.children[0].children[0].task)
