//! S3: a write that fails leaves one truth, for the handle that failed, for any other and for a fresh process; and
//! asking again, once the fault is gone, does what was asked exactly once.

use bgledger_tests::fault::{Calls, Fault, Faults};
use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::pipe::{self, Gone, Piped};
use bgledger_tests::scratch::Scratch;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const FINISH: &str = r#"{"finish": {"lookup": 1, "attempt": 1, "status": "succeeded", "summary": "done"}}"#;
const SHOW: &str = r#"{"show": {"lookup": 1}}"#;

/// One running task, a process that will meet faults and one that will not.
struct Stage {
    struck: Piped,
    other: Piped,
    faults: Faults,
    path: PathBuf,
    _scratch: Scratch,
}

impl Stage {
    fn new() -> Stage {
        let scratch = Scratch::new();
        let path = scratch.ledger();
        let faults = Faults::new(path.with_file_name("faults"));
        let mut struck = governed(&path, &faults);
        struck.ok(
            r#"{"create": {"label": "work", "runtime": "subagent", "requester_session": "chat", "start": {"lease": "1h"}}}"#,
        );
        Stage { other: Piped::on(&path), struck, faults, path, _scratch: scratch }
    }

    /// The same handle, a second handle and a fresh process agree that the task runs, and nothing else was written.
    fn assert_running(&mut self, why: &str) {
        for response in [self.struck.ask(SHOW), self.other.ask(SHOW), Piped::on(&self.path).ask(SHOW)] {
            let response = response.expect("an answer");
            assert_eq!(response["ok"]["task"]["status"], "running", "{why}: {response}");
        }
        assert_eq!(counts(&self.path), "2 events, 0 notices", "{why}");
    }

    fn assert_finished_once(&mut self, why: &str) {
        let again = self.struck.ok(FINISH);
        assert_eq!(again["task"]["status"], "succeeded", "{why}");
        assert_eq!(Piped::on(&self.path).ok(SHOW)["task"]["summary"], "done", "{why}");
        assert_eq!(self.other.ok(FINISH)["changed"], false, "{why}: a second time changes nothing");
        assert_eq!(counts(&self.path), "3 events, 1 notices", "{why}");
        assert_sound(&self.path);
    }
}

fn governed(path: &Path, faults: &Faults) -> Piped {
    let mut command = pipe::command(path);
    faults.govern(&mut command);
    Piped::start(command.arg("call"))
}

fn counts(path: &Path) -> String {
    ask_sqlite(
        path,
        "SELECT (SELECT count(*) FROM event) || ' events, ' || (SELECT count(*) FROM notice) || ' notices'",
    )
}

fn code(response: &Value) -> &str {
    response["error"]["code"].as_str().unwrap_or_else(|| panic!("no error: {response}"))
}

/// Runs `meet` with the fault at the first write, the second and so on, until one meets none.
fn at_each_write(fault: Fault, mut meet: impl FnMut(&mut Stage, &Result<Value, Gone>, u32)) {
    for after in 0..200 {
        let mut stage = Stage::new();
        stage.faults.order(Calls::Write, after, fault);
        let response = stage.struck.ask(FINISH);
        if stage.faults.relent() == 0 {
            assert!(after >= 2, "a finish writes several pages; {after} writes were seen");
            assert_eq!(response.expect("an answer")["ok"]["changed"], true);
            return;
        }
        meet(&mut stage, &response, after);
    }
    panic!("a finish that writes without end");
}

#[test]
fn a_full_disk_changes_nothing() {
    at_each_write(Fault::NoSpace, |stage, response, after| {
        assert_eq!(code(response.as_ref().expect("an answer")), "disk_full", "at write {after}");
        stage.assert_running(&format!("disk full at write {after}"));
        stage.assert_finished_once(&format!("disk full at write {after}"));
    });
}

#[test]
fn a_failed_write_changes_nothing() {
    at_each_write(Fault::Io, |stage, response, after| {
        // The disk said no in the middle of a commit: the ledger does not swear that nothing reached it.
        assert_eq!(code(response.as_ref().expect("an answer")), "unknown", "at write {after}");
        stage.assert_running(&format!("I/O error at write {after}"));
        stage.assert_finished_once(&format!("I/O error at write {after}"));
    });
}

#[test]
fn a_crash_in_the_middle_changes_nothing() {
    at_each_write(Fault::Kill, |stage, response, after| {
        assert_eq!(*response, Err(Gone), "at write {after}");
        stage.struck = Piped::on(&stage.path);
        stage.assert_running(&format!("killed at write {after}"));
        stage.assert_finished_once(&format!("killed at write {after}"));
    });
}

/// Whether a failed sync took effect cannot be known; asking again settles it.
#[test]
fn a_failed_sync_is_unknown_and_may_be_asked_again() {
    let mut stage = Stage::new();
    stage.faults.order(Calls::Sync, 0, Fault::Io);
    let response = stage.struck.ask(FINISH).expect("an answer");
    assert!(stage.faults.relent() > 0, "a durable finish syncs");
    assert_eq!((code(&response), &response["error"]["class"]), ("unknown", &json!("unknown")), "{response}");
    let seen = [stage.struck.ok(SHOW), stage.other.ok(SHOW), Piped::on(&stage.path).ok(SHOW)];
    let status = |seen: &Value| seen["task"]["status"].clone();
    assert!(seen.iter().all(|other| status(other) == status(&seen[0])), "one truth: {seen:?}");
    stage.assert_finished_once("after a failed sync");
}

#[test]
fn a_busy_ledger_changes_nothing() {
    let mut stage = Stage::new();
    stage.struck = Piped::start(pipe::command(&stage.path).args(["--busy-timeout", "100ms", "call"]));
    let outside = Connection::open_with_flags(&stage.path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a connection");
    outside.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let response = stage.struck.ask(FINISH).expect("an answer");
    assert_eq!((code(&response), &response["error"]["class"]), ("busy", &json!("busy")));
    stage.assert_running("busy");
    outside.execute_batch("ROLLBACK").expect("the lock given back");
    drop(outside);
    stage.assert_finished_once("busy");
}

/// The control: without orders the library that makes writes fail changes nothing, and with them it does.
#[test]
fn the_faults_are_real() {
    let mut stage = Stage::new();
    assert_eq!(stage.faults.relent(), 0);
    stage.struck.ok(r#"{"progress": {"lookup": 1, "text": "half"}}"#);
    stage.faults.order(Calls::Write, 0, Fault::NoSpace);
    assert!(stage.struck.ask(FINISH).expect("an answer")["error"].is_object());
    assert!(stage.faults.relent() >= 1);
}
