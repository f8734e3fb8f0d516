//! S9: after a restart somebody goes on with what is young enough, once; what is old is lost, and the ledger runs nothing.

use bgledger_core::Millis;
use bgledger_tests::clocked::{BEGINNING, Clocked, MINUTE};
use bgledger_tests::history::assert_sound;
use bgledger_tests::scratch::Scratch;
use serde_json::{Value, json};

const HOUR: i64 = 60 * MINUTE;

fn dead(pid: u32) -> Value {
    let place = json!({"machine": "test-machine", "boot": "test-boot", "pid_namespace": 1, "pid": pid, "started": 5});
    json!({"identity": place})
}

fn recoverer(name: &str) -> Value {
    json!({"identity": {"machine": "elsewhere", "nonce": name}})
}

#[test]
fn only_young_work_is_taken_up_and_by_one_alone() {
    let scratch = Scratch::new();
    let mut old = Clocked::on(&scratch.ledger());
    let mut now = BEGINNING;
    for number in 0..13 {
        old.ok(now, json!({"create": {"label": format!("old {number}"), "start": {"executor": dead(99)}}}));
    }
    now += 24 * HOUR - 2 * MINUTE;
    for number in 0..2 {
        old.ok(now, json!({"create": {"label": format!("young {number}"), "start": {"executor": dead(98)}}}));
    }
    now += 2 * MINUTE;
    // Nothing is presumed by time alone: it is the executors' death that ends them, with its evidence.
    let settled = old.ok(now, json!({"maintenance": {"apply": true}}))["changes"].clone();
    assert_eq!(settled.as_array().expect("changes").len(), 15);
    assert!(settled.as_array().expect("changes").iter().all(|change| change["to"] == "lost"));

    // Two recoverers see the same: what was lost and is younger than an hour.
    let mut recoverers = [Clocked::on(&scratch.ledger()), Clocked::on(&scratch.ledger())];
    let since = Millis::clamped(now - HOUR).to_string();
    let seen: Vec<Value> = recoverers
        .iter_mut()
        .map(|process| process.ok(now, json!({"list": {"status": "lost", "since": since}}))["tasks"].clone())
        .collect();
    assert_eq!(seen[0], seen[1]);
    let young = seen[0].as_array().expect("tasks");
    assert_eq!(young.len(), 2);
    for task in young {
        let claim = |process: &mut Clocked, name: &str| {
            let start = json!({"start": {"lookup": task["id"], "executor": recoverer(name), "lease": "60s"}});
            process.ask(now, start).expect("an answer")
        };
        let first = claim(&mut recoverers[0], "one");
        let second = claim(&mut recoverers[1], "two");
        assert_eq!(first["ok"]["task"]["attempt"], 2);
        assert_eq!(second["error"]["code"], "already_running");
        // The old owner wakes up: it is told that the task is somebody else's.
        for word in [
            json!({"heartbeat": {"lookup": task["id"], "attempt": 1}}),
            json!({"progress": {"lookup": task["id"], "attempt": 1, "text": "still here"}}),
            json!({"finish": {"lookup": task["id"], "attempt": 1, "status": "succeeded"}}),
        ] {
            let refused = old.refused(now, word);
            assert_eq!((&refused["code"], &refused["attempt"]), (&json!("fenced"), &json!(2)));
        }
    }
    let lost = old.ok(now, json!({"list": {"status": "lost"}}))["tasks"].as_array().expect("tasks").len();
    assert_eq!(lost, 13, "what is old stays lost");
    assert_sound(&scratch.ledger());
}
