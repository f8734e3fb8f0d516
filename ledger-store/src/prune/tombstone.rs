//! What is left of pruned tasks: their tombstones, and their numbers, which are never used again.

use super::{count, raise};
use crate::sqlite::Failure;
use bgledger_core::{Error, FlowId, FlowNumber, FlowStatus, Millis, Moment, Status, TaskId, TaskNumber};
use rusqlite::{Connection, OptionalExtension};

/// A select of what [`tombstone`] reads: see [`buried`].
#[derive(Clone, Copy)]
pub(crate) struct Buried(&'static str);

/// The select of a tombstone with a test.
macro_rules! buried {
    ($test:literal) => {
        $crate::prune::Buried::new(concat!(
            "SELECT number, id, status, ended_at, pruned_at FROM tombstone WHERE ",
            $test,
            " LIMIT 1"
        ))
    };
}
pub(crate) use buried;

impl Buried {
    /// For [`buried`] alone.
    pub(crate) const fn new(query: &'static str) -> Buried {
        Buried(query)
    }
}

/// What is left of a pruned task that a query of [`buried`] finds, as the error that tells of it.
pub(crate) fn tombstone(
    sql: &Connection,
    query: Buried,
    values: &[&dyn rusqlite::types::ToSql],
) -> Result<Option<Error>, Failure> {
    let found = sql.prepare_cached(query.0)?.query_row(values, |row| {
        let (number, id, code): (i64, [u8; 16], u8) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Error::Pruned {
            number: TaskNumber(count(number)),
            id: TaskId::from_bytes(id),
            recorded_status: Status::from_code(code).unwrap_or(Status::Lost),
            ended_at: Millis::clamped(row.get(3)?),
            pruned_at: Millis::clamped(row.get(4)?),
        })
    });
    Ok(found.optional()?)
}

/// What is left of a pruned flow that fits a test, as the error that tells of it.
pub(crate) fn flow_tombstone(
    sql: &Connection,
    test: &str,
    values: &[&dyn rusqlite::types::ToSql],
) -> Result<Option<Error>, Failure> {
    let query = format!("SELECT number, id, status, ended_at, pruned_at FROM flow_tombstone WHERE {test} LIMIT 1");
    let found = sql.prepare_cached(&query)?.query_row(values, |row| {
        let (number, id, code): (i64, [u8; 16], u8) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Error::FlowPruned {
            flow: FlowNumber(count(number)),
            id: FlowId::from_bytes(id),
            recorded_status: FlowStatus::from_code(code).unwrap_or(FlowStatus::Lost),
            ended_at: Millis::clamped(row.get(3)?),
            pruned_at: Millis::clamped(row.get(4)?),
        })
    });
    Ok(found.optional()?)
}

/// Removes a flow and leaves its tombstone. `task`: how the task that it mirrors ended, and when.
pub(super) fn bury_flow(
    sql: &Connection,
    number: i64,
    task: Option<(FlowStatus, Millis)>,
    at: &Moment,
) -> Result<(), Failure> {
    raise(sql, "pruned_flow", number)?;
    let (status, ended_at) = task.map_or((None, None), |(status, ended)| (Some(status as u8), Some(ended.get())));
    sql.prepare_cached(
        "INSERT OR REPLACE INTO flow_tombstone
            SELECT number, id, owner, key, coalesce(status, ?2), coalesce(ended_at, ?3), ?4 FROM flow WHERE number = ?1",
    )?
    .execute((number, status, ended_at, at.now.get()))?;
    sql.prepare_cached("DELETE FROM flow WHERE number = ?1")?.execute([number])?;
    Ok(())
}

/// Whether a task was here and is pruned.
pub(crate) fn is_pruned(sql: &Connection, id: TaskId) -> Result<bool, Failure> {
    Ok(tombstone(sql, buried!("id = ?1"), &[&id.as_bytes().as_slice()])?.is_some())
}

/// What is numbered in a series of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Series {
    Tasks,
    Events,
    Flows,
}

/// The next of a series whose highest may have been pruned: an expression of SQL.
macro_rules! next_of {
    ($table:literal, $column:literal, $pruned:literal) => {
        concat!(
            "1 + max(coalesce((SELECT max(",
            $column,
            ") FROM ",
            $table,
            "), 0),
                (SELECT value FROM meta WHERE key = '",
            $pruned,
            "'))"
        )
    };
}

/// The place of the next event.
macro_rules! next_seq {
    () => {
        $crate::prune::next_of!("event", "seq", "pruned_seq")
    };
}
pub(crate) use {next_of, next_seq};

/// The next number of a series.
pub(crate) fn next(sql: &Connection, series: Series) -> Result<u64, Failure> {
    let query = match series {
        Series::Tasks => concat!("SELECT ", next_of!("task", "number", "pruned_number")),
        Series::Events => concat!("SELECT ", next_seq!()),
        Series::Flows => concat!("SELECT ", next_of!("flow", "number", "pruned_flow")),
    };
    let number: i64 = sql.prepare_cached(query)?.query_row([], |row| row.get(0))?;
    u64::try_from(number).map_err(|_| Error::internal("a negative number").into())
}
