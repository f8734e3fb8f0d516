//! Recipients, claims and flows that are not what somebody takes them for.

use crate::Stage;
use bgledger_tests::until::until;
use serde_json::{Value, json};

impl Stage {
    /// What is answered with `--json` to something that must succeed.
    fn ok(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// The same mistake through the command line and through `call`.
    fn refuses_both(&self, arguments: &[&str], line: &Value, code: &str, exit: i32, says: &[&str]) {
        self.refuses(arguments, code, exit, says);
        self.answers_with(line.to_string().as_bytes(), code, says);
    }

    /// A task of alice's that owes her session a notice; its name.
    fn owing(&self) -> String {
        self.ok(&["config", "set", "subscriber.board", r#"{"status": ["lost"]}"#]);
        let created = ["--owner", "alice", "create", "--label", "owing", "--runtime", "subagent"];
        self.ok(&[&created[..], &["--requester-session", "chat"]].concat());
        self.ok(&["finish", "4", "--status", "failed"]);
        self.ok(&["notices"])["notices"][0]["notice"].as_str().expect("a name").to_owned()
    }
}

#[test]
fn recipients_that_cannot_be_or_are_not_there() {
    let stage = Stage::new();
    stage.owing();
    let malformed = [("chat", "invalid_value", 2), ("session:", "invalid_value", 2), ("", "invalid_value", 2)];
    let absent = [("subscriber:nobody", "unknown_recipient", 3), ("subscriber:Board", "unknown_recipient", 3)];
    for (recipient, code, exit) in malformed.into_iter().chain(absent) {
        for (arguments, line) in [
            (&["notices", "claim", "--for", recipient][..], json!({"notices_claim": {"recipients": [recipient]}})),
            (&["notices", "--json", "list", "--for", recipient], json!({"notices": {"recipient": recipient}})),
            (&["show", "4", "--ack", recipient], json!({"show": {"lookup": 4, "ack": recipient}})),
            (&["wait", "4", "--ack", recipient], json!({"wait": {"lookups": [4], "ack": recipient}})),
        ] {
            stage.refuses_both(arguments, &line, code, exit, &[recipient]);
        }
        let one_is_wrong = json!({"notices_claim": {"recipients": ["session:chat", recipient]}});
        stage.answers_with(one_is_wrong.to_string().as_bytes(), code, &[recipient]);
        stage.refuses(&["notices", "deliver", "--exec", "true", "--for", recipient], code, exit, &[recipient]);
    }
    // Another owner looks like one that is not there, and nobody hears of tasks that are not theirs.
    for owner in ["owner:alice", "owner:nobody"] {
        stage.refuses(&["--owner", "bob", "notices", "claim", "--for", owner], "unknown_recipient", 3, &[owner]);
        stage.refuses(&["--owner", "bob", "notices", "list", "--for", owner], "unknown_recipient", 3, &[owner]);
        stage.refuses(&["--owner", "bob", "show", "4", "--ack", owner], "not_found", 3, &["4"]);
    }
    let before = stage.content();
    let nothing =
        stage.ok(&["--owner", "bob", "notices", "claim", "--for", "session:chat", "--for", "subscriber:board"]);
    assert_eq!((&nothing["claim"], stage.content()), (&json!(null), before));
}

#[test]
fn subscribers_that_cannot_be() {
    let stage = Stage::new();
    for filter in
        ["cron", "[]", r#"["alice"]"#, r#"{"runtimes": "cron"}"#, r#"{"status": ["over"]}"#, r#"{"status": "failed"}"#]
    {
        let line = json!({"config": {"set": {"subscriber.ops": filter}}});
        let arguments = ["config", "set", "subscriber.ops", filter];
        stage.refuses_both(&arguments, &line, "invalid_value", 2, &["subscriber.ops"]);
    }
    for key in ["subscriber.", "subscribers.ops"] {
        let line = json!({"config": {"set": {key: "{}"}}});
        stage.refuses_both(&["config", "set", key, "{}"], &line, "unknown_key", 3, &[key]);
    }
}

#[test]
fn notices_are_answered_by_who_holds_them() {
    let stage = Stage::new();
    let notice = stage.owing();
    let refused = |claim: &str, code: &str, exit: i32, says: &str| {
        let ack = json!({"notices_ack": {"claim": claim, "notices": [notice]}});
        stage.refuses_both(&["notices", "ack", "--claim", claim, &notice], &ack, code, exit, &[says]);
        let nack = json!({"notices_nack": {"claim": claim, "notices": [notice], "reason": "no route"}});
        let arguments = ["notices", "nack", "--claim", claim, "--reason", "no route", &notice];
        stage.refuses_both(&arguments, &nack, code, exit, &[says]);
    };
    let claim = |lease: &str| {
        let claimed = stage.ok(&["notices", "claim", "--for", "session:chat", "--lease", lease]);
        claimed["claim"].as_str().map(str::to_owned)
    };
    refused("0123456789abcdef", "stale_claim", 4, &notice);
    let first = claim("100ms").expect("it is due");
    refused("0123456789abcdef", "stale_claim", 4, &notice);
    // Its lease runs out, and somebody else claims it.
    let mut second = None;
    until("the lease is over", || {
        second = claim("10m");
        second.is_some()
    });
    refused(&first, "stale_claim", 4, &notice);
    let second = second.expect("a claim");
    // All or none: with one that is not there nothing is acknowledged.
    let both = ["notices", "ack", "--claim", &second, &notice, "999"];
    stage.refuses(&both, "no_notice", 3, &["999"]);
    let foreign = ["--owner", "bob", "notices", "ack", "--claim", &second, &notice];
    stage.refuses(&foreign, "no_notice", 3, &[&notice]);
    stage.refuses(&["notices", "retry", &notice], "notice_settled", 4, &[&notice]);
    stage.refuses(&["notices", "drop", &notice], "notice_settled", 4, &[&notice]);
    assert_eq!(stage.ok(&["notices", "ack", "--claim", &second, &notice])["changed"], 1);
    refused(&first, "stale_claim", 4, &notice);
    stage.refuses(&["notices", "retry", &notice], "notice_settled", 4, &[&notice]);
    stage.refuses(&["notices", "dismiss", &notice], "notice_settled", 4, &[&notice]);
    let late = ["notices", "nack", "--claim", &second, "--reason", "no route", &notice];
    stage.refuses(&late, "notice_settled", 4, &[&notice]);
}

/// A claim that is over at once is none: whoever made it would be handed the same again, until it is given up.
#[test]
fn a_claim_lasts() {
    let stage = Stage::new();
    stage.owing();
    let line = json!({"notices_claim": {"lease": 0}});
    stage.refuses_both(&["notices", "claim", "--lease", "0"], &line, "invalid_value", 2, &["notices_claim.lease"]);
    for limit in [0, 1_001] {
        let line = json!({"notices_claim": {"limit": limit}});
        let typed = ["notices", "claim", "--limit", &limit.to_string()];
        stage.refuses_both(&typed, &line, "invalid_value", 2, &["notices_claim.limit"]);
    }
}

/// Every move of a flow, as it is typed and as it is called.
fn moves(flow: &str, revision: u64) -> [(Vec<String>, Value); 4] {
    ["wait", "resume", "finish", "fail"].map(|verb| {
        let typed = ["flow", verb, flow, "--revision", &revision.to_string()].map(str::to_owned).to_vec();
        (typed, json!({format!("flow_{verb}"): {"flow": flow, "revision": revision}}))
    })
}

#[test]
fn flows_are_moved_by_who_has_seen_the_newest() {
    let stage = Stage::new();
    let begin = ["--owner", "alice", "flow", "create", "--goal", "publish", "--controller", "weekly"];
    for _ in 1..=2 {
        stage.ok(&begin);
    }
    stage.ok(&["flow", "wait", "F1", "--revision", "1"]);
    stage.ok(&["flow", "finish", "F2", "--revision", "1"]);
    stage.ok(&["flow", "create", "--mirrors", "3"]);
    let all_refused = |flow: &str, revision: u64, code: &str, exit: i32, says: &[&str]| {
        for (typed, called) in moves(flow, revision) {
            let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
            stage.refuses_both(&typed, &called, code, exit, says);
        }
    };
    for seen in [0, 1, 3] {
        all_refused("F1", seen, "revision_conflict", 4, &["F1"]);
    }
    all_refused("F3", 1, "flow_mirrored", 4, &["F3"]);
    all_refused("F9", 1, "no_flow", 3, &["F9"]);
    for (typed, called) in moves("F2", 2).into_iter().filter(|(typed, _)| typed[1] != "finish") {
        let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
        stage.refuses_both(&typed, &called, "flow_ended", 4, &["F2"]);
    }
    // Nor do they get tasks.
    for (owner, flow, code, exit) in [
        ("alice", "F2", "flow_ended", 4),
        ("local", "F3", "flow_mirrored", 4),
        ("alice", "F9", "no_flow", 3),
        ("bob", "F1", "no_flow", 3),
    ] {
        let line = json!({"create": {"label": "late", "flow": flow, "owner": owner}});
        let typed = ["--owner", owner, "create", "--label", "late", "--flow", flow];
        stage.refuses_both(&typed, &line, code, exit, &[flow]);
    }
    // What is another owner's looks like what is not there.
    for (typed, _) in moves("F1", 2) {
        let typed: Vec<&str> = ["--owner", "bob"].into_iter().chain(typed.iter().map(String::as_str)).collect();
        stage.refuses(&typed, "no_flow", 3, &["F1"]);
    }
    for typed in [&["flow", "show", "F1"][..], &["flow", "cancel", "F1"], &["list", "--flow", "F1"]] {
        stage.refuses(&[&["--owner", "bob"], typed].concat(), "no_flow", 3, &["F1"]);
    }
    stage.refuses(&["--owner", "bob", "flow", "create", "--mirrors", "3"], "not_found", 3, &["3"]);
    // A task that stands in the way has to be there.
    let blocked = json!({"flow_wait": {"flow": "F1", "revision": 2, "blocked_task": 99}});
    let typed = ["flow", "wait", "F1", "--revision", "2", "--blocked-by", "99"];
    stage.refuses_both(&typed, &blocked, "not_found", 3, &["99"]);
}
