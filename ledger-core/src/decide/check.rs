//! The checks that several commands share.

use super::{Decision, unchanged};
use crate::command::{ClaimToken, End, Family, Late, Moment};
use crate::event::{Ending, Fill, Report};
use crate::liveness::lease_has_run_out;
use crate::{Error, Evidence, FlowId, Millis, Settlement, Status, Task, TaskId, bounds, outcome, reason};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

/// An executor's write names its attempt and, where its executor has one, the nonce; one that names neither acts on
/// the current attempt. Where nobody ever held the task, nobody is kept out.
pub(super) fn unfenced(task: &Task, token: &ClaimToken) -> Result<(), Error> {
    if task.attempt == 0 || crate::planted("trust_stale_attempt") {
        return Ok(());
    }
    let holder = task.executor.as_ref().and_then(|executor| executor.nonce.as_ref());
    let other_number = token.attempt.is_some_and(|attempt| attempt != task.attempt);
    let other_nonce = token.nonce.is_some() && token.nonce.as_ref() != holder;
    match other_number || other_nonce {
        false => Ok(()),
        true => Err(Error::Fenced {
            number: task.number,
            given: token.attempt.unwrap_or(task.attempt),
            attempt: task.attempt,
            executor: task.executor.clone().map(Box::new),
            started_at: task.attempt_started_at,
            recorded_status: task.status,
        }),
    }
}

/// An end with its outcome or reason made explicit.
pub(super) fn ending(end: &End, settled: Option<&Settlement>) -> Result<Ending, Error> {
    let report = &end.report;
    let forced = |word| if settled.is_some() { reason::FORCED } else { word };
    let (outcome, default_reason) = match end.status {
        Status::Succeeded => (Some(end.outcome.clone().unwrap_or_else(|| outcome::OK.into())), None),
        Status::Failed if report.signal.is_some() => (None, Some(forced(reason::SIGNAL))),
        Status::Failed if report.exit_code.is_some() => (None, Some(forced(reason::EXIT_CODE))),
        Status::Failed => (None, Some(forced(reason::ERROR))),
        Status::TimedOut => (None, Some(forced(reason::DEADLINE))),
        Status::Cancelled => (None, Some(forced(reason::REQUESTED))),
        Status::Lost if settled.is_some() && *report == Report::default() => (None, Some(reason::REPORTED)),
        Status::Lost if settled.is_some() => {
            let expected = "a final status: lost work has said nothing";
            return Err(Error::invalid("status", "\"lost\" with a report", expected));
        }
        Status::Queued | Status::Running | Status::Lost => {
            let problem = format!("{:?} is not an end", end.status.as_str());
            return Err(Error::invalid("status", problem, "one of succeeded, failed, timed_out, cancelled"));
        }
    };
    let reason = default_reason.map(|word| end.reason.clone().unwrap_or_else(|| word.into()));
    Ok(Ending {
        status: end.status,
        outcome,
        reason,
        by: settled.and_then(|settlement| settlement.by.clone()),
        why: settled.and_then(|settlement| settlement.why.clone()),
        evidence: None,
        ended_at: end.ended_at,
        report: report.clone(),
        checksum: report.checksum(),
    })
}

/// Work that succeeded or failed has run, whether or not anybody recorded its start.
pub(super) fn records_start(status: Status) -> bool {
    match status {
        Status::Succeeded | Status::Failed => true,
        Status::Queued | Status::Running | Status::TimedOut | Status::Cancelled | Status::Lost => false,
    }
}

/// A task that has ended: the same end again changes nothing, another is refused.
pub(super) fn same_end(task: &Task, ending: &Ending) -> Result<Decision, Error> {
    let same = task.status == ending.status && task.outcome == ending.outcome && task.reason == ending.reason;
    if same { Ok(unchanged()) } else { Err(already_ended(task)) }
}

/// Whether evidence is about the task's executor and lease as they are now: what was seen of an earlier attempt, or
/// before a lease was renewed, ends nothing.
pub(super) fn concerns(evidence: &Evidence, task: &Task, at: &Moment) -> bool {
    let executor = task.executor.as_ref();
    let is_process = |pid: u32, started: u64| {
        executor.is_some_and(|executor| executor.pid == Some(pid) && executor.started == Some(started))
    };
    match evidence {
        Evidence::ProcessGone { pid, started, .. } | Evidence::Zombie { pid, started } => is_process(*pid, *started),
        Evidence::Rebooted { was, is } => {
            was != is && executor.is_some_and(|executor| executor.boot.as_ref() == Some(was))
        }
        Evidence::LeaseExpired { .. } => lease_has_run_out(task, at),
    }
}

/// What is null may be filled in once; the same value again is no change.
pub(super) fn fillable(task: &Task, fill: &Fill, late: &Late) -> Result<Fill, Error> {
    let once = |field: &'static str, given: &Option<String>, recorded: &Option<String>| match (given, recorded) {
        (Some(given), Some(recorded)) if given != recorded => {
            Err(Error::AlreadySet { number: task.number, field, recorded: recorded.clone() })
        }
        (Some(_), Some(_)) | (None, _) => Ok(None),
        (Some(given), None) => Ok(Some(given.clone())),
    };
    let link = |field: &'static str, given: Option<TaskId>, recorded: Option<TaskId>| {
        once(field, &given.map(String::from), &recorded.map(String::from)).map(|fresh| fresh.and(given))
    };
    let fresh = Fill {
        kind: once("kind", &fill.kind, &task.kind)?,
        source_id: once("source_id", &fill.source_id, &task.source_id)?,
        run_id: once("run_id", &fill.run_id, &task.run_id)?,
        requester_session: once("requester_session", &fill.requester_session, &task.requester_session)?,
        session: once("session", &fill.session, &task.session)?,
        agent: once("agent", &fill.agent, &task.agent)?,
        requester_agent: once("requester_agent", &fill.requester_agent, &task.requester_agent)?,
        retry_of: link("retry_of", fill.retry_of, task.retry_of)?,
        parent: link("parent", fill.parent, task.parent)?,
        root: None,
        flow: once("flow", &fill.flow.map(String::from), &task.flow.map(String::from))?.and(fill.flow),
    };
    // A run is the key of one task: creating that one again must go on finding it.
    if let (Some(recorded), Some(number), None) = (&fresh.run_id, late.run_taken_by, &task.key) {
        return Err(Error::AlreadySet { number, field: "run_id", recorded: recorded.clone() });
    }
    let fresh = match (fresh.parent, &late.family) {
        (None, _) => fresh,
        (Some(_), None) => return Err(Error::internal("a parent was filled in without its line")),
        (Some(_), Some(family)) => {
            admit(family)?;
            Fill { root: Some(family.root), ..fresh }
        }
    };
    Ok(Fill { flow: joined(task, fresh.flow, late)?, ..fresh })
}

/// The flow that a task joins late: the one given, else that of the parent which is filled in with it.
fn joined(task: &Task, given: Option<FlowId>, late: &Late) -> Result<Option<FlowId>, Error> {
    let gate = match (given, &late.flow, late.family.and_then(|family| family.flow)) {
        (Some(_), Some(gate), _) => gate,
        (Some(_), None, _) => return Err(Error::internal("a flow was filled in without its gate")),
        (None, _, Some(parents)) if task.flow.is_none() => return parents.inherit(),
        (None, _, _) => return Ok(None),
    };
    gate.admit()?;
    match late.has_children {
        true => Err(Error::TreeShape {
            problem: "the task has children already, which are in no flow: link it before it has any".into(),
        }),
        false => Ok(given),
    }
}

/// A parent takes a child unless cancel of an ancestor was requested or the tree would lose its shape.
pub(super) fn admit(family: &Family) -> Result<(), Error> {
    if let Some(ancestor) = family.cancelled {
        return Err(Error::AncestorCancelled { ancestor });
    }
    if let Some(flow) = family.barred {
        flow.admit()?;
    }
    if family.entangled {
        return Err(Error::TreeShape {
            problem: "the task has children already, or is itself above this parent".into(),
        });
    }
    match family.depth <= bounds::TREE_DEPTH {
        true => Ok(()),
        false => Err(Error::TreeShape { problem: format!("more than {} generations", bounds::TREE_DEPTH) }),
    }
}

pub(super) fn room_for_artifacts<'a>(task: &Task, names: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    let new = names.filter(|name| !task.artifacts.contains_key(*name)).count();
    bounds::count("artifacts", task.artifacts.len().saturating_add(new), bounds::ARTIFACTS)
}

pub(super) fn not_future(field: &str, given: Option<Millis>, at: &Moment) -> Result<(), Error> {
    match given {
        Some(given) if given > at.now => Err(Error::FutureTime { field: field.into(), given, now: at.now }),
        Some(_) | None => Ok(()),
    }
}

pub(super) fn in_order(
    field: &str,
    given: Option<Millis>,
    earliest: Option<Millis>,
    event: &str,
    at: &Moment,
) -> Result<(), Error> {
    not_future(field, given, at)?;
    match (given, earliest) {
        (Some(given), Some(earliest)) if given < earliest => {
            Err(Error::TimeOrder { field: field.into(), given, earliest, event: event.into() })
        }
        (Some(_) | None, _) => Ok(()),
    }
}

pub(super) fn not_started(task: &Task) -> Error {
    Error::NotStarted { number: task.number, created_at: task.created_at }
}

pub(super) fn already_ended(task: &Task) -> Error {
    Error::AlreadyEnded {
        number: task.number,
        recorded_status: task.status,
        recorded_detail: task.end_detail().into(),
        ended_at: task.ended_at.unwrap_or(task.updated_at),
    }
}

pub(super) fn not_due(task: &Task, problem: &str) -> Error {
    Error::NotDue {
        number: task.number,
        recorded_status: task.status,
        updated_at: task.updated_at,
        problem: problem.into(),
    }
}
