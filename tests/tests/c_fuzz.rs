//! Random bytes and random arguments through the exported functions: every answer is a known code, and none of them
//! is a fault of ours, which is what a panic would become.
//!
//! `BGLEDGER_FUZZ=1000000 cargo test --release -p bgledger-tests --test c_fuzz` does more of it; `BGLEDGER_FUZZ_SEED`
//! says which.

use bgledger::code::{BGL_OK, bgl_error_class};
use bgledger::ledger::{Ledger, OpenOptions, bgl_call, bgl_close, bgl_errmsg, bgl_free, bgl_open};
use bgledger::option::{
    CancelOptions, CreateOptions, FinishOptions, HeartbeatOptions, ProgressOptions, SettleOptions, StartOptions,
};
use bgledger::read::{
    ListOptions, WaitOptions, WatchOptions, bgl_events_free, bgl_events_next, bgl_get, bgl_list, bgl_tasks_free,
    bgl_tasks_next, bgl_wait, bgl_watch,
};
use bgledger::record::{
    bgl_create, bgl_finish, bgl_heartbeat, bgl_progress, bgl_request_cancel, bgl_settle, bgl_start,
};
use bgledger::task::{bgl_task_free, bgl_task_json};
use bgledger_core::{Envelope, Request, Span};
use bgledger_tests::binary::workspace;
use bgledger_tests::dice::Dice;
use bgledger_tests::scratch::Scratch;
use bgledger_tests::vector::{self, Asked, FIRST_NOW};
use serde_json::Value;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::{self, null, null_mut};

fn times() -> u64 {
    std::env::var("BGLEDGER_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(30_000)
}

fn open(scratch: &Scratch, test_clock: bool) -> *mut Ledger {
    let path = CString::new(scratch.ledger().display().to_string()).expect("a path");
    let mut options: OpenOptions = blank();
    options.size = size_of::<OpenOptions>();
    options.durability = c"relaxed".as_ptr();
    options.test_clock = test_clock.into();
    let mut ledger = null_mut();
    // SAFETY: every pointer is one.
    assert_eq!(unsafe { bgl_open(path.as_ptr(), &raw const options, &raw mut ledger) }, BGL_OK);
    ledger
}

/// An option struct with nothing set.
fn blank<T: Copy>() -> T {
    // SAFETY: zero is a value of each member of every option struct.
    unsafe { std::mem::zeroed() }
}

fn close(ledger: *mut Ledger) {
    // SAFETY: it is open.
    assert_eq!(unsafe { bgl_close(ledger) }, BGL_OK);
}

/// A code of the lists, and no fault of ours.
fn judge(code: c_int, what: &dyn std::fmt::Debug) -> c_int {
    let class = bgl_error_class(code);
    // SAFETY: the message is a text that lives until the next failure.
    let message = unsafe { CStr::from_ptr(bgl_errmsg(null_mut())) };
    assert!(code == BGL_OK || (class > 0 && class < 900), "{code} {message:?} after {what:?}");
    code
}

// ---- bytes --------------------------------------------------------------------------------------------------

/// Every request of the vectors.
fn corpus() -> Vec<Vec<u8>> {
    let vectors = vector::read_all(&workspace().join("tests/vectors"));
    let steps = vectors.into_iter().flat_map(|vector| vector.steps);
    let lines = steps.map(|step| match step.asked {
        Asked::Request(mut request) => {
            request.insert("now".into(), FIRST_NOW.into());
            Value::Object(request).to_string()
        }
        Asked::Line(line) => line,
    });
    lines.map(String::into_bytes).filter(|line| line.len() < 4_000).collect()
}

fn mutated(dice: &mut Dice, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = dice.pick(corpus).clone();
    for _ in 0..dice.below(4) {
        let at = usize::try_from(dice.below(bytes.len() as u64 + 1)).expect("a place");
        let other = dice.pick(corpus);
        match dice.below(5) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(dice.below(256)).expect("a byte"),
            1 => bytes.truncate(at),
            2 => bytes.insert(at, *dice.pick(b"{}[]\",:0-9\\\0\xff u")),
            3 => bytes.extend_from_slice(&other[other.len() / 2..]),
            _ => {
                bytes.truncate(at);
                bytes.extend_from_slice(&other[at.min(other.len())..]);
            }
        }
    }
    bytes
}

/// Whether it would wait for longer than a test has time.
fn would_block(bytes: &[u8]) -> bool {
    let long = |timeout: Option<Span>| timeout.is_some_and(|timeout| timeout.ms() > 20);
    let request = std::str::from_utf8(bytes).ok().and_then(|text| Envelope::parse(text).request.ok());
    match request {
        Some(Request::Wait(wait)) => wait.timeout.is_none() || long(wait.timeout),
        Some(Request::Watch(watch)) => long(watch.timeout),
        Some(_) | None => false,
    }
}

#[test]
fn any_bytes_are_answered() {
    let (scratch, corpus) = (Scratch::in_memory(), corpus());
    let mut dice = Dice::new(Dice::seed("BGLEDGER_FUZZ_SEED", 4));
    let ledger = open(&scratch, true);
    let mut answered = 0;
    for _ in 0..times() {
        let bytes = mutated(&mut dice, &corpus);
        if would_block(&bytes) || bytes == br#"{"panic":{}}"# {
            continue;
        }
        let (mut out, mut length) = (null_mut(), 0);
        let request = bytes.as_ptr().cast::<c_char>();
        // SAFETY: so many bytes are there, and the outputs are variables.
        let code = unsafe { bgl_call(ledger, request, bytes.len(), &raw mut out, &raw mut length) };
        if judge(code, &String::from_utf8_lossy(&bytes)) == BGL_OK {
            answered += 1;
            // SAFETY: a success wrote so many bytes.
            let response = unsafe { std::slice::from_raw_parts(out.cast::<u8>(), length) };
            let response = std::str::from_utf8(response).expect("UTF-8");
            assert!(serde_json::from_str::<Value>(response).is_ok(), "{response}");
            assert!(!response.contains("\"class\":\"internal\""), "{}: {response}", String::from_utf8_lossy(&bytes));
            // SAFETY: it came from `bgl_call`.
            unsafe { bgl_free(out.cast()) };
        }
    }
    close(ledger);
    assert!(answered > times() / 2, "{answered}");
}

// ---- typed calls --------------------------------------------------------------------------------------------

/// What random arguments are drawn from.
struct Arguments {
    dice: Dice,
    texts: Vec<CString>,
    numbers: Vec<i64>,
}

impl Arguments {
    fn new(seed: u64) -> Arguments {
        let texts: [&[u8]; 16] = [
            b"1",
            b"2",
            b"#3",
            b"17",
            b"run-1",
            b"",
            b" ",
            b"self",
            b"external",
            b"full",
            b"silent",
            b"ok",
            b"{}",
            b"caf\xe9",
            b"{\"a\": 1, \"run_id\": \"run-1\", \"tokens_in\": 1}",
            b"\xf0\x9f\xa6\x80 a label",
        ];
        let mut texts: Vec<CString> = texts.iter().map(|text| CString::new(*text).expect("no NUL")).collect();
        texts.push(CString::new("x".repeat(700)).expect("no NUL"));
        Arguments { dice: Dice::new(seed), texts, numbers: vec![0, 0, 0, 1, 1, 2, 3, 7, -1, 50, i64::MAX, i64::MIN] }
    }

    fn text(&mut self) -> *const c_char {
        match self.dice.below(3) {
            0 => null(),
            _ => self.dice.pick(&self.texts).as_ptr(),
        }
    }

    fn number(&mut self) -> i64 {
        *self.dice.pick(&self.numbers)
    }

    fn optional_number(&mut self) -> *const i64 {
        match self.dice.below(2) {
            0 => null(),
            _ => ptr::from_ref(self.dice.pick(&self.numbers)),
        }
    }

    /// Mostly the right one.
    fn size<T>(&mut self) -> usize {
        match self.dice.below(8) {
            0 => usize::try_from(self.dice.below(size_of::<T>() as u64)).expect("a size"),
            _ => size_of::<T>(),
        }
    }

    /// Mostly the open one.
    fn ledger(&mut self, open: *mut Ledger) -> *mut Ledger {
        match self.dice.below(20) {
            0 => null_mut(),
            1 => ptr::without_provenance_mut(usize::try_from(self.dice.below(1 << 47)).expect("an address")),
            _ => open,
        }
    }
}

/// Fills every member of an option struct: `random!(arguments, Type { text: …; number: …; pointer: …; })`.
macro_rules! random {
    ($from:ident, $type:ident { text: $($text:ident)*; number: $($number:ident)*; pointer: $($pointer:ident)*; }) => {{
        let mut options: $type = blank();
        options.size = $from.size::<$type>();
        $(if $from.dice.below(4) == 0 { options.$text = $from.text(); })*
        $(if $from.dice.below(4) == 0 { options.$number = $from.number(); })*
        $(if $from.dice.below(4) == 0 { options.$pointer = $from.optional_number(); })*
        options
    }};
}

#[test]
fn any_arguments_are_answered() {
    let scratch = Scratch::in_memory();
    let mut from = Arguments::new(Dice::seed("BGLEDGER_FUZZ_SEED", 4));
    let ledger = open(&scratch, false);
    let mut succeeded = 0;
    for _ in 0..times() {
        let call = from.dice.below(11);
        // SAFETY: texts end with a NUL, numbers and structs are there, and outputs are variables.
        if unsafe { typed_call(&mut from, ledger, call) } == BGL_OK {
            succeeded += 1;
        }
    }
    close(ledger);
    assert!(succeeded > times() / 20, "{succeeded}");
}

unsafe fn typed_call(from: &mut Arguments, open: *mut Ledger, call: u64) -> c_int {
    let (ledger, lookup) = (from.ledger(open), from.text());
    let (mut flags, mut answer, mut task) = (0_u32, 0_i32, null_mut());
    let (flags, answer) = (&raw mut flags, &raw mut answer);
    let made = &raw mut task;
    // SAFETY: the caller's promise.
    let code = unsafe {
        match call {
            0 => {
                let mut create = random!(from, CreateOptions {
                    text: task key runtime kind source_id run_id owner requester_session session agent requester_agent
                        parent retry_of metadata_json notify executor;
                    number: queue_timeout_ms timeout_ms created_at start lease_ms started_at;
                    pointer: ;
                });
                create.label = from.text();
                bgl_create(ledger, &raw const create, flags, made)
            }
            1 => {
                let start = random!(from, StartOptions {
                    text: executor fill_json; number: lease_ms started_at; pointer: ;
                });
                bgl_start(ledger, lookup, &raw const start, flags, made)
            }
            2 => {
                let progress = random!(from, ProgressOptions {
                    text: nonce text unit waiting_on usage_json artifacts_json fill_json;
                    number: attempt lease_ms; pointer: current total;
                });
                bgl_progress(ledger, lookup, &raw const progress, flags, made)
            }
            3 => {
                let heartbeat = random!(from, HeartbeatOptions { text: nonce; number: attempt lease_ms; pointer: ; });
                bgl_heartbeat(ledger, lookup, &raw const heartbeat, flags)
            }
            4 => {
                let finish = random!(from, FinishOptions {
                    text: nonce outcome reason error_type error_message error_detail summary result_json output_json
                        artifacts_json usage_json;
                    number: status attempt ended_at; pointer: exit_code signal;
                });
                bgl_finish(ledger, lookup, &raw const finish, flags, made)
            }
            5 => {
                let settle = random!(from, SettleOptions {
                    text: outcome reason by why error_type error_message error_detail summary result_json;
                    number: status ended_at; pointer: ;
                });
                bgl_settle(ledger, lookup, &raw const settle, flags, made)
            }
            6 => {
                let cancel = random!(from, CancelOptions { text: by why; number: ; pointer: ; });
                bgl_request_cancel(ledger, lookup, &raw const cancel, answer, made)
            }
            7 => bgl_get(ledger, lookup, made),
            8 => listed(from, ledger, made),
            9 => waited(from, ledger, lookup),
            _ => watched(from, ledger),
        }
    };
    judge(code, &(call, lookup));
    if !task.is_null() {
        // SAFETY: a success wrote a handle, whose text lives as long as it.
        unsafe {
            assert!(CStr::from_ptr(bgl_task_json(task)).to_bytes().starts_with(b"{"));
            assert_eq!(bgl_task_free(task), BGL_OK);
            assert_ne!(bgl_task_free(task), BGL_OK);
        }
    }
    code
}

unsafe fn listed(from: &mut Arguments, ledger: *mut Ledger, task: *mut *mut bgledger::task::Task) -> c_int {
    let list = random!(from, ListOptions {
        text: runtime kind session agent label run_id metadata_json search parent;
        number: active statuses since until limit; pointer: ;
    });
    let mut tasks = null_mut();
    // SAFETY: the caller's promise.
    unsafe {
        let code = bgl_list(ledger, &raw const list, &raw mut tasks);
        if code == BGL_OK {
            judge(bgl_tasks_next(tasks, task), &"next");
            assert_eq!(bgl_tasks_free(tasks), BGL_OK);
        }
        code
    }
}

unsafe fn waited(from: &mut Arguments, ledger: *mut Ledger, lookup: *const c_char) -> c_int {
    let mut wait = random!(from, WaitOptions { text: ; number: any; pointer: ; });
    wait.size = size_of::<WaitOptions>();
    wait.timeout_ms = *from.dice.pick(&[-1, 1, -2, i64::MIN]);
    let (lookups, mut tasks) = ([lookup, from.text()], null_mut());
    let count = usize::try_from(from.dice.below(3)).expect("a count");
    // SAFETY: the caller's promise.
    unsafe {
        let code = bgl_wait(ledger, lookups.as_ptr(), count, &raw const wait, &raw mut tasks);
        if code == BGL_OK {
            assert_eq!(bgl_tasks_free(tasks), BGL_OK);
        }
        code
    }
}

unsafe fn watched(from: &mut Arguments, ledger: *mut Ledger) -> c_int {
    let watch = random!(from, WatchOptions { text: lookup; number: ; pointer: after; });
    let (mut events, mut event) = (null_mut(), null_mut());
    // SAFETY: the caller's promise.
    unsafe {
        let code = bgl_watch(ledger, &raw const watch, &raw mut events);
        if code == BGL_OK {
            judge(bgl_events_next(events, *from.dice.pick(&[0, 0, 1, -2, i64::MIN]), &raw mut event), &"next");
            judge(bgledger::event::bgl_event_free(event), &"free");
            assert_eq!(bgl_events_free(events), BGL_OK);
        }
        code
    }
}
