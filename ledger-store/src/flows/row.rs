//! A flow as a row of the table, and back.

use crate::find::{self, Scope};
use crate::record::stored_number;
use crate::sqlite::{self, Failure};
use bgledger_core::{Error, Flow, FlowId, FlowNumber, FlowStatus, Json, Millis, Seq, TaskId};
use rusqlite::types::Type;
use rusqlite::{Connection, Row};
use serde::de::DeserializeOwned;
use std::sync::LazyLock;

const COLUMNS: &str = "number, id, owner, key, mirrors, controller, goal, status, step, state, wait, blocked, cancel,
    created_at, updated_at, ended_at, revision, last_event, origin";

/// A select of every column; the caller adds the rest.
pub(super) fn select(rest: &str) -> String {
    format!("SELECT {COLUMNS} FROM flow {rest}")
}

/// A flow as it is stored: of a mirrored one, its names alone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(super) flow: Flow,
    /// The newest event of the ledger when it was written.
    last_event: Seq,
}

/// Reads a row of [`select`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let count = |place: usize| {
        let value: i64 = row.get(place)?;
        u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(place, value))
    };
    let code: Option<u8> = row.get(7)?;
    let status = match code {
        Some(code) => {
            FlowStatus::from_code(code).ok_or_else(|| rusqlite::Error::IntegralValueOutOfRange(7, i64::from(code)))?
        }
        None => FlowStatus::Lost,
    };
    let moment = |place: usize| row.get::<_, Option<i64>>(place).map(|at| at.map(Millis::clamped));
    let mirrors: Option<[u8; 16]> = row.get(4)?;
    let flow = Flow {
        number: FlowNumber(count(0)?),
        id: FlowId::from_bytes(row.get(1)?),
        owner: row.get(2)?,
        key: row.get(3)?,
        mirrors: mirrors.map(TaskId::from_bytes),
        controller: row.get(5)?,
        goal: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
        status,
        step: row.get(8)?,
        state: parsed(row, 9, Json::parse)?,
        wait: parsed(row, 10, Json::parse)?,
        blocked: parsed(row, 11, from_json)?,
        cancel: parsed(row, 12, from_json)?,
        created_at: moment(13)?.unwrap_or(Millis::EPOCH),
        updated_at: moment(14)?.unwrap_or(Millis::EPOCH),
        ended_at: moment(15)?,
        revision: count(16)?,
        origin: parsed(row, 18, Json::parse)?,
    };
    Ok(Stored { flow, last_event: Seq(count(17)?) })
}

/// How many rows are no flows.
pub(crate) fn unreadable(sql: &Connection) -> Result<u64, Failure> {
    sqlite::odd_rows(sql, &select(""), read)
}

/// Reads a row of [`select`]; one that is none says so as damage.
pub(super) fn sound(row: &Row<'_>) -> Result<Stored, Failure> {
    read(row).map_err(|error| match sqlite::is_odd(&error) {
        true => Failure::Damaged(format!("the row of {} cannot be read: {error}", number(row))),
        false => error.into(),
    })
}

/// The number in a row of [`select`]; 0 if there is none.
pub(super) fn number(row: &Row<'_>) -> FlowNumber {
    FlowNumber(row.get::<_, i64>(0).ok().and_then(|number| u64::try_from(number).ok()).unwrap_or(0))
}

/// Reads a column's JSON.
pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Reads a column that is a text of its own kind.
pub(super) fn parsed<T>(
    row: &Row<'_>,
    place: usize,
    parse: impl Fn(&str) -> Result<T, String>,
) -> rusqlite::Result<Option<T>> {
    let Some(text) = row.get::<_, Option<String>>(place)? else { return Ok(None) };
    let wrong = |problem: String| rusqlite::Error::FromSqlConversionFailure(place, Type::Text, problem.into());
    parse(&text).map(Some).map_err(wrong)
}

/// Writes a flow's row, new or moved.
pub(super) fn write(sql: &Connection, flow: &Flow) -> Result<(), Failure> {
    let last_event: i64 = sql.prepare_cached(LAST_EVENT)?.query_row([], |row| row.get(0))?;
    put(sql, &Stored { flow: flow.clone(), last_event: Seq(u64::try_from(last_event).unwrap_or(0)) })
}

const LAST_EVENT: &str =
    "SELECT max(coalesce((SELECT max(seq) FROM event), 0), (SELECT value FROM meta WHERE key = 'pruned_seq'))";

/// Writes a row as it is given.
pub(super) fn put(sql: &Connection, Stored { flow, last_event }: &Stored) -> Result<(), Failure> {
    let json = |value: Option<Result<String, serde_json::Error>>| {
        value.transpose().map_err(|error| Error::internal(error.to_string()))
    };
    let is_managed = flow.mirrors.is_none();
    let managed = |at: Millis| is_managed.then(|| at.get());
    let values = rusqlite::params![
        stored_number(flow.number.0)?,
        flow.id.as_bytes().as_slice(),
        &flow.owner,
        &flow.key,
        flow.mirrors.as_ref().map(|task| task.as_bytes().as_slice()),
        &flow.controller,
        is_managed.then_some(&flow.goal),
        is_managed.then_some(flow.status as u8),
        &flow.step,
        flow.state.as_ref().map(Json::as_str),
        flow.wait.as_ref().map(Json::as_str).filter(|_| is_managed),
        json(flow.blocked.as_ref().filter(|_| is_managed).map(serde_json::to_string))?,
        json(flow.cancel.as_ref().filter(|_| is_managed).map(serde_json::to_string))?,
        managed(flow.created_at),
        managed(flow.updated_at),
        flow.ended_at.and_then(managed),
        stored_number(flow.revision)?,
        stored_number(last_event.0)?,
        flow.origin.as_ref().map(Json::as_str),
    ];
    static UPSERT: LazyLock<String> = LazyLock::new(|| {
        let columns: Vec<&str> = COLUMNS.split(',').map(str::trim).collect();
        let marks: Vec<String> = (1..=columns.len()).map(|place| format!("?{place}")).collect();
        let pairs: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        format!(
            "INSERT INTO flow ({COLUMNS}) VALUES ({}) ON CONFLICT (number) DO UPDATE SET {}",
            marks.join(", "),
            pairs.join(", ")
        )
    });
    sql.prepare_cached(&UPSERT)?.execute(values)?;
    Ok(())
}

/// The flow as it stands: of a mirrored one, what its task says. `None` stands for a task that is gone.
pub(super) fn whole(sql: &Connection, stored: Stored) -> Result<Flow, Failure> {
    let flow = stored.flow;
    let Some(task) = flow.mirrors else { return Ok(flow) };
    Ok(match find::by_id(sql, task, Scope(None))? {
        Some(found) => {
            let Flow { number, id, key, owner, origin, .. } = flow;
            Flow { key, origin, ..Flow::mirroring(number, id, owner, &found.task) }
        }
        None => flow,
    })
}
