//! The disk is full, and has room again: nobody restarts.

use bgledger_tests::content::{integrity, reader};
use bgledger_tests::dice::{Dice, count};
use bgledger_tests::operations::{ask, handle};
use bgledger_tests::scratch::Scratch;
use bgledger_tests::vfs::{Fault, Watch};
use serde_json::Value;
use std::collections::BTreeMap;

const NOW: &str = "2026-01-02T00:00:00Z";

/// Again and again, at any moment, with threads that share commits: what was told as recorded is there, what was told as
/// failed is not, and the next that is asked with room to spare is recorded.
#[test]
fn a_disk_that_is_full_and_has_room_again_needs_no_restart() {
    let cycles = count("BGLEDGER_FULL_DISKS", 50);
    let seed = Dice::seed("BGLEDGER_FULL_DISK_SEED", 1);
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let watch = Watch::over(path.parent().expect("a folder"));
    let ledger = handle(&path);
    let mut dice = Dice::new(seed);
    let create = |key: &str| {
        let task = "x".repeat(2_000);
        format!(r#"{{"now": "{NOW}", "create": {{"label": "a task", "key": "{key}", "task": "{task}"}}}}"#)
    };
    let mut told: BTreeMap<String, bool> = BTreeMap::new();
    let (mut full, mut unknown) = (0, 0);
    assert!(ask(&ledger, &create("first"))["ok"].is_object());
    for cycle in 0..cycles {
        watch.order(Fault::Full, dice.below(40), true);
        let answers: Vec<(String, Value)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let ledger = ledger.clone();
                    scope.spawn(move || {
                        let ask_one = |number| {
                            let key = format!("{cycle}-{thread}-{number}");
                            let answer = ask(&ledger, &create(&key));
                            (key, answer)
                        };
                        (0..3).map(ask_one).collect::<Vec<_>>()
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("a thread")).collect()
        });
        watch.relent();
        for (key, answer) in answers {
            match answer["error"]["code"].as_str() {
                None => drop(told.insert(key, true)),
                Some("disk_full") => {
                    full += 1;
                    told.insert(key, false);
                }
                // It may be there or not.
                Some("unknown") => unknown += 1,
                Some(_) => panic!("{answer}"),
            }
        }
        let key = format!("room {cycle}");
        let answer = ask(&ledger, &create(&key));
        assert_eq!(answer["ok"]["created"], true, "there is room: {answer}");
        told.insert(key, true);
    }
    println!(
        "{cycles} times full: {full} requests failed, {unknown} unknown, {} recorded",
        told.values().filter(|there| **there).count()
    );
    assert!(full >= cycles, "the disk was never full");
    let sql = reader(&path).expect("a reader");
    for (key, there) in &told {
        let query = "SELECT count(*) FROM task WHERE key = ?1";
        let found: i64 = sql.query_row(query, [key], |row| row.get(0)).expect("a count");
        assert_eq!(found, i64::from(*there), "{key} was told as {}", if *there { "recorded" } else { "failed" });
    }
    assert_eq!(integrity(&sql).expect("a look"), "ok");
    assert_eq!(ask(&ledger, &format!(r#"{{"now": "{NOW}", "verify": {{}}}}"#))["ok"]["ok"], true);
}
