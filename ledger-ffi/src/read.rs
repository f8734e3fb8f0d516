//! Reading: one task, lists, waiting for ends, watching events.

use crate::argument::{self, flag, json, needed, number, optional_lookup, options, owned, put, required, span, time};
use crate::boundary::{Fault, exported};
use crate::code::Misuse;
use crate::event::{Event, EventBox};
use crate::handle;
use crate::ledger::{self, Ledger, LedgerBox};
use crate::task::{Task, TaskBox};
use bgledger_core::{
    Error, HistoryEvent, List, Lookup, Request, Seq, Show, Span, Status, StatusFilter, TaskNumber, TaskView, Wait,
    Watch, bounds,
};
use bgledger_store::{Ledger as Store, platform};
use std::collections::VecDeque;
use std::ffi::{c_char, c_int};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a call blocks inside the store before it looks whether its handle is still open.
const SLICE_MS: i64 = 200;
/// Tasks that a list fetches at once.
const PAGE: u32 = 500;

/// Tasks one after the other: what bgl_list() or bgl_wait() found. Threads may share it; each task is handed out once.
/// In a forked child it answers BGL_MISUSE_BAD_HANDLE.
pub struct Tasks {
    _opaque: [u8; 0],
}

/// Events as they come. Threads may share it; each event is handed out once. In a forked child it answers
/// BGL_MISUSE_BAD_HANDLE.
pub struct Events {
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

/// How to wait.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct WaitOptions {
    /// sizeof(bgl_wait_options).
    pub size: usize,
    /// 1: until one of the tasks has ended, not all.
    pub any: i64,
    /// How long, in milliseconds. 0: without end; -1: not at all.
    pub timeout_ms: i64,
}

/// Which events.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct WatchOptions {
    /// sizeof(bgl_watch_options).
    pub size: usize,
    /// Only this task's. NULL: all.
    pub lookup: *const c_char,
    /// Only those after this seq, 0 for all there are. NULL: only those that come.
    pub after: *const i64,
}

options! {
    ListOptions = "bgl_list_options";
    WaitOptions = "bgl_wait_options";
    WatchOptions = "bgl_watch_options";
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Refuses what a forked child inherited: another thread of the parent may have been inside it.
fn own(pid: u32) -> Result<(), Fault> {
    match pid == platform::own_pid() {
        true => Ok(()),
        false => Err(Fault::Misuse(Misuse::BadHandle, "it belongs to the process that was forked".into())),
    }
}

/// Reads one task and writes it to `*out`.
///
/// `lookup` is a task's number as text ("42"), its id, run id or session key.
/// Ownership: the caller ends `*out` with bgl_task_free(). Thread-safe.
/// Errors: BGL_ERROR_NOT_FOUND, _AMBIGUOUS (several tasks with that run id), _NO_LEDGER (nothing was recorded yet),
/// _INVALID_VALUE, and those of every reading call: _BUSY, _CORRUPT, _NEWER_LEDGER, _UNREADABLE, _IO, BGL_MISUSE_*.
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
/// Errors: BGL_ERROR_INVALID_VALUE, _NOT_FOUND (the parent), _NO_LEDGER, and those of every reading call (see
/// bgl_get()).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_list(ledger: *mut Ledger, options: *const ListOptions, out: *mut *mut Tasks) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("out", out)?;
        // SAFETY: C's promise.
        let (request, limit) = unsafe { list_request(argument::read(options)?)? };
        let mut pages = Pages { ready: VecDeque::new(), next: Some(request), left: limit };
        pages.fetch(&open.store)?;
        let tasks = TasksBox { pid: platform::own_pid(), ledger: ledger.addr(), pages: Mutex::new(pages) };
        // SAFETY: C's promise.
        unsafe { put(out, handle::open(tasks)?) };
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
/// Errors: those of every reading call (see bgl_get()); BGL_MISUSE_BAD_HANDLE also if its ledger was closed and more
/// had to be fetched. After an error it may be asked again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_tasks_next(tasks: *mut Tasks, out: *mut *mut Task) -> c_int {
    exported!(tasks, {
        let list: Arc<TasksBox> = handle::get(tasks)?;
        needed("out", out)?;
        own(list.pid)?;
        let mut pages = lock(&list.pages);
        if pages.ready.is_empty() && pages.next.is_some() {
            let open: Arc<LedgerBox> = handle::get(std::ptr::without_provenance::<Ledger>(list.ledger))?;
            pages.fetch(&open.store)?;
        }
        let next = match pages.ready.pop_front() {
            Some(view) => handle::open(TaskBox::new(view))?,
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
    exported!(tasks, {
        let _ended: Arc<TasksBox> = handle::close(tasks)?;
    })
}

// ---- waiting ------------------------------------------------------------------------------------------------

/// What a lookup names now: which task it is stays the same while somebody waits for it.
pub(crate) fn settled(store: &Store, lookup: Lookup) -> Result<TaskNumber, Fault> {
    match lookup {
        Lookup::Number(number) => Ok(number),
        Lookup::Id(_) | Lookup::Run(_) | Lookup::Session(_) | Lookup::Text(_) => {
            Ok(store.call(Show { lookup })?.task.task.number)
        }
    }
}

/// How much of a time is left: a slice of it, or nothing more.
fn slice(began: i64, timeout: Option<Span>) -> Option<Span> {
    let left = timeout.map_or(SLICE_MS, |timeout| timeout.ms().saturating_sub(platform::monotonic_ms() - began));
    Span::from_ms(left.min(SLICE_MS)).filter(|_| left > 0)
}

/// Blocks until every one of `count` tasks has ended (or any, says the option), and writes them to `*out` in the
/// order asked for, as they are then.
///
/// A lost task counts as ended. `options` NULL means all, without end. What a session key or run id names is settled
/// at the beginning. Another thread may go on using the handle; bgl_close() from one ends the wait soon.
/// Ownership: the caller ends `*out` with bgl_tasks_free(). Thread-safe; the signal mask is left alone, and a signal
/// does not end the wait.
/// Errors: BGL_ERROR_WAIT_TIMED_OUT, _NOT_FOUND, _AMBIGUOUS, _NO_LEDGER, and those of every reading call (see
/// bgl_get()); BGL_MISUSE_BAD_HANDLE also if the handle was closed meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_wait(
    ledger: *mut Ledger,
    lookups: *const *const c_char,
    count: usize,
    options: *const WaitOptions,
    out: *mut *mut Tasks,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("out", out)?;
        needed("lookups", lookups.cast_mut())?;
        // SAFETY: C's promise.
        let (given, lookups) = unsafe { (argument::read(options)?, lookup_list(lookups, count)?) };
        let (any, timeout) = (flag("any", given.any)?, patience(given.timeout_ms)?);
        let ready = wait(ledger, &open.store, lookups, any, timeout)?;
        let pages = Pages { ready: ready.into(), next: None, left: 0 };
        let tasks = TasksBox { pid: platform::own_pid(), ledger: ledger.addr(), pages: Mutex::new(pages) };
        // SAFETY: C's promise.
        unsafe { put(out, handle::open(tasks)?) };
    })
}

unsafe fn lookup_list(lookups: *const *const c_char, count: usize) -> Result<Vec<Lookup>, Fault> {
    if count > bounds::WAIT_LOOKUPS {
        let (actual, limit) = (count as u64, bounds::WAIT_LOOKUPS as u64);
        return Err(Error::TooLarge { field: "lookups".into(), actual, limit }.into());
    }
    let mut read = Vec::with_capacity(count);
    for at in 0..count {
        // SAFETY: C's promise: `count` texts, each of which ends with a NUL.
        let lookup = unsafe { required(&format!("lookups[{at}]"), lookups.add(at).read())? };
        read.push(Lookup::parse(lookup)?);
    }
    Ok(read)
}

fn patience(timeout_ms: i64) -> Result<Option<Span>, Fault> {
    match timeout_ms {
        -1 => Ok(Some(Span::ZERO)),
        ms => span("timeout_ms", ms),
    }
}

fn wait(
    handle: *mut Ledger,
    store: &Store,
    lookups: Vec<Lookup>,
    any: bool,
    timeout: Option<Span>,
) -> Result<Vec<TaskView>, Fault> {
    let began = platform::monotonic_ms();
    Request::Wait(Wait { lookups: lookups.clone(), any, timeout }).check()?;
    let numbers = lookups.into_iter().map(|lookup| settled(store, lookup).map(Lookup::Number));
    let lookups: Vec<Lookup> = numbers.collect::<Result<_, _>>()?;
    loop {
        let slice = slice(began, timeout);
        let timeout = Some(slice.unwrap_or(Span::ZERO));
        let error = match store.call(Wait { lookups: lookups.clone(), any, timeout }) {
            Ok(reply) => return Ok(reply.tasks),
            Err(error) => error,
        };
        match (error, slice) {
            (Error::WaitTimedOut { .. }, Some(_)) => ledger::of(handle).map(drop)?,
            (Error::WaitTimedOut { pending, awaited, .. }, None) => {
                let waited_ms = u64::try_from(platform::monotonic_ms() - began).unwrap_or(0);
                return Err(Error::WaitTimedOut { pending, awaited, waited_ms }.into());
            }
            (error, _) => return Err(error.into()),
        }
    }
}

// ---- watching -----------------------------------------------------------------------------------------------

/// What a handle stands for.
#[derive(Debug)]
pub(crate) struct EventsBox {
    pid: u32,
    ledger: usize,
    lookup: Option<Lookup>,
    /// The seq after which the caller has not been told anything.
    cursor: AtomicU64,
    ready: Mutex<Ready>,
}

#[derive(Debug)]
struct Ready {
    events: VecDeque<HistoryEvent>,
    fetched: Seq,
}

/// Follows the ledger, or one task. `*out` hands events out with bgl_events_next(), oldest first.
///
/// `options` NULL means all events that come from now on. Ownership: the caller ends `*out` with bgl_events_free().
/// Thread-safe. Errors: BGL_ERROR_NOT_FOUND, _AMBIGUOUS, _NO_LEDGER, and those of every reading call (see bgl_get()).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_watch(ledger: *mut Ledger, options: *const WatchOptions, out: *mut *mut Events) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        needed("out", out)?;
        // SAFETY: C's promise.
        let (lookup, after) = unsafe {
            let given = argument::read(options)?;
            (optional_lookup("lookup", given.lookup)?, number("after", given.after)?)
        };
        let lookup = lookup.map(|lookup| settled(&open.store, lookup).map(Lookup::Number)).transpose()?;
        let from = match after {
            Some(after) => Seq(after),
            None => open.store.call(Watch { limit: Some(1), ..Watch::default() })?.next,
        };
        let events = EventsBox {
            pid: platform::own_pid(),
            ledger: ledger.addr(),
            lookup,
            cursor: AtomicU64::new(from.0),
            ready: Mutex::new(Ready { events: VecDeque::new(), fetched: from }),
        };
        // SAFETY: C's promise.
        unsafe { put(out, handle::open(events)?) };
    })
}

/// Writes the next event to `*out`, or NULL when none came in time. Waits up to `timeout_ms` milliseconds for it:
/// 0 not at all, -1 without end.
///
/// Ownership: the caller ends each event with bgl_event_free(). Thread-safe; other threads that ask the same watch
/// wait for their turn.
/// Errors: those of every reading call (see bgl_get()); BGL_MISUSE_BAD_HANDLE also if the watch was freed or its
/// ledger closed meanwhile. After an error it may be asked again: no event is skipped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_events_next(events: *mut Events, timeout_ms: i64, out: *mut *mut Event) -> c_int {
    exported!(events, {
        let watch: Arc<EventsBox> = handle::get(events)?;
        needed("out", out)?;
        own(watch.pid)?;
        let timeout = match timeout_ms {
            -1 => None,
            ms => Some(Span::from_ms(ms).ok_or_else(|| Error::invalid("timeout_ms", ms.to_string(), "-1 or more"))?),
        };
        let next = match watch.next(events, timeout)? {
            Some(event) => handle::open(EventBox::new(event))?,
            None => std::ptr::null_mut(),
        };
        // SAFETY: C's promise.
        unsafe { put(out, next) };
    })
}

impl EventsBox {
    fn next(&self, handle: *mut Events, timeout: Option<Span>) -> Result<Option<HistoryEvent>, Fault> {
        let began = platform::monotonic_ms();
        let mut ready = lock(&self.ready);
        while ready.events.is_empty() {
            let slice = slice(began, timeout);
            let open: Arc<LedgerBox> = handle::get(std::ptr::without_provenance::<Ledger>(self.ledger))?;
            handle::get::<EventsBox, _>(handle).map(drop)?;
            let (lookup, after) = (self.lookup.clone(), Some(ready.fetched));
            let found = open.store.call(Watch { lookup, after, limit: Some(PAGE), timeout: slice })?;
            ready.fetched = found.next;
            ready.events.extend(found.events);
            if slice.is_none() {
                break;
            }
        }
        let next = ready.events.pop_front();
        if let Some(event) = &next {
            self.cursor.store(event.seq.0, Ordering::Relaxed);
        }
        Ok(next)
    }
}

/// The seq of the last event that was handed out, or where the watch began: go on from here with
/// bgl_watch_options.after. 0 if the handle is not open. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_events_cursor(events: *const Events) -> u64 {
    exported!(value or 0, {
        let watch: Arc<EventsBox> = handle::get(events).ok()?;
        Some(watch.cursor.load(Ordering::Relaxed))
    })
}

/// Ends a watch. Events that it handed out live on. NULL is answered with BGL_MISUSE_NULL_POINTER, a handle that was
/// freed before with BGL_MISUSE_BAD_HANDLE. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_events_free(events: *mut Events) -> c_int {
    exported!(events, {
        let _ended: Arc<EventsBox> = handle::close(events)?;
    })
}
