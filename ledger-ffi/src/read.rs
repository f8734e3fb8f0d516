//! Reading: one task, and lists of them.

use crate::argument::{self, flag, json, needed, optional_flow, optional_lookup, options, owned, put, required, time};
use crate::boundary::{Fault, exported};
use crate::handle;
use crate::ledger::{self, Ledger};
use crate::list::Listed;
use crate::task::{Task, TaskBox};
use bgledger_core::{List, Show, Status, StatusFilter};
use std::ffi::{c_char, c_int};
use std::sync::Arc;

/// Tasks one after the other: what bgl_list() or bgl_wait() found. Threads may share it; each task is handed out once.
/// In a forked child it answers BGL_MISUSE_BAD_HANDLE.
pub struct Tasks {
    _opaque: [u8; 0],
}

/// Which tasks: those that fit every member that is set. Begin with all zero and set `size`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ListOptions {
    /// sizeof(bgl_list_options).
    pub size: usize,
    /// 1: only queued and running ones.
    pub active: i64,
    /// Only these statuses: the sum of 1 << BGL_STATUS_... of each.
    pub statuses: i64,
    /// Only this runtime.
    pub runtime: *const c_char,
    /// Only this kind.
    pub kind: *const c_char,
    /// Only those that this session asked for or runs.
    pub session: *const c_char,
    /// Only this agent's.
    pub agent: *const c_char,
    /// Only this label.
    pub label: *const c_char,
    /// Only this run id.
    pub run_id: *const c_char,
    /// Only those with these metadata values: a flat JSON object.
    pub metadata_json: *const c_char,
    /// Only those created at or after, in milliseconds since 1970 UTC.
    pub since: i64,
    /// Only those created before.
    pub until: i64,
    /// Only those with this text in label, task, summary or error.
    pub search: *const c_char,
    /// Only the children of this task.
    pub parent: *const c_char,
    /// Only the tasks of this flow: its number as text ("F3"), its id or its owner.
    pub flow: *const c_char,
    /// At most so many. 0: all.
    pub limit: i64,
}

options! {
    ListOptions = "bgl_list_options";
}

/// Reads one task and writes it to `*out`.
///
/// `lookup` is a task's number as text ("42"), its id, run id or session key.
/// Ownership: the caller ends `*out` with bgl_task_free(). Thread-safe.
/// Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS (several tasks with that run id), and those of every call on a
/// ledger.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_get(ledger: *mut Ledger, lookup: *const c_char, out: *mut *mut Task) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("out", out)?;
        // SAFETY: C's promise.
        unsafe {
            let shown = open.store.call(Show::from(argument::lookup(lookup)?))?;
            put(out, handle::open(TaskBox::new(shown.task))?);
        }
    })
}

/// Reads one task and writes it to `*out`, as bgl_get() does, and says that by this answer `recipient` ("session:KEY",
/// "owner:NAME" or "subscriber:NAME") has heard of it: the notices about it that are owed to that recipient are
/// delivered, in the same transaction.
///
/// Ownership: the caller ends `*out` with bgl_task_free(). Thread-safe.
/// Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, _UNKNOWN_RECIPIENT, and those of every recording call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_task_read(
    ledger: *mut Ledger,
    lookup: *const c_char,
    recipient: *const c_char,
    out: *mut *mut Task,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("out", out)?;
        // SAFETY: C's promise.
        unsafe {
            let (lookup, ack) = (argument::lookup(lookup)?, Some(required("recipient", recipient)?.to_owned()));
            let place = handle::reserve()?;
            let shown = open.store.call(Show { lookup, ack })?;
            put(out, place.fill(TaskBox::new(shown.task)));
        }
    })
}

// ---- lists --------------------------------------------------------------------------------------------------

/// What a handle stands for.
pub(crate) type TasksBox = Listed<List>;

/// Lists tasks, newest first. `*out` hands them out with bgl_tasks_next(); it fetches them page by page, each page
/// as the ledger is then.
///
/// `options` NULL means all tasks. Ownership: the caller ends `*out` with bgl_tasks_free(). Thread-safe.
/// Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS (the parent), _NO_FLOW, and those of every call on a ledger.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_list(ledger: *mut Ledger, options: *const ListOptions, out: *mut *mut Tasks) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("out", out)?;
        // SAFETY: C's promise.
        let (request, limit) = unsafe { list_request(argument::read(options)?)? };
        let found = TasksBox::begin(ledger, &open.store, request, limit)?;
        // SAFETY: C's promise.
        unsafe { put(out, handle::open(found)?) };
    })
}

unsafe fn list_request(given: ListOptions) -> Result<(List, u64), Fault> {
    let limit = argument::at_most(given.limit)?;
    // SAFETY: C's promise.
    let request = unsafe {
        List {
            active: flag("active", given.active)?,
            status: StatusFilter(argument::statuses(given.statuses, &Status::ALL, |status| status as u8)?),
            runtime: owned("runtime", given.runtime)?,
            kind: owned("kind", given.kind)?,
            session: owned("session", given.session)?,
            agent: owned("agent", given.agent)?,
            label: owned("label", given.label)?,
            run_id: owned("run_id", given.run_id)?,
            metadata: json("metadata_json", given.metadata_json)?.unwrap_or_default(),
            since: time("since", given.since)?,
            until: time("until", given.until)?,
            search: owned("search", given.search)?,
            parent: optional_lookup("parent", given.parent)?,
            flow: optional_flow(given.flow)?,
            limit: None,
            after: None,
        }
    };
    Ok((request, limit))
}

/// Writes the next task to `*out`, or NULL when there are no more.
///
/// Ownership: the caller ends each task with bgl_task_free(). Thread-safe.
/// Errors: those of every call on a ledger; BGL_MISUSE_BAD_HANDLE also if its ledger was closed and more had to be
/// fetched. After an error it may be asked again: no task is skipped. BGL_ERROR_CORRUPT once, in place of the end, if
/// rows among them could not be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_tasks_next(tasks: *mut Tasks, out: *mut *mut Task) -> c_int {
    exported!(tasks, {
        let list: Arc<TasksBox> = handle::get(tasks)?;
        needed("out", out)?;
        let place = handle::reserve()?;
        let next = match list.next()? {
            Some(view) => place.fill(TaskBox::new(view)),
            None => std::ptr::null_mut(),
        };
        // SAFETY: C's promise.
        unsafe { put(out, next) };
    })
}

/// Ends a list. Tasks that it handed out live on. NULL is answered with BGL_MISUSE_NULL_POINTER, a handle that was
/// freed before with BGL_MISUSE_BAD_HANDLE. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_tasks_free(tasks: *mut Tasks) -> c_int {
    exported!(end tasks, {
        let _ended: Arc<TasksBox> = handle::close(tasks)?;
    })
}
