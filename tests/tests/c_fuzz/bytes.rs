//! Random bytes for `bgl_call`.

use crate::{close, judge, open, times};
use bgledger::code::BGL_OK;
use bgledger::ledger::{bgl_call, bgl_free};
use bgledger_tests::dice::Dice;
use bgledger_tests::fuzz::{Corpus, may_be_asked, mutated};
use bgledger_tests::scratch::Scratch;
use serde_json::Value;
use std::ffi::c_char;
use std::ptr::null_mut;

/// Whether it is one of the faults that a debug build has in store.
fn is_order(bytes: &[u8]) -> bool {
    [&br#"{"panic":"#[..], br#"{"handles":"#, br#"{"memory":"#].iter().any(|order| bytes.starts_with(order))
}

#[test]
fn any_bytes_are_answered() {
    let (scratch, corpus) = (Scratch::in_memory(), Corpus::of_vectors().lines);
    let mut dice = Dice::new(Dice::seed("BGLEDGER_FUZZ_SEED", 1));
    let mut ledger = open(&scratch.ledger(), true);
    let mut answered = 0;
    for number in 1..=times() {
        // A fresh one now and then, so that what looks at all tasks has few to look at.
        if number % 2_000 == 0 {
            close(ledger);
            ledger = open(&scratch.ledger().with_file_name(format!("{number}.db")), true);
        }
        let one = dice.pick(&corpus);
        let bytes = mutated(&mut dice, one, &corpus);
        if is_order(&bytes) || std::str::from_utf8(&bytes).is_ok_and(|text| !may_be_asked(text, None)) {
            continue;
        }
        let (mut out, mut length) = (null_mut(), 0);
        let request = bytes.as_ptr().cast::<c_char>();
        // SAFETY: so many bytes are there, and the outputs are variables.
        let code = unsafe { bgl_call(ledger, request, bytes.len(), &raw mut out, &raw mut length) };
        if judge("bgl_call", code, &String::from_utf8_lossy(&bytes)) == BGL_OK {
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
