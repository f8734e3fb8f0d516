//! A task as it was when a call answered, and what C may ask of it.

use crate::boundary::{c_text, exported};
use crate::handle;
use bgledger_core::{Failure, Millis, Span, TaskView};
use serde::Serialize;
use std::ffi::{CString, c_char, c_int};
use std::sync::{Arc, OnceLock};

/// A task as it was when a call answered: a snapshot that never changes. Threads may read it at once.
///
/// What the functions below return belongs to it and is valid until bgl_task_free(). They answer NULL,
/// BGL_ABSENT or 0 for what is absent, and for a handle that is NULL or not open.
pub struct Task {
    _opaque: [u8; 0],
}

/// What a handle stands for. Texts are made for C when they are first asked for.
#[derive(Debug)]
pub(crate) struct TaskBox {
    view: TaskView,
    texts: [OnceLock<Option<CString>>; TEXTS],
}

impl TaskBox {
    pub(crate) fn new(view: TaskView) -> TaskBox {
        TaskBox { view, texts: [const { OnceLock::new() }; TEXTS] }
    }
}

/// The texts of a task.
#[derive(Debug, Clone, Copy)]
enum Text {
    Id,
    Status,
    Outcome,
    Reason,
    Label,
    Task,
    Key,
    Runtime,
    Kind,
    SourceId,
    RunId,
    Owner,
    RequesterSession,
    Session,
    Agent,
    RequesterAgent,
    Parent,
    Flow,
    RetryOf,
    WaitingOn,
    ProgressWords,
    ProgressUnit,
    ErrorType,
    ErrorMessage,
    ErrorDetail,
    Summary,
    Result,
    OutputTail,
    Artifacts,
    Usage,
    Metadata,
    Root,
    Notify,
    Delivery,
    CancelBy,
    CancelWhy,
    Liveness,
    Json,
}
const TEXTS: usize = Text::Json as usize + 1;

fn text(task: *const Task, which: Text, of: impl FnOnce(&TaskView) -> Option<String>) -> *const c_char {
    exported!(value or std::ptr::null(), {
        handle::look(task, |found: &TaskBox| {
            let text = found.texts.get(which as usize)?.get_or_init(|| of(&found.view).map(c_text));
            text.as_ref().map(|text| text.as_ptr())
        })
    })
}

fn integer(task: *const Task, of: impl FnOnce(&TaskView) -> Option<i64>) -> i64 {
    exported!(value or i64::MIN, handle::look(task, |found: &TaskBox| of(&found.view)))
}

fn at(time: Option<Millis>) -> Option<i64> {
    time.map(Millis::get)
}

fn count(value: u64) -> Option<i64> {
    i64::try_from(value).ok()
}

fn json(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok()
}

fn failure(view: &TaskView, part: impl FnOnce(&Failure) -> Option<String>) -> Option<String> {
    view.task.error.as_ref().and_then(part)
}

/// Ends a task's handle and frees what its functions returned. NULL is answered with BGL_MISUSE_NULL_POINTER, a
/// handle that was freed before with BGL_MISUSE_BAD_HANDLE; neither does any harm. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_free(task: *mut Task) -> c_int {
    exported!(end task, {
        let _ended: Arc<TaskBox> = handle::close(task)?;
    })
}

/// Its number: 1, 2, 3 ... within its ledger, what people type. 0 if the handle is not open. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_number(task: *const Task) -> u64 {
    integer(task, |view| count(view.task.number.0)).try_into().unwrap_or(0)
}

/// Where it stands, one of bgl_status. 0 if the handle is not open. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_status(task: *const Task) -> c_int {
    integer(task, |view| Some(i64::from(view.task.status as u8))).try_into().unwrap_or(0)
}

/// Whether cancel of it was requested: 1 or 0. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_cancel_requested(task: *const Task) -> c_int {
    c_int::from(integer(task, |view| Some(view.task.cancel.is_some().into())) == 1)
}

/// Whether it has ended: 1 or 0. A lost task has, and may go on all the same. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_has_ended(task: *const Task) -> c_int {
    c_int::from(integer(task, |view| Some((!view.task.status.is_active()).into())) == 1)
}

/// Its global id, a UUID. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_id(task: *const Task) -> *const c_char {
    text(task, Text::Id, |view| Some(view.task.id.to_string()))
}

/// The word of its status, such as "running". Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_status_word(task: *const Task) -> *const c_char {
    text(task, Text::Status, |view| Some(view.task.status.as_str().into()))
}

/// What a success amounts to: "ok", "blocked", "no_result". Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_outcome(task: *const Task) -> *const c_char {
    text(task, Text::Outcome, |view| view.task.outcome.clone())
}

/// Why it ended otherwise. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_reason(task: *const Task) -> *const c_char {
    text(task, Text::Reason, |view| view.task.reason.clone())
}

/// Its short title. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_label(task: *const Task) -> *const c_char {
    text(task, Text::Label, |view| Some(view.task.label.clone()))
}

/// The work's text. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_text(task: *const Task) -> *const c_char {
    text(task, Text::Task, |view| view.task.task.clone())
}

/// The caller's idempotency key. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_key(task: *const Task) -> *const c_char {
    text(task, Text::Key, |view| view.task.key.clone())
}

/// Who runs it. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_runtime(task: *const Task) -> *const c_char {
    text(task, Text::Runtime, |view| Some(view.task.runtime.clone()))
}

/// A finer kind inside the runtime. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_kind(task: *const Task) -> *const c_char {
    text(task, Text::Kind, |view| view.task.kind.clone())
}

/// Its id in the source system. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_source_id(task: *const Task) -> *const c_char {
    text(task, Text::SourceId, |view| view.task.source_id.clone())
}

/// The id of the run in the host. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_run_id(task: *const Task) -> *const c_char {
    text(task, Text::RunId, |view| view.task.run_id.clone())
}

/// The principal it belongs to. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_owner(task: *const Task) -> *const c_char {
    text(task, Text::Owner, |view| Some(view.task.owner.clone()))
}

/// The conversation that asked for the work. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_requester_session(task: *const Task) -> *const c_char {
    text(task, Text::RequesterSession, |view| view.task.requester_session.clone())
}

/// The conversation in which it runs. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_session(task: *const Task) -> *const c_char {
    text(task, Text::Session, |view| view.task.session.clone())
}

/// The agent that does the work. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_agent(task: *const Task) -> *const c_char {
    text(task, Text::Agent, |view| view.task.agent.clone())
}

/// The agent that asked for it. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_requester_agent(task: *const Task) -> *const c_char {
    text(task, Text::RequesterAgent, |view| view.task.requester_agent.clone())
}

/// The id of the task that started it. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_parent(task: *const Task) -> *const c_char {
    text(task, Text::Parent, |view| view.task.parent.map(|id| id.to_string()))
}

/// The id of the task at the top of its tree; NULL if it is the top itself. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_root(task: *const Task) -> *const c_char {
    text(task, Text::Root, |view| view.task.root.map(|id| id.to_string()))
}

/// The id of the flow that it belongs to. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_flow(task: *const Task) -> *const c_char {
    text(task, Text::Flow, |view| view.task.flow.map(|id| id.to_string()))
}

/// The id of the task that it runs again. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_retry_of(task: *const Task) -> *const c_char {
    text(task, Text::RetryOf, |view| view.task.retry_of.map(|id| id.to_string()))
}

/// What running work waits for. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_waiting_on(task: *const Task) -> *const c_char {
    text(task, Text::WaitingOn, |view| view.task.waiting_on.clone())
}

/// How far it is, in words. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_progress_text(task: *const Task) -> *const c_char {
    text(task, Text::ProgressWords, |view| view.task.progress.as_ref()?.text.clone())
}

/// The name of the units of its progress. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_progress_unit(task: *const Task) -> *const c_char {
    text(task, Text::ProgressUnit, |view| view.task.progress.as_ref()?.unit.clone())
}

/// The kind of what went wrong. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_error_type(task: *const Task) -> *const c_char {
    text(task, Text::ErrorType, |view| failure(view, |failure| failure.kind.clone()))
}

/// What went wrong, in words. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_error_message(task: *const Task) -> *const c_char {
    text(task, Text::ErrorMessage, |view| failure(view, |failure| failure.message.clone()))
}

/// More about what went wrong. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_error_detail(task: *const Task) -> *const c_char {
    text(task, Text::ErrorDetail, |view| failure(view, |failure| failure.detail.clone()))
}

/// The result in words. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_summary(task: *const Task) -> *const c_char {
    text(task, Text::Summary, |view| view.task.summary.clone())
}

/// The result as JSON, as it was given. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_result_json(task: *const Task) -> *const c_char {
    text(task, Text::Result, |view| view.task.result.as_ref().map(|json| json.as_str().into()))
}

/// The end of a command's output. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_output_tail(task: *const Task) -> *const c_char {
    text(task, Text::OutputTail, |view| Some(view.task.output.as_ref()?.tail.clone()))
}

/// What it left behind, as a JSON object by name; "{}" if there is nothing. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_artifacts_json(task: *const Task) -> *const c_char {
    text(task, Text::Artifacts, |view| json(&view.task.artifacts))
}

/// What it cost over all attempts, as a JSON object. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_usage_json(task: *const Task) -> *const c_char {
    text(task, Text::Usage, |view| json(view.task.usage.as_ref()?))
}

/// What its creator wants to find again, as a flat JSON object; "{}" if there is nothing. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_metadata_json(task: *const Task) -> *const c_char {
    text(task, Text::Metadata, |view| json(&view.task.metadata))
}

/// Whom its notices go out for: "done_only", "state_changes", "silent". Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_notify(task: *const Task) -> *const c_char {
    text(task, Text::Notify, |view| Some(view.task.notify.as_str().into()))
}

/// What became of its notices: "pending", "failed", "delivered", "dismissed", "not_applicable". Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_delivery(task: *const Task) -> *const c_char {
    text(task, Text::Delivery, |view| Some(view.delivery.as_str().into()))
}

/// Who asked to cancel it. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_cancel_by(task: *const Task) -> *const c_char {
    text(task, Text::CancelBy, |view| view.task.cancel.as_ref()?.by.clone())
}

/// Why it should be cancelled. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_cancel_why(task: *const Task) -> *const c_char {
    text(task, Text::CancelWhy, |view| view.task.cancel.as_ref()?.why.clone())
}

/// When cancel of it was first requested. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_cancel_requested_at(task: *const Task) -> i64 {
    integer(task, |view| at(view.task.cancel.as_ref().map(|cancel| cancel.requested_at)))
}

/// When its executor learned of that. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_cancel_told_at(task: *const Task) -> i64 {
    integer(task, |view| at(view.task.cancel.as_ref()?.told_at))
}

/// What is known of a running task's executor: "alive", "gone", "lease_expired", "unknown". Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_liveness(task: *const Task) -> *const c_char {
    text(task, Text::Liveness, |view| view.liveness.map(str::to_owned))
}

/// The whole task as JSON: what `bgledger show --json` has under "task". Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_json(task: *const Task) -> *const c_char {
    text(task, Text::Json, json)
}

/// Units done. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_progress_current(task: *const Task) -> i64 {
    integer(task, |view| count(view.task.progress.as_ref()?.current?))
}

/// Units in all. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_progress_total(task: *const Task) -> i64 {
    integer(task, |view| count(view.task.progress.as_ref()?.total?))
}

/// A command's exit code. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_exit_code(task: *const Task) -> i64 {
    integer(task, |view| view.task.exit_code.map(i64::from))
}

/// The signal that ended a command. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_signal(task: *const Task) -> i64 {
    integer(task, |view| view.task.signal.map(i64::from))
}

/// When it was recorded, in milliseconds since 1970 UTC; as are all times. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_created_at(task: *const Task) -> i64 {
    integer(task, |view| Some(view.task.created_at.get()))
}

/// The first attempt's start. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_started_at(task: *const Task) -> i64 {
    integer(task, |view| at(view.task.started_at))
}

/// When it ended. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_ended_at(task: *const Task) -> i64 {
    integer(task, |view| at(view.task.ended_at))
}

/// The last write. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_updated_at(task: *const Task) -> i64 {
    integer(task, |view| Some(view.task.updated_at.get()))
}

/// The last heartbeat. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_heartbeat_at(task: *const Task) -> i64 {
    integer(task, |view| at(view.task.heartbeat_at))
}

/// The last progress. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_progress_at(task: *const Task) -> i64 {
    integer(task, |view| at(view.task.progress_at))
}

/// When its lease runs out. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_lease_expires_at(task: *const Task) -> i64 {
    integer(task, |view| at(view.task.lease_expires_at))
}

/// How long it may stay queued, in milliseconds. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_queue_timeout_ms(task: *const Task) -> i64 {
    integer(task, |view| view.task.queue_timeout.map(Span::ms))
}

/// How long an attempt may run, in milliseconds. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_timeout_ms(task: *const Task) -> i64 {
    integer(task, |view| view.task.timeout.map(Span::ms))
}

/// The current attempt, from 1; 0 before the first. An executor names it in each call. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_attempt(task: *const Task) -> i64 {
    integer(task, |view| Some(view.task.attempt.into()))
}

/// Counts the writes of its row. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_revision(task: *const Task) -> i64 {
    integer(task, |view| count(view.task.revision))
}
