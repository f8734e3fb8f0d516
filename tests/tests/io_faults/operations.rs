//! What is asked while the disk fails: one of every kind of request, of a ledger in which each has something to do.

use bgledger_tests::model::{START_MS, time};

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
pub(crate) const WARM: [&str; 2] = [r#"{"list": {}}"#, r#"{"heartbeat": {"lookup": 2}}"#];

/// What an answer to a request that failed may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
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
pub(crate) const OPERATIONS: [(&str, Kind); 48] = [
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
    (r#"{"acknowledge": {"code": "unobserved", "task": 9, "for": "1h"}}"#, Kind::Records),
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

/// The requests that make the stage, at their time.
pub(crate) fn stage() -> Vec<String> {
    STAGE.iter().map(|line| at(line, START_MS)).collect()
}

/// A request at a time.
pub(crate) fn at(line: &str, now: i64) -> String {
    line.replacen('{', &format!(r#"{{"now": "{}", "#, time(now)), 1)
}

/// When the disk fails: the lease and the patience of some are over, and some of what ended is kept no longer.
pub(crate) fn later() -> i64 {
    START_MS + 2 * 86_400_000
}
