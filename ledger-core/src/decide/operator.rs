//! What others say of a task: an operator cancels or settles it, maintenance expires or reaps it.

use super::check::{concerns, ending, in_order, not_due, room_for_artifacts, same_end};
use super::{Answer, Decision, changed, unchanged};
use crate::command::{CancelEvidence, Cancelled, Moment};
use crate::event::{Asked, Ending, Event, Report};
use crate::{Error, Evidence, NotifyPolicy, Settlement, Status, Task, reason};
use alloc::vec;

pub(super) fn request_cancel(
    task: &Task,
    asked: Asked,
    evidence: &CancelEvidence,
    at: &Moment,
) -> Result<Decision, Error> {
    let mut events = match task.cancel {
        Some(_) => vec![],
        None => vec![Event::CancelRequested(asked)],
    };
    let proof = match evidence {
        CancelEvidence::Gone(evidence) if evidence.is_proof() && concerns(evidence, task, at) => Some(evidence),
        CancelEvidence::Gone(_) | CancelEvidence::MayLive => None,
    };
    let answer = match (task.status, proof) {
        (Status::Queued, _) => {
            events.push(Event::Finished(plain_end(Status::Cancelled, reason::REQUESTED, None)));
            Cancelled::Cancelled
        }
        (Status::Running, None) => Cancelled::Requested,
        (Status::Running, Some(_)) => {
            events.push(Event::Reaped(plain_end(Status::Cancelled, reason::EXECUTOR_GONE, proof)));
            Cancelled::ExecutorGone
        }
        (Status::Lost, None) => Cancelled::Already,
        (Status::Lost, Some(_)) => {
            events.push(Event::Reaped(plain_end(Status::Cancelled, reason::EXECUTOR_GONE, proof)));
            Cancelled::Cancelled
        }
        (Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled, _) => {
            events.clear();
            Cancelled::Already
        }
    };
    Ok(Decision { events, answer: Answer::Cancel(answer) })
}

fn plain_end(status: Status, reason: &str, evidence: Option<&Evidence>) -> Ending {
    Ending {
        status,
        outcome: None,
        reason: Some(reason.into()),
        by: None,
        why: None,
        evidence: evidence.cloned(),
        ended_at: None,
        report: Report::default(),
        checksum: None,
    }
}

pub(super) fn settle(task: &Task, settlement: &Settlement, at: &Moment) -> Result<Decision, Error> {
    let ending = ending(&settlement.end, Some(settlement))?;
    match task.status {
        Status::Queued | Status::Running => {}
        Status::Lost if ending.status == Status::Lost && ending.reason == task.reason => return Ok(unchanged()),
        Status::Lost => {}
        Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => return same_end(task, &ending),
    }
    let earliest = task.attempt_started_at.or(Some(task.created_at));
    in_order("ended_at", ending.ended_at, earliest, "began", at)?;
    room_for_artifacts(task, ending.report.artifacts.keys())?;
    Ok(changed(vec![Event::Settled(ending)]))
}

pub(super) fn expire(task: &Task, at: &Moment) -> Result<Decision, Error> {
    match task.is_queue_overdue(at.now) {
        true => Ok(changed(vec![Event::Expired(plain_end(Status::TimedOut, reason::QUEUE_DEADLINE, None))])),
        false => Err(not_due(task, "it is not queued past its queue_timeout")),
    }
}

/// Never a public request: maintenance and cancel bring the evidence.
pub(super) fn reap(task: &Task, evidence: &Evidence, at: &Moment) -> Result<Decision, Error> {
    match task.status {
        Status::Running => {}
        Status::Queued | Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled | Status::Lost => {
            return Err(not_due(task, "only running work has an executor"));
        }
    }
    if !concerns(evidence, task, at) {
        return Err(not_due(task, "the evidence is not about its executor or its lease as they are now"));
    }
    let (status, reason) = match evidence.is_proof() {
        true if task.cancel.is_some() => (Status::Cancelled, reason::EXECUTOR_GONE),
        true if task.is_overdue(at.now) => (Status::TimedOut, reason::EXECUTOR_GONE),
        true => (Status::Lost, reason::EXECUTOR_GONE),
        false => (Status::Lost, reason::LEASE_EXPIRED),
    };
    Ok(changed(vec![Event::Reaped(plain_end(status, reason, Some(evidence)))]))
}

pub(super) fn notify(task: &Task, policy: &NotifyPolicy) -> Result<Decision, Error> {
    match task.notify == *policy {
        true => Ok(unchanged()),
        false => Ok(changed(vec![Event::NotifyChanged(policy.clone())])),
    }
}
