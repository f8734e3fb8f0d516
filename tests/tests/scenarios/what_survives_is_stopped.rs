//! A killed wrapper's command runs on: nobody ends its task for good before that command is stopped.

use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::pipe::{self, Wrapper};
use bgledger_tests::scratch::Scratch;
use bgledger_tests::until::until;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

fn answer(ledger: &Path, arguments: &[&str]) -> Value {
    let output = pipe::command(ledger).arg("--json").args(arguments).output().expect("it runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn signal(wrapper: &Wrapper, name: &str) {
    let sent = Command::new("kill").args([name, &wrapper.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

/// A wrapper that is stopped before it can do anything about its command, which writes to a file all the time.
fn frozen(ledger: &Path, options: &[&str]) -> (Wrapper, PathBuf) {
    let ticks = ledger.with_file_name("ticks");
    let script = format!("for n in $(seq 4000); do echo tick >> {}; sleep 0.02; done", ticks.display());
    let wrapper = Wrapper::start(ledger, &[options, &["--", "sh", "-c", &script]].concat());
    until("the command ticks", || size(&ticks) > 10);
    signal(&wrapper, "-STOP");
    (wrapper, ticks)
}

fn assert_ticks_on(ticks: &Path) {
    let before = size(ticks);
    until("the command ticks on", || size(ticks) > before);
}

/// A writer who sweeps settles nothing for good; maintenance stops the command first, as its preview says.
fn assert_stopped_before_it_is_settled(path: &Path, ticks: &Path, status: &str) {
    ask_sqlite(path, "UPDATE meta SET value = 0 WHERE key = 'swept_at'");
    answer(path, &["create", "--label", "sweeps"]);
    assert_ne!(ask_sqlite(path, "SELECT value FROM meta WHERE key = 'swept_at'"), "0", "it was swept");
    let left = answer(path, &["show", "1"])["task"].clone();
    assert_eq!(left["status"], "running", "the command runs, and so does the task: {left}");
    let audit = pipe::command(path).args(["--json", "audit"]).output().expect("it runs");
    let audit: Value = serde_json::from_slice(&audit.stdout).expect("JSON");
    let finding = &audit["findings"][0];
    assert_eq!((&finding["code"], &finding["remedy"]), (&json!("executor_gone"), &json!("auto")), "{audit}");
    assert!(finding["evidence"].is_object(), "{finding}");
    assert_ticks_on(ticks);
    let preview = answer(path, &["maintenance"]);
    assert_ticks_on(ticks);
    let applied = answer(path, &["maintenance", "--apply"]);
    assert_eq!(applied["changes"], preview["changes"]);
    assert_eq!(applied["changes"][0]["to"], status, "{applied}");
    let before = size(ticks);
    sleep(Duration::from_millis(300));
    assert_eq!(size(ticks), before, "the command writes on");
    assert_eq!(answer(path, &["show", "1"])["task"]["reason"], "executor_gone");
    assert_eq!(answer(path, &["maintenance", "--apply"])["changes"], json!([]), "a second pass changes nothing");
    assert_sound(path);
}

#[test]
fn a_cancelled_task_of_a_killed_wrapper_is_not_over_while_its_command_runs() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let (wrapper, ticks) = frozen(&path, &[]);
    assert_eq!(answer(&path, &["cancel", "1"])["cancel"], "requested");
    wrapper.kill();
    assert_stopped_before_it_is_settled(&path, &ticks, "cancelled");
}

#[test]
fn an_overdue_task_of_a_killed_wrapper_is_not_over_while_its_command_runs() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let (wrapper, ticks) = frozen(&path, &["--timeout", "3s"]);
    wrapper.kill();
    sleep(Duration::from_secs(3));
    assert_stopped_before_it_is_settled(&path, &ticks, "timed_out");
}

/// Stopping what survives takes a second look at the tree: the answer still names all that the first one reached.
#[test]
fn a_cancel_that_stops_a_surviving_command_names_every_descendant() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let (wrapper, _) = frozen(&path, &[]);
    answer(&path, &["create", "--label", "below", "--parent", "1"]);
    wrapper.kill();
    let cancelled = answer(&path, &["cancel", "1"]);
    assert_eq!(cancelled["cancel"], "executor_gone", "{cancelled}");
    assert_eq!(cancelled["descendants"], json!([{"number": 2, "cancel": "cancelled"}]));
    assert_sound(&path);
}

/// The same the other way round: what was cancelled at once is not `already` because of what survived below it.
#[test]
fn a_queued_task_above_a_surviving_command_is_cancelled() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    answer(&path, &["create", "--label", "above"]);
    let (wrapper, _) = frozen(&path, &["--parent", "1"]);
    wrapper.kill();
    let cancelled = answer(&path, &["cancel", "1"]);
    assert_eq!(cancelled["cancel"], "cancelled", "{cancelled}");
    assert_eq!(cancelled["descendants"], json!([{"number": 2, "cancel": "executor_gone"}]));
    assert_sound(&path);
}

/// A host that registered the group of its worker, and nobody outside of it: the canceller stops it.
#[test]
fn a_group_without_a_wrapper_is_stopped_by_the_canceller() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let ticks = path.with_file_name("ticks");
    let script = format!("(for n in $(seq 4000); do echo tick >> {}; sleep 0.02; done) & wait", ticks.display());
    let mut worker = Command::new("setsid").args(["sh", "-c", &script]).spawn().expect("setsid is installed");
    until("the command ticks", || size(&ticks) > 10);
    let pid = worker.id().to_string();
    answer(&path, &["create", "--label", "a worker", "--start", "--pid", &pid, "--group", &pid]);
    // Somebody else's group has nothing to do with it.
    let mut neighbour = Command::new("setsid").args(["sleep", "600"]).spawn().expect("it starts");
    let cancelled = answer(&path, &["cancel", "1"]);
    assert_eq!(cancelled["task"]["status"], "cancelled", "{cancelled}");
    let before = size(&ticks);
    sleep(Duration::from_millis(300));
    assert_eq!(size(&ticks), before, "the command writes on");
    assert!(neighbour.try_wait().expect("a look").is_none(), "a neighbour was touched");
    neighbour.kill().and_then(|()| neighbour.wait()).expect("it ends");
    worker.wait().expect("it ended");
    assert_sound(&path);
}

/// A live host outside of the group is told, and stops it in its own way.
#[test]
fn a_group_whose_host_lives_is_left_to_the_host() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let mut worker = Command::new("setsid").args(["sleep", "600"]).spawn().expect("setsid is installed");
    let (host, group) = (std::process::id().to_string(), worker.id().to_string());
    answer(&path, &["create", "--label", "a worker", "--start", "--pid", &host, "--group", &group]);
    let cancelled = answer(&path, &["cancel", "1"]);
    assert_eq!((&cancelled["cancel"], &cancelled["task"]["status"]), (&json!("requested"), &json!("running")));
    assert!(worker.try_wait().expect("a look").is_none(), "the host's worker was stopped");
    worker.kill().and_then(|()| worker.wait()).expect("it ends");
}
