//! S2: what a runtime knows for certain goes before what the ledger presumes, and maintenance comes to an end.

use bgledger_core::Millis;
use bgledger_tests::clocked::{BEGINNING, Clocked, MINUTE};
use bgledger_tests::history::assert_sound;
use bgledger_tests::scratch::Scratch;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

const DAY: i64 = 24 * 60 * MINUTE;

fn at(now: i64) -> String {
    Millis::clamped(now).to_string()
}

/// An executor of this machine that is gone.
fn dead() -> Value {
    json!({"identity": {"machine": "test-machine", "boot": "test-boot", "pid_namespace": 1, "pid": 99, "started": 5}})
}

fn by_status(process: &mut Clocked, now: i64) -> BTreeMap<String, u64> {
    let listed = process.ok(now, json!({"list": {"limit": 10_000}}));
    let mut counted = BTreeMap::new();
    for task in listed["tasks"].as_array().expect("tasks") {
        *counted.entry(task["status"].as_str().expect("a status").to_owned()).or_default() += 1;
    }
    counted
}

#[test]
fn a_runtimes_word_settles_what_the_ledger_would_only_presume() {
    let scratch = Scratch::new();
    let mut process = Clocked::on(&scratch.ledger());
    let run = |number: u32, executor: Value| {
        let (label, run_id) = (format!("job {number}"), format!("run-{number}"));
        json!({"create": {"label": label, "runtime": "cron", "run_id": run_id, "start": {"executor": executor}}})
    };
    // Three that are over, long ago; five and one that count as lost; twenty that run, their owner gone.
    let mut now = BEGINNING;
    for number in 1..=3 {
        process.ok(now, run(number, json!("external")));
        process.ok(now, json!({"finish": {"lookup": format!("run-{number}"), "status": "succeeded"}}));
    }
    now += 7 * DAY;
    for number in 4..=9 {
        process.ok(now, run(number, dead()));
    }
    assert_eq!(process.ok(now, json!({"maintenance": {"apply": true}}))["pruned"]["tasks"], 3);
    process.ok(now, json!({"settle": {"lookup": "run-9", "status": "lost", "by": "anna", "why": "its disk is gone"}}));
    for number in 10..=29 {
        process.ok(now, run(number, dead()));
    }
    for number in 30..=32 {
        process.ok(now, run(number, json!("external")));
        process.ok(now, json!({"finish": {"lookup": format!("run-{number}"), "status": "failed"}}));
    }

    now += 10 * MINUTE;
    let audit = process.ok(now, json!({"audit": {}}));
    for finding in audit["findings"].as_array().expect("findings") {
        assert!(finding["remedy"] != "info" && finding["command"].is_string(), "{finding}");
    }
    // What the runtime knows: 18 of the twenty and the five that were presumed dead, each with its end.
    let ended_at = at(now - 5 * MINUTE);
    let ended = |number: u32| {
        let status = if number.is_multiple_of(3) { "failed" } else { "succeeded" };
        json!({"lookup": format!("run-{number}"), "end": {"status": status, "ended_at": ended_at}})
    };
    let known: Vec<Value> = (4..=8).chain(10..=27).chain([9]).map(ended).collect();
    let word =
        |apply: bool| json!({"reconcile": {"runtime": "cron", "ended": known, "complete": true, "apply": apply}});
    let before = fs::read(scratch.ledger()).expect("the file");
    let plan = process.ok(now, word(false));
    assert_eq!(fs::read(scratch.ledger()).expect("the file"), before, "a preview writes nothing");
    let count = |reply: &Value, action: &str| {
        reply["actions"].as_array().expect("actions").iter().filter(|each| each["action"] == action).count()
    };
    assert_eq!((count(&plan, "settle"), count(&plan, "recover"), count(&plan, "lose")), (18, 5, 2));
    assert_eq!(plan["unchanged"], 1, "what somebody settled stays");

    let done = process.ok(now, word(true));
    assert_eq!(done["actions"], plan["actions"], "what was done is what was shown");
    for number in (4..=8).chain(10..=27) {
        let task = process.ok(now, json!({"show": {"lookup": format!("run-{number}")}}))["task"].clone();
        assert_eq!((&task["ended_at"], &task["status"]), (&json!(ended_at), &ended(number)["end"]["status"]));
    }
    assert_eq!(process.ok(now, word(true))["actions"], json!([]), "a second time there is nothing to do");
    let left = process.ok(now, json!({"maintenance": {}}));
    assert_eq!((&left["changes"], &left["pruned"]["tasks"]), (&json!([]), &json!(0)));
    let audit = process.ok(now, json!({"audit": {}}));
    assert!(
        audit["findings"].as_array().expect("findings").iter().all(|finding| finding["remedy"] != "auto"),
        "{audit}"
    );

    // What is counted is what is listed.
    let stats = process.ok(now, json!({"stats": {}}));
    let listed = by_status(&mut process, now);
    for (status, count) in stats["by_status"].as_object().expect("counts") {
        assert_eq!(count.as_u64(), Some(listed.get(status).copied().unwrap_or(0)), "{status}");
    }
    assert_eq!(stats["issues"], audit["summary"]["total"]);
    process.kill();
    assert_sound(&scratch.ledger());
}
