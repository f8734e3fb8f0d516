//! The options of the calls about flows.

use crate::argument::options;
use std::ffi::c_char;

/// What a new flow is. Begin with all zero and set `size`; `goal` and `controller` are needed, or `mirrors` alone.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FlowCreateOptions {
    /// sizeof(bgl_flow_create_options).
    pub size: usize,
    /// What it is for.
    pub goal: *const c_char,
    /// Who moves it: a name by which its host finds it again.
    pub controller: *const c_char,
    /// The task that it follows, by any lookup: everything else is read from that task.
    pub mirrors: *const c_char,
    /// The caller's idempotency key: creating again with it finds the flow that is there.
    pub key: *const c_char,
    /// The principal it belongs to. NULL: the handle's.
    pub owner: *const c_char,
    /// 1: its controller is at work already. It is queued otherwise.
    pub running: i64,
    /// The step that it is at.
    pub step: *const c_char,
    /// What its controller keeps of it, as one JSON value.
    pub state_json: *const c_char,
}

/// What a flow waits for. NULL keeps what is recorded, and "" clears it; so does null as JSON. NULL options: nothing
/// but that it waits.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FlowWaitOptions {
    /// sizeof(bgl_flow_wait_options).
    pub size: usize,
    /// The step that it is at.
    pub step: *const c_char,
    /// What its controller keeps of it, as one JSON value.
    pub state_json: *const c_char,
    /// What it waits for, as one JSON value.
    pub wait_json: *const c_char,
    /// The task that stands in its way, by any lookup: it is blocked. NULL: none does.
    pub blocked_task: *const c_char,
    /// What stands in its way, in words: it is blocked. NULL: nothing does.
    pub blocked_summary: *const c_char,
}

/// How a flow goes on. NULL keeps what is recorded, and "" clears it; so does null as JSON. NULL options: it is queued.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FlowResumeOptions {
    /// sizeof(bgl_flow_resume_options).
    pub size: usize,
    /// 1: its controller is at work. It is queued otherwise.
    pub running: i64,
    /// The step that it is at.
    pub step: *const c_char,
    /// What its controller keeps of it, as one JSON value.
    pub state_json: *const c_char,
}

/// How a flow succeeded. NULL keeps what is recorded, and "" clears it; so does null as JSON.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FlowFinishOptions {
    /// sizeof(bgl_flow_finish_options).
    pub size: usize,
    /// The step that it ended at.
    pub step: *const c_char,
    /// What its controller keeps of it, as one JSON value.
    pub state_json: *const c_char,
}

/// How a flow failed. NULL keeps what is recorded, and "" clears it; so does null as JSON.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FlowFailOptions {
    /// sizeof(bgl_flow_fail_options).
    pub size: usize,
    /// The step that it ended at.
    pub step: *const c_char,
    /// What its controller keeps of it, as one JSON value.
    pub state_json: *const c_char,
    /// The task that stood in its way, by any lookup. NULL, and no summary: what is recorded stays.
    pub blocked_task: *const c_char,
    /// What stood in its way, in words.
    pub blocked_summary: *const c_char,
}

/// Which flows: those that fit every member that is set. Begin with all zero and set `size`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FlowListOptions {
    /// sizeof(bgl_flow_list_options).
    pub size: usize,
    /// 1: only those that have not ended.
    pub active: i64,
    /// Only these statuses: the sum of 1 << BGL_FLOW_STATUS_... of each.
    pub statuses: i64,
    /// Only this controller's.
    pub controller: *const c_char,
    /// At most so many. 0: all.
    pub limit: i64,
}

options! {
    FlowCreateOptions = "bgl_flow_create_options";
    FlowWaitOptions = "bgl_flow_wait_options";
    FlowResumeOptions = "bgl_flow_resume_options";
    FlowFinishOptions = "bgl_flow_finish_options";
    FlowFailOptions = "bgl_flow_fail_options";
    FlowListOptions = "bgl_flow_list_options";
}
