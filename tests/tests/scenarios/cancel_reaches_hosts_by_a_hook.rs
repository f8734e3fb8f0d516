//! Where the ledger cannot reach the work itself, the hook of its runtime is told of a cancel.

use bgledger_tests::history::assert_sound;
use bgledger_tests::json;
use bgledger_tests::pipe;
use bgledger_tests::scratch::Scratch;
use bgledger_tests::until::until;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn told(ledger: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = pipe::command(ledger).arg("--json").args(arguments).output().expect("it runs");
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    (output.status.code(), json::parse(&String::from_utf8_lossy(&text)).expect("JSON"))
}

fn remote(ledger: &Path, label: &str, more: &[&str]) {
    let (exit, _) = told(ledger, &[&["create", "--label", label, "--runtime", "acp", "--start"], more].concat());
    assert_eq!(exit, Some(0));
}

#[test]
fn a_hook_is_given_each_task_that_goes_on() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let got = path.with_file_name("got");
    // As a host would: it stops the work, and says so itself.
    let hook = format!("cat >> {}", got.display());
    assert_eq!(told(&path, &["config", "set", "cancel_hook.acp", &hook]).0, Some(0));
    remote(&path, "above", &[]);
    remote(&path, "below", &["--parent", "1"]);
    told(&path, &["create", "--label", "waits", "--runtime", "acp", "--parent", "1"]);
    told(&path, &["create", "--label", "another runtime", "--runtime", "subagent", "--start", "--parent", "1"]);
    let (exit, reply) = told(&path, &["cancel", "1", "--why", "enough"]);
    assert_eq!((exit, &reply["cancel"]), (Some(0), &json!("requested")));
    let mut hooks: Vec<String> = reply["hooks"].as_array().expect("hooks").iter().map(Value::to_string).collect();
    hooks.sort();
    assert_eq!(hooks, [r#"{"number":1,"problem":null}"#, r#"{"number":2,"problem":null}"#]);
    let bodies = fs::read_to_string(&got).expect("bodies");
    let mut tasks: Vec<Value> = bodies.lines().map(|line| json::parse(line).expect("JSON")).collect();
    tasks.sort_by_key(|task| task["number"].as_u64());
    let seen = |task: &Value| (task["label"].clone(), task["status"].clone(), task["cancel"]["why"].clone());
    assert_eq!(seen(&tasks[0]), (json!("above"), json!("running"), json!("enough")));
    assert_eq!((tasks.len(), &tasks[1]["label"]), (2, &json!("below")));
    assert_sound(&path);
}

#[test]
fn a_hook_that_fails_or_hangs_is_told_and_changes_nothing() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    remote(&path, "first", &[]);
    told(&path, &["config", "set", "cancel_hook.acp", "exit 3"]);
    let (_, reply) = told(&path, &["cancel", "1"]);
    assert_eq!(reply["hooks"], json!([{"number": 1, "problem": "exit code 3"}]));
    let pid = path.with_file_name("pid");
    told(&path, &["config", "set", "cancel_hook.acp", &format!("sleep 600 & echo $! > {}; wait", pid.display())]);
    let (exit, reply) = told(&path, &["cancel", "1"]);
    assert_eq!((exit, &reply["hooks"][0]["problem"]), (Some(0), &json!("it took more than 10 s")));
    let sleeper = fs::read_to_string(&pid).expect("a pid");
    until("what it started is gone", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", sleeper.trim())).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
    assert_eq!(told(&path, &["show", "1"]).1["task"]["status"], "running");
    assert_sound(&path);
}

#[test]
fn a_hook_is_the_operators_to_set() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    remote(&path, "first", &[]);
    for (arguments, exit) in [
        (&["config", "set", "cancel_hook.acp", "  "][..], 2),
        (&["config", "set", "cancel_hook.Not A Word", "true"], 3),
        (&["--owner", "somebody", "config", "set", "cancel_hook.acp", "true"], 2),
    ] {
        let (told, error) = told(&path, arguments);
        assert_eq!(told, Some(exit), "{arguments:?}: {error}");
    }
    assert_eq!(told(&path, &["cancel", "1"]).1["hooks"], json!([]));
}
