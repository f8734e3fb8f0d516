//! What the audit's options leave, and what is known of a finding.

use crate::scene::Scene;
use std::process::Command;

/// Three queued tasks that wait too long, and one that runs past its deadline: four warnings.
fn scene() -> Scene {
    let scene = Scene::new();
    scene.json(&["config", "set", "audit.queued", "0s"]);
    (0..3).for_each(|place| drop(scene.json(&["create", "--label", &format!("task {place}")])));
    scene.json(&["create", "--label", "late", "--timeout", "1ms"]);
    scene.json(&["start", "4"]);
    scene
}

#[test]
fn options_leave_what_they_say_and_all_is_counted() {
    let scene = scene();
    let listed = |arguments: &[&str]| {
        let report = scene.json(&[&["audit"], arguments].concat());
        assert_eq!(report["summary"]["total"], 4, "{report}");
        let subjects =
            report["findings"].as_array().unwrap().iter().map(|found| found["subject"].as_str().unwrap().to_owned());
        subjects.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(listed(&[]), "#1 #2 #3 #4");
    assert_eq!(listed(&["--severity", "warning", "--limit", "2"]), "#1 #2");
    assert_eq!(listed(&["--code", "overdue"]), "#4");
    assert_eq!((listed(&["--severity", "error"]), listed(&["--errors"])), (String::new(), String::new()));
    let told = scene.run(["audit", "--code", "overdue"]).out;
    assert!(told.contains("0 errors, 4 warnings; 3 not listed") && told.contains("bgledger cancel 4"), "{told}");
}

#[test]
fn what_is_acknowledged_is_told_again_only_when_asked_for() {
    let scene = scene();
    let known = scene.json(&["acknowledge", "stale_queued", "2", "--until", "1d", "--note", "waits", "--by", "anna"]);
    assert_eq!(known["acknowledged"]["note"], "waits");
    let quiet = scene.json(&["audit"]);
    assert_eq!((&quiet["summary"]["total"], &quiet["summary"]["acknowledged"]), (&3.into(), &1.into()));
    assert_eq!(scene.json(&["stats"])["issues"], 3);
    let told = scene.run(["audit", "--acknowledged"]).out;
    let line = told.lines().find(|line| line.contains("#2")).unwrap();
    assert!(line.contains("(known until ") && line.ends_with(": waits)"), "{told}");
    assert!(told.contains("3 warnings; 1 acknowledged") && !told.contains("not listed"), "{told}");
    assert!(
        told.contains("bgledger cancel 1\n") && !told.contains("bgledger cancel 2\n"),
        "nothing is to be done: {told}"
    );
    let full = scene.json(&["audit", "--acknowledged"]);
    assert_eq!(
        (full["findings"].as_array().unwrap().len(), &full["findings"][1]["acknowledged"]["by"]),
        (4, &"anna".into())
    );
    scene.json(&["acknowledge", "stale_queued", "2", "--again"]);
    assert_eq!(scene.json(&["audit"])["summary"]["total"], 4);
}

#[test]
fn what_only_a_proof_finds_takes_the_deep_audit_and_is_an_error() {
    let scene = Scene::new();
    scene.json(&["create", "--label", "as it was"]);
    let edit = "UPDATE task SET label = 'edited' WHERE number = 1";
    let edited = Command::new("sqlite3").arg(scene.path("ledger.db")).arg(edit).status().unwrap();
    assert!(edited.success());
    assert_eq!(scene.run(["audit"]).out, "Nothing is wrong.\n");
    let deep = scene.run(["audit", "--deep"]);
    assert!(deep.code == 6 && deep.out.contains("row_differs") && deep.out.contains("1 error, 0 warnings"), "{deep:?}");
}
