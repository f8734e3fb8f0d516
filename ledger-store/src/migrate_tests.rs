//! Migrating a file of an older format. This crate's tests know one more than there is: see `schema`.

use crate::schema::FORMAT;
use crate::{Ledger, OpenOptions};
use bgledger_core::{CheckState, Create, Doctor, Error, Finish, List, Migrate, TaskNumber, Verify};
use rusqlite::Connection;
use std::path::{Path, PathBuf};

fn open(path: &Path) -> Ledger {
    Ledger::open(path, OpenOptions::default()).expect("the ledger opens")
}

/// A ledger with tasks in it, of the format before.
fn older(folder: &Path) -> PathBuf {
    let path = folder.join("ledger.db");
    let ledger = open(&path);
    for task in 1..=30 {
        ledger.call(Create { label: format!("task {task}"), ..Create::default() }).expect("created");
    }
    drop(ledger);
    let sql = Connection::open(&path).expect("a connection");
    sql.execute_batch(&format!("DROP TABLE of_tests; PRAGMA user_version = {}", FORMAT - 1)).expect("an older file");
    path
}

fn format_of(path: &Path) -> u32 {
    let sql = Connection::open(path).expect("a connection");
    sql.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a number")
}

fn tasks(ledger: &Ledger) -> Vec<bgledger_core::TaskView> {
    ledger.call(List { limit: Some(100), ..List::default() }).expect("a listing").tasks
}

#[test]
fn an_older_file_is_read_as_it_is_and_migrated_after_a_proved_copy() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = older(folder.path());
    let before = std::fs::read(&path).expect("a file");
    let ledger = open(&path);
    let there = tasks(&ledger);
    assert_eq!(there.len(), 30);
    let report = ledger.call(Migrate { dry_run: true }).expect("a report");
    assert_eq!((report.from, report.to, report.applied, report.backup), (FORMAT - 1, FORMAT, false, None));
    let doctor = ledger.call(Doctor::default()).expect("a report");
    let format = doctor.checks.iter().find(|check| check.name == "format").expect("a check");
    assert_eq!(format.state, CheckState::Warning, "{format:?}");
    assert!(format.hint.as_ref().is_some_and(|hint| hint.contains("bgledger migrate")), "{format:?}");
    assert!(std::fs::read(&path).expect("a file") == before, "reading has changed the file");

    let report = ledger.call(Migrate { dry_run: false }).expect("a report");
    assert_eq!((report.from, report.to, report.applied), (FORMAT - 1, FORMAT, true));
    let copy = PathBuf::from(report.backup.expect("a copy"));
    assert_eq!(copy, folder.path().canonicalize().expect("a path").join(format!("ledger.db-format-{}", FORMAT - 1)));
    assert_eq!((format_of(&copy), format_of(&path)), (FORMAT - 1, FORMAT));
    assert_eq!(tasks(&open(&copy)), there);
    assert_eq!(tasks(&ledger), there);
    assert!(ledger.call(Verify::default()).expect("a report").ok);
    let again = ledger.call(Migrate { dry_run: false }).expect("a report");
    assert_eq!((again.from, again.applied, again.backup), (FORMAT, false, None));
}

#[test]
fn what_cannot_be_copied_is_not_migrated() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = older(folder.path());
    std::fs::create_dir(folder.path().join(format!("ledger.db-format-{}", FORMAT - 1))).expect("something else");
    let before = std::fs::read(&path).expect("a file");
    let refused = open(&path).call(Migrate { dry_run: false }).expect_err("it is refused");
    assert!(matches!(refused, Error::BadPath { .. }), "{refused}");
    assert!(std::fs::read(&path).expect("a file") == before, "it has changed all the same");
}

#[test]
fn of_many_that_record_into_an_older_file_one_migrates_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = older(folder.path());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let path = &path;
            scope.spawn(move || {
                let ledger = open(path);
                let label = format!("thread {thread}");
                let created = ledger.call(Create { label, ..Create::default() }).expect("created");
                let json = format!(r#"{{"lookup": {}, "status": "succeeded"}}"#, created.task.task.number.0);
                ledger.call(serde_json::from_str::<Finish>(&json).expect("a request")).expect("finished");
            });
        }
    });
    assert_eq!(format_of(&path), FORMAT);
    let ledger = open(&path);
    let numbers: Vec<TaskNumber> = tasks(&ledger).iter().rev().map(|view| view.task.number).collect();
    assert_eq!(numbers, (1..=38).map(TaskNumber).collect::<Vec<_>>());
    assert!(ledger.call(Verify::default()).expect("a report").ok);
}

/// Not a test: a process that `tests/tests/migrations.rs` starts, kills and has race others. It records a task, which
/// brings the file to the format of these tests, or migrates it by name, and says so.
#[test]
#[ignore = "a process of tests/tests/migrations.rs"]
fn a_process_that_migrates() {
    let told = |name: &str| std::env::var(name).expect("what is to be done");
    let ledger = open(Path::new(&told("BGLEDGER_MIGRATES")));
    // Whoever races waits for the others.
    let gate = std::env::var_os("BGLEDGER_MIGRATES_FROM").map(PathBuf::from);
    while gate.as_ref().is_some_and(|gate| !gate.exists()) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    match told("BGLEDGER_MIGRATES_HOW").as_str() {
        "by name" => drop(ledger.call(Migrate { dry_run: false }).expect("migrated")),
        label => {
            let label = label.to_owned();
            let created = ledger.call(Create { key: Some(label.clone()), label, ..Create::default() });
            println!("recorded {}", created.expect("created").task.task.number.0);
        }
    }
}
