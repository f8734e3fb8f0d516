//! Handles of every type: what is asked of those that are open, and of what is no handle at all.

use crate::arguments::{Arguments, random};
use crate::{flows, judge};
use bgledger::code::BGL_OK;
use bgledger::event::*;
use bgledger::ledger::{Ledger, bgl_call, bgl_close};
use bgledger::notice::*;
use bgledger::read::{bgl_tasks_free, bgl_tasks_next};
use bgledger::subscription::{bgl_on_cancel, bgl_subscription_free};
use bgledger::task::*;
use bgledger::watch::{bgl_events_cursor, bgl_events_free, bgl_events_next, bgl_events_truncated};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

pub(crate) unsafe fn is_text(text: *const c_char) -> bool {
    // SAFETY: a text of the library, whose handle is open.
    text.is_null() || std::str::from_utf8(unsafe { CStr::from_ptr(text) }.to_bytes()).is_ok()
}

/// Asks a task everything; whether it is open.
pub(crate) unsafe fn task(task: *const Task) -> bool {
    let texts = [
        bgl_task_id,
        bgl_task_status_word,
        bgl_task_outcome,
        bgl_task_reason,
        bgl_task_label,
        bgl_task_text,
        bgl_task_key,
        bgl_task_runtime,
        bgl_task_kind,
        bgl_task_source_id,
        bgl_task_run_id,
        bgl_task_owner,
        bgl_task_requester_session,
        bgl_task_session,
        bgl_task_agent,
        bgl_task_requester_agent,
        bgl_task_parent,
        bgl_task_flow,
        bgl_task_root,
        bgl_task_retry_of,
        bgl_task_waiting_on,
        bgl_task_progress_text,
        bgl_task_progress_unit,
        bgl_task_error_type,
        bgl_task_error_message,
        bgl_task_error_detail,
        bgl_task_summary,
        bgl_task_result_json,
        bgl_task_output_tail,
        bgl_task_artifacts_json,
        bgl_task_usage_json,
        bgl_task_metadata_json,
        bgl_task_notify,
        bgl_task_delivery,
        bgl_task_cancel_by,
        bgl_task_cancel_why,
        bgl_task_liveness,
        bgl_task_json,
    ];
    let integers = [
        bgl_task_progress_current,
        bgl_task_progress_total,
        bgl_task_exit_code,
        bgl_task_signal,
        bgl_task_created_at,
        bgl_task_started_at,
        bgl_task_ended_at,
        bgl_task_updated_at,
        bgl_task_heartbeat_at,
        bgl_task_progress_at,
        bgl_task_lease_expires_at,
        bgl_task_cancel_requested_at,
        bgl_task_cancel_told_at,
        bgl_task_queue_timeout_ms,
        bgl_task_timeout_ms,
        bgl_task_attempt,
        bgl_task_revision,
    ];
    // SAFETY: any handle may be asked; what an open one answers lives as long as it.
    unsafe {
        assert!(texts.iter().all(|text| is_text(text(task))));
        let told = integers.iter().filter(|integer| integer(task) != i64::MIN).count();
        let is_open = bgl_task_number(task) != 0;
        assert_eq!((told > 3, bgl_task_status(task) != 0, !bgl_task_id(task).is_null()), (is_open, is_open, is_open));
        assert!(bgl_task_has_ended(task) < 2 && bgl_task_cancel_requested(task) < 2);
        is_open
    }
}

/// Asks an event everything; its seq.
pub(crate) unsafe fn event(event: *const Event) -> u64 {
    let texts = [bgl_event_type, bgl_event_id, bgl_event_json];
    // SAFETY: any handle may be asked.
    unsafe {
        let seq = bgl_event_seq(event);
        assert!(texts.iter().all(|text| is_text(text(event)) && text(event).is_null() == (seq == 0)));
        assert_eq!((bgl_event_at(event) == 0, bgl_event_number(event) == 0), (seq == 0, seq == 0));
        seq
    }
}

/// Asks a notice everything; whether it is open.
unsafe fn notice(notice: *const Notice) -> bool {
    let texts = [
        bgl_notice_id,
        bgl_notice_key,
        bgl_notice_type,
        bgl_notice_recipient,
        bgl_notice_message,
        bgl_notice_state,
        bgl_notice_consumer,
        bgl_notice_reason,
        bgl_notice_json,
    ];
    let integers = [bgl_notice_generation, bgl_notice_attempts, bgl_notice_due_at];
    // SAFETY: any handle may be asked.
    unsafe {
        let is_open = bgl_notice_seq(notice) != 0;
        assert!(texts.iter().all(|text| is_text(text(notice))));
        assert!(integers.iter().all(|integer| (integer(notice) != i64::MIN) == is_open));
        assert_eq!((bgl_notice_number(notice) != 0, !bgl_notice_id(notice).is_null()), (is_open, is_open));
        is_open
    }
}

/// Every function that takes a handle is given none: it says so, and nothing happens.
pub(crate) unsafe fn none(from: &mut Arguments) -> c_int {
    let (mut task_out, mut event_out, mut notice_out) = (null_mut(), null_mut(), null_mut());
    let mut response = null_mut();
    // SAFETY: what is no handle is never touched, and outputs are variables.
    unsafe {
        assert!(!task(from.no_handle()) && event(from.no_handle()) == 0 && !notice(from.no_handle()));
        assert!(bgl_events_cursor(from.no_handle()) == 0 && bgl_notices_token(from.no_handle()).is_null());
        assert_eq!(bgl_events_truncated(from.no_handle()), 0);
        flows::none(from);
        let codes = [
            ("bgl_tasks_next", bgl_tasks_next(from.no_handle(), &raw mut task_out)),
            ("bgl_events_next", bgl_events_next(from.no_handle(), 0, &raw mut event_out)),
            ("bgl_notices_next", bgl_notices_next(from.no_handle(), &raw mut notice_out)),
            ("bgl_notice_task", bgl_notice_task(from.no_handle(), &raw mut task_out)),
            ("bgl_tasks_free", bgl_tasks_free(from.no_handle())),
            ("bgl_event_free", bgl_event_free(from.no_handle())),
            ("bgl_events_free", bgl_events_free(from.no_handle())),
            ("bgl_notice_free", bgl_notice_free(from.no_handle())),
            ("bgl_notices_free", bgl_notices_free(from.no_handle())),
            ("bgl_subscription_free", bgl_subscription_free(from.no_handle())),
            ("bgl_close", bgl_close(from.no_handle())),
            ("bgl_call", bgl_call(from.no_handle(), c"{}".as_ptr(), 2, &raw mut response, null_mut())),
        ];
        for (name, code) in codes {
            assert!(matches!(judge(name, code, &"no handle"), 800 | 801), "{name}: {code}");
        }
        assert!(task_out.is_null() && event_out.is_null() && notice_out.is_null() && response.is_null());
        bgl_task_free(from.no_handle())
    }
}

/// Claims notices, asks them everything, and answers some.
pub(crate) unsafe fn claimed(from: &mut Arguments, ledger: *mut Ledger) -> c_int {
    let mut claim = random!(from, NoticesClaimOptions { text: consumer; number: limit; pointer: ; });
    let recipients = [from.text(), from.text()];
    (claim.recipients, claim.recipient_count) = match from.dice.below(4) {
        0 => (recipients.as_ptr(), *from.dice.pick(&[0, 1, 2, -1, 2000])),
        _ => (null(), *from.dice.pick(&[0, 0, 0, 1, -1])),
    };
    // A short one, so that what nobody answers comes again.
    claim.lease_ms = *from.dice.pick(&[1, 1, 5, 0, -1]);
    let (mut notices, mut found, mut about) = (null_mut(), null_mut(), null_mut());
    // SAFETY: texts end with a NUL, and outputs are variables.
    unsafe {
        let code = bgl_notices_claim(ledger, &raw const claim, &raw mut notices);
        if code != BGL_OK {
            return code;
        }
        while judge("bgl_notices_next", bgl_notices_next(notices, &raw mut found), &"next") == BGL_OK
            && !found.is_null()
        {
            assert!(notice(found));
            from.met[0] += 1;
            let (token, ids) = (bgl_notices_token(notices), [bgl_notice_id(found)]);
            let code = match from.dice.below(3) {
                0 => bgl_notices_ack(ledger, token, ids.as_ptr(), 1, null_mut()),
                1 => bgl_notices_nack(ledger, token, ids.as_ptr(), 1, c"why".as_ptr(), null_mut()),
                _ => BGL_OK,
            };
            judge("bgl_notices_ack", code, &"a notice of the claim");
            assert_eq!(bgl_notice_task(found, &raw mut about), BGL_OK);
            assert!(task(about));
            assert_eq!((bgl_task_free(about), bgl_notice_free(found)), (BGL_OK, BGL_OK));
            from.has_ended(about);
            from.has_ended(found);
        }
        assert_eq!(bgl_notices_free(notices), BGL_OK);
        from.has_ended(notices);
        code
    }
}

/// Answers notices of which there may be none, by a claim that nobody made.
pub(crate) unsafe fn answered(from: &mut Arguments, ledger: *mut Ledger) -> c_int {
    let names = ["1", "2/session:run-1", "3/owner:local", "4/", "x"].map(|name| CString::new(name).expect("no NUL"));
    let ids = [from.dice.pick(&names).as_ptr(), from.text()];
    let (claim, reason, mut changed) = (from.text(), from.text(), 0);
    let count = *from.dice.pick(&[0, 1, 1, 2, 5_000]);
    let ids = if from.dice.below(8) == 0 { null() } else { ids.as_ptr() };
    // SAFETY: texts end with a NUL, more than two are refused by their number, and outputs are variables.
    unsafe {
        let refused = bgl_notices_nack(ledger, claim, ids, count, reason, &raw mut changed);
        judge("bgl_notices_nack", refused, &count);
        bgl_notices_ack(ledger, claim, ids, count, &raw mut changed)
    }
}

extern "C" fn called(user_data: *mut c_void, about: *const Task) {
    // SAFETY: the task is open during the call.
    assert!(user_data.is_null() && unsafe { task(about) });
}

/// Has a callback made, and ends it; some do it twice.
pub(crate) unsafe fn listened(from: &mut Arguments, ledger: *mut Ledger, lookup: *const c_char) -> c_int {
    let callback = if from.dice.below(8) == 0 { None } else { Some(called as unsafe extern "C" fn(_, _)) };
    let mut subscription = null_mut();
    // SAFETY: texts end with a NUL, and outputs are variables.
    unsafe {
        let code = bgl_on_cancel(ledger, lookup, callback, null_mut(), &raw mut subscription);
        if code == BGL_OK {
            assert_eq!(bgl_subscription_free(subscription), BGL_OK);
            from.met[2] += 1;
            from.has_ended(subscription);
        }
        code
    }
}
