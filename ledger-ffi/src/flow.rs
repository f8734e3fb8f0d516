//! A flow as it was when a call answered, and what C may ask of it.

use crate::argument;
use crate::boundary::{c_text, exported};
use crate::handle;
use bgledger_core::{FlowView, Json, Millis};
use std::ffi::{CString, c_char, c_int};
use std::sync::{Arc, OnceLock};

/// A flow as it was when a call answered, and what its tasks came to: a snapshot that never changes. Threads may read
/// it at once.
///
/// What the functions below return belongs to it and is valid until bgl_flow_free(). They answer NULL,
/// BGL_ABSENT or 0 for what is absent, and for a handle that is NULL or not open.
pub struct Flow {
    _opaque: [u8; 0],
}

/// What a handle stands for. Texts are made for C when they are first asked for.
#[derive(Debug)]
pub(crate) struct FlowBox {
    view: FlowView,
    texts: [OnceLock<Option<CString>>; TEXTS],
}

impl FlowBox {
    pub(crate) fn new(view: FlowView) -> FlowBox {
        FlowBox { view, texts: [const { OnceLock::new() }; TEXTS] }
    }
}

/// The texts of a flow.
#[derive(Debug, Clone, Copy)]
enum Text {
    Id,
    Status,
    Owner,
    Key,
    Mirrors,
    Controller,
    Goal,
    Step,
    State,
    Wait,
    BlockedTask,
    BlockedSummary,
    CancelBy,
    CancelWhy,
    TasksProgress,
    TasksUsage,
    Json,
}
const TEXTS: usize = Text::Json as usize + 1;

fn text(flow: *const Flow, which: Text, of: impl FnOnce(&FlowView) -> Option<String>) -> *const c_char {
    exported!(value or std::ptr::null(), {
        handle::look(flow, |found: &FlowBox| {
            let text = found.texts.get(which as usize)?.get_or_init(|| of(&found.view).map(c_text));
            text.as_ref().map(|text| text.as_ptr())
        })
    })
}

fn integer(flow: *const Flow, of: impl FnOnce(&FlowView) -> Option<i64>) -> i64 {
    exported!(value or i64::MIN, handle::look(flow, |found: &FlowBox| of(&found.view)))
}

fn count(value: u64) -> Option<i64> {
    i64::try_from(value).ok()
}

fn as_given(json: Option<&Json>) -> Option<String> {
    json.map(|json| json.as_str().into())
}

/// Ends a flow's handle and frees what its functions returned. NULL is answered with BGL_MISUSE_NULL_POINTER, a
/// handle that was freed before with BGL_MISUSE_BAD_HANDLE; neither does any harm. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_free(flow: *mut Flow) -> c_int {
    exported!(end flow, {
        let _ended: Arc<FlowBox> = handle::close(flow)?;
    })
}

/// Its number: 1, 2, 3 ... of the flows of its ledger; people type it as F3. 0 if the handle is not open. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_number(flow: *const Flow) -> u64 {
    integer(flow, |view| count(view.flow.number.0)).try_into().unwrap_or(0)
}

/// Where it stands, one of enum bgl_flow_status. 0 if the handle is not open. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_status(flow: *const Flow) -> c_int {
    integer(flow, |view| Some(i64::from(view.flow.status as u8))).try_into().unwrap_or(0)
}

/// Whether cancel of it was requested: 1 or 0. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_cancel_requested(flow: *const Flow) -> c_int {
    c_int::from(integer(flow, |view| Some(view.flow.cancel.is_some().into())) == 1)
}

/// Whether it has ended: 1 or 0. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_has_ended(flow: *const Flow) -> c_int {
    c_int::from(integer(flow, |view| Some(view.flow.is_ended().into())) == 1)
}

/// Its global id, a UUID. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_id(flow: *const Flow) -> *const c_char {
    text(flow, Text::Id, |view| Some(view.flow.id.to_string()))
}

/// The word of its status, such as "waiting". Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_status_word(flow: *const Flow) -> *const c_char {
    text(flow, Text::Status, |view| Some(view.flow.status.as_str().into()))
}

/// The principal it belongs to. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_owner(flow: *const Flow) -> *const c_char {
    text(flow, Text::Owner, |view| Some(view.flow.owner.clone()))
}

/// The caller's idempotency key. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_key(flow: *const Flow) -> *const c_char {
    text(flow, Text::Key, |view| view.flow.key.clone())
}

/// The id of the task that it follows; NULL if it is moved by a controller. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_mirrors(flow: *const Flow) -> *const c_char {
    text(flow, Text::Mirrors, |view| view.flow.mirrors.map(|id| id.to_string()))
}

/// Who moves it. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_controller(flow: *const Flow) -> *const c_char {
    text(flow, Text::Controller, |view| view.flow.controller.clone())
}

/// What it is for. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_goal(flow: *const Flow) -> *const c_char {
    text(flow, Text::Goal, |view| Some(view.flow.goal.clone()))
}

/// The step that it is at. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_step(flow: *const Flow) -> *const c_char {
    text(flow, Text::Step, |view| view.flow.step.clone())
}

/// What its controller keeps of it as JSON, as it was given. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_state_json(flow: *const Flow) -> *const c_char {
    text(flow, Text::State, |view| as_given(view.flow.state.as_ref()))
}

/// What it waits for as JSON, as it was given. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_wait_json(flow: *const Flow) -> *const c_char {
    text(flow, Text::Wait, |view| as_given(view.flow.wait.as_ref()))
}

/// The id of the task that stands in its way. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_blocked_task(flow: *const Flow) -> *const c_char {
    text(flow, Text::BlockedTask, |view| view.flow.blocked.as_ref()?.task.map(|id| id.to_string()))
}

/// What stands in its way, in words. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_blocked_summary(flow: *const Flow) -> *const c_char {
    text(flow, Text::BlockedSummary, |view| view.flow.blocked.as_ref()?.summary.clone())
}

/// Who asked to cancel it. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_cancel_by(flow: *const Flow) -> *const c_char {
    text(flow, Text::CancelBy, |view| view.flow.cancel.as_ref()?.by.clone())
}

/// Why somebody asked to cancel it. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_cancel_why(flow: *const Flow) -> *const c_char {
    text(flow, Text::CancelWhy, |view| view.flow.cancel.as_ref()?.why.clone())
}

/// How far its tasks are, summed by unit: a JSON list of "unit", "current" and "total"; "[]" if none says so.
/// Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_tasks_progress_json(flow: *const Flow) -> *const c_char {
    text(flow, Text::TasksProgress, |view| serde_json::to_string(&view.tasks.progress).ok())
}

/// What its tasks cost, as a JSON object. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_tasks_usage_json(flow: *const Flow) -> *const c_char {
    text(flow, Text::TasksUsage, |view| serde_json::to_string(view.tasks.usage.as_ref()?).ok())
}

/// The whole flow as JSON: what `bgledger flow show --json` has under "flow". Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_json(flow: *const Flow) -> *const c_char {
    text(flow, Text::Json, |view| serde_json::to_string(view).ok())
}

/// Counts its writes: a move names the one that it saw. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_revision(flow: *const Flow) -> i64 {
    integer(flow, |view| count(view.flow.revision))
}

/// When it was recorded, in milliseconds since 1970 UTC; as are all times. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_created_at(flow: *const Flow) -> i64 {
    integer(flow, |view| Some(view.flow.created_at.get()))
}

/// The last write. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_updated_at(flow: *const Flow) -> i64 {
    integer(flow, |view| Some(view.flow.updated_at.get()))
}

/// When it ended. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_ended_at(flow: *const Flow) -> i64 {
    integer(flow, |view| view.flow.ended_at.map(Millis::get))
}

/// When cancel of it was requested. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_cancel_requested_at(flow: *const Flow) -> i64 {
    integer(flow, |view| Some(view.flow.cancel.as_ref()?.requested_at.get()))
}

/// How many tasks it has. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_tasks_total(flow: *const Flow) -> i64 {
    integer(flow, |view| count(view.tasks.total))
}

/// How many of its tasks are queued or running. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_tasks_active(flow: *const Flow) -> i64 {
    integer(flow, |view| count(view.tasks.active))
}

/// How many of its tasks have this status, one of bgl_status. BGL_ABSENT for a number that is none. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_tasks_with_status(flow: *const Flow, status: c_int) -> i64 {
    integer(flow, |view| {
        let status = argument::status(status.into()).ok()?;
        count(view.tasks.by_status.get(status.as_str()).copied().unwrap_or(0))
    })
}
