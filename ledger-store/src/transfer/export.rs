//! Writing a ledger as lines of JSON, from one read transaction.

use super::{Layout, Record, VERSION};
use crate::import::Place;
use crate::schema;
use crate::sqlite::Failure;
use crate::world::World;
use bgledger_core::{Error, Millis};
use rusqlite::{Connection, OptionalExtension, ToSql};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};

/// Takes one line; whether there may be more.
pub(crate) type Tell<'a> = dyn FnMut(&str) -> bool + 'a;

/// What stands before the tasks, and after them: the word of the line, the table, which rows.
const BEFORE: [(&str, &str, &str); 6] = [
    ("meta", "meta", "WHERE substr(key, 1, 7) = 'pruned_' ORDER BY key"),
    ("host", "host", "ORDER BY id"),
    ("config", "config", "ORDER BY key"),
    ("recipient", "recipient", "ORDER BY name"),
    ("tombstone", "tombstone", "ORDER BY number"),
    ("flow_tombstone", "flow_tombstone", "ORDER BY number"),
];
const AFTER: [(&str, &str, &str); 2] = [
    ("flow", "flow", "ORDER BY number"),
    ("letter", "notice", "WHERE letter IS NOT NULL ORDER BY task, seq, recipient"),
];

/// Writes everything. Answers whether it came to the end.
pub(crate) fn export(place: &Place<'_>, tell: &mut Tell<'_>) -> Result<bool, Error> {
    let (tell, begun) = (RefCell::new(tell), Cell::new(false));
    place.engine.read(place.patience, |sql| {
        if begun.replace(true) {
            // What was told cannot be taken back.
            return Err(Failure::Replaced);
        }
        everything(sql, World::Real.moment().now, &mut **tell.borrow_mut())
    })
}

fn everything(sql: &Connection, now: Millis, tell: &mut Tell<'_>) -> Result<bool, Failure> {
    let mut lines = Lines { tell, count: 0, goes_on: true };
    let header = json!({ "export": "bgledger", "version": VERSION, "format": schema::FORMAT, "exported_at": now });
    lines.tell(&header);
    for (word, table, rest) in BEFORE {
        table_of(sql, word, table, rest, &mut lines)?;
    }
    tasks(sql, &mut lines)?;
    for (word, table, rest) in AFTER {
        table_of(sql, word, table, rest, &mut lines)?;
    }
    acknowledgements(sql, &mut lines)?;
    let count = lines.count;
    lines.tell(&json!({ "end": { "lines": count } }));
    Ok(lines.goes_on)
}

struct Lines<'a, 'b> {
    tell: &'a mut Tell<'b>,
    count: u64,
    goes_on: bool,
}

impl Lines<'_, '_> {
    fn tell(&mut self, line: &Value) {
        if self.goes_on {
            self.goes_on = (self.tell)(&line.to_string());
            self.count += 1;
        }
    }
}

fn table_of(
    sql: &Connection,
    word: &str,
    table: &'static str,
    rest: &str,
    lines: &mut Lines<'_, '_>,
) -> Result<(), Failure> {
    let layout = Layout::of(sql, table, &[])?;
    let mut statement = sql.prepare(&layout.select(rest))?;
    let mut rows = statement.query([])?;
    while let (true, Some(row)) = (lines.goes_on, rows.next()?) {
        let mut line = Record::new();
        line.insert(word.to_owned(), Value::Object(layout.read(row)?));
        lines.tell(&Value::Object(line));
    }
    Ok(())
}

fn tasks(sql: &Connection, lines: &mut Lines<'_, '_>) -> Result<(), Failure> {
    let (task, event) = (Layout::of(sql, "task", &[])?, Layout::of(sql, "event", &["task", "prev"])?);
    let notice = Layout::of(sql, "notice", &["task"])?;
    let notices_of = notice.select("WHERE task = ?1 AND letter IS NULL ORDER BY seq, recipient");
    let event_at = format!("SELECT {}, prev FROM event WHERE seq = ?1 AND task = ?2", event.names());
    let (mut event_at, mut notices_of) = (sql.prepare(&event_at)?, sql.prepare(&notices_of)?);
    let mut statement = sql.prepare(&task.select("ORDER BY number"))?;
    let mut rows = statement.query([])?;
    while let (true, Some(row)) = (lines.goes_on, rows.next()?) {
        let record = task.read(row)?;
        let integer = |name: &str| record.get(name).and_then(Value::as_i64).unwrap_or(0);
        let (number, mut seq) = (integer("number"), integer("last_event"));
        let mut events = Vec::new();
        let read = |row: &rusqlite::Row<'_>| Ok((event.read(row)?, row.get::<_, i64>(event.columns.len())?));
        while let Some((said, prev)) = event_at.query_row((seq, number), read).optional()? {
            events.push(Value::Object(said));
            if prev >= seq {
                break;
            }
            seq = prev;
        }
        events.reverse();
        let notices = notices_of.query_map([number], |row| notice.read(row).map(Value::Object))?;
        let notices: Vec<Value> = notices.collect::<rusqlite::Result<_>>()?;
        lines.tell(&json!({ "task": record, "events": events, "notices": notices }));
    }
    Ok(())
}

/// What somebody knows of, with the id of the task or flow that it is about: elsewhere it has another number.
fn acknowledgements(sql: &Connection, lines: &mut Lines<'_, '_>) -> Result<(), Failure> {
    let layout = Layout::of(sql, "acknowledgement", &[])?;
    let mut statement = sql.prepare(&layout.select("ORDER BY code, subject"))?;
    let mut rows = statement.query([])?;
    while let (true, Some(row)) = (lines.goes_on, rows.next()?) {
        let record = layout.read(row)?;
        let subject = record.get("subject").and_then(Value::as_str).unwrap_or_default();
        let id = |table: &str, mark: char| -> Result<Option<String>, Failure> {
            let number: Option<i64> = subject.strip_prefix(mark).and_then(|number| number.parse().ok());
            let Some(number) = number else { return Ok(None) };
            let query = format!("SELECT id FROM {table} WHERE number = ?1");
            let values: [&dyn ToSql; 1] = [&number];
            let found = sql.query_row(&query, values, |row| row.get::<_, [u8; 16]>(0)).optional()?;
            Ok(found.map(|id| bgledger_core::TaskId::from_bytes(id).to_string()))
        };
        let (task, flow) = (id("task", '#')?, id("flow", 'F')?);
        lines.tell(&json!({ "acknowledgement": record, "of_task": task, "of_flow": flow }));
    }
    Ok(())
}
