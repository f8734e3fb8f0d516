"""The methods about flows: durable records of many-step work, which group tasks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, overload

from . import _given
from ._errors import InvalidType, invalid
from ._flow_run import FlowRun
from ._flow_types import Flow, FlowCancelReply, FlowLookup, FlowPage
from ._given import optional
from ._recording import KEEP, Lookup
from ._waist import Waist

if TYPE_CHECKING:
    from ._ledger import Ledger

__all__ = ["Flowing"]


class Flowing(Waist):
    """Many-step work; see :class:`bgledger.Ledger`.

    A move names the ``revision`` that its author saw. ``step``, ``state`` and ``wait`` keep what is recorded unless
    they are given; ``None`` clears them. ``state`` and ``wait`` are anything that JSON can say.
    """

    @overload
    def flow(
        self,
        goal: str,
        /,
        *,
        controller: str,
        key: str | None = None,
        owner: str | None = None,
        step: str | None = None,
        state: Any = None,
    ) -> FlowRun: ...
    @overload
    def flow(self, goal: Flow, /, *, controller: None = None) -> FlowRun: ...

    def flow(
        self,
        goal: str | Flow,
        /,
        *,
        controller: str | None = None,
        key: str | None = None,
        owner: str | None = None,
        step: str | None = None,
        state: Any = None,
    ) -> FlowRun:
        """A flow for the block that follows: ``with ledger.flow("goal", controller="name") as flow:``, or ``async with``.

        It is recorded, running, as the block is entered. With a ``key`` that is recorded already, or a :class:`Flow`
        in place of the goal, that flow goes on: ``flow.step`` and ``flow.state`` say where it was. What happens as the
        block is left, see :class:`bgledger.FlowRun`.

        Raises:
            FlowEnded: It has ended.
            FlowCancelRequested: Cancel of it was requested: it goes on no more.
            RevisionConflict: Somebody has moved it since it was looked at.
            FlowExistsWithDifferent: The key is taken by a flow with another goal or controller.
        """
        from ._ledger import Ledger

        assert isinstance(self, Ledger)
        if isinstance(goal, Flow):
            fields = {"controller": controller, "key": key, "owner": owner, "step": step, "state": state}
            for name, value in fields.items():
                if value is not None:
                    invalid(name, _given.shown(value), "a flow alone: the rest is recorded")
            return FlowRun(self, goal.goal, {}, goal)
        if controller is None:
            invalid("controller", "nothing", "a name by which its host finds it again", InvalidType)
        given = {
            "controller": _given.text("controller", controller),
            "key": optional(_given.text, "key", key),
            "owner": optional(_given.text, "owner", owner),
            "step": optional(_given.text, "step", step),
            "state": optional(_given.plain, "state", state),
        }
        return FlowRun(self, _given.text("goal", goal), given, None)

    def flow_create(
        self,
        goal: str | None = None,
        *,
        controller: str | None = None,
        mirrors: Lookup | None = None,
        key: str | None = None,
        owner: str | None = None,
        running: bool = False,
        step: str | None = None,
        state: Any = None,
    ) -> Flow:
        """Records a flow, or finds it recorded: creating again with the same ``key`` is the same flow.

        A managed one has a ``goal`` and a ``controller``: a name by which its host finds it again. It is queued unless
        it is ``running`` already. With ``mirrors`` it follows one task, and nothing else is said: all is read from it.

        ``flow.created`` of the answer says whether it was recorded now.

        Raises:
            FlowExistsWithDifferent: The key is taken by a flow with another goal or controller; ``exc.fields``.
            InvalidValue: An argument that cannot be; ``exc.field`` names it.
        """
        answer = self._ask(
            "flow_create",
            goal=optional(_given.text, "goal", goal),
            controller=optional(_given.text, "controller", controller),
            mirrors=optional(_given.lookup, "mirrors", mirrors),
            key=optional(_given.text, "key", key),
            owner=optional(_given.text, "owner", owner),
            running=_given.flag("running", running),
            step=optional(_given.text, "step", step),
            state=optional(_given.plain, "state", state),
        )
        return Flow.from_dict(answer["flow"], answer["created"])

    def flow_list(
        self,
        *,
        active: bool = False,
        status: str | Iterable[str] | None = None,
        controller: str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> FlowPage:
        """Flows that fit every filter given, newest first: 50 unless ``limit`` says otherwise."""
        answer = self._ask(
            "flow_list",
            active=_given.flag("active", active),
            status=None if status is None else _given.texts("status", status, "a status, or several"),
            controller=optional(_given.text, "controller", controller),
            limit=optional(_given.count, "limit", limit),
            after=optional(_given.text, "after", after),
        )
        flows = tuple(Flow.from_dict(each) for each in answer["flows"])
        return FlowPage(flows, answer["next"], tuple(answer["unreadable"]))

    def flow_show(self, flow: FlowLookup) -> Flow:
        """One flow, with what its tasks come to: by number, id or owner.

        Raises:
            NoFlow: No such flow, or none this handle may see (a ``KeyError``).
        """
        return Flow.from_dict(self._ask("flow_show", flow=_given.flow("flow", flow))["flow"])

    def flow_wait(
        self,
        flow: FlowLookup,
        revision: int,
        *,
        step: str | None = KEEP,
        state: Any = KEEP,
        wait: Any = KEEP,
        blocked_task: Lookup | None = None,
        blocked_summary: str | None = None,
    ) -> Flow:
        """Says that a flow waits, for what ``wait`` says; ``blocked`` where a task or a summary says what is in its way.

        Raises:
            RevisionConflict: Somebody has moved it since: ``exc.recorded`` is the revision there is.
            FlowEnded: It has ended.
            FlowCancelRequested: Cancel of it was requested: it may only end.
            FlowMirrored: It follows a task, which alone moves it.
        """
        blocked = _blocked(blocked_task, blocked_summary)
        return self._moved("flow_wait", flow, revision, step, state, wait=_json("wait", wait), **blocked)

    def flow_resume(
        self,
        flow: FlowLookup,
        revision: int,
        *,
        running: bool = False,
        step: str | None = KEEP,
        state: Any = KEEP,
    ) -> Flow:
        """Says that a flow goes on: queued for its controller, or ``running`` where that is at work.

        What it waited for, and what was in its way, are cleared. Raises what :meth:`flow_wait` raises.
        """
        return self._moved("flow_resume", flow, revision, step, state, running=_given.flag("running", running))

    def flow_finish(
        self, flow: FlowLookup, revision: int, *, step: str | None = KEEP, state: Any = KEEP
    ) -> Flow:
        """Says that a flow did what it was for. The same again is no error.

        Raises:
            RevisionConflict: Somebody has moved it since.
            FlowEnded: It ended differently.
            FlowMirrored: It follows a task, which alone moves it.
        """
        return self._moved("flow_finish", flow, revision, step, state)

    def flow_fail(
        self,
        flow: FlowLookup,
        revision: int,
        *,
        step: str | None = KEEP,
        state: Any = KEEP,
        blocked_task: Lookup | None = None,
        blocked_summary: str | None = None,
    ) -> Flow:
        """Says that a flow did not do what it was for, and what stood in its way. Raises what :meth:`flow_finish` raises."""
        return self._moved("flow_fail", flow, revision, step, state, **_blocked(blocked_task, blocked_summary))

    def flow_cancel(self, flow: FlowLookup, *, by: str | None = None, why: str | None = None) -> FlowCancelReply:
        """Asks to cancel a flow, its tasks and all that descends from them.

        The request stays: the flow gets no new tasks, and ends ``cancelled`` when its last active task has settled;
        ``reply.cancel`` is ``requested`` until then. Asking again asks the tasks again.
        """
        by, why = optional(_given.text, "by", by), optional(_given.text, "why", why)
        answer = self._ask("flow_cancel", flow=_given.flow("flow", flow), by=by, why=why)
        tasks = {each["number"]: each["cancel"] for each in answer["tasks"]}
        hooks = {each["number"]: each["problem"] for each in answer["hooks"]}
        return FlowCancelReply(answer["cancel"], Flow.from_dict(answer["flow"]), tasks, hooks)

    def _moved(
        self, command: str, flow: FlowLookup, revision: int, step: str | None, state: Any, **said: Any
    ) -> Flow:
        """Carries out a move. What is ``KEEP`` is left out; ``None`` clears."""
        fields = {
            "flow": _given.flow("flow", flow),
            "revision": _given.count("revision", revision),
            "step": step if step is KEEP else optional(_given.text, "step", step),
            "state": _json("state", state),
            **said,
        }
        given = {name: value for name, value in fields.items() if value is not KEEP}
        return Flow.from_dict(self._ask_as_is(command, given)["flow"])


def _json(name: str, value: Any) -> Any:
    return value if value is KEEP else optional(_given.plain, name, value)


def _blocked(task: Lookup | None, summary: str | None) -> dict[str, Any]:
    return {
        "blocked_task": optional(_given.lookup, "blocked_task", task),
        "blocked_summary": optional(_given.text, "blocked_summary", summary),
    }
