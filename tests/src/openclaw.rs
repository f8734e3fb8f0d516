//! Databases as OpenClaw's generations make them, with a little of everything in them.

use rusqlite::Connection;
use std::path::Path;

/// A generation of OpenClaw: which columns and tables it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// Of spring 2026: tasks alone in their file.
    First,
    /// From June 2026: one file for all.
    Second,
    /// The newest.
    Third,
}

/// Every generation.
pub const ALL: [Generation; 3] = [Generation::First, Generation::Second, Generation::Third];

const TASKS: &str =
    "task_id TEXT NOT NULL PRIMARY KEY, runtime TEXT NOT NULL, source_id TEXT, requester_session_key TEXT,
    owner_key TEXT NOT NULL, scope_kind TEXT NOT NULL, child_session_key TEXT, parent_flow_id TEXT, parent_task_id TEXT,
    agent_id TEXT, run_id TEXT, label TEXT, task TEXT NOT NULL, status TEXT NOT NULL, delivery_status TEXT NOT NULL,
    notify_policy TEXT NOT NULL, created_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER,
    last_event_at INTEGER, cleanup_after INTEGER, error TEXT, progress_summary TEXT, terminal_summary TEXT,
    terminal_outcome TEXT";
const SINCE_SECOND: &str = ", task_kind TEXT, requester_agent_id TEXT";
const SINCE_THIRD: &str = ", execution_owner_host TEXT, execution_owner_pid INTEGER,
    execution_owner_start_identity INTEGER, tool_use_count INTEGER, last_tool_name TEXT, detail_json TEXT";
const DELIVERIES: &str = "CREATE TABLE task_delivery_state (task_id TEXT NOT NULL PRIMARY KEY,
    requester_origin_json TEXT, last_notified_event_at INTEGER)";
const FLOWS: &str = "CREATE TABLE flow_runs (flow_id TEXT NOT NULL PRIMARY KEY, shape TEXT,
    sync_mode TEXT NOT NULL DEFAULT 'managed', owner_key TEXT NOT NULL, requester_origin_json TEXT, controller_id TEXT,
    revision INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL, notify_policy TEXT NOT NULL, goal TEXT NOT NULL,
    current_step TEXT, blocked_task_id TEXT, blocked_summary TEXT, state_json TEXT, wait_json TEXT,
    cancel_requested_at INTEGER, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, ended_at INTEGER)";

/// 2026-11-22T09:15:35.889Z: past, and long enough ago that it would be pruned if its end counted.
pub const LONG_AGO: i64 = 1_760_000_000_000;

/// The id of the task with a number.
pub fn task_id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// The id of the flow with a number.
pub fn flow_id(number: usize) -> String {
    format!("f0000000-0000-4000-8000-{number:012x}")
}

/// Makes a database with the tables of a generation and nothing in them.
pub fn empty(path: &Path, generation: Generation) -> Connection {
    let sql = Connection::open(path).expect("a database");
    let more = match generation {
        Generation::First => String::new(),
        Generation::Second => SINCE_SECOND.to_owned(),
        Generation::Third => format!("{SINCE_SECOND}{SINCE_THIRD}"),
    };
    sql.execute_batch(&format!("CREATE TABLE task_runs ({TASKS}{more}); {DELIVERIES};")).expect("tables");
    if generation != Generation::First {
        sql.execute_batch(FLOWS).expect("a table");
    }
    sql
}

/// Makes a database with every runtime in every status, deliveries, and from the second generation on flows. Answers
/// with how many tasks and flows are in it.
pub fn full(path: &Path, generation: Generation) -> (u64, u64) {
    let sql = empty(path, generation);
    let mut number = 0;
    for runtime in ["subagent", "acp", "cron", "cli"] {
        for status in ["queued", "running", "succeeded", "failed", "timed_out", "cancelled", "lost"] {
            number += 1;
            add(&sql, number, runtime, status);
        }
    }
    set(&sql, 3, "terminal_outcome = 'blocked'");
    set(&sql, 4, "notify_policy = 'silent', delivery_status = 'not_applicable'");
    set(&sql, 10, &format!("parent_task_id = '{}'", task_id(24)));
    set(&sql, 17, "label = NULL, task = 'Résumé des tickets\n\n ouverts — 日本語 🦞 ' || hex(zeroblob(60))");
    set(&sql, 18, &format!("run_id = 'run-11', child_session_key = NULL, parent_task_id = '{}'", task_id(10)));
    set(&sql, 20, "owner_key = '', requester_session_key = '', scope_kind = 'system'");
    set(&sql, 27, "progress_summary = NULL, started_at = NULL");
    if generation == Generation::Third {
        set(
            &sql,
            2,
            "tool_use_count = 7, last_tool_name = 'read', execution_owner_host = 'h', execution_owner_pid = 1",
        );
        set(&sql, 5, "tool_use_count = 9, detail_json = '{\"kind\": \"cron-run\",  \"n\": 1}'");
    }
    let flows = if generation == Generation::First { 0 } else { flows(&sql) };
    (number as u64, flows)
}

/// Adds a task.
pub fn add(sql: &Connection, number: usize, runtime: &str, status: &str) {
    let at = LONG_AGO + 1_000 * number as i64;
    let is_over = !matches!(status, "queued" | "running");
    let started = (status != "queued").then_some(at + 100);
    let error = matches!(status, "failed" | "timed_out" | "cancelled" | "lost").then_some("it went wrong");
    let insert = "INSERT INTO task_runs (task_id, runtime, source_id, requester_session_key, owner_key, scope_kind,
            child_session_key, agent_id, run_id, label, task, status, delivery_status, notify_policy, created_at,
            started_at, ended_at, last_event_at, cleanup_after, error, progress_summary, terminal_summary)
        VALUES (?1, ?2, 'job', 'agent:main:main', 'agent:main:main', 'session', 'agent:main:child:' || ?3, 'main',
            'run-' || ?3, 'sample ' || ?3, 'do' || char(10) || 'this', ?4, 'pending', 'state_changes', ?5, ?6, ?7, ?8,
            ?9, ?10, ?11, ?12)";
    let values = rusqlite::params![
        task_id(number),
        runtime,
        number as i64,
        status,
        at,
        started,
        is_over.then_some(at + 500),
        at + 600,
        is_over.then_some(at + 700),
        error,
        started.map(|_| "half way"),
        matches!(status, "succeeded" | "failed").then_some("all done")
    ];
    sql.execute(insert, values).expect("a task");
    let delivery = "INSERT INTO task_delivery_state VALUES (?1, '{\"channel\": \"telegram\", \"to\": \"1\"}', ?2)";
    sql.execute(delivery, (task_id(number), at + 500)).expect("a delivery");
}

/// Changes a task.
pub fn set(sql: &Connection, number: usize, what: &str) {
    let changed = sql.execute(&format!("UPDATE task_runs SET {what} WHERE task_id = ?1"), [task_id(number)]);
    assert_eq!(changed.expect("a change"), 1, "{what}");
}

/// Adds a flow: managed ones in every status, and mirrored ones of tasks in every status.
pub fn flow(sql: &Connection, number: usize, sync_mode: &str, status: &str, what: &str) {
    let at = LONG_AGO + 1_000 * number as i64;
    let is_over = matches!(status, "succeeded" | "failed" | "cancelled" | "lost");
    let insert =
        "INSERT INTO flow_runs (flow_id, sync_mode, owner_key, controller_id, revision, status, notify_policy, goal,
            current_step, state_json, created_at, updated_at, ended_at)
        VALUES (?1, ?2, 'agent:main:main', 'sample/controller', 3, ?3, 'done_only', 'goal ' || ?4, 'plan',
            '{\"step\": 1,  \"items\": [\"a\"]}', ?5, ?5 + 100, ?6)";
    let values = (flow_id(number), sync_mode, status, number as i64, at, is_over.then_some(at + 100));
    sql.execute(insert, values).expect("a flow");
    if !what.is_empty() {
        let change = format!("UPDATE flow_runs SET {what} WHERE flow_id = ?1");
        assert_eq!(sql.execute(&change, [flow_id(number)]).expect("a change"), 1, "{what}");
    }
}

fn flows(sql: &Connection) -> u64 {
    let statuses = ["queued", "running", "waiting", "blocked", "succeeded", "failed", "cancelled", "lost"];
    for (number, status) in statuses.into_iter().enumerate() {
        flow(sql, number, "managed", status, "");
    }
    let change = |what: &str, number: usize| {
        sql.execute(&format!("UPDATE flow_runs SET {what} WHERE flow_id = ?1"), [flow_id(number)]).expect("a change");
    };
    change("wait_json = '{\"kind\": \"reply\"}'", 2);
    change(&format!("blocked_task_id = '{}', blocked_summary = 'a key is missing'", task_id(23)), 3);
    change(&format!("cancel_requested_at = {}", LONG_AGO + 1_050), 1);
    set(sql, 8, &format!("parent_flow_id = '{}'", flow_id(1)));
    set(sql, 9, &format!("parent_flow_id = '{}'", flow_id(1)));
    set(sql, 12, &format!("parent_flow_id = '{}'", flow_id(5)));
    for (number, status) in [(1, "queued"), (2, "running"), (3, "blocked"), (4, "failed"), (7, "lost")] {
        flow(sql, 20 + number, "task_mirrored", status, "controller_id = NULL, state_json = NULL");
        set(sql, number, &format!("parent_flow_id = '{}'", flow_id(20 + number)));
    }
    13
}
