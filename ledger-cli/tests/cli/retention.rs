//! What goes when its time is over, and what is known of it then; notices that are delivered by reading.

use crate::scene::Scene;
use serde_json::{Value, json};

/// A ledger with one task that owes a notice to the session `chat`, ended.
fn told_of() -> Scene {
    let scene = Scene::new();
    let create = ["create", "--label", "report", "--requester-session", "chat", "--notify", "done_only"];
    scene.json(&[&create[..], &["--status", "failed"]].concat());
    scene
}

fn state_of_notices(scene: &Scene) -> Vec<Value> {
    let page = scene.json(&["notices"]);
    page["notices"].as_array().unwrap().iter().map(|notice| notice["state"].clone()).collect()
}

#[test]
fn whoever_reads_how_a_task_ended_need_not_be_told() {
    for read in [&["show", "1"][..], &["wait", "1"]] {
        let scene = told_of();
        let ack = |recipient| scene.run(read.iter().chain(&["--ack", recipient])).code;
        let done = if read[0] == "wait" { 7 } else { 0 };
        assert_eq!(scene.run(read).code, done);
        assert_eq!(ack("session:other"), done);
        assert_eq!(state_of_notices(&scene), ["pending"], "nobody else's reading counts");
        assert_eq!(ack("session:chat"), done);
        assert_eq!(state_of_notices(&scene), ["delivered"]);
        assert_eq!((ack("chat"), ack("subscriber:nobody")), (2, 3));
    }
}

#[test]
fn what_is_pruned_is_gone_and_not_forgotten() {
    let scene = told_of();
    scene.json(&["create", "--label", "goes on"]);
    let preview = scene.json(&["prune", "--older-than", "0s", "--dry-run"]);
    assert_eq!((&preview["applied"], &preview["tasks"], &preview["unclaimed"]), (&json!(false), &json!(1), &json!(1)));
    assert_eq!(scene.task("1")["status"], "failed");
    let told = scene.run(["prune", "--older-than", "0s"]);
    assert!(told.code == 0 && told.out.contains("1 task\n"), "{told:?}");
    assert_eq!(scene.run(["prune", "--older-than", "0s"]).out, "Nothing to prune.\n");

    let told = scene.run(["show", "1"]);
    assert!(told.code == 3 && told.err.contains("was pruned"), "{told:?}");
    let error: Value = serde_json::from_str(&scene.run(["show", "1", "--json"]).err).unwrap();
    assert_eq!((&error["error"]["code"], &error["error"]["recorded_status"]), (&json!("pruned"), &json!("failed")));

    let notices = scene.json(&["notices"])["notices"].clone();
    assert_eq!((&notices[0]["state"], &notices[0]["task"]), (&json!("dead"), &Value::Null));
    let shown = scene.run(["notices"]).out;
    assert!(shown.contains("#1 report: failed") && shown.contains("unclaimed"), "{shown}");
    let notice = notices[0]["notice"].as_str().unwrap();
    assert_eq!(scene.run(["notices", "retry", notice]).code, 0);
    let delivered = scene.run(["notices", "deliver", "--exec", "cat"]);
    let told: Value = serde_json::from_str(delivered.err.lines().next().unwrap()).unwrap();
    assert_eq!((&told["number"], &told["task"]), (&json!(1), &Value::Null));
}

#[test]
fn a_watch_says_that_events_are_gone() {
    let scene = told_of();
    scene.json(&["create", "--label", "goes on"]);
    scene.json(&["prune", "--older-than", "0s"]);
    let told = scene.run(["watch", "--after", "0", "--limit", "1"]);
    assert_eq!((told.code, told.out.lines().count(), told.err.lines().count()), (0, 1, 1), "{told:?}");
    assert!(told.err.contains("pruned"), "{told:?}");
    let told = scene.run(["watch", "--after", "0", "--limit", "1", "--json"]);
    let lines: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), told.err.as_str()), (2, ""));
    assert_eq!(lines[0], json!({"truncated": true, "next": lines[1]["seq"]}));
    let next = lines[1]["seq"].to_string();
    scene.json(&["start", "2"]);
    assert_eq!(scene.run(["watch", "--after", &next, "--limit", "1", "--json"]).out.lines().count(), 1);
}
