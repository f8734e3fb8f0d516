//! S7: a ledger reached only through its public faces, with live executors, audits to nothing.

use bgledger_core::Millis;
use bgledger_tests::dice::Dice;
use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::scratch::Scratch;
use serde_json::{Value, json};

const BEGINNING: i64 = 1_767_225_600_000;
const TASKS: usize = 1_000;

#[test]
fn a_thousand_tasks_and_nothing_to_complain_of() {
    let scratch = Scratch::new();
    let mut process =
        Piped::start(pipe::command(&scratch.ledger()).args(["--durability", "relaxed", "call", "--test-clock"]));
    let mut dice = Dice::new(Dice::seed("BGLEDGER_AUDIT_SEED", 3));
    let mut now = BEGINNING;
    let mut ask = |now: i64, mut request: Value| {
        request["now"] = json!(Millis::clamped(now).to_string());
        process.ok(&request.to_string())
    };
    let runners: Vec<Value> = (0..4)
        .map(|runner| {
            let claim = json!({"executor": "self", "lease": "60s"});
            ask(now, json!({"create": {"label": format!("runner {runner}"), "start": claim}}))["task"]["id"].clone()
        })
        .collect();
    for task in 0..TASKS {
        // Time goes on by up to 20 s; now and then the clock steps back.
        now += i64::try_from(dice.below(20_000)).expect("a number");
        if dice.below(10) == 0 {
            now -= 50;
        }
        for runner in &runners {
            ask(now, json!({"heartbeat": {"lookup": runner, "attempt": 1}}));
        }
        // Callers stamp the start before they come to record the task.
        let early = now - i64::try_from(dice.below(31)).expect("a number");
        let started_at = Millis::clamped(early).to_string();
        let claim = json!({"executor": "self", "started_at": started_at});
        let id = match dice.below(2) {
            0 => ask(now, json!({"create": {"label": format!("task {task}"), "start": claim}}))["task"]["id"].clone(),
            _ => {
                let id = ask(now, json!({"create": {"label": format!("task {task}")}}))["task"]["id"].clone();
                let mut start = claim;
                start["lookup"] = id.clone();
                ask(now, json!({"start": start}));
                id
            }
        };
        let end = dice.pick(&["succeeded", "succeeded", "failed", "timed_out", "cancelled"]);
        ask(now, json!({"finish": {"lookup": id, "attempt": 1, "status": end}}));
    }
    let audit = ask(now, json!({"audit": {}}));
    assert_eq!(audit["findings"], json!([]));
    let stats = ask(now, json!({"stats": {}}));
    assert_eq!((&stats["issues"], &stats["total"]), (&json!(0), &json!(TASKS + runners.len())));
    assert_sound(&scratch.ledger());

    // The control: a row that somebody edited by hand is found, and it alone.
    let edit = "PRAGMA ignore_check_constraints = ON;
        UPDATE task SET started_at = created_at - 600000 WHERE number = 500";
    ask_sqlite(&scratch.ledger(), edit);
    let audit = ask(now, json!({"audit": {}}));
    let findings = audit["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0]["code"], "times_out_of_order");
}
