//! S5: a cancel stops what it says it stops, touches no neighbour, and says nothing that is not so.

use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::pipe::{self, Piped, Wrapper};
use bgledger_tests::scratch::Scratch;
use bgledger_tests::until::until;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::Duration;

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

/// `bgledger run` of a shell whose grandchild writes to a file all the time.
fn ticking(ledger: &Path, label: &str) -> (Wrapper, PathBuf) {
    let ticks = ledger.with_file_name(format!("{label}.ticks"));
    let script = format!("sh -c 'while :; do echo tick >> {}; sleep 0.02; done' & wait", ticks.display());
    let wrapper = Wrapper::start(ledger, &["--label", label, "--", "sh", "-c", &script]);
    until("the grandchild ticks", || size(&ticks) > 10);
    (wrapper, ticks)
}

fn bgledger(ledger: &Path, arguments: &[&str]) -> Output {
    pipe::command(ledger).arg("--json").args(arguments).output().expect("it runs")
}

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn number_of(ledger: &Path, label: &str) -> String {
    answer(&bgledger(ledger, &["list", "--label", label]))["tasks"][0]["number"].to_string()
}

fn assert_silent(ticks: &Path) {
    let before = size(ticks);
    sleep(Duration::from_millis(400));
    assert_eq!(size(ticks), before, "the grandchild writes on");
}

#[test]
fn a_cancel_stops_the_grandchild_and_no_neighbour() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let (wrapper, ticks) = ticking(&path, "doomed");
    let (neighbour, others) = ticking(&path, "neighbour");
    let number = number_of(&path, "doomed");
    let asked = bgledger(&path, &["cancel", &number]);
    assert_eq!((asked.status.code(), &answer(&asked)["cancel"]), (Some(0), &json!("requested")));
    assert_eq!(answer(&asked)["task"]["status"], "running", "asked is not yet stopped");
    assert!(answer(&asked)["task"]["cancel"]["requested_at"].is_string());
    assert!(!wrapper.wait().success());
    let task = answer(&bgledger(&path, &["show", &number]))["task"].clone();
    assert_eq!((&task["status"], &task["reason"]), (&json!("cancelled"), &json!("requested")), "{task}");
    assert_silent(&ticks);
    let before = size(&others);
    until("the neighbour ticks on", || size(&others) > before);
    let again = bgledger(&path, &["cancel", &number]);
    assert_eq!((again.status.code(), &answer(&again)["cancel"]), (Some(0), &json!("already")));
    let waited = bgledger(&path, &["cancel", "--wait", &number_of(&path, "neighbour")]);
    assert_eq!(waited.status.code(), Some(0), "{}", String::from_utf8_lossy(&waited.stderr));
    assert_silent(&others);
    assert!(!neighbour.wait().success());
    assert_sound(&path);
}

/// Race A: the work is done before the executor hears of the cancel.
#[test]
fn work_that_finishes_first_keeps_its_end() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let mut executor = Piped::on(&path);
    executor.ok(
        r#"{"create": {"label": "quick", "runtime": "subagent", "requester_session": "chat", "start": {"executor": "self"}}}"#,
    );
    let asked = bgledger(&path, &["cancel", "1"]);
    assert_eq!(answer(&asked)["cancel"], "requested");
    let told = executor.ok(r#"{"progress": {"lookup": 1, "attempt": 1, "text": "nearly"}}"#);
    assert_eq!(told["cancel_requested"], true, "the executor hears of it with its next report");
    let finished = executor.ok(r#"{"finish": {"lookup": 1, "attempt": 1, "status": "succeeded", "result": [1, 2]}}"#);
    let late = bgledger(&path, &["cancel", "1"]);
    assert_eq!((late.status.code(), &answer(&late)["cancel"]), (Some(4), &json!("already")));
    let task = &answer(&late)["task"];
    assert_eq!((&task["status"], &task["result"]), (&json!("succeeded"), &json!([1, 2])));
    assert_eq!(task["ended_at"], finished["task"]["ended_at"]);
    assert_eq!(ask_sqlite(&path, "SELECT count(*) FROM notice"), "1");
    assert_sound(&path);
}

/// Race B: the cancel comes before the start.
#[test]
fn what_was_cancelled_while_queued_never_starts() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    assert!(bgledger(&path, &["create", "--label", "queued"]).status.success());
    let asked = bgledger(&path, &["cancel", "1"]);
    assert_eq!((asked.status.code(), &answer(&asked)["cancel"]), (Some(0), &json!("cancelled")));
    let refused = bgledger(&path, &["start", "1"]);
    assert_eq!(refused.status.code(), Some(4));
    let error: Value = serde_json::from_slice(&refused.stderr).expect("JSON");
    assert_eq!(
        (&error["error"]["code"], &error["error"]["recorded_status"]),
        (&json!("already_ended"), &json!("cancelled"))
    );
    assert_sound(&path);
}

/// The wrapper is dead, its command is not: the canceller stops what is left, and says that the executor is gone.
#[test]
fn a_dead_wrappers_command_is_stopped_all_the_same() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let (wrapper, ticks) = ticking(&path, "orphaned");
    wrapper.kill();
    let before = size(&ticks);
    until("the orphan ticks on", || size(&ticks) > before);
    let asked = bgledger(&path, &["cancel", &number_of(&path, "orphaned")]);
    assert_eq!((asked.status.code(), &answer(&asked)["cancel"]), (Some(0), &json!("executor_gone")), "{asked:?}");
    let task = answer(&asked)["task"].clone();
    assert_eq!((&task["status"], &task["reason"]), (&json!("cancelled"), &json!("executor_gone")));
    assert_silent(&ticks);
    assert_sound(&path);
}

/// The executor is dead and nothing is left of it.
#[test]
fn a_dead_executors_task_is_settled_at_once() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let mut executor = Piped::on(&path);
    executor.ok(r#"{"create": {"label": "doomed", "start": {"executor": "self"}}}"#);
    executor.kill();
    let asked = bgledger(&path, &["cancel", "1"]);
    assert_eq!(answer(&asked)["cancel"], "executor_gone");
    assert_eq!(answer(&asked)["task"]["status"], "cancelled");
    let changes = answer(&bgledger(&path, &["maintenance", "--apply"]))["changes"].clone();
    assert_eq!(changes, json!([]));
    assert_sound(&path);
}

/// A cancel reaches every descendant, and a child that comes later is refused in the same transaction.
#[test]
fn a_cancel_reaches_every_descendant() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let script = format!(
        "{} run --label inner -- sh -c 'echo up > {}; sleep 600' & wait; sleep 600",
        bgledger_tests::binary::bgledger().display(),
        path.with_file_name("up").display()
    );
    let outer = Wrapper::start(&path, &["--label", "outer", "--", "sh", "-c", &script]);
    until("the inner command runs", || size(&path.with_file_name("up")) > 0);
    let outer_number = number_of(&path, "outer");
    let inner = answer(&bgledger(&path, &["list", "--label", "inner"]))["tasks"][0].clone();
    let outer_id = answer(&bgledger(&path, &["show", &outer_number]))["task"]["id"].clone();
    assert_eq!(inner["parent"], outer_id, "a run inside a run is its child");
    let waited = bgledger(&path, &["cancel", "--wait", &outer_number]);
    assert_eq!(waited.status.code(), Some(0), "{waited:?}");
    assert!(!outer.wait().success());
    until("the inner task has ended", || {
        answer(&bgledger(&path, &["show", &inner["number"].to_string()]))["task"]["ended_at"].is_string()
    });
    let inner = answer(&bgledger(&path, &["show", &inner["number"].to_string()]))["task"].clone();
    assert_eq!(inner["status"], "cancelled");
    let refused = bgledger(&path, &["create", "--label", "late", "--parent", &outer_number]);
    assert_eq!(refused.status.code(), Some(4));
    let error: Value = serde_json::from_slice(&refused.stderr).expect("JSON");
    assert_eq!(error["error"]["code"], "ancestor_cancelled");
    let none = Command::new("pgrep").args(["-f", &path.with_file_name("up").display().to_string()]).output();
    assert!(none.is_ok_and(|none| none.stdout.is_empty()), "nothing of it is left running");
    assert_sound(&path);
}
