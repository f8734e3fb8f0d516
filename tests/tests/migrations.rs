//! A file of an older format becomes one of the newer, or stays what it was: whoever is killed on the way, and however
//! many do it at once. There is one format so far: the process that migrates is the store's own tests, which know one
//! more. And the files that formats have made are kept, as SQL: `tests/formats/`.

use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::binary::workspace;
use bgledger_tests::content::{content, integrity, reader};
use bgledger_tests::damage::Files;
use bgledger_tests::dice::count;
use bgledger_tests::fault::{Calls, Fault, Faults};
use bgledger_tests::fuzz::judged;
use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::json;
use bgledger_tests::operations::nameless;
use bgledger_tests::scratch::Scratch;
use rusqlite::Connection;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

const BEFORE: i64 = 1;
const AFTER: i64 = 2;

/// The store's tests, as a program.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["test", "--quiet", "--no-run", "--message-format=json-render-diagnostics", "--lib"]);
        build.args(["--package", "bgledger-store"]).current_dir(workspace()).stderr(Stdio::inherit());
        let output = build.output().expect("cargo runs");
        assert!(output.status.success());
        let messages = String::from_utf8(output.stdout).expect("UTF-8");
        let built = messages.lines().filter_map(|line| json::parse(line).ok());
        let of_store =
            |message: &Value| message["target"]["name"] == "bgledger_store" && message["profile"]["test"] == true;
        let program = built.filter(of_store).find_map(|message| message["executable"].as_str().map(PathBuf::from));
        program.expect("cargo names what it built")
    })
}

/// A process that migrates a ledger by recording a task, or `by name`.
fn process(ledger: &Path, how: &str) -> Command {
    let mut command = Command::new(program());
    command.args([
        "--exact",
        "migrate::tests::a_process_that_migrates",
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]);
    command.env("BGLEDGER_MIGRATES", ledger).env("BGLEDGER_MIGRATES_HOW", how);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn is_well(output: &Output) -> bool {
    output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed")
}

/// The format of a file, which has the table of that format or has not.
fn format(sql: &Connection) -> i64 {
    let format = sql.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a format");
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'of_tests'";
    let has_table: i64 = sql.query_row(tables, [], |row| row.get(0)).expect("a count");
    assert_eq!(has_table, i64::from(format == AFTER), "format {format}, mixed");
    format
}

/// A ledger of the older format, with something of everything.
fn older(files: &Files) -> (Scratch, PathBuf) {
    let scratch = Scratch::in_memory();
    files.put(&scratch.ledger());
    let path = scratch.ledger();
    (scratch, path)
}

/// What [`older`] copies: everything that this program records.
fn lived() -> Files {
    let scratch = Scratch::in_memory();
    live(&scratch.ledger());
    Files::of(&scratch.ledger())
}

fn live(path: &Path) {
    let ledger = Ledger::open(path, OpenOptions::default()).expect("a ledger");
    for line in LIVED {
        let answer = ledger.answer(line);
        assert!(judged(&answer), "{line}: {answer}");
    }
}

fn records(sql: &Connection) -> String {
    assert_eq!(integrity(sql).expect("a look"), "ok");
    nameless(&content(sql).expect("a content"))
}

/// Kills the process after so many calls. Whether it was killed at all.
fn killed(files: &Files, how: &str, after: u32) -> bool {
    let (_scratch, path) = older(files);
    let before = records(&reader(&path).expect("a reader"));
    let faults = Faults::new(path.with_file_name("faults"));
    faults.order(Calls::Any, after, Fault::Kill);
    let mut command = process(&path, how);
    faults.govern(&mut command);
    let output = command.output().expect("it starts");
    if faults.relent() == 0 {
        assert!(is_well(&output), "{}", String::from_utf8_lossy(&output.stderr));
        return false;
    }
    let context = format!("{how}, killed after {after} calls");
    let sql = reader(&path).expect("a reader");
    let left = (format(&sql), records(&sql));
    drop(sql);
    let recorded = left.1 != before;
    assert!(!recorded || (how != "by name" && left.0 == AFTER), "{context}: {}", left.1);
    // What was copied before is whole, or is not there under its name.
    let copy = path.with_file_name("ledger.db-format-1");
    if copy.exists() {
        // A look would leave files beside it.
        let looked_at = path.with_file_name("looked-at.db");
        fs::copy(&copy, &looked_at).expect("a copy");
        let copied = reader(&looked_at).expect("a reader");
        assert_eq!((format(&copied), records(&copied)), (BEFORE, before.clone()), "{context}");
    }
    let output = process(&path, how).output().expect("it starts");
    assert!(is_well(&output), "{context}, then {}", String::from_utf8_lossy(&output.stderr));
    let sql = reader(&path).expect("a reader");
    assert_eq!(format(&sql), AFTER, "{context}");
    let tasks = |records: &str| records.matches("\ntask|").count();
    assert_eq!(tasks(&records(&sql)) - tasks(&before), usize::from(how != "by name"), "{context}");
    true
}

#[test]
fn a_kill_at_any_system_call_of_a_migration_leaves_one_format_or_the_other() {
    let stride = count("BGLEDGER_MIGRATION_STRIDE", 5);
    let (files, kills) = (lived(), AtomicUsize::new(0));
    program();
    std::thread::scope(|scope| {
        for how in ["new", "by name"] {
            let (files, kills) = (&files, &kills);
            scope.spawn(move || {
                let positions = (0..20_000).step_by(stride).take_while(|after| killed(files, how, *after));
                kills.fetch_add(positions.count(), Ordering::Relaxed);
            });
        }
    });
    let kills = kills.into_inner();
    println!("{kills} kills at system calls of migrations");
    assert!(kills * stride > 60, "{kills}");
}

#[test]
fn eight_processes_that_find_an_older_file_migrate_it_once() {
    const PROCESSES: usize = 8;
    let files = lived();
    for round in 0..count("BGLEDGER_MIGRATION_RACES", 6) {
        let (scratch, path) = older(&files);
        let there: u64 = ask_sqlite(&path, "SELECT max(number) FROM task").parse().expect("a number");
        let gate = path.with_file_name("gate");
        let racers: Vec<_> = (0..PROCESSES)
            .map(|racer| {
                let how = if racer == 0 { "by name".to_owned() } else { format!("racer {racer}") };
                process(&path, &how).env("BGLEDGER_MIGRATES_FROM", &gate).spawn().expect("it starts")
            })
            .collect();
        fs::write(&gate, "").expect("a file");
        let mut numbers = BTreeSet::new();
        for racer in racers {
            let output = racer.wait_with_output().expect("it ends");
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(is_well(&output), "round {round}: {told}{}", String::from_utf8_lossy(&output.stderr));
            let number = told.lines().find_map(|line| line.split_once("recorded ")?.1.parse::<u64>().ok());
            numbers.extend(number);
        }
        assert_eq!(numbers, (there + 1..there + PROCESSES as u64).collect(), "round {round}");
        assert_eq!(format(&reader(&path).expect("a reader")), AFTER, "round {round}");
        drop(scratch);
    }
}

// ---- the files of formats -----------------------------------------------------------------------------------

/// Everything a format has a table for.
const LIVED: [&str; 15] = [
    r#"{"create": {"label": "pruned", "runtime": "subagent", "session": "gone", "finish": {"status": "succeeded"}}}"#,
    r#"{"prune": {"older_than": "0s"}}"#,
    r#"{"flow_create": {"goal": "publish", "controller": "weekly", "state": {"a": 1}, "running": true}}"#,
    r#"{"create": {"label": "running", "requester_session": "chat", "start": {"lease": "1h"}, "flow": "F1"}}"#,
    r#"{"progress": {"lookup": 2, "text": "half", "current": 1, "total": 2, "usage": {"tokens_in": 4}}}"#,
    r#"{"create": {"label": "failed", "run_id": "r2", "owner": "alice", "metadata": {"n": 1.50}, "start": {}}}"#,
    r#"{"finish": {"lookup": 3, "status": "failed", "error": {"message": "no"}, "result": {"a":  [1]}, "exit_code": 3}}"#,
    r#"{"create": {"label": "cancelled", "parent": 2, "notify": "state_changes"}}"#,
    r#"{"cancel": {"lookup": 4, "why": "enough"}}"#,
    r#"{"create": {"label": "lost 🦀", "task": "do\nthis", "start": {}, "queue_timeout": "1h", "timeout": "2h"}}"#,
    r#"{"settle": {"lookup": 5, "status": "lost", "why": "no word"}}"#,
    r#"{"flow_create": {"mirrors": 5}}"#,
    r#"{"config": {"set": {"retention.cron": "30d", "subscriber.log": "{}"}}}"#,
    r##"{"acknowledge": {"code": "lost", "subject": "#5", "until": "2030-01-01T00:00:00Z"}}"##,
    r#"{"notices_claim": {"recipients": ["owner:alice"], "lease": "1h"}}"#,
];

fn folder() -> PathBuf {
    workspace().join("tests/formats")
}

/// A ledger as this program makes one, as SQL.
fn written_now() -> String {
    let scratch = Scratch::in_memory();
    live(&scratch.ledger());
    let of = |pragma: &str| ask_sqlite(&scratch.ledger(), &format!("PRAGMA {pragma}"));
    let heading = ["application_id", "user_version"].map(|name| format!("PRAGMA {name} = {};\n", of(name))).concat();
    format!("{heading}{}\n", ask_sqlite(&scratch.ledger(), ".dump"))
}

fn read_from(sql: &str) -> (Scratch, PathBuf) {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let connection = Connection::open(&path).expect("a database");
    connection.execute_batch(sql).expect("a ledger");
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).expect("a journal");
    drop(connection);
    (scratch, path)
}

fn schema(path: &Path) -> String {
    ask_sqlite(path, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name")
}

/// Each format's file is read, agrees with itself, and is recorded in. The newest is what this program makes: whoever
/// changes that has not changed a format that somebody has, or keeps its file and makes another.
#[test]
fn the_files_of_every_format_are_read_and_go_on() {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder()).expect("a folder").map(|file| file.expect("a file").path()).collect();
    files.sort();
    if std::env::var_os("BGLEDGER_BLESS").is_some() {
        fs::write(files.last().expect("a file"), written_now()).expect("a file");
    }
    let names: Vec<String> = (1..=files.len()).map(|format| format!("{format:04}.sql")).collect();
    assert!(files.iter().zip(&names).all(|(file, name)| file.ends_with(name)), "{files:?}");
    for file in &files {
        let (scratch, path) = read_from(&fs::read_to_string(file).expect("SQL"));
        assert_sound(&path);
        let ledger = Ledger::open(&path, OpenOptions::default()).expect("a ledger");
        let list: Value = json::parse(&ledger.answer(r#"{"list": {}}"#)).expect("JSON");
        let labels: Vec<&str> =
            list["ok"]["tasks"].as_array().expect("tasks").iter().filter_map(|task| task["label"].as_str()).collect();
        assert_eq!(labels, ["lost 🦀", "cancelled", "failed", "running"], "{file:?}");
        for line in [
            r#"{"finish": {"lookup": 2, "status": "succeeded"}}"#,
            r#"{"create": {"label": "new", "flow": "F1", "start": {}}}"#,
            r#"{"finish": {"lookup": 5, "status": "succeeded"}}"#,
            r#"{"show": {"lookup": 5}}"#,
            r#"{"notices": {}}"#,
            r#"{"flow_list": {}}"#,
        ] {
            let answer = ledger.answer(line);
            assert!(judged(&answer), "{file:?}: {line}: {answer}");
        }
        drop(ledger);
        assert_sound(&path);
        drop(scratch);
    }
    let newest = fs::read_to_string(files.last().expect("a file")).expect("SQL");
    let ((_kept, then), (_made, now)) = (read_from(&newest), read_from(&written_now()));
    assert_eq!(schema(&then), schema(&now), "the tables of the newest format have changed");
    let heading = |sql: &str| sql.lines().take(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(heading(&newest), heading(&written_now()), "there is a format without a file");
}
