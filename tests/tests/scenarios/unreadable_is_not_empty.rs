//! S4: unreadable is not empty, and one odd row is not fatal.

use bgledger_tests::damage::{Files, beside};
use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::json;
use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::scratch::Scratch;
use serde_json::Value;
use std::path::Path;

const PAGE: usize = 4_096;

fn with_tasks(ledger: &Path, tasks: u64) -> Piped {
    let mut writer = Piped::on(ledger);
    for task in 1..=tasks {
        writer.ok(&format!(r#"{{"create": {{"label": "task {task}", "start": {{}}}}}}"#));
        writer.ok(&format!(r#"{{"finish": {{"lookup": {task}, "status": "succeeded"}}}}"#));
    }
    writer
}

/// How a verb ends, and what it prints.
fn verb(ledger: &Path, words: &[&str]) -> (Option<i32>, Value) {
    let output = pipe::command(ledger).arg("--json").args(words).output().expect("it runs");
    let text = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    (output.status.code(), json::parse(&String::from_utf8_lossy(text)).unwrap_or_default())
}

/// Reading and recording fail with this code, and leave every file as it is.
fn fails_closed(ledger: &Path, code: &str) {
    let before = Files::of(ledger);
    for words in [&["list"][..], &["show", "1"], &["audit"], &["stats"], &["create", "--label", "new"], &["migrate"]] {
        let (exit, answer) = verb(ledger, words);
        assert_eq!((exit, answer["error"]["code"].as_str()), (Some(8), Some(code)), "{words:?}: {answer}");
    }
    let after = Files::of(ledger);
    assert!((before.database, before.wal) == (after.database, after.wal), "{code}: the files are as they were");
}

#[test]
fn a_ledger_without_its_head_is_not_an_empty_one() {
    let scratch = Scratch::in_memory();
    let ledger = scratch.ledger();
    with_tasks(&ledger, 300).end();
    let whole = Files::of(&ledger).database;
    // (a) the first page.
    let mut zeroed = whole.clone();
    zeroed[..PAGE].fill(0);
    std::fs::write(&ledger, &zeroed).expect("a file");
    fails_closed(&ledger, "not_a_ledger");
    let to = ledger.with_file_name("saved");
    let (exit, report) = verb(&ledger, &["recover", "--to", to.to_str().expect("text")]);
    assert_eq!((exit, &report["complete"], &report["tasks"]["recovered"]), (Some(8), &false.into(), &300.into()));
    assert_eq!(report["tasks"]["lost"], 0);
    assert_sound(&to.join("ledger.db"));
    assert_eq!(std::fs::read(to.join("as-found/ledger.db")).expect("a copy"), zeroed);
    // (b) every page between the root and the leaves of the tasks.
    let root: usize = {
        std::fs::write(&ledger, &whole).expect("a file");
        let root = ask_sqlite(&ledger, "SELECT rootpage FROM sqlite_schema WHERE name = 'task'");
        root.parse().expect("a page")
    };
    let mut headless = whole;
    headless[(root - 1) * PAGE..root * PAGE].fill(0);
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(beside(&ledger, suffix));
    }
    std::fs::write(&ledger, &headless).expect("a file");
    let (exit, answer) = verb(&ledger, &["list"]);
    assert_eq!((exit, answer["error"]["code"].as_str()), (Some(8), Some("corrupt")), "{answer}");
    let (exit, _) = verb(&ledger, &["doctor"]);
    assert_eq!(exit, Some(8));
    let to = ledger.with_file_name("saved-too");
    let (_, report) = verb(&ledger, &["recover", "--to", to.to_str().expect("text")]);
    assert_eq!(report["tasks"]["recovered"], 300, "{report}");
    assert_sound(&to.join("ledger.db"));
}

#[test]
fn the_wal_of_another_ledger_and_a_newer_format_are_refused() {
    let (scratch, other) = (Scratch::in_memory(), Scratch::in_memory());
    let ledger = scratch.ledger();
    with_tasks(&ledger, 30).end();
    // (c) another ledger's -wal.
    let writer = with_tasks(&other.ledger(), 5);
    std::fs::write(beside(&ledger, "-wal"), Files::of(&other.ledger()).wal).expect("a file");
    drop(writer);
    let _ = std::fs::remove_file(beside(&ledger, "-shm"));
    fails_closed(&ledger, "corrupt");
    std::fs::remove_file(beside(&ledger, "-wal")).expect("it was there");
    let _ = std::fs::remove_file(beside(&ledger, "-shm"));
    assert_sound(&ledger);
    // (d) a format that this program does not know.
    ask_sqlite(
        &ledger,
        "UPDATE meta SET value = 2 WHERE key IN ('min_reader', 'min_writer'); PRAGMA user_version = 2;",
    );
    fails_closed(&ledger, "newer_ledger");
}

#[test]
fn one_odd_row_hides_no_other_and_what_hangs_loose_is_told() {
    let scratch = Scratch::in_memory();
    let ledger = scratch.ledger();
    with_tasks(&ledger, 50).end();
    // (e) a row that no ledger writes.
    ask_sqlite(&ledger, "UPDATE task SET metadata = 'not-requested' WHERE number = 17");
    let (exit, page) = verb(&ledger, &["list", "--limit", "100"]);
    assert_eq!((exit, page["tasks"].as_array().map(Vec::len)), (Some(0), Some(49)));
    assert_eq!(page["unreadable"][0]["number"], 17, "{}", page["unreadable"]);
    let said = pipe::command(&ledger).args(["list"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&said.stderr).contains("#17 cannot be read"));
    assert_eq!(verb(&ledger, &["show", "16"]).0, Some(0));
    assert_eq!(verb(&ledger, &["show", "17"]).0, Some(8));
    assert_eq!(verb(&ledger, &["doctor"]).0, Some(8));
    let (_, problems) = verb(&ledger, &["verify"]);
    assert!(problems["problems"][0].as_str().is_some_and(|text| text.starts_with("#17: the row cannot be read")));
    ask_sqlite(&ledger, "UPDATE task SET metadata = NULL WHERE number = 17");
    assert_sound(&ledger);
    // (f) a parent that somebody deleted past us.
    let mut writer = Piped::on(&ledger);
    writer.ok(r#"{"create": {"label": "parent"}}"#);
    writer.ok(r#"{"create": {"label": "child", "parent": 51}}"#);
    writer.end();
    ask_sqlite(&ledger, "DELETE FROM task WHERE number = 51");
    let (exit, report) = verb(&ledger, &["doctor"]);
    let links = report["checks"].as_array().and_then(|checks| checks.iter().find(|check| check["name"] == "links"));
    let links = links.expect("a check of links");
    assert_eq!((exit, &links["state"]), (Some(8), &"error".into()), "{links}");
    assert!(links["detail"].as_str().is_some_and(|text| text.contains("1 parents that are gone")), "{links}");
    assert!(links["hint"].is_string());
}
