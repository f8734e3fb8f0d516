//! The story: a Python agent records tasks through bgledger and reads the same file with the standard `sqlite3` module.
//! When that second SQLite closes the file, the kernel drops every POSIX lock that this process holds on it. The next
//! process that closes the ledger believes to be the last, deletes the `-wal`, and the agent goes on writing to a file
//! without a name: acknowledged records vanish with it. Here the lock is dropped by a plain open-and-close.

use bgledger_core::{Create, Envelope, Error, Finish, List, Lookup, Request, Start, Status, Verify};
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::holder::Holder;
use bgledger_tests::pipe;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn ledger(path: &Path) -> Ledger {
    Ledger::open(path, OpenOptions::default()).expect("the ledger opens")
}

fn record(ledger: &Ledger, label: &str) -> u64 {
    let created = ledger.call(Create { label: label.into(), ..Create::default() }).expect("an acknowledged creation");
    created.task.task.number.0
}

/// What a process that has nothing to do with ours sees.
fn labels_seen_by_sqlite(path: &Path) -> Vec<String> {
    let output = Command::new("sqlite3")
        .args(["-readonly", "-noheader"])
        .arg(path)
        .arg("SELECT label FROM task ORDER BY number")
        .output()
        .expect("sqlite3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(Into::into).collect()
}

fn drop_locks_and_let_another_process_close(path: &Path) {
    drop(File::open(path).expect("the ledger's file"));
    let closed =
        Command::new("sqlite3").arg(path).arg("SELECT count(*) FROM task").output().expect("sqlite3 is installed");
    assert!(closed.status.success(), "{}", String::from_utf8_lossy(&closed.stderr));
}

#[test]
fn a_second_sqlite_that_closes_the_file_takes_nothing_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let ledger = ledger(&path);
    let mut expected = Vec::new();
    for round in 0..5 {
        for part in 0..3 {
            let label = format!("round {round}, part {part}");
            record(&ledger, &label);
            expected.push(label);
        }
        drop_locks_and_let_another_process_close(&path);
        assert!(!folder.path().join("ledger.db-wal").exists(), "the other process deleted the WAL: that is the trap");
    }
    record(&ledger, "after");
    expected.push("after".into());
    assert_eq!(labels_seen_by_sqlite(&path), expected, "while the handle is open");
    assert!(ledger.call(Verify {}).expect("a verification").ok);
    drop(ledger);
    assert_eq!(labels_seen_by_sqlite(&path), expected, "after the handle is closed");
}

/// The same trap beside the ledger: a second SQLite closes the `-shm`, and whoever opens the ledger next believes to be
/// the first and truncates it under our mapping. That would end this very process.
#[test]
fn a_second_sqlite_that_closes_the_shm_does_not_end_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let ledger = ledger(&path);
    record(&ledger, "first");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let visitors = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let seen = pipe::command(&path).arg("list").output().expect("it runs");
                assert!(seen.status.success(), "{}", String::from_utf8_lossy(&seen.stderr));
            }
        });
        for round in 0..3_000 {
            drop(File::open(folder.path().join("ledger.db-shm")));
            drop(File::open(&path));
            record(&ledger, &format!("round {round}"));
        }
        over.store(true, Ordering::Relaxed);
        visitors.join().expect("every visitor saw a ledger");
    });
    let report = ledger.call(Verify {}).expect("a verification");
    assert!(report.ok && report.tasks == 3_001, "{} tasks, {:?}", report.tasks, report.problems);
}

#[test]
fn what_was_acknowledged_into_a_deleted_wal_is_brought_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let ledger = ledger(&path);
    let first = record(&ledger, "first");
    ledger.call(start(first)).expect("a start");
    record(&ledger, "second");
    // Nothing was checkpointed: everything is in the WAL alone.
    for sidecar in ["ledger.db-wal", "ledger.db-shm"] {
        fs::remove_file(folder.path().join(sidecar)).expect("a sidecar to delete");
    }
    assert_eq!(labels_seen_by_sqlite(&path), Vec::<String>::new(), "without its WAL the file is an empty ledger");
    let third = record(&ledger, "third");
    assert_eq!(labels_seen_by_sqlite(&path), ["first", "second", "third"]);
    ledger.call(finish(first)).expect("the first task goes on where it was");
    assert_eq!(third, 3, "numbers go on as if nothing had happened");
    let report = ledger.call(Verify {}).expect("a verification");
    assert!(report.ok, "{:?}", report.problems);
}

#[test]
fn a_reading_handle_notices_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let ledger = ledger(&path);
    record(&ledger, "first");
    let listed = |ledger: &Ledger| ledger.call(List::default()).expect("a list").tasks.len();
    assert_eq!(listed(&ledger), 1);
    for sidecar in ["ledger.db-wal", "ledger.db-shm"] {
        fs::remove_file(folder.path().join(sidecar)).expect("a sidecar to delete");
    }
    assert_eq!(listed(&ledger), 1, "what this process acknowledged is read back from the file");
    assert_eq!(labels_seen_by_sqlite(&path), ["first"]);
}

#[test]
fn a_ledger_that_was_moved_away_is_written_again_in_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let ledger = ledger(&path);
    record(&ledger, "first");
    let moved = folder.path().join("moved.db");
    fs::rename(&path, &moved).expect("a move");
    record(&ledger, "second");
    assert_eq!(labels_seen_by_sqlite(&path), ["first", "second"]);
}

#[test]
fn several_handles_of_one_process_recover_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let (one, other) = (ledger(&path), ledger(&path));
    record(&one, "by one");
    record(&other, "by the other");
    drop_locks_and_let_another_process_close(&path);
    record(&other, "by the other again");
    record(&one, "by one again");
    assert_eq!(labels_seen_by_sqlite(&path), ["by one", "by the other", "by the other again", "by one again"]);
}

fn request(line: &str) -> Request {
    Envelope::parse(line).request.expect("a request")
}

fn lose_the_wal(folder: &Path) {
    for sidecar in ["ledger.db-wal", "ledger.db-shm"] {
        fs::remove_file(folder.join(sidecar)).expect("a sidecar to delete");
    }
}

/// Somebody else holds the lock at that very moment: the call fails, what was acknowledged before it does not.
#[test]
fn what_cannot_be_brought_back_now_is_brought_back_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let options = OpenOptions { busy_timeout: Duration::from_millis(200), ..OpenOptions::default() };
    let ledger = Ledger::open(&path, options).expect("the ledger opens");
    record(&ledger, "acknowledged");
    lose_the_wal(folder.path());
    let outside = Holder::of(&path);
    let told = ledger.call(Create { label: "refused".into(), ..Create::default() });
    assert!(matches!(told, Err(Error::Unknown { .. })), "{told:?}");
    let read = ledger.call(List::default());
    assert!(matches!(read, Err(Error::Unknown { .. })), "no reader is told that it never was: {read:?}");
    drop(outside);
    record(&ledger, "later");
    assert_eq!(labels_seen_by_sqlite(&path), ["acknowledged", "later"]);
}

/// What was refused is not carried out when the way is free again.
#[test]
fn a_call_that_returned_an_error_is_not_carried_out_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let ledger = ledger(&path);
    record(&ledger, "first");
    let aside = folder.path().join("aside.db");
    fs::rename(&path, &aside).expect("a move");
    fs::write(&path, "this is no database at all\n".repeat(300)).expect("something in its place");
    let refused = ledger.call(Create { label: "ghost".into(), ..Create::default() });
    assert!(matches!(refused, Err(Error::NotALedger { .. } | Error::Unknown { .. })), "{refused:?}");
    fs::rename(&aside, &path).expect("a move back");
    record(&ledger, "second");
    assert_eq!(labels_seen_by_sqlite(&path), ["first", "second"]);
}

/// Policy and the answers to notices are acknowledged as well.
#[test]
fn policy_and_answers_to_notices_are_brought_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let ledger = ledger(&path);
    ledger.request(request(r#"{"create": {"label": "told", "finish": {"status": "succeeded"}}}"#)).expect("recorded");
    ledger.request(request(r#"{"config": {"set": {"notify.cli": "state_changes"}}}"#)).expect("set");
    ledger.request(request(r#"{"config": {"set": {"audit.queued": "2h"}}}"#)).expect("set");
    ledger.request(request(r#"{"config": {"set": {"audit.queued": null}}}"#)).expect("unset");
    ledger.request(request(r#"{"notices_dismiss": {"notices": [3]}}"#)).expect("dismissed");
    lose_the_wal(folder.path());
    record(&ledger, "later");
    let shown = ledger
        .call(bgledger_core::Show { lookup: Lookup::Number(bgledger_core::TaskNumber(1)), ack: None })
        .expect("shown");
    assert_eq!(shown.task.delivery, bgledger_core::Delivery::Dismissed);
    let policy = ledger.call(bgledger_core::Config::default()).expect("the policy").config;
    assert_eq!((policy["notify.cli"].origin, policy["audit.queued"].origin), ("ledger", "default"));
    assert!(ledger.call(Verify {}).expect("a verification").ok);
}

/// What a controller was told of its flow holds: the flow, its moves, its tasks.
#[test]
fn flows_and_their_moves_are_brought_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let mut controller = pipe::Piped::on(&path);
    controller.ok(r#"{"flow_create": {"goal": "publish", "controller": "weekly", "running": true}}"#);
    controller.ok(r#"{"flow_wait": {"flow": "F1", "revision": 1, "step": "review", "wait": {"mail": 17}}}"#);
    controller.ok(r#"{"create": {"label": "ask the customer", "flow": "F1"}}"#);
    let before = controller.ok(r#"{"flow_show": {"flow": "F1"}}"#);
    lose_the_wal(folder.path());
    assert_eq!(controller.ok(r#"{"flow_show": {"flow": "F1"}}"#), before);
    controller.ok(r#"{"flow_cancel": {"flow": "F1"}}"#);
    lose_the_wal(folder.path());
    let late = controller.ask(r#"{"create": {"label": "late", "flow": "F1"}}"#).expect("an answer");
    assert!(late["error"].is_object(), "it is over: {late}");
    assert_eq!(controller.ok(r#"{"flow_show": {"flow": "F1"}}"#)["flow"]["status"], "cancelled");
    assert_eq!(controller.ok(r#"{"verify": {}}"#)["ok"], true);
}

/// Others moved the flow, having seen the same revision, before we looked again: their move stays.
#[test]
fn a_flow_that_others_moved_meanwhile_is_left_to_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let mut first = pipe::Piped::on(&path);
    first.ok(r#"{"flow_create": {"goal": "publish", "controller": "weekly"}}"#);
    first.end();
    let mut ours = pipe::Piped::on(&path);
    ours.ok(r#"{"flow_wait": {"flow": "F1", "revision": 1, "step": "ours"}}"#);
    lose_the_wal(folder.path());
    let mut theirs = pipe::Piped::on(&path);
    theirs.ok(r#"{"flow_resume": {"flow": "F1", "revision": 1, "running": true, "step": "theirs"}}"#);
    let flow = ours.ok(r#"{"flow_show": {"flow": "F1"}}"#)["flow"].clone();
    assert_eq!((&flow["step"], &flow["status"], &flow["revision"]), (&"theirs".into(), &"running".into(), &2.into()));
    assert_eq!(ours.ok(r#"{"verify": {}}"#)["ok"], true);
}

/// The handle is closed, or the process ends, before anybody looks again.
#[test]
fn a_handle_that_is_closed_next_brings_back_what_it_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let handle = ledger(&path);
    record(&handle, "acknowledged");
    lose_the_wal(folder.path());
    drop(handle);
    assert_eq!(labels_seen_by_sqlite(&path), ["acknowledged"]);
    let mut process = pipe::Piped::on(&path);
    process.ok(r#"{"create": {"label": "by another process"}}"#);
    lose_the_wal(folder.path());
    process.end();
    assert_eq!(labels_seen_by_sqlite(&path), ["acknowledged", "by another process"]);
}

/// A database that was moved away has what was acknowledged when its handle is closed, and nothing takes its place.
#[test]
fn a_ledger_that_was_moved_is_whole_when_its_handle_is_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let handle = ledger(&path);
    record(&handle, "acknowledged");
    let moved = folder.path().join("moved.db");
    fs::rename(&path, &moved).expect("a move");
    drop(handle);
    assert!(!path.exists());
    assert_eq!(labels_seen_by_sqlite(&moved), ["acknowledged"]);
}

/// A folder that somebody removed with its ledger is not made again by a handle that is closed later.
#[test]
fn a_removed_folder_stays_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("inner");
    let handle = ledger(&inner.join("ledger.db"));
    record(&handle, "gone");
    fs::remove_dir_all(&inner).expect("it goes");
    drop(handle);
    assert!(!inner.exists());
}

/// Both processes wrote to the WAL that is gone, and each brings back what it knows of.
#[test]
fn two_processes_bring_back_the_same_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let (mut one, mut other) = (pipe::Piped::on(&path), pipe::Piped::on(&path));
    one.ok(r#"{"create": {"label": "one", "runtime": "subagent", "start": {"executor": "external"}}}"#);
    other.ok(r#"{"create": {"label": "other", "start": {"executor": "external"}}}"#);
    one.ok(r#"{"heartbeat": {"lookup": 1}}"#);
    one.ok(r#"{"finish": {"lookup": 1, "status": "failed", "summary": "no room"}}"#);
    lose_the_wal(folder.path());
    one.ok(r#"{"create": {"label": "one again"}}"#);
    other.ok(r#"{"create": {"label": "other again"}}"#);
    other.ok(r#"{"finish": {"lookup": 2, "status": "succeeded"}}"#);
    let types = |answer: serde_json::Value| -> Vec<String> {
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        events.iter().map(|event| format!("{} {}", event["seq"], event["type"].as_str().unwrap_or_default())).collect()
    };
    let history = one.ok(r#"{"history": {"lookup": 1}}"#);
    assert_eq!(types(history), ["1 created", "2 started", "5 finished"]);
    let history = one.ok(r#"{"history": {"lookup": 2}}"#);
    assert_eq!(types(history), ["3 created", "4 started", "8 finished"]);
    assert_eq!(one.ok(r#"{"show": {"lookup": 1}}"#)["task"]["summary"], "no room");
    let report = other.ok(r#"{"verify": {}}"#);
    assert!(report["ok"].as_bool().expect("a verdict"), "{report}");
}

/// Others wrote before we looked again: what they have ended stays as they ended it, and a key they took is theirs.
#[test]
fn what_others_did_meanwhile_is_not_undone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let mut first = pipe::Piped::on(&path);
    for label in ["started", "cancelled", "untouched"] {
        first.ok(&format!(r#"{{"create": {{"label": "{label}"}}}}"#));
    }
    first.end();
    let mut ours = pipe::Piped::on(&path);
    ours.ok(r#"{"start": {"lookup": 1, "executor": "self"}}"#);
    ours.ok(r#"{"cancel": {"lookup": 2}}"#);
    ours.ok(r#"{"finish": {"lookup": 3, "status": "failed", "summary": "ours"}}"#);
    ours.ok(r#"{"create": {"label": "with a key", "key": "k1"}}"#);
    lose_the_wal(folder.path());
    let mut theirs = pipe::Piped::on(&path);
    for number in [1, 2] {
        theirs.ok(&format!(r#"{{"finish": {{"lookup": {number}, "status": "succeeded", "summary": "theirs"}}}}"#));
    }
    let again = theirs.ok(r#"{"create": {"label": "with a key", "key": "k1"}}"#);
    assert_eq!(again["created"], true, "they know nothing of the lost one");
    let tasks = ours.ok(r#"{"list": {}}"#)["tasks"].as_array().cloned().expect("tasks");
    let seen: Vec<String> = tasks
        .iter()
        .rev()
        .map(|task| format!("{} {} {}", task["label"], task["status"], task["summary"]).replace('"', ""))
        .collect();
    let expected = [
        "started succeeded theirs",
        "cancelled succeeded theirs",
        "untouched failed ours",
        "with a key queued null",
        "with a key queued null",
    ];
    assert_eq!(seen, expected);
    let report = ours.ok(r#"{"verify": {}}"#);
    assert!(report["ok"].as_bool().expect("a verdict"), "{report}");
    assert_eq!(ours.ok(r#"{"create": {"label": "with a key", "key": "k1"}}"#)["task"]["id"], again["task"]["id"]);
}

/// What happened keeps its place, so that nobody who followed the ledger is told it again.
#[test]
fn what_is_brought_back_keeps_its_order_and_its_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let ledger = ledger(&path);
    for label in ["first", "second"] {
        record(&ledger, label);
    }
    for number in [1, 2] {
        ledger.call(finish(number)).expect("it ends");
    }
    let watched = || ledger.request(request(r#"{"watch": {"after": 0}}"#)).expect("events");
    let before = serde_json::to_value(watched()).expect("JSON");
    let owed = r#"{"notices": {}}"#;
    let owed = || serde_json::to_value(ledger.request(request(owed)).expect("notices")).expect("JSON");
    for notice in owed()["notices"].as_array().expect("notices") {
        let dismiss = format!(r#"{{"notices_dismiss": {{"notices": [{}]}}}}"#, notice["notice"]);
        ledger.request(request(&dismiss)).expect("dismissed");
    }
    let answered = owed();
    assert_eq!(answered["notices"].as_array().map(Vec::len), Some(2));
    lose_the_wal(folder.path());
    assert_eq!(serde_json::to_value(watched()).expect("JSON"), before);
    let states = |page: &serde_json::Value| -> Vec<String> {
        let notices = page["notices"].as_array().cloned().unwrap_or_default();
        notices.iter().map(|notice| format!("{} {}", notice["notice"], notice["state"])).collect()
    };
    assert_eq!(states(&owed()), states(&answered));
    assert!(ledger.call(Verify {}).expect("a verification").ok);
}

fn start(number: u64) -> Start {
    Start {
        lookup: Lookup::Number(bgledger_core::TaskNumber(number)),
        executor: None,
        lease: None,
        started_at: None,
        fill: bgledger_core::Fill::default(),
    }
}

fn finish(number: u64) -> Finish {
    Finish {
        lookup: Lookup::Number(bgledger_core::TaskNumber(number)),
        attempt: Some(1),
        nonce: None,
        status: Status::Succeeded,
        outcome: None,
        reason: None,
        error: None,
        summary: None,
        result: None,
        exit_code: None,
        signal: None,
        output: None,
        artifacts: std::collections::BTreeMap::new(),
        usage: None,
        ended_at: None,
    }
}
