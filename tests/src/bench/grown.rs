//! Ledgers with a long history, made in a minute: a thousand real lives, copied with their times, names and events moved
//! on. They are kept in the target folder.

use crate::binary::workspace;
use crate::wheel::target;
use bgledger_core::ExecutorSpec;
use bgledger_core::config::Durability;
use bgledger_store::{Ledger, OpenOptions};
use rusqlite::Connection;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Old tasks that have what no later one has, and common ones that are copied.
const OLD: i64 = 800;
const COPIED: i64 = 1_000;
/// What still goes on, at the newest end.
const ACTIVE: i64 = 200;
/// Each task begins so many milliseconds after the one before.
const APART: i64 = 1;

/// A ledger of so many tasks, at least 10,000: made unless it is there.
pub fn ledger(tasks: i64) -> PathBuf {
    let mut hash = DefaultHasher::new();
    let schema = std::fs::read_to_string(workspace().join("ledger-store/src/schema/0001.sql")).expect("the tables");
    (schema, include_str!("grown.rs")).hash(&mut hash);
    let folder = target().join("bench/grown");
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(format!("{tasks}-{:016x}.db", hash.finish()));
    if !path.exists() {
        forget_others(&folder, &format!("{tasks}-"));
        let draft = folder.join(format!("draft-{tasks}-{}.db", std::process::id()));
        grow(&draft, tasks);
        std::fs::rename(&draft, &path).expect("the ledger in its place");
    }
    path
}

/// Those of older tables take room and are of no more use.
fn forget_others(folder: &Path, prefix: &str) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(prefix) || name.starts_with("draft-") {
            std::fs::remove_file(entry.path()).expect("a file that goes");
        }
    }
}

fn grow(path: &Path, tasks: i64) {
    let began = super::wall_ms() - tasks * APART - 60_000;
    let ask = |ledger: &Ledger, at: i64, request: String| {
        let answer = ledger.answer(&format!(r#"{{"now": {at}, {request}}}"#));
        assert!(answer.contains(r#""ok""#), "{request}: {answer}");
    };
    let ledger = scripted(path);
    ask(&ledger, began, r#""flow_create": {"goal": "an old flow", "controller": "legacy", "running": true}"#.into());
    for number in 1..=OLD + COPIED {
        let at = began + number * APART;
        ask(&ledger, at, format!(r#""create": {}"#, birth(number, &format!("run-{number}"))));
        ask(&ledger, at, format!(r#""start": {{"lookup": {number}}}"#));
        let (status, more) = end(number);
        ask(&ledger, at, format!(r#""finish": {{"lookup": {number}, "status": "{status}", {more}}}"#));
    }
    let at = began + (OLD + COPIED) * APART;
    ask(&ledger, at, r#""flow_finish": {"flow": "F1", "revision": 1}"#.into());
    drop(ledger);
    let copies = (tasks - OLD - COPIED - ACTIVE) / COPIED;
    copy(path, copies);
    let last = OLD + COPIED * (1 + copies);
    let ledger = scripted(path);
    for number in last + 1..=tasks {
        let at = began + number * APART;
        ask(&ledger, at, format!(r#""create": {}"#, birth(OLD + 1 + number % COPIED, &format!("active-{number}"))));
    }
    drop(ledger);
    let sql = Connection::open(path).expect("the file opens");
    sql.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("one file");
}

/// At times that are told.
fn scripted(path: &Path) -> Ledger {
    let (executor, durability) = (ExecutorSpec::External, Some(Durability::Relaxed));
    let options = OpenOptions { test_clock: true, executor, durability, ..OpenOptions::default() };
    Ledger::open(path, options).expect("the ledger opens")
}

/// What a task says of itself, as JSON. Sixty of the old ones have what nobody else has.
fn birth(number: i64, run_id: &str) -> String {
    let mut said = format!(
        r#""label": "task {}", "run_id": "{run_id}", "runtime": "{}", "kind": "kind-{}", "agent": "agent-{}",
        "session": "chat-{}", "requester_session": "asks-{}", "metadata": {{"team": "team-{}", "try": {}}},
        "task": "read the report and say in ten lines what has changed since last week""#,
        number % 100,
        ["subagent", "cli", "cron", "acp"][usize::try_from(number % 4).expect("a small number")],
        number % 10,
        number % 20,
        number % 1_000,
        number % 50,
        number % 7,
        number % 3,
    );
    if number % 5 == 0 {
        said.push_str(&format!(r#", "owner": "owner-{}""#, number % 50));
    }
    // Each rare thing on tasks of its own.
    let rare = [
        (r#""runtime""#, r#""legacy""#),
        (r#""kind""#, r#""legacy""#),
        (r#""agent""#, r#""legacy""#),
        (r#""label""#, r#""legacy""#),
        (r#""session""#, r#""legacy""#),
        (r#""metadata""#, r#"{"legacy": true}"#),
        (r#""task""#, r#""a needle in a haystack""#),
        (r#""owner""#, r#""legacy""#),
        (r#""parent""#, "1"),
        (r#""flow""#, r#""F1""#),
    ];
    let mut object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&format!("{{{said}}}")).expect("JSON");
    if (100..100 + 60 * 10).contains(&number) {
        let (name, value) = rare[usize::try_from(number % 10).expect("a digit")];
        object.insert(name.trim_matches('"').into(), serde_json::from_str(value).expect("JSON"));
        // Parent and flow are of the operator's own tasks.
        if name.contains("parent") || name.contains("flow") {
            object.remove("owner");
        }
    }
    serde_json::Value::Object(object).to_string()
}

fn end(number: i64) -> (&'static str, &'static str) {
    let error = r#""error": {"type": "ToolFailed", "message": "the tool answered 500"}"#;
    match number % 50 {
        7 => ("failed", error),
        17 => ("timed_out", error),
        27 => ("cancelled", r#""summary": "no longer wanted""#),
        _ => ("succeeded", r#""summary": "nothing but the date has changed""#),
    }
}

/// Appends copies of the newest tasks, each with its events and notices.
fn copy(path: &Path, copies: i64) {
    let sql = Connection::open(path).expect("the file opens");
    sql.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; PRAGMA temp_store = MEMORY")
        .expect("set");
    let columns = |table: &str| -> Vec<String> {
        let mut statement = sql.prepare("SELECT name FROM pragma_table_info(?1)").expect("a query");
        let names = statement.query_map([table], |row| row.get(0)).expect("columns");
        names.map(|name| name.expect("a name")).collect()
    };
    let number = |query: &str| sql.query_row(query, [], |row| row.get::<_, i64>(0)).expect("a number");
    // Whoever is owed them has them.
    sql.execute("UPDATE notice SET state = 3", []).expect("delivered");
    let first_event = number(&format!("SELECT min(seq) FROM event WHERE task = {}", OLD + 1));
    let events = number("SELECT max(seq) FROM event") + 1 - first_event;
    // How each column moves on with the ?1st copy; the others stay as they are.
    let moved = |column: &str| match column {
        "number" => format!("number + ?1 * {COPIED}"),
        "id" => format!(
            "CAST(unhex(printf('%012x', created_at + ?1 * {})) || substr(id, 7, 6) || unhex(printf('%08x', ?1)) AS BLOB)",
            COPIED * APART
        ),
        "run_id" => "run_id || '-' || ?1".into(),
        "session" => "session || '-' || (?1 % 5)".into(),
        "owner" => "iif(owner = 'local', owner, owner || '-' || (?1 % 100))".into(),
        "seq" | "last_event" => format!("{column} + ?1 * {events}"),
        "prev" => format!("iif(prev = 0, 0, prev + ?1 * {events})"),
        "at" => format!("at + ?1 * {}", COPIED * APART),
        // The sum of what a task was created as would be that of another one.
        "data" => "iif(kind = 1, json_remove(data, '$.checksum'), data)".into(),
        other if other.ends_with("_at") => format!("{other} + ?1 * {}", COPIED * APART),
        other => other.into(),
    };
    let insert = |table: &str, rows: &str, task: Option<&str>| {
        let names = columns(table);
        let values: Vec<String> = names
            .iter()
            .map(|name| match task.filter(|task| task == name) {
                Some(task) => format!("{task} + ?1 * {COPIED}"),
                None => moved(name),
            })
            .collect();
        format!("INSERT INTO {table} ({}) SELECT {} FROM {table} WHERE {rows}", names.join(", "), values.join(", "))
    };
    let of_events = format!("seq BETWEEN {first_event} AND {}", first_event + events - 1);
    let of_tasks = |column: &str| format!("{column} BETWEEN {} AND {}", OLD + 1, OLD + COPIED);
    let statements = [
        insert("task", &of_tasks("number"), None),
        insert("event", &of_events, Some("task")),
        insert("notice", &of_tasks("task"), Some("task")),
    ];
    let mut statements = statements.map(|text| sql.prepare(&text).expect(&text));
    for from in (1..=copies).step_by(50) {
        sql.execute_batch("BEGIN IMMEDIATE").expect("begun");
        for copy in from..=copies.min(from + 49) {
            for statement in &mut statements {
                assert!(statement.execute([copy]).expect("copied") > 0);
            }
        }
        sql.execute_batch("COMMIT").expect("committed");
    }
}
