//! S10: many tasks that are over and a few that run; pollers and writers go on, the log stays small, nothing starves.

use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::scratch::Scratch;
use serde_json::{Value, json};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How many tasks are over; the scenario's full size is asked for by the environment.
fn past() -> usize {
    std::env::var("BGLEDGER_PAST").map_or(20_000, |text| text.parse().expect("a number of tasks"))
}

/// How often the poller looks.
fn looks() -> usize {
    std::env::var("BGLEDGER_PAST_LOOKS").map_or(100, |text| text.parse().expect("a number of looks"))
}

const ACTIVE: usize = 50;

#[test]
fn pollers_and_writers_go_on_whatever_lies_behind_them() {
    let scratch = Scratch::new();
    let ledger = scratch.ledger();
    let mut filler = Piped::start(pipe::command(&ledger).args(["--durability", "relaxed", "call"]));
    let mut answered = 0;
    for number in 0..past() {
        let task = json!({"create": {"label": format!("over {number}"), "finish": {"status": "succeeded"}}});
        filler.send(&task.to_string()).expect("a pipe");
        if number % 200 == 199 {
            (answered..=number).for_each(|_| assert!(filler.receive().expect("an answer")["ok"].is_object()));
            answered = number + 1;
        }
    }
    for number in 0..ACTIVE {
        let claim = json!({"executor": "self", "lease": "10m"});
        filler.ok(&json!({"create": {"label": format!("active {number}"), "start": claim}}).to_string());
    }
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (ledger, over) = (&ledger, &over);
                scope.spawn(move || {
                    let mut process = Piped::on(ledger);
                    let mut written = 0;
                    while !over.load(Ordering::Relaxed) {
                        let task =
                            json!({"create": {"label": format!("writer {writer}"), "finish": {"status": "failed"}}});
                        process.ok(&task.to_string());
                        written += 1;
                    }
                    written
                })
            })
            .collect();
        let mut poller = Piped::on(&ledger);
        for _ in 0..looks() {
            let listed = poller.ok(&json!({"list": {"active": true, "limit": 100}}).to_string());
            assert_eq!(listed["tasks"].as_array().map(Vec::len), Some(ACTIVE));
            let audit = poller.ok(&json!({"audit": {}}).to_string());
            assert_eq!(audit["findings"], Value::Array(Vec::new()));
            assert_eq!(poller.ok(&json!({"maintenance": {}}).to_string())["changes"], json!([]));
            thread::sleep(Duration::from_millis(45));
        }
        over.store(true, Ordering::Relaxed);
        for writer in writers {
            assert!(writer.join().expect("a writer") > 0, "every writer had its turn");
        }
    });
    let mut wal = ledger.clone().into_os_string();
    wal.push("-wal");
    let wal = fs::metadata(wal).expect("the log").len();
    assert!(wal <= 40 * 1024 * 1024, "the log is {wal} bytes long");
    drop(filler);
    // The plans of what is polled look at what is active alone.
    let plan = |query: &str| ask_sqlite(&ledger, &format!("EXPLAIN QUERY PLAN {query}"));
    let active = plan("SELECT number FROM task WHERE status IN (1, 2) AND status <> 3 ORDER BY number DESC LIMIT 50");
    assert!(active.contains("task_status") && !active.contains("SCAN task\n"), "{active}");
    assert_sound(&ledger);
}
