//! Reading: one task, and lists of them.

use crate::argument::{self, flag, json, needed, optional_lookup, options, owned, put, time};
use crate::boundary::{Fault, exported};
use crate::code::Misuse;
use crate::handle;
use crate::ledger::{self, Ledger, LedgerBox};
use crate::task::{Task, TaskBox};
use bgledger_core::{Error, List, Show, Status, StatusFilter, TaskView};
use bgledger_store::{Ledger as Store, platform};
use std::collections::VecDeque;
use std::ffi::{c_char, c_int};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Tasks that a list fetches at once.
const PAGE: u32 = 500;

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
    /// At most so many. 0: all.
    pub limit: i64,
}

options! {
    ListOptions = "bgl_list_options";
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Refuses what a forked child inherited: another thread of the parent may have been inside it.
pub(crate) fn own(pid: u32) -> Result<(), Fault> {
    match pid == platform::own_pid() {
        true => Ok(()),
        false => Err(Fault::Misuse(Misuse::BadHandle, "it belongs to the process that was forked".into())),
    }
}

/// Reads one task and writes it to `*out`.
///
/// `lookup` is a task's number as text ("42"), its id, run id or session key.
/// Ownership: the caller ends `*out` with bgl_task_free(). Thread-safe.
/// Errors: BGL_ERROR_NOT_FOUND, _AMBIGUOUS (several tasks with that run id), and those of every call on a ledger.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_get(ledger: *mut Ledger, lookup: *const c_char, out: *mut *mut Task) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("out", out)?;
        // SAFETY: C's promise.
        unsafe {
            let shown = open.store.call(Show { lookup: argument::lookup(lookup)? })?;
            put(out, handle::open(TaskBox::new(shown.task))?);
        }
    })
}

// ---- lists --------------------------------------------------------------------------------------------------

/// What a handle stands for.
#[derive(Debug)]
pub(crate) struct TasksBox {
    pid: u32,
    ledger: usize,
    pages: Mutex<Pages>,
}

#[derive(Debug)]
struct Pages {
    ready: VecDeque<TaskView>,
    /// The request for the next page, if there is one.
    next: Option<List>,
    /// How many may still be fetched.
    left: u64,
}

impl TasksBox {
    /// Tasks that are all there.
    pub(crate) fn of(ledger: *const Ledger, tasks: Vec<TaskView>) -> TasksBox {
        TasksBox::new(ledger, Pages { ready: tasks.into(), next: None, left: 0 })
    }

    fn new(ledger: *const Ledger, pages: Pages) -> TasksBox {
        TasksBox { pid: platform::own_pid(), ledger: ledger.addr(), pages: Mutex::new(pages) }
    }
}

impl Pages {
    fn fetch(&mut self, store: &Store) -> Result<(), Fault> {
        let Some(request) = self.next.take() else { return Ok(()) };
        let size = u32::try_from(self.left).unwrap_or(PAGE).min(PAGE);
        let page = match store.call(List { limit: Some(size), ..request.clone() }) {
            Ok(page) => page,
            Err(error) => {
                self.next = Some(request);
                return Err(error.into());
            }
        };
        self.left = self.left.saturating_sub(page.tasks.len() as u64);
        self.ready.extend(page.tasks);
        let goes_on = page.next.filter(|_| self.left > 0);
        self.next = goes_on.map(|after| List { after: Some(after), ..request });
        Ok(())
    }
}

/// Lists tasks, newest first. `*out` hands them out with bgl_tasks_next(); it fetches them page by page, each page
/// as the ledger is then.
///
/// `options` NULL means all tasks. Ownership: the caller ends `*out` with bgl_tasks_free(). Thread-safe.
/// Errors: BGL_ERROR_NOT_FOUND, _AMBIGUOUS (the parent), and those of every call on a ledger.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_list(ledger: *mut Ledger, options: *const ListOptions, out: *mut *mut Tasks) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("out", out)?;
        // SAFETY: C's promise.
        let (request, limit) = unsafe { list_request(argument::read(options)?)? };
        let mut pages = Pages { ready: VecDeque::new(), next: Some(request), left: limit };
        pages.fetch(&open.store)?;
        // SAFETY: C's promise.
        unsafe { put(out, handle::open(TasksBox::new(ledger, pages))?) };
    })
}

unsafe fn list_request(given: ListOptions) -> Result<(List, u64), Fault> {
    let limit = match given.limit {
        0 => u64::MAX,
        limit => argument::fit("limit", limit, "a number that is not negative")?,
    };
    // SAFETY: C's promise.
    let request = unsafe {
        List {
            active: flag("active", given.active)?,
            status: StatusFilter(statuses(given.statuses)?),
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
            limit: None,
            after: None,
        }
    };
    Ok((request, limit))
}

fn statuses(bits: i64) -> Result<Vec<Status>, Fault> {
    let bit = |status: &Status| 1_i64 << (*status as u8);
    let known: i64 = Status::ALL.iter().map(bit).sum();
    match bits & !known {
        0 => Ok(Status::ALL.into_iter().filter(|status| bits & bit(status) != 0).collect()),
        _ => Err(Error::invalid("statuses", bits.to_string(), "the sum of 1 << BGL_STATUS_...").into()),
    }
}

/// Writes the next task to `*out`, or NULL when there are no more.
///
/// Ownership: the caller ends each task with bgl_task_free(). Thread-safe.
/// Errors: those of every call on a ledger; BGL_MISUSE_BAD_HANDLE also if its ledger was closed and more had to be
/// fetched. After an error it may be asked again: no task is skipped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_tasks_next(tasks: *mut Tasks, out: *mut *mut Task) -> c_int {
    exported!(tasks, {
        let list: Arc<TasksBox> = handle::get(tasks)?;
        needed("out", out)?;
        own(list.pid)?;
        let place = handle::reserve()?;
        let mut pages = lock(&list.pages);
        if pages.ready.is_empty() && pages.next.is_some() {
            let open: Arc<LedgerBox> = handle::get(std::ptr::without_provenance::<Ledger>(list.ledger))?;
            pages.fetch(&open.store)?;
        }
        let next = match pages.ready.pop_front() {
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
