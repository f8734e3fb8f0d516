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
    assert!(links["detail"].as_str().is_some_and(|text| text.contains("1 tasks whose parent is gone: #")), "{links}");
    assert!(links["hint"].is_string());
}

/// Rows that somebody deleted past us are told by whoever would have shown them.
#[test]
fn rows_that_are_gone_are_told() {
    let scratch = Scratch::in_memory();
    let ledger = scratch.ledger();
    let mut writer = with_tasks(&ledger, 40);
    writer.ok(r#"{"create": {"label": "goes on", "owner": "ada", "start": {}}}"#);
    writer.end();
    let damaged = |edit: &str| {
        let (own, path) = (Scratch::in_memory(), ledger.clone());
        let copy = own.ledger();
        std::fs::copy(path, &copy).expect("a copy");
        ask_sqlite(&copy, edit);
        (own, copy)
    };
    let told = |ledger: &Path, words: &[&str]| {
        let (exit, page) = verb(ledger, words);
        assert_eq!(exit, Some(0), "{page}");
        let odd = page["unreadable"].as_array().expect("a list").clone();
        odd.iter().map(|odd| (odd["number"].as_u64(), odd["problem"].to_string())).collect::<Vec<_>>()
    };
    // In the middle, the oldest, the newest.
    let all: &[&str] = &["list", "--limit", "100"];
    assert!(told(&ledger, all).is_empty());
    for (edit, newest) in [
        ("number IN (7, 8, 9)", 9),
        ("number <= 3", 3),
        ("number = 12", 12),
        // Nothing but the counters tells of these; the newest event is of the running one.
        ("number = 41", 41),
        ("number IN (39, 40, 41)", 41),
    ] {
        let (_own, copy) = damaged(&format!("DELETE FROM task WHERE {edit}"));
        let told = told(&copy, all);
        assert_eq!(told.len(), 1, "{edit}: {told:?}");
        assert_eq!(told[0].0, Some(newest), "{edit}: {told:?}");
        let (exit, answer) = verb(&copy, &["show", &newest.to_string()]);
        assert_eq!((exit, answer["error"]["code"].as_str()), (Some(8), Some("corrupt")), "{edit}: {answer}");
        assert_eq!(verb(&copy, &["doctor"]).0, Some(8));
    }
    // On a page of many, also between it and the page before.
    let (_own, copy) = damaged("DELETE FROM task WHERE number IN (20, 31)");
    assert_eq!(told(&copy, &["list", "--limit", "15"])[0].0, Some(31));
    assert_eq!(told(&copy, &["list", "--limit", "5", "--after", "21"])[0].0, Some(20));
    assert!(told(&copy, &["list", "--limit", "5", "--after", "20"]).is_empty(), "a cursor of somebody's own");
    // What is not counted as it is found: tampering with the counters is the same to a listing.
    let (_own, copy) = damaged("UPDATE tally SET count = count + 1");
    let odd = told(&copy, &["list", "--limit", "100", "--status", "succeeded"]);
    assert_eq!(odd, [(Some(0), "\"40 tasks are found where 41 are counted\"".to_owned())]);
    assert!(told(&copy, &["list", "--active"]).is_empty());
    // Pruning makes no such gap.
    let (_, report) = verb(&ledger, &["prune", "--older-than", "0s"]);
    assert_eq!(report["tasks"], 40);
    assert!(told(&ledger, all).is_empty());
    assert_eq!(verb(&ledger, &["show", "99"]).0, Some(3));
}

/// What one odd row is part of is shown as far as it can be, and says which row it is.
#[test]
fn an_odd_row_is_named_wherever_it_is_met() {
    let scratch = Scratch::in_memory();
    let ledger = scratch.ledger();
    let mut writer = Piped::on(&ledger);
    writer.ok(r#"{"create": {"label": "top", "run_id": "a"}}"#);
    writer.ok(r#"{"create": {"label": "odd", "parent": 1, "run_id": "b"}}"#);
    writer.ok(r#"{"create": {"label": "sound", "parent": 1, "run_id": "c"}}"#);
    writer.ok(r#"{"flow_create": {"goal": "odd", "controller": "c", "state": {}}}"#);
    writer.ok(r#"{"flow_create": {"goal": "with an odd task", "controller": "c"}}"#);
    writer.ok(r#"{"flow_create": {"goal": "sound", "controller": "c"}}"#);
    writer.ok(r#"{"create": {"label": "odd too", "flow": "F2", "start": {}}}"#);
    writer.end();
    ask_sqlite(
        &ledger,
        "UPDATE task SET metadata = '[' WHERE number = 2; UPDATE task SET progress = '[' WHERE number = 4;
            UPDATE flow SET state = '[' WHERE number = 1",
    );
    let (exit, tree) = verb(&ledger, &["tree", "1"]);
    assert_eq!((exit, &tree["children"][0]["task"]["number"]), (Some(0), &3.into()), "{tree}");
    assert_eq!((&tree["unreadable"][0]["number"], &tree["children"][1]), (&2.into(), &Value::Null), "{tree}");
    let (exit, flows) = verb(&ledger, &["flow", "list"]);
    assert_eq!((exit, &flows["flows"][0]["number"], &flows["flows"][1]), (Some(0), &3.into(), &Value::Null));
    let odd: Vec<&Value> = flows["unreadable"].as_array().expect("a list").iter().map(|odd| &odd["number"]).collect();
    assert_eq!(odd, [2, 1], "{flows}");
    for words in [&["show", "2"][..], &["show", "run:b"], &["history", "2"], &["flow", "show", "F1"], &["tree", "2"]] {
        let (exit, answer) = verb(&ledger, words);
        assert_eq!((exit, answer["error"]["code"].as_str()), (Some(8), Some("corrupt")), "{words:?}: {answer}");
        assert!(answer["error"]["problem"].as_str().is_some_and(|text| text.contains("cannot be read")), "{answer}");
    }
    let said = pipe::command(&ledger).args(["tree", "1"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&said.stderr).contains("#2 cannot be read"), "{said:?}");
    let said = pipe::command(&ledger).args(["flow", "list"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&said.stderr).contains("F2 cannot be read, and 1 more"), "{said:?}");
}
