//! What can be wrong with a flow.

use super::{Code, Finding, Thresholds};
use crate::{Flow, FlowNumber, FlowStatus, Millis};
use alloc::format;
use alloc::string::{String, ToString};

/// Examines a managed flow. `active`: how many of its tasks are; `blocker_active`: whether the task that stands in its
/// way is, if one is named.
pub fn examine_flow(
    flow: &Flow,
    active: u64,
    blocker_active: Option<bool>,
    now: Millis,
    thresholds: &Thresholds,
) -> Option<Finding> {
    let found = |code, message: String, since| {
        let label = Some(flow.goal.clone());
        Some(Finding { flow: Some(flow.number), label, ..Finding::new(code, flow.number.to_string(), message, since) })
    };
    if !flow.times_in_order() {
        let message = "its times do not fit each other or its status".into();
        return found(Code::FlowTimesOutOfOrder, message, None);
    }
    if flow.is_ended() {
        return None;
    }
    if let Some(cancel) = flow.cancel.as_ref().filter(|_| active == 0) {
        let message = format!(
            "its cancel was requested {} ago, and none of its tasks is active",
            now.since(cancel.requested_at).about()
        );
        return found(Code::FlowCancelStuck, message, Some(cancel.requested_at));
    }
    let since = flow.updated_at;
    let for_so_long = now.since(since).about();
    match flow.status {
        FlowStatus::Running if active == 0 && thresholds.flow_idle().is_over(since, now) => {
            found(Code::FlowIdle, format!("it is running without an active task for {for_so_long}"), Some(since))
        }
        FlowStatus::Waiting if thresholds.flow_waiting().is_over(since, now) => {
            found(Code::FlowWaiting, format!("it has been waiting for {for_so_long}"), Some(since))
        }
        FlowStatus::Blocked if blocker_active == Some(false) && thresholds.flow_idle().is_over(since, now) => {
            found(Code::FlowBlockerGone, "the task that stood in its way has ended or is gone".into(), Some(since))
        }
        FlowStatus::Blocked if thresholds.flow_blocked().is_over(since, now) => {
            found(Code::FlowBlocked, format!("it has been blocked for {for_so_long}"), Some(since))
        }
        FlowStatus::Queued
        | FlowStatus::Running
        | FlowStatus::Waiting
        | FlowStatus::Blocked
        | FlowStatus::Succeeded
        | FlowStatus::Failed
        | FlowStatus::Cancelled
        | FlowStatus::Lost => None,
    }
}

/// What a flow whose row cannot be read is to the audit.
pub fn unreadable_flow(number: FlowNumber, problem: String) -> Finding {
    let found = Finding::new(Code::RowDiffers, number.to_string(), problem, None);
    Finding { flow: Some(number), command: Some(format!("bgledger flow show {number}")), ..found }
}
