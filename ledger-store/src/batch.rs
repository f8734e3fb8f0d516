//! The one transaction that carries out several requests together, each in a savepoint of its own.

use crate::caller::Written;
use crate::config;
use crate::connection::Conn;
use crate::queue::{Job, Lead};
use crate::read;
use crate::sqlite::{Failure, Phase};
use crate::write;
use bgledger_core::config::Durability;
use bgledger_core::{Error, Response, Seq, planted};
use rusqlite::Connection;
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

/// Requests that share one commit at most.
const MOST: usize = 256;

/// A batch that is committed, or failed: what each request came to, and the newest event.
pub(crate) struct Batch {
    pub(crate) outcomes: Vec<(Arc<Job>, Result<Response, Error>)>,
    /// The newest event, if the batch was committed.
    pub(crate) newest: Option<Seq>,
}

impl Batch {
    /// Answers every request.
    pub(crate) fn settle(self, amend: impl Fn(Result<Response, Error>) -> Result<Response, Error>) {
        self.outcomes.into_iter().for_each(|(job, outcome)| job.settle(amend(outcome)));
    }
}

/// Carries out what waits and commits it with at most one sync. An error: nothing was taken from the line.
///
/// `default` is the ledger's own durability as it was last seen. SQLite takes no other level within a transaction: where
/// somebody has changed it, the transaction begins again.
pub(crate) fn transact(
    conn: &Conn,
    path: &Path,
    lead: &Lead<'_>,
    default: &Cell<Durability>,
) -> Result<Batch, Failure> {
    let sql = conn.sql();
    let full = |job: &Job| {
        let durability = job.caller.durability.unwrap_or(default.get());
        durability == Durability::Full && write::needs_sync(&job.request, &job.caller)
    };
    let syncs = loop {
        // A thread that broke off may have left its transaction open.
        roll_back(sql);
        let syncs = lead.any(full);
        conn.sync(syncs)?;
        begin(sql)?;
        if !lead.any(|job| job.caller.durability.is_none()) {
            break syncs;
        }
        match config::durability(sql) {
            Ok(said) if default.replace(said) == said => break syncs,
            Ok(_) => roll_back(sql),
            Err(failure) => {
                roll_back(sql);
                return Err(failure);
            }
        }
    };
    // Whoever came since then and needs a sync that this transaction will not do is left to the next one.
    let jobs = lead.take(MOST, |job| syncs || !full(job));
    let explain = |failure: Failure, job: &Job, phase| failure.explain(path, phase, job.deadline.waited_ms());
    let (mut outcomes, mut owes_sync) = (Vec::with_capacity(jobs.len()), false);
    let alone = jobs.len() == 1;
    for (place, job) in jobs.iter().enumerate() {
        let done = match alone {
            true => write::execute(sql, &job.request, &job.caller, job.fresh),
            false => in_savepoint(sql, job),
        };
        match done {
            Ok(Written { response, wrote }) => {
                owes_sync |= full(job) && !wrote;
                outcomes.push((Arc::clone(job), Ok(response)));
            }
            Err(failure) if !alone && !sql.is_autocommit() => {
                outcomes.push((Arc::clone(job), Err(explain(failure, job, Phase::Work))))
            }
            Err(failure) => {
                // SQLite has rolled everything back: the others run again.
                roll_back(sql);
                let others = jobs.iter().enumerate().filter(|(other, _)| *other != place);
                lead.give_back(others.map(|(_, job)| Arc::clone(job)).collect());
                let outcomes = vec![(Arc::clone(job), Err(explain(failure, job, Phase::Work)))];
                return Ok(Batch { outcomes, newest: None });
            }
        }
    }
    if planted("acknowledge_before_commit") {
        outcomes.iter().for_each(|(job, outcome)| job.settle(outcome.clone()));
        lead.announce();
    }
    if planted("memory_first") && !syncs {
        return Ok(Batch { outcomes, newest: Some(read::last_seq(sql)?) });
    }
    match finish(sql, owes_sync) {
        Ok(newest) => Ok(Batch { outcomes, newest: Some(newest) }),
        Err((failure, phase)) => {
            roll_back(sql);
            conn.doubt();
            let error = failure.explain(path, phase, 0);
            Ok(Batch { outcomes: jobs.into_iter().map(|job| (job, Err(error.clone()))).collect(), newest: None })
        }
    }
}

/// Commits, and answers with the newest event.
fn finish(sql: &Connection, owes_sync: bool) -> Result<Seq, (Failure, Phase)> {
    let work = |error: rusqlite::Error| (error.into(), Phase::Work);
    if owes_sync {
        // What others recorded without a sync is told as recorded: it must be durable before that.
        let touch = "INSERT INTO meta VALUES ('touched', 1) ON CONFLICT DO UPDATE SET value = value + 1";
        sql.prepare_cached(touch).and_then(|mut statement| statement.execute([])).map_err(work)?;
    }
    let newest = read::last_seq(sql).map_err(|failure| (failure, Phase::Work))?;
    let committed = sql.prepare_cached("COMMIT").and_then(|mut statement| statement.execute([]));
    committed.map(|_| newest).map_err(|error| (error.into(), Phase::Commit))
}

/// Carries out one request; if it fails, what it did is undone and the transaction goes on.
fn in_savepoint(sql: &Connection, job: &Job) -> Result<Written, Failure> {
    sql.prepare_cached("SAVEPOINT job")?.execute([])?;
    let done = write::execute(sql, &job.request, &job.caller, job.fresh);
    if sql.is_autocommit() {
        return done;
    }
    if done.is_err() {
        sql.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    sql.prepare_cached("RELEASE job")?.execute([])?;
    done
}

pub(crate) fn begin(sql: &Connection) -> rusqlite::Result<()> {
    sql.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop)
}

pub(crate) fn roll_back(sql: &Connection) {
    if !sql.is_autocommit() {
        // SQLite has rolled back by itself when this fails.
        let _ = sql.execute_batch("ROLLBACK");
    }
}

/// A write transaction that nobody shares.
pub(crate) fn in_immediate<T>(
    sql: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    begin(sql)?;
    let done = work(sql).and_then(|value| {
        sql.execute_batch("COMMIT")?;
        Ok(value)
    });
    if done.is_err() {
        roll_back(sql);
    }
    done
}

/// A read transaction.
pub(crate) fn in_transaction<T>(
    sql: &Connection,
    reading: impl Fn(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    sql.prepare_cached("BEGIN")?.execute([])?;
    let answer = reading(sql);
    roll_back(sql);
    answer
}
