//! What a user may get wrong: each is a clear error with the exit code of its class, and not a byte is written.

mod notices_and_flows;
mod places;

use bgledger_tests::history::ask_sqlite;
use bgledger_tests::pipe;
use bgledger_tests::scratch::Scratch;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};

/// A folder with a ledger of three tasks; two of them share a run id.
struct Stage {
    scratch: Scratch,
}

impl Stage {
    fn new() -> Stage {
        let stage = Stage { scratch: Scratch::new() };
        for line in [
            r#"{"create": {"label": "first", "run_id": "shared", "runtime": "cron"}}"#,
            r#"{"create": {"label": "second", "run_id": "shared", "runtime": "acp"}}"#,
            r#"{"create": {"label": "third"}}"#,
        ] {
            let response: Value = serde_json::from_slice(&stage.call(line.as_bytes()).stdout).expect("a response");
            assert!(response["ok"].is_object(), "{response}");
        }
        stage
    }

    fn path(&self) -> PathBuf {
        self.scratch.ledger()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        pipe::command(&self.path()).arg("--json").args(arguments).output().expect("it runs")
    }

    fn call(&self, line: &[u8]) -> Output {
        let mut child = pipe::command(&self.path())
            .arg("call")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(line).and_then(|()| input.write_all(b"\n")).expect("sent");
        drop(input);
        child.wait_with_output().expect("it ends")
    }

    /// Everything that is recorded, as SQLite's own shell sees it.
    fn content(&self) -> String {
        ask_sqlite(&self.path(), ".dump")
    }

    /// An error of these words, this exit code, and nothing written.
    fn refuses(&self, arguments: &[&str], code: &str, exit: i32, says: &[&str]) {
        let before = self.content();
        let output = self.run(arguments);
        assert_error(&output, code, exit, says);
        assert_eq!(self.content(), before, "{arguments:?} wrote something");
    }

    /// The same through `call`: an error in the response, and nothing written.
    fn answers_with(&self, line: &[u8], code: &str, says: &[&str]) {
        let before = self.content();
        let output = self.call(line);
        let response: Value = serde_json::from_slice(&output.stdout).expect("one response");
        let error = &response["error"];
        assert_eq!(error["code"], code, "{response}");
        let message = error["message"].as_str().expect("a message");
        says.iter().for_each(|word| assert!(message.contains(word), "{word:?} is not in {message:?}"));
        assert_eq!(self.content(), before, "{} wrote something", String::from_utf8_lossy(line));
    }
}

fn assert_error(output: &Output, code: &str, exit: i32, says: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{stderr}");
    assert!(output.stdout.is_empty(), "an error prints nothing on stdout");
    let error: Value = serde_json::from_str(&stderr).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    assert_eq!(error["error"]["code"], code, "{error}");
    let message = error["error"]["message"].as_str().expect("a message");
    says.iter().for_each(|word| assert!(message.contains(word), "{word:?} is not in {message:?}"));
}

#[test]
fn words_and_values() {
    let stage = Stage::new();
    stage.refuses(&["finish", "3", "--status", "finished"], "invalid_value", 2, &["finished"]);
    stage.answers_with(
        br#"{"finish": {"lookup": 3, "status": "finished"}}"#,
        "invalid_value",
        &["finish.status", "finished", "succeeded"],
    );
    stage.refuses(&["show", "99"], "not_found", 3, &["99"]);
    stage.refuses(&["show", "run:nobody"], "not_found", 3, &["nobody"]);
    stage.refuses(&["cancel", "nobody"], "not_found", 3, &["nobody"]);
    stage.refuses(&["cancel", "run:shared"], "ambiguous", 4, &["shared", "2"]);
    let long = "x".repeat(bgledger_core::bounds::LABEL_BYTES + 1);
    stage.refuses(&["create", "--label", &long], "too_large", 2, &["label"]);
    stage.answers_with(
        br#"{"create": {"label": "x", "metadata": {"k": {"nested": 1}}}}"#,
        "invalid_value",
        &["create.metadata"],
    );
    stage.answers_with(br#"{"create": {"label": "x", "timeout": -5}}"#, "invalid_value", &["create.timeout"]);
    stage.refuses(&["create", "--label", "x", "--timeout=-5"], "invalid_value", 2, &["-5"]);
    stage.answers_with(br#"{"create": {"label": "a\u0000b"}}"#, "invalid_value", &["label", "NUL"]);
    stage.answers_with(b"{\"create\": {\"label\": \"\xff\xfe\"}}", "invalid_request", &["UTF-8"]);
    stage.answers_with(br#"{"create": {"label": "\ud800"}}"#, "invalid_value", &["create.label"]);
    stage.answers_with(br#"{"create": {"label": "x", "colour": "red"}}"#, "invalid_value", &["colour"]);
    stage.answers_with(br#"{"destroy": {}}"#, "unknown_command", &["destroy"]);
    stage.answers_with(br#"[1, 2]"#, "invalid_request", &[]);
    stage.answers_with(
        br#"{"config": {"set": {"durability": "perhaps"}}}"#,
        "invalid_value",
        &["durability", "perhaps"],
    );
    stage.answers_with(br#"{"config": {"set": {"colour": "red"}}}"#, "unknown_key", &["colour"]);
}

/// A list says nothing by name: what a request is given is an object, at every depth.
#[test]
fn requests_name_what_they_say() {
    let stage = Stage::new();
    for line in [
        r#"{"show": [3]}"#,
        r#"{"cancel": [3]}"#,
        r#"{"flow_create": ["publish", "weekly"]}"#,
        r#"{"create": {"label": "x", "start": []}}"#,
        r#"{"create": {"label": "x", "finish": ["failed"]}}"#,
    ] {
        stage.answers_with(line.as_bytes(), "invalid_value", &["object"]);
    }
}

#[test]
fn ambiguous_lookups_tell_the_candidates() {
    let stage = Stage::new();
    let output = stage.run(&["cancel", "run:shared"]);
    let error: Value = serde_json::from_slice(&output.stderr).expect("JSON");
    let candidates = error["error"]["candidates"].as_array().expect("candidates");
    let numbers: Vec<&Value> = candidates.iter().map(|candidate| &candidate["number"]).collect();
    assert_eq!(numbers, [2, 1]);
}
