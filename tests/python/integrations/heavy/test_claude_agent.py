"""Claude Agent SDK: a real client, whose other side is a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import bgledger
import pytest
from bgledger.integrations import claude_agent
from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, Transport

from ..conftest import Records

SESSION = {"session_id": "chat-7", "transcript_path": "/t", "cwd": "/"}


class Scripted(Transport):
    """It answers what the client asks, then sends what it was told to; each hook is called, and its answer awaited."""

    def __init__(self, *script: dict[str, Any]) -> None:
        self.script = list(script)
        self.sent: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.answered: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.hooks: dict[str, list[str]] = {}

    async def connect(self) -> None: ...

    async def write(self, data: str) -> None:
        said = json.loads(data)
        if said["type"] == "control_request":
            hooks = said["request"].get("hooks") or {}
            self.hooks.update(
                {event: [each for one in many for each in one["hookCallbackIds"]] for event, many in hooks.items()}
            )
            reply = {"subtype": "success", "request_id": said["request_id"], "response": {}}
            await self.sent.put({"type": "control_response", "response": reply})
        elif said["type"] == "control_response":
            await self.answered.put(said["response"])
        elif said["type"] == "user":
            asyncio.get_running_loop().create_task(self.play())

    async def play(self) -> None:
        for number, step in enumerate(self.script):
            if "hook_event_name" not in step:
                await self.sent.put(step)
                continue
            for callback in self.hooks.get(step["hook_event_name"], []):
                request = {"subtype": "hook_callback", "callback_id": callback, "input": step, "tool_use_id": None}
                await self.sent.put({"type": "control_request", "request_id": f"hook-{number}", "request": request})
                answer = await self.answered.get()
                assert answer["subtype"] == "success" and answer["response"] == {}, answer
        await self.sent.put(None)

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        while (message := await self.sent.get()) is not None:
            yield message

    async def close(self) -> None: ...

    def is_ready(self) -> bool:
        return True

    async def end_input(self) -> None: ...


def hook(name: str, **said: Any) -> dict[str, Any]:
    return {**SESSION, "hook_event_name": name, **said}


def tool(ident: str, name: str, **said: Any) -> dict[str, Any]:
    return hook("PreToolUse", tool_name=name, tool_input={}, tool_use_id=ident, **said)


def done(ident: str, name: str, **said: Any) -> dict[str, Any]:
    return hook("PostToolUse", tool_name=name, tool_input={}, tool_response="", tool_use_id=ident, **said)


def failed(ident: str, name: str, error: str, **said: Any) -> dict[str, Any]:
    return hook("PostToolUseFailure", tool_name=name, tool_input={}, tool_use_id=ident, error=error, **said)


def system(subtype: str, **said: Any) -> dict[str, Any]:
    return {"type": "system", "subtype": subtype, "session_id": "chat-7", "uuid": "u", **said}


PROMPT = hook("UserPromptSubmit", prompt="how is Bergen?", prompt_id="prompt-1")
STOP = hook("Stop", stop_hook_active=False, background_tasks=[])
RESULT = {
    "type": "result",
    "subtype": "success",
    "duration_ms": 1,
    "duration_api_ms": 1,
    "is_error": False,
    "num_turns": 1,
    "session_id": "chat-7",
    "total_cost_usd": 0.25,
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 4, "output_tokens": 2},
    "result": "rain",
}


def run(ledger: bgledger.Ledger, *script: dict[str, Any], hands_on: bool = True) -> list[str]:
    """The client's turn; the types of what the host received."""

    async def main() -> list[str]:
        options = ClaudeAgentOptions()
        installed = claude_agent.install(ledger, options)
        received = []
        async with ClaudeSDKClient(options, transport=Scripted(*script)) as client:
            await client.query("how is Bergen?")
            messages = client.receive_messages()
            async for message in installed.messages(messages) if hands_on else messages:
                received.append(type(message).__name__)
        installed.uninstall()
        return received

    return asyncio.run(main())


def test_a_turn_its_tools_and_what_they_cost(ledger: bgledger.Ledger, records: Records) -> None:
    script = [PROMPT, tool("t1", "Read"), done("t1", "Read"), tool("t2", "Bash"), failed("t2", "Bash", "exit 3")]
    script += [tool("t3", "Fetch"), failed("t3", "Fetch", "interrupted", is_interrupt=True), tool("t4", "Denied"), STOP]
    assert run(ledger, *script, RESULT) == ["ResultMessage"]
    told = records()
    assert {label: str(task.status) for label, task in told.items()} == {
        "turn": "succeeded",
        "Read": "succeeded",
        "Bash": "failed",
        "Fetch": "cancelled",
        "Denied": "cancelled",
    }
    turn = told["turn"]
    assert (turn.runtime, turn.kind, turn.session, turn.run_id) == ("claude-agent", "agent", "chat-7", "prompt-1")
    assert turn.usage == bgledger.Usage(14, 2, 4, {"USD": 250_000}, 4)
    assert {task.parent for label, task in told.items() if label != "turn"} == {turn.id}
    assert told["Bash"].error is not None and told["Bash"].error.message == "exit 3"
    assert told["Denied"].reason == "rejected"


def test_sub_agents_and_their_tools(ledger: bgledger.Ledger, records: Records) -> None:
    who = {"agent_id": "a1", "agent_type": "reviewer"}
    stop = hook("SubagentStop", stop_hook_active=False, agent_transcript_path="/t", **who)
    script = [
        PROMPT,
        tool("t1", "Agent"),
        hook("SubagentStart", **who),
        tool("t2", "Grep", **who),
        done("t2", "Grep", **who),
    ]
    run(ledger, *script, stop, done("t1", "Agent"), STOP, hands_on=False)
    told = records()
    assert list(told) == ["turn", "Agent", "reviewer", "Grep"]
    assert all(task.status == "succeeded" for task in told.values())
    assert told["Agent"].parent == told["turn"].id and told["reviewer"].parent == told["Agent"].id
    assert told["Grep"].parent == told["reviewer"].id and told["reviewer"].agent == "reviewer"


def test_background_tasks_by_their_messages(ledger: bgledger.Ledger, records: Records) -> None:
    def started(ident: str, description: str) -> dict[str, Any]:
        return system("task_started", task_id=ident, description=description, task_type="shell", tool_use_id="t1")

    usage = {"total_tokens": 9, "tool_uses": 3, "duration_ms": 1}
    script = [
        *(
            PROMPT,
            tool("t1", "Bash"),
            started("b1", "build"),
            started("b2", "serve"),
            started("b3", "test"),
            done("t1", "Bash"),
        ),
        hook("Stop", stop_hook_active=False, background_tasks=[]),
        RESULT,
        system("task_progress", task_id="b1", description="build", usage=usage, last_tool_name="linking"),
        system("task_notification", task_id="b1", status="completed", output_file="/o", summary="built", usage=usage),
        system("task_updated", task_id="b2", patch={"status": "killed"}),
        system("task_notification", task_id="b2", status="stopped", output_file="/o", summary="late"),
        system("task_notification", task_id="b3", status="failed", output_file="/o", summary="2 of 9 failed"),
    ]
    run(ledger, *script)
    told = records()
    assert list(told) == ["turn", "Bash", "build", "serve", "test"]
    build, serve, test = told["build"], told["serve"], told["test"]
    assert (build.status, build.kind, build.run_id, build.summary) == ("succeeded", "shell", "b1", "built")
    assert build.parent == told["Bash"].id
    assert build.progress is not None and build.progress.text == "linking"
    assert build.usage == bgledger.Usage(tool_calls=3)
    assert (serve.status, test.status) == ("cancelled", "failed")
    assert test.error is not None and test.error.message == "2 of 9 failed"


def test_background_tasks_by_hooks_alone(ledger: bgledger.Ledger, records: Records) -> None:
    listed = {"id": "b1", "type": "shell", "status": "running", "description": "build", "command": "make all"}
    other = {"id": "b2", "type": "workflow", "status": "completed", "description": "report", "name": "r"}
    run(ledger, PROMPT, hook("Stop", stop_hook_active=False, background_tasks=[listed, other]), hands_on=False)
    told = records()
    assert (told["build"].status, told["build"].kind, told["build"].task) == ("running", "shell", "make all")
    assert told["build"].parent == told["turn"].id and told["turn"].status == "succeeded"
    assert told["report"].status == "succeeded"


def test_a_background_task_that_is_no_longer_listed(ledger: bgledger.Ledger, records: Records) -> None:
    listed = {"id": "b1", "type": "shell", "status": "running", "description": "build"}
    run(ledger, PROMPT, hook("Stop", stop_hook_active=False, background_tasks=[listed]), STOP, hands_on=False)
    assert (records()["build"].status, records()["build"].outcome) == ("succeeded", "no_result")


def test_a_turn_that_fails_and_one_that_is_interrupted(ledger: bgledger.Ledger) -> None:
    script = [PROMPT, {**PROMPT, "prompt_id": "prompt-2"}, STOP]
    result = {**RESULT, "subtype": "error_max_turns", "is_error": True, "result": "too many turns"}
    run(ledger, *script[:2], STOP, result)
    second, first = ledger.list().tasks
    assert (first.status, second.status) == ("cancelled", "failed")
    assert second.error is not None and (second.error.type, second.error.message) == (
        "error_max_turns",
        "too many turns",
    )


def test_hooks_that_were_there_stay_and_the_factory_gives_them_alone(ledger: bgledger.Ledger) -> None:
    mine: Any = object()
    options = ClaudeAgentOptions(hooks={"PreToolUse": [mine], "PreCompact": [mine]})
    claude_agent.install(ledger, options)
    assert options.hooks is not None
    assert options.hooks["PreToolUse"][0] is mine and len(options.hooks["PreToolUse"]) == 2
    assert options.hooks["PreCompact"] == [mine]
    assert set(claude_agent.hooks(ledger)) <= set(options.hooks)


def test_the_host_finishes_while_the_ledger_is_locked(
    ledger: bgledger.Ledger, records: Records, release: Callable[[], None]
) -> None:
    async def main() -> claude_agent.ClaudeInstallation:
        options = ClaudeAgentOptions()
        installed = claude_agent.install(ledger, options)
        async with ClaudeSDKClient(options, transport=Scripted(PROMPT, STOP, RESULT)) as client:
            await client.query("x")
            async for _ in installed.messages(client.receive_messages()):
                pass
        return installed

    installed = asyncio.run(main())
    assert not installed.flush(0) and list(records()) == ["before"]
    release()
    assert installed.flush() and records()["turn"].status == "succeeded"


def test_an_unusable_ledger_is_logged_once_and_the_host_goes_on(
    unusable: bgledger.Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(unusable, PROMPT, tool("t1", "Read"), done("t1", "Read"), STOP, RESULT) == ["ResultMessage"]
    assert len([each for each in caplog.records if each.name == "bgledger"]) == 1
