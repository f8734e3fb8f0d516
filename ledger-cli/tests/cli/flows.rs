//! Flows: moved by their controllers, joined by tasks, cancelled with them.

use crate::scene::Scene;
use serde_json::{Value, json};

/// Runs a verb that must be refused: its exit code and the error's word.
fn refused(scene: &Scene, arguments: &[&str]) -> (i32, String) {
    let told = scene.run(["--json"].iter().chain(arguments));
    assert_eq!(told.out, "", "{arguments:?}");
    let error: Value = serde_json::from_str(&told.err).unwrap();
    (told.code, error["error"]["code"].as_str().unwrap().to_owned())
}

fn create(scene: &Scene) -> Value {
    scene.json(&["flow", "create", "--goal", "release", "--controller", "bot"])
}

#[test]
fn a_controller_moves_its_flow_from_step_to_step() {
    let scene = Scene::new();
    let started = ["flow", "create", "--goal", "release", "--controller", "bot", "--key", "k", "--running"];
    let create = [&started[..], &["--step", "build", "--state", "{\"n\": 1}"]].concat();
    let created = scene.json(&create);
    assert_eq!((&created["created"], &created["flow"]["status"]), (&json!(true), &json!("running")));
    assert_eq!(scene.json(&create)["created"], false, "the same key finds it");

    let wait = scene.json(&["flow", "wait", "F1", "--revision", "1", "--for", "{\"review\": 7}", "--no-step"]);
    let flow = &wait["flow"];
    assert_eq!((&flow["status"], &flow["step"], &flow["revision"]), (&json!("waiting"), &Value::Null, &json!(2)));
    assert_eq!((&flow["wait"], &flow["state"]), (&json!({"review": 7}), &json!({"n": 1})), "what is not given stays");

    scene.json(&["create", "--label", "in the way"]);
    let arguments = ["--revision", "2", "--blocked-by", "1", "--blocked-summary", "no access", "--no-for"];
    let blocked = scene.json(&[&["flow", "wait", "1"], &arguments[..]].concat());
    assert_eq!((&blocked["flow"]["status"], &blocked["flow"]["wait"]), (&json!("blocked"), &Value::Null));
    assert_eq!(blocked["flow"]["blocked"], json!({"task": scene.task("1")["id"], "summary": "no access"}));

    std::fs::write(scene.path("state"), "{\"n\": 2}").unwrap();
    let file = scene.path("state").display().to_string();
    let resumed = scene.json(&["flow", "resume", "owner:local", "--revision", "3", "--state-file", &file]);
    assert_eq!((&resumed["flow"]["status"], &resumed["flow"]["state"]), (&json!("queued"), &json!({"n": 2})));
    let finish = ["flow", "finish", "F1", "--revision", "4", "--state", "null"];
    let finished = scene.json(&finish);
    assert_eq!((&finished["changed"], &finished["flow"]["state"]), (&json!(true), &Value::Null));
    assert_eq!(scene.json(&finish)["changed"], false, "the same end again is no error");
    assert_eq!(refused(&scene, &["flow", "fail", "F1", "--revision", "5"]), (4, "flow_ended".into()));
}

#[test]
fn what_cannot_be_has_its_own_error() {
    let scene = Scene::new();
    let id = create(&scene)["flow"]["id"].as_str().unwrap().to_owned();
    scene.json(&["create", "--label", "x"]);
    scene.json(&["flow", "create", "--mirrors", "1"]);
    let keyed = ["flow", "create", "--controller", "bot", "--key", "k", "--goal"];
    scene.json(&[&keyed[..], &["one"]].concat());
    let other = [&keyed[..], &["another"]].concat();
    let cases: [(&[&str], i32, &str); 14] = [
        (&["flow", "show", "F9"], 3, "no_flow"),
        (&["flow", "show", "nobody"], 3, "no_flow"),
        (&["flow", "show", "F0"], 2, "invalid_value"),
        (&["flow", "create", "--goal", "x"], 2, "invalid_value"),
        (&["flow", "create", "--mirrors", "9"], 3, "not_found"),
        (&["flow", "create", "--mirrors", "1", "--goal", "x"], 2, "invalid_value"),
        (&other, 4, "flow_exists_with_different"),
        (&["flow", "wait", &id], 2, "invalid_value"),
        (&["flow", "wait", &id, "--revision", "7"], 4, "revision_conflict"),
        (&["flow", "wait", &id, "--revision", "1", "--for", "no json"], 2, "invalid_value"),
        (&["flow", "wait", &id, "--revision", "1", "--step", "x", "--no-step"], 2, "invalid_value"),
        (&["flow", "wait", "local", "--revision", "1"], 4, "ambiguous_flow"),
        (&["flow", "resume", "F2", "--revision", "1"], 4, "flow_mirrored"),
        (&["flow", "list", "--status", "asleep"], 2, "invalid_value"),
    ];
    for (arguments, code, word) in cases {
        assert_eq!(refused(&scene, arguments), (code, word.to_owned()), "{arguments:?}");
    }
    let told = scene.run(["flow", "wait", "local", "--revision", "1"]).err;
    assert!(told.contains("\n  F3\n  F2\n  F1"), "the candidates are named: {told}");
}

#[test]
fn tasks_join_a_flow_however_they_begin() {
    let scene = Scene::new();
    let id = create(&scene)["flow"]["id"].clone();
    scene.json(&["create", "--label", "created", "--flow", "F1"]);
    assert_eq!(scene.run(["run", "--flow", "local", "--", "true"]).code, 0);
    scene.json(&["create", "--label", "started"]);
    scene.json(&["start", "3", "--flow", "F1"]);
    scene.json(&["create", "--label", "reports", "--start"]);
    scene.json(&["progress", "4", "half", "--flow", id.as_str().unwrap(), "--current", "1", "--total", "2"]);
    scene.json(&["create", "--label", "another"]);
    let tasks = scene.json(&["list", "--flow", "1"])["tasks"].clone();
    let numbers: Vec<&Value> = tasks.as_array().unwrap().iter().map(|task| &task["number"]).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
    assert!(tasks.as_array().unwrap().iter().all(|task| task["flow"] == id));
    let tasks = &scene.json(&["flow", "show", "F1"])["flow"]["tasks"];
    assert_eq!((&tasks["total"], &tasks["active"], &tasks["by_status"]["running"]), (&json!(4), &json!(3), &json!(2)));

    create(&scene);
    let several = ["start", "5", "--flow", "local"];
    assert_eq!(refused(&scene, &several), (4, "ambiguous_flow".into()), "a change does not guess");
    assert_eq!(scene.task("5")["status"], "queued");
    assert_eq!(scene.run(["run", "--flow", "F9", "--", "true"]).code, 125);
}

#[test]
fn people_read_where_a_flow_stands_and_nothing_in_it_steers_their_terminal() {
    let scene = Scene::new();
    let evil = "a\u{1b}[2J\u{202e}b\nc";
    scene.json(&["flow", "create", "--goal", evil, "--controller", evil, "--step", evil, "--key", evil]);
    scene.json(&["create", "--label", evil, "--flow", "F1"]);
    let state = serde_json::to_string(evil).unwrap();
    let moved = ["flow", "wait", "F1", "--revision", "1", "--blocked-summary", evil, "--for", &state];
    assert_eq!(scene.run([&moved[..], &["--state", &state]].concat()).code, 0);
    for verb in [&["flow"][..], &["flow", "list"], &["flow", "show", "F1"], &["flow", "cancel", "F1", "--why", evil]] {
        let shown = scene.run(verb.iter().chain(&["--color", "never"]));
        assert!(!shown.out.contains(['\u{1b}', '\u{202e}']), "{verb:?}: {shown:?}");
        assert!(shown.out.contains("a\\u{1b}[2J\\u{202e}b"), "{verb:?}: {shown:?}");
    }
    let sheet = scene.run(["flow", "show", "F1"]).out;
    let mut lines = sheet.lines();
    assert_eq!(lines.next(), Some("F1 a\\u{1b}[2J\\u{202e}b …"));
    assert_eq!(lines.next(), Some("       status  ⊘ cancelled"));
    assert!(sheet.contains("tasks  1: 1 cancelled\n") && sheet.contains("\n#  STATUS"), "{sheet}");
    assert_eq!(scene.run(["flow", "list", "--active"]).err, "No flow fits.\n");
}

#[test]
fn quiet_prints_the_ids_of_flows() {
    let scene = Scene::new();
    let created = scene.run(["flow", "create", "--goal", "x", "--controller", "c", "-q"]).out;
    let id = created.trim_end();
    assert_eq!(scene.json(&["flow", "show", id])["flow"]["number"], 1);
    for verb in [&["flow"][..], &["flow", "show", "F1"], &["flow", "finish", "F1", "--revision", "1"]] {
        assert_eq!(scene.run(verb.iter().chain(&["-q"])).out, created, "{verb:?}");
    }
}

#[test]
fn flows_are_listed_newest_first_page_by_page() {
    let scene = Scene::new();
    for controller in ["a", "b", "a"] {
        scene.json(&["flow", "create", "--goal", "x", "--controller", controller]);
    }
    scene.json(&["flow", "finish", "F3", "--revision", "1"]);
    let numbers = |arguments: &[&str]| -> Vec<u64> {
        let page = scene.json(&[&["flow", "list"], arguments].concat());
        page["flows"].as_array().unwrap().iter().map(|flow| flow["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&[]), [3, 2, 1]);
    assert_eq!(numbers(&["--active", "--controller", "a"]), [1]);
    assert_eq!(numbers(&["--status", "succeeded,queued"]), [3, 2, 1]);
    assert_eq!(scene.json(&["flow", "list", "-n", "2"])["next"], "2");
    assert_eq!(numbers(&["--after", "2"]), [1]);
    assert!(scene.run(["flow", "list", "-n", "2"]).err.contains("--after 2"));
}

#[test]
fn a_cancelled_flow_ends_with_its_last_task_and_gets_no_other() {
    let scene = Scene::new();
    create(&scene);
    scene.json(&["create", "--label", "runs", "--flow", "F1", "--start"]);
    scene.json(&["create", "--label", "queued", "--flow", "F1"]);
    let asked = scene.json(&["flow", "cancel", "F1", "--why", "called off", "--by", "ann"]);
    assert_eq!((&asked["cancel"], &asked["flow"]["status"]), (&json!("requested"), &json!("queued")));
    assert_eq!((&asked["flow"]["cancel"]["by"], asked["tasks"].as_array().unwrap().len()), (&json!("ann"), 2));
    assert_eq!(refused(&scene, &["create", "--label", "z", "--flow", "F1"]), (4, "flow_cancel_requested".into()));
    scene.json(&["finish", "1", "--status", "succeeded"]);
    assert_eq!(scene.json(&["flow", "show", "F1"])["flow"]["status"], "cancelled");
    assert_eq!(scene.json(&["flow", "cancel", "F1"])["cancel"], "already", "cancelled is cancelled");

    create(&scene);
    scene.json(&["flow", "finish", "F2", "--revision", "1"]);
    assert_eq!(scene.run(["flow", "cancel", "F2"]).code, 4, "it had ended otherwise");
    scene.json(&["create", "--label", "top"]);
    scene.json(&["create", "--label", "below", "--parent", "3"]);
    scene.json(&["finish", "3", "--status", "succeeded"]);
    scene.json(&["flow", "create", "--mirrors", "3"]);
    let told = scene.run(["flow", "cancel", "F3"]);
    assert!(told.code == 0 && told.out.contains("1 task was reached"), "{told:?}");
    assert_eq!(scene.run(["flow", "cancel", "F3"]).code, 4, "nothing is left to be reached");
}
