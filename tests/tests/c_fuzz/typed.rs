//! Random arguments for the typed calls.

use crate::arguments::{Arguments, random};
use crate::{close, flows, handles, judge, open, times};
use bgledger::code::BGL_OK;
use bgledger::ledger::Ledger;
use bgledger::option::{
    CancelOptions, CreateOptions, FinishOptions, HeartbeatOptions, ProgressOptions, SettleOptions, StartOptions,
};
use bgledger::read::{ListOptions, bgl_get, bgl_list, bgl_task_read, bgl_tasks_free, bgl_tasks_next};
use bgledger::record::{
    bgl_create, bgl_finish, bgl_heartbeat, bgl_progress, bgl_request_cancel, bgl_settle, bgl_start,
};
use bgledger::task::{Task, bgl_task_free};
use bgledger::wait::{WaitOptions, bgl_wait};
use bgledger::watch::{WatchOptions, bgl_events_cursor, bgl_events_free, bgl_events_next, bgl_watch};
use bgledger_tests::dice::Dice;
use bgledger_tests::scratch::Scratch;
use std::collections::BTreeSet;
use std::ffi::{c_char, c_int};
use std::fs;
use std::ptr::null_mut;

/// The kinds of calls, and some more that are given no handle.
const CALLS: u64 = 20;
/// Mostly ends.
const STATUSES: [i64; 8] = [3, 3, 4, 5, 6, 7, 0, -1];

#[test]
fn any_arguments_are_answered() {
    let scratch = Scratch::in_memory();
    let mut from = Arguments::new(Dice::seed("BGLEDGER_FUZZ_SEED", 1));
    let ledger = open(&scratch.ledger(), false);
    let mut succeeded = 0;
    for _ in 0..times() {
        let call = from.dice.below(CALLS);
        // SAFETY: texts end with a NUL, numbers and structs are there, and outputs are variables.
        if unsafe { typed_call(&mut from, ledger, call) } == BGL_OK {
            succeeded += 1;
        }
    }
    close(ledger);
    assert!(succeeded > times() / 20, "{succeeded}");
    assert!(from.met.iter().all(|met| *met > times() / 3_000), "{:?}", from.met);
}

/// Whatever is wrong with the ledger itself, each call says it by a code that its comment names.
#[test]
fn calls_on_a_ledger_that_is_none_are_answered() {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let mut from = Arguments::new(Dice::seed("BGLEDGER_FUZZ_SEED", 1));
    let mut met = BTreeSet::new();
    let states: [(&str, Option<&[u8]>); 3] =
        [("none", None), ("garbage", Some(&[b'x'; 4096])), ("half a header", Some(b"SQLite format 3\0"))];
    for (state, contents) in states {
        contents.inspect(|contents| fs::write(&path, contents).expect("a file"));
        let ledger = open(&path, false);
        for _ in 0..500 {
            let call = match (from.dice.below(CALLS), contents) {
                // A creation makes the ledger that is missing.
                (0 | 14, None) => 1,
                (call, _) => call,
            };
            // SAFETY: as above.
            met.insert((state, unsafe { typed_call(&mut from, ledger, call) }));
        }
        close(ledger);
    }
    assert!(met.contains(&("none", 201)) && met.contains(&("garbage", 500)), "{met:?}");
}

pub(crate) unsafe fn typed_call(from: &mut Arguments, open: *mut Ledger, call: u64) -> c_int {
    let (ledger, lookup) = (from.ledger(open), from.text());
    let (mut flags, mut answer, mut task) = (0_u32, 0_i32, null_mut());
    let (flags, answer) = (&raw mut flags, &raw mut answer);
    let made = &raw mut task;
    // SAFETY: the caller's promise.
    let (name, code) = unsafe {
        match call {
            0 => {
                let mut create = random!(from, CreateOptions {
                    text: task key runtime kind source_id run_id owner requester_session session agent requester_agent
                        parent flow retry_of metadata_json notify executor;
                    number: queue_timeout_ms timeout_ms created_at start lease_ms started_at;
                    pointer: ;
                });
                create.label = from.text();
                let end = random!(from, FinishOptions {
                    text: nonce outcome reason error_type summary result_json; number: attempt ended_at;
                    pointer: exit_code signal;
                });
                let end = FinishOptions { status: *from.dice.pick(&STATUSES), ..end };
                if from.dice.below(3) == 0 {
                    create.finish = &raw const end;
                }
                ("bgl_create", bgl_create(ledger, &raw const create, flags, made))
            }
            1 => {
                let start = random!(from, StartOptions {
                    text: executor fill_json; number: lease_ms started_at; pointer: ;
                });
                ("bgl_start", bgl_start(ledger, lookup, &raw const start, flags, made))
            }
            2 => {
                let progress = random!(from, ProgressOptions {
                    text: nonce text unit waiting_on usage_json artifacts_json fill_json;
                    number: attempt lease_ms; pointer: current total;
                });
                ("bgl_progress", bgl_progress(ledger, lookup, &raw const progress, flags, made))
            }
            3 => {
                let heartbeat = random!(from, HeartbeatOptions { text: nonce; number: attempt lease_ms; pointer: ; });
                ("bgl_heartbeat", bgl_heartbeat(ledger, lookup, &raw const heartbeat, flags))
            }
            4 => {
                let mut finish = random!(from, FinishOptions {
                    text: nonce outcome reason error_type error_message error_detail summary result_json output_json
                        artifacts_json usage_json;
                    number: status attempt ended_at; pointer: exit_code signal;
                });
                finish.status = *from.dice.pick(&STATUSES);
                ("bgl_finish", bgl_finish(ledger, lookup, &raw const finish, flags, made))
            }
            5 => {
                let mut settle = random!(from, SettleOptions {
                    text: outcome reason by why error_type error_message error_detail summary result_json;
                    number: status ended_at; pointer: ;
                });
                settle.status = *from.dice.pick(&STATUSES);
                ("bgl_settle", bgl_settle(ledger, lookup, &raw const settle, flags, made))
            }
            6 => {
                let cancel = random!(from, CancelOptions { text: by why; number: ; pointer: ; });
                ("bgl_request_cancel", bgl_request_cancel(ledger, lookup, &raw const cancel, answer, made))
            }
            7 => ("bgl_get", bgl_get(ledger, lookup, made)),
            8 => ("bgl_list", listed(from, ledger, made)),
            9 => ("bgl_wait", waited(from, ledger, lookup)),
            10 => ("bgl_watch", watched(from, ledger)),
            11 => ("bgl_notices_claim", handles::claimed(from, ledger)),
            12 => ("bgl_notices_ack", handles::answered(from, ledger)),
            13 => ("bgl_on_cancel", handles::listened(from, ledger, lookup)),
            14 => ("bgl_flow_create", flows::created(from, ledger)),
            15 => flows::moved(from, ledger),
            16 => flows::read(from, ledger),
            17 => ("bgl_task_read", bgl_task_read(ledger, lookup, from.text(), made)),
            _ => ("bgl_task_free", handles::none(from)),
        }
    };
    judge(name, code, &(call, lookup));
    if !task.is_null() {
        // SAFETY: a success wrote a handle.
        unsafe {
            assert!(handles::task(task), "its id is told");
            assert_eq!(bgl_task_free(task), BGL_OK);
        }
        from.has_ended(task);
    }
    code
}

unsafe fn listed(from: &mut Arguments, ledger: *mut Ledger, task: *mut *mut Task) -> c_int {
    let list = random!(from, ListOptions {
        text: runtime kind session agent label run_id metadata_json search parent flow;
        number: active statuses since until limit; pointer: ;
    });
    let mut tasks = null_mut();
    // SAFETY: the caller's promise.
    unsafe {
        let code = bgl_list(ledger, &raw const list, &raw mut tasks);
        if code == BGL_OK {
            judge("bgl_tasks_next", bgl_tasks_next(tasks, task), &"next");
            assert_eq!(bgl_tasks_free(tasks), BGL_OK);
            from.has_ended(tasks);
        }
        code
    }
}

unsafe fn waited(from: &mut Arguments, ledger: *mut Ledger, lookup: *const c_char) -> c_int {
    let mut wait = random!(from, WaitOptions { text: ack; number: any; pointer: ; });
    wait.size = size_of::<WaitOptions>();
    // Never without end: not at all, for a moment, or refused.
    (wait.give_up_after_ms, wait.no_wait) = *from.dice.pick(&[(0, 1), (0, 1), (1, 0), (-1, 0), (1, 1), (i64::MIN, 2)]);
    let (lookups, mut tasks) = ([lookup, from.text()], null_mut());
    let count = usize::try_from(from.dice.below(3)).expect("a count");
    // SAFETY: the caller's promise.
    unsafe {
        let code = bgl_wait(ledger, lookups.as_ptr(), count, &raw const wait, &raw mut tasks);
        if code == BGL_OK {
            assert_eq!(bgl_tasks_free(tasks), BGL_OK);
            from.has_ended(tasks);
        }
        code
    }
}

static BEGINNING: i64 = 0;

unsafe fn watched(from: &mut Arguments, ledger: *mut Ledger) -> c_int {
    let mut watch = random!(from, WatchOptions { text: lookup; number: ; pointer: after; });
    if from.dice.below(2) == 0 {
        watch.after = &raw const BEGINNING;
    }
    let (mut events, mut event) = (null_mut(), null_mut());
    // SAFETY: the caller's promise.
    unsafe {
        let code = bgl_watch(ledger, &raw const watch, &raw mut events);
        if code == BGL_OK {
            let timeout = *from.dice.pick(&[0, 0, 1, -2, i64::MIN]);
            judge("bgl_events_next", bgl_events_next(events, timeout, &raw mut event), &timeout);
            if !event.is_null() {
                assert_eq!(handles::event(event), bgl_events_cursor(events));
                from.met[1] += 1;
                from.has_ended(event);
            }
            judge("bgl_event_free", bgledger::event::bgl_event_free(event), &"free");
            assert_eq!(bgl_events_free(events), BGL_OK);
            from.has_ended(events);
        }
        code
    }
}
