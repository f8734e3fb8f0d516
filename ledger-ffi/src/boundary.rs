//! Where C ends and Rust begins: no panic crosses, every failure has a code, and its message waits for whoever asks.

use crate::code::{BGL_OK, Misuse};
use bgledger_core::{Applied, Error};
use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CString, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The calling program made a mistake that only the C library can notice.
    Misuse(Misuse, String),
    /// The ledger said no.
    Refused(Box<Error>),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Refused(Box::new(error))
    }
}

impl Fault {
    fn code(&self) -> c_int {
        match self {
            Fault::Misuse(code, _) => *code as c_int,
            Fault::Refused(error) => c_int::from(error.code() as u16),
        }
    }

    fn message(&self) -> String {
        match self {
            Fault::Misuse(_, problem) => problem.clone(),
            Fault::Refused(error) => error.to_string(),
        }
    }

    /// The error as `bgl_call` shows it.
    fn json(&self) -> String {
        match self {
            Fault::Refused(error) => serde_json::to_string(&Applied { id: None, result: Err(error) }),
            Fault::Misuse(code, problem) => serde_json::to_string(&serde_json::json!({
                "error": {"code": code.as_str(), "class": "misuse", "message": problem, "hint": null}
            })),
        }
        .unwrap_or_default()
    }
}

/// Handles of whose last failure a thread knows at once.
const REMEMBERED: usize = 8;

/// A thread's last failure on a handle.
struct Last {
    /// The handle it is told for.
    handle: usize,
    fault: Fault,
    message: Option<CString>,
    json: Option<CString>,
}

thread_local! {
    /// The newest comes last.
    static LAST: RefCell<Vec<Last>> = const { RefCell::new(Vec::new()) };
}

/// Which text of a failure is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Told {
    Message,
    Json,
}

/// The text of this thread's last failure, if it was on this handle; 0 means any.
pub(crate) fn last(handle: usize, told: Told) -> Option<*const std::ffi::c_char> {
    LAST.try_with(|last| {
        let mut last = last.try_borrow_mut().ok()?;
        let last = last.iter_mut().rev().find(|last| handle == 0 || last.handle == handle)?;
        let text = match told {
            Told::Message => last.message.get_or_insert_with(|| c_text(last.fault.message())),
            Told::Json => last.json.get_or_insert_with(|| c_text(last.fault.json())),
        };
        Some(text.as_ptr())
    })
    .ok()
    .flatten()
}

/// A text for C: what follows a NUL is not seen there, so that a NUL becomes a visible mark.
pub(crate) fn c_text(text: String) -> CString {
    CString::new(text).unwrap_or_else(|error| {
        let text = String::from_utf8_lossy(&error.into_vec()).replace('\0', "\u{2400}");
        CString::new(text).unwrap_or_default()
    })
}

fn panicked(payload: &(dyn Any + Send)) -> Fault {
    let said = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let said = said.or_else(|| payload.downcast_ref::<String>().cloned());
    Error::internal(format!("a panic: {}", said.unwrap_or_default())).into()
}

/// Runs the body of a call that answers with a code; a failure is kept for `bgl_errmsg`.
pub(crate) fn run(handle: usize, body: impl FnOnce() -> Result<(), Fault>) -> c_int {
    match attempt(body) {
        Ok(()) => BGL_OK,
        Err(fault) => {
            let code = fault.code();
            remember(handle, fault);
            code
        }
    }
}

/// The same for a call that ends a handle. To end NULL is what cleaning up does after a failure, whose message stays.
pub(crate) fn end(handle: usize, body: impl FnOnce() -> Result<(), Fault>) -> c_int {
    match handle {
        0 => attempt(body).map_or_else(|fault| fault.code(), |()| BGL_OK),
        _ => run(handle, body),
    }
}

fn attempt(body: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(panicked(&*payload)))
}

fn remember(handle: usize, fault: Fault) {
    let _ = LAST.try_with(|last| {
        let Ok(mut last) = last.try_borrow_mut() else { return };
        last.retain(|last| last.handle != handle);
        if last.len() >= REMEMBERED {
            last.remove(0);
        }
        last.push(Last { handle, fault, message: None, json: None });
    });
}

/// Runs the body of a call that answers with a plain value.
pub(crate) fn value<T>(otherwise: T, body: impl FnOnce() -> Option<T>) -> T {
    catch_unwind(AssertUnwindSafe(body)).ok().flatten().unwrap_or(otherwise)
}

/// The body of every exported function: no panic leaves it.
///
/// `exported!(handle, { … })` answers with a code, as does `exported!(end handle, { … })`, which ends the handle;
/// `exported!(value or otherwise, { … })` answers with a plain value.
macro_rules! exported {
    (end $handle:expr, $body:block) => {
        $crate::boundary::end($handle.addr(), || -> Result<(), $crate::boundary::Fault> {
            $body;
            Ok(())
        })
    };
    ($handle:expr, $body:block) => {
        $crate::boundary::run($handle.addr(), || -> Result<(), $crate::boundary::Fault> {
            $body;
            Ok(())
        })
    };
    (value or $otherwise:expr, $body:expr) => {
        $crate::boundary::value($otherwise, || $body)
    };
}
pub(crate) use exported;
