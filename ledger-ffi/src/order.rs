//! Faults that a test orders through `bgl_call`. They are not in the library that is installed.

use crate::handle;
use std::sync::atomic::{AtomicBool, Ordering};

static NO_MEMORY: AtomicBool = AtomicBool::new(false);

/// Carries out an order; whether the request was one.
pub(crate) fn carried_out(request: &str) -> bool {
    match request {
        r#"{"panic":{}}"# => panic_on_order(),
        r#"{"handles":{"room":0}}"# => handle::leave_room(Some(0)),
        r#"{"handles":{"room":1}}"# => handle::leave_room(Some(1)),
        r#"{"handles":{}}"# => handle::leave_room(None),
        r#"{"memory":{"room":0}}"# => NO_MEMORY.store(true, Ordering::Relaxed),
        _ => return false,
    }
    true
}

/// Whether the memory for one response is missing.
pub(crate) fn lacks_memory() -> bool {
    NO_MEMORY.swap(false, Ordering::Relaxed)
}

#[expect(clippy::panic, reason = "a test makes one happen")]
fn panic_on_order() {
    panic!("on order");
}
