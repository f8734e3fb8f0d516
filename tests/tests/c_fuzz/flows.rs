//! Flows: random arguments, and what is asked of the handles.

use crate::arguments::{Arguments, random};
use crate::handles::is_text;
use crate::judge;
use bgledger::code::BGL_OK;
use bgledger::flow::*;
use bgledger::flow_option::*;
use bgledger::flows::*;
use bgledger::ledger::Ledger;
use bgledger::option::CancelOptions;
use std::ffi::{c_char, c_int};
use std::ptr::null_mut;

/// Often the one that is recorded.
const REVISIONS: [i64; 8] = [1, 1, 1, 2, 2, 3, 0, -1];

/// Asks a flow everything; whether it is open.
pub(crate) unsafe fn flow(flow: *const Flow) -> bool {
    let texts = [
        bgl_flow_id,
        bgl_flow_status_word,
        bgl_flow_owner,
        bgl_flow_key,
        bgl_flow_mirrors,
        bgl_flow_controller,
        bgl_flow_goal,
        bgl_flow_step,
        bgl_flow_state_json,
        bgl_flow_wait_json,
        bgl_flow_blocked_task,
        bgl_flow_blocked_summary,
        bgl_flow_cancel_by,
        bgl_flow_cancel_why,
        bgl_flow_tasks_progress_json,
        bgl_flow_tasks_usage_json,
        bgl_flow_json,
    ];
    let integers = [
        bgl_flow_revision,
        bgl_flow_created_at,
        bgl_flow_updated_at,
        bgl_flow_ended_at,
        bgl_flow_cancel_requested_at,
        bgl_flow_tasks_total,
        bgl_flow_tasks_active,
    ];
    // SAFETY: any handle may be asked; what an open one answers lives as long as it.
    unsafe {
        assert!(texts.iter().all(|text| is_text(text(flow))));
        let told = integers.iter().filter(|integer| integer(flow) != i64::MIN).count();
        let is_open = bgl_flow_number(flow) != 0;
        assert_eq!((told > 4, bgl_flow_status(flow) != 0, !bgl_flow_id(flow).is_null()), (is_open, is_open, is_open));
        assert!(bgl_flow_has_ended(flow) < 2 && bgl_flow_cancel_requested(flow) < 2);
        let by_status = |status: c_int| bgl_flow_tasks_with_status(flow, status);
        assert!((1..=7).all(|status| (by_status(status) != i64::MIN) == is_open));
        assert!([c_int::MIN, -1, 0, 8, 256 + 1, c_int::MAX].into_iter().all(|status| by_status(status) == i64::MIN));
        is_open
    }
}

/// Asks what a call answered everything, and ends it.
unsafe fn ended(from: &mut Arguments, found: *mut Flow) {
    if !found.is_null() {
        // SAFETY: a success wrote a handle.
        unsafe {
            assert!(flow(found), "its number is told");
            assert_eq!(bgl_flow_free(found), BGL_OK);
        }
        from.met[3] += 1;
        from.has_ended(found);
    }
}

/// Every function that takes a handle of a flow or of flows is given none.
pub(crate) unsafe fn none(from: &mut Arguments) {
    let mut out = null_mut();
    // SAFETY: what is no handle is never touched, and outputs are variables.
    unsafe {
        assert!(!flow(from.no_handle()));
        let codes = [
            ("bgl_flow_free", bgl_flow_free(from.no_handle())),
            ("bgl_flows_next", bgl_flows_next(from.no_handle(), &raw mut out)),
            ("bgl_flows_free", bgl_flows_free(from.no_handle())),
        ];
        for (name, code) in codes {
            assert!(matches!(judge(name, code, &"no handle"), 800 | 801), "{name}: {code}");
        }
    }
    assert!(out.is_null());
}

pub(crate) unsafe fn created(from: &mut Arguments, ledger: *mut Ledger) -> c_int {
    let mut create = random!(from, FlowCreateOptions {
        text: mirrors key owner step state_json; number: running; pointer: ;
    });
    (create.goal, create.controller) = (from.text(), from.text());
    let (mut flags, mut made) = (0, null_mut());
    // SAFETY: texts end with a NUL, and outputs are variables.
    unsafe {
        let code = bgl_flow_create(ledger, &raw const create, &raw mut flags, &raw mut made);
        ended(from, made);
        code
    }
}

/// Moves a flow in some way; which, and what came of it.
pub(crate) unsafe fn moved(from: &mut Arguments, ledger: *mut Ledger) -> (&'static str, c_int) {
    let (lookup, revision) = (lookup(from), *from.dice.pick(&REVISIONS));
    let (mut flags, mut answer, mut now) = (0, 0, null_mut());
    let (flags, out) = (&raw mut flags, &raw mut now);
    // SAFETY: texts end with a NUL, and outputs are variables.
    unsafe {
        let told = match from.dice.below(5) {
            0 => {
                let wait = random!(from, FlowWaitOptions {
                    text: step state_json wait_json blocked_task blocked_summary; number: ; pointer: ;
                });
                ("bgl_flow_wait", bgl_flow_wait(ledger, lookup, revision, &raw const wait, flags, out))
            }
            1 => {
                let resume = random!(from, FlowResumeOptions { text: step state_json; number: running; pointer: ; });
                ("bgl_flow_resume", bgl_flow_resume(ledger, lookup, revision, &raw const resume, flags, out))
            }
            2 => {
                let finish = random!(from, FlowFinishOptions { text: step state_json; number: ; pointer: ; });
                ("bgl_flow_finish", bgl_flow_finish(ledger, lookup, revision, &raw const finish, flags, out))
            }
            3 => {
                let fail = random!(from, FlowFailOptions {
                    text: step state_json blocked_task blocked_summary; number: ; pointer: ;
                });
                ("bgl_flow_fail", bgl_flow_fail(ledger, lookup, revision, &raw const fail, flags, out))
            }
            _ => {
                let cancel = random!(from, CancelOptions { text: by why; number: ; pointer: ; });
                ("bgl_flow_cancel", bgl_flow_cancel(ledger, lookup, &raw const cancel, &raw mut answer, out))
            }
        };
        ended(from, now);
        told
    }
}

/// Mostly a flow's number.
fn lookup(from: &mut Arguments) -> *const c_char {
    const NUMBERS: [&std::ffi::CStr; 6] = [c"F1", c"f2", c"#3", c"4", c"F5", c"F900000"];
    match from.dice.below(4) {
        0 => from.text(),
        _ => from.dice.pick(&NUMBERS).as_ptr(),
    }
}

/// Reads one flow, or lists some.
pub(crate) unsafe fn read(from: &mut Arguments, ledger: *mut Ledger) -> (&'static str, c_int) {
    let lookup = lookup(from);
    let (mut found, mut flows) = (null_mut(), null_mut());
    // SAFETY: texts end with a NUL, and outputs are variables.
    unsafe {
        if from.dice.below(2) == 0 {
            let code = bgl_flow_get(ledger, lookup, &raw mut found);
            ended(from, found);
            return ("bgl_flow_get", code);
        }
        let mut list = random!(from, FlowListOptions { text: controller; number: active statuses; pointer: ; });
        list.limit = *from.dice.pick(&[1, 2, 3, -1, i64::MIN]);
        let code = bgl_flow_list(ledger, &raw const list, &raw mut flows);
        if code == BGL_OK {
            judge("bgl_flows_next", bgl_flows_next(flows, &raw mut found), &"next");
            ended(from, found);
            assert_eq!(bgl_flows_free(flows), BGL_OK);
            from.has_ended(flows);
        }
        ("bgl_flow_list", code)
    }
}
