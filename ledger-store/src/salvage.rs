//! Bringing back what was acknowledged when the file was replaced under an open handle.
//!
//! A second SQLite in the same process that closes the ledger drops our locks; the last closer then deletes the `-wal`
//! that we go on writing to. Every commit is checked before it is acknowledged, so this is what one call, or calls
//! that were in flight together, left in a file without a name. Our old connection still reads it.

use crate::find::{self, Scope};
use crate::record::{self, stored_number};
use crate::row::{self, Stored};
use crate::sqlite::Failure;
use bgledger_core::{Event, Millis, Seq, TaskId, TaskNumber, evolve};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

/// How far back before the newest acknowledged event a WAL that was deleted may have gone: more than one holds before
/// it is checkpointed.
pub(crate) const REACH: u64 = 100_000;

/// The newest part of the history as the old connection has it.
#[derive(Debug)]
pub(crate) struct Wreck {
    events: Vec<Lost>,
    tasks: BTreeMap<TaskNumber, Stored>,
    policy: Vec<Policy>,
    answers: Vec<Answer>,
}

/// A row of `config`.
type Policy = (String, Option<String>, i64);

/// A notice that somebody answered, by its task's id: `seq`, recipient, state, attempts, reason.
type Answer = ([u8; 16], i64, String, u8, u32, Option<String>);

#[derive(Debug)]
struct Lost {
    seq: Seq,
    task: TaskNumber,
    at: Millis,
    kind: u8,
    data: Option<String>,
}

/// Reads what the old connection has after an event, before it is closed.
pub(crate) fn gather(sql: &Connection, after: u64) -> Result<Wreck, Failure> {
    let mut statement = sql.prepare("SELECT seq, task, at, kind, data FROM event WHERE seq > ?1 ORDER BY seq")?;
    let mut rows = statement.query([stored_number(after)?])?;
    let (mut events, mut tasks) = (Vec::new(), BTreeMap::new());
    while let Some(row) = rows.next()? {
        let (seq, task, at): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let task = TaskNumber(u64::try_from(task).unwrap_or(0));
        events.push(Lost {
            seq: Seq(u64::try_from(seq).unwrap_or(0)),
            task,
            at: Millis::clamped(at),
            kind: row.get(3)?,
            data: row.get(4)?,
        });
        if let std::collections::btree_map::Entry::Vacant(place) = tasks.entry(task)
            && let Some(stored) = find::by_number(sql, task, Scope(None))?
        {
            place.insert(stored);
        }
    }
    let mut statement = sql.prepare("SELECT key, value, revision FROM config")?;
    let policy =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
    let answered = "SELECT task.id, notice.seq, recipient, state, attempts, notice.reason
        FROM notice JOIN task ON task.number = notice.task WHERE state > 2 AND task.last_event > ?1";
    let mut statement = sql.prepare(answered)?;
    let answers = statement.query_map([stored_number(after)?], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
    })?;
    let answers = answers.collect::<Result<_, _>>()?;
    Ok(Wreck { events, tasks, policy, answers })
}

/// Records again, in order and under new places where others came between, every event that the ledger has not.
pub(crate) fn bring_back(sql: &Connection, wreck: &Wreck) -> Result<(), Failure> {
    let mut missing: BTreeMap<TaskNumber, Vec<&Lost>> = BTreeMap::new();
    for lost in &wreck.events {
        if !has(sql, lost, wreck)? {
            missing.entry(lost.task).or_default().push(lost);
        }
    }
    for (number, events) in missing {
        if let Some(old) = wreck.tasks.get(&number) {
            restore(sql, old, &events)?;
        }
    }
    let newer = "INSERT INTO config VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
        SET value = excluded.value, revision = excluded.revision WHERE excluded.revision > revision";
    for policy in &wreck.policy {
        sql.prepare_cached(newer)?.execute((&policy.0, &policy.1, policy.2))?;
    }
    // What was answered is not asked again, unless its event came to another place.
    let answered = "UPDATE notice SET state = ?4, attempts = ?5, reason = ?6
        WHERE task = (SELECT number FROM task WHERE id = ?1) AND seq = ?2 AND recipient = ?3 AND state <= 2";
    for (id, seq, recipient, state, attempts, reason) in &wreck.answers {
        sql.prepare_cached(answered)?.execute((id, seq, recipient, state, attempts, reason))?;
    }
    Ok(())
}

/// Whether the ledger has an event: at its place, or as one of the task's own.
fn has(sql: &Connection, lost: &Lost, wreck: &Wreck) -> Result<bool, Failure> {
    let query = "SELECT task.id FROM event JOIN task ON task.number = event.task
        WHERE event.seq = ?1 AND event.at = ?2 AND event.kind = ?3 AND event.data IS ?4";
    let values = (stored_number(lost.seq.0)?, lost.at.get(), lost.kind, &lost.data);
    let id: Option<[u8; 16]> = sql.prepare_cached(query)?.query_row(values, |row| row.get(0)).optional()?;
    let expected = wreck.tasks.get(&lost.task).map(|stored| stored.task.id);
    Ok(id.map(TaskId::from_bytes) == expected && expected.is_some())
}

fn restore(sql: &Connection, old: &Stored, events: &[&Lost]) -> Result<(), Failure> {
    let found = find::by_id(sql, old.task.id, Scope(None))?;
    let untouched = found.as_ref().is_none_or(|stored| stored.task.revision <= old.task.revision);
    let (mut stored, there) = match found {
        Some(stored) => {
            let there = (row::before(sql, &stored)?, stored.task.revision);
            (stored, Some(there))
        }
        None => {
            let taken = find::by_number(sql, old.task.number, Scope(None))?.is_some();
            let number = if taken { record::next_number(sql)? } else { old.task.number };
            (Stored { task: old.task.before_history(number), last_event: Seq(0) }, None)
        }
    };
    for lost in events {
        let event = Event::from_stored(lost.kind, lost.data.as_deref());
        stored.task = evolve(stored.task, &event, lost.at);
        stored.last_event = record::append(sql, &stored, lost.kind, lost.at, lost.data.as_deref())?;
        record::notices(sql, &stored.task, &[event], &[stored.last_event], lost.at)?;
    }
    if untouched {
        let number = stored.task.number;
        stored.task = bgledger_core::Task { number, ..old.task.clone() };
    } else {
        stored.task.revision += 1;
    }
    match there {
        Some((before, revision)) => row::update(sql, &before, &stored, revision)?,
        None => row::insert(sql, &stored)?,
    }
    Ok(())
}
