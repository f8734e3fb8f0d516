//! `bgledger run` while its ledger fails, while it is told to end, and after somebody else took its task over.

use bgledger_tests::fault::{Calls, Fault, Faults};
use bgledger_tests::history::assert_sound;
use bgledger_tests::pipe;
use bgledger_tests::scratch::Scratch;
use bgledger_tests::until::until;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

fn answer(ledger: &Path, arguments: &[&str]) -> Value {
    let output = pipe::command(ledger).arg("--json").args(arguments).output().expect("it runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The tasks of the runs: the first one made the ledger.
fn tasks(ledger: &Path) -> Vec<Value> {
    let mut tasks = answer(ledger, &["list"])["tasks"].as_array().expect("tasks").clone();
    tasks.retain(|task| task["label"] != "first");
    tasks
}

fn spawn(run: &mut Command) -> Child {
    run.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// A ledger, and a `run` of which every write fails after the first `after`.
struct Stage {
    path: PathBuf,
    faults: Faults,
    _scratch: Scratch,
}

impl Stage {
    fn new(after: u32, fault: Fault) -> Stage {
        let scratch = Scratch::in_memory();
        let path = scratch.ledger();
        // The ledger is there: what fails is recording in it.
        answer(&path, &["create", "--label", "first"]);
        let faults = Faults::new(path.with_file_name("faults"));
        faults.order(Calls::Write, after, fault);
        Stage { path, faults, _scratch: scratch }
    }

    fn run(&self, arguments: &[&str]) -> Child {
        let mut run = pipe::command(&self.path);
        self.faults.govern(&mut run);
        spawn(run.arg("run").args(arguments))
    }

    /// The fault passes as soon as it has struck.
    fn relent_when_struck(&self, run: &mut Child) {
        while self.faults.struck() == 0 && run.try_wait().expect("a child").is_none() {
            sleep(Duration::from_millis(1));
        }
        self.faults.relent();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Plays a run against the fault at the first write, the second and so on, until one meets none.
fn at_each_write(fault: Fault, options: &[&str], mut met: impl FnMut(&Stage, Output)) {
    for after in 0..200 {
        let stage = Stage::new(after, fault);
        let mut run = stage.run(&[options, &["--", "true"]].concat());
        stage.relent_when_struck(&mut run);
        let struck = stage.faults.struck();
        let output = run.wait_with_output().expect("it ends");
        assert_sound(&stage.path);
        if struck == 0 {
            assert!(after > 3, "a run writes several pages; {after} writes were seen");
            assert_eq!((output.status.code(), &tasks(&stage.path)[0]["status"]), (Some(0), &json!("succeeded")));
            return;
        }
        met(&stage, output);
    }
    panic!("a run that writes without end");
}

#[test]
fn a_command_whose_start_cannot_be_recorded_is_not_run_and_its_task_says_so() {
    let mut rejected = 0;
    at_each_write(Fault::NoSpace, &[], |stage, output| {
        let tasks = tasks(&stage.path);
        let ends: Vec<_> = tasks.iter().map(|task| (&task["status"], &task["reason"])).collect();
        match output.status.code() {
            Some(125) if ends.is_empty() => {}
            Some(125) => {
                assert_eq!(ends, [(&json!("failed"), &json!("rejected"))], "{tasks:?}");
                rejected += 1;
            }
            Some(0) => assert_eq!(ends, [(&json!("succeeded"), &Value::Null)], "{tasks:?}"),
            other => panic!("{other:?}: {}", text(&output.stderr)),
        }
    });
    assert!(rejected > 0, "a start met the fault");
}

/// Whether the start took effect is not known: asked again, the ledger says so, and nobody is lost.
#[test]
fn a_start_that_may_have_been_recorded_is_asked_for_again() {
    let mut ran = 0;
    at_each_write(Fault::Io, &[], |stage, output| {
        let tasks = tasks(&stage.path);
        match output.status.code() {
            Some(0) => {
                assert_eq!(tasks[0]["status"], "succeeded", "{tasks:?}");
                ran += 1;
            }
            // The disk refused before there was anything to be in doubt about.
            Some(125) => assert!(tasks.iter().all(|task| task["reason"] == "rejected"), "{tasks:?}"),
            other => panic!("{other:?}: {}", text(&output.stderr)),
        }
    });
    assert!(ran > 0, "a start met the fault");
}

#[test]
fn a_best_effort_run_is_recorded_once_the_ledger_can_be_written_again() {
    let (mut late, mut early) = (0, 0);
    at_each_write(Fault::NoSpace, &["--best-effort"], |stage, output| {
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        match tasks(&stage.path).as_slice() {
            [] => early += 1,
            [task] => {
                assert_eq!((&task["status"], &task["attempt"]), (&json!("succeeded"), &json!(1)), "{task}");
                late += usize::from(text(&output.stderr).contains("the start is not recorded yet"));
            }
            more => panic!("{more:?}"),
        }
    });
    assert!(late > 0 && early > 0, "both the creation and the start met the fault: {early}, {late}");
}

/// The start is recorded while the command runs, not only with its end: then it can be cancelled like any other.
#[test]
fn a_best_effort_run_makes_up_for_its_start() {
    for after in 0..200 {
        let stage = Stage::new(after, Fault::NoSpace);
        let mut run = stage.run(&["--best-effort", "--", "sleep", "60"]);
        stage.relent_when_struck(&mut run);
        if tasks(&stage.path).is_empty() {
            let _ = Command::new("kill").arg(run.id().to_string()).status();
            run.wait().expect("it ends");
            continue;
        }
        until("it runs", || tasks(&stage.path)[0]["status"] == "running");
        assert_eq!(answer(&stage.path, &["cancel", "--wait", "2"])["cancel"], "cancelled");
        let output = run.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(143));
        if text(&output.stderr).contains("the start is not recorded yet") {
            return;
        }
    }
    panic!("no start met the fault");
}

/// A signal that comes before the command is executed ends the task too.
#[test]
fn a_run_that_is_told_to_end_before_its_command_leaves_no_queued_task() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    answer(&path, &["create", "--label", "first"]);
    let outside = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a connection");
    outside.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let touched = path.with_file_name("touched");
    let run = spawn(pipe::command(&path).args(["run", "touch"]).arg(&touched));
    sleep(Duration::from_millis(500));
    assert!(Command::new("kill").arg(run.id().to_string()).status().expect("kill runs").success());
    sleep(Duration::from_millis(200));
    outside.execute_batch("ROLLBACK").expect("the lock given back");
    let output = run.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(143), "{}", text(&output.stderr));
    let task = &tasks(&path)[0];
    assert_eq!((&task["status"], &task["reason"]), (&json!("cancelled"), &json!("signal")), "{task}");
    assert!(!touched.exists());
    drop(outside);
    assert_sound(&path);
}

/// Two executors of one task are one too many: the one that was taken over from stops.
#[test]
fn a_run_whose_task_was_taken_over_stops_its_command() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let ready = path.with_file_name("ready");
    let script = format!("echo up > {}; exec sleep 600", ready.display());
    let run = spawn(pipe::command(&path).args(["run", "--", "sh", "-c", &script]));
    until("the command runs", || fs::metadata(&ready).is_ok_and(|found| found.len() > 0));
    answer(&path, &["settle", "1", "--status", "lost", "--why", "nobody heard of it"]);
    answer(&path, &["start", "1"]);
    let output = run.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(143), "as the command that was stopped");
    let said = text(&output.stderr);
    assert!(said.contains("the command is stopped") && said.contains("attempt 2"), "{said}");
    let task = &tasks(&path)[0];
    assert_eq!((&task["status"], &task["attempt"]), (&json!("running"), &json!(2)), "the other attempt runs on");
    assert_sound(&path);
}
