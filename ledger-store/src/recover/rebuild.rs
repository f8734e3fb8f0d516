//! A new ledger from rows: what is derived is made by the schema, and every task is proved by its history.

use super::losses::Known;
use super::tables::{Found, TABLES};
use crate::batch::in_immediate;
use crate::find;
use crate::find::Scope;
use crate::flows;
use crate::record::{self, stored_number};
use crate::row::{self, Stored};
use crate::sqlite::Failure;
use bgledger_core::{RecoverReport, Report, Seq, Status, Task, TaskNumber, fold, same_but_for_heartbeats};
use rusqlite::types::Value;
use rusqlite::{Connection, ffi};
use std::collections::BTreeMap;

/// Columns of a flow that hold JSON, or nothing.
const JSON_OF_FLOW: [&str; 5] = ["state", "wait", "blocked", "cancel", "origin"];
/// Columns that hold JSON, or nothing.
const JSON: [&str; 9] = ["metadata", "cancel", "progress", "usage", "artifacts", "error", "output", "result", "origin"];

/// Records everything that was found, and reports what is missing.
pub(super) fn rebuild(sql: &mut Connection, found: &mut Found, report: &mut RecoverReport) -> Result<(), Failure> {
    sql.execute_batch("PRAGMA synchronous = OFF")?;
    in_immediate(sql, |sql| {
        let mut known = Known::of(found);
        for (number, id) in found.rows.get("task").into_iter().flatten().filter_map(|row| id_of(row)) {
            if found.ids.get(&number).is_some_and(|indexed| *indexed != *id) {
                report.problems.push(format!("#{number}: its row has another id than the index of ids"));
            }
        }
        for (table, _) in TABLES {
            let rows = found.rows.remove(table).unwrap_or_default();
            let columns = columns(sql, table)?;
            rows.into_iter().try_for_each(|row| insert(sql, table, &columns, row, report))?;
        }
        for flow in numbers(sql, "SELECT number FROM flow ORDER BY number")? {
            legible(sql, flow, report)?;
        }
        let numbers: Vec<i64> = numbers(sql, "SELECT number FROM task ORDER BY number")?;
        let newest = chain_ends(sql)?;
        for number in numbers {
            let number = TaskNumber(u64::try_from(number).unwrap_or(0));
            prove(sql, number, newest.get(&number.0).copied().unwrap_or(0), report)?;
        }
        known.settle(sql, report)
    })
}

/// A task's number and id, as its row has them.
fn id_of(row: &[Value]) -> Option<(u64, &Vec<u8>)> {
    match row {
        [Value::Integer(number), Value::Blob(id), ..] => Some((u64::try_from(*number).ok()?, id)),
        _ => None,
    }
}

fn columns(sql: &Connection, table: &str) -> Result<Vec<String>, Failure> {
    let mut statement = sql.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// Records a row as it is. One that no ledger could have is left out; of two with one name the first stays.
fn insert(
    sql: &Connection,
    table: &str,
    columns: &[String],
    row: Vec<Value>,
    report: &mut RecoverReport,
) -> Result<(), Failure> {
    let names = columns.join(", ");
    let marks = (1..=columns.len()).map(|place| format!("?{place}")).collect::<Vec<_>>().join(", ");
    let is_about_this_file = matches!(row.first(), Some(Value::Text(key)) if key.starts_with("min_"));
    let how = match (table, is_about_this_file) {
        ("meta", true) => return Ok(()),
        ("meta", false) => "REPLACE",
        (_, _) => "ABORT",
    };
    let text = format!("INSERT OR {how} INTO {table} ({names}) VALUES ({marks})");
    let name = row.first().map(shown).unwrap_or_default();
    let Err(error) = sql.prepare_cached(&text)?.execute(rusqlite::params_from_iter(&row)) else { return Ok(()) };
    if error.sqlite_error_code() != Some(rusqlite::ErrorCode::ConstraintViolation) {
        return Err(error.into());
    }
    report.problems.push(format!("a row of {table}, {name}, cannot be: {error}"));
    let is_check = error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_CONSTRAINT_CHECK);
    if table == "task" && is_check && has_its_events(sql, columns, &row)? {
        let row = columns.iter().zip(row).map(|(name, value)| begun(name, value));
        // What its events say is proved, and recorded, with the others.
        let _ = sql.prepare_cached(&text)?.execute(rusqlite::params_from_iter(row));
    }
    Ok(())
}

/// Whether the newest event that a task's row names is there.
fn has_its_events(sql: &Connection, columns: &[String], row: &[Value]) -> Result<bool, Failure> {
    let value = |name: &str| columns.iter().position(|column| column == name).and_then(|place| row.get(place));
    let query = "SELECT EXISTS (SELECT 1 FROM event WHERE seq = ?1 AND task = ?2)";
    let is_there = sql.prepare_cached(query)?.query_row((value("last_event"), value("number")), |row| row.get(0))?;
    Ok(is_there)
}

/// What a column of a task's row was at its beginning, as far as it has to do with its status.
fn begun(name: &str, value: Value) -> Value {
    match name {
        "status" => Value::Integer(i64::from(Status::Queued as u8)),
        "started_at" | "ended_at" => Value::Null,
        "created_at" => Value::Integer(0),
        _ => value,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.chars().take(64).collect(),
        Value::Null | Value::Real(_) | Value::Blob(_) => "without a name".into(),
    }
}

pub(super) fn numbers(sql: &Connection, query: &str) -> Result<Vec<i64>, Failure> {
    let mut statement = sql.prepare(query)?;
    let numbers = statement.query_map([], |row| row.get(0))?;
    Ok(numbers.collect::<Result<_, _>>()?)
}

/// Each task's newest event.
fn chain_ends(sql: &Connection) -> Result<BTreeMap<u64, u64>, Failure> {
    let mut statement = sql.prepare("SELECT task, max(seq) FROM event GROUP BY task")?;
    let ends = statement.query_map([], |row| {
        let (task, seq): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok((u64::try_from(task).unwrap_or(0), u64::try_from(seq).unwrap_or(0)))
    })?;
    Ok(ends.collect::<Result<_, _>>()?)
}

/// Proves a task's row by its events, or makes it anew from them, or says that neither can be done.
fn prove(sql: &Connection, number: TaskNumber, newest: u64, report: &mut RecoverReport) -> Result<(), Failure> {
    let Some(stored) = readable(sql, number, report)? else { return Ok(()) };
    let row = &stored.task;
    // The row may be an older version than its events.
    let whole = Stored { task: row.clone(), last_event: Seq(stored.last_event.0.max(newest)) };
    let history = match record::history(sql, &whole, Seq(0)) {
        Ok(history) => history,
        Err(Failure::Damaged(_)) => {
            chain_anew(sql, &stored, report)?;
            report.unproved.push(number.0);
            return Ok(());
        }
        Err(other) => return Err(other),
    };
    let folded = fold(row, history.iter().map(|event| (&event.event, event.at)));
    let is_whole = whole.last_event == stored.last_event;
    if is_whole && same_but_for_heartbeats(row, &folded) {
        return Ok(());
    }
    let said = folded.task.clone().saying(Report::of(row));
    let task = Task { revision: row.revision.max(folded.task.revision) + 1, ..said };
    let mended = Stored { task: Box::new(task), last_event: whole.last_event };
    row::update(sql, &row::before(sql, &stored)?, &mended, row.revision)?;
    match same_but_for_heartbeats(&mended.task, &folded) {
        true => report.mended.push(number.0),
        false => report.unproved.push(number.0),
    }
    Ok(())
}

/// A row that can be read, without what is damaged of it; `None`: nothing can be made of it, and it goes.
fn readable(sql: &Connection, number: TaskNumber, report: &mut RecoverReport) -> Result<Option<Stored>, Failure> {
    match find::by_number(sql, number, Scope(None)) {
        Ok(found) => return Ok(found),
        Err(Failure::Damaged(error)) => {
            report.problems.push(format!("{number}: what cannot be read was left out: {error}"));
        }
        Err(other) => return Err(other),
    }
    let id = stored_number(number.0)?;
    for column in JSON {
        let clear = format!("UPDATE task SET {column} = NULL WHERE number = ?1 AND NOT json_valid({column})");
        sql.execute(&clear, [id])?;
    }
    sql.execute("UPDATE task SET host = NULL WHERE number = ?1 AND host NOT IN (SELECT id FROM host)", [id])?;
    let lease = "UPDATE task SET lease_host = NULL WHERE number = ?1 AND lease_host NOT IN (SELECT id FROM host)";
    sql.execute(lease, [id])?;
    if let Ok(found) = find::by_number(sql, number, Scope(None)) {
        return Ok(found);
    }
    let all = JSON.map(|column| format!("{column} = NULL")).join(", ");
    sql.execute(&format!("UPDATE task SET {all} WHERE number = ?1"), [id])?;
    match find::by_number(sql, number, Scope(None)) {
        Ok(found) => Ok(found),
        Err(Failure::Damaged(_)) => {
            sql.execute("DELETE FROM task WHERE number = ?1", [id])?;
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

/// Leaves out what cannot be read of a flow, or all of it.
fn legible(sql: &Connection, number: i64, report: &mut RecoverReport) -> Result<(), Failure> {
    let Some(problem) = flows::problem(sql, number)? else { return Ok(()) };
    report.problems.push(format!("F{number}: what cannot be read was left out: {problem}"));
    for column in JSON_OF_FLOW {
        let clear = format!("UPDATE flow SET {column} = NULL WHERE number = ?1 AND NOT json_valid({column})");
        sql.execute(&clear, [number])?;
    }
    for column in JSON_OF_FLOW {
        if flows::problem(sql, number)?.is_none() {
            return Ok(());
        }
        sql.execute(&format!("UPDATE flow SET {column} = NULL WHERE number = ?1"), [number])?;
    }
    if flows::problem(sql, number)?.is_some() {
        sql.execute("DELETE FROM flow WHERE number = ?1", [number])?;
    }
    Ok(())
}

/// Links the events that are left of a task with each other.
fn chain_anew(sql: &Connection, stored: &Stored, report: &mut RecoverReport) -> Result<(), Failure> {
    let number = stored_number(stored.task.number.0)?;
    let left = numbers(sql, &format!("SELECT seq FROM event WHERE task = {number} ORDER BY seq"))?;
    let mut last = 0;
    for seq in left {
        sql.prepare_cached("UPDATE event SET prev = ?2 WHERE seq = ?1")?.execute((seq, last))?;
        last = seq;
    }
    sql.prepare_cached("UPDATE task SET last_event = ?2 WHERE number = ?1")?.execute((number, last))?;
    report.problems.push(format!("{}: some of its events are lost", stored.task.number));
    Ok(())
}
