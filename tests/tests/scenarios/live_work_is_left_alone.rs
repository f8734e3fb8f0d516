//! S1: maintenance from another process must not kill live work, and what it presumes dead may speak for itself.

use bgledger_tests::clocked::{BEGINNING, Clocked, MINUTE};
use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::pipe::{self, Piped, Wrapper};
use bgledger_tests::scratch::Scratch;
use bgledger_tests::until::until;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Two processes that share nothing but the file, and a clock that the test moves.
struct Stage {
    executor: Clocked,
    operator: Clocked,
    now: i64,
    // After the processes: they close before their folder goes.
    scratch: Scratch,
}

impl Stage {
    fn new() -> Stage {
        let scratch = Scratch::new();
        let start = || Clocked::on(&scratch.ledger());
        Stage { executor: start(), operator: start(), now: BEGINNING, scratch }
    }

    fn executor(&mut self, request: Value) -> Value {
        self.executor.ok(self.now, request)
    }

    fn operator(&mut self, request: Value) -> Value {
        self.operator.ok(self.now, request)
    }

    /// A task that runs in the executor's process under a lease of a minute.
    fn leased(&mut self) -> Value {
        let created = self.executor(json!({"create": {
            "label": "sleep", "runtime": "subagent", "kind": "exec", "requester_session": "chat",
            "start": {"executor": "self", "lease": "60s"}}}));
        assert_eq!(created["task"]["attempt"], 1);
        created["task"].clone()
    }

    fn maintain(&mut self) -> Vec<Value> {
        let report = self.operator(json!({"maintenance": {"apply": true}}));
        report["changes"].as_array().expect("changes").clone()
    }

    fn findings(&mut self) -> Vec<Value> {
        self.operator(json!({"audit": {}}))["findings"].as_array().expect("findings").clone()
    }

    fn history(&mut self, of: &Value) -> Vec<String> {
        let history = self.operator(json!({"history": {"lookup": of["id"]}}));
        let events = history["events"].as_array().expect("events");
        events.iter().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
    }
}

#[test]
fn silent_work_that_renews_its_lease_is_never_touched() {
    let mut stage = Stage::new();
    let task = stage.leased();
    // 45 minutes with a heartbeat every 10 s and no progress: beyond any grace that ever killed such work.
    for beat in 1..=45 * 6 {
        stage.now = BEGINNING + beat * 10_000;
        let renewed = stage.executor(json!({"heartbeat": {"lookup": task["id"], "attempt": 1}}));
        assert_eq!(renewed["task"]["status"], "running");
        if beat == 6 * 6 || beat == 45 * 6 {
            assert_eq!(stage.maintain(), Vec::<Value>::new());
            assert_eq!(stage.findings(), Vec::<Value>::new());
        }
    }
    let finished = stage.executor(json!({"finish": {"lookup": task["id"], "attempt": 1, "status": "succeeded",
        "result": "marker-42"}}));
    assert_eq!(finished["changed"], true);
    let seen = stage.operator(json!({"show": {"lookup": task["id"]}}))["task"].clone();
    assert_eq!(
        (&seen["status"], &seen["result"], &seen["delivery"]),
        (&json!("succeeded"), &json!("marker-42"), &json!("pending"))
    );
    assert_sound(&stage.scratch.ledger());
}

#[test]
fn work_that_was_presumed_lost_may_still_finish() {
    let mut stage = Stage::new();
    let task = stage.leased();
    // The executor is stopped: no heartbeat. Within lease and grace nothing happens.
    stage.now = BEGINNING + 89_000;
    assert_eq!(stage.maintain(), Vec::<Value>::new());
    stage.now = BEGINNING + 91_000;
    let changes = stage.maintain();
    assert_eq!(changes.len(), 1, "{changes:?}");
    let lost = stage.operator(json!({"show": {"lookup": task["id"]}}))["task"].clone();
    assert_eq!((&lost["status"], &lost["reason"]), (&json!("lost"), &json!("lease_expired")));
    assert_eq!(stage.maintain(), Vec::<Value>::new(), "a second pass changes nothing");
    // It goes on, and ends its task with the attempt that it still has.
    stage.now = BEGINNING + 20 * MINUTE;
    let finished = stage.executor(json!({"finish": {"lookup": task["id"], "attempt": 1, "status": "succeeded"}}));
    assert_eq!((&finished["changed"], &finished["task"]["status"]), (&json!(true), &json!("succeeded")));
    assert_eq!(finished["task"]["reason"], json!(null), "what the presumption said is gone");
    let history = stage.history(&task);
    assert_eq!(
        history,
        ["created", "started", "reaped", "recovered", "finished"],
        "the correction is part of the history"
    );
    // Who was told `lost` is told again, once: the older notice was still unclaimed and is withdrawn.
    let query = "SELECT count(*) || ' of ' || min(seq = (SELECT max(seq) FROM event)) FROM notice";
    assert_eq!(ask_sqlite(&stage.scratch.ledger(), query), "1 of 1", "one notice, and it is of the newest event");
    assert_sound(&stage.scratch.ledger());
}

#[test]
fn lost_work_that_somebody_took_over_is_fenced_off() {
    let mut stage = Stage::new();
    let task = stage.leased();
    stage.now = BEGINNING + 2 * MINUTE;
    assert_eq!(stage.maintain().len(), 1);
    let taken = stage.operator(json!({"start": {"lookup": task["id"], "executor": "self", "lease": "60s"}}));
    assert_eq!((&taken["task"]["status"], &taken["task"]["attempt"]), (&json!("running"), &json!(2)));
    let before = stage.operator(json!({"show": {"lookup": task["id"]}}))["task"].clone();
    let late = json!({"finish": {"lookup": task["id"], "attempt": 1, "status": "succeeded"}});
    let refused = stage.executor.refused(stage.now, late);
    assert_eq!((&refused["code"], &refused["attempt"]), (&json!("fenced"), &json!(2)), "{refused}");
    let after = stage.operator(json!({"show": {"lookup": task["id"]}}))["task"].clone();
    assert_eq!(after, before, "the row is untouched");
    assert_sound(&stage.scratch.ledger());
}

// ---- the same with real processes ---------------------------------------------------------------------------

fn maintain(path: &Path) -> Vec<Value> {
    let output = pipe::command(path).args(["--json", "maintenance", "--apply"]).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    report["changes"].as_array().expect("changes").clone()
}

fn shown(path: &Path, lookup: &str) -> Value {
    let output = pipe::command(path).args(["--json", "show", lookup]).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    shown["task"].clone()
}

fn signal(process: &Piped, name: &str) {
    let sent = Command::new("kill").args([name, &process.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

#[test]
fn a_stopped_process_lives_and_a_killed_one_does_not() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let mut executor = Piped::on(&path);
    executor.ok(r#"{"create": {"label": "silent", "start": {"executor": "self"}}}"#);
    signal(&executor, "-STOP");
    assert_eq!(maintain(&path), Vec::<Value>::new(), "a process that is stopped is not dead");
    signal(&executor, "-CONT");
    executor.ok(r#"{"heartbeat": {"lookup": "1"}}"#);
    executor.kill();
    let changes = maintain(&path);
    assert_eq!(changes.len(), 1, "{changes:?}");
    let lost = shown(&path, "1");
    assert_eq!((&lost["status"], &lost["reason"]), (&json!("lost"), &json!("executor_gone")));
    assert_eq!(maintain(&path), Vec::<Value>::new());
    assert_sound(&path);
}

/// The wrapper of a command is killed, the command's task is settled with evidence; a live wrapper's is left alone.
#[test]
fn a_killed_wrapper_leaves_a_task_that_maintenance_settles() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let run = |label: &str| Wrapper::start(&path, &["--label", label, "--", "sleep", "600"]);
    let (doomed, alive) = (run("doomed"), run("alive"));
    let running = |label: &str| {
        let output =
            pipe::command(&path).args(["--json", "list", "--active", "--label", label]).output().expect("it runs");
        let page: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        page["tasks"][0]["executor"]["group"]["id"].as_i64()
    };
    until("both commands run", || running("doomed").is_some() && running("alive").is_some());
    let orphan = running("doomed").expect("a group");
    doomed.kill();
    let changes = maintain(&path);
    assert_eq!(changes.len(), 1, "{changes:?}");
    let output = pipe::command(&path).args(["--json", "list", "--status", "lost"]).output().expect("it runs");
    let page: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let lost = &page["tasks"][0];
    assert_eq!((&lost["label"], &lost["reason"]), (&json!("doomed"), &json!("executor_gone")));
    let history =
        pipe::command(&path).args(["--json", "history", &lost["number"].to_string()]).output().expect("it runs");
    let history: Value = serde_json::from_slice(&history.stdout).expect("JSON");
    let last = history["events"].as_array().and_then(|events| events.last()).expect("events");
    assert_eq!((&last["type"], &last["status"]), (&json!("reaped"), &json!("lost")));
    assert!(last["evidence"].is_object() || last["evidence"].is_string(), "the evidence is kept: {last}");
    assert!(running("alive").is_some(), "the live wrapper's task is never touched");
    assert_eq!(maintain(&path), Vec::<Value>::new());
    let _ = Command::new("kill").args(["-9", "--", &format!("-{orphan}")]).status();
    drop(alive);
    assert_sound(&path);
}

/// A real lease of a second, its grace of thirty, and a real process that is stopped meanwhile.
#[test]
fn a_real_lease_runs_out_while_its_process_is_stopped() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let mut executor = Piped::on(&path);
    executor.ok(r#"{"create": {"label": "stopped", "start": {"executor": "self", "lease": "1s"}}}"#);
    signal(&executor, "-STOP");
    assert_eq!(maintain(&path), Vec::<Value>::new(), "not before the grace is over");
    until("the lease and its grace run out", || !maintain(&path).is_empty());
    let lost = shown(&path, "1");
    assert_eq!((&lost["status"], &lost["reason"]), (&json!("lost"), &json!("lease_expired")));
    signal(&executor, "-CONT");
    let finished = executor.ok(r#"{"finish": {"lookup": "1", "attempt": 1, "status": "succeeded"}}"#);
    assert_eq!(finished["task"]["status"], "succeeded");
    assert_sound(&path);
}
