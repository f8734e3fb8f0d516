//! The handle on a ledger, and the call that carries any request.

use crate::argument::{self, flag, needed, options, put, text};
use crate::blocking::Waiting;
use crate::boundary::{self, Fault, Told, exported};
use crate::code::Misuse;
use crate::handle;
use crate::subscription::Watcher;
use bgledger_core::config::Durability;
use bgledger_core::{Applied, Envelope, Error, ExecutorSpec, Request, Response, Span};
use bgledger_store::{Ledger as Store, OpenOptions as StoreOptions};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A ledger that is open. Any number of threads may use one handle at once.
///
/// A handle is a number in disguise, never an address: the library looks it up before it touches anything. NULL, a
/// handle that was closed, and a pointer that never was one are answered with `BGL_MISUSE_NULL_POINTER` or
/// `BGL_MISUSE_BAD_HANDLE`. The same holds for the other handles of this library.
///
/// After fork() both processes may go on using their copy; fork() waits for the calls that other threads have under
/// way. Cancel callbacks run in the process that asked for them.
pub struct Ledger {
    _opaque: [u8; 0],
}

/// How a ledger is opened. Begin with all zero and set `size` to sizeof(bgl_open_options): zero is the default of
/// every member.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct OpenOptions {
    /// sizeof(bgl_open_options).
    pub size: usize,
    /// See and touch the records of this owner alone. NULL: the operator, who sees all and records under "local".
    pub owner: *const c_char,
    /// The runtime of tasks that name none. NULL: "subagent".
    pub runtime: *const c_char,
    /// Who does the work of starts that do not say: "self" (this process) or "external" (nothing to observe).
    /// NULL: "self".
    pub executor: *const c_char,
    /// "full" or "relaxed". NULL: as the ledger's own configuration says.
    pub durability: *const c_char,
    /// How long a call waits for other writers, in milliseconds. 0: five seconds.
    pub busy_timeout_ms: i64,
    /// 1: not at all; such a call answers BGL_ERROR_BUSY.
    pub no_wait: i64,
    /// 1: never record.
    pub readonly: i64,
    /// 1: use a ledger on a network file system all the same, without WAL.
    pub allow_network_fs: i64,
    /// 1: for tests of bgledger itself. Every request must name the time ("now"), so that only bgl_call is of use; the
    /// other calls answer BGL_ERROR_INVALID_REQUEST.
    pub test_clock: i64,
}

options! { OpenOptions = "bgl_open_options"; }

/// What a handle stands for.
#[derive(Debug)]
pub(crate) struct LedgerBox {
    pub(crate) store: Store,
    pub(crate) watcher: Watcher,
}

/// The ledger of a handle.
pub(crate) fn of(handle: *const Ledger) -> Result<Arc<LedgerBox>, Fault> {
    handle::get(handle)
}

/// Opens the ledger at a path and writes a handle to `*out`.
///
/// `path` NULL means the default: $BGLEDGER_DB, else bgledger/ledger.db in the XDG state folder. `options` NULL means
/// the defaults. A missing file is no error: the first recorded task creates it. The strings are copied.
///
/// Ownership: the caller ends the handle with bgl_close(). Thread-safe.
/// Errors: BGL_ERROR_BAD_PATH, _NOT_A_LEDGER, _NETWORK_FILE_SYSTEM, _UNREADABLE, _INVALID_VALUE (an owner, runtime or
/// option that cannot be, or text that is not UTF-8), _TOO_LARGE, _INTERNAL; BGL_MISUSE_NULL_POINTER (`out`),
/// BGL_MISUSE_BAD_SIZE. The message of a failed open is told by bgl_errmsg(NULL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_open(path: *const c_char, options: *const OpenOptions, out: *mut *mut Ledger) -> c_int {
    exported!(std::ptr::null::<Ledger>(), {
        needed("out", out)?;
        // SAFETY: C's promise: texts end with a NUL, `options` is as large as it says.
        let (path, options) = unsafe { (path_of(path)?, store_options(argument::read(options)?)?) };
        let store = Store::open(&path, options)?;
        let handle = handle::open(LedgerBox { store, watcher: Watcher::default() })?;
        // SAFETY: not NULL, and C's promise for the rest.
        unsafe { put(out, handle) };
    })
}

unsafe fn path_of(path: *const c_char) -> Result<PathBuf, Fault> {
    if path.is_null() {
        return Ok(Store::default_path()?);
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        // SAFETY: not NULL, and C's promise for the rest. A path is bytes, not text.
        let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
        Ok(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
    }
    #[cfg(not(unix))]
    {
        // SAFETY: C's promise.
        Ok(PathBuf::from(unsafe { argument::required("path", path) }?))
    }
}

unsafe fn store_options(given: OpenOptions) -> Result<StoreOptions, Fault> {
    let defaults = StoreOptions::default();
    // SAFETY: C's promise: texts end with a NUL.
    let (owner, runtime, executor, durability) = unsafe {
        (
            argument::owned("owner", given.owner)?,
            argument::owned("runtime", given.runtime)?,
            argument::executor(given.executor, 0, 0)?,
            text("durability", given.durability)?,
        )
    };
    let durability = match durability {
        None => None,
        Some("full") => Some(Durability::Full),
        Some("relaxed") => Some(Durability::Relaxed),
        Some(word) => {
            return Err(Error::invalid("durability", format!("{word:?}"), "\"full\" or \"relaxed\"").into());
        }
    };
    let busy_timeout = match (flag("no_wait", given.no_wait)?, given.busy_timeout_ms) {
        (false, 0) => defaults.busy_timeout,
        (false, ms) => Duration::from_millis(argument::fit("busy_timeout_ms", ms, "milliseconds")?),
        (true, 0) => Duration::ZERO,
        (true, _) => return Err(Error::invalid("no_wait", "1 beside busy_timeout_ms", "one of the two").into()),
    };
    Ok(StoreOptions {
        owner,
        durability,
        readonly: flag("readonly", given.readonly)?,
        runtime: runtime.unwrap_or(defaults.runtime),
        executor: executor.unwrap_or(ExecutorSpec::This),
        busy_timeout,
        allow_network_fs: flag("allow_network_fs", given.allow_network_fs)?,
        test_clock: flag("test_clock", given.test_clock)?,
    })
}

/// Carries out one Request given as `len` bytes of JSON, and writes one Response as JSON to `*out`: any command that
/// the ledger has. `bgledger schema` describes both.
///
/// BGL_OK means that there is a Response: {"ok": ...}, or {"error": {"code", "class", "message", "hint", ...}}. The
/// request needs no NUL at its end. The response has one, which `*out_len` does not count; `out_len` may be NULL.
///
/// Ownership: the caller ends `*out` with bgl_free(). Thread-safe; a "wait" or "watch" blocks only its own thread.
/// Errors, without a Response: BGL_ERROR_INVALID_REQUEST (not UTF-8), BGL_ERROR_UNKNOWN (no memory for the Response:
/// the request may have taken effect), BGL_ERROR_INTERNAL, BGL_MISUSE_NULL_POINTER (`request`, `out`, the handle),
/// BGL_MISUSE_BAD_HANDLE (also if the handle was closed during a "wait" or "watch"), BGL_MISUSE_BAD_LENGTH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_call(
    ledger: *mut Ledger,
    request: *const c_char,
    len: usize,
    out: *mut *mut c_char,
    out_len: *mut usize,
) -> c_int {
    exported!(ledger, {
        let open = of(ledger)?;
        needed("out", out)?;
        if request.is_null() {
            return Err(argument::null("request"));
        }
        if isize::try_from(len).is_err() {
            return Err(Fault::Misuse(Misuse::BadLength, format!("len: {len} is more than any object has")));
        }
        // SAFETY: not NULL, no longer than an object can be, and C's promise for the rest.
        let bytes = unsafe { std::slice::from_raw_parts(request.cast::<u8>(), len) };
        let request = std::str::from_utf8(bytes).map_err(|error| Error::InvalidRequest {
            problem: format!("not valid UTF-8 at byte {}", error.valid_up_to()),
        })?;
        #[cfg(debug_assertions)]
        if crate::order::carried_out(request) {
            return Ok(());
        }
        let answer = answer(ledger, &open.store, request)?;
        let copy = for_c(answer.as_bytes()).ok_or_else(|| Error::Unknown {
            path: open.store.path().display().to_string(),
            problem: "no memory for the response".into(),
        })?;
        // SAFETY: `out` is not NULL, and C's promise for the rest.
        unsafe {
            put(out, copy);
            put(out_len, answer.len());
        }
    })
}

/// One Request, one Response. Those that may wait end soon after their handle is closed.
fn answer(ledger: *mut Ledger, store: &Store, request: &str) -> Result<String, Fault> {
    let Envelope { id, now, request } = Envelope::parse(request);
    let waiting = Waiting { store, now, is_open: &|| of(ledger).map(drop) };
    let result = match request {
        Ok(Request::Wait(wait)) => waiting.wait(wait).map(Response::Wait),
        Ok(Request::Watch(watch)) => {
            let timeout = watch.timeout.unwrap_or(Span::ZERO);
            waiting.watch(watch, Some(timeout)).map(Response::Watch)
        }
        Ok(request) => waiting.request(request).map_err(Fault::from),
        Err(error) => Err(error.into()),
    };
    let result = match result {
        Ok(response) => Ok(response),
        Err(Fault::Refused(error)) => Err(error),
        Err(misuse @ Fault::Misuse(..)) => return Err(misuse),
    };
    let result = result.as_ref().map_err(|error| &**error);
    Ok(serde_json::to_string(&Applied { id: id.as_ref(), result })
        .map_err(|error| Error::internal(error.to_string()))?)
}

/// A copy from C's own allocator, with a NUL at the end; `None` if there is no memory.
fn for_c(bytes: &[u8]) -> Option<*mut c_char> {
    #[cfg(debug_assertions)]
    if crate::order::lacks_memory() {
        return None;
    }
    // SAFETY: any size is allowed.
    let copy = unsafe { libc::malloc(bytes.len() + 1) }.cast::<u8>();
    if copy.is_null() {
        return None;
    }
    // SAFETY: freshly allocated, one byte larger than the text.
    unsafe {
        copy.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        copy.add(bytes.len()).write(0);
    }
    Some(copy.cast())
}

/// Frees what bgl_call() returned. NULL is fine. Like free(): once, and nothing else. Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_free(memory: *mut c_void) {
    exported!(value or (), {
        // SAFETY: it came from `malloc`, says C's promise.
        unsafe { libc::free(memory) };
        None
    });
}

/// Ends a handle. This does not wait for calls that other threads have under way on it: they finish as if it was
/// open, but those that wait (bgl_wait(), bgl_events_next(), a "wait" or "watch" of bgl_call()) end within half a
/// second with BGL_MISUSE_BAD_HANDLE. Calls that begin later answer BGL_MISUSE_BAD_HANDLE.
///
/// Its cancel callbacks are over when this returns, unless it is called from one of them: that one goes on, and no
/// other is called. So do not hold a lock that a callback takes. Tasks, events and notices that came from it live on;
/// its lists and watches answer BGL_MISUSE_BAD_HANDLE where they need it, and still want their own free.
///
/// Thread-safe. Errors: BGL_MISUSE_NULL_POINTER, BGL_MISUSE_BAD_HANDLE (closed already, or never open).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_close(ledger: *mut Ledger) -> c_int {
    exported!(end ledger, {
        let open: Arc<LedgerBox> = handle::close(ledger)?;
        open.store.rouse();
        open.watcher.stop(&open.store);
    })
}

/// What the last failed call of this thread on this handle was refused for, in words for people. NULL for `ledger`
/// means the thread's last failed call on whatever handle, a failed bgl_open() included; failures on tasks, lists,
/// watches and notices are told by NULL, too. Calls that succeed leave it alone, and so does ending NULL, which
/// cleaning up may do. A thread remembers the eight handles on which a call failed last.
///
/// Ownership: the library's. The text is valid until the next call of this thread that fails, or until the thread
/// ends. Never NULL; empty if nothing failed. Thread-safe: each thread has messages of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_errmsg(ledger: *mut Ledger) -> *const c_char {
    exported!(value or c"".as_ptr(), boundary::last(ledger.addr(), Told::Message))
}

/// The same as JSON, with the fields that matter: {"error": {"code", "class", "message", "hint", ...}}. Lifetime and
/// thread-safety are those of bgl_errmsg().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_errjson(ledger: *mut Ledger) -> *const c_char {
    exported!(value or c"".as_ptr(), boundary::last(ledger.addr(), Told::Json))
}
