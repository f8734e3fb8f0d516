//! Four processes record at once, each with a ledger of its own to make if it is the first; some end and others come, so
//! that the `-wal` goes and comes again. Each also asks for what another one has just recorded: what it is told must be
//! durable, whoever wrote it and whether or not that one has been told.

use crate::threads::{Story, events};
use bgledger_tests::content::reader;
use bgledger_tests::dice::Dice;
use bgledger_tests::json;
use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::recorder::{self, Noted};
use bgledger_tests::scratch::Scratch;
use bgledger_tests::vfs::Happening;
use serde_json::Value;
use std::path::Path;

const PROCESSES: u64 = 4;
const NOW: &str = "2026-01-02T00:00:00Z";

fn start(path: &Path, notes: &Path) -> Piped {
    let mut command = pipe::command(path);
    recorder::govern(&mut command, path.parent().expect("a folder"), notes);
    Piped::start(command.args(["call", "--test-clock"]))
}

pub(crate) fn play(seed: u64) -> Story {
    let (scratch, aside) = (Scratch::in_memory(), Scratch::in_memory());
    let (path, notes) = (scratch.ledger(), aside.ledger());
    std::thread::scope(|scope| {
        for number in 0..PROCESSES {
            let (path, notes) = (&path, &notes);
            scope.spawn(move || live(path, notes, number, Dice::new(seed * PROCESSES + number)));
        }
    });
    let (mut happened, mut told) = (Vec::new(), Vec::new());
    for noted in recorder::read(&notes) {
        match noted {
            Noted::Happened(happening) => happened.push(happening),
            Noted::Told(text) => {
                for line in text.lines().filter(|line| !line.is_empty()) {
                    let answer: Value = json::parse(line).expect("a response is JSON");
                    let (task, awaited) = (&answer["ok"]["task"], &answer["ok"]["tasks"][0]);
                    for task in
                        [task, awaited].into_iter().filter(|task| answer["id"] == "promised" && task.is_object())
                    {
                        let run = task["run_id"].as_str().expect("a run").to_owned();
                        told.push((run, task["revision"].as_u64().expect("a revision")));
                        happened.push(Happening::Told(told.len() - 1));
                    }
                }
            }
        }
    }
    Story { happened, told, events: events(&reader(&path).expect("a reader")).expect("events") }
}

/// A few lives of tasks, told by one process after the other.
fn live(path: &Path, notes: &Path, number: u64, mut dice: Dice) {
    let mut process = start(path, notes);
    let another = (number + 1) % PROCESSES;
    for life in 0..5 {
        // It may be there already, or not yet: then the other one is told that it is.
        let theirs = format!(r#""create": {{"label": "a life", "run_id": "{another}-{life}"}}"#);
        if dice.below(2) == 0 {
            process.ok(&format!(r#"{{"id": "promised", "now": "{NOW}", {theirs}}}"#));
        }
        let lookup = format!(r#""lookup": "run:{number}-{life}""#);
        let create = format!(r#""create": {{"label": "a life", "run_id": "{number}-{life}"}}"#);
        let mut lines = vec![
            (create, true),
            (format!(r#""start": {{{lookup}, "executor": "external"}}"#), true),
            (format!(r#""finish": {{{lookup}, "status": "succeeded"}}"#), true),
        ];
        for current in 0..dice.below(3) {
            lines.insert(2, (format!(r#""progress": {{{lookup}, "current": {current}}}"#), false));
        }
        for (line, promised) in lines {
            let id = if promised { "promised" } else { "heard" };
            process.ok(&format!(r#"{{"id": "{id}", "now": "{NOW}", {line}}}"#));
        }
        // Whether it has ended, or has not, or is not there.
        let awaited = format!(r#""wait": {{"lookups": ["run:{another}-{life}"], "timeout": "20ms"}}"#);
        process.ask(&format!(r#"{{"id": "promised", "now": "{NOW}", {awaited}}}"#)).expect("an answer");
        if dice.below(2) == 0 {
            process.end();
            process = start(path, notes);
        }
    }
    process.end();
}
