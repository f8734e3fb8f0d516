//! What an executor says: it claims a task, reports, lives, ends it.

use super::check::{
    already_ended, ending, fillable, in_order, not_started, records_start, room_for_artifacts, same_end, unfenced,
};
use super::{Decision, changed, unchanged};
use crate::command::{Claim, ClaimToken, End, Late, Moment};
use crate::event::Progress;
use crate::event::{Event, Fill, Renewal, Started};
use crate::{Error, Executor, Lease, Span, Status, Task, bounds, planted};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

pub(super) fn start(task: &Task, claim: &Claim, at: &Moment) -> Result<Decision, Error> {
    match task.status {
        Status::Queued | Status::Lost => {}
        Status::Running if same_executor(task, claim) => return start_again(task, claim),
        Status::Running => {
            return Err(Error::AlreadyRunning {
                number: task.number,
                attempt: task.attempt,
                executor: task.executor.clone().map(Box::new),
                started_at: task.attempt_started_at,
            });
        }
        Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => return Err(already_ended(task)),
    }
    if let Some(cancel) = &task.cancel {
        let (requested_at, by) = (cancel.requested_at, cancel.by.clone());
        return Err(Error::CancelRequested { number: task.number, requested_at, by });
    }
    // A takeover may have begun before anybody noticed the loss, but not before the attempt that was lost.
    in_order("started_at", claim.started_at, task.attempt_started_at, "was started before", at)?;
    let fill = fillable(task, &claim.fill, &claim.late)?;
    let started = Started { fill, ..claimed(claim, task.attempt.saturating_add(1), at) };
    Ok(changed(vec![Event::Started(started)]))
}

/// The same start again changes nothing, except that it too may fill in what is null.
fn start_again(task: &Task, claim: &Claim) -> Result<Decision, Error> {
    let fill = fillable(task, &claim.fill, &claim.late)?;
    match fill.is_empty() {
        true => Ok(unchanged()),
        false => Ok(changed(vec![reported(task, Progress { fill, ..Progress::default() })])),
    }
}

fn same_executor(task: &Task, claim: &Claim) -> bool {
    match (&task.executor, &claim.executor) {
        (None, None) => true,
        (Some(holder), Some(claimant)) => holder.is_same(claimant),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

pub(super) fn claimed(claim: &Claim, attempt: u32, at: &Moment) -> Started {
    Started {
        attempt,
        executor: claim.executor.clone(),
        lease: claim.lease,
        lease_clock: claim.lease.and_then(|lease| lease_clock(lease, at)),
        started_at: claim.started_at,
        fill: Fill::default(),
    }
}

fn lease_clock(lease: Span, at: &Moment) -> Option<Lease> {
    let boot = at.boot.clone()?;
    Some(Lease { boot, expires: at.monotonic.saturating_add(lease.ms()) })
}

pub(super) fn progress(
    task: &Task,
    token: &ClaimToken,
    progress: &Progress,
    late: &Late,
    lease: Option<Span>,
    at: &Moment,
) -> Result<Decision, Error> {
    let mut events = speaks(task, token)?;
    let fill = fillable(task, &progress.fill, late)?;
    room_for_artifacts(task, progress.artifacts.keys())?;
    events.push(reported(task, Progress { fill, ..progress.clone() }));
    lives(task, lease, at, &mut events);
    Ok(changed(events))
}

pub(super) fn heartbeat(task: &Task, token: &ClaimToken, lease: Option<Span>, at: &Moment) -> Result<Decision, Error> {
    let mut events = speaks(task, token)?;
    lives(task, lease, at, &mut events);
    Ok(changed(events))
}

/// The holder of the attempt speaks: if it was presumed dead, it is recovered.
fn speaks(task: &Task, token: &ClaimToken) -> Result<Vec<Event>, Error> {
    match task.status {
        Status::Queued => Err(not_started(task)),
        // Somebody settled it as lost from the queue: there is no attempt to recover.
        Status::Lost if task.attempt == 0 => Err(not_started(task)),
        Status::Running => {
            unfenced(task, token)?;
            Ok(vec![])
        }
        Status::Lost => {
            unfenced(task, token)?;
            Ok(vec![Event::Recovered])
        }
        Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => {
            unfenced(task, token)?;
            Err(already_ended(task))
        }
    }
}

/// Whoever speaks lives: the lease moves, and a request to cancel is told by the reply.
fn lives(task: &Task, lease: Option<Span>, at: &Moment, events: &mut Vec<Event>) {
    let length = lease.or(task.lease);
    let lease_clock = length.and_then(|length| lease_clock(length, at));
    events.push(Event::Heartbeat(Renewal { lease, lease_clock }));
    if task.cancel.as_ref().is_some_and(|cancel| cancel.told_at.is_none()) {
        events.push(Event::CancelTold);
    }
}

/// A history has room for a thousand reports; beyond, only the row moves.
fn reported(task: &Task, progress: Progress) -> Event {
    match task.progress_reports < bounds::PROGRESS_EVENTS {
        true => Event::Progress(progress),
        false => Event::ProgressUnrecorded(progress),
    }
}

pub(super) fn finish(task: &Task, token: &ClaimToken, end: &End, at: &Moment) -> Result<Decision, Error> {
    let ending = ending(end, None)?;
    let mut events = match task.status {
        Status::Queued | Status::Lost if task.attempt == 0 => match records_start(end.status) {
            true => vec![Event::Started(unseen_start(token, end))],
            false => vec![],
        },
        Status::Queued => vec![],
        Status::Running => {
            unfenced(task, token)?;
            vec![]
        }
        Status::Lost if planted("drop_late_finish") => return Ok(unchanged()),
        Status::Lost => {
            unfenced(task, token)?;
            vec![Event::Recovered]
        }
        Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => {
            unfenced(task, token)?;
            return same_end(task, &ending);
        }
    };
    in_order("ended_at", end.ended_at, task.attempt_started_at, "started", at)?;
    room_for_artifacts(task, end.report.artifacts.keys())?;
    events.push(Event::Finished(ending));
    Ok(changed(events))
}

/// Work that succeeded or failed has run, though nobody recorded its start, or a power loss took it. Its executor is
/// taken at its word about its attempt and nonce, so that the same finish again is not fenced.
fn unseen_start(token: &ClaimToken, end: &End) -> Started {
    let known = |nonce| Executor { nonce: Some(nonce), ..Executor::default() };
    Started {
        attempt: token.attempt.unwrap_or_default().max(1),
        executor: token.nonce.clone().map(known),
        started_at: end.ended_at,
        ..Started::default()
    }
}
