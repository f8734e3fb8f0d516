//! `run`.

use crate::scene::{Scene, done, lives};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::os::unix::process::ExitStatusExt;

fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn a_command_that_succeeds_is_recorded_with_its_output_and_nothing_is_added_to_it() {
    let scene = Scene::new();
    let ran = scene.run(["run", "--", "sh", "-c", "echo hello; echo oops >&2"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "hello\n", "oops\n"));
    let task = scene.task("1");
    assert_eq!(task["status"], "succeeded");
    assert_eq!(task["exit_code"], 0);
    assert_eq!(task["runtime"], "cli");
    assert_eq!(task["label"], "sh -c 'echo hello; echo oops >&2'");
    assert_eq!(task["output"]["bytes"], 11);
    assert_eq!(task["attempt"], 1);
    assert!(task["executor"]["group"]["id"].is_u64(), "{task}");
}

#[test]
fn it_exits_as_the_command_and_records_how_that_ended() {
    let scene = Scene::new();
    std::fs::write(scene.path("plain"), "no program").unwrap();
    let plain = scene.path("plain").display().to_string();
    let cases: [(&[&str], i32, &str, &str); 6] = [
        (&["sh", "-c", "exit 7"], 7, "failed", "exit_code"),
        (&["sh", "-c", "kill -9 $$"], 137, "failed", "signal"),
        (&["sh", "-c", "kill -2 $$"], 130, "cancelled", "signal"),
        (&["--timeout", "100ms", "sleep", "600"], 124, "timed_out", "deadline"),
        (&[&plain], 126, "failed", "rejected"),
        (&["no-such-command-here"], 127, "failed", "rejected"),
    ];
    for (command, code, status, reason) in cases {
        let ran = scene.run(["run"].iter().chain(command));
        let task = scene.newest().unwrap();
        assert_eq!((ran.code, &task["status"], &task["reason"]), (code, &json!(status), &json!(reason)), "{command:?}");
        assert_eq!(ran.out, "");
    }
}

#[test]
fn what_cannot_be_recorded_is_not_run_unless_told() {
    let scene = Scene::new();
    std::fs::write(scene.path("other"), "this is no ledger, and long enough to be told apart").unwrap();
    let other = scene.path("other").display().to_string();
    let touch = scene.path("touched").display().to_string();
    let refused = scene.run(["--ledger", &other, "run", "touch", &touch]);
    assert_eq!(refused.code, 125, "{refused:?}");
    assert!(refused.err.starts_with("error: ") && refused.err.contains("hint: "), "{refused:?}");
    assert!(!scene.path("touched").exists());
    let ran = scene.run(["--ledger", &other, "run", "--best-effort", "touch", &touch]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("not recorded"), "{ran:?}");
    assert!(scene.path("touched").exists());
}

#[test]
fn a_task_that_was_cancelled_before_it_started_never_runs() {
    let scene = Scene::new();
    scene.json(&["create", "--label", "x", "--key", "k"]);
    scene.json(&["cancel", "1"]);
    let touch = scene.path("touched").display().to_string();
    for best_effort in [&[][..], &["--best-effort"]] {
        let options = ["run", "--key", "k", "--label", "x", "--task", "t"].iter().chain(best_effort);
        let refused = scene.run(options.copied().chain(["touch", &touch]));
        assert_eq!(refused.code, 125, "{refused:?}");
    }
    assert!(!scene.path("touched").exists());
}

#[test]
fn a_cancel_from_elsewhere_stops_the_grandchild_too() {
    let scene = Scene::new();
    let pid_file = scene.path("grandchild").display().to_string();
    let script = format!("sleep 600 & echo $! > {pid_file}; wait");
    let run = scene.spawn(["run", "--", "sh", "-c", &script]);
    let grandchild = scene.pid_in("grandchild");
    assert!(lives(grandchild));
    let cancelled = scene.json(&["cancel", "1", "--wait", "--why", "enough"]);
    assert_eq!(cancelled["cancel"], "cancelled");
    assert_eq!(cancelled["task"]["status"], "cancelled");
    assert_eq!(cancelled["task"]["cancel"]["by"], "tester");
    assert!(cancelled["task"]["cancel"]["told_at"].is_string(), "{cancelled}");
    assert_eq!(done(run).code, 143);
    assert!(!lives(grandchild));
}

#[test]
fn signals_are_passed_on_and_a_command_that_handles_them_ends_as_it_says() {
    let scene = Scene::new();
    for (script, code, status) in [("trap 'exit 0' TERM", 0, "succeeded"), (":", 143, "cancelled")] {
        let ready = scene.path("ready").display().to_string();
        let script = format!("{script}; echo $$ > {ready}; while :; do sleep 0.01; done");
        let run = scene.spawn(["run", "--", "sh", "-c", &script]);
        let command = scene.pid_in("ready");
        send(run.id(), Signal::TERM);
        assert_eq!(done(run).code, code);
        assert_eq!(scene.newest().unwrap()["status"], status);
        assert!(!lives(command));
        std::fs::remove_file(scene.path("ready")).unwrap();
    }
}

#[test]
fn a_killed_wrapper_is_found_out_and_its_command_stopped_by_the_canceller() {
    let scene = Scene::new();
    let pid_file = scene.path("command").display().to_string();
    let script = format!("echo $$ > {pid_file}; exec sleep 600");
    let mut run = scene.spawn(["run", "--lease", "1h", "--", "sh", "-c", &script]);
    let command = scene.pid_in("command");
    send(run.id(), Signal::KILL);
    assert_eq!(run.wait().unwrap().signal(), Some(9));
    scene.json(&["cancel", "1"]);
    assert!(!lives(command), "the canceller stays until the group is gone");
    // Whether the task is settled at once depends on who collects the dead leader: see `cancel` in the store.
    assert!(scene.task("1")["cancel"]["requested_at"].is_string());
}

#[test]
fn a_run_within_a_run_is_its_child_and_finds_its_task() {
    let scene = Scene::new();
    let program = env!("CARGO_BIN_EXE_bgledger");
    let inner =
        format!("{program} progress $BGLEDGER_TASK half --current 1 --total 2 --quiet && {program} run -- true");
    let ran = scene.run(["run", "--label", "outer", "--", "sh", "-c", &inner]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let (outer, inner) = (scene.task("1"), scene.task("2"));
    assert_eq!(outer["progress"]["text"], "half");
    assert_eq!(inner["parent"], outer["id"]);
    assert_eq!(outer["id"].as_str(), Some(ran.out.trim()));
    let tree = scene.json(&["tree", "1"]);
    assert_eq!(tree["children"][0]["task"]["number"], 2);
}

#[test]
fn quiet_and_json_speak_on_stderr_and_leave_stdout_to_the_command() {
    let scene = Scene::new();
    let quiet = scene.run(["run", "--quiet", "echo", "a"]);
    assert_eq!((quiet.out.as_str(), quiet.err.trim()), ("a\n", scene.task("1")["id"].as_str().unwrap()));
    let json = scene.run(["run", "--json", "echo", "--json"]);
    assert_eq!(json.out, "--json\n");
    let told: serde_json::Value = serde_json::from_str(&json.err).unwrap();
    assert_eq!(told["task"]["status"], "succeeded");
}

#[test]
fn the_tail_of_much_output_is_kept_as_text() {
    let scene = Scene::new();
    let ran = scene.run(["run", "--output-tail", "5", "--", "printf", "0123456789\\0ab\\303\\244"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let output = scene.task("1")["output"].clone();
    assert_eq!(output, json!({"tail": "\u{fffd}abä", "bytes": 15, "truncated": true}));
}

#[test]
fn a_cancel_reaches_a_run_within_a_run_even_where_sigterm_is_ignored() {
    let scene = Scene::new();
    let (program, pid_file) = (env!("CARGO_BIN_EXE_bgledger"), scene.path("inner").display().to_string());
    let stubborn = format!("trap '' TERM; echo $$ > {pid_file}; while :; do sleep 0.01; done");
    let outer = scene.spawn(["run", "--", program, "run", "--", "sh", "-c", &stubborn]);
    let inner = scene.pid_in("inner");
    let cancelled = scene.json(&["cancel", "1", "--wait"]);
    assert_eq!(cancelled["descendants"][0]["number"], 2);
    assert_eq!(done(outer).code, 137, "the inner run exits as its command, the outer as the inner");
    assert!(!lives(inner));
    for number in ["1", "2"] {
        let task = scene.task(number);
        assert_eq!((&task["status"], &task["reason"]), (&json!("cancelled"), &json!("requested")), "{task}");
    }
}

#[test]
fn the_run_ends_with_its_command_though_a_grandchild_holds_the_pipe() {
    let scene = Scene::new();
    let pid_file = scene.path("holder").display().to_string();
    let ran = scene.run(["run", "--", "sh", "-c", &format!("sleep 600 & echo $! > {pid_file}; echo out")]);
    let holder = scene.pid_in("holder");
    assert_eq!((ran.code, ran.out.as_str()), (0, "out\n"));
    assert_eq!(scene.task("1")["status"], "succeeded");
    assert!(lives(holder), "what was left behind is left alone");
    send(holder, Signal::KILL);
}
