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
        ("UPDATE flow SET state = '{oops'", false, "row_differs", "F1"),
        ("UPDATE flow SET state = '{oops'", true, "row_differs", "F1"),
        ("UPDATE flow SET status = 99", false, "row_differs", "F1"),
        ("UPDATE flow SET cancel = '[]', status = 5, ended_at = updated_at", true, "row_differs", "F1"),
        ("UPDATE flow SET status = 5", false, "flow_times_out_of_order", "F1"),
        ("UPDATE task SET status = 2 WHERE number = 2", false, "times_out_of_order", "#2"),
        ("UPDATE task SET metadata = 'oops', status = 1 WHERE number = 2", false, "row_differs", "#2"),
        ("UPDATE event SET task = 77 WHERE seq = 2", true, "loose_end", "ledger"),
        ("UPDATE flow SET updated_at = created_at - 60000", false, "flow_times_out_of_order", "F1"),
        ("UPDATE task SET created_at = updated_at + 60000 WHERE number = 2", false, "times_out_of_order", "#2"),
    ] {
        let scratch = Scratch::in_memory();
        family(&scratch.ledger());
        ask_sqlite(&scratch.ledger(), &format!("{by_hand}{edit}"));
        let found = codes(&scratch.ledger(), deep);
        let wanted = (code.to_owned(), subject.to_owned());
        let told = found.iter().filter(|found| **found == wanted).count();
        assert!(told == 1 || (told > 1 && subject == "ledger"), "{edit}: {found:?}");
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

/// Everything else goes on beside a flow that cannot be read.
#[test]
fn one_odd_flow_hides_no_other_and_holds_up_no_task() {
    let scratch = Scratch::in_memory();
    let ledger = scratch.ledger();
    let mut process = Piped::on(&ledger);
    for goal in ["odd", "sound"] {
        let flow = json!({"flow_create": {"goal": goal, "controller": "weekly", "running": true}});
        process.ok(&flow.to_string());
    }
    process.ok(&json!({"create": {"label": "in it", "flow": "F1", "start": {}}}).to_string());
    process.ok(&json!({"create": {"label": "in the other", "flow": "F2", "start": {}}}).to_string());
    process.ok(&json!({"flow_cancel": {"flow": "F2"}}).to_string());
    process.ok(&json!({"flow_cancel": {"flow": "F1"}}).to_string());
    ask_sqlite(&ledger, "UPDATE flow SET cancel = '[7]' WHERE number = 1");
    for number in ["1", "2"] {
        process.ok(&json!({"finish": {"lookup": number, "status": "succeeded"}}).to_string());
    }
    assert_eq!(process.ok(&json!({"flow_show": {"flow": "F2"}}).to_string())["flow"]["status"], "cancelled");
    assert_eq!(codes(&ledger, false), [("row_differs".to_owned(), "F1".to_owned())]);
    assert_eq!(process.ok(r#"{"stats": {}}"#)["issues"], 1);
    let preview = process.ok(r#"{"maintenance": {}}"#);
    assert_eq!((&preview["changes"], &preview["flows"]), (&json!([]), &json!([])));
    process.ok(r#"{"maintenance": {"apply": true}}"#);
    let verified = process.ok(r#"{"verify": {}}"#);
    assert_eq!(verified["ok"], false);
    assert!(verified["problems"][0].as_str().is_some_and(|told| told.starts_with("F1: ")), "{verified}");
    process.end();
}

/// However many flows hang, maintenance ends those of its preview, a batch at a time.
#[test]
fn more_flows_than_a_batch_are_ended_as_previewed() {
    let scratch = Scratch::in_memory();
    let ledger = scratch.ledger();
    let mut process = Piped::on(&ledger);
    for goal in 0..251 {
        let flow = json!({"flow_create": {"goal": goal.to_string(), "controller": "weekly", "running": true}});
        process.ok(&flow.to_string());
    }
    assert_eq!(process.ok(r#"{"flow_cancel": {"flow": "F1"}}"#)["flow"]["status"], "cancelled");
    ask_sqlite(&ledger, "UPDATE flow SET cancel = (SELECT cancel FROM flow WHERE number = 1) WHERE number > 1");
    assert_eq!(codes(&ledger, false).len(), 250);
    let preview = process.ok(r#"{"maintenance": {}}"#);
    assert_eq!(preview["flows"].as_array().map(Vec::len), Some(250));
    assert_eq!(process.ok(r#"{"maintenance": {"apply": true}}"#)["flows"], preview["flows"]);
    assert_eq!(process.ok(r#"{"maintenance": {"apply": true}}"#)["flows"], json!([]));
    assert_eq!(codes(&ledger, true), []);
    process.end();
}

/// What is recovered can be read, whatever an edit left of it; what is missing is told.
#[test]
fn what_is_recovered_of_an_edited_ledger_is_read_and_what_is_not_is_told() {
    let by_hand = "PRAGMA ignore_check_constraints = ON;";
    for (edit, mended, unproved, flows) in [
        ("UPDATE flow SET state = '{oops'", json!([]), json!([]), 1),
        ("UPDATE flow SET blocked = '[]', cancel = '[]'", json!([]), json!([]), 1),
        ("UPDATE flow SET status = 99", json!([]), json!([]), 0),
        ("UPDATE task SET status = 2 WHERE number = 2", json!([2]), json!([]), 1),
        ("UPDATE task SET ended_at = NULL WHERE number = 1", json!([1]), json!([]), 1),
        ("UPDATE task SET status = 9 WHERE number = 1", json!([1]), json!([]), 1),
        ("UPDATE task SET created_at = updated_at + 60000 WHERE number = 2", json!([2]), json!([]), 1),
        (
            "UPDATE task SET created_at = updated_at + 60000, label = 'edited' WHERE number = 2",
            json!([]),
            json!([2]),
            1,
        ),
    ] {
        let scratch = Scratch::in_memory();
        let ledger = scratch.ledger();
        family(&ledger);
        ask_sqlite(&ledger, &format!("{by_hand}{edit}"));
        let saved = scratch.ledger().with_file_name("saved");
        let told = pipe::command(&ledger).args(["--json", "recover", "--to"]).arg(&saved).output().expect("it runs");
        let report: Value = serde_json::from_slice(&told.stdout).expect("a report");
        assert_eq!((told.status.code(), &report["complete"]), (Some(8), &json!(false)), "{edit}: {report}");
        assert_eq!((&report["mended"], &report["unproved"]), (&mended, &unproved), "{edit}: {report}");
        assert_eq!((&report["tasks"]["lost"], &report["flows"]["recovered"]), (&json!(0), &json!(flows)), "{edit}");
        let proved = unproved.as_array().is_some_and(Vec::is_empty);
        let found = codes(&saved.join("ledger.db"), true);
        assert_eq!(found.is_empty(), proved, "{edit}: {found:?}");
    }
}
