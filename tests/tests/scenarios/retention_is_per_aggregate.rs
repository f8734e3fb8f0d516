//! S8: what ended goes whole and in bounds, and nothing goes that something living needs.

use bgledger_core::Millis;
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::clocked::{BEGINNING, MINUTE};
use bgledger_tests::history::assert_sound;
use bgledger_tests::scratch::Scratch;
use serde_json::{Value, json};
use std::fs;

const DAY: i64 = 24 * 60 * MINUTE;
const RUNS: i64 = 15_000;
const DAYS: i64 = 160;

/// A ledger at a time of the test's clock.
struct At {
    ledger: Ledger,
    now: i64,
}

impl At {
    fn on(scratch: &Scratch) -> At {
        let durability = Some(bgledger_core::config::Durability::Relaxed);
        let options = OpenOptions { test_clock: true, durability, ..OpenOptions::default() };
        At { ledger: Ledger::open(&scratch.ledger(), options).expect("it opens"), now: BEGINNING }
    }

    fn ask(&self, mut request: Value) -> Value {
        request["now"] = json!(Millis::clamped(self.now).to_string());
        serde_json::from_str(&self.ledger.answer(&request.to_string())).expect("JSON")
    }

    fn ok(&self, request: Value) -> Value {
        let response = self.ask(request.clone());
        match response.get("ok") {
            Some(ok) => ok.clone(),
            None => panic!("{request} was answered with {response}"),
        }
    }

    fn error(&self, request: Value) -> Value {
        self.ask(request)["error"].clone()
    }

    /// The file's bytes once everything is in it.
    fn bytes(&self, scratch: &Scratch) -> u64 {
        bgledger_tests::history::ask_sqlite(&scratch.ledger(), "PRAGMA wal_checkpoint(TRUNCATE)");
        fs::metadata(scratch.ledger()).expect("the file").len()
    }
}

#[test]
fn what_ended_goes_whole_and_what_lives_keeps_what_it_needs() {
    let scratch = Scratch::new();
    let mut at = At::on(&scratch);
    // A failed delivery that is to outlive its task.
    at.ok(json!({"create": {"label": "told nobody", "runtime": "acp", "session": "chat", "finish": {"status": "failed"}}}));
    for run in 0..RUNS {
        at.now = BEGINNING + run * DAYS * DAY / RUNS;
        let (kind, source) = (format!("kind {}", run % 79), format!("job-{}", run % 79));
        let status = if run % 7 == 0 { "failed" } else { "succeeded" };
        at.ok(json!({"create": {"label": "tick", "runtime": "cron", "kind": kind, "source_id": source,
            "run_id": format!("run-{run}"), "finish": {"status": status}}}));
    }
    at.now = BEGINNING + (DAYS - 9) * DAY;
    // (The clock of a test goes where it is told to: nine days ago a flow began to wait for a task that is over.)
    at.ok(json!({"flow_create": {"goal": "release", "controller": "ci", "running": true}}));
    let gate =
        at.ok(json!({"create": {"label": "gate", "flow": "F1", "finish": {"status": "succeeded"}}}))["task"].clone();
    at.ok(json!({"flow_wait": {"flow": "F1", "revision": 1, "blocked_task": gate["id"], "blocked_summary": "needs a word"}}));
    at.now = BEGINNING + DAYS * DAY;
    let before = at.bytes(&scratch);

    let preview = at.ok(json!({"prune": {"dry_run": true}}));
    let done = at.ok(json!({"prune": {}}));
    assert_eq!((&preview["tasks"], &preview["events"]), (&done["tasks"], &done["events"]));
    let gone = done["tasks"].as_i64().expect("a number");
    let expected = RUNS * (DAYS - 7) / DAYS;
    assert!((gone - expected).abs() <= 200, "{gone} of {expected}");
    let after = at.bytes(&scratch);
    let free = bgledger_tests::history::ask_sqlite(&scratch.ledger(), "PRAGMA freelist_count");
    assert!(after < before / 2 && free == "0", "what was pruned is given back: {before} to {after}, {free} pages free");
    let again = at.ok(json!({"prune": {}}));
    assert_eq!((&again["tasks"], &again["flows"]), (&json!(0), &json!(0)));

    // The flow that goes on and its task are there; the old delivery has a name of its own.
    assert_eq!(at.ok(json!({"flow_show": {"flow": "F1"}}))["flow"]["status"], "blocked");
    assert_eq!(at.ok(json!({"show": {"lookup": gate["id"]}}))["task"]["status"], "succeeded");
    let dead = at.ok(json!({"notices": {"state": ["dead"]}}))["notices"].clone();
    assert_eq!((dead[0]["message"].as_str(), &dead[0]["task"]), (Some("#1 told nobody: failed (error)"), &Value::Null));
    assert_eq!(at.ok(json!({"notices_dismiss": {"notices": [dead[0]["notice"]]}}))["changed"], 1);
    // Pruned is not the same as never there.
    let pruned = at.error(json!({"show": {"lookup": "run-7"}}));
    assert_eq!((&pruned["code"], &pruned["recorded_status"]), (&json!("pruned"), &json!("failed")));
    assert_eq!(at.error(json!({"show": {"lookup": "run-none"}}))["code"], "not_found");
    let stats = at.ok(json!({"stats": {}}));
    let listed = at.ok(json!({"list": {"limit": 10_000}}))["tasks"].as_array().expect("tasks").len();
    assert_eq!(stats["total"], listed);
    drop(at);
    assert_sound(&scratch.ledger());
}

#[test]
fn a_ledger_that_is_to_stay_small_lets_the_oldest_go() {
    let scratch = Scratch::new();
    let mut at = At::on(&scratch);
    let most = 1_000_000;
    at.ok(json!({"config": {"set": {"retention_bytes": most.to_string()}}}));
    for run in 0..1_500 {
        at.now = BEGINNING + run * MINUTE;
        let text = "x".repeat(2_000);
        at.ok(json!({"create": {"label": format!("run {run}"), "task": text, "finish": {"status": "succeeded"}}}));
    }
    assert!(at.bytes(&scratch) > 3_000_000);
    let done = at.ok(json!({"prune": {}}));
    let left = at.bytes(&scratch);
    assert!(left <= most && left > most / 3, "{left} bytes are left, of which {most} may be: {done}");
    let listed = at.ok(json!({"list": {"limit": 1}}))["tasks"][0]["label"].clone();
    assert_eq!(listed, "run 1499", "the newest stay");
    assert_eq!(at.ok(json!({"prune": {}}))["tasks"], 0);
    drop(at);
    assert_sound(&scratch.ledger());
}

/// What one-minute cron of a year keeps: a week of tasks, ninety days of tombstones.
const MINUTES: i64 = 365 * 24 * 60;

#[test]
fn a_year_of_one_minute_cron_stays_small() {
    // A twelfth of it is enough to see what stays: a week of a task every twelve minutes.
    let every = std::env::var("BGLEDGER_CRON_EVERY").map_or(12, |text| text.parse().expect("a number of minutes"));
    let scratch = Scratch::new();
    let mut at = At::on(&scratch);
    let mut largest = 0;
    for minute in (0..MINUTES).step_by(every) {
        at.now = BEGINNING + minute * MINUTE;
        let run = json!({"label": "tick", "runtime": "cron", "run_id": format!("tick-{minute}"), "start": {"executor": "self"}});
        let task = at.ok(json!({"create": run}))["task"]["number"].clone();
        at.ok(json!({"finish": {"lookup": task, "status": "succeeded", "summary": "nothing to do"}}));
        if minute % (24 * 60) == 0 {
            at.ok(json!({"prune": {}}));
            largest = largest.max(fs::metadata(scratch.ledger()).expect("the file").len());
        }
    }
    let runs = MINUTES as u64 / every as u64;
    let kept = runs * 8 / 365 * 1_500 + runs * 91 / 365 * 400;
    assert!(largest < kept + 2 * 1024 * 1024, "{largest} bytes, {kept} by the count of what stays");
    drop(at);
    assert_sound(&scratch.ledger());
}
