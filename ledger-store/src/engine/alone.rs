//! A write transaction that is no request: nobody else shares it.

use super::{Engine, REOPENINGS, lock};
use crate::fork;
use crate::sqlite::{self, Failure, Phase};
use crate::turnstile::{self, Deadline};
use bgledger_core::Error;
use rusqlite::Connection;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

/// How a transaction ended.
enum Ended<T> {
    Committed(T),
    /// It was committed to files that were replaced meanwhile.
    Stranded(T),
    /// The files were replaced before it began.
    Replaced,
}

impl Engine {
    /// Does a piece of work in one transaction, in turn with everybody else, and makes it durable. It may be begun
    /// anew: it changes nothing but the ledger. A ledger that is missing is made.
    pub(crate) fn alone<T>(
        &self,
        patience: Duration,
        work: impl Fn(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let _held = fork::hold();
        let deadline = Deadline::after(patience);
        for _ in 0..REOPENINGS {
            match self.transact_alone(&deadline, &work)? {
                Ended::Committed(done) => return Ok(done),
                Ended::Stranded(done) => return self.reopen(&deadline).map(|()| done),
                Ended::Replaced => self.reopen(&deadline)?,
            }
        }
        Err(Failure::Replaced.explain(&self.path, Phase::Work, deadline.waited_ms()))
    }

    fn transact_alone<T>(
        &self,
        deadline: &Deadline,
        work: impl Fn(&Connection) -> Result<T, Failure>,
    ) -> Result<Ended<T>, Error> {
        let _shared = self.in_use.read().unwrap_or_else(PoisonError::into_inner);
        let mut writing = lock(&self.writing);
        if !writing.owed.is_empty() {
            return Ok(Ended::Replaced);
        }
        let path: &Path = &self.path;
        let explain = |failure: Failure| failure.explain(path, Phase::Work, deadline.waited_ms());
        let writer = self.open(&mut writing.writer, deadline)?;
        let bell = self.bell();
        let turn = writer.turnstile.enter(deadline, bell.as_deref());
        let turn = turn.map_err(|error| sqlite::io(path, &error))?;
        if !writer.conn.is_in_place() {
            return Ok(Ended::Replaced);
        }
        let _patience = turnstile::patience(*deadline);
        let done = writer.conn.alone(work).map_err(explain)?;
        self.checkpoint(writer, true);
        drop(turn);
        writer.conn.persist(bell.as_deref()).map_err(|failure| failure.explain(path, Phase::Commit, 0))?;
        if !writer.conn.is_linked() {
            return Ok(Ended::Stranded(done));
        }
        self.strike();
        self.checkpoint(writer, false);
        Ok(Ended::Committed(done))
    }
}
