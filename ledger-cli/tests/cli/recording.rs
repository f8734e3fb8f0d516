//! The verbs that record and read.

use crate::scene::{Scene, done};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

#[test]
fn a_life_from_creation_to_end_and_every_call_may_be_repeated() {
    let scene = Scene::new();
    let create = ["create", "--label", "report", "--run-id", "r1", "--metadata", "n=1", "--metadata", "w=x y"];
    let created = scene.json(&create);
    assert_eq!((&created["created"], &created["task"]["status"]), (&json!(true), &json!("queued")));
    assert_eq!(created["task"]["metadata"], json!({"n": 1, "w": "x y"}));
    assert_eq!(scene.json(&create)["created"], false);
    assert_eq!(scene.json(&["start", "run:r1", "--lease", "60"])["task"]["lease"], 60_000);
    let progress =
        scene.json(&["progress", "r1", "reading", "--current", "3", "--total", "10", "--waiting-on", "input"]);
    assert_eq!(progress["task"]["waiting_on"], "input");
    assert_eq!(scene.json(&["heartbeat", "#1"])["cancel_requested"], false);
    let finish = ["finish", "1", "--status", "succeeded", "--summary", "done", "--result", "{\"a\": [1,\n2]}"];
    assert_eq!(scene.json(&finish)["changed"], true);
    let again = scene.json(&finish);
    assert_eq!((&again["changed"], &again["task"]["result"]), (&json!(false), &json!({"a": [1, 2]})));
    let types: Vec<Value> =
        scene.json(&["history", "1"])["events"].as_array().unwrap().iter().map(|e| e["type"].clone()).collect();
    assert_eq!(types, ["created", "started", "progress", "finished"]);
}

#[test]
fn quiet_prints_the_id_alone() {
    let scene = Scene::new();
    let created = scene.run(["create", "--label", "x", "--quiet"]);
    let id = created.out.trim_end().to_owned();
    assert_eq!(created.out, format!("{id}\n"));
    assert_eq!(scene.task(&id)["number"], 1);
    assert_eq!(scene.run(["list", "-q"]).out, created.out);
}

#[test]
fn every_class_of_errors_has_its_exit_code_and_its_json() {
    let scene = Scene::new();
    std::fs::write(scene.path("other"), "this is no ledger, and long enough to be told apart").unwrap();
    let other = scene.path("other").display().to_string();
    let cases: [(&[&str], i32, &str); 10] = [
        (&["list"], 3, "no_ledger"),
        (&["create", "--label", "x"], 0, ""),
        (&["create", "--label", ""], 2, "invalid_value"),
        (&["list", "--bogus"], 2, "invalid_value"),
        (&["list", "--limit", "0"], 2, "invalid_value"),
        (&["show", "99"], 3, "not_found"),
        (&["progress", "1", "x"], 4, "not_started"),
        (&["config", "get", "no.such.key"], 3, "unknown_key"),
        (&["wait", "1", "--timeout", "10ms"], 124, "wait_timed_out"),
        (&["--ledger", &other, "list"], 8, "not_a_ledger"),
    ];
    for (arguments, code, word) in cases {
        let told = scene.run(arguments);
        assert_eq!(told.code, code, "{arguments:?}: {told:?}");
        let told = scene.run(["--json"].iter().chain(arguments));
        assert_eq!(told.code, code, "{arguments:?}: {told:?}");
        if code != 0 {
            let error: Value = serde_json::from_str(&told.err).unwrap();
            assert_eq!(error["error"]["code"], word, "{arguments:?}");
            assert!(error["error"]["message"].is_string() && error["error"].get("hint").is_some(), "{error}");
            assert_eq!(told.out, "");
        }
    }
}

#[test]
fn an_argument_that_is_not_text_is_named() {
    let scene = Scene::new();
    let bad = OsStr::from_bytes(b"--label=\xff");
    let told = scene.run([OsStr::new("create"), bad]);
    assert_eq!(told.code, 2);
    assert!(told.err.contains(r"--label=\xFF") && told.err.contains("UTF-8"), "{told:?}");
    // A command may hold any bytes.
    let ran = scene.run([OsStr::new("run"), OsStr::new("true"), OsStr::from_bytes(b"\xff")]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn recorded_text_cannot_steer_a_terminal() {
    let scene = Scene::new();
    let evil = "a\u{1b}[2J\u{202e}b\nc";
    scene.json(&["create", "--label", evil, "--task", evil, "--status", "failed", "--error", evil]);
    for verb in [&["list"][..], &["show", "1"], &["history", "1"], &["tree", "1"], &["wait", "1"]] {
        let shown = scene.run(verb.iter().chain(&["--color", "never"]));
        assert!(!shown.out.contains(['\u{1b}', '\u{202e}']), "{verb:?}: {shown:?}");
    }
    assert!(scene.run(["list"]).out.contains("a\\u{1b}[2J\\u{202e}b\\nc"));
}

#[test]
fn a_reader_that_goes_away_ends_a_list_quietly() {
    let scene = Scene::new();
    let many: String =
        (0..300).map(|n| format!("{{\"create\": {{\"label\": \"{n} {}\"}}}}\n", "x".repeat(400))).collect();
    std::fs::write(scene.path("many"), many).unwrap();
    let input = std::fs::File::open(scene.path("many")).unwrap();
    assert!(scene.command(["call", "--durability", "relaxed"]).stdin(input).output().unwrap().status.success());
    let mut list = scene.spawn(["list", "--limit", "300"]);
    let mut beginning = [0_u8; 1];
    let mut out = list.stdout.take().unwrap();
    out.read_exact(&mut beginning).unwrap();
    drop(out);
    let list = done(list);
    assert_eq!((list.code, list.err.as_str()), (0, ""));
}

#[test]
fn colour_is_never_alone_and_only_where_wanted() {
    let scene = Scene::new();
    scene.json(&["create", "--label", "x", "--status", "failed"]);
    let (plain, coloured) = (scene.run(["list"]).out, scene.run(["list", "--color", "always"]).out);
    assert!(plain.contains("✗ failed") && !plain.contains('\u{1b}'), "{plain}");
    assert!(coloured.contains("\u{1b}[31m✗ failed\u{1b}[0m"), "{coloured:?}");
}

#[test]
fn lists_go_on_where_they_ended() {
    let scene = Scene::new();
    for label in ["a", "b", "c"] {
        scene.json(&["create", "--label", label]);
    }
    let first = scene.json(&["list", "--limit", "2"]);
    let next = first["next"].as_str().unwrap().to_owned();
    let second = scene.json(&["list", "--limit", "2", "--after", &next]);
    assert_eq!((&second["tasks"][0]["label"], &second["next"]), (&json!("a"), &Value::Null));
    assert_eq!(
        scene.json(&["list", "--status", "queued,running", "--label", "b"])["tasks"].as_array().unwrap().len(),
        1
    );
    let hint = scene.run(["list", "--limit", "2"]).err;
    assert!(hint.contains(&format!("--after {next}")), "{hint}");
}

#[test]
fn a_cancel_of_what_ended_otherwise_is_refused() {
    let scene = Scene::new();
    scene.json(&["create", "--label", "x", "--status", "succeeded"]);
    let told = scene.run(["cancel", "1", "--json"]);
    let answer: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((told.code, &answer["cancel"]), (4, &json!("already")));
    scene.json(&["create", "--label", "y"]);
    assert_eq!(scene.json(&["cancel", "2"])["cancel"], "cancelled");
    assert_eq!(scene.run(["cancel", "2"]).code, 0, "cancelled is cancelled");
}

#[test]
fn a_cancel_of_what_ended_is_done_where_it_reached_something_below() {
    let scene = Scene::new();
    scene.json(&["create", "--label", "top"]);
    scene.json(&["create", "--label", "below", "--parent", "1"]);
    scene.json(&["finish", "1", "--status", "succeeded"]);
    let told = scene.run(["cancel", "1", "--json"]);
    let answer: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((told.code, &answer["cancel"]), (0, &json!("already")));
    assert_eq!(answer["descendants"], json!([{"number": 2, "cancel": "cancelled"}]));
    assert_eq!(scene.task("1")["status"], "succeeded");
    scene.json(&["create", "--label", "later", "--parent", "1"]);
    let told = scene.run(["cancel", "1"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.out.contains("1 task below it was reached"), "{told:?}");
    assert_eq!(scene.run(["cancel", "1"]).code, 4, "nothing is left to be reached");
}

#[test]
fn policy_is_set_read_and_unset() {
    let scene = Scene::new();
    let origin = |reply: Value| reply["config"]["audit.queued"]["origin"].clone();
    assert_eq!(origin(scene.json(&["config", "set", "audit.queued", "2h"])), "ledger");
    assert_eq!(origin(scene.json(&["config", "get"])), "ledger");
    assert_eq!(origin(scene.json(&["config", "unset", "audit.queued"])), "default");
}

#[test]
fn a_sound_ledger_is_told_to_be_sound() {
    let scene = Scene::new();
    scene.run(["run", "true"]);
    assert_eq!(scene.json(&["doctor"])["healthy"], true);
    assert_eq!(scene.json(&["verify"])["ok"], true);
    assert_eq!(scene.json(&["audit"])["summary"]["total"], 0);
    assert_eq!(scene.json(&["maintenance"])["applied"], false);
    assert_eq!(scene.json(&["stats"])["by_status"]["succeeded"], 1);
    for verb in ["doctor", "verify", "audit", "maintenance", "stats", "config"] {
        assert_eq!(scene.run([verb]).code, 0, "{verb}");
    }
}
