//! Recording: create, start, progress, heartbeat, finish, settle, request_cancel.

use crate::argument::{
    self, clearable, executor, flag, json, lookup, needed, number, optional_flow, optional_lookup, owned, put,
    raw_json, required, span, status, text, time,
};
use crate::boundary::{Fault, exported};
use crate::code::CancelAnswer;
use crate::handle::{self, Kind, Place};
use crate::ledger::{self, Ledger};
use crate::option::{
    CancelOptions, CreateOptions, FinishOptions, HeartbeatOptions, ProgressOptions, SettleOptions, StartOptions,
};
use crate::task::{Task, TaskBox};
use bgledger_core::{
    Call, CancelRequest, ClaimSpec, Create, EndSpec, Error, Failure, Fill, Finish, Heartbeat, NotifyPolicy,
    ProgressRequest, Recorded, Settle, Start,
};
use bgledger_store::Ledger as Store;
use std::ffi::{c_char, c_int};

/// In the flags that a recording call writes: the task or flow was recorded now, not before.
pub const BGL_FLAG_CREATED: u32 = 1;
/// In the flags: something changed; otherwise the same was recorded before.
pub const BGL_FLAG_CHANGED: u32 = 2;
/// In the flags: cancel of the task or flow is requested. Whoever works on it should stop.
pub const BGL_FLAG_CANCEL_REQUESTED: u32 = 4;
/// In the flags: the task's deadline has passed.
pub const BGL_FLAG_DEADLINE_PASSED: u32 = 8;

/// Records a task, or finds that it is recorded: creating again with the same key (`key`, else `runtime` and
/// `run_id`) is no error and answers with the task that is there.
///
/// `*flags` tells BGL_FLAG_CREATED if it was recorded now; `*task` is the task. Both may be NULL.
/// Ownership: strings are copied; the caller ends `*task` with bgl_task_free(). Thread-safe.
/// Errors: BGL_ERROR_EXISTS_WITH_DIFFERENT (the key is taken by a task that says something else), _NOT_FOUND, _PRUNED,
/// _AMBIGUOUS (`parent`, `retry_of`), _NO_FLOW, _AMBIGUOUS_FLOW, _FLOW_ENDED, _FLOW_CANCEL_REQUESTED (also that of the
/// parent), _FLOW_MIRRORED, _ANCESTOR_CANCELLED, _TREE_SHAPE (too deep), _FUTURE_TIME, _TIME_ORDER, and those of every
/// recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_create(
    ledger: *mut Ledger,
    options: *const CreateOptions,
    flags: *mut u32,
    task: *mut *mut Task,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("options", options.cast_mut())?;
        // SAFETY: C's promise.
        let create = unsafe { create_request(argument::read(options)?)? };
        let place = place_for(task)?;
        let reply = open.store.call(create)?;
        let told = if reply.created { BGL_FLAG_CREATED | BGL_FLAG_CHANGED } else { 0 };
        let asked = if reply.task.task.cancel.is_some() { BGL_FLAG_CANCEL_REQUESTED } else { 0 };
        // SAFETY: C's promise.
        unsafe { answer(place, told | asked, || TaskBox::new(reply.task), flags, task) };
    })
}

unsafe fn create_request(given: CreateOptions) -> Result<Create, Fault> {
    let is_started = flag("start", given.start)?;
    // SAFETY: C's promise: every text ends with a NUL.
    unsafe {
        let executor = executor(given.executor, given.pid, given.group)?;
        let (lease, started_at) = (span("lease_ms", given.lease_ms)?, time("started_at", given.started_at)?);
        let says_more = executor.is_some() || lease.is_some() || started_at.is_some();
        if says_more && !is_started {
            return Err(Error::invalid("start", "0 beside an executor, a lease or a start", "1").into());
        }
        Ok(Create {
            label: required("label", given.label)?.to_owned(),
            task: owned("task", given.task)?,
            key: owned("key", given.key)?,
            runtime: owned("runtime", given.runtime)?,
            kind: owned("kind", given.kind)?,
            source_id: owned("source_id", given.source_id)?,
            run_id: owned("run_id", given.run_id)?,
            owner: owned("owner", given.owner)?,
            requester_session: owned("requester_session", given.requester_session)?,
            session: owned("session", given.session)?,
            agent: owned("agent", given.agent)?,
            requester_agent: owned("requester_agent", given.requester_agent)?,
            parent: optional_lookup("parent", given.parent)?,
            flow: optional_flow(given.flow)?,
            retry_of: optional_lookup("retry_of", given.retry_of)?,
            metadata: json("metadata_json", given.metadata_json)?.unwrap_or_default(),
            notify: notify(given.notify)?,
            queue_timeout: span("queue_timeout_ms", given.queue_timeout_ms)?,
            timeout: span("timeout_ms", given.timeout_ms)?,
            created_at: time("created_at", given.created_at)?,
            start: is_started.then_some(ClaimSpec { executor, lease, started_at }),
            finish: end(given.finish)?,
        })
    }
}

/// An end as part of a creation.
unsafe fn end(given: *const FinishOptions) -> Result<Option<EndSpec>, Fault> {
    if given.is_null() {
        return Ok(None);
    }
    // SAFETY: C's promise: as large as it says, and every text ends with a NUL.
    unsafe {
        let given = argument::read(given)?;
        if given.attempt != 0 || !given.nonce.is_null() {
            return Err(Error::invalid("finish", "an attempt or nonce", "none: nobody claimed it before").into());
        }
        Ok(Some(EndSpec {
            status: status(given.status)?,
            outcome: owned("outcome", given.outcome)?,
            reason: owned("reason", given.reason)?,
            error: failure(given.error_type, given.error_message, given.error_detail)?,
            summary: owned("summary", given.summary)?,
            result: raw_json("result_json", given.result_json)?,
            exit_code: small("exit_code", given.exit_code)?,
            signal: small("signal", given.signal)?,
            output: json("output_json", given.output_json)?,
            artifacts: json("artifacts_json", given.artifacts_json)?.unwrap_or_default(),
            usage: json("usage_json", given.usage_json)?,
            ended_at: time("ended_at", given.ended_at)?,
        }))
    }
}

unsafe fn notify(given: *const c_char) -> Result<Option<NotifyPolicy>, Fault> {
    // SAFETY: C's promise.
    let Some(word) = unsafe { text("notify", given) }? else { return Ok(None) };
    let unknown = || Error::invalid("notify", format!("{word:?}"), NotifyPolicy::EXPECTED);
    Ok(Some(NotifyPolicy::from_word(word).ok_or_else(unknown)?))
}

/// The place of what a call will answer with, if that is wanted.
pub(crate) fn place_for<C>(out: *mut *mut C) -> Result<Option<Place>, Fault> {
    if out.is_null() { Ok(None) } else { handle::reserve().map(Some) }
}

/// Writes what a recording call answers.
///
/// # Safety
///
/// `flags` and `out` are NULL or may be written.
pub(crate) unsafe fn answer<K: Kind, C>(
    place: Option<Place>,
    told: u32,
    object: impl FnOnce() -> K,
    flags: *mut u32,
    out: *mut *mut C,
) {
    // SAFETY: the caller vouches for it.
    unsafe {
        if let Some(place) = place {
            put(out, place.fill(object()));
        }
        put(flags, told);
    }
}

/// Carries out what changes one task, and writes what it answers.
unsafe fn recorded(
    store: &Store,
    request: impl Call<Reply = Recorded>,
    flags: *mut u32,
    task: *mut *mut Task,
) -> Result<(), Fault> {
    let place = place_for(task)?;
    let reply = store.call(request)?;
    let bit = |is_set: bool, bit: u32| if is_set { bit } else { 0 };
    let told = bit(reply.changed, BGL_FLAG_CHANGED)
        | bit(reply.cancel_requested, BGL_FLAG_CANCEL_REQUESTED)
        | bit(reply.deadline_passed, BGL_FLAG_DEADLINE_PASSED);
    // SAFETY: C's promise.
    unsafe { answer(place, told, || TaskBox::new(reply.task), flags, task) };
    Ok(())
}

/// Claims a queued task, or takes over a lost one: the next attempt. The same start again by the same executor
/// changes nothing.
///
/// `lookup` is a task's number as text ("42"), its id, run id or session key. `options`, `flags` and `task` may be
/// NULL; bgl_task_attempt() tells the number to name in later calls.
/// Ownership: the caller ends `*task` with bgl_task_free(). Thread-safe.
/// Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, _ALREADY_RUNNING, _ALREADY_ENDED, _CANCEL_REQUESTED, _ALREADY_SET,
/// _ANCESTOR_CANCELLED, _TREE_SHAPE (a parent filled in), _NO_FLOW, _FLOW_ENDED, _FLOW_CANCEL_REQUESTED,
/// _FLOW_MIRRORED, _NOT_DUE (a flow filled in), _FUTURE_TIME, _TIME_ORDER, and those of every recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_start(
    ledger: *mut Ledger,
    lookup: *const c_char,
    options: *const StartOptions,
    flags: *mut u32,
    task: *mut *mut Task,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        // SAFETY: C's promise.
        unsafe {
            let given = argument::read(options)?;
            let start = Start {
                lookup: argument::lookup(lookup)?,
                executor: executor(given.executor, given.pid, given.group)?,
                lease: span("lease_ms", given.lease_ms)?,
                started_at: time("started_at", given.started_at)?,
                fill: json("fill_json", given.fill_json)?.unwrap_or_else(Fill::default),
            };
            recorded(&open.store, start, flags, task)?;
        }
    })
}

/// Reports how far the work is. `*flags` tells whether cancel is requested and whether the deadline passed.
///
/// `flags` and `task` may be NULL. Ownership: the caller ends `*task` with bgl_task_free(). Thread-safe.
/// Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, _NOT_STARTED, _FENCED (another attempt holds the task: stop
/// working), _ALREADY_ENDED, _ALREADY_SET, _ANCESTOR_CANCELLED, _TREE_SHAPE (a parent filled in), _NO_FLOW,
/// _FLOW_ENDED, _FLOW_CANCEL_REQUESTED, _FLOW_MIRRORED, _NOT_DUE (a flow filled in), and those of every recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_progress(
    ledger: *mut Ledger,
    lookup: *const c_char,
    options: *const ProgressOptions,
    flags: *mut u32,
    task: *mut *mut Task,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("options", options.cast_mut())?;
        // SAFETY: C's promise.
        unsafe {
            let given = argument::read(options)?;
            let progress = ProgressRequest {
                lookup: argument::lookup(lookup)?,
                attempt: attempt(given.attempt)?,
                nonce: owned("nonce", given.nonce)?,
                text: owned("text", given.text)?,
                current: number("current", given.current)?,
                total: number("total", given.total)?,
                unit: owned("unit", given.unit)?,
                waiting_on: clearable("waiting_on", given.waiting_on)?,
                usage: json("usage_json", given.usage_json)?,
                artifacts: json("artifacts_json", given.artifacts_json)?.unwrap_or_default(),
                lease: span("lease_ms", given.lease_ms)?,
                fill: json("fill_json", given.fill_json)?.unwrap_or_else(Fill::default),
            };
            recorded(&open.store, progress, flags, task)?;
        }
    })
}

fn attempt(given: i64) -> Result<Option<u32>, Fault> {
    match given {
        0 => Ok(None),
        _ => argument::fit("attempt", given, "an attempt's number, from 1").map(Some),
    }
}

/// Says that the work lives and renews its lease. `*flags` tells BGL_FLAG_CANCEL_REQUESTED if the work should stop:
/// that is how most executors learn of it.
///
/// `options` and `flags` may be NULL. Thread-safe.
/// Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, _NOT_STARTED, _FENCED (another attempt holds the task: stop
/// working), _ALREADY_ENDED, and those of every recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_heartbeat(
    ledger: *mut Ledger,
    lookup: *const c_char,
    options: *const HeartbeatOptions,
    flags: *mut u32,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        // SAFETY: C's promise.
        unsafe {
            let given = argument::read(options)?;
            let heartbeat = Heartbeat {
                lookup: argument::lookup(lookup)?,
                attempt: attempt(given.attempt)?,
                nonce: owned("nonce", given.nonce)?,
                lease: span("lease_ms", given.lease_ms)?,
            };
            recorded(&open.store, heartbeat, flags, std::ptr::null_mut())?;
        }
    })
}

/// Ends a task, by its executor's word. The same end again changes nothing; another end is refused.
///
/// `flags` and `task` may be NULL. Ownership: the caller ends `*task` with bgl_task_free(). Thread-safe.
/// Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, _FENCED (another attempt holds the task), _ALREADY_ENDED,
/// _FUTURE_TIME, _TIME_ORDER, and those of every recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_finish(
    ledger: *mut Ledger,
    lookup: *const c_char,
    options: *const FinishOptions,
    flags: *mut u32,
    task: *mut *mut Task,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("options", options.cast_mut())?;
        // SAFETY: C's promise.
        unsafe {
            let given = argument::read(options)?;
            let finish = Finish {
                lookup: argument::lookup(lookup)?,
                attempt: attempt(given.attempt)?,
                nonce: owned("nonce", given.nonce)?,
                status: status(given.status)?,
                outcome: owned("outcome", given.outcome)?,
                reason: owned("reason", given.reason)?,
                error: failure(given.error_type, given.error_message, given.error_detail)?,
                summary: owned("summary", given.summary)?,
                result: raw_json("result_json", given.result_json)?,
                exit_code: small("exit_code", given.exit_code)?,
                signal: small("signal", given.signal)?,
                output: json("output_json", given.output_json)?,
                artifacts: json("artifacts_json", given.artifacts_json)?.unwrap_or_default(),
                usage: json("usage_json", given.usage_json)?,
                ended_at: time("ended_at", given.ended_at)?,
            };
            recorded(&open.store, finish, flags, task)?;
        }
    })
}

unsafe fn small(name: &str, given: *const i64) -> Result<Option<i32>, Fault> {
    if given.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and C's promise for the rest.
    argument::fit(name, unsafe { given.read() }, "a number of 32 bits").map(Some)
}

unsafe fn failure(
    kind: *const c_char,
    message: *const c_char,
    detail: *const c_char,
) -> Result<Option<Failure>, Fault> {
    // SAFETY: C's promise.
    let failure = unsafe {
        Failure {
            kind: owned("error_type", kind)?,
            message: owned("error_message", message)?,
            detail: owned("error_detail", detail)?,
        }
    };
    Ok(Some(failure).filter(|failure| *failure != Failure::default()))
}

/// Ends a task by an operator's or host's word, recorded with its author.
///
/// `flags` and `task` may be NULL. Ownership: the caller ends `*task` with bgl_task_free(). Thread-safe.
/// Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, _ALREADY_ENDED, _FUTURE_TIME, _TIME_ORDER, and those of every
/// recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_settle(
    ledger: *mut Ledger,
    lookup: *const c_char,
    options: *const SettleOptions,
    flags: *mut u32,
    task: *mut *mut Task,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("options", options.cast_mut())?;
        // SAFETY: C's promise.
        unsafe {
            let given = argument::read(options)?;
            let settle = Settle {
                lookup: argument::lookup(lookup)?,
                status: status(given.status)?,
                outcome: owned("outcome", given.outcome)?,
                reason: owned("reason", given.reason)?,
                by: owned("by", given.by)?,
                why: owned("why", given.why)?,
                error: failure(given.error_type, given.error_message, given.error_detail)?,
                summary: owned("summary", given.summary)?,
                result: raw_json("result_json", given.result_json)?,
                ended_at: time("ended_at", given.ended_at)?,
            };
            recorded(&open.store, settle, flags, task)?;
        }
    })
}

/// Asks to cancel a task and all that descends from it. `*answer` is one of bgl_cancel_answer.
///
/// `options`, `answer` and `task` may be NULL. Where an executor is dead and its process group is not, the group is
/// stopped first, which takes up to ten seconds.
/// Ownership: the caller ends `*task` with bgl_task_free(). Thread-safe.
/// Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, and those of every recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_request_cancel(
    ledger: *mut Ledger,
    task_lookup: *const c_char,
    options: *const CancelOptions,
    answer: *mut i32,
    task: *mut *mut Task,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        // SAFETY: C's promise.
        unsafe {
            let given = argument::read(options)?;
            let request = CancelRequest {
                lookup: lookup(task_lookup)?,
                by: owned("by", given.by)?,
                why: owned("why", given.why)?,
            };
            let place = place_for(task)?;
            let reply = open.store.call(request)?;
            self::answer(place, 0, || TaskBox::new(reply.task), std::ptr::null_mut(), task);
            put(answer, CancelAnswer::from(reply.cancel) as i32);
        }
    })
}
