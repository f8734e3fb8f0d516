//! S6: whoever is owed a notice gets one that is useful, wherever a process dies, and silence is silent.

use bgledger_core::{Millis, bounds};
use bgledger_tests::clocked::{BEGINNING, Clocked, MINUTE, SECOND};
use bgledger_tests::dice::Dice;
use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::scratch::Scratch;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Who hears of the task of each story: the session that asked for it, and two subscribers.
const RECIPIENTS: [&str; 3] = ["session:chat", "subscriber:board", "subscriber:pager"];
/// How many executors are killed while they finish.
const ROUNDS: u64 = 24;

/// A ledger that two subscribers are registered in.
struct Stage {
    operator: Clocked,
    now: i64,
    // After the process: it closes before its folder goes.
    scratch: Scratch,
}

impl Stage {
    fn new() -> Stage {
        let scratch = Scratch::in_memory();
        let mut stage = Stage { operator: Clocked::on(&scratch.ledger()), now: BEGINNING, scratch };
        stage.ok(json!({"config": {"set": {"subscriber.board": "{}"}}}));
        stage.ok(json!({"config": {"set": {"subscriber.pager": r#"{"runtime": "subagent"}"#}}}));
        stage
    }

    fn path(&self) -> PathBuf {
        self.scratch.ledger()
    }

    fn ok(&mut self, request: Value) -> Value {
        self.operator.ok(self.now, request)
    }

    /// A task that the session asked for, and its end by a process that is killed once it was told that it is recorded:
    /// before anybody claims.
    fn finished(&mut self) {
        let mut executor = Clocked::on(&self.path());
        let start = json!({"executor": "self"});
        executor.ok(
            self.now,
            json!({"create": {"label": "job", "runtime": "subagent", "requester_session": "chat",
            "start": start}}),
        );
        let end = json!({"lookup": 1, "attempt": 1, "status": "succeeded", "result": {"feeds": 9}});
        executor.ok(self.now, json!({ "finish": end }));
        executor.kill();
    }

    /// What is due for these recipients, under a lease of a minute.
    fn claim(&mut self, recipients: &[&str]) -> Value {
        self.ok(json!({"notices_claim": {"recipients": recipients, "lease": "1m"}}))
    }

    fn shown(&mut self) -> Value {
        self.ok(json!({"show": {"lookup": 1}}))["task"].clone()
    }

    /// What is owed about the task, as `recipient state`, in the order of the recipients.
    fn owed(&mut self) -> Vec<String> {
        let page = self.ok(json!({"notices": {}}));
        let owed = page["notices"].as_array().expect("notices").iter();
        let mut owed: Vec<String> = owed.map(|notice| words(notice, &["recipient", "state"])).collect();
        owed.sort();
        owed
    }
}

/// Some of an object's texts, in a row.
fn words(of: &Value, names: &[&str]) -> String {
    names.iter().map(|name| of[*name].as_str().unwrap_or_default()).collect::<Vec<_>>().join(" ")
}

fn acknowledge(claimed: &Value) -> Value {
    let notices = claimed["notices"].as_array().expect("notices");
    let names: Vec<&Value> = notices.iter().map(|notice| &notice["notice"]).collect();
    json!({"notices_ack": {"claim": claimed["claim"], "notices": names}})
}

// ---- wherever a process dies --------------------------------------------------------------------------------

/// An executor that dies while it finishes leaves the end and all that it owes, or neither.
#[test]
fn an_end_and_its_notices_are_one_commit() {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let mut operator = Piped::on(&path);
    operator.ok(r#"{"config": {"set": {"subscriber.board": "{}", "subscriber.pager": "{}"}}}"#);
    let mut dice = Dice::new(Dice::seed("BGLEDGER_NOTICE_SEED", 1));
    let mut ended = 0;
    for number in 1..=ROUNDS {
        let mut executor = Piped::on(&path);
        let start = json!({"executor": "self"});
        let create = json!({"label": "job", "runtime": "subagent", "requester_session": "chat", "start": start});
        executor.ok(&json!({ "create": create }).to_string());
        executor.send(&json!({"finish": {"lookup": number, "status": "succeeded"}}).to_string()).expect("sent");
        std::thread::sleep(Duration::from_micros(dice.below(3_000)));
        executor.kill();
        let owed = format!("(SELECT count(*) FROM notice WHERE notice.task = {number})");
        let query = format!("SELECT status || ' owes ' || {owed} FROM task WHERE number = {number}");
        let found = ask_sqlite(&path, &query);
        assert!(found == "2 owes 0" || found == "3 owes 3", "{found}");
        ended += u64::from(found.starts_with('3'));
    }
    println!("{ended} of {ROUNDS} ends were recorded");
    operator.end();
    assert_sound(&path);
}

/// What a consumer did outside of the ledger: the keys of its effects, on the disk before it acknowledges anything.
struct Inbox {
    kept: PathBuf,
    /// The keys as they came, again and again.
    came: Vec<String>,
}

impl Inbox {
    fn of(ledger: &Path, recipient: &str) -> Inbox {
        Inbox { kept: ledger.with_file_name(recipient.replace(':', "-")), came: Vec::new() }
    }

    /// The effect, unless its key says that it is there.
    fn take(&mut self, notice: &Value) {
        let key = notice["key"].as_str().expect("a key").to_owned();
        if !self.effects().contains(&key) {
            let mut file = File::options().create(true).append(true).open(&self.kept).expect("a file");
            writeln!(file, "{key}").and_then(|()| file.sync_all()).expect("kept");
        }
        self.came.push(key);
    }

    fn effects(&self) -> Vec<String> {
        fs::read_to_string(&self.kept).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

/// Where a consumer is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Killed {
    BeforeItClaims,
    BeforeItSends,
    BeforeItAcknowledges,
    Never,
}

/// A process that claims for a recipient, has an effect, and acknowledges; killed on the way.
fn consume(stage: &Stage, recipient: &str, inbox: &mut Inbox, killed: Killed) {
    let mut consumer = Clocked::on(&stage.path());
    if killed == Killed::BeforeItClaims {
        return consumer.kill();
    }
    let claim = json!({"notices_claim": {"recipients": [recipient], "consumer": recipient, "lease": "1m"}});
    let claimed = consumer.ok(stage.now, claim);
    let notices = claimed["notices"].as_array().expect("notices");
    assert_eq!(notices.len(), 1, "{killed:?}: {claimed}");
    assert_eq!(notices[0]["task"]["result"], json!({"feeds": 9}), "it tells what came of the task");
    if killed == Killed::BeforeItSends {
        return consumer.kill();
    }
    notices.iter().for_each(|notice| inbox.take(notice));
    if killed == Killed::BeforeItAcknowledges {
        return consumer.kill();
    }
    assert_eq!(consumer.ok(stage.now, acknowledge(&claimed))["changed"], 1);
}

#[test]
fn each_effect_is_there_once_wherever_its_consumer_is_killed() {
    let mut stage = Stage::new();
    stage.finished();
    assert_eq!(stage.owed(), RECIPIENTS.map(|recipient| format!("{recipient} pending")));
    let mut inboxes = RECIPIENTS.map(|recipient| Inbox::of(&stage.path(), recipient));
    for killed in [Killed::BeforeItClaims, Killed::BeforeItSends, Killed::BeforeItAcknowledges, Killed::Never] {
        for (recipient, inbox) in RECIPIENTS.iter().zip(&mut inboxes) {
            consume(&stage, recipient, inbox, killed);
        }
        let held = stage.claim(if killed == Killed::BeforeItClaims { &["session:other"] } else { &RECIPIENTS });
        assert_eq!(held["claim"], json!(null), "{killed:?}: what the dead hold is nobody's before its lease is over");
        // The lease of whoever was killed runs out.
        stage.now += MINUTE;
    }
    for inbox in &inboxes {
        assert_eq!(inbox.came.len(), 2, "it came, its acknowledgement did not, and it came again");
        assert_eq!(inbox.came[0], inbox.came[1], "under the same key");
        assert_eq!(inbox.effects(), inbox.came[..1], "the effect is there once");
    }
    let page = stage.ok(json!({"notices": {}}));
    for notice in page["notices"].as_array().expect("notices") {
        assert_eq!((&notice["state"], &notice["attempts"]), (&json!("delivered"), &json!(3)), "{notice}");
    }
    // Eight hours of sweeps: it never comes again.
    for _ in 0..8 * 60 {
        stage.now += MINUTE;
        assert_eq!(stage.ok(json!({"maintenance": {"apply": true}}))["changes"], json!([]));
        assert_eq!(stage.claim(&[])["claim"], json!(null));
    }
    assert_eq!((&stage.shown()["delivery"], stage.owed().len()), (&json!("delivered"), RECIPIENTS.len()));
    assert_sound(&stage.path());
}

// ---- told by other means, or not at all ---------------------------------------------------------------------

fn bgledger(ledger: &Path, arguments: &[&str]) -> Value {
    let output = pipe::command(ledger).arg("--json").args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn whoever_has_read_the_result_is_not_told_of_it() {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    bgledger(&path, &["config", "set", "subscriber.board", "{}"]);
    bgledger(&path, &["config", "set", "subscriber.pager", r#"{"status": ["succeeded"]}"#]);
    bgledger(&path, &["create", "--label", "job", "--runtime", "subagent", "--requester-session", "chat"]);
    bgledger(&path, &["finish", "1", "--status", "succeeded", "--result", r#"{"feeds": 9}"#]);
    let claim = |recipient: &str| bgledger(&path, &["notices", "claim", "--for", recipient]);
    let read = bgledger(&path, &["show", "1", "--ack", "subscriber:board"]);
    assert_eq!((&read["task"]["result"], &read["task"]["delivery"]), (&json!({"feeds": 9}), &json!("pending")));
    assert_eq!(claim("subscriber:board")["claim"], json!(null), "it has read it");
    let waited = bgledger(&path, &["wait", "1", "--ack", "session:chat"]);
    assert_eq!(waited["tasks"][0]["result"], json!({"feeds": 9}));
    assert_eq!(claim("session:chat")["claim"], json!(null), "it has read it, too");
    let left = claim("subscriber:pager");
    assert_eq!(left["notices"].as_array().map(Vec::len), Some(1), "the other subscriber is told: {left}");
    // A read while the notice is under way counts; who holds it may say so all the same.
    assert_eq!(bgledger(&path, &["show", "1", "--ack", "subscriber:pager"])["task"]["delivery"], "delivered");
    let token = left["claim"].as_str().expect("a claim");
    let name = left["notices"][0]["notice"].as_str().expect("a name");
    assert_eq!(bgledger(&path, &["notices", "ack", "--claim", token, name])["changed"], 0);
    assert_sound(&path);
}

/// Nacks what a recipient is owed about the task once it is due; answers with the notice as it stands then.
fn nack(stage: &mut Stage, recipient: &str, reason: &str) -> Value {
    let claimed = stage.claim(&[recipient]);
    let name = claimed["notices"][0]["notice"].clone();
    let nacked = stage.ok(json!({"notices_nack": {"claim": claimed["claim"], "notices": [name], "reason": reason}}));
    nacked["notices"][0].clone()
}

#[test]
fn what_cannot_be_delivered_is_a_dead_letter_and_holds_up_nothing() {
    let mut stage = Stage::new();
    let flow = stage.ok(json!({"flow_create": {"goal": "publish", "controller": "weekly", "running": true}}));
    assert_eq!(flow["flow"]["revision"], 1);
    let finish = json!({"status": "succeeded", "result": {"feeds": 9}});
    stage.ok(json!({"create": {"label": "job", "runtime": "subagent", "requester_session": "chat", "flow": "F1",
        "finish": finish}}));
    let others = stage.claim(&RECIPIENTS[..2]);
    stage.ok(acknowledge(&others));
    let before = stage.shown();
    for attempt in 1..=bounds::NOTICE_ATTEMPTS {
        let last = attempt == bounds::NOTICE_ATTEMPTS;
        let reason = if last { "refused" } else { "no route" };
        let notice = nack(&mut stage, RECIPIENTS[2], reason);
        let state = if last { "dead" } else { "pending" };
        assert_eq!(
            (words(&notice, &["state", "reason"]), &notice["attempts"]),
            (format!("{state} {reason}"), &json!(attempt))
        );
        // Not before its pause is over.
        assert_eq!(stage.claim(&[])["claim"], json!(null));
        if !last {
            stage.now = Millis::parse(notice["due_at"].as_str().expect("a time")).expect("a time").get();
        }
    }
    let dead = stage.ok(json!({"notices": {"state": ["dead"]}}))["notices"].clone();
    assert_eq!(dead.as_array().map(Vec::len), Some(1), "{dead}");
    assert_eq!(words(&dead[0], &["recipient", "reason"]), "subscriber:pager refused");
    let after = stage.shown();
    for field in ["status", "outcome", "result", "ended_at", "revision"] {
        assert_eq!(after[field], before[field], "delivery changes no task");
    }
    assert_eq!(after["delivery"], "failed");
    // Its flow goes on, takes tasks, and ends.
    stage.ok(json!({"create": {"label": "next", "flow": "F1", "finish": {"status": "succeeded"}}}));
    let moved = stage.ok(json!({"flow_wait": {"flow": "F1", "revision": 1, "step": "review"}}));
    assert_eq!(words(&moved["flow"], &["status", "step"]), "waiting review");
    assert_eq!(stage.ok(json!({"flow_finish": {"flow": "F1", "revision": 2}}))["flow"]["status"], "succeeded");
    // Tried again by hand, it is as it was at first.
    let retried = stage.ok(json!({"notices_retry": {"notices": [dead[0]["notice"]]}}));
    let expected = (json!("pending"), json!(0), json!(null));
    let notice = &retried["notices"][0];
    assert_eq!((notice["state"].clone(), notice["attempts"].clone(), notice["reason"].clone()), expected);
    let again = stage.claim(&[]);
    assert_eq!(again["notices"][0]["key"], dead[0]["key"], "under the same key");
    assert_eq!(stage.ok(acknowledge(&again))["changed"], 1);
    assert_eq!((&stage.shown()["delivery"], stage.claim(&[])["claim"].clone()), (&json!("delivered"), json!(null)));
    assert_sound(&stage.path());
}

// ---- silence ------------------------------------------------------------------------------------------------

/// Whatever becomes of a silent task, nobody is owed a word: not who asked, not who subscribed to everything.
#[test]
fn silent_tasks_owe_nobody_anything_however_they_end() {
    let mut stage = Stage::new();
    let create = |stage: &mut Stage, rest: Value| -> Value {
        let mut request =
            json!({"label": "job", "runtime": "subagent", "requester_session": "chat", "notify": "silent"});
        rest.as_object().expect("fields").iter().for_each(|(name, value)| request[name] = value.clone());
        stage.ok(json!({ "create": request }))["task"]["number"].clone()
    };
    for outcome in ["ok", "blocked", "no_result"] {
        create(&mut stage, json!({"finish": {"status": "succeeded", "outcome": outcome}}));
    }
    for status in ["failed", "timed_out", "cancelled"] {
        let task = create(&mut stage, json!({"start": {"executor": "self"}}));
        stage.ok(json!({"progress": {"lookup": task, "text": "half"}}));
        stage.ok(json!({"finish": {"lookup": task, "attempt": 1, "status": status}}));
    }
    for status in ["succeeded", "failed", "timed_out", "cancelled", "lost"] {
        let task = create(&mut stage, json!({}));
        stage.ok(json!({"settle": {"lookup": task, "status": status, "why": "somebody says so"}}));
    }
    let cancelled = create(&mut stage, json!({}));
    stage.ok(json!({"cancel": {"lookup": cancelled}}));
    create(&mut stage, json!({"queue_timeout": "1s"}));
    let lost = create(&mut stage, json!({"start": {"executor": "self", "lease": "1s"}}));
    let returns = create(&mut stage, json!({"start": {"executor": "self", "lease": "1s"}}));
    // By default the runtimes of machines are silent.
    stage.ok(json!({"create": {"label": "nightly", "runtime": "cron", "requester_session": "chat",
        "finish": {"status": "failed"}}}));
    stage.now += 2 * MINUTE;
    let settled = stage.ok(json!({"maintenance": {"apply": true}}))["changes"].clone();
    assert_eq!(settled.as_array().map(Vec::len), Some(3), "two are lost, one was never started: {settled}");
    stage.ok(json!({"heartbeat": {"lookup": returns, "attempt": 1}}));
    stage.ok(json!({"finish": {"lookup": returns, "attempt": 1, "status": "failed"}}));
    assert_eq!(stage.ok(json!({"show": {"lookup": lost}}))["task"]["status"], "lost");
    let tasks = stage.ok(json!({"list": {}}))["tasks"].clone();
    let tasks = tasks.as_array().expect("tasks");
    assert!(tasks.iter().all(|task| task["delivery"] == "not_applicable"), "{tasks:#?}");
    assert_eq!(stage.ok(json!({"list": {"active": true}}))["tasks"], json!([]), "every one has ended");
    assert_eq!(ask_sqlite(&stage.path(), "SELECT count(*) FROM notice"), "0");
    assert_eq!(stage.claim(&[])["claim"], json!(null));
    assert_sound(&stage.path());
}

/// Of the three who are owed the end, one is refused it, one is being told, one waits: nobody is told it any more.
#[test]
fn a_task_that_is_silenced_after_its_end_tells_nobody_later() {
    let mut stage = Stage::new();
    stage.finished();
    let [(mut refused, held), (doomed, _)] = ["session:chat", "subscriber:board"].map(|recipient| {
        let mut consumer = Clocked::on(&stage.path());
        let claim = json!({"notices_claim": {"recipients": [recipient], "lease": "1m"}});
        let claimed = consumer.ok(stage.now, claim);
        assert_eq!(claimed["notices"].as_array().map(Vec::len), Some(1));
        (consumer, claimed)
    });
    stage.ok(json!({"notify": {"lookup": 1, "policy": "silent"}}));
    assert_eq!(stage.owed()[2], "subscriber:pager dismissed");
    // What could not be sent stays unsent, whether its consumer lives to say so or not.
    let name = &held["notices"][0]["notice"];
    let nack = json!({"notices_nack": {"claim": held["claim"], "notices": [name], "reason": "no route"}});
    refused.ask(stage.now, nack).expect("an answer, whatever it is");
    doomed.kill();
    for _ in 0..8 * 60 {
        stage.now += MINUTE;
        assert_eq!(stage.ok(json!({"maintenance": {"apply": true}}))["changes"], json!([]));
        let leaked = stage.claim(&[]);
        let leaked: Vec<&Value> =
            leaked["notices"].as_array().expect("notices").iter().map(|one| &one["key"]).collect();
        assert_eq!(leaked, Vec::<&Value>::new(), "it leaks out after all");
    }
    assert_eq!(stage.owed(), RECIPIENTS.map(|recipient| format!("{recipient} dismissed")));
    assert_eq!(stage.shown()["delivery"], "dismissed");
    assert_sound(&stage.path());
}

/// What somebody holds when the task falls silent may have been sent: who holds it may still say so.
#[test]
fn whoever_was_being_told_when_a_task_fell_silent_may_say_so() {
    let mut stage = Stage::new();
    stage.finished();
    let told = stage.claim(&["session:chat"]);
    stage.ok(json!({"notify": {"lookup": 1, "policy": "silent"}}));
    assert_eq!(stage.ok(acknowledge(&told))["notices"][0]["state"], "delivered");
    assert_eq!(stage.owed()[0], "session:chat delivered");
    assert_sound(&stage.path());
}

// ---- an outcome that is corrected ---------------------------------------------------------------------------

/// Lost work whose notice is under way to all three, and that returns and succeeds meanwhile. Answers with the claim.
fn corrected(stage: &mut Stage, executor: &mut Clocked) -> Value {
    let start = json!({"executor": "self", "lease": "1s"});
    executor.ok(
        stage.now,
        json!({"create": {"label": "job", "runtime": "subagent", "requester_session": "chat",
        "start": start}}),
    );
    stage.now += 5 * MINUTE;
    assert_eq!(stage.ok(json!({"maintenance": {"apply": true}}))["changes"][0]["to"], "lost");
    let old = stage.claim(&RECIPIENTS[..2]);
    assert_eq!(old["notices"].as_array().map(Vec::len), Some(2), "the pager's waits: {old}");
    assert!(old["notices"].as_array().expect("notices").iter().all(|notice| notice["generation"] == 1));
    stage.now += SECOND;
    executor.ok(stage.now, json!({"finish": {"lookup": 1, "attempt": 1, "status": "succeeded"}}));
    old
}

#[test]
fn a_late_acknowledgement_of_the_older_outcome_leaves_the_newer_one_to_be_told() {
    let mut stage = Stage::new();
    let mut executor = Clocked::on(&stage.path());
    let old = corrected(&mut stage, &mut executor);
    assert_eq!(stage.ok(acknowledge(&old))["changed"], 2);
    assert_eq!(stage.shown()["delivery"], "pending", "the newer outcome is not told yet");
    let new = stage.claim(&[]);
    let notices = new["notices"].as_array().expect("notices");
    let told: Vec<&Value> = notices.iter().map(|notice| &notice["recipient"]).collect();
    assert_eq!(told, RECIPIENTS, "all three, and the pager of the newer alone");
    for notice in notices {
        assert_eq!((&notice["attempts"], &notice["task"]["status"]), (&json!(1), &json!("succeeded")));
        assert_eq!(notice["message"], "#1 job: succeeded after being lost");
        assert!(old["notices"].as_array().expect("notices").iter().all(|older| older["key"] != notice["key"]));
    }
    stage.ok(acknowledge(&new));
    assert_eq!(stage.shown()["delivery"], "delivered");
    assert_sound(&stage.path());
}

#[test]
fn an_older_outcome_that_was_not_acknowledged_is_not_told_again() {
    let mut stage = Stage::new();
    let mut executor = Clocked::on(&stage.path());
    let old = corrected(&mut stage, &mut executor);
    // The first is refused, the second is never heard of again.
    let refused = json!({"claim": old["claim"], "notices": [old["notices"][0]["notice"]], "reason": "no route"});
    stage.ok(json!({ "notices_nack": refused }));
    stage.now += 2 * MINUTE;
    let new = stage.claim(&[]);
    let notices = new["notices"].as_array().expect("notices");
    assert_eq!(notices.len(), RECIPIENTS.len());
    let newest = stage.shown()["generation"].clone();
    assert!(notices.iter().all(|notice| notice["generation"] == newest), "{new}");
    stage.ok(acknowledge(&new));
    assert_eq!(stage.owed(), RECIPIENTS.map(|recipient| format!("{recipient} delivered")));
    assert_sound(&stage.path());
}
