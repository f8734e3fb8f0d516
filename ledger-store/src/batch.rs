//! The one transaction that carries out several requests together, each of which may fail alone.

use crate::caller::Written;
use crate::config;
use crate::connection::Conn;
use crate::queue::{Job, Lead};
use crate::sqlite::{Failure, Phase};
use crate::write;
use bgledger_core::config::Durability;
use bgledger_core::{Error, Response, planted};
use rusqlite::Connection;
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

/// Requests that share one commit at most.
const MOST: usize = 256;

/// A batch that is committed, or failed, and what each request came to.
pub(crate) struct Batch {
    pub(crate) outcomes: Vec<(Arc<Job>, Result<Response, Error>)>,
    /// Whether it was committed.
    pub(crate) committed: bool,
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
    let mut attempt = carry_out(sql, path, &jobs, Undoing::NothingWritten);
    if let Err(Spoilt::Request) = attempt {
        roll_back(sql);
        begin(sql).inspect_err(|_| lead.give_back(jobs.clone()))?;
        attempt = carry_out(sql, path, &jobs, Undoing::Savepoint);
    }
    let done = match attempt {
        Ok(done) => done,
        Err(spoilt) => {
            // SQLite has rolled everything back: the others run again.
            roll_back(sql);
            let (place, error) = match spoilt {
                Spoilt::Everything(place, error) => (place, error),
                Spoilt::Request => (0, Error::internal("a request that cannot be undone")),
            };
            let others = jobs.iter().enumerate().filter(|(other, _)| *other != place);
            lead.give_back(others.map(|(_, job)| Arc::clone(job)).collect());
            let outcomes = jobs.get(place).map(|job| (Arc::clone(job), Err(error))).into_iter().collect();
            return Ok(Batch { outcomes, committed: false });
        }
    };
    let owes_sync = jobs.iter().zip(&done).any(|(job, (_, wrote))| full(job) && !wrote);
    let batch = |jobs: Vec<Arc<Job>>, done: Done| Batch {
        outcomes: jobs.into_iter().zip(done).map(|(job, (outcome, _))| (job, outcome)).collect(),
        committed: true,
    };
    if planted("acknowledge_before_commit") {
        jobs.iter().zip(&done).for_each(|(job, (outcome, _))| job.settle(outcome.clone()));
        lead.announce();
    }
    if planted("memory_first") && !syncs {
        return Ok(batch(jobs, done));
    }
    match finish(sql, owes_sync) {
        Ok(()) => Ok(batch(jobs, done)),
        Err((failure, phase)) => {
            roll_back(sql);
            conn.doubt();
            let error = failure.explain(path, phase, 0);
            Ok(Batch { outcomes: jobs.into_iter().map(|job| (job, Err(error.clone()))).collect(), committed: false })
        }
    }
}

/// How what a failed request did is undone, without undoing the others of its transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Undoing {
    /// It is refused before it writes, as nearly all that are refused are: there is nothing to undo, and nothing is paid
    /// for the possibility.
    NothingWritten,
    /// By a savepoint of its own.
    Savepoint,
}

/// Why a transaction must begin again.
enum Spoilt {
    /// A request failed after it had written.
    Request,
    /// SQLite has rolled back everything at the request of this place.
    Everything(usize, Error),
}

/// What each request came to, and whether it wrote something; a refused one owes nobody a sync.
type Done = Vec<(Result<Response, Error>, bool)>;

fn carry_out(sql: &Connection, path: &Path, jobs: &[Arc<Job>], undoing: Undoing) -> Result<Done, Spoilt> {
    let mut done = Vec::with_capacity(jobs.len());
    for (place, job) in jobs.iter().enumerate() {
        let changes = sql.total_changes();
        let outcome = match undoing {
            Undoing::NothingWritten => write::execute(sql, &job.request, &job.caller, job.fresh),
            Undoing::Savepoint => in_savepoint(sql, job),
        };
        done.push(match outcome {
            Ok(Written { response, wrote }) => (Ok(response), wrote),
            Err(failure) => {
                let refused = matches!(failure, Failure::Refused(_)) && sql.total_changes() == changes;
                let error = failure.explain(path, Phase::Work, job.deadline.waited_ms());
                if jobs.len() == 1 || sql.is_autocommit() {
                    return Err(Spoilt::Everything(place, error));
                }
                let is_undone = refused || undoing == Undoing::Savepoint;
                if !is_undone {
                    return Err(Spoilt::Request);
                }
                (Err(error), true)
            }
        });
    }
    Ok(done)
}

/// Commits.
fn finish(sql: &Connection, owes_sync: bool) -> Result<(), (Failure, Phase)> {
    if owes_sync {
        // What others recorded without a sync is told as recorded: it must be durable before that.
        let touch = "INSERT INTO meta VALUES ('touched', 1) ON CONFLICT DO UPDATE SET value = value + 1";
        let touched = sql.prepare_cached(touch).and_then(|mut statement| statement.execute([]));
        touched.map_err(|error| (error.into(), Phase::Work))?;
    }
    let committed = sql.prepare_cached("COMMIT").and_then(|mut statement| statement.execute([]));
    committed.map(drop).map_err(|error| (error.into(), Phase::Commit))
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
