//! What other programs use: `call`, `wait`, `watch`, schemas, completions, manual pages.

use crate::scene::{Scene, done};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

#[test]
fn call_answers_each_line_before_the_next_one_comes() {
    let scene = Scene::new();
    let mut call = scene.command(["call"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = call.stdin.take().unwrap();
    let mut output = BufReader::new(call.stdout.take().unwrap());
    let mut ask = |request: &[u8]| -> Value {
        input.write_all(request).unwrap();
        input.write_all(b"\n").unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    };
    let created = ask(br#"{"id": [7, "x"], "create": {"label": "a"}}"#);
    assert_eq!((&created["id"], &created["ok"]["task"]["runtime"]), (&json!([7, "x"]), &json!("cli")));
    assert_eq!(ask(b"not json")["error"]["code"], "invalid_request");
    assert_eq!(ask(b"\xff\xfe")["error"]["code"], "invalid_request");
    assert_eq!(ask(&vec![b' '; bgledger_core::bounds::REQUEST_BYTES + 1])["error"]["code"], "too_large");
    assert_eq!(ask(br#"{"start": {"lookup": 1}}"#)["ok"]["task"]["executor"], Value::Null);
    assert_eq!(ask(br#"{"id": 2, "show": {"lookup": 5}}"#)["error"]["code"], "not_found");
    assert_eq!(ask(br#"{"now": 1000, "list": {}}"#)["error"]["code"], "not_available");
    drop(input);
    assert!(call.wait().unwrap().success());
}

#[test]
fn wait_ends_with_the_tasks_and_says_whether_they_succeeded() {
    let scene = Scene::new();
    for _ in 0..2 {
        scene.json(&["create", "--label", "x", "--start"]);
    }
    let wait = scene.spawn(["--json", "wait", "1", "2"]);
    scene.json(&["finish", "1", "--status", "succeeded"]);
    scene.json(&["finish", "2", "--status", "failed", "--error", "no"]);
    let told = done(wait);
    let tasks: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((told.code, &tasks["tasks"][1]["status"]), (7, &json!("failed")));
    assert_eq!(scene.run(["wait", "1"]).code, 0);
}

#[test]
fn watch_tells_one_event_a_line_and_ends_with_its_task() {
    let scene = Scene::new();
    scene.json(&["create", "--label", "x", "--start"]);
    let watch = scene.spawn(["--json", "watch", "1", "--after", "0"]);
    scene.json(&["progress", "1", "half"]);
    scene.json(&["finish", "1", "--status", "canceled"]);
    scene.json(&["create", "--label", "another"]);
    let told = done(watch);
    let events: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!((told.code, types), (0, vec!["created", "started", "progress", "finished"]));
    let all = scene.run(["watch", "--after", "0", "--limit", "5"]);
    assert_eq!((all.code, all.out.lines().count()), (0, 5), "{all:?}");
}

#[test]
fn a_watch_whose_reader_has_gone_ends() {
    let scene = Scene::new();
    scene.json(&["create", "--label", "x"]);
    let mut watch = scene.spawn(["watch"]);
    drop(watch.stdout.take());
    let told = done(watch);
    assert_eq!((told.code, told.err.as_str()), (0, ""));
}

#[test]
fn schemas_completions_and_manual_pages_are_printed() {
    let scene = Scene::new();
    let schemas = scene.run(["schema"]);
    let schemas: Value = serde_json::from_str(&schemas.out).unwrap();
    for shape in ["request", "response", "task", "flow", "event", "error"] {
        assert!(schemas[shape].is_object(), "{shape}");
        let alone: Value = serde_json::from_str(&scene.run(["schema", shape]).out).unwrap();
        assert_eq!(alone, schemas[shape]);
    }
    let commands = schemas["request"]["oneOf"].as_array().unwrap().len();
    assert_eq!(commands, bgledger_core::CommandName::ALL.len());
    for shell in ["bash", "zsh", "fish"] {
        assert!(scene.run(["completions", shell]).out.contains("bgledger"), "{shell}");
    }
    assert!(scene.run(["man"]).out.contains(".TH"));
    let pages = scene.path("pages");
    assert_eq!(scene.run([std::ffi::OsStr::new("man"), pages.as_os_str()]).code, 0);
    assert!(std::fs::read_to_string(pages.join("bgledger-run.1")).unwrap().contains("BGLEDGER_TASK"));
    assert!(std::fs::read_to_string(pages.join("bgledger-flow-wait.1")).unwrap().contains("blocked"));
    let help = scene.run(["--help"]);
    assert_eq!((help.code, help.out.contains("Run and record:")), (0, true));
    assert!(help.out.starts_with("A durable ledger"), "{help:?}");
}

#[test]
fn an_export_may_come_through_a_pipe() {
    let (one, other) = (Scene::new(), Scene::new());
    one.json(&["create", "--label", "from afar"]);
    let lines = one.run(["export"]).out;
    let import = |text: &str| {
        let mut command = other.command(["import", "-"]);
        let mut child = command.env("TMPDIR", other.folder.path()).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        crate::scene::done(child)
    };
    let half = import(&lines[..lines.len() / 2]);
    assert!(half.code == 2 && half.err.contains("bgledger export"), "{half:?}");
    assert!(!other.path("ledger.db").exists(), "what is no whole export makes no ledger");
    let whole = import(&lines);
    assert!(whole.code == 0 && whole.out.contains("1  tasks, 1 new"), "{whole:?}");
    assert_eq!(other.task("1")["id"], one.task("1")["id"]);
    let left = std::fs::read_dir(other.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left.into_iter().any(|name| name.to_string_lossy().starts_with("bgledger-import")));
}
