//! An event as C sees it.

use crate::boundary::{c_text, exported};
use crate::handle;
use bgledger_core::HistoryEvent;
use std::ffi::{CString, c_char, c_int};
use std::sync::{Arc, OnceLock};

/// Something that happened to a task. It never changes; threads may read it at once. What the functions below return
/// belongs to it and is valid until bgl_event_free(); NULL or 0 means that the handle is not open.
pub struct Event {
    _opaque: [u8; 0],
}

/// What a handle stands for.
#[derive(Debug)]
pub(crate) struct EventBox {
    event: HistoryEvent,
    kind: OnceLock<CString>,
    id: OnceLock<CString>,
    json: OnceLock<CString>,
}

impl EventBox {
    pub(crate) fn new(event: HistoryEvent) -> EventBox {
        EventBox { event, kind: OnceLock::new(), id: OnceLock::new(), json: OnceLock::new() }
    }
}

fn text(
    event: *const Event,
    place: impl Fn(&EventBox) -> &OnceLock<CString>,
    of: impl FnOnce(&HistoryEvent) -> String,
) -> *const c_char {
    exported!(value or std::ptr::null(), {
        let make = |found: &EventBox| Some(place(found).get_or_init(|| c_text(of(&found.event))).as_ptr());
        handle::look(event, make)
    })
}

/// Ends an event's handle and frees what its functions returned. NULL is answered with BGL_MISUSE_NULL_POINTER, a
/// handle that was freed before with BGL_MISUSE_BAD_HANDLE. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_event_free(event: *mut Event) -> c_int {
    exported!(end event, {
        let _ended: Arc<EventBox> = handle::close(event)?;
    })
}

/// Its place in the ledger's one order: 1, 2, 3 ... without gap. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_event_seq(event: *const Event) -> u64 {
    exported!(value or 0, handle::look(event, |found: &EventBox| Some(found.event.seq.0)))
}

/// When it was recorded, in milliseconds since 1970 UTC. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_event_at(event: *const Event) -> i64 {
    exported!(value or 0, handle::look(event, |found: &EventBox| Some(found.event.at.get())))
}

/// The task's number. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_event_number(event: *const Event) -> u64 {
    exported!(value or 0, handle::look(event, |found: &EventBox| Some(found.event.number.0)))
}

/// What happened: "created", "started", "progress", "cancel_requested", "finished", ... Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_event_type(event: *const Event) -> *const c_char {
    text(event, |event| &event.kind, HistoryEvent::kind)
}

/// The task's id. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_event_id(event: *const Event) -> *const c_char {
    text(event, |event| &event.id, |event| event.id.to_string())
}

/// The whole event as JSON: what `bgledger watch --json` prints. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_event_json(event: *const Event) -> *const c_char {
    text(event, |event| &event.json, |event| serde_json::to_string(event).unwrap_or_default())
}
