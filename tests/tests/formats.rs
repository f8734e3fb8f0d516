//! What a file's format allows: many processes make one ledger at once, and a file of a newer program is left as it is.

use bgledger_core::ErrorClass;
use bgledger_tests::content::{content, integrity, reader};
use bgledger_tests::damage::Files;
use bgledger_tests::dice::count;
use bgledger_tests::disk::put_into;
use bgledger_tests::operations::{Kind, OPERATIONS, Template, ask, handle};
use bgledger_tests::pipe::Piped;
use bgledger_tests::scratch::Scratch;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Barrier;

const PROCESSES: usize = 8;

fn listing(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Each of them is told that its task is recorded, in one ledger.
#[test]
fn eight_processes_that_make_the_ledger_make_one() {
    for round in 0..count("BGLEDGER_RACES", 12) {
        let scratch = Scratch::in_memory();
        let path = scratch.ledger();
        let barrier = Barrier::new(PROCESSES);
        let numbers: BTreeSet<u64> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..PROCESSES)
                .map(|racer| {
                    let (path, barrier) = (&path, &barrier);
                    scope.spawn(move || {
                        let mut process = Piped::on(path);
                        // It is up, and has not touched the ledger.
                        assert!(process.ask("[]").expect("an answer")["error"].is_object());
                        barrier.wait();
                        let answer =
                            process.ok(&format!(r#"{{"create": {{"label": "by {racer}", "key": "{racer}"}}}}"#));
                        assert_eq!(answer["created"], true, "round {round}: {answer}");
                        process.end();
                        answer["task"]["number"].as_u64().expect("a number")
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().expect("a racer")).collect()
        });
        assert_eq!(numbers, (1..=PROCESSES as u64).collect(), "round {round}");
        let left = listing(path.parent().expect("a folder"));
        assert!(left.iter().all(|name| !name.contains("-new-")), "round {round}: drafts are left: {left:?}");
        let sql = reader(&path).expect("a reader");
        assert_eq!(integrity(&sql).expect("a look"), "ok");
        assert_eq!(content(&sql).expect("a content").matches("\ntask|").count(), PROCESSES);
    }
}

/// A file that says it is for newer programs alone: every request is refused as that, and not a byte changes, with a
/// `-wal` beside it and without.
#[test]
fn a_newer_file_is_refused_unchanged_by_every_request() {
    let template = Template::new();
    let refused = |newer: &str, with_wal: bool, refuses: &dyn Fn(Kind) -> bool| {
        let scratch = Scratch::in_memory();
        let path = scratch.ledger();
        let folder = path.parent().expect("a folder");
        put_into(folder, &template.image);
        let owner = Connection::open(&path).expect("a connection");
        owner.execute_batch(&format!("{newer}; PRAGMA user_version = 99")).expect("it is newer now");
        // As long as somebody has it open, its newest part is in the `-wal`.
        let owner = with_wal.then_some(owner);
        let (before, names) = (Files::of(&path), listing(folder));
        assert_eq!(with_wal, !before.wal.is_empty());
        let ledger = handle(&path);
        for (line, kind) in OPERATIONS.iter().filter(|(_, kind)| refuses(*kind)) {
            let answer =
                ask(&ledger, &template.line(line).replace("COPY", &folder.join("copy.db").display().to_string()));
            match kind {
                Kind::Looks => assert!(answer.is_object()),
                Kind::Reads | Kind::Records | Kind::Steps => {
                    let class = answer["error"]["class"].as_str();
                    assert_eq!(class, Some(ErrorClass::Ledger.as_str()), "{line}: {answer}");
                    assert_eq!(answer["error"]["code"], "newer_ledger", "{line}: {answer}");
                }
            }
        }
        drop(ledger);
        assert_eq!(Files::of(&path).database, before.database, "{newer}");
        assert_eq!(Files::of(&path).wal, before.wal, "{newer}");
        if with_wal {
            assert_eq!(listing(folder), names, "{newer}");
        }
        drop(owner);
    };
    for with_wal in [true, false] {
        let both = "UPDATE meta SET value = 99 WHERE key IN ('min_reader', 'min_writer')";
        refused(both, with_wal, &|_| true);
        let writer = "UPDATE meta SET value = 99 WHERE key = 'min_writer'";
        refused(writer, with_wal, &|kind| [Kind::Records, Kind::Steps].contains(&kind));
    }
}
