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
use std::path::Path;
use std::sync::Arc;

/// Requests that share one commit at most.
const MOST: usize = 256;

/// A batch that is committed, or failed.
pub(crate) struct Batch {
    outcomes: Vec<Outcome>,
    /// Whether it was committed.
    pub(crate) committed: bool,
}

/// What a request came to.
struct Outcome {
    job: Arc<Job>,
    result: Result<Response, Error>,
    /// Whether the answer waits for a sync.
    owes_sync: bool,
}

impl Batch {
    fn failed(jobs: Vec<Arc<Job>>, error: &Error) -> Batch {
        let failed = |job| Outcome { job, result: Err(error.clone()), owes_sync: false };
        Batch { outcomes: jobs.into_iter().map(failed).collect(), committed: false }
    }

    /// Whether an answer waits for a sync.
    pub(crate) fn owes_sync(&self) -> bool {
        self.outcomes.iter().any(|outcome| outcome.owes_sync)
    }

    /// Answers those that wait for a sync with what became of it instead.
    pub(crate) fn fail_to_sync(&mut self, error: &Error) {
        let waiting = self.outcomes.iter_mut().filter(|outcome| outcome.owes_sync);
        waiting.for_each(|outcome| outcome.result = Err(error.clone()));
    }

    /// Answers every request.
    pub(crate) fn settle(self, amend: impl Fn(Result<Response, Error>) -> Result<Response, Error>) {
        self.outcomes.into_iter().for_each(|outcome| outcome.job.settle(amend(outcome.result)));
    }
}

/// Carries out what waits and commits it; the sync that it owes comes after the turn. An error: nothing was taken from the
/// line.
pub(crate) fn transact(conn: &Conn, path: &Path, lead: &Lead<'_>) -> Result<Batch, Failure> {
    let sql = conn.sql();
    // A thread that broke off may have left its transaction open.
    roll_back(sql);
    conn.settle_doubt()?;
    begin(sql)?;
    let jobs = lead.take(MOST);
    let take_back = |failure: Failure| {
        roll_back(sql);
        lead.give_back(jobs.clone());
        failure
    };
    let is_durable = match jobs.iter().any(|job| job.caller.durability.is_none()) {
        true => config::durability(sql).map_err(take_back)? == Durability::Full,
        false => true,
    };
    let mut attempt = carry_out(sql, path, &jobs, Undoing::NothingWritten);
    if let Err(Spoilt::Request) = attempt {
        roll_back(sql);
        begin(sql).map_err(|error| take_back(error.into()))?;
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
            return Ok(Batch::failed(jobs.get(place).cloned().into_iter().collect(), &error));
        }
    };
    let outcome = |(job, result): (Arc<Job>, Result<Written, Error>)| {
        let is_durable = job.caller.durability.map_or(is_durable, |durability| durability == Durability::Full);
        // What somebody else has recorded is told as recorded: it must be durable as well.
        let needs_sync = |done: &Written| {
            write::needs_sync(&job.request, &done.response, &job.caller) && (done.wrote || !planted("tell_unsynced"))
        };
        let owes_sync = is_durable && result.as_ref().is_ok_and(needs_sync);
        Outcome { result: result.map(|done| done.response), owes_sync, job }
    };
    let batch = Batch { outcomes: jobs.iter().cloned().zip(done).map(outcome).collect(), committed: true };
    if planted("acknowledge_before_commit") {
        batch.outcomes.iter().for_each(|outcome| outcome.job.settle(outcome.result.clone()));
        lead.announce();
    }
    if planted("memory_first") && !batch.owes_sync() {
        return Ok(batch);
    }
    let committed = sql.prepare_cached("COMMIT").and_then(|mut statement| statement.execute([]));
    committed.map(|_| batch).or_else(|error| {
        roll_back(sql);
        let _ = conn.doubt();
        Ok(Batch::failed(jobs, &Failure::Storage(error).explain(path, Phase::Commit, 0)))
    })
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

/// What each request came to.
type Done = Vec<Result<Written, Error>>;

fn carry_out(sql: &Connection, path: &Path, jobs: &[Arc<Job>], undoing: Undoing) -> Result<Done, Spoilt> {
    let mut done = Vec::with_capacity(jobs.len());
    for (place, job) in jobs.iter().enumerate() {
        let changes = sql.total_changes();
        let outcome = match undoing {
            Undoing::NothingWritten => write::execute(sql, &job.request, &job.caller, job.fresh),
            Undoing::Savepoint => in_savepoint(sql, job),
        };
        done.push(match outcome {
            Ok(written) => Ok(written),
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
                Err(error)
            }
        });
    }
    Ok(done)
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
