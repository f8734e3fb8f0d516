//! Bringing records of other programs into the ledger.
//!
//! The source is only read. What is brought goes through the core's rules like everything else, some records a
//! transaction; each has its id of the source as its key, so that an import that broke off, or is asked for again, goes
//! on where it stands.

mod fitting;
mod foreign;
mod openclaw;
mod source;
mod writer;

use crate::batch::in_immediate;
use crate::engine::Engine;
use crate::platform;
use crate::schema;
use crate::sqlite::{Failure, Phase};
use crate::world::World;
use bgledger_core::{Error, FlowStatus, ImportCounts, ImportFinding, ImportReport, Moment, Status};
pub(crate) use fitting::Notes;
use openclaw::Database;
use rusqlite::Connection;
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;
use writer::{Before, Done, Writer};

/// Where the records go.
pub(crate) struct Place<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) path: &'a Path,
    pub(crate) patience: Duration,
}

impl Place<'_> {
    /// Refuses the ledger itself as what is read: who opens and closes its file past SQLite drops its locks.
    pub(crate) fn is_not(&self, path: &Path) -> Result<(), Error> {
        let identity = |path: &Path| platform::identity(path).ok().flatten();
        match identity(path).is_some_and(|found| identity(self.path) == Some(found)) {
            true => Err(Error::invalid("file", "the ledger itself", "another file")),
            false => Ok(()),
        }
    }
}

/// Imports OpenClaw's database, or only tells what that would come to.
pub(crate) fn openclaw(place: &Place<'_>, path: &Path, rehearse: bool) -> Result<ImportReport, Error> {
    place.is_not(path)?;
    let database = Database::open(path)?;
    let scratch = rehearse.then(scratch).transpose().map_err(|failure| failure.explain(path, Phase::Open, 0))?;
    let mut run = Run {
        place,
        database: &database,
        scratch,
        handled: HashSet::new(),
        report: blank(openclaw::PROGRAM, !rehearse),
    };
    // A flow and its tasks come together: nobody sees a flow without them, and takes it for abandoned.
    database.managed(|flows| {
        flows.into_iter().try_for_each(|flow| run.record(&|writer: &mut Writer<'_>| writer.managed(&flow)))
    })?;
    database.tasks(|tasks| {
        run.record(&|writer: &mut Writer<'_>| tasks.iter().try_for_each(|task| writer.with_ancestors(task)))
    })?;
    database.orphans(|flows| {
        run.record(&|writer: &mut Writer<'_>| flows.iter().try_for_each(|flow| writer.orphan(flow)))
    })?;
    database.still()?;
    Ok(run.report)
}

/// A ledger for a rehearsal: in a file without a name that goes with its connection.
pub(crate) fn scratch() -> Result<Connection, Failure> {
    let mut sql = Connection::open("")?;
    schema::migrate(&mut sql)?;
    Ok(sql)
}

/// The report of an import of which nothing is done yet.
pub(crate) fn blank(source: &'static str, applied: bool) -> ImportReport {
    ImportReport {
        source,
        applied,
        tasks: ImportCounts::default(),
        flows: ImportCounts::default(),
        deliveries: 0,
        by_status: Status::ALL.into_iter().map(|status| (status.as_str(), 0)).collect(),
        by_runtime: Default::default(),
        flows_by_status: FlowStatus::ALL.into_iter().map(|status| (status.as_str(), 0)).collect(),
        findings: Vec::new(),
        findings_total: 0,
    }
}

/// An import under way.
struct Run<'a> {
    place: &'a Place<'a>,
    database: &'a Database,
    /// Where a rehearsal writes.
    scratch: Option<Connection>,
    /// The tasks that came before their turn.
    handled: HashSet<String>,
    report: ImportReport,
}

impl Run<'_> {
    /// Records some in one transaction.
    fn record(&mut self, work: &dyn Fn(&mut Writer<'_>) -> Result<(), Failure>) -> Result<(), Error> {
        let at: Moment = World::Real.moment();
        let Place { engine, path, patience } = self.place;
        let rehearsed = |owner: &str, key: &str, kind| -> Result<Before, Failure> {
            let look = |sql: &Connection| writer::before(sql, owner, key, kind);
            match engine.read(*patience, look) {
                Err(Error::NoLedger { .. }) => Ok(Before::Absent),
                other => Ok(other?),
            }
        };
        let elsewhere: Option<&writer::Elsewhere<'_>> = if self.scratch.is_some() { Some(&rehearsed) } else { None };
        let go = |sql: &Connection| {
            let mut writer = Writer::new(sql, self.database, &at, &self.handled, elsewhere);
            work(&mut writer)?;
            Ok(writer.done())
        };
        let done = match &self.scratch {
            Some(sql) => in_immediate(sql, go).map_err(|failure| failure.explain(path, Phase::Work, 0))?,
            None => engine.alone(*patience, go)?,
        };
        self.add(done);
        Ok(())
    }

    fn add(&mut self, done: Done) {
        let report = &mut self.report;
        for (sum, more) in [(&mut report.tasks, done.tasks), (&mut report.flows, done.flows)] {
            sum.found += more.found;
            sum.imported += more.imported;
            sum.existed += more.existed;
            sum.pruned += more.pruned;
        }
        report.deliveries += done.deliveries;
        done.statuses.iter().for_each(|status| *report.by_status.entry(status.as_str()).or_default() += 1);
        done.flow_statuses.iter().for_each(|status| *report.flows_by_status.entry(status.as_str()).or_default() += 1);
        done.runtimes.into_iter().for_each(|runtime| *report.by_runtime.entry(runtime).or_default() += 1);
        report.findings_total += done.findings.len() as u64;
        let room = ImportFinding::TOLD.saturating_sub(report.findings.len());
        report.findings.extend(done.findings.into_iter().take(room));
        self.handled.extend(done.handled);
    }
}
