//! A library without std around the rules. The panic handler below is the proof: std brings its own, and two do not
//! compile ("found duplicate lang item `panic_impl`").
#![no_std]

use bgledger_core::{CancelEvidence, Command, Envelope, Millis, Moment, decide};
use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;

/// There is no memory here, and it says so: every allocation fails.
struct NoMemory;

// SAFETY: a null pointer is how an allocator says that it has nothing to give, so nothing ever comes back.
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static MEMORY: NoMemory = NoMemory;

#[panic_handler]
fn stop(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Reads a request and decides a command, so that both are compiled in. Answers whether either was refused.
#[unsafe(no_mangle)]
pub extern "C" fn no_std_proof(now: i64) -> bool {
    let at = Moment { now: Millis::clamped(now), boot: None, monotonic: now, uptime: now };
    let cancel = Command::RequestCancel { by: None, why: None, evidence: CancelEvidence::MayLive };
    Envelope::parse("{\"stats\": {}}").request.is_err() || decide(None, &cancel, &at).is_err()
}
