//! Files that were replaced under open connections.

use super::{Engine, Writing, lock};
use crate::connection::Conn;
use crate::salvage;
use crate::sqlite::{self, Failure, Phase};
use crate::turnstile::{self, Deadline};
use bgledger_core::Error;
use rusqlite::Connection;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Engine {
    /// Closes every connection of this process without touching the files that took the place of ours, opens the
    /// ledger anew, and brings back what was acknowledged and is not in it. Until that is done it is owed: an error
    /// here is an error of every call to come, until one of them succeeds.
    pub(super) fn reopen(&self, deadline: &Deadline) -> Result<(), Error> {
        let _alone = self.in_use.write().unwrap_or_else(PoisonError::into_inner);
        let mut writing = lock(&self.writing);
        let mut readers = lock(&self.readers);
        let explain = |failure: Failure| Error::Unknown {
            path: self.path.display().to_string(),
            problem: format!(
                "the file was replaced while it was in use, and what was recorded is not yet brought back ({})",
                failure.explain(&self.path, Phase::Work, deadline.waited_ms())
            ),
        };
        if let Some(writer) = writing.writer.as_ref().filter(|writer| !writer.conn.is_in_place()) {
            // Another database may lack everything; the same one without its WAL lacks only the newest.
            let noted = self.noted.load(Ordering::Relaxed);
            let after = if writer.conn.is_another_database() { 0 } else { noted.saturating_sub(salvage::REACH) };
            let wreck = salvage::gather(writer.conn.sql(), after).map_err(explain)?;
            writing.owed.push(wreck);
            self.owes.store(true, Ordering::Release);
            if let Some(writer) = writing.writer.take() {
                writer.conn.abandon();
            }
        }
        if readers.iter().any(|reader| !reader.is_in_place()) {
            readers.drain(..).for_each(Conn::abandon);
        }
        drop(readers);
        if writing.owed.is_empty() {
            return Ok(());
        }
        let Writing { writer, owed } = &mut *writing;
        let writer = self.open(writer, deadline)?;
        let bell = self.bell();
        let turn = writer.turnstile.enter(deadline, bell.as_deref());
        let turn = turn.map_err(|error| sqlite::io(&self.path, &error))?;
        let _patience = turnstile::patience(*deadline);
        let bring_back = |sql: &Connection| owed.iter().try_for_each(|wreck| salvage::bring_back(sql, wreck));
        writer.conn.alone(bring_back).and_then(|()| writer.conn.persist(bell.as_deref())).map_err(explain)?;
        if writer.conn.is_in_place() {
            owed.clear();
            self.owes.store(false, Ordering::Release);
        }
        drop(turn);
        self.strike();
        Ok(())
    }

    /// Closes every connection and leaves the WAL as it is: the next call opens them again.
    pub(super) fn close(&self) {
        // What was replaced under us is read while we still can; what cannot be brought back now is owed.
        let _ = self.reopen(&Deadline::after(Duration::ZERO));
        lock(&self.readers).drain(..).for_each(Conn::abandon);
        if let Some(writer) = lock(&self.writing).writer.take() {
            writer.conn.abandon();
        }
    }
}
