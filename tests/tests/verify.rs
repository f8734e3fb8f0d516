//! The history bears every row out: whatever somebody edits by hand, `verify` names the task.

use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::json;
use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::scratch::Scratch;
use serde_json::Value;

const EDITS: [&str; 28] = [
    "label = 'edited'",
    "task = NULL",
    "metadata = json_set(metadata, '$.branch', 'edited')",
    "metadata = NULL",
    "owner = 'edited'",
    "runtime = 'edited'",
    "kind = 'edited'",
    "source_id = 'edited'",
    "run_id = NULL",
    "session = 'edited'",
    "agent = 'edited'",
    "requester_session = 'edited'",
    "timeout = 1",
    "retry_of = id",
    "summary = 'edited'",
    "summary = NULL",
    "result = '{\"forged\": 1}'",
    "exit_code = 0",
    "signal = 9",
    "output = NULL",
    "error = json_set(error, '$.message', 'edited')",
    "artifacts = NULL",
    "usage = json_set(usage, '$.all.tokens_in', 1)",
    "status = 3, outcome = 'ok', reason = NULL",
    "reason = 'edited'",
    "ended_at = ended_at - 1",
    "attempt = 2",
    "progress = json_set(progress, '$.current', 9)",
];

#[test]
fn an_edit_of_any_part_of_a_row_is_found() {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let mut writer = Piped::on(&path);
    let whole = r#"{"create": {"label": "whole", "task": "what", "metadata": {"branch": "main"}, "run_id": "r",
        "session": "s", "timeout": "1d", "kind": "k", "start": {}}}"#;
    writer.ok(&whole.replace('\n', " "));
    writer.ok(r#"{"progress": {"lookup": 1, "current": 1, "total": 2, "text": "half"}}"#);
    writer.ok(r#"{"finish": {"lookup": 1, "status": "failed", "summary": "said", "result": {"a": 1}, "exit_code": 3,
            "error": {"type": "E", "message": "m"}, "output": {"tail": "the end", "bytes": 7, "truncated": false},
            "artifacts": {"log": {"uri": "file:log"}}, "usage": {"tokens_in": 7}}}"#
        .replace('\n', " ")
        .as_str());
    writer.end();
    assert_sound(&path);
    for edit in EDITS {
        let folder = Scratch::in_memory();
        let copy = folder.ledger();
        std::fs::copy(&path, &copy).expect("a copy");
        ask_sqlite(&copy, &format!("UPDATE task SET {edit} WHERE number = 1"));
        let output = pipe::command(&copy).args(["--json", "verify"]).output().expect("it runs");
        let report: Value = json::parse(&String::from_utf8_lossy(&output.stdout)).expect("JSON");
        assert_eq!((output.status.code(), &report["ok"]), (Some(8), &Value::Bool(false)), "{edit}: {report}");
        let problem = report["problems"][0].as_str().expect("a problem");
        assert!(problem.starts_with("#1: the row differs from its history in "), "{edit}: {problem}");
    }
}
