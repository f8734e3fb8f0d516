//! The demo of the README does what it says: three commands recorded at once by three processes, one that succeeds,
//! one that fails, one that is cancelled while its grandchild writes a file.

use bgledger_tests::binary::{NO_PREFERENCES, OVERRIDE, bgledger, workspace};
use bgledger_tests::history::assert_sound;
use bgledger_tests::pipe;
use bgledger_tests::scratch::Scratch;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

fn demo(temporary: &Path, arguments: &[&Path]) -> Output {
    let mut demo = Command::new("sh");
    demo.arg(workspace().join("demo.sh")).args(arguments).env(OVERRIDE, bgledger()).env("TMPDIR", temporary);
    demo.env(NO_PREFERENCES.0, NO_PREFERENCES.1)
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::null())
        .output()
        .expect("sh runs")
}

fn said(output: &Output) -> &str {
    let text = str::from_utf8(&output.stdout).expect("text");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    text
}

fn ask(ledger: &Path, arguments: &[&str]) -> Value {
    let output = pipe::command(ledger).arg("--json").args(arguments).output().expect("it runs");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What a shown command printed.
fn printed<'a>(text: &'a str, command: &str) -> &'a str {
    let (_, after) = text.rsplit_once(&format!("\n$ {command}\n")).unwrap_or_else(|| panic!("no {command} in\n{text}"));
    after.split("\n$ ").next().unwrap_or_default()
}

#[test]
fn the_demo_records_three_ends_and_the_writing_stops() {
    let scratch = Scratch::new();
    let folder = scratch.ledger().with_file_name("kept");
    let output = demo(folder.parent().expect("a folder"), &[&folder]);
    let text = said(&output);
    let (ledger, ticks) = (folder.join("ledger.db"), folder.join("ticks"));

    let before = fs::read(&ticks).expect("the ticks");
    assert!(!before.is_empty(), "nothing was ever written");
    sleep(Duration::from_millis(500));
    assert_eq!(fs::read(&ticks).expect("the ticks").len(), before.len(), "the grandchild writes on");

    let task = |lookup: &str| ask(&ledger, &["show", lookup])["task"].clone();
    let facts = |task: &Value| json!([task["status"], task["outcome"], task["reason"], task["exit_code"]]);
    let (adder, breaker, ticker) = (task("adder"), task("breaker"), task("ticker"));
    assert_eq!(facts(&adder), json!(["succeeded", "ok", null, 0]));
    assert_eq!(facts(&breaker), json!(["failed", null, "exit_code", 3]));
    assert_eq!(facts(&ticker), json!(["cancelled", null, "requested", null]));
    assert_eq!(adder["output"]["tail"], "42\n");

    // Three processes recorded, and all three worked at the same time.
    let tasks = [&adder, &breaker, &ticker];
    let pids = tasks.map(|task| task["executor"]["pid"].as_u64().expect("a pid"));
    assert!(pids[0] != pids[1] && pids[1] != pids[2] && pids[0] != pids[2], "{pids:?}");
    let time = |task: &Value, name: &str| task[name].as_str().expect("a time").to_owned();
    let last_start = tasks.map(|task| time(task, "started_at")).into_iter().max();
    let first_end = tasks.map(|task| time(task, "ended_at")).into_iter().min();
    assert!(last_start < first_end, "they did not run at once: {last_start:?} {first_end:?}");

    // What was shown is what is recorded.
    let list = printed(text, "bgledger list");
    for (task, facts) in tasks.into_iter().zip([vec!["succeeded"], vec!["failed", "exit code 3"], vec!["cancelled"]]) {
        let label = task["label"].as_str().expect("a label");
        let line = list.lines().find(|line| line.contains(label)).unwrap_or_else(|| panic!("{label}: {list}"));
        assert!(facts.iter().all(|fact| line.contains(fact)), "{line}");
    }
    let show = printed(text, "bgledger show breaker");
    assert!(show.contains("✗ failed") && show.contains("no space left"), "{show}");
    let history = printed(text, "bgledger history ticker");
    let words: Vec<&str> =
        history.lines().skip(1).filter_map(|line| line.split("  ").find(|word| is_event(word))).collect();
    let events = ask(&ledger, &["history", "ticker"])["events"].clone();
    let types: Vec<&str> =
        events.as_array().expect("a list").iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(types, ["created", "started", "cancel_requested", "cancel_told", "finished"]);
    assert_eq!(words.iter().map(|word| word.trim()).collect::<Vec<_>>(), types);
    assert_eq!(printed(text, "bgledger audit"), "Nothing is wrong.\n");
    assert_sound(&ledger);
}

fn is_event(word: &str) -> bool {
    let word = word.trim();
    !word.is_empty() && word != "now" && word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
}

#[test]
fn the_demo_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let temporary = scratch.ledger().with_file_name("temporary");
    fs::create_dir(&temporary).expect("a folder");
    said(&demo(&temporary, &[]));
    assert_eq!(fs::read_dir(&temporary).expect("a folder").count(), 0, "the demo's folder is still there");
}
