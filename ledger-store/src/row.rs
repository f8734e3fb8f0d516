//! A task as a row of the table, and back.

use crate::sqlite::{self, Failure};
use bgledger_core::{
    Artifact, Cancel, Executor, Failure as TaskFailure, FlowId, Group, Json, Lease, Metadata, Millis, NotifyPolicy,
    Output, ProgressPoint, Seq, Span, Status, Task, TaskId, TaskNumber, Usage,
};
use rusqlite::types::{ToSql, ToSqlOutput, Type, Value, ValueRef};
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
    /// In a box: it is handed on from step to step.
    pub(crate) task: Box<Task>,
    /// Its newest event: the end of the chain.
    pub(crate) last_event: Seq,
}

/// The columns: those that never change, then those that do. The order is the order of `values` and of `read`.
macro_rules! columns {
    () => {
        "number, id, owner, key, runtime, queue_timeout, timeout, label, metadata, task, origin, \
         status, revision, generation, attempt, progress_reports, last_event, created_at, started_at, \
         ended_at, updated_at, attempt_started_at, heartbeat_at, progress_at, lease, lease_expires_at, \
         lease_host, lease_clock, host, pid, pid_started, nonce, group_id, group_started, kind, source_id, \
         run_id, requester_session, session, agent, requester_agent, parent, root, flow, retry_of, notify, \
         outcome, reason, waiting_on, exit_code, signal, cancel, progress, usage, artifacts, error, summary, \
         output, result"
    };
}
pub(crate) use columns;

/// A select of every column; the caller adds the rest. The text is made once: it is what prepared statements are found by.
macro_rules! selecting {
    ($($rest:literal),+) => {
        concat!("SELECT ", $crate::row::columns!(), " FROM task ", $($rest),+)
    };
}
pub(crate) use selecting;

/// The same for a rest that is only known then.
pub(crate) fn select(rest: &str) -> String {
    format!("SELECT {} FROM task {rest}", columns!())
}

static COLUMNS: LazyLock<Vec<&str>> = LazyLock::new(|| columns!().split(", ").collect());
/// How many of them never change.
const FIXED: usize = 11;

/// What is written to a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Write {
    Insert,
    Update,
}

/// The statement that writes a set of columns, a bit for each.
///
/// `OR FAIL`: whoever writes a row undoes the whole request if that fails, so SQLite need not keep a copy of each page that
/// the statement and its triggers touch.
fn statement(write: Write, set: u64) -> Rc<str> {
    thread_local! {
        static SQL: RefCell<HashMap<(Write, u64), Rc<str>>> = RefCell::new(HashMap::new());
    }
    let text = || {
        let columns =
            COLUMNS.iter().enumerate().filter(|(place, _)| set & (1 << place) != 0).map(|(_, column)| *column);
        let text = match write {
            Write::Insert => {
                let columns: Vec<&str> = columns.collect();
                let marks = vec!["?"; columns.len()].join(", ");
                format!("INSERT OR FAIL INTO task ({}) VALUES ({marks})", columns.join(", "))
            }
            Write::Update => {
                let pairs: Vec<String> = columns.map(|column| format!("{column} = ?")).collect();
                format!("UPDATE OR FAIL task SET {} WHERE number = ? AND revision = ?", pairs.join(", "))
            }
        };
        text.into()
    };
    SQL.with_borrow_mut(|texts| Rc::clone(texts.entry((write, set)).or_insert_with(text)))
}

/// Writes a new row.
pub(crate) fn insert(sql: &Connection, stored: &Stored) -> rusqlite::Result<()> {
    let mut all = fixed(&stored.task)?;
    all.extend(moving(sql, stored)?);
    let (mut set, mut values) = (0_u64, Vec::with_capacity(all.len()));
    for (place, value) in all.into_iter().enumerate() {
        if seen(&value) != ValueRef::Null {
            set |= 1 << place;
            values.push(value);
        }
    }
    sql.prepare_cached(&statement(Write::Insert, set))?.execute(rusqlite::params_from_iter(values)).map(drop)
}

/// What may change of a row, as it is stored: to tell what has changed.
pub(crate) struct Moving(Vec<Value>);

/// What may change of a task, as it is stored.
pub(crate) fn before(sql: &Connection, stored: &Stored) -> rusqlite::Result<Moving> {
    Ok(Moving(moving(sql, stored)?.into_iter().map(owned).collect()))
}

/// Writes what has changed of a row, if it is still at the revision that was read: no index is touched without need.
pub(crate) fn update(sql: &Connection, before: &Moving, stored: &Stored, read_revision: u64) -> rusqlite::Result<()> {
    let after = moving(sql, stored)?;
    let (mut changed, mut values) = (0_u64, Vec::with_capacity(16));
    for (place, (before, after)) in before.0.iter().zip(after).enumerate() {
        if ValueRef::from(before) != seen(&after) {
            changed |= 1 << (FIXED + place);
            values.push(after);
        }
    }
    values.push(integer(stored.task.number.0)?);
    values.push(integer(read_revision)?);
    let text = statement(Write::Update, changed);
    match sql.prepare_cached(&text)?.execute(rusqlite::params_from_iter(values))? {
        1 => Ok(()),
        _ => Err(rusqlite::Error::QueryReturnedNoRows),
    }
}

/// A value on its way to a column: texts are borrowed from the task.
type Bound<'a> = ToSqlOutput<'a>;

const NULL: Bound<'static> = ToSqlOutput::Borrowed(ValueRef::Null);

fn seen<'a>(value: &'a Bound<'_>) -> ValueRef<'a> {
    match value {
        ToSqlOutput::Borrowed(value) => *value,
        ToSqlOutput::Owned(value) => value.into(),
        // No other kind is made here.
        _ => ValueRef::Null,
    }
}

fn owned(value: Bound<'_>) -> Value {
    match value {
        ToSqlOutput::Owned(value) => value,
        borrowed @ (ToSqlOutput::Borrowed(_) | _) => Value::try_from(seen(&borrowed)).unwrap_or(Value::Null),
    }
}

fn whole<N: Into<i64>>(value: N) -> Bound<'static> {
    ToSqlOutput::Borrowed(ValueRef::Integer(value.into()))
}

fn integer(value: u64) -> rusqlite::Result<Bound<'static>> {
    i64::try_from(value).map(whole).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn count(value: Option<u64>) -> rusqlite::Result<Bound<'static>> {
    value.map_or(Ok(NULL), integer)
}

fn text(value: Option<&str>) -> Bound<'_> {
    value.map_or(NULL, |text| ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())))
}

fn bytes(value: Option<&[u8; 16]>) -> Bound<'_> {
    value.map_or(NULL, |bytes| ToSqlOutput::Borrowed(ValueRef::Blob(bytes)))
}

fn id(value: Option<&TaskId>) -> Bound<'_> {
    bytes(value.map(TaskId::as_bytes))
}

fn millis(value: Option<Millis>) -> Bound<'static> {
    value.map_or(NULL, |at| whole(at.get()))
}

fn span(value: Option<Span>) -> Bound<'static> {
    value.map_or(NULL, |span| whole(span.ms()))
}

fn json<T: Serialize>(value: Option<&T>) -> rusqlite::Result<Bound<'static>> {
    let Some(value) = value else { return Ok(NULL) };
    let text = serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    Ok(ToSqlOutput::Owned(Value::Text(text)))
}

fn fixed(task: &Task) -> rusqlite::Result<Vec<Bound<'_>>> {
    let metadata = (!task.metadata.is_empty()).then_some(&task.metadata);
    Ok(vec![
        integer(task.number.0)?,
        id(Some(&task.id)),
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

fn moving<'a>(sql: &Connection, stored: &'a Stored) -> rusqlite::Result<Vec<Bound<'a>>> {
    let task = &stored.task;
    let executor = task.executor.as_ref();
    let host = match executor {
        Some(executor) => whole(intern_host(sql, &executor.machine, &executor.boot, executor.pid_namespace)?),
        None => NULL,
    };
    let lease_host = match (&task.lease_clock, executor) {
        (Some(lease), Some(executor)) if executor.boot.as_ref() == Some(&lease.boot) => host.clone(),
        (Some(lease), _) => whole(intern_host(sql, &None, &Some(lease.boot.clone()), None)?),
        (None, _) => NULL,
    };
    let group = executor.and_then(|executor| executor.group);
    let usage = StoredUsage { all: task.usage.clone(), before: task.usage_before.clone() };
    let usage = (usage.all.is_some() || usage.before.is_some()).then_some(&usage);
    let artifacts = (!task.artifacts.is_empty()).then_some(&task.artifacts);
    Ok(vec![
        whole(task.status as u8),
        integer(task.revision)?,
        whole(task.generation),
        whole(task.attempt),
        whole(task.progress_reports),
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
        task.lease_clock.as_ref().map_or(NULL, |lease| whole(lease.expires)),
        host,
        count(executor.and_then(|executor| executor.pid).map(u64::from))?,
        count(executor.and_then(|executor| executor.started))?,
        text(executor.and_then(|executor| executor.nonce.as_deref())),
        count(group.map(|group| group.id.into()))?,
        count(group.map(|group| group.started))?,
        text(task.kind.as_deref()),
        text(task.source_id.as_deref()),
        text(task.run_id.as_deref()),
        text(task.requester_session.as_deref()),
        text(task.session.as_deref()),
        text(task.agent.as_deref()),
        text(task.requester_agent.as_deref()),
        id(task.parent.as_ref()),
        id(task.root.as_ref()),
        bytes(task.flow.as_ref().map(FlowId::as_bytes)),
        id(task.retry_of.as_ref()),
        text(Some(task.notify.as_str())),
        text(task.outcome.as_deref()),
        text(task.reason.as_deref()),
        text(task.waiting_on.as_deref()),
        task.exit_code.map_or(NULL, whole),
        task.signal.map_or(NULL, whole),
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
    let namespace = count(pid_namespace)?;
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
    Ok(Stored { task: Box::new(task), last_event })
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
