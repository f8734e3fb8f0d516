//! A ledger that is written as lines and read again is the same ledger; beside other records it brings what is missing.

use bgledger_core::{
    Config, ErrorCode, ImportFinding, ImportReport, List, Maintenance, Prune, Show, Span, TaskId, Verify,
};
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::json;
use bgledger_tests::pipe;
use bgledger_tests::scratch::Scratch;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

fn open(scratch: &Scratch) -> Ledger {
    Ledger::open(&scratch.ledger(), OpenOptions::default()).expect("a ledger")
}

fn ok(ledger: &Ledger, request: &str) -> serde_json::Value {
    let response: serde_json::Value = serde_json::from_str(&ledger.answer(request)).expect("JSON");
    assert!(response.get("ok").is_some(), "{request} was answered with {response}");
    response["ok"].clone()
}

/// A ledger with something of everything.
fn lived_in() -> Scratch {
    let scratch = Scratch::in_memory();
    let ledger = open(&scratch);
    ok(&ledger, r#"{"config": {"set": {"retention": "30d", "subscriber.log": "{}"}}}"#);
    ok(&ledger, r#"{"flow_create": {"goal": "publish", "controller": "c", "state": {"b": 1,  "a": 2}, "key": "k"}}"#);
    let words = ["\"quotes\"", "日本語 🦞", "tab\\there", "line\\nbreak"];
    for number in 0..40_usize {
        let word = words[number % words.len()].replace('"', "\\\"");
        let parent = if number % 5 == 4 { r#", "parent": 3"# } else { "" };
        let flow = if number % 7 == 1 { r#", "flow": "F1""# } else { "" };
        let create = format!(
            r#"{{"create": {{"label": "{word} {number}", "key": "key-{number}", "run_id": "run-{number}", "owner": "o{}",
                "requester_session": "chat", "metadata": {{"n": {number}.50}}, "start": {{"lease": "1h"}}{parent}{flow}}}}}"#,
            if parent.is_empty() && flow.is_empty() { number % 2 } else { 0 }
        )
        .replace('\n', " ");
        let create = if flow.is_empty() { create } else { create.replace("\"o0\"", "\"local\"") };
        let number = ok(&ledger, &create)["task"]["number"].clone();
        ok(&ledger, &format!(r#"{{"progress": {{"lookup": {number}, "text": "half", "current": 1, "total": 2}}}}"#));
    }
    for number in 5..30 {
        let status = ["succeeded", "failed", "timed_out", "cancelled"][number % 4];
        let finish = format!(r#"{{"finish": {{"lookup": {number}, "status": "{status}", "summary": "said"}}}}"#);
        ok(&ledger, &finish);
    }
    ok(&ledger, r#"{"finish": {"lookup": 4, "status": "failed", "result": {"a":  [1]}, "exit_code": 3}}"#);
    ok(&ledger, r#"{"settle": {"lookup": 31, "status": "lost", "why": "no word"}}"#);
    ok(&ledger, r#"{"cancel": {"lookup": 32, "why": "enough"}}"#);
    ok(&ledger, r#"{"flow_create": {"mirrors": 33}}"#);
    ok(&ledger, r##"{"acknowledge": {"code": "lost", "subject": "#36", "until": "2030-01-01T00:00:00Z"}}"##);
    let claimed = ok(&ledger, r#"{"notices_claim": {"recipients": ["session:chat"], "limit": 5}}"#);
    let first = &claimed["notices"][0];
    let name = format!("{}/session:chat", first["seq"]);
    ok(&ledger, &format!(r#"{{"notices_ack": {{"claim": {}, "notices": ["{name}"]}}}}"#, first["claim"]["token"]));
    let old = Prune { older_than: Some(Span::ZERO), dry_run: false };
    // Some go, and leave tombstones and letters; those that a consumer holds stay.
    let pruned = ledger.call(old).expect("a pruning");
    assert!(pruned.tasks > 5 && pruned.unclaimed > 5, "{pruned:?}");
    scratch
}

fn export(scratch: &Scratch) -> PathBuf {
    let mut text = String::new();
    let whole = open(scratch).export(&mut |line| {
        text.push_str(line);
        text.push('\n');
        true
    });
    assert!(whole.expect("an export"));
    let file = scratch.ledger().with_file_name(format!("export-{}.ndjson", text.len()));
    fs::write(&file, text).expect("a file");
    file
}

/// An export without what tells when it was made.
fn timeless(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("an export");
    text.split_once('\n').expect("a header").1.to_owned()
}

fn import(scratch: &Scratch, file: &Path) -> ImportReport {
    open(scratch).import(file, false).expect("an import")
}

/// What SQLite's own shell answers, bytes and all.
fn quoted(scratch: &Scratch, query: &str) -> String {
    let shell = Command::new("sqlite3").args(["-cmd", ".mode quote"]).arg(scratch.ledger()).arg(query).output();
    String::from_utf8(shell.expect("sqlite3 is installed").stdout).expect("text")
}

fn assert_verified(scratch: &Scratch) {
    let report = open(scratch).call(Verify {}).expect("a verification");
    assert!(report.ok, "{:#?}", report.problems);
}

#[test]
fn an_empty_ledger_becomes_equal_to_the_exported_one() {
    let (one, other) = (lived_in(), Scratch::in_memory());
    let file = export(&one);
    let report = import(&other, &file);
    assert!(report.tasks.imported > 10 && report.flows.imported == 2, "{report:?}");
    assert_eq!(timeless(&export(&other)), timeless(&file));
    assert_verified(&other);
    let tables = "SELECT group_concat(name, ' ') FROM sqlite_schema WHERE type = 'table' AND name <> 'meta'";
    for table in ask_sqlite(&one.ledger(), tables).split(' ').filter(|table| *table != "tally") {
        let rows = format!("SELECT * FROM {table} ORDER BY 1, 2, 3");
        assert_eq!(quoted(&one, &rows), quoted(&other, &rows), "{table}");
    }
    let again = import(&other, &file);
    assert_eq!((again.tasks.imported, again.flows.imported), (0, 0));
    assert_eq!(timeless(&export(&other)), timeless(&file));
    // Both go on under the same numbers.
    let create = r#"{"create": {"label": "next"}}"#;
    let next = |scratch: &Scratch| ok(&open(scratch), create)["task"]["number"].clone();
    assert_eq!(next(&one), next(&other));
}

#[test]
fn a_ledger_with_records_of_its_own_gets_what_it_has_not() {
    let (one, other) = (lived_in(), Scratch::in_memory());
    let ledger = open(&other);
    for number in 0..3 {
        ok(
            &ledger,
            &format!(r#"{{"create": {{"label": "own", "key": "key-{number}", "owner": "o0", "start": {{}}}}}}"#),
        );
    }
    ok(&ledger, r#"{"config": {"set": {"retention": "1d"}}}"#);
    let own = quoted(&other, "SELECT * FROM task WHERE number <= 3");
    let file = export(&one);
    let report = import(&other, &file);
    assert_sound(&other.ledger());
    assert_eq!(own, quoted(&other, "SELECT * FROM task WHERE number <= 3"));
    for task in open(&one).call(List { limit: Some(1_000), ..List::default() }).expect("a list").tasks {
        let was = task.task;
        let is = ledger.call(Show { lookup: was.id.into(), ack: None }).expect("it is there").task;
        let (now, then) = (is.task, was);
        assert_eq!(is.delivery, task.delivery);
        let expected =
            bgledger_core::Task { number: now.number, updated_at: now.updated_at, key: now.key.clone(), ..*then };
        assert_eq!(*now, expected);
    }
    let settings = ledger.call(Config::default()).expect("settings").config;
    assert_eq!(settings["retention"].value.as_deref(), Some("24h"), "its own policy stays");
    let known = "SELECT subject = '#' || number FROM acknowledgement, task WHERE run_id = 'run-35'";
    assert_eq!(ask_sqlite(&other.ledger(), known), "1", "what was acknowledged follows its task");
    let setting = |report: &ImportReport| report.findings.iter().any(|one| one.subject == "setting retention");
    assert!(setting(&report), "what stays as it is here is told: {:?}", report.findings);
    let key = |one: &&ImportFinding| one.field == "key" && one.why == "another record has it here";
    assert!(report.findings.iter().any(|one| key(&one)), "{:?}", report.findings);
    ok(&ledger, r#"{"notify": {"lookup": "run:run-35", "policy": "silent"}}"#);
    let before = timeless(&export(&other));
    let again = import(&other, &file);
    assert_eq!((again.tasks.imported, again.tasks.existed), (0, report.tasks.imported));
    let moved: Vec<_> = again.findings.iter().filter(|one| one.field == "revision").collect();
    assert_eq!(moved.len(), 1, "of one task there is another state here: {:?}", again.findings);
    assert_eq!(timeless(&export(&other)), before);
    assert_eq!(ledger.call(Prune { older_than: None, dry_run: true }).expect("a preview").tasks, 0);
    ledger.call(Maintenance { apply: true, ..Maintenance::default() }).expect("maintenance");
    assert_verified(&other);
}

#[test]
fn an_import_that_is_killed_is_continued_by_importing_again() {
    let (one, other) = (Scratch::in_memory(), Scratch::in_memory());
    let ledger = open(&one);
    let create = |number: usize| format!(r#"{{"create": {{"label": "task {number}", "start": {{}}}}}}"#);
    let requests: Vec<String> = (0..3_000).map(create).collect();
    let requests: Vec<&str> = requests.iter().map(String::as_str).collect();
    ledger.answer_all(&requests, |response| assert!(response.starts_with(r#"{"ok""#)));
    let file = export(&one);
    ok(&open(&other), r#"{"create": {"label": "own"}}"#);
    let mut killed = 0;
    for patience in [60, 90, 120, 150] {
        let mut command = pipe::command(&other.ledger());
        let mut child = command.arg("import").arg(&file).stdout(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(patience));
        child.kill().expect("a process");
        killed += u32::from(!child.wait().expect("it ends").success());
        assert_verified(&other);
    }
    assert!(killed > 0, "none was killed: each was faster");
    let report = import(&other, &file);
    assert_eq!(report.tasks.found, 3_000);
    assert_eq!(open(&other).call(bgledger_core::Stats {}).expect("counts").total, 3_001);
    assert_sound(&other.ledger());
}

#[test]
fn what_is_no_whole_export_is_refused_and_makes_no_ledger() {
    let (one, other) = (lived_in(), Scratch::in_memory());
    let text = fs::read_to_string(export(&one)).expect("an export");
    let bad = other.ledger().with_file_name("bad.ndjson");
    let refused = |text: &str| {
        fs::write(&bad, text).expect("a file");
        open(&other).import(&bad, false).expect_err("a refusal").code()
    };
    let lines: Vec<&str> = text.lines().collect();
    for broken in [
        "",
        "nothing",
        "{}",
        &text[..text.len() / 2],
        &lines[..lines.len() - 1].join("\n"),
        &lines[1..].join("\n"),
        &[&lines[..5], &lines[6..]].concat().join("\n"),
        &text.replacen("\"version\":1", "\"version\":2", 1),
    ] {
        assert_eq!(refused(broken), ErrorCode::InvalidValue);
        assert!(!other.ledger().exists());
    }
    // What contradicts its history is not taken, and nothing with it.
    let edited = text.replacen("\"attempt\":1,", "\"attempt\":2,", 1);
    assert_ne!(edited, text);
    assert_eq!(refused(&edited), ErrorCode::InvalidValue);
    // Nor are records that contradict each other, or settings of the file that no export has.
    let recounted = |lines: &[&str]| {
        let end = format!(r#"{{"end": {{"lines": {}}}}}"#, lines.len() - 1);
        [&lines[..lines.len() - 1], &[end.as_str()]].concat().join("\n")
    };
    let parent = lines.iter().position(|line| line.contains(r#""number":3,"owner""#)).expect("a parent");
    assert_eq!(refused(&recounted(&[&lines[..parent], &lines[parent + 1..]].concat())), ErrorCode::InvalidValue);
    for meta in [r#"{"meta":{"key":"min_reader","value":9}}"#, r#"{"meta":{"key":"pruned_seq","value":"9"}}"#] {
        assert_eq!(refused(&recounted(&[&lines[..1], &[meta], &lines[1..]].concat())), ErrorCode::InvalidValue);
    }
    // Nor is what could not be read again.
    for (record, column, value) in [("task", "metadata", "oops"), ("flow", "state", "{oops"), ("flow", "cancel", "[7]")]
    {
        let mut lines: Vec<serde_json::Value> = lines.iter().map(|line| json::parse(line).expect("JSON")).collect();
        let line = lines.iter_mut().find(|line| line[record].is_object()).expect("one of these");
        line[record][column] = value.into();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        assert_eq!(refused(&text), ErrorCode::InvalidValue, "{record}.{column}");
    }
    assert_eq!(ask_sqlite(&other.ledger(), "SELECT count(*) FROM task"), "0");
    let owners = OpenOptions { owner: Some("o0".into()), ..OpenOptions::default() };
    let owners = Ledger::open(&one.ledger(), owners).expect("a ledger");
    assert_eq!(owners.export(&mut |_| true).expect_err("a refusal").code(), ErrorCode::NotAvailable);
}

#[test]
fn the_verbs_write_a_private_file_and_read_it() {
    let (one, other) = (lived_in(), Scratch::in_memory());
    let file = one.ledger().with_file_name("out.ndjson");
    let run = |scratch: &Scratch, arguments: &[&str]| {
        pipe::command(&scratch.ledger()).args(arguments).arg(&file).output().expect("it runs")
    };
    assert!(run(&one, &["export"]).status.success());
    assert!(!run(&one, &["export"]).status.success(), "nothing is written over");
    let preview = run(&other, &["import", "--dry-run", "--json"]);
    assert!(preview.status.success() && !other.ledger().exists());
    let report: serde_json::Value = serde_json::from_slice(&run(&other, &["import", "--json"]).stdout).expect("JSON");
    let id = TaskId::parse(ok(&open(&one), r#"{"show": {"lookup": 3}}"#)["task"]["id"].as_str().expect("an id"));
    let shown = open(&other).call(Show { lookup: id.expect("a UUID").into(), ack: None }).expect("a task");
    assert_eq!((report["applied"].as_bool(), shown.task.task.number.0), (Some(true), 3));
    let piped = pipe::command(&other.ledger()).arg("export").output().expect("it runs");
    assert!(piped.status.success());
    assert_eq!(String::from_utf8(piped.stdout).expect("text").split_once('\n').expect("lines").1, timeless(&file));
}
