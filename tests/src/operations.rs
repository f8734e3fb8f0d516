//! One of every kind of request, and a ledger in which each has something to do: for faults that meet them.

use crate::disk::Image;
use crate::json;
use crate::model::{START_MS, time};
use crate::scratch::Scratch;
use bgledger_core::{ExecutorSpec, runtime};
use bgledger_store::{Ledger, OpenOptions};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A ledger in which there is something for everybody.
const STAGE: [&str; 20] = [
    r#"{"create": {"label": "queued", "runtime": "subagent", "requester_session": "chat"}}"#,
    r#"{"create": {"label": "running", "runtime": "subagent", "requester_session": "chat", "start": {"lease": "1h"}}}"#,
    r#"{"create": {"label": "ended", "runtime": "subagent", "requester_session": "chat", "finish": {"status": "succeeded"}}}"#,
    r#"{"create": {"label": "failed", "runtime": "subagent", "requester_session": "other", "finish": {"status": "failed"}}}"#,
    r#"{"create": {"label": "parent", "runtime": "subagent", "requester_session": "chat", "start": {}}}"#,
    r#"{"create": {"label": "child", "runtime": "subagent", "parent": 5}}"#,
    r#"{"create": {"label": "silent", "start": {"lease": "1s"}}}"#,
    r#"{"create": {"label": "waits", "queue_timeout": "1s"}}"#,
    r#"{"create": {"label": "owned", "runtime": "cron", "run_id": "r1", "start": {"executor": "external"}}}"#,
    r#"{"flow_create": {"goal": "publish", "controller": "weekly", "running": true}}"#,
    r#"{"create": {"label": "a step", "flow": "F1"}}"#,
    r#"{"flow_create": {"goal": "waits", "controller": "weekly", "running": true}}"#,
    r#"{"flow_wait": {"flow": "F2", "revision": 1, "step": "review"}}"#,
    r#"{"create": {"label": "letter", "runtime": "subagent", "requester_session": "dead", "finish": {"status": "failed"}}}"#,
    r#"{"create": {"label": "old", "finish": {"status": "succeeded"}}}"#,
    r#"{"notices_claim": {"lease": "1h", "recipients": ["session:other"]}}"#,
    r#"{"config": {"set": {"retention": "1d"}}}"#,
    r#"{"heartbeat": {"lookup": 2}}"#,
    r#"{"progress": {"lookup": 2, "text": "half"}}"#,
    r#"{"notify": {"lookup": 2, "policy": "state_changes"}}"#,
];

/// Nothing but that every connection is open.
pub const WARM: [&str; 2] = [r#"{"list": {}}"#, r#"{"heartbeat": {"lookup": 2}}"#];

/// What an answer to a request that failed may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is recorded.
    Reads,
    /// One transaction: all or nothing.
    Records,
    /// Several: each of them all or nothing.
    Steps,
    /// What it looks at is the fault itself.
    Looks,
}

/// The requests.
pub const OPERATIONS: [(&str, Kind); 48] = [
    (r#"{"create": {"label": "new", "key": "k", "task": "what to do"}}"#, Kind::Records),
    (r#"{"create": {"label": "new", "key": "k", "parent": 5, "flow": "F1", "start": {"lease": "1h"}}}"#, Kind::Records),
    (r#"{"create": {"label": "over", "key": "k", "session": "chat", "finish": {"status": "failed"}}}"#, Kind::Records),
    (r#"{"start": {"lookup": 1, "executor": "external"}}"#, Kind::Records),
    (r#"{"start": {"lookup": 1, "executor": {"process": {"pid": 1}}}}"#, Kind::Records),
    (r#"{"progress": {"lookup": 2, "text": "nearly", "current": 9, "total": 10}}"#, Kind::Records),
    (r#"{"heartbeat": {"lookup": 2}}"#, Kind::Records),
    (r#"{"finish": {"lookup": 2, "attempt": 1, "status": "succeeded", "summary": "well"}}"#, Kind::Records),
    (r#"{"settle": {"lookup": 2, "status": "failed", "why": "its host says so"}}"#, Kind::Records),
    (r#"{"cancel": {"lookup": 1}}"#, Kind::Steps),
    (r#"{"cancel": {"lookup": 5}}"#, Kind::Steps),
    (r#"{"notify": {"lookup": 1, "policy": "silent"}}"#, Kind::Records),
    (r#"{"notices_claim": {"lease": "1h", "recipients": ["session:chat"]}}"#, Kind::Records),
    (r#"{"notices_ack": {"claim": "CLAIM", "notices": ["NOTICE"]}}"#, Kind::Records),
    (r#"{"notices_nack": {"claim": "CLAIM", "notices": ["NOTICE"], "reason": "no room"}}"#, Kind::Records),
    (r#"{"notices_dismiss": {"notices": ["NOTICE"], "reason": "nobody asks"}}"#, Kind::Records),
    (r#"{"show": {"lookup": 3, "ack": "session:chat"}}"#, Kind::Records),
    (r#"{"wait": {"lookups": [3], "ack": "session:chat"}}"#, Kind::Records),
    (r#"{"flow_create": {"goal": "another", "controller": "weekly", "key": "k"}}"#, Kind::Records),
    (r#"{"flow_wait": {"flow": "F1", "revision": 1, "step": "review"}}"#, Kind::Records),
    (r#"{"flow_resume": {"flow": "F2", "revision": 2}}"#, Kind::Records),
    (r#"{"flow_finish": {"flow": "F2", "revision": 2}}"#, Kind::Records),
    (r#"{"flow_fail": {"flow": "F2", "revision": 2}}"#, Kind::Records),
    (r#"{"flow_cancel": {"flow": "F1"}}"#, Kind::Steps),
    (r#"{"config": {"set": {"audit.queued": "2h"}}}"#, Kind::Records),
    (
        r##"{"acknowledge": {"code": "stale_queued", "subject": "#1", "until": "2026-01-06T00:00:00.000Z"}}"##,
        Kind::Records,
    ),
    (
        r#"{"reconcile": {"runtime": "cron", "apply": true, "ended": [{"lookup": "r1", "end": {"status": "failed"}}]}}"#,
        Kind::Records,
    ),
    (r#"{"maintenance": {"apply": true}}"#, Kind::Steps),
    (r#"{"prune": {}}"#, Kind::Steps),
    (r#"{"maintenance": {}}"#, Kind::Reads),
    (r#"{"list": {"limit": 100}}"#, Kind::Reads),
    (r#"{"list": {"active": true, "search": "run"}}"#, Kind::Reads),
    (r#"{"show": {"lookup": 2}}"#, Kind::Reads),
    (r#"{"history": {"lookup": 2}}"#, Kind::Reads),
    (r#"{"tree": {"lookup": 5}}"#, Kind::Reads),
    (r#"{"watch": {"after": 0}}"#, Kind::Reads),
    (r#"{"wait": {"lookups": [3]}}"#, Kind::Reads),
    (r#"{"stats": {}}"#, Kind::Reads),
    (r#"{"audit": {}}"#, Kind::Reads),
    (r#"{"notices": {}}"#, Kind::Reads),
    (r#"{"flow_list": {}}"#, Kind::Reads),
    (r#"{"flow_show": {"flow": "F1"}}"#, Kind::Reads),
    (r#"{"config": {}}"#, Kind::Reads),
    (r#"{"verify": {}}"#, Kind::Reads),
    (r#"{"drain": {"timeout": "0s"}}"#, Kind::Reads),
    (r#"{"show": {"lookup": 99}}"#, Kind::Reads),
    (r#"{"doctor": {}}"#, Kind::Looks),
    (r#"{"backup": {"to": "COPY", "replace": true}}"#, Kind::Reads),
];

/// A request at a time.
pub fn at(line: &str, now: i64) -> String {
    line.replacen('{', &format!(r#"{{"now": "{}", "#, time(now)), 1)
}

/// When the disk fails: the lease and the patience of some are over, and some of what ended is kept no longer.
pub fn later() -> i64 {
    START_MS + 2 * 86_400_000
}

/// The stage, ready to be copied; with a claim's word and the notice it holds.
#[derive(Debug)]
pub struct Template {
    /// The files.
    pub image: Image,
    claim: String,
    notice: String,
}

impl Template {
    /// Makes it.
    pub fn new() -> Template {
        let scratch = Scratch::in_memory();
        let path = scratch.ledger();
        let ledger = handle(&path);
        let answers: Vec<Value> = STAGE.map(|line| at(line, START_MS)).iter().map(|line| ask(&ledger, line)).collect();
        answers
            .iter()
            .zip(STAGE.map(|line| at(line, START_MS)))
            .for_each(|(answer, line)| assert!(answer["ok"].is_object(), "{line}: {answer}"));
        let claimed = answers.iter().find(|answer| answer["ok"]["claim"].is_string()).expect("a claim");
        let (claim, notice) = (claimed["ok"]["claim"].to_string(), claimed["ok"]["notices"][0]["notice"].to_string());
        drop(ledger);
        let image = Image::from([("ledger.db".to_owned(), std::fs::read(&path).expect("the file"))]);
        Template { image, claim, notice }
    }

    /// A request at the time of the fault, with the stage's own names.
    pub fn line(&self, line: &str) -> String {
        at(line, later()).replace(r#""CLAIM""#, &self.claim).replace(r#""NOTICE""#, &self.notice)
    }
}

impl Default for Template {
    fn default() -> Template {
        Template::new()
    }
}

/// A handle on a test clock, opened as the command line opens it.
pub fn handle(path: &Path) -> Ledger {
    let options = OpenOptions {
        runtime: runtime::CLI.into(),
        executor: ExecutorSpec::External,
        test_clock: true,
        ..OpenOptions::default()
    };
    Ledger::open(path, options).expect("the ledger opens")
}

/// One request and its answer.
pub fn ask(ledger: &Ledger, line: &str) -> Value {
    json::parse(&ledger.answer(line)).expect("a response is JSON")
}

/// A text whose ids are told by the order in which they come.
pub fn nameless(text: &str) -> String {
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let (mut plain, mut word) = (String::with_capacity(text.len()), String::new());
    for letter in text.chars().chain([' ']) {
        if letter.is_ascii_hexdigit() || letter == '-' {
            word.push(letter);
            continue;
        }
        if word.len() >= 16 {
            let next = names.len();
            let name = names.entry(word.replace('-', "")).or_insert(next);
            plain.push_str(&format!("ID{name}"));
        } else {
            plain.push_str(&word);
        }
        word.clear();
        plain.push(letter);
    }
    plain
}
