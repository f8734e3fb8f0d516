//! Waiting until tasks end.

use crate::argument::{self, flag, needed, options, owned, put, span};
use crate::blocking::Waiting;
use crate::boundary::{Fault, exported};
use crate::handle;
use crate::ledger::{self, Ledger};
use crate::read::{Tasks, TasksBox};
use bgledger_core::{Error, Lookup, Span, Wait, bounds};
use std::ffi::{c_char, c_int};

/// How to wait. NULL options: until all have ended, however long that takes.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct WaitOptions {
    /// sizeof(bgl_wait_options).
    pub size: usize,
    /// 1: until one of the tasks has ended, not all.
    pub any: i64,
    /// After so many milliseconds answer BGL_ERROR_WAIT_TIMED_OUT. 0: never.
    pub give_up_after_ms: i64,
    /// 1: only look, and answer BGL_ERROR_WAIT_TIMED_OUT at once if they have not ended.
    pub no_wait: i64,
    /// The recipient whose notices about those that ended are delivered by this answer: "session:KEY", "owner:NAME" or
    /// "subscriber:NAME". NULL: nobody's.
    pub ack: *const c_char,
}

options! { WaitOptions = "bgl_wait_options"; }

/// Blocks until every one of `count` tasks has ended (or any, says the option), and writes them to `*out` in the
/// order asked for, as they are then.
///
/// A lost task counts as ended. What a session key or run id names is settled at the beginning. Another thread may go
/// on using the handle; bgl_close() from one ends the wait soon.
/// Ownership: the caller ends `*out` with bgl_tasks_free(). Thread-safe; the signal mask is left alone, and a signal
/// does not end the wait.
/// Errors: BGL_ERROR_WAIT_TIMED_OUT, _NOT_FOUND, _PRUNED, _AMBIGUOUS, those of every call on a ledger and, where the
/// options name a recipient, _UNKNOWN_RECIPIENT and those of every recording call; BGL_MISUSE_BAD_HANDLE also if the
/// handle was closed meanwhile.
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
        // SAFETY: C's promise: `count` texts, each of which ends with a NUL.
        let (given, ack, texts) = unsafe {
            let given = argument::read(options)?;
            let texts = argument::list("lookups", lookups, count, bounds::WAIT_LOOKUPS)?;
            (given, owned("ack", given.ack)?, texts)
        };
        let lookups = texts.into_iter().map(Lookup::parse).collect::<Result<_, _>>()?;
        let (any, timeout) = (flag("any", given.any)?, patience(given)?);
        let place = handle::reserve()?;
        let waiting = Waiting { store: &open.store, now: None, is_open: &|| ledger::of(ledger).map(drop) };
        let ended = waiting.wait(Wait { lookups, any, timeout, ack })?;
        // SAFETY: C's promise.
        unsafe { put(out, place.fill(TasksBox::whole(ledger, ended.tasks))) };
    })
}

fn patience(given: WaitOptions) -> Result<Option<Span>, Fault> {
    match (flag("no_wait", given.no_wait)?, span("give_up_after_ms", given.give_up_after_ms)?) {
        (false, timeout) => Ok(timeout),
        (true, None) => Ok(Some(Span::ZERO)),
        (true, Some(_)) => Err(Error::invalid("no_wait", "1 beside give_up_after_ms", "one of the two").into()),
    }
}
