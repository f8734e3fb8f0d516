"""The methods that record what happens to a task."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Union

from . import _given
from ._base import Executor, Process
from ._errors import InvalidType, invalid
from ._flow_types import Flow, FlowLookup
from ._generated import Status
from ._given import Span, optional
from ._types import Artifact, CancelReply, Failure, Output, Recorded, Task, Usage
from ._waist import Waist

if TYPE_CHECKING:
    from ._async_flow import AsyncFlow
    from ._async_task import AsyncTask
    from ._flow_run import FlowRun
    from ._task import TaskRun

Lookup = Union[int, str, uuid.UUID, Task, "TaskRun", "AsyncTask"]
"""What names a task: its number, id, run id or session key, or a task."""

Fill = Mapping[str, Union[str, Task, "TaskRun", "AsyncTask", Flow, "FlowRun", "AsyncFlow"]]
"""Fields to fill in, by name; a task or a flow stands for its id."""

Scalar = Union[str, int, float, bool, None]
Worker = Union[Executor, Process, int, Literal["self", "external"]]
"""Who does the work: an :class:`Executor`, another process (a :class:`Process`, or its pid alone), this process, or
nothing to observe."""

__all__ = ["Fill", "Lookup", "Recording", "Scalar", "Worker", "end"]

KEEP: Any = type("Keep", (), {"__repr__": lambda self: "KEEP"})()
"""What an argument is that was not given, where ``None`` says something."""


_NOTHING_RARE = (None,) * 9
_NOTHING_STARTED = (None,) * 3
_NOTHING_OVER = (None,) * 11
_NOTHING_MORE = (None,) * 8


def worker(name: str, value: object) -> Any:
    """Who does the work, as JSON has it."""
    if isinstance(value, Executor):
        return {"identity": value.to_dict()}
    if isinstance(value, Process):
        group = None if value.group is None else _given.count(f"{name}.group", value.group, 32)
        return {"process": {"pid": _given.count(f"{name}.pid", value.pid, 32), "group": group}}
    if isinstance(value, str):
        return _given.text(name, value)
    if isinstance(value, int) and not isinstance(value, bool):
        return {"process": {"pid": _given.count(name, value, 32)}}
    invalid(name, _given.shown(value), 'an Executor, a Process, a pid, "self" or "external"', InvalidType)


def record(name: str, value: object, kind: type[Any]) -> Any:
    """A record or a mapping of its fields, as JSON has it."""
    if isinstance(value, kind):
        return _given.plain(name, value)
    if isinstance(value, Mapping):
        return _given.plain(name, dict(value))
    invalid(name, _given.shown(value), f"{kind.__name__} or a mapping of its fields", InvalidType)


def artifacts_of(name: str, value: object) -> dict[str, Any]:
    """Artifacts by name, as JSON has them."""
    if not isinstance(value, Mapping):
        invalid(name, _given.shown(value), "a mapping of names to artifacts", InvalidType)
    return {_given.text(f"{name} (a name)", key): record(f"{name}.{key}", each, Artifact) for key, each in value.items()}


def filled(name: str, value: object) -> dict[str, str]:
    """Fields to fill in, by name. A task or a flow stands for its id."""
    if not isinstance(value, Mapping):
        invalid(name, _given.shown(value), "a mapping of fields to texts", InvalidType)
    given = {_given.text(name, key): getattr(each, "id", each) for key, each in value.items()}
    return {key: _given.text(f"{name}.{key}", each) for key, each in given.items()}


def end(
    *,
    outcome: str | None = None,
    reason: str | None = None,
    error: Failure | str | Mapping[str, Any] | None = None,
    summary: str | None = None,
    exit_code: int | None = None,
    signal: int | None = None,
    output: Output | Mapping[str, Any] | None = None,
    artifacts: Mapping[str, Artifact | Mapping[str, Any]] | None = None,
    usage: Usage | Mapping[str, Any] | None = None,
    ended_at: datetime | None = None,
) -> dict[str, Any]:
    """What an end says of itself, as JSON has it."""
    if isinstance(error, str):
        error = {"message": _given.text("error", error)}
    return {
        "outcome": optional(_given.text, "outcome", outcome),
        "reason": optional(_given.text, "reason", reason),
        "error": None if error is None else record("error", error, Failure),
        "summary": optional(_given.text, "summary", summary),
        "exit_code": optional(_given.integer, "exit_code", exit_code),
        "signal": optional(_given.integer, "signal", signal),
        "output": None if output is None else record("output", output, Output),
        "artifacts": optional(artifacts_of, "artifacts", artifacts),
        "usage": None if usage is None else record("usage", usage, Usage),
        "ended_at": optional(_given.time, "ended_at", ended_at),
    }


class Recording(Waist):
    """Recording; see :class:`bgledger.Ledger`."""

    def create(
        self,
        label: str,
        *,
        task: str | None = None,
        runtime: str | None = None,
        kind: str | None = None,
        run_id: str | None = None,
        session: str | None = None,
        agent: str | None = None,
        parent: Lookup | None = None,
        flow: FlowLookup | None = None,
        notify: str | None = None,
        timeout: Span | None = None,
        metadata: Mapping[str, Scalar] | None = None,
        key: str | None = None,
        source_id: str | None = None,
        owner: str | None = None,
        requester_session: str | None = None,
        requester_agent: str | None = None,
        retry_of: Lookup | None = None,
        queue_timeout: Span | None = None,
        created_at: datetime | None = None,
        start: bool = False,
        lease: Span | None = None,
        executor: Worker | None = None,
        started_at: datetime | None = None,
        status: str | None = None,
        outcome: str | None = None,
        reason: str | None = None,
        error: Failure | str | Mapping[str, Any] | None = None,
        summary: str | None = None,
        result: Any = KEEP,
        exit_code: int | None = None,
        signal: int | None = None,
        output: Output | Mapping[str, Any] | None = None,
        artifacts: Mapping[str, Artifact | Mapping[str, Any]] | None = None,
        usage: Usage | Mapping[str, Any] | None = None,
        ended_at: datetime | None = None,
        _kept: list[tuple[bool, int]] | None = None,
    ) -> Task:
        """Records a task, or finds it recorded: creating again with the same key (or run id) is the same task.

        ``start=True`` starts it at once: by this process unless ``executor`` says otherwise, under a ``lease`` where
        one is given. ``status`` records work that is already over, with what :meth:`finish` takes beside it.

        ``task.created`` of the answer says whether it was recorded now.

        Args:
            label: A short title.
            task: The work's text.
            runtime: Who runs it: see :class:`bgledger.Runtime`; the default is ``subagent``.
            run_id: The run's id in the host. With ``runtime`` it is the key unless ``key`` is given.
            session: The conversation in which the work runs; ``requester_session`` is the one that asked.
            parent: The task that starts it.
            flow: The flow that it belongs to; its parent's if absent.
            notify: See :class:`bgledger.NotifyPolicy`.
            timeout: How long an attempt may run; ``queue_timeout`` how long it may stay queued.
            metadata: A flat map of names to texts, numbers, booleans and ``None``.
            lease: How long the executor may be silent. Like ``executor`` and ``started_at`` it belongs to a start, and
                is refused where nothing was started.

        Raises:
            ExistsWithDifferent: The key is taken by a task that says something else; ``exc.fields`` says where.
            AncestorCancelled: The parent, or one above it, was cancelled.
            FlowCancelRequested: Cancel of the flow was requested; or ``FlowEnded``, ``FlowMirrored``: it takes no tasks.
            InvalidValue: An argument that cannot be; ``exc.field`` names it.
        """
        # `_kept` is for blocks: see what the extension notes there.
        rare = (key, source_id, owner, requester_session, requester_agent, retry_of, queue_timeout, created_at, executor)
        over = (status, outcome, reason, error, summary, ended_at, exit_code, signal, output, artifacts, usage)
        if status is None:
            if not _given.flag("start", start) and (lease, executor, started_at) != _NOTHING_STARTED:
                which = "lease" if lease is not None else "executor" if executor is not None else "started_at"
                invalid(which, "nothing is started", "start=True beside it, or a status")
            if over != _NOTHING_OVER or result is not KEEP:
                invalid("status", "None", "a status beside what the end says of itself")
            if metadata is None and flow is None and started_at is None and rare == _NOTHING_RARE:
                created, recorded = self._core.create(
                    label,
                    task,
                    runtime,
                    kind,
                    run_id,
                    session,
                    agent,
                    None if parent is None else _given.lookup("parent", parent),
                    notify,
                    None if timeout is None else _given.span("timeout", timeout),
                    start,
                    None if lease is None else _given.span("lease", lease),
                    _kept,
                )
                recorded.__dict__["created"] = created
                return recorded
        finish = None
        if status is not None:
            said = end(
                outcome=outcome,
                reason=reason,
                error=error,
                summary=summary,
                exit_code=exit_code,
                signal=signal,
                output=output,
                artifacts=artifacts,
                usage=usage,
                ended_at=ended_at,
            )
            finish = {name: value for name, value in said.items() if value is not None}
            finish["status"] = _given.text("status", status)
            if result is not KEEP:
                finish["result"] = _given.plain("result", result)
        claim = None
        if _given.flag("start", start) or (lease, executor, started_at) != _NOTHING_STARTED:
            claim = {
                "executor": None if executor is None else worker("executor", executor),
                "lease": optional(_given.span, "lease", lease),
                "started_at": optional(_given.time, "started_at", started_at),
            }
        fields = {
            "label": _given.text("label", label),
            "task": optional(_given.text, "task", task),
            "runtime": optional(_given.text, "runtime", runtime),
            "kind": optional(_given.text, "kind", kind),
            "run_id": optional(_given.text, "run_id", run_id),
            "session": optional(_given.text, "session", session),
            "agent": optional(_given.text, "agent", agent),
            "parent": optional(_given.lookup, "parent", parent),
            "flow": optional(_given.flow, "flow", flow),
            "notify": optional(_given.text, "notify", notify),
            "timeout": optional(_given.span, "timeout", timeout),
            "metadata": optional(_given.metadata, "metadata", metadata),
            "key": optional(_given.text, "key", key),
            "source_id": optional(_given.text, "source_id", source_id),
            "owner": optional(_given.text, "owner", owner),
            "requester_session": optional(_given.text, "requester_session", requester_session),
            "requester_agent": optional(_given.text, "requester_agent", requester_agent),
            "retry_of": optional(_given.lookup, "retry_of", retry_of),
            "queue_timeout": optional(_given.span, "queue_timeout", queue_timeout),
            "created_at": optional(_given.time, "created_at", created_at),
            "start": claim,
            "finish": finish,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        created, recorded = self._core.create_as(json.dumps({"create": given}, ensure_ascii=False), _kept)
        recorded.__dict__["created"] = created
        return recorded

    def start(
        self,
        lookup: Lookup,
        *,
        executor: Worker | None = None,
        lease: Span | None = None,
        started_at: datetime | None = None,
        fill: Fill | None = None,
    ) -> Task:
        """Claims a queued task, or takes over a lost one. What is null may be filled in: ``fill={"session": "…"}``.

        A ``parent`` or a ``flow`` to fill in is given as its record, or its id.

        Raises:
            AlreadyRunning: Another executor runs it.
            AlreadyEnded: It ended for good.
            CancelRequested: Cancel was requested: it may not start again.
            AlreadySet: A field to fill in is filled already.
        """
        named = _given.lookup("lookup", lookup)
        lasting = optional(_given.span, "lease", lease)
        if executor is None and started_at is None and fill is None:
            return self._core.start(named, lasting)[3]
        answer = self._ask(
            "start",
            lookup=named,
            executor=None if executor is None else worker("executor", executor),
            lease=lasting,
            started_at=optional(_given.time, "started_at", started_at),
            fill=optional(filled, "fill", fill),
        )
        return Task.from_dict(answer["task"])

    def progress(
        self,
        lookup: Lookup,
        text: str | None = None,
        *,
        current: int | None = None,
        total: int | None = None,
        unit: str | None = None,
        waiting_on: str | None = KEEP,
        usage: Usage | Mapping[str, Any] | None = None,
        artifacts: Mapping[str, Artifact | Mapping[str, Any]] | None = None,
        lease: Span | None = None,
        attempt: int | None = None,
        nonce: str | None = None,
        fill: Fill | None = None,
    ) -> Recorded:
        """Reports how far the work is. What is absent stays as it was; ``waiting_on=None`` says it waits no more.

        Raises:
            Fenced: Another attempt holds the task; ``exc.executor`` says who.
            AlreadyEnded: It ended.
            NotStarted: It was never started.
        """
        named = _given.lookup("lookup", lookup)
        number, word = optional(_given.attempt, "attempt", attempt), optional(_given.text, "nonce", nonce)
        if waiting_on is KEEP and usage is None and artifacts is None and lease is None and fill is None:
            return Recorded(*self._core.progress(named, number, word, text, current, total, unit))
        fields: dict[str, Any] = {
            "lookup": named,
            "attempt": number,
            "nonce": word,
            "text": optional(_given.text, "text", text),
            "current": optional(_given.count, "current", current),
            "total": optional(_given.count, "total", total),
            "unit": optional(_given.text, "unit", unit),
            "usage": None if usage is None else record("usage", usage, Usage),
            "artifacts": optional(artifacts_of, "artifacts", artifacts),
            "lease": optional(_given.span, "lease", lease),
            "fill": optional(filled, "fill", fill),
        }
        fields = {name: value for name, value in fields.items() if value is not None}
        if waiting_on is not KEEP:
            fields["waiting_on"] = optional(_given.text, "waiting_on", waiting_on)
        return self._recorded(self._ask_as_is("progress", fields))

    def heartbeat(
        self, lookup: Lookup, *, lease: Span | None = None, attempt: int | None = None, nonce: str | None = None
    ) -> Recorded:
        """Says that the work lives. The answer says whether cancel is requested and whether the deadline passed."""
        named, lasting = _given.lookup("lookup", lookup), optional(_given.span, "lease", lease)
        number, word = optional(_given.attempt, "attempt", attempt), optional(_given.text, "nonce", nonce)
        return Recorded(*self._core.heartbeat(named, number, word, lasting))

    def finish(
        self,
        lookup: Lookup,
        status: str = Status.SUCCEEDED,
        *,
        outcome: str | None = None,
        reason: str | None = None,
        error: Failure | str | Mapping[str, Any] | None = None,
        summary: str | None = None,
        result: Any = KEEP,
        exit_code: int | None = None,
        signal: int | None = None,
        output: Output | Mapping[str, Any] | None = None,
        artifacts: Mapping[str, Artifact | Mapping[str, Any]] | None = None,
        usage: Usage | Mapping[str, Any] | None = None,
        ended_at: datetime | None = None,
        attempt: int | None = None,
        nonce: str | None = None,
    ) -> Task:
        """Ends a task by its executor's word: ``succeeded``, ``failed``, ``timed_out`` or ``cancelled``.

        The same finish again is no error. A success has an ``outcome``, every other end a ``reason``. ``result`` is
        anything that JSON can say, kept as it is given.

        Raises:
            AlreadyEnded: It ended differently: ``exc.recorded_status``, ``exc.ended_at``.
            Fenced: Another attempt holds it.
        """
        named = _given.lookup("lookup", lookup)
        number, word = optional(_given.attempt, "attempt", attempt), optional(_given.text, "nonce", nonce)
        how = _given.text("status", status)
        if (outcome, reason, error, exit_code, signal, output, artifacts, usage) == _NOTHING_MORE:
            text = None if result is KEEP else _given.json_text("result", result)
            at = optional(_given.time, "ended_at", ended_at)
            return self._core.finish(named, number, word, how, summary, text, at)[3]
        said = end(
            outcome=outcome,
            reason=reason,
            error=error,
            summary=summary,
            exit_code=exit_code,
            signal=signal,
            output=output,
            artifacts=artifacts,
            usage=usage,
            ended_at=ended_at,
        )
        rest = {name: value for name, value in said.items() if value is not None}
        speaker = {"attempt": number, "nonce": word}
        fields: dict[str, Any] = {name: value for name, value in speaker.items() if value is not None}
        fields.update(rest, lookup=named, status=how)
        if result is not KEEP:
            fields["result"] = _given.plain("result", result)
        return self._recorded(self._ask_as_is("finish", fields)).task

    def settle(
        self,
        lookup: Lookup,
        status: str,
        *,
        outcome: str | None = None,
        reason: str | None = None,
        by: str | None = None,
        why: str | None = None,
        error: Failure | str | Mapping[str, Any] | None = None,
        summary: str | None = None,
        result: Any = KEEP,
        ended_at: datetime | None = None,
    ) -> Task:
        """Ends a task by an operator's or host's word, recorded with its author; ``lost`` may be such an end, too."""
        said = end(outcome=outcome, reason=reason, error=error, summary=summary, ended_at=ended_at)
        fields = {name: value for name, value in said.items() if value is not None}
        fields["lookup"], fields["status"] = _given.lookup("lookup", lookup), _given.text("status", status)
        fields.update({name: _given.text(name, value) for name, value in (("by", by), ("why", why)) if value is not None})
        if result is not KEEP:
            fields["result"] = _given.plain("result", result)
        return self._recorded(self._ask_as_is("settle", fields)).task

    def cancel(self, lookup: Lookup, *, by: str | None = None, why: str | None = None) -> CancelReply:
        """Asks to cancel a task and all that descends from it.

        ``reply.cancel`` is ``requested`` (its executor will be told), ``cancelled``, ``already`` (it had ended) or
        ``executor_gone`` (it was settled at once). Where the ledger cannot reach the work, the cancel hook of its runtime
        is run (``config(set={"cancel_hook.acp": …})``), and ``reply.hooks`` says how that went.
        """
        by, why = optional(_given.text, "by", by), optional(_given.text, "why", why)
        answer = self._ask("cancel", lookup=_given.lookup("lookup", lookup), by=by, why=why)
        below = {each["number"]: each["cancel"] for each in answer["descendants"]}
        hooks = {each["number"]: each["problem"] for each in answer["hooks"]}
        return CancelReply(answer["cancel"], Task.from_dict(answer["task"]), below, hooks)

    def notify(self, lookup: Lookup, policy: str) -> Task:
        """Changes whom a task's notices go out for, from now on."""
        named = _given.lookup("lookup", lookup)
        return Task.from_dict(self._ask("notify", lookup=named, policy=_given.text("policy", policy))["task"])

    @staticmethod
    def _recorded(answer: dict[str, Any]) -> Recorded:
        return Recorded(
            answer["changed"], answer["cancel_requested"], answer["deadline_passed"], Task.from_dict(answer["task"])
        )
