"""A client of the Claude Agent SDK that records its turns, tools, sub-agents and background tasks."""

import asyncio

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient

import bgledger
from bgledger.integrations import claude_agent


async def main() -> None:
    ledger = bgledger.open("ledger.db")
    options = ClaudeAgentOptions()
    installed = claude_agent.install(ledger, options)
    async with ClaudeSDKClient(options) as client:
        await client.query("Build the project in the background, and tell me when it is done.")
        async for message in installed.messages(client.receive_response()):
            print(message)
    installed.flush()
    print(ledger.list().tasks)


if __name__ == "__main__":
    asyncio.run(main())
