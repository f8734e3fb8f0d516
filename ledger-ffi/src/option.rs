//! The options of the calls that record.

use crate::argument::options;
use std::ffi::c_char;

/// What a new task is. Begin with all zero and set `size`; `label` is needed, zero is the default of all others.
/// Spans are milliseconds, times milliseconds since 1970 UTC.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct CreateOptions {
    /// sizeof(bgl_create_options).
    pub size: usize,
    /// A short title.
    pub label: *const c_char,
    /// The work's text.
    pub task: *const c_char,
    /// The caller's idempotency key: creating again with it finds the task that is there.
    pub key: *const c_char,
    /// Who runs it: a lower-case word. NULL: as the handle was opened.
    pub runtime: *const c_char,
    /// A finer kind inside the runtime.
    pub kind: *const c_char,
    /// Its id in the source system, such as the cron job's.
    pub source_id: *const c_char,
    /// The id of the run in the host: without `key` it is the idempotency key, together with the runtime.
    pub run_id: *const c_char,
    /// The principal it belongs to. NULL: the handle's.
    pub owner: *const c_char,
    /// The conversation that asked for the work.
    pub requester_session: *const c_char,
    /// The conversation in which it runs.
    pub session: *const c_char,
    /// The agent that does the work.
    pub agent: *const c_char,
    /// The agent that asked for it.
    pub requester_agent: *const c_char,
    /// The task that starts it, by any lookup.
    pub parent: *const c_char,
    /// The flow that it belongs to: its number as text ("F3"), its id or its owner. NULL: its parent's.
    pub flow: *const c_char,
    /// The task that it runs again, by any lookup.
    pub retry_of: *const c_char,
    /// A flat JSON object of strings, numbers, booleans and nulls.
    pub metadata_json: *const c_char,
    /// "done_only", "state_changes" or "silent". NULL: the ledger's default for the runtime.
    pub notify: *const c_char,
    /// How long it may stay queued.
    pub queue_timeout_ms: i64,
    /// How long an attempt may run.
    pub timeout_ms: i64,
    /// An earlier time of creation.
    pub created_at: i64,
    /// 1: start it at once; the five members below say how.
    pub start: i64,
    /// "self" or "external". NULL: as the handle was opened.
    pub executor: *const c_char,
    /// Another process of this machine does the work: its pid.
    pub pid: i64,
    /// The process group of the command that it runs.
    pub group: i64,
    /// How long a heartbeat keeps it alive.
    pub lease_ms: i64,
    /// When it started.
    pub started_at: i64,
    /// Record that it is over already, and how it ended; without `attempt` and `nonce`. NULL: it is not.
    pub finish: *const FinishOptions,
}

/// How a task is claimed. NULL options: by this process (or as the handle was opened), without a lease.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct StartOptions {
    /// sizeof(bgl_start_options).
    pub size: usize,
    /// "self" or "external". NULL: as the handle was opened.
    pub executor: *const c_char,
    /// Another process of this machine does the work: its pid.
    pub pid: i64,
    /// The process group of the command that it runs.
    pub group: i64,
    /// How long a heartbeat keeps it alive.
    pub lease_ms: i64,
    /// When it started.
    pub started_at: i64,
    /// What was not known when the task was created, as a JSON object: "run_id", "session", "agent",
    /// "flow" (its id), ...
    pub fill_json: *const c_char,
}

/// How far the work is. What is zero or NULL stays as it was.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ProgressOptions {
    /// sizeof(bgl_progress_options).
    pub size: usize,
    /// The attempt that speaks. 0: the current one, whosever it is.
    pub attempt: i64,
    /// The executor's nonce.
    pub nonce: *const c_char,
    /// In words.
    pub text: *const c_char,
    /// Units done.
    pub current: *const i64,
    /// Units in all.
    pub total: *const i64,
    /// The unit's name.
    pub unit: *const c_char,
    /// What it waits for: "input", "auth", "dependency", "timer", "external"; "" says that it waits no more.
    pub waiting_on: *const c_char,
    /// The attempt's total usage, as a JSON object.
    pub usage_json: *const c_char,
    /// Artifacts to add by name, as a JSON object.
    pub artifacts_json: *const c_char,
    /// The lease's new length.
    pub lease_ms: i64,
    /// What was not known when the task was created, as a JSON object.
    pub fill_json: *const c_char,
}

/// Who says that the work lives.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct HeartbeatOptions {
    /// sizeof(bgl_heartbeat_options).
    pub size: usize,
    /// The attempt that speaks. 0: the current one, whosever it is.
    pub attempt: i64,
    /// The executor's nonce.
    pub nonce: *const c_char,
    /// The lease's new length.
    pub lease_ms: i64,
}

/// How a task ended, by its executor's word. Begin with all zero and set `size` and `status`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FinishOptions {
    /// sizeof(bgl_finish_options).
    pub size: usize,
    /// BGL_STATUS_SUCCEEDED, _FAILED, _TIMED_OUT or _CANCELLED.
    pub status: i64,
    /// The attempt that speaks. 0: the current one, whosever it is.
    pub attempt: i64,
    /// The executor's nonce.
    pub nonce: *const c_char,
    /// What a success amounts to: "ok" (the default), "blocked", "no_result".
    pub outcome: *const c_char,
    /// Why it ended otherwise.
    pub reason: *const c_char,
    /// What went wrong: its kind, such as an exception's class.
    pub error_type: *const c_char,
    /// What went wrong, in words.
    pub error_message: *const c_char,
    /// More, such as a traceback; cut to its end if long.
    pub error_detail: *const c_char,
    /// The result in words.
    pub summary: *const c_char,
    /// The result as one JSON value, kept as given.
    pub result_json: *const c_char,
    /// A command's exit code.
    pub exit_code: *const i64,
    /// The signal that ended a command.
    pub signal: *const i64,
    /// The end of a command's output, as a JSON object: "tail", "bytes", "truncated".
    pub output_json: *const c_char,
    /// Artifacts to add by name, as a JSON object.
    pub artifacts_json: *const c_char,
    /// The attempt's total usage, as a JSON object.
    pub usage_json: *const c_char,
    /// When it ended.
    pub ended_at: i64,
}

/// How a task ended, by an operator's or host's word. Begin with all zero and set `size` and `status`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct SettleOptions {
    /// sizeof(bgl_settle_options).
    pub size: usize,
    /// Any end of bgl_status, BGL_STATUS_LOST too.
    pub status: i64,
    /// What a success amounts to.
    pub outcome: *const c_char,
    /// Why it ended otherwise. NULL: "forced", for BGL_STATUS_LOST "reported".
    pub reason: *const c_char,
    /// Who says so.
    pub by: *const c_char,
    /// And why.
    pub why: *const c_char,
    /// What went wrong: its kind.
    pub error_type: *const c_char,
    /// What went wrong, in words.
    pub error_message: *const c_char,
    /// More about it.
    pub error_detail: *const c_char,
    /// The result in words.
    pub summary: *const c_char,
    /// The result as one JSON value.
    pub result_json: *const c_char,
    /// When it ended.
    pub ended_at: i64,
}

/// Who asks to cancel, and why.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct CancelOptions {
    /// sizeof(bgl_cancel_options).
    pub size: usize,
    /// Who asks.
    pub by: *const c_char,
    /// And why.
    pub why: *const c_char,
}

options! {
    CreateOptions = "bgl_create_options";
    StartOptions = "bgl_start_options";
    ProgressOptions = "bgl_progress_options";
    HeartbeatOptions = "bgl_heartbeat_options";
    FinishOptions = "bgl_finish_options";
    SettleOptions = "bgl_settle_options";
    CancelOptions = "bgl_cancel_options";
}
