//! Watching events as they come.

use crate::argument::{self, needed, number, optional_lookup, options, put};
use crate::blocking::Waiting;
use crate::boundary::{Fault, exported};
use crate::event::{Event, EventBox};
use crate::handle;
use crate::ledger::{self, Ledger, LedgerBox};
use crate::list::{lock, own};
use bgledger_core::{Error, HistoryEvent, Lookup, Seq, Show, Span, Watch};
use bgledger_store::platform;
use std::collections::VecDeque;
use std::ffi::{c_char, c_int};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Events that a watch fetches at once.
const PAGE: u32 = 500;

/// Events as they come. Threads may share it; each event is handed out once. In a forked child it answers
/// BGL_MISUSE_BAD_HANDLE.
pub struct Events {
    _opaque: [u8; 0],
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

options! { WatchOptions = "bgl_watch_options"; }

/// What a handle stands for.
#[derive(Debug)]
pub(crate) struct EventsBox {
    pid: u32,
    ledger: usize,
    lookup: Option<Lookup>,
    /// The seq after which the caller has not been told anything.
    cursor: AtomicU64,
    /// Whether events that it should have told are gone.
    truncated: AtomicBool,
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
/// Thread-safe. Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, and those of every call on a ledger.
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
        let place = handle::reserve()?;
        // Which task it is stays the same from here on.
        let task = lookup.map(|lookup| open.store.call(Show::from(lookup))).transpose()?;
        let lookup = task.map(|shown| Lookup::Number(shown.task.task.number));
        let from = match after {
            Some(after) => Seq(after),
            None => open.store.call(Watch { limit: Some(1), ..Watch::default() })?.next,
        };
        let events = EventsBox {
            pid: platform::own_pid(),
            ledger: ledger.addr(),
            lookup,
            cursor: AtomicU64::new(from.0),
            truncated: AtomicBool::new(false),
            ready: Mutex::new(Ready { events: VecDeque::new(), fetched: from }),
        };
        // SAFETY: C's promise.
        unsafe { put(out, place.fill(events)) };
    })
}

/// Writes the next event to `*out`, or NULL when none came in time. Waits up to `timeout_ms` milliseconds for it, as
/// poll() does: 0 not at all, -1 without end.
///
/// Ownership: the caller ends each event with bgl_event_free(). Thread-safe; other threads that ask the same watch
/// wait for their turn.
/// Errors: BGL_ERROR_NOT_FOUND, _PRUNED (the one task that it follows is no longer there), and those of every call on a
/// ledger; BGL_MISUSE_BAD_HANDLE also if the watch was freed or its ledger closed meanwhile. After an error it may be
/// asked again: no event is skipped.
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
        let place = handle::reserve()?;
        let next = match watch.next(events, timeout)? {
            Some(event) => place.fill(EventBox::new(event)),
            None => std::ptr::null_mut(),
        };
        // SAFETY: C's promise.
        unsafe { put(out, next) };
    })
}

impl EventsBox {
    fn next(&self, handle: *mut Events, timeout: Option<Span>) -> Result<Option<HistoryEvent>, Fault> {
        let mut ready = lock(&self.ready);
        if ready.events.is_empty() {
            let ledger = std::ptr::without_provenance::<Ledger>(self.ledger);
            let open = ledger::of(ledger)?;
            let is_open = || {
                ledger::of(ledger).map(drop)?;
                handle::get::<EventsBox, _>(handle).map(drop)
            };
            let waiting = Waiting { store: &open.store, now: None, is_open: &is_open };
            let (lookup, after) = (self.lookup.clone(), Some(ready.fetched));
            let found = waiting.watch(Watch { lookup, after, limit: Some(PAGE), timeout: None }, timeout)?;
            ready.fetched = found.next;
            self.truncated.fetch_or(found.truncated, Ordering::Relaxed);
            ready.events.extend(found.events);
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

/// Whether events after the place where the watch began went with tasks that were pruned before they were fetched: 1
/// or 0. If so, what bgl_events_next() has handed out by now is not all that happened: look at the tasks themselves.
/// Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_events_truncated(events: *const Events) -> c_int {
    exported!(value or 0, {
        let watch: Arc<EventsBox> = handle::get(events).ok()?;
        Some(watch.truncated.load(Ordering::Relaxed).into())
    })
}

/// Ends a watch. Events that it handed out live on. NULL is answered with BGL_MISUSE_NULL_POINTER, a handle that was
/// freed before with BGL_MISUSE_BAD_HANDLE. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_events_free(events: *mut Events) -> c_int {
    exported!(end events, {
        let ended: Arc<EventsBox> = handle::close(events)?;
        // Whoever waits for its next event looks up.
        if let Ok(open) = handle::get::<LedgerBox, _>(std::ptr::without_provenance::<Ledger>(ended.ledger)) {
            open.store.rouse();
        }
    })
}
