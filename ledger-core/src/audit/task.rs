//! What can be wrong with a task.

use super::{Code, Finding, Thresholds};
use crate::liveness::lease_is_over;
use crate::{Evidence, Liveness, Millis, Moment, Status, Task};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

/// Examines a task. A running task's executor is judged by the caller, who saw it. What is worse comes first.
pub fn examine(task: &Task, liveness: &Liveness, at: &Moment, thresholds: &Thresholds) -> Vec<Finding> {
    if !times_in_order(task) {
        let times = "its times do not fit each other or its status";
        return vec![finding(task, Code::TimesOutOfOrder, times.into(), None, None)];
    }
    let now = at.now.max(task.updated_at);
    match task.status {
        Status::Queued if task.is_queue_overdue(now) => {
            let since = task.queue_timeout.map(|timeout| task.created_at.plus(timeout));
            vec![finding(task, Code::QueueExpired, "it is past its queue_timeout".into(), since, None)]
        }
        // Whoever set a deadline has said how long waiting is well.
        Status::Queued if task.queue_timeout.is_none() && thresholds.queued(task).is_over(task.created_at, now) => {
            let message = format!("it has been queued for {}", now.since(task.created_at).about());
            vec![finding(task, Code::StaleQueued, message, Some(task.created_at), None)]
        }
        Status::Running => running(task, liveness, at, thresholds),
        Status::Lost => {
            let message = format!("it is presumed dead ({})", task.end_detail());
            vec![finding(task, Code::Lost, message, task.ended_at, None)]
        }
        Status::Queued | Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => vec![],
    }
}

fn running(task: &Task, liveness: &Liveness, at: &Moment, thresholds: &Thresholds) -> Vec<Finding> {
    let (spoke, now) = (last_word(task), at.now.max(task.updated_at));
    if let Liveness::Gone(evidence) = liveness {
        return vec![match evidence.is_proof() {
            true => {
                let message = format!("its executor is gone: {}", describe(evidence));
                finding(task, Code::ExecutorGone, message, spoke, Some(evidence))
            }
            false => finding(task, Code::LeaseExpired, describe(evidence), task.lease_expires_at, Some(evidence)),
        }];
    }
    let mut found = Vec::new();
    if task.is_overdue(now) {
        let since = task.attempt_started_at.zip(task.timeout).map(|(start, timeout)| start.plus(timeout));
        found.push(finding(task, Code::Overdue, "it is past its timeout".into(), since, None));
    }
    if let Some(silent) = silent(task, liveness, spoke, at, thresholds).filter(|_| found.is_empty()) {
        found.push(silent);
    }
    if let Some(cancel) = task
        .cancel
        .as_ref()
        .filter(|cancel| found.is_empty() && thresholds.cancel(task).is_over(cancel.requested_at, now))
    {
        let told = if cancel.told_at.is_some() { "its executor was told" } else { "its executor has not been told" };
        let message = format!("its cancel was requested {} ago, and {told}", now.since(cancel.requested_at).about());
        found.push(finding(task, Code::CancelStuck, message, Some(cancel.requested_at), None));
    }
    found
}

/// What the silence of a running task amounts to.
fn silent(
    task: &Task,
    liveness: &Liveness,
    spoke: Option<Millis>,
    at: &Moment,
    thresholds: &Thresholds,
) -> Option<Finding> {
    let (spoke, now) = (spoke?, at.now.max(task.updated_at));
    if task.heartbeat_at.is_none() && task.progress_at.is_none() && lease_is_over(task, at) {
        let message = "its lease ran out, and its executor has said nothing since it took it".into();
        return Some(finding(task, Code::NeverHeartbeated, message, task.lease_expires_at, None));
    }
    match liveness {
        Liveness::Unknown if task.lease.is_none() && thresholds.unobserved(task).is_over(spoke, now) => {
            let message = match task.executor.as_ref().and_then(|executor| executor.pid) {
                Some(pid) => format!("no lease, no word, and process {pid} cannot be observed from here"),
                None => "no lease, no word and no process to observe: nothing shows whether it still runs".into(),
            };
            Some(finding(task, Code::Unobserved, message, Some(spoke), None))
        }
        Liveness::Alive | Liveness::Unknown => {
            let moved = task.progress_at.max(task.attempt_started_at)?;
            let is_over = thresholds.no_progress(task).is_over(moved, now);
            let message = || format!("it has reported nothing for {}", now.since(moved).about());
            is_over.then(|| finding(task, Code::NoProgress, message(), Some(moved), None))
        }
        Liveness::Gone(_) => None,
    }
}

/// Evidence in words.
pub fn describe(evidence: &Evidence) -> String {
    match evidence {
        Evidence::ProcessGone { pid, found: None, .. } => format!("there is no process {pid}"),
        Evidence::ProcessGone { pid, found: Some(_), .. } => format!("process {pid} is another one now"),
        Evidence::Zombie { pid, .. } => format!("process {pid} is a zombie"),
        Evidence::Rebooted { .. } => "the machine has booted since".into(),
        Evidence::LeaseExpired { overdue, .. } => format!("its lease ran out {} ago", overdue.about()),
    }
}

/// When somebody last said that the task lives.
fn last_word(task: &Task) -> Option<Millis> {
    task.heartbeat_at.max(task.progress_at).max(task.attempt_started_at)
}

fn times_in_order(task: &Task) -> bool {
    if task.status.is_active() != task.ended_at.is_none() {
        return false;
    }
    let ended_or_now = task.ended_at.unwrap_or(task.updated_at);
    task.created_at <= task.started_at.unwrap_or(task.created_at)
        && task.started_at.unwrap_or(task.created_at) <= ended_or_now
        && ended_or_now <= task.updated_at
}

fn finding(task: &Task, code: Code, message: String, since: Option<Millis>, evidence: Option<&Evidence>) -> Finding {
    Finding {
        number: Some(task.number),
        id: Some(task.id),
        status: Some(task.status),
        runtime: Some(task.runtime.clone()),
        label: Some(task.label.clone()),
        evidence: evidence.cloned(),
        ..Finding::new(code, task.number.to_string(), message, since)
    }
}
