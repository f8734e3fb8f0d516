//! A wall clock that jumps ends nobody's work: by time nothing is settled until an operator says that the clock is right.

use bgledger_tests::clocks::{Counts, play};
use bgledger_tests::dice::{Dice, count};
use bgledger_tests::json;
use bgledger_tests::pipe;
use bgledger_tests::scratch::Scratch;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn told(ledger: &Path, arguments: &[&str]) -> (i32, Value) {
    let output = pipe::command(ledger).arg("--json").args(arguments).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    (output.status.code().expect("a code"), json::parse(&text).unwrap_or(Value::Null))
}

/// Has the ledger have believed another time: as if the clock had jumped since by so much.
fn jump(ledger: &Path, by: i64) {
    let edit = format!(
        "UPDATE meta SET value = json_set(value, '$.wall', json_extract(value, '$.wall') - {by}) WHERE key = 'clock';
         UPDATE meta SET value = 0 WHERE key = 'swept_at'"
    );
    let done = Command::new("sqlite3").arg(ledger).arg(edit).status().expect("sqlite3 is installed");
    assert!(done.success());
}

/// Records a task whose executor is dead when this returns.
fn orphan(ledger: &Path) -> Value {
    let script = "$BIN --ledger $DB --quiet create --label orphan --start --pid $$";
    let mut shell = Command::new("sh");
    shell
        .env("XDG_CONFIG_HOME", "/dev/null")
        .args(["-c", script])
        .stdout(Stdio::null())
        .env("BIN", pipe::command(ledger).get_program())
        .env("DB", ledger);
    assert!(shell.status().expect("it runs").success());
    told(ledger, &["show", "1"]).1["task"].clone()
}

#[test]
fn after_a_jump_nothing_is_reaped_until_an_operator_confirms() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    assert_eq!(orphan(&path)["status"], "running");
    for by in [3 * DAY_MS, -3 * DAY_MS] {
        jump(&path, by);
        let (exit, report) = told(&path, &["maintenance"]);
        assert_eq!((exit, &report["changes"]), (0, &Value::Array(vec![])), "{report}");
        assert_eq!(report["held"]["ahead"], by > 0);
        let (exit, report) = told(&path, &["maintenance", "--apply"]);
        assert_eq!((exit, &report["applied"]), (4, &Value::Bool(false)), "{report}");
        // The sweep of a writer in passing is held as well.
        assert_eq!(told(&path, &["create", "--label", "in passing"]).0, 0);
        assert_eq!(told(&path, &["show", "1"]).1["task"]["status"], "running");
        let (exit, audit) = told(&path, &["audit", "--code", "clock_jump"]);
        assert_eq!((exit, audit["findings"].as_array().map(Vec::len)), (6, Some(1)), "{audit}");
        jump(&path, -by);
    }
    jump(&path, 3 * DAY_MS);
    let (exit, report) = told(&path, &["--owner", "somebody", "maintenance", "--apply", "--confirm-clock"]);
    assert_ne!(exit, 0, "the clock is the operator's to confirm: {report}");
    let (exit, report) = told(&path, &["maintenance", "--apply", "--confirm-clock"]);
    assert_eq!(
        (exit, &report["held"], report["changes"][0]["to"].as_str()),
        (0, &Value::Null, Some("lost")),
        "{report}"
    );
    let (exit, audit) = told(&path, &["audit", "--code", "clock_jump"]);
    assert_eq!((exit, audit["findings"].as_array().map(Vec::len)), (0, Some(0)), "{audit}");
}

#[test]
fn a_clock_that_walks_is_believed() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    orphan(&path);
    jump(&path, DAY_MS / 2);
    let (exit, report) = told(&path, &["maintenance", "--apply"]);
    assert_eq!(
        (exit, &report["held"], report["changes"][0]["to"].as_str()),
        (0, &Value::Null, Some("lost")),
        "{report}"
    );
}

/// The core's own rules under simulated clocks: `tests/src/clocks.rs`.
#[test]
fn simulated_clocks_end_no_live_work_and_find_who_is_dead() {
    const TOGETHER: usize = 20;
    let tasks = count("BGLEDGER_CLOCK_TASKS", 3_000);
    let mut dice = Dice::new(Dice::seed("BGLEDGER_CLOCK_SEED", 1));
    let mut counts = Counts::default();
    while counts.tasks < tasks as u64 {
        counts.add(play(&mut dice, TOGETHER));
    }
    eprintln!("{counts:?}");
    let happened = [counts.steps, counts.suspends, counts.boots, counts.pauses, counts.held, counts.found, counts.late];
    assert!(happened.iter().all(|count| *count > 0), "{counts:?}");
    assert!(counts.found * 10 > counts.died * 9, "who is dead is found: {counts:?}");
}
