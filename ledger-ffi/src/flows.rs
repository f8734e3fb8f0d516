//! Flows: recording them, moving them, finding them.

use crate::argument::{self, clearable, clearable_json, flag, flow_lookup, needed, optional_lookup, owned, put};
use crate::boundary::{Fault, exported};
use crate::code::CancelAnswer;
use crate::flow::{Flow, FlowBox};
use crate::flow_option::{
    FlowCreateOptions, FlowFailOptions, FlowFinishOptions, FlowListOptions, FlowResumeOptions, FlowWaitOptions,
};
use crate::handle;
use crate::ledger::{self, Ledger};
use crate::list::Listed;
use crate::option::CancelOptions;
use crate::record::{BGL_FLAG_CANCEL_REQUESTED, BGL_FLAG_CHANGED, BGL_FLAG_CREATED, answer, place_for};
use bgledger_core::{
    Call, FlowCancelRequest, FlowCreate, FlowFail, FlowFinish, FlowList, FlowRecorded, FlowResume, FlowShow,
    FlowStatus, FlowView, FlowWait,
};
use bgledger_store::Ledger as Store;
use std::ffi::{c_char, c_int};
use std::sync::Arc;

/// Flows one after the other: what bgl_flow_list() found. Threads may share it; each flow is handed out once. In a
/// forked child it answers BGL_MISUSE_BAD_HANDLE.
pub struct Flows {
    _opaque: [u8; 0],
}

/// What a handle stands for.
pub(crate) type FlowsBox = Listed<FlowList>;

fn told(view: &FlowView, changed: u32) -> u32 {
    changed | if view.flow.cancel.is_some() { BGL_FLAG_CANCEL_REQUESTED } else { 0 }
}

fn seen(revision: i64) -> Result<u64, Fault> {
    argument::fit("revision", revision, "the revision that bgl_flow_revision() told")
}

// ---- recording and moving -----------------------------------------------------------------------------------

/// Records a flow, or finds that it is recorded: creating again with the same key is no error and answers with the
/// flow that is there, and so does mirroring a task that is mirrored already.
///
/// `*flags` tells BGL_FLAG_CREATED if it was recorded now; `*flow` is the flow. Both may be NULL.
/// Ownership: strings are copied; the caller ends `*flow` with bgl_flow_free(). Thread-safe.
/// Errors: BGL_ERROR_FLOW_EXISTS_WITH_DIFFERENT (the key is taken by a flow that says something else), _NOT_FOUND,
/// _PRUNED, _AMBIGUOUS (`mirrors`), and those of every recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_create(
    ledger: *mut Ledger,
    options: *const FlowCreateOptions,
    flags: *mut u32,
    flow: *mut *mut Flow,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("options", options.cast_mut())?;
        // SAFETY: C's promise.
        unsafe {
            let given = argument::read(options)?;
            let create = FlowCreate {
                goal: owned("goal", given.goal)?,
                controller: owned("controller", given.controller)?,
                mirrors: optional_lookup("mirrors", given.mirrors)?,
                key: owned("key", given.key)?,
                owner: owned("owner", given.owner)?,
                running: flag("running", given.running)?,
                step: owned("step", given.step)?,
                state: clearable_json("state_json", given.state_json)?.flatten(),
            };
            let place = place_for(flow)?;
            let reply = open.store.call(create)?;
            let made = if reply.created { BGL_FLAG_CREATED | BGL_FLAG_CHANGED } else { 0 };
            answer(place, told(&reply.flow, made), || FlowBox::new(reply.flow), flags, flow);
        }
    })
}

/// Carries out what moves a flow, and writes what it answers.
unsafe fn moved(
    store: &Store,
    request: impl Call<Reply = FlowRecorded>,
    flags: *mut u32,
    flow: *mut *mut Flow,
) -> Result<(), Fault> {
    let place = place_for(flow)?;
    let reply = store.call(request)?;
    let changed = if reply.changed { BGL_FLAG_CHANGED } else { 0 };
    // SAFETY: C's promise.
    unsafe { answer(place, told(&reply.flow, changed), || FlowBox::new(reply.flow), flags, flow) };
    Ok(())
}

/// Has a flow wait; it is blocked where the options say what stands in its way.
///
/// `lookup` is a flow's number as text ("F3"), its id, or an owner of whose flows exactly one goes on. `revision` is
/// that of the flow as the caller saw it: whoever has not seen the newest is refused and looks again. `options`,
/// `flags` and `flow` may be NULL. Ownership: strings are copied; the caller ends `*flow` with bgl_flow_free().
/// Thread-safe.
/// Errors: BGL_ERROR_NO_FLOW, _AMBIGUOUS_FLOW, _REVISION_CONFLICT (somebody else has moved it since), _FLOW_ENDED,
/// _FLOW_CANCEL_REQUESTED, _FLOW_MIRRORED, _NOT_FOUND, _PRUNED, _AMBIGUOUS (`blocked_task`), and those of every
/// recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_wait(
    ledger: *mut Ledger,
    lookup: *const c_char,
    revision: i64,
    options: *const FlowWaitOptions,
    flags: *mut u32,
    flow: *mut *mut Flow,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        // SAFETY: C's promise.
        unsafe {
            let given = argument::read(options)?;
            let wait = FlowWait {
                flow: flow_lookup(lookup)?,
                revision: seen(revision)?,
                step: clearable("step", given.step)?,
                state: clearable_json("state_json", given.state_json)?,
                wait: clearable_json("wait_json", given.wait_json)?,
                blocked_task: optional_lookup("blocked_task", given.blocked_task)?,
                blocked_summary: owned("blocked_summary", given.blocked_summary)?,
            };
            moved(&open.store, wait, flags, flow)?;
        }
    })
}

/// Has a flow go on: what it waited for and what stood in its way are cleared.
///
/// As bgl_flow_wait() in all else. Thread-safe.
/// Errors: BGL_ERROR_NO_FLOW, _AMBIGUOUS_FLOW, _REVISION_CONFLICT, _FLOW_ENDED, _FLOW_CANCEL_REQUESTED,
/// _FLOW_MIRRORED, and those of every recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_resume(
    ledger: *mut Ledger,
    lookup: *const c_char,
    revision: i64,
    options: *const FlowResumeOptions,
    flags: *mut u32,
    flow: *mut *mut Flow,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        // SAFETY: C's promise.
        unsafe {
            let given = argument::read(options)?;
            let resume = FlowResume {
                flow: flow_lookup(lookup)?,
                revision: seen(revision)?,
                running: flag("running", given.running)?,
                step: clearable("step", given.step)?,
                state: clearable_json("state_json", given.state_json)?,
            };
            moved(&open.store, resume, flags, flow)?;
        }
    })
}

/// Ends a flow that did what it was for. The same end again changes nothing, whatever the revision; another end is
/// refused.
///
/// As bgl_flow_wait() in all else. Thread-safe.
/// Errors: BGL_ERROR_NO_FLOW, _AMBIGUOUS_FLOW, _REVISION_CONFLICT, _FLOW_ENDED, _FLOW_MIRRORED, and those of every
/// recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_finish(
    ledger: *mut Ledger,
    lookup: *const c_char,
    revision: i64,
    options: *const FlowFinishOptions,
    flags: *mut u32,
    flow: *mut *mut Flow,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        // SAFETY: C's promise.
        unsafe {
            let given = argument::read(options)?;
            let finish = FlowFinish {
                flow: flow_lookup(lookup)?,
                revision: seen(revision)?,
                step: clearable("step", given.step)?,
                state: clearable_json("state_json", given.state_json)?,
            };
            moved(&open.store, finish, flags, flow)?;
        }
    })
}

/// Ends a flow that did not do what it was for. The same end again changes nothing, whatever the revision; another end
/// is refused.
///
/// As bgl_flow_wait() in all else. Thread-safe.
/// Errors: BGL_ERROR_NO_FLOW, _AMBIGUOUS_FLOW, _REVISION_CONFLICT, _FLOW_ENDED, _FLOW_MIRRORED, _NOT_FOUND, _PRUNED,
/// _AMBIGUOUS (`blocked_task`), and those of every recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_fail(
    ledger: *mut Ledger,
    lookup: *const c_char,
    revision: i64,
    options: *const FlowFailOptions,
    flags: *mut u32,
    flow: *mut *mut Flow,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        // SAFETY: C's promise.
        unsafe {
            let given = argument::read(options)?;
            let fail = FlowFail {
                flow: flow_lookup(lookup)?,
                revision: seen(revision)?,
                step: clearable("step", given.step)?,
                state: clearable_json("state_json", given.state_json)?,
                blocked_task: optional_lookup("blocked_task", given.blocked_task)?,
                blocked_summary: owned("blocked_summary", given.blocked_summary)?,
            };
            moved(&open.store, fail, flags, flow)?;
        }
    })
}

/// Asks to cancel a flow, its tasks and all that descends from them. `*answer` is one of bgl_cancel_answer:
/// BGL_CANCEL_ANSWER_REQUESTED while one of its tasks is active; it is cancelled when the last of them has settled.
///
/// `lookup` is as in bgl_flow_wait(). `options`, `answer` and `flow` may be NULL. It may take as long as
/// bgl_request_cancel() of its tasks.
/// Ownership: the caller ends `*flow` with bgl_flow_free(). Thread-safe.
/// Errors: BGL_ERROR_NO_FLOW, _AMBIGUOUS_FLOW, _NOT_FOUND, _PRUNED (the task that it mirrors is gone), and those of
/// every recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_cancel(
    ledger: *mut Ledger,
    lookup: *const c_char,
    options: *const CancelOptions,
    answer: *mut i32,
    flow: *mut *mut Flow,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        // SAFETY: C's promise.
        unsafe {
            let given = argument::read(options)?;
            let request = FlowCancelRequest {
                flow: flow_lookup(lookup)?,
                by: owned("by", given.by)?,
                why: owned("why", given.why)?,
            };
            let place = place_for(flow)?;
            let reply = open.store.call(request)?;
            self::answer(place, 0, || FlowBox::new(reply.flow), std::ptr::null_mut(), flow);
            put(answer, CancelAnswer::from(reply.cancel) as i32);
        }
    })
}

// ---- finding ------------------------------------------------------------------------------------------------

/// Reads one flow, with what its tasks come to, and writes it to `*out`.
///
/// `lookup` is a flow's number as text ("F3"), its id, or an owner, whose newest flow that goes on is meant, else the
/// newest. Ownership: the caller ends `*out` with bgl_flow_free(). Thread-safe.
/// Errors: BGL_ERROR_NO_FLOW, and those of every call on a ledger.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_get(ledger: *mut Ledger, lookup: *const c_char, out: *mut *mut Flow) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("out", out)?;
        // SAFETY: C's promise.
        unsafe {
            let shown = open.store.call(FlowShow { flow: flow_lookup(lookup)? })?;
            put(out, handle::open(FlowBox::new(shown.flow))?);
        }
    })
}

/// Lists flows, newest first. `*out` hands them out with bgl_flows_next(); it fetches them page by page, each page as
/// the ledger is then. The tasks of a flow are listed by bgl_list_options.flow.
///
/// `options` NULL means all flows. Ownership: the caller ends `*out` with bgl_flows_free(). Thread-safe.
/// Errors: those of every call on a ledger.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flow_list(
    ledger: *mut Ledger,
    options: *const FlowListOptions,
    out: *mut *mut Flows,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("out", out)?;
        // SAFETY: C's promise.
        let (request, limit) = unsafe {
            let given = argument::read(options)?;
            let request = FlowList {
                active: flag("active", given.active)?,
                status: argument::statuses(given.statuses, &FlowStatus::ALL, |status| status as u8)?,
                controller: owned("controller", given.controller)?,
                limit: None,
                after: None,
            };
            (request, argument::at_most(given.limit)?)
        };
        let found = FlowsBox::begin(ledger, &open.store, request, limit)?;
        // SAFETY: C's promise.
        unsafe { put(out, handle::open(found)?) };
    })
}

/// Writes the next flow to `*out`, or NULL when there are no more.
///
/// Ownership: the caller ends each flow with bgl_flow_free(). Thread-safe.
/// Errors: those of every call on a ledger; BGL_MISUSE_BAD_HANDLE also if its ledger was closed and more had to be
/// fetched. After an error it may be asked again: no flow is skipped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flows_next(flows: *mut Flows, out: *mut *mut Flow) -> c_int {
    exported!(flows, {
        let list: Arc<FlowsBox> = handle::get(flows)?;
        needed("out", out)?;
        let place = handle::reserve()?;
        let next = match list.next()? {
            Some(view) => place.fill(FlowBox::new(view)),
            None => std::ptr::null_mut(),
        };
        // SAFETY: C's promise.
        unsafe { put(out, next) };
    })
}

/// Ends a list of flows. Flows that it handed out live on. NULL is answered with BGL_MISUSE_NULL_POINTER, a handle
/// that was freed before with BGL_MISUSE_BAD_HANDLE. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_flows_free(flows: *mut Flows) -> c_int {
    exported!(end flows, {
        let _ended: Arc<FlowsBox> = handle::close(flows)?;
    })
}
