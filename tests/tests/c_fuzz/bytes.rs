//! Random bytes for `bgl_call`.

use crate::{close, judge, open, times};
use bgledger::code::BGL_OK;
use bgledger::ledger::{bgl_call, bgl_free};
use bgledger_core::{Envelope, Request, Span};
use bgledger_tests::binary::workspace;
use bgledger_tests::dice::Dice;
use bgledger_tests::scratch::Scratch;
use bgledger_tests::vector::{self, Asked, FIRST_NOW};
use serde_json::Value;
use std::ffi::c_char;
use std::ptr::null_mut;

/// Every request of the vectors, but for those that have files made: a changed one would make them anywhere.
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
    let writes_files =
        |line: &str| line.contains("${folder}") || line.contains("\"backup\"") || line.contains("\"recover\"");
    lines.filter(|line| line.len() < 4_000 && !writes_files(line)).map(String::into_bytes).collect()
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

/// Whether it is one of the faults that a debug build has in store.
fn is_order(bytes: &[u8]) -> bool {
    [&br#"{"panic":"#[..], br#"{"handles":"#, br#"{"memory":"#].iter().any(|order| bytes.starts_with(order))
}

#[test]
fn any_bytes_are_answered() {
    let (scratch, corpus) = (Scratch::in_memory(), corpus());
    let mut dice = Dice::new(Dice::seed("BGLEDGER_FUZZ_SEED", 1));
    let mut ledger = open(&scratch.ledger(), true);
    let mut answered = 0;
    for number in 1..=times() {
        // A fresh one now and then, so that what looks at all tasks has few to look at.
        if number % 2_000 == 0 {
            close(ledger);
            ledger = open(&scratch.ledger().with_file_name(format!("{number}.db")), true);
        }
        let bytes = mutated(&mut dice, &corpus);
        if would_block(&bytes) || is_order(&bytes) {
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
