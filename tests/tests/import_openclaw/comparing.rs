//! A ledger against the database that it was imported from, read by nobody's code but the test's.

use bgledger_core::{FlowId, FlowShow, History, ImportReport, List, Seq, Show, Status, TaskId, TaskView};
use bgledger_store::Ledger;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

type Row = BTreeMap<String, Cell>;

/// Every row of a query by its columns.
pub(crate) fn rows(source: &Path, query: &str) -> Vec<Row> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let uri = format!("file:{}?immutable=1", source.display());
    let sql = Connection::open_with_flags(uri, flags).expect("the source");
    let mut statement = sql.prepare(query).expect("a query");
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let read = |row: &rusqlite::Row<'_>| {
        names.iter().enumerate().map(|(place, name)| Ok((name.clone(), row.get(place)?))).collect()
    };
    statement.query_map([], read).expect("rows").collect::<Result<_, _>>().expect("rows")
}

fn text(row: &Row, column: &str) -> Option<String> {
    match row.get(column) {
        Some(Cell::Text(text)) if !text.trim().is_empty() => Some(text.clone()),
        _ => None,
    }
}

fn integer(row: &Row, column: &str) -> Option<i64> {
    match row.get(column) {
        Some(Cell::Integer(number)) => Some(*number),
        _ => None,
    }
}

fn kept(row: &Row) -> Value {
    let value = |cell: &Cell| match cell {
        Cell::Null => None,
        Cell::Integer(number) => Some(json!(number)),
        Cell::Real(number) => Some(json!(number)),
        Cell::Text(text) => Some(json!(text)),
        Cell::Blob(_) => panic!("OpenClaw keeps no bytes"),
    };
    let columns = row.iter().filter_map(|(name, cell)| Some((name.clone(), value(cell)?)));
    Value::Object(columns.collect::<Map<_, _>>())
}

fn count(source: &Path, column: &str, table: &str) -> BTreeMap<String, u64> {
    let query = format!("SELECT {column} AS word, count(*) AS n FROM {table} GROUP BY 1");
    let counted = |row: &Row| Some((text(row, "word")?, u64::try_from(integer(row, "n")?).ok()?));
    rows(source, &query).iter().filter_map(counted).collect()
}

/// Panics unless every task and flow of a source without faults is in the ledger as it was.
pub(crate) fn assert_whole(source: &Path, ledger: &Ledger, report: &ImportReport) {
    let told: BTreeMap<String, u64> =
        report.by_status.iter().filter(|(_, n)| **n > 0).map(|(status, n)| ((*status).to_owned(), *n)).collect();
    assert_eq!(told, count(source, "status", "task_runs"));
    assert_eq!(report.by_runtime, count(source, "runtime", "task_runs"));
    let tasks = rows(source, "SELECT * FROM task_runs");
    assert_eq!(report.tasks.found, tasks.len() as u64);
    let listed = ledger.call(List { limit: Some(10_000), ..List::default() }).expect("a list").tasks;
    assert_eq!(listed.len(), tasks.len());
    let flows = match rows(source, "SELECT 1 FROM sqlite_schema WHERE name = 'flow_runs'").is_empty() {
        true => Vec::new(),
        false => rows(source, "SELECT * FROM flow_runs"),
    };
    let deliveries = rows(source, "SELECT * FROM task_delivery_state");
    assert_eq!((report.flows.found, report.deliveries), (flows.len() as u64, deliveries.len() as u64));
    for row in &tasks {
        let id = TaskId::parse(&text(row, "task_id").expect("an id")).expect("a UUID");
        let view = ledger.call(Show { lookup: id.into(), ack: None }).expect("it is found by the id that it had").task;
        assert_same(row, &view, &flows, ledger);
        let delivery = deliveries.iter().find(|delivery| delivery.get("task_id") == row.get("task_id"));
        let origin: Value = serde_json::from_str(view.task.origin.expect("an origin").as_str()).expect("JSON");
        assert_eq!(origin["task_runs"], kept(row));
        assert_eq!(origin.get("task_delivery_state"), delivery.map(kept).as_ref());
    }
    flows.iter().for_each(|flow| assert_flow(flow, &tasks, ledger));
}

/// A task's own fields.
fn assert_same(row: &Row, view: &TaskView, flows: &[Row], ledger: &Ledger) {
    let task = &view.task;
    let status = text(row, "status").expect("a status");
    let requester = match text(row, "scope_kind").as_deref() {
        Some("system") => None,
        _ => text(row, "requester_session_key").or(text(row, "owner_key")),
    };
    let names = [
        (text(row, "task_id"), task.key.clone()),
        (text(row, "task_kind"), task.kind.clone()),
        (text(row, "source_id"), task.source_id.clone()),
        (text(row, "run_id"), task.run_id.clone()),
        (Some(text(row, "owner_key").unwrap_or("local".into())), Some(task.owner.clone())),
        (requester, task.requester_session.clone()),
        (text(row, "child_session_key"), task.session.clone()),
        (text(row, "agent_id"), task.agent.clone()),
        (text(row, "requester_agent_id"), task.requester_agent.clone()),
        (text(row, "task"), task.task.clone()),
        (text(row, "runtime"), Some(task.runtime.clone())),
        (Some(status.clone()), Some(task.status.as_str().into())),
        (text(row, "notify_policy"), Some(task.notify.as_str().into())),
        (text(row, "parent_task_id"), task.parent.map(String::from)),
    ];
    names.iter().for_each(|(was, is)| assert_eq!(was, is, "{}", task.number));
    match text(row, "label") {
        Some(label) => assert_eq!(label.trim(), task.label),
        None => assert!(!task.label.contains('\n') && task.label.chars().count() <= 80, "{}", task.label),
    }
    let times = [
        (integer(row, "created_at"), Some(task.created_at)),
        (integer(row, "started_at"), task.started_at),
        (integer(row, "ended_at"), task.ended_at),
    ];
    times.iter().for_each(|(was, is)| assert_eq!(*was, is.map(|at| at.get()), "{}", task.number));
    let progress = task.progress.as_ref().and_then(|point| point.text.clone());
    assert_eq!(text(row, "progress_summary"), progress, "{}", task.number);
    if task.status == Status::Running {
        let heard = integer(row, "last_event_at").max(integer(row, "started_at"));
        let last = task.progress_at.or(task.started_at).map(|at| at.get());
        assert_eq!(last, heard, "{}", task.number);
    }
    let tools = task.usage.as_ref().map(|usage| usage.tool_calls);
    assert_eq!(integer(row, "tool_use_count").filter(|count| *count > 0), tools.map(|n| n as i64));
    let message = task.error.as_ref().and_then(|error| error.message.clone());
    match status.as_str() {
        "lost" => {
            let history =
                ledger.call(History { lookup: task.id.into(), after: Seq(0), limit: None }).expect("a history");
            let why = history.events.last().and_then(|event| Some(event.event.ending()?.why.clone()));
            assert_eq!(why, Some(text(row, "error")), "{}", task.number);
        }
        _ => assert_eq!((text(row, "error"), text(row, "terminal_summary")), (message, task.summary.clone())),
    }
    let outcome = (status == "succeeded").then(|| match text(row, "terminal_outcome").as_deref() {
        Some("blocked") => "blocked".to_owned(),
        _ => "ok".to_owned(),
    });
    assert_eq!(outcome, task.outcome);
    assert_eq!(view.delivery.as_str(), "not_applicable", "what is over elsewhere owes nothing here");
    let managed = |flow: &&Row| flow.get("flow_id") == row.get("parent_flow_id") && !is_mirrored(flow);
    assert_eq!(flows.iter().find(managed).and_then(|flow| text(flow, "flow_id")), task.flow.map(String::from));
}

fn is_mirrored(flow: &Row) -> bool {
    text(flow, "sync_mode").as_deref() == Some("task_mirrored")
}

fn assert_flow(row: &Row, tasks: &[Row], ledger: &Ledger) {
    let id = FlowId::parse(&text(row, "flow_id").expect("an id")).expect("a UUID");
    let flow = ledger.call(FlowShow { flow: id.into() }).expect("it is found by the id that it had").flow.flow;
    assert_eq!(text(row, "status").as_deref(), Some(flow.status.as_str()), "{}", flow.number);
    let origin: Value = serde_json::from_str(flow.origin.expect("an origin").as_str()).expect("JSON");
    assert_eq!(origin["flow_runs"], kept(row));
    if is_mirrored(row) {
        let task = tasks.iter().find(|task| task.get("parent_flow_id") == row.get("flow_id")).expect("its task");
        assert_eq!(flow.mirrors.map(String::from), text(task, "task_id"));
        return;
    }
    let json = |column| text(row, column).filter(|text| text != "null");
    let blocker =
        text(row, "blocked_task_id").filter(|id| tasks.iter().any(|task| text(task, "task_id") == Some(id.clone())));
    let texts = [
        (text(row, "owner_key"), Some(flow.owner)),
        (text(row, "goal"), Some(flow.goal)),
        (text(row, "controller_id"), flow.controller),
        (text(row, "current_step"), flow.step),
        (json("state_json"), flow.state.map(|state| state.as_str().to_owned())),
        (json("wait_json"), flow.wait.map(|wait| wait.as_str().to_owned())),
        (text(row, "blocked_summary"), flow.blocked.as_ref().and_then(|blocked| blocked.summary.clone())),
        (blocker, flow.blocked.and_then(|blocked| blocked.task).map(String::from)),
    ];
    texts.iter().for_each(|(was, is)| assert_eq!(was, is, "{}", flow.number));
    assert_eq!(integer(row, "revision"), i64::try_from(flow.revision).ok());
    assert_eq!(integer(row, "created_at"), Some(flow.created_at.get()));
    assert_eq!(integer(row, "ended_at"), flow.ended_at.map(|at| at.get()));
    assert_eq!(integer(row, "cancel_requested_at"), flow.cancel.map(|cancel| cancel.requested_at.get()));
    if flow.ended_at.is_none() {
        assert_eq!(integer(row, "updated_at"), Some(flow.updated_at.get()));
    }
}
