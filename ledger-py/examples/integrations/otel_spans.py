"""GenAI spans, as Pydantic AI, Google ADK, Microsoft Agent Framework and Strands emit them, become tasks."""

from opentelemetry import trace

import bgledger
from bgledger.integrations import opentelemetry

ledger = bgledger.open("ledger.db")
installed = opentelemetry.install(ledger)

# What such a framework does by itself:
tracer = trace.get_tracer("any-framework")
with tracer.start_as_current_span("invoke_agent planner") as span:
    span.set_attribute("gen_ai.usage.input_tokens", 120)
    with tracer.start_as_current_span("execute_tool find_train"):
        pass

installed.flush()
tree = ledger.tree(1)
print(tree.task, tree.task.usage)
print(tree.children[0].task)
