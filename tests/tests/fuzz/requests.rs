//! Requests as JSON.

use crate::{assert_whole, open};
use bgledger_core::{ExecutorSpec, config::Durability};
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::fuzz::{Corpus, Meter, drawn, judged_of_sound, may_be_asked};
use bgledger_tests::scratch::Scratch;
use std::path::Path;

/// Inputs of one ledger: then another, so that what looks at all tasks has few to look at.
const LIFE: usize = 1_000;

/// Something for lookups to name.
const BEGINNING: [&str; 6] = [
    r#"{"now": "2026-01-01T00:00:00Z", "create": {"label": "one", "run_id": "r1", "session": "chat", "start": {}}}"#,
    r#"{"now": "2026-01-01T00:00:00Z", "create": {"label": "two", "parent": 1}}"#,
    r#"{"now": "2026-01-01T00:00:00Z", "create": {"label": "three", "owner": "alice", "start": {"lease": "1h"}}}"#,
    r#"{"now": "2026-01-01T00:00:00Z", "create": {"label": "four", "finish": {"status": "failed"}, "session": "chat"}}"#,
    r#"{"now": "2026-01-01T00:00:00Z", "flow_create": {"goal": "publish", "controller": "c", "running": true}}"#,
    r#"{"now": "2026-01-01T00:00:00Z", "create": {"label": "five", "flow": "F1"}}"#,
];

/// The operator's handle, an owner's, and one that only reads.
fn handles(path: &Path) -> [Ledger; 3] {
    let options = || OpenOptions {
        executor: ExecutorSpec::External,
        durability: Some(Durability::Relaxed),
        test_clock: true,
        ..OpenOptions::default()
    };
    let of = |options| open(path, options).expect("a ledger");
    [
        of(options()),
        of(OpenOptions { owner: Some("alice".into()), ..options() }),
        of(OpenOptions { readonly: true, ..options() }),
    ]
}

#[test]
fn any_request_is_answered_and_leaves_a_ledger_that_agrees_with_itself() {
    let (inputs, mut dice) = drawn(4_000);
    let (corpus, mut meter) = (Corpus::of_vectors(), Meter::new("requests"));
    while meter.inputs() < inputs as u64 {
        let scratch = Scratch::in_memory();
        let ledgers = handles(&scratch.ledger());
        for line in BEGINNING {
            assert!(judged_of_sound(&ledgers[0].answer(line)), "{line}");
        }
        for _ in 0..LIFE.min(inputs) {
            let drawn = corpus.draw(&mut dice);
            let text = String::from_utf8_lossy(&drawn);
            if !may_be_asked(&text, None) {
                continue;
            }
            let ledger = match dice.below(8) {
                0 => &ledgers[1],
                1 => &ledgers[2],
                _ => &ledgers[0],
            };
            meter.one(text.len(), &|| text.clone().into_owned(), || judged_of_sound(&ledger.answer(&text)));
        }
        drop(ledgers);
        if scratch.ledger().exists() {
            assert_whole(&open(&scratch.ledger(), OpenOptions::default()).expect("a ledger"));
        }
    }
    meter.tell(10);
}
