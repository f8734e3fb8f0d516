//! A task as a row of the table, and back.

use crate::sqlite::{self, Failure};
use bgledger_core::{
    Artifact, Cancel, Executor, Failure as TaskFailure, FlowId, Group, Json, Lease, Metadata, Millis, NotifyPolicy,
    Output, ProgressPoint, Seq, Span, Status, Task, TaskId, TaskNumber, Usage,
};
use rusqlite::types::{ToSql, Type, Value};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::LazyLock;

/// A task with what only storage knows of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) task: Task,
    /// Its newest event: the end of the chain.
    pub(crate) last_event: Seq,
}

/// The columns that never change, then those that do. The order is the order of `values` and of `read`.
const FIXED: [&str; 11] =
    ["number", "id", "owner", "key", "runtime", "queue_timeout", "timeout", "label", "metadata", "task", "origin"];
const MOVING: [&str; 48] = [
    "status",
    "revision",
    "generation",
    "attempt",
    "progress_reports",
    "last_event",
    "created_at",
    "started_at",
    "ended_at",
    "updated_at",
    "attempt_started_at",
    "heartbeat_at",
    "progress_at",
    "lease",
    "lease_expires_at",
    "lease_host",
    "lease_clock",
    "host",
    "pid",
    "pid_started",
    "nonce",
    "group_id",
    "group_started",
    "kind",
    "source_id",
    "run_id",
    "requester_session",
    "session",
    "agent",
    "requester_agent",
    "parent",
    "root",
    "flow",
    "retry_of",
    "notify",
    "outcome",
    "reason",
    "waiting_on",
    "exit_code",
    "signal",
    "cancel",
    "progress",
    "usage",
    "artifacts",
    "error",
    "summary",
    "output",
    "result",
];

/// A select of every column; the caller adds the rest.
pub(crate) fn select(rest: &str) -> String {
    static COLUMNS: LazyLock<String> = LazyLock::new(|| format!("{}, {}", FIXED.join(", "), MOVING.join(", ")));
    format!("SELECT {} FROM task {rest}", *COLUMNS)
}

fn marks(columns: &[&str]) -> String {
    columns.iter().map(|column| format!(":{column}")).collect::<Vec<_>>().join(", ")
}

/// Writes a new row.
pub(crate) fn insert(sql: &Connection, stored: &Stored) -> rusqlite::Result<()> {
    thread_local! {
        static SQL: String = format!(
            "INSERT INTO task ({}, {}) VALUES ({}, {})",
            FIXED.join(", "), MOVING.join(", "), marks(&FIXED), marks(&MOVING)
        );
    }
    let mut values = fixed(&stored.task)?;
    values.extend(moving(sql, stored)?);
    SQL.with(|text| sql.prepare_cached(text)?.execute(rusqlite::params_from_iter(values)).map(drop))
}

/// What may change of a row, as it is stored: to tell what has changed.
pub(crate) struct Moving(Vec<Value>);

/// What may change of a task, as it is stored.
pub(crate) fn before(sql: &Connection, stored: &Stored) -> rusqlite::Result<Moving> {
    moving(sql, stored).map(Moving)
}

/// Writes what has changed of a row, if it is still at the revision that was read: no index is touched without need.
pub(crate) fn update(sql: &Connection, before: &Moving, stored: &Stored, read_revision: u64) -> rusqlite::Result<()> {
    thread_local! {
        /// The statement for each set of columns, a bit for each.
        static SQL: RefCell<HashMap<u64, Rc<str>>> = RefCell::new(HashMap::new());
    }
    let after = moving(sql, stored)?;
    let (mut changed, mut values) = (0_u64, Vec::new());
    for (place, (before, after)) in before.0.iter().zip(after).enumerate() {
        if *before != after {
            changed |= 1 << place;
            values.push(after);
        }
    }
    values.push(integer(stored.task.number.0)?);
    values.push(integer(read_revision)?);
    let text =
        SQL.with_borrow_mut(|texts| Rc::clone(texts.entry(changed).or_insert_with(|| update_of(changed).into())));
    match sql.prepare_cached(&text)?.execute(rusqlite::params_from_iter(values))? {
        1 => Ok(()),
        _ => Err(rusqlite::Error::QueryReturnedNoRows),
    }
}

fn update_of(changed: u64) -> String {
    let columns = MOVING.iter().enumerate().filter(|(place, _)| changed & (1 << place) != 0);
    let pairs: Vec<String> = columns.map(|(_, column)| format!("{column} = :{column}")).collect();
    format!("UPDATE task SET {} WHERE number = :number AND revision = :read_revision", pairs.join(", "))
}

fn integer(value: u64) -> rusqlite::Result<Value> {
    i64::try_from(value).map(Value::Integer).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn text(value: Option<&str>) -> Value {
    value.map_or(Value::Null, |text| Value::Text(text.to_owned()))
}

fn id(value: Option<TaskId>) -> Value {
    value.map_or(Value::Null, |id| Value::Blob(id.as_bytes().to_vec()))
}

fn millis(value: Option<Millis>) -> Value {
    value.map_or(Value::Null, |at| Value::Integer(at.get()))
}

fn span(value: Option<Span>) -> Value {
    value.map_or(Value::Null, |span| Value::Integer(span.ms()))
}

fn json<T: Serialize>(value: Option<&T>) -> rusqlite::Result<Value> {
    let Some(value) = value else { return Ok(Value::Null) };
    let text = serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    Ok(Value::Text(text))
}

fn fixed(task: &Task) -> rusqlite::Result<Vec<Value>> {
    let metadata = (!task.metadata.is_empty()).then_some(&task.metadata);
    Ok(vec![
        integer(task.number.0)?,
        id(Some(task.id)),
        text(Some(&task.owner)),
        text(task.key.as_deref()),
        text(Some(&task.runtime)),
        span(task.queue_timeout),
        span(task.timeout),
        text(Some(&task.label)),
        json(metadata)?,
        text(task.task.as_deref()),
        text(task.origin.as_ref().map(Json::as_str)),
    ])
}

#[derive(Serialize, Deserialize)]
struct StoredUsage {
    all: Option<Usage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Usage>,
}

fn moving(sql: &Connection, stored: &Stored) -> rusqlite::Result<Vec<Value>> {
    let task = &stored.task;
    let executor = task.executor.as_ref();
    let host = match executor {
        Some(executor) => Value::Integer(intern_host(sql, &executor.machine, &executor.boot, executor.pid_namespace)?),
        None => Value::Null,
    };
    let lease_host = match (&task.lease_clock, executor) {
        (Some(lease), Some(executor)) if executor.boot.as_ref() == Some(&lease.boot) => host.clone(),
        (Some(lease), _) => Value::Integer(intern_host(sql, &None, &Some(lease.boot.clone()), None)?),
        (None, _) => Value::Null,
    };
    let number = |value: Option<u64>| value.map_or(Ok(Value::Null), integer);
    let small = |value: Option<i32>| value.map_or(Value::Null, |value| Value::Integer(value.into()));
    let group = executor.and_then(|executor| executor.group);
    let usage = StoredUsage { all: task.usage.clone(), before: task.usage_before.clone() };
    let usage = (usage.all.is_some() || usage.before.is_some()).then_some(&usage);
    let artifacts = (!task.artifacts.is_empty()).then_some(&task.artifacts);
    Ok(vec![
        Value::Integer(i64::from(task.status as u8)),
        integer(task.revision)?,
        Value::Integer(task.generation.into()),
        Value::Integer(task.attempt.into()),
        Value::Integer(task.progress_reports.into()),
        integer(stored.last_event.0)?,
        millis(Some(task.created_at)),
        millis(task.started_at),
        millis(task.ended_at),
        millis(Some(task.updated_at)),
        millis(task.attempt_started_at),
        millis(task.heartbeat_at),
        millis(task.progress_at),
        span(task.lease),
        millis(task.lease_expires_at),
        lease_host,
        task.lease_clock.as_ref().map_or(Value::Null, |lease| Value::Integer(lease.expires)),
        host,
        number(executor.and_then(|executor| executor.pid).map(u64::from))?,
        number(executor.and_then(|executor| executor.started))?,
        text(executor.and_then(|executor| executor.nonce.as_deref())),
        number(group.map(|group| group.id.into()))?,
        number(group.map(|group| group.started))?,
        text(task.kind.as_deref()),
        text(task.source_id.as_deref()),
        text(task.run_id.as_deref()),
        text(task.requester_session.as_deref()),
        text(task.session.as_deref()),
        text(task.agent.as_deref()),
        text(task.requester_agent.as_deref()),
        id(task.parent),
        id(task.root),
        task.flow.map_or(Value::Null, |flow| Value::Blob(flow.as_bytes().to_vec())),
        id(task.retry_of),
        text(Some(task.notify.as_str())),
        text(task.outcome.as_deref()),
        text(task.reason.as_deref()),
        text(task.waiting_on.as_deref()),
        small(task.exit_code),
        small(task.signal),
        json(task.cancel.as_ref())?,
        json(task.progress.as_ref())?,
        json(usage)?,
        json(artifacts)?,
        json(task.error.as_ref())?,
        text(task.summary.as_deref()),
        json(task.output.as_ref())?,
        text(task.result.as_ref().map(Json::as_str)),
    ])
}

// ---- hosts --------------------------------------------------------------------------------------------------

/// A machine, a boot and a pid namespace are written once and named by number.
fn intern_host(
    sql: &Connection,
    machine: &Option<String>,
    boot: &Option<String>,
    pid_namespace: Option<u64>,
) -> rusqlite::Result<i64> {
    let namespace = pid_namespace.map_or(Ok(Value::Null), integer)?;
    let known = "SELECT id FROM host WHERE machine IS ?1 AND boot IS ?2 AND pid_namespace IS ?3";
    let values: [&dyn ToSql; 3] = [machine, boot, &namespace];
    let found = sql.prepare_cached(known)?.query_row(values, |row| row.get(0)).optional()?;
    match found {
        Some(host) => Ok(host),
        None => {
            let add = "INSERT INTO host (machine, boot, pid_namespace) VALUES (?1, ?2, ?3)";
            sql.prepare_cached(add)?.execute(values)?;
            Ok(sql.last_insert_rowid())
        }
    }
}

type HostFacts = (Option<String>, Option<String>, Option<u64>);

fn host(sql: &Connection, number: i64) -> rusqlite::Result<HostFacts> {
    let query = "SELECT machine, boot, pid_namespace FROM host WHERE id = ?1";
    sql.prepare_cached(query)?.query_row([number], |row| {
        let namespace: Option<i64> = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?, namespace.and_then(|value| u64::try_from(value).ok())))
    })
}

// ---- reading ------------------------------------------------------------------------------------------------

/// Reads columns in order, by their place in the select.
struct Columns<'a, 'row> {
    row: &'a Row<'row>,
    next: usize,
}

impl Columns<'_, '_> {
    fn take<T: rusqlite::types::FromSql>(&mut self) -> rusqlite::Result<T> {
        let value = self.row.get(self.next);
        self.next += 1;
        value
    }

    fn count<N: TryFrom<i64>>(&mut self) -> rusqlite::Result<N> {
        let (place, value) = (self.next, self.take::<i64>()?);
        N::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(place, value))
    }

    fn count_or_none<N: TryFrom<i64>>(&mut self) -> rusqlite::Result<Option<N>> {
        let (place, value) = (self.next, self.take::<Option<i64>>()?);
        let Some(value) = value else { return Ok(None) };
        N::try_from(value).map(Some).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(place, value))
    }

    fn millis(&mut self) -> rusqlite::Result<Option<Millis>> {
        Ok(self.take::<Option<i64>>()?.map(Millis::clamped))
    }

    fn moment(&mut self) -> rusqlite::Result<Millis> {
        Ok(Millis::clamped(self.take::<i64>()?))
    }

    fn span(&mut self) -> rusqlite::Result<Option<Span>> {
        Ok(self.take::<Option<i64>>()?.map(Span::clamped))
    }

    fn id(&mut self) -> rusqlite::Result<Option<TaskId>> {
        Ok(self.take::<Option<[u8; 16]>>()?.map(TaskId::from_bytes))
    }

    fn parsed<T>(&mut self, parse: impl Fn(&str) -> Result<T, String>) -> rusqlite::Result<Option<T>> {
        let place = self.next;
        let Some(text) = self.take::<Option<String>>()? else { return Ok(None) };
        let wrong = |problem: String| rusqlite::Error::FromSqlConversionFailure(place, Type::Text, problem.into());
        parse(&text).map(Some).map_err(wrong)
    }

    fn json<T: DeserializeOwned>(&mut self) -> rusqlite::Result<Option<T>> {
        self.parsed(|text| serde_json::from_str(text).map_err(|error| error.to_string()))
    }
}

/// The number in a row of [`select`]; 0 if there is none.
pub(crate) fn number(row: &Row<'_>) -> TaskNumber {
    TaskNumber(row.get::<_, i64>(0).ok().and_then(|number| u64::try_from(number).ok()).unwrap_or(0))
}

/// Reads a row of [`select`], or says why it is none that a ledger writes. Damage that SQLite finds is an error.
pub(crate) fn read_or_say(sql: &Connection, row: &Row<'_>) -> rusqlite::Result<Result<Stored, String>> {
    match read(sql, row) {
        Ok(stored) => Ok(Ok(stored)),
        Err(error) if sqlite::is_odd(&error) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Reads a row of [`select`]; one that is none says so as damage.
pub(crate) fn read_sound(sql: &Connection, row: &Row<'_>) -> Result<Stored, Failure> {
    let odd = |problem: String| Failure::Damaged(format!("the row of {} cannot be read: {problem}", number(row)));
    read_or_say(sql, row)?.map_err(odd)
}

/// Reads a row of [`select`].
pub(crate) fn read(sql: &Connection, row: &Row<'_>) -> rusqlite::Result<Stored> {
    let mut columns = Columns { row, next: 0 };
    let c = &mut columns;
    let number = TaskNumber(c.count()?);
    let id = TaskId::from_bytes(c.take()?);
    let (owner, key, runtime) = (c.take()?, c.take()?, c.take()?);
    let (queue_timeout, timeout, label) = (c.span()?, c.span()?, c.take()?);
    let metadata = c.json::<Metadata>()?.unwrap_or_default();
    let (task, origin) = (c.take()?, c.parsed(Json::parse)?);
    let place = c.next;
    let status: u8 = c.count()?;
    let status =
        Status::from_code(status).ok_or_else(|| rusqlite::Error::IntegralValueOutOfRange(place, i64::from(status)))?;
    let (revision, generation, attempt) = (c.count()?, c.count()?, c.count()?);
    let (progress_reports, last_event) = (c.count()?, Seq(c.count()?));
    let (created_at, started_at, ended_at, updated_at) = (c.moment()?, c.millis()?, c.millis()?, c.moment()?);
    let (attempt_started_at, heartbeat_at, progress_at) = (c.millis()?, c.millis()?, c.millis()?);
    let (lease, lease_expires_at) = (c.span()?, c.millis()?);
    let (lease_host, lease_end): (Option<i64>, Option<i64>) = (c.take()?, c.take()?);
    let executor = executor(sql, c)?;
    let lease_clock = match (lease_host, lease_end) {
        (Some(number), Some(expires)) => host(sql, number)?.1.map(|boot| Lease { boot, expires }),
        (_, _) => None,
    };
    let (kind, source_id, run_id) = (c.take()?, c.take()?, c.take()?);
    let (requester_session, session, agent, requester_agent) = (c.take()?, c.take()?, c.take()?, c.take()?);
    let (parent, root) = (c.id()?, c.id()?);
    let flow = c.take::<Option<[u8; 16]>>()?.map(FlowId::from_bytes);
    let retry_of = c.id()?;
    let notify = NotifyPolicy::from_stored(&c.take::<String>()?);
    let (outcome, reason, waiting_on) = (c.take()?, c.take()?, c.take()?);
    let (exit_code, signal) = (c.count_or_none()?, c.count_or_none()?);
    let (cancel, progress) = (c.json::<Cancel>()?, c.json::<ProgressPoint>()?);
    let usage = c.json::<StoredUsage>()?.unwrap_or(StoredUsage { all: None, before: None });
    let artifacts = c.json::<BTreeMap<String, Artifact>>()?.unwrap_or_default();
    let (error, summary) = (c.json::<TaskFailure>()?, c.take()?);
    let (output, result) = (c.json::<Output>()?, c.parsed(Json::parse)?);
    let task = Task {
        number,
        id,
        key,
        runtime,
        kind,
        source_id,
        run_id,
        owner,
        requester_session,
        session,
        agent,
        requester_agent,
        parent,
        root,
        flow,
        retry_of,
        label,
        task,
        metadata,
        notify,
        status,
        outcome,
        reason,
        cancel,
        waiting_on,
        progress,
        error,
        summary,
        result,
        exit_code,
        signal,
        output,
        artifacts,
        usage: usage.all,
        usage_before: usage.before,
        created_at,
        started_at,
        ended_at,
        updated_at,
        executor,
        attempt,
        attempt_started_at,
        lease,
        lease_expires_at,
        lease_clock,
        heartbeat_at,
        progress_at,
        queue_timeout,
        timeout,
        revision,
        generation,
        progress_reports,
        origin,
    };
    Ok(Stored { task, last_event })
}

fn executor(sql: &Connection, c: &mut Columns<'_, '_>) -> rusqlite::Result<Option<Executor>> {
    let host_number: Option<i64> = c.take()?;
    let (pid, started) = (c.count_or_none()?, c.count_or_none()?);
    let nonce = c.take()?;
    let (group, group_started) = (c.count_or_none()?, c.count_or_none()?);
    let Some(host_number) = host_number else { return Ok(None) };
    let (machine, boot, pid_namespace) = host(sql, host_number)?;
    let group = group.zip(group_started).map(|(id, started)| Group { id, started });
    Ok(Some(Executor { machine, boot, pid_namespace, pid, started, nonce, group }))
}
