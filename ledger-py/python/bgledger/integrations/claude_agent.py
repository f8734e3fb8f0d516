"""Claude Agent SDK: hooks for its options.

>>> from bgledger.integrations import claude_agent         # doctest: +SKIP
>>> claude_agent.install(ledger, options)                  # doctest: +SKIP

A turn (from the prompt to its answer), its sub-agents, its tools, and the background tasks that outlive it are tasks.
Where the host hands on what it receives, by ``async for message in installed.messages(client.receive_messages())``,
background tasks are known from their start, with their progress and how they ended, and a turn with its tokens and its
cost. By hooks alone they are known from the list that a turn's end carries; one that is no longer on it has ended, and
nobody says how. Prompts, inputs and answers are not recorded; a background task's description and command are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from claude_agent_sdk import ClaudeAgentOptions, HookMatcher
from claude_agent_sdk.types import HookEvent

from .._generated import Outcome, Reason, Status
from .._ledger import Ledger
from .._types import Usage
from ._installation import Installation, quiet, recorder_for
from ._recorder import Recorder
from ._run import AROUND, Run, count

__all__ = ["ClaudeInstallation", "hooks", "install"]

M = TypeVar("M")

EVENTS: tuple[HookEvent, ...] = (
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "SubagentStart",
    "SubagentStop",
    "Stop",
)
ENDS = {
    "completed": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "stopped": Status.CANCELLED,
    "killed": Status.CANCELLED,
}
"""What the ends of background tasks are. Both messages tell of an end, and either may be missing."""


class _Sessions:
    """What runs in the sessions of one client."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder: Recorder = recorder
        self.is_on = True
        self.is_told = False  # whether messages are handed on
        self._turns: dict[str, Run] = {}
        self._tools: dict[str, tuple[str, str, Run]] = {}  # by tool use: session, name
        self._agents: dict[str, Run] = {}
        self._background: dict[str, tuple[str, Run]] = {}  # by task: session

    # ---- hooks -----------------------------------------------------------------------------------------------------

    @quiet
    def hook(self, said: dict[str, Any]) -> None:
        event = said["hook_event_name"]
        if not self.is_on:
            return
        if event == "UserPromptSubmit":
            self._end_turn(said["session_id"], lambda turn: turn.end_as(Status.CANCELLED, summary="interrupted"))
            self._turn(said)
        elif event == "PreToolUse":
            self._tool(said)
        elif event in ("PostToolUse", "PostToolUseFailure"):
            self._tool_over(said)
        elif event == "SubagentStart":
            self._agents[said["agent_id"]] = self._run(said, said["agent_type"], "agent", self._agent_tool(said))
        elif event == "SubagentStop":
            agent = self._agents.pop(said["agent_id"], None)
            if agent is not None:
                agent.end_as(Status.SUCCEEDED)
            self._listed(said)
        elif event == "Stop":
            self._listed(said)
            if not self.is_told:
                self._end_turn(said["session_id"], lambda turn: turn.end_as(Status.SUCCEEDED))

    def _run(self, said: dict[str, Any], label: object, kind: str, parent: Run | None, **more: Any) -> Run:
        agent = said.get("agent_type")
        return Run(self.recorder, label, kind=kind, session=said["session_id"], agent=agent, parent=parent, **more)

    def _turn(self, said: dict[str, Any]) -> Run:
        session = said["session_id"]
        if session not in self._turns:
            run_id = said.get("prompt_id")
            self._turns[session] = self._run(said, "turn", "agent", AROUND, run_id=run_id)
        return self._turns[session]

    def _tool(self, said: dict[str, Any]) -> None:
        above = self._agents.get(said.get("agent_id", "")) or self._turn(said)
        above.add_usage(tool_calls=1)
        run = self._run(said, said["tool_name"], "tool", above, run_id=said["tool_use_id"])
        self._tools[said["tool_use_id"]] = (said["session_id"], said["tool_name"], run)

    def _tool_over(self, said: dict[str, Any]) -> None:
        _, _, run = self._tools.pop(said["tool_use_id"], (None, None, None))
        if run is None:
            return
        if said["hook_event_name"] == "PostToolUse":
            run.end_as(Status.SUCCEEDED)
        elif said.get("is_interrupt"):
            run.end_as(Status.CANCELLED)
        else:
            run.fail("ToolError", said["error"])

    def _agent_tool(self, said: dict[str, Any]) -> Run:
        """The tool that began a sub-agent: the first of the session's that has none yet."""
        taken = {id(agent.above) for agent in self._agents.values()}
        for session, name, run in self._tools.values():
            if session == said["session_id"] and name in ("Task", "Agent") and id(run) not in taken:
                return run
        return self._turn(said)

    def _listed(self, said: dict[str, Any]) -> None:
        """What is in flight in the background as a turn ends."""
        if "background_tasks" not in said:
            return
        for each in said["background_tasks"]:
            label = each.get("description") or each.get("name") or each["type"]
            self._seen(said, each["id"], label, each["type"], each.get("command"))
            if each["status"] in ENDS:
                self._background_over(each["id"], each["status"])
        listed = {each["id"] for each in said["background_tasks"]}
        for ident, (session, run) in list(self._background.items()):
            if session == said["session_id"] and ident not in listed and not self.is_told:
                del self._background[ident]
                run.end_as(
                    Status.SUCCEEDED, outcome=Outcome.NO_RESULT, summary="no longer running; nobody said how it ended"
                )

    def _seen(self, said: dict[str, Any], ident: str, label: object, kind: str, task: object = None) -> None:
        if ident not in self._background and ident not in self._agents:
            _, _, tool = self._tools.get(said.get("tool_use_id") or "", (None, None, None))
            above = tool or self._turns.get(said["session_id"])
            run = self._run(said, label, kind, AROUND if above is None else above, run_id=ident, task=task)
            self._background[ident] = (said["session_id"], run)

    def _background_over(self, ident: str, word: str, **said: Any) -> None:
        _, run = self._background.pop(ident, (None, None))
        run = run or self._agents.pop(ident, None)
        if run is not None:
            if ENDS[word] is Status.FAILED:
                run.fail(None, said.get("summary") or "it failed", **said)
            else:
                run.end_as(ENDS[word], **said)

    def _end_turn(self, session: str, end: Callable[[Run], None]) -> None:
        turn = self._turns.pop(session, None)
        for ident, (of, _, run) in list(self._tools.items()):
            if of == session:  # it was not allowed, or broken off
                del self._tools[ident]
                run.end_as(Status.CANCELLED, reason=Reason.REJECTED)
        if turn is not None:
            end(turn)

    # ---- messages --------------------------------------------------------------------------------------------------

    @quiet
    def see(self, message: Any) -> None:
        if not self.is_on:
            return
        self.is_told = True
        kind, said = type(message).__name__, vars(message)
        if kind == "TaskStartedMessage":
            self._seen(said, message.task_id, message.description, message.task_type or "task")
        elif kind == "TaskProgressMessage" and message.task_id in self._background:
            self._background[message.task_id][1].say(message.last_tool_name or message.description)
        elif kind == "TaskUpdatedMessage" and message.status in ENDS:
            self._background_over(message.task_id, message.status, **_error_of(message.patch))
        elif kind == "TaskNotificationMessage" and message.status in ENDS:
            told = message.usage or {}
            usage = Usage(tool_calls=count(told.get("tool_uses")))
            self._background_over(message.task_id, message.status, summary=message.summary, usage=usage)
        elif kind == "ResultMessage":
            self._end_turn(message.session_id, lambda turn: _end(turn, message))


class ClaudeInstallation(Installation):
    """Hooks that record, and what takes the messages."""

    def __init__(self, sessions: _Sessions, remove: Callable[[], object]) -> None:
        super().__init__(sessions.recorder, remove)
        self._sessions = sessions

    def see(self, message: object) -> None:
        """Records what a message tells; see :meth:`messages`."""
        self._sessions.see(message)

    async def messages(self, received: AsyncIterator[M]) -> AsyncIterator[M]:
        """The same messages, each recorded as it passes."""
        self._sessions.is_told = True
        async for message in received:
            self._sessions.see(message)
            yield message


def hooks(ledger: Ledger | None = None) -> dict[HookEvent, list[HookMatcher]]:
    """Hooks that record, for ``ClaudeAgentOptions(hooks=…)``."""
    return _hooks(_Sessions(recorder_for(ledger, "claude-agent")))


def install(ledger: Ledger | None = None, options: ClaudeAgentOptions | None = None) -> ClaudeInstallation:
    """Adds hooks that record to the options of a client, before it connects; the SDK has no hook for the process.

    Args:
        ledger: Where; else the default ledger.
        options: The client's options; hooks that are there stay.

    Raises:
        TypeError: There are no options.
    """
    if options is None:
        raise TypeError("options: expected the ClaudeAgentOptions of a client")
    sessions = _Sessions(recorder_for(ledger, "claude-agent"))
    own = _hooks(sessions)
    before: dict[HookEvent, list[HookMatcher]] = dict(options.hooks or {})
    options.hooks = {**before, **{event: [*before.get(event, []), *matchers] for event, matchers in own.items()}}

    def remove() -> None:  # a client that is connected goes on calling the hooks: they do nothing
        sessions.is_on = False

    return ClaudeInstallation(sessions, remove)


def _hooks(sessions: _Sessions) -> dict[HookEvent, list[HookMatcher]]:
    async def hook(said: Any, tool_use_id: str | None, context: Any) -> Any:
        sessions.hook(said)
        return {}

    return {event: [HookMatcher(hooks=[hook])] for event in EVENTS}


def _error_of(patch: dict[str, Any]) -> dict[str, Any]:
    return {"summary": patch["error"]} if patch.get("error") else {}


def _end(turn: Run, result: Any) -> None:
    told, cost = result.usage or {}, result.total_cost_usd
    cached = count(told.get("cache_read_input_tokens"))
    usage = Usage(
        count(told.get("input_tokens")) + cached + count(told.get("cache_creation_input_tokens")),
        count(told.get("output_tokens")),
        cached,
        {} if cost is None else {"USD": round(cost * 1_000_000)},
        turn.usage_so_far.tool_calls,
    )
    if result.is_error:
        turn.fail(result.subtype, result.result or "; ".join(getattr(result, "errors", None) or []), usage=usage)
    else:
        turn.end_as(Status.SUCCEEDED, usage=usage)
