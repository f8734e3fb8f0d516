//! From what somebody typed to one task. An owner's handle finds that owner's tasks alone; foreign looks like absent.

use crate::continuity;
use crate::prune;
use crate::row::{self, Stored};
use crate::sqlite::Failure;
use bgledger_core::{Candidate, Error, Lookup, TaskId, TaskNumber, bounds, planted};
use rusqlite::Connection;
use rusqlite::types::ToSql;

/// Whose tasks a call may see: one owner's, or everybody's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a>(pub(crate) Option<&'a str>);

/// What the task is wanted for: a change never guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Of a session the active task, then the newest.
    Read,
    /// Of a session the one active task.
    Change,
    /// Of a session its one task, active or not: a change that names another task.
    Name,
}

/// Finds the task of a lookup.
pub(crate) fn task(sql: &Connection, lookup: &Lookup, scope: Scope<'_>, purpose: Purpose) -> Result<Stored, Failure> {
    let found = match lookup {
        Lookup::Number(number) => by_number(sql, *number, scope)?,
        Lookup::Id(id) => by_id(sql, *id, scope)?,
        Lookup::Run(run) => by_run(sql, lookup, run, scope)?,
        Lookup::Session(session) => by_session(sql, lookup, session, scope, purpose)?,
        Lookup::Text(text) => by_text(sql, lookup, text, scope, purpose)?,
    };
    match found {
        Some(found) => Ok(found),
        None => match pruned(sql, lookup, scope)? {
            Some(pruned) => Err(pruned.into()),
            None => Err(lost(sql, lookup)?.unwrap_or_else(|| not_found(lookup))),
        },
    }
}

/// What a tombstone says of a lookup that finds nothing.
fn pruned(sql: &Connection, lookup: &Lookup, scope: Scope<'_>) -> Result<Option<Error>, Failure> {
    let of = |query: prune::Buried, value: &dyn ToSql| prune::tombstone(sql, query, &[value, &scope.0]);
    let by_id = prune::buried!("id = ?1 AND (?2 IS NULL OR owner = ?2)");
    let by_run = prune::buried!("run_id = ?1 AND (?2 IS NULL OR owner = ?2)");
    match lookup {
        Lookup::Number(number) => match i64::try_from(number.0) {
            Ok(number) => of(prune::buried!("number = ?1 AND (?2 IS NULL OR owner = ?2)"), &number),
            Err(_) => Ok(None),
        },
        Lookup::Id(id) => of(by_id, &id.as_bytes().as_slice()),
        Lookup::Run(run) => of(by_run, run),
        Lookup::Session(_) => Ok(None),
        Lookup::Text(text) => match TaskId::parse(text) {
            Some(id) => of(by_id, &id.as_bytes().as_slice()),
            None => of(by_run, text),
        },
    }
}

/// What was given and not pruned was not never there.
fn lost(sql: &Connection, lookup: &Lookup) -> Result<Option<Failure>, Failure> {
    match lookup {
        Lookup::Number(number) if continuity::is_lost(sql, *number)? => {
            Ok(Some(Failure::Damaged(format!("{number} is gone: its row is not there, and it was not pruned"))))
        }
        Lookup::Number(_) | Lookup::Id(_) | Lookup::Run(_) | Lookup::Session(_) | Lookup::Text(_) => Ok(None),
    }
}

fn not_found(lookup: &Lookup) -> Failure {
    let why = match lookup {
        Lookup::Number(_) => "in this ledger",
        Lookup::Id(_) => "has this id",
        Lookup::Run(_) => "has this run id",
        Lookup::Session(_) => "belongs to this session",
        Lookup::Text(_) => "has this id, run id or session key",
    };
    Failure::Refused(Error::NotFound { lookup: lookup.to_string(), why: why.into() })
}

fn by_text(
    sql: &Connection,
    lookup: &Lookup,
    text: &str,
    scope: Scope<'_>,
    purpose: Purpose,
) -> Result<Option<Stored>, Failure> {
    if let Some(id) = TaskId::parse(text)
        && let Some(found) = by_id(sql, id, scope)?
    {
        return Ok(Some(found));
    }
    match by_run(sql, lookup, text, scope)? {
        Some(found) => Ok(Some(found)),
        None => by_session(sql, lookup, text, scope, purpose),
    }
}

/// Finds a task by its number.
pub(crate) fn by_number(sql: &Connection, number: TaskNumber, scope: Scope<'_>) -> Result<Option<Stored>, Failure> {
    let Ok(stored) = i64::try_from(number.0) else { return Ok(None) };
    one(sql, row::selecting!("WHERE number = ?1 AND (?2 IS NULL OR owner = ?2)"), &stored, scope)
}

/// Finds a task by its global id.
pub(crate) fn by_id(sql: &Connection, id: TaskId, scope: Scope<'_>) -> Result<Option<Stored>, Failure> {
    one(sql, row::selecting!("WHERE id = ?1 AND (?2 IS NULL OR owner = ?2)"), &id.as_bytes().as_slice(), scope)
}

fn one(sql: &Connection, query: &str, value: &dyn ToSql, scope: Scope<'_>) -> Result<Option<Stored>, Failure> {
    let scope = if planted("forget_owner") { Scope(None) } else { scope };
    first(sql, query, [value, &scope.0])
}

/// The first row of a select.
fn first(sql: &Connection, query: &str, values: impl rusqlite::Params) -> Result<Option<Stored>, Failure> {
    let mut statement = sql.prepare_cached(query)?;
    let mut rows = statement.query(values)?;
    rows.next()?.map(|row| row::read_sound(sql, row)).transpose()
}

/// Several tasks with one run id are ambiguous.
fn by_run(sql: &Connection, lookup: &Lookup, run: &str, scope: Scope<'_>) -> Result<Option<Stored>, Failure> {
    let of_run = "WHERE run_id = ?1 AND (?2 IS NULL OR owner = ?2) ORDER BY number DESC";
    the_only(sql, lookup, of_run, run, scope)
}

const OF_SESSION: &str = "WHERE number IN (SELECT number FROM task WHERE session = ?1
     UNION SELECT number FROM task WHERE requester_session = ?1) AND (?2 IS NULL OR owner = ?2)";

/// A read takes the active task of a session, then the newest; a change needs exactly one: see [`Purpose`].
fn by_session(
    sql: &Connection,
    lookup: &Lookup,
    session: &str,
    scope: Scope<'_>,
    purpose: Purpose,
) -> Result<Option<Stored>, Failure> {
    match purpose {
        Purpose::Read => {
            let query = row::select(&format!("{OF_SESSION} ORDER BY status > 2, number DESC LIMIT 1"));
            first(sql, &query, (session, scope.0))
        }
        Purpose::Change => {
            the_only(sql, lookup, &format!("{OF_SESSION} AND status <= 2 ORDER BY number DESC"), session, scope)
        }
        Purpose::Name => the_only(sql, lookup, &format!("{OF_SESSION} ORDER BY number DESC"), session, scope),
    }
}

fn the_only(
    sql: &Connection,
    lookup: &Lookup,
    rest: &str,
    value: &str,
    scope: Scope<'_>,
) -> Result<Option<Stored>, Failure> {
    let mut statement = sql.prepare_cached(&row::select(rest))?;
    let mut rows = statement.query((value, scope.0))?;
    let (mut first, mut candidates, mut count) = (None, Vec::new(), 0_u64);
    while let Some(row) = rows.next()? {
        count += 1;
        if candidates.len() < bounds::CANDIDATES {
            let stored = row::read_sound(sql, row)?;
            candidates.push(candidate(&stored));
            first.get_or_insert(stored);
        }
    }
    match count {
        0 | 1 => Ok(first),
        _ => Err(Error::Ambiguous { lookup: lookup.to_string(), count, candidates }.into()),
    }
}

fn candidate(stored: &Stored) -> Candidate {
    let task = &stored.task;
    Candidate {
        number: task.number,
        id: task.id,
        status: task.status,
        runtime: task.runtime.clone(),
        label: task.label.clone(),
    }
}

/// The task that has a caller's key, or the run id that stands for one, or the id.
pub(crate) fn by_key(sql: &Connection, key: &Key<'_>, owner: &str) -> Result<Option<Stored>, Failure> {
    match key {
        Key::Given(key) => first(sql, row::selecting!("WHERE owner = ?1 AND key = ?2"), (owner, key)),
        Key::Run { runtime, run_id } => {
            let query =
                row::selecting!("WHERE run_id = ?1 AND runtime = ?2 AND owner = ?3 AND key IS NULL ORDER BY number");
            first(sql, query, (run_id, runtime, owner))
        }
        Key::None => Ok(None),
    }
}

/// Refuses a key whose task was pruned: it lives as long as the tombstone.
pub(crate) fn unburied(sql: &Connection, key: &Key<'_>, owner: &str) -> Result<(), Failure> {
    let buried = match key {
        Key::Given(key) => prune::tombstone(sql, prune::buried!("owner = ?1 AND key = ?2"), &[&owner, key])?,
        Key::Run { runtime, run_id } => {
            let query = prune::buried!("run_id = ?1 AND runtime = ?2 AND owner = ?3 AND key IS NULL");
            prune::tombstone(sql, query, &[run_id, runtime, &owner])?
        }
        Key::None => None,
    };
    buried.map_or(Ok(()), |error| Err(error.into()))
}

/// What makes a creation the same as an earlier one; unique per owner.
pub(crate) enum Key<'a> {
    /// The caller's own key.
    Given(&'a str),
    /// The run.
    Run { runtime: &'a str, run_id: &'a str },
    /// Nothing: a fresh id.
    None,
}
