//! Exports as lines of JSON.

use crate::{assert_whole, done, open};
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::dice::Dice;
use bgledger_tests::fuzz::{Meter, drawn, mutated, mutated_json};
use bgledger_tests::scratch::Scratch;
use serde_json::{Value, json};
use std::fs;

/// A few tasks with a bit of everything around them.
const LIVES: [&str; 16] = [
    r#"{"flow_create": {"goal": "publish", "controller": "c", "state": {"a": 1}, "key": "k"}}"#,
    r#"{"create": {"label": "one", "key": "k1", "requester_session": "chat", "start": {"lease": "1h"}, "flow": "F1"}}"#,
    r#"{"progress": {"lookup": 1, "text": "half", "current": 1, "total": 2, "usage": {"tokens_in": 4}}}"#,
    r#"{"create": {"label": "two", "run_id": "r2", "owner": "alice", "metadata": {"n": 1.50}, "start": {}}}"#,
    r#"{"finish": {"lookup": 2, "status": "failed", "error": {"message": "no"}, "result": {"a":  [1]}, "exit_code": 3}}"#,
    r#"{"create": {"label": "three", "parent": 1, "notify": "state_changes"}}"#,
    r#"{"cancel": {"lookup": 3, "why": "enough"}}"#,
    r#"{"create": {"label": "four", "start": {}}}"#,
    r#"{"settle": {"lookup": 4, "status": "lost", "why": "no word"}}"#,
    r#"{"flow_create": {"mirrors": 4}}"#,
    r#"{"config": {"set": {"retention": "30d", "subscriber.log": "{}"}}}"#,
    r##"{"acknowledge": {"code": "lost", "subject": "#4", "until": "2030-01-01T00:00:00Z"}}"##,
    r#"{"notices_claim": {"recipients": ["session:chat"]}}"#,
    r#"{"create": {"label": "five", "owner": "bob", "session": "gone", "finish": {"status": "succeeded"}}}"#,
    r#"{"prune": {"older_than": "0s"}}"#,
    r#"{"create": {"label": "🦀 six", "task": "do\nthis", "queue_timeout": "1h"}}"#,
];

fn export(ledger: &Ledger) -> Vec<String> {
    let mut lines = Vec::new();
    let mut tell = |line: &str| {
        lines.push(line.to_owned());
        true
    };
    assert!(ledger.export(&mut tell).expect("an export"));
    lines
}

/// The exports that inputs are made of: the last has no task.
fn exports() -> Vec<Vec<String>> {
    [LIVES.len(), 6, 1]
        .map(|steps| {
            let scratch = Scratch::in_memory();
            let ledger = open(&scratch.ledger(), OpenOptions::default()).expect("a ledger");
            LIVES.iter().take(steps).for_each(|line| {
                let answer = ledger.answer(line);
                assert!(answer.starts_with(r#"{"ok""#), "{line}: {answer}");
            });
            export(&ledger)
        })
        .into()
}

fn input(dice: &mut Dice, exports: &[Vec<String>], values: &[Value]) -> Vec<u8> {
    let mut lines = dice.pick(exports).clone();
    for _ in 0..dice.below(4) {
        let at = usize::try_from(dice.below(lines.len() as u64)).expect("a place");
        match dice.below(8) {
            0 if lines.len() > 1 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => {
                let other = usize::try_from(dice.below(lines.len() as u64)).expect("a place");
                lines.swap(at, other);
            }
            3 => {
                let other = dice.pick(exports);
                let line = dice.pick(other.as_slice()).clone();
                lines.insert(at, line);
            }
            _ => {
                let Ok(mut value) = serde_json::from_str(&lines[at]) else { continue };
                mutated_json(dice, &mut value, values);
                lines[at] = value.to_string();
            }
        }
    }
    // Mostly it says that it is whole.
    if dice.below(4) > 0 && lines.len() > 1 {
        let last = lines.len() - 1;
        lines[last] = json!({"end": {"lines": last}}).to_string();
    }
    let text = lines.join("\n") + "\n";
    match dice.below(8) {
        0 => mutated(dice, text.as_bytes(), &[text.as_bytes()]),
        _ => text.into_bytes(),
    }
}

#[test]
fn any_export_is_taken_as_it_is_or_refused() {
    let (inputs, mut dice) = drawn(300);
    let exports = exports();
    let values: Vec<Value> = exports.concat().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut meter = Meter::new("exports");
    let mut scratch = Scratch::in_memory();
    for number in 0..inputs {
        // Into one that has nothing, which becomes equal to it; or beside what is there.
        if dice.below(3) > 0 || number % 100 == 0 {
            scratch = Scratch::in_memory();
        }
        let (path, drawn) = (scratch.ledger(), input(&mut dice, &exports, &values));
        let file = path.with_file_name("export.ndjson");
        fs::write(&file, &drawn).expect("a file");
        let ledger = open(&path, OpenOptions::default()).expect("a ledger");
        let before = path.exists().then(|| export(&ledger));
        let taken = meter.one(drawn.len(), &|| String::from_utf8_lossy(&drawn).into_owned(), || {
            let rehearsed = done(ledger.import(&file, true));
            let report = done(ledger.import(&file, false));
            if before.is_none() {
                assert_eq!(rehearsed.is_some(), report.is_some(), "a rehearsal says what comes of it");
            }
            if path.exists() {
                assert_whole(&ledger);
                assert!(!export(&ledger).is_empty());
            }
            report.is_some()
        });
        if !taken && let Some(before) = before {
            // What stood before the line that was refused may have come; what was there has stayed.
            assert!(export(&ledger).len() >= before.len());
        }
    }
    meter.tell(10);
}
