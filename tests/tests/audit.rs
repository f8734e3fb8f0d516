//! Findings that no request brings about: somebody's hand, a reader that stays, a newer version.

use bgledger_tests::history::ask_sqlite;
use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::scratch::Scratch;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

fn findings(ledger: &Path, deep: bool) -> Vec<Value> {
    let mut process = Piped::on(ledger);
    let report = process.ok(&json!({"audit": {"deep": deep}}).to_string());
    process.end();
    report["findings"].as_array().expect("findings").clone()
}

fn codes(ledger: &Path, deep: bool) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    findings(ledger, deep).iter().map(|finding| (text(&finding["code"]), text(&finding["subject"]))).collect()
}

fn family(ledger: &Path) {
    let mut process = Piped::on(ledger);
    for request in [
        json!({"create": {"label": "parent", "finish": {"status": "succeeded"}}}),
        json!({"create": {"label": "child", "parent": 1, "finish": {"status": "succeeded"}}}),
        json!({"flow_create": {"goal": "letter", "controller": "weekly"}}),
    ] {
        process.ok(&request.to_string());
    }
    process.end();
    assert_eq!(codes(ledger, true), []);
}

#[test]
fn what_somebody_wrote_by_hand_is_found() {
    let by_hand = "PRAGMA ignore_check_constraints = ON;";
    for (edit, deep, code, subject) in [
        ("UPDATE task SET summary = 'edited' WHERE number = 1", true, "row_differs", "#1"),
        ("UPDATE event SET kind = 200 WHERE seq = 3", true, "unknown_word", "#1"),
        ("UPDATE tally SET count = 7", true, "loose_end", "ledger"),
        ("DELETE FROM task WHERE number = 1", true, "loose_end", "ledger"),
        ("DELETE FROM flow; UPDATE task SET flow = randomblob(16) WHERE number = 1", true, "loose_end", "ledger"),
        ("UPDATE flow SET updated_at = created_at - 60000", false, "flow_times_out_of_order", "F1"),
        ("UPDATE task SET created_at = updated_at + 60000 WHERE number = 2", false, "times_out_of_order", "#2"),
    ] {
        let scratch = Scratch::in_memory();
        family(&scratch.ledger());
        ask_sqlite(&scratch.ledger(), &format!("{by_hand}{edit}"));
        let found = codes(&scratch.ledger(), deep);
        assert!(found.contains(&(code.to_owned(), subject.to_owned())), "{edit}: {found:?}");
        let told = findings(&scratch.ledger(), deep);
        assert!(told.iter().all(|finding| finding["message"].as_str().is_some_and(|said| said.len() > 10)), "{told:?}");
    }
}

#[test]
fn a_reader_that_stays_and_space_that_is_not_given_back_are_found() {
    let scratch = Scratch::new();
    let ledger = scratch.ledger();
    family(&ledger);
    let mut reader = Command::new("sqlite3")
        .arg(&ledger)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sqlite3 is installed");
    let mut asks = reader.stdin.take().expect("a pipe");
    writeln!(asks, "BEGIN; SELECT count(*) FROM task;").expect("it listens");
    let mut answer = String::new();
    BufReader::new(reader.stdout.take().expect("a pipe")).read_line(&mut answer).expect("an answer");
    let mut writer = Piped::start(pipe::command(&ledger).args(["--durability", "relaxed", "call"]));
    let text = "x".repeat(1_000_000);
    for number in 0..70 {
        let task = json!({"label": format!("large {number}"), "task": text, "finish": {"status": "succeeded"}});
        writer.ok(&json!({"create": task}).to_string());
    }
    assert_eq!(codes(&ledger, false), [("wal_large".to_owned(), "ledger".to_owned())]);
    writeln!(asks, "COMMIT;").expect("it listens");
    drop(asks);
    reader.wait().expect("it ends");

    // What a foreign hand left free is found; pruning gives it back.
    ask_sqlite(&ledger, "CREATE TABLE foreign_table (x); INSERT INTO foreign_table VALUES (zeroblob(300000000)); DROP TABLE foreign_table;
        PRAGMA wal_checkpoint(TRUNCATE)");
    assert_eq!(codes(&ledger, false), [("free_space".to_owned(), "ledger".to_owned())]);
    writer.ok(r#"{"prune": {}}"#);
    ask_sqlite(&ledger, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_eq!(codes(&ledger, false), []);
    writer.end();
}
