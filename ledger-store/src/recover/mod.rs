//! Saving what can be read of a damaged ledger: its files are copied as they are, and a new ledger is made of every row
//! that the copies still have. The damaged ledger is only read, and not through SQLite, which would not open it.

mod cells;
mod image;
mod keep;
mod losses;
mod rebuild;
mod tables;

use crate::connection;
use crate::engine::Engine;
use crate::platform;
use crate::sqlite::{self, Failure, Phase};
use crate::turnstile::beside;
use bgledger_core::{Error, Recover, RecoverReport, Salvaged};
use image::Image;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The folder of the copies, within the one that was asked for.
const KEPT: &str = "as-found";
/// Problems told; there may be more.
const PROBLEMS: usize = 1_000;

/// See [`crate::Ledger::recover`].
pub(crate) fn of_request(engine: &Engine, request: &Recover, patience: Duration) -> Result<RecoverReport, Error> {
    let canonical = |path: &str| crate::location::canonical(Path::new(path));
    let from = request.from.as_deref().map_or_else(|| Ok(engine.path().to_owned()), canonical)?;
    recover(&from, &canonical(&request.to)?, patience)
}

/// See [`crate::Ledger::recover`].
pub(crate) fn recover(from: &Path, folder: &Path, patience: Duration) -> Result<RecoverReport, Error> {
    if fs::symlink_metadata(folder).is_ok() {
        return Err(Error::FileExists { path: folder.display().to_string() });
    }
    if !from.is_file() {
        return Err(Error::NoLedger { path: from.display().to_string() });
    }
    platform::create_private_dir(folder).map_err(|error| sqlite::io(folder, &error))?;
    let (kept, copies) = keep::keep(from, &folder.join(KEPT), patience)?;
    let name = from.file_name().ok_or_else(|| Error::internal("a file without a name"))?;
    let ledger = folder.join(name);
    let wal = beside(&kept, "-wal");
    let has_wal = fs::metadata(&wal).is_ok_and(|found| found.len() > 0);
    let mut best = Attempt::make(&kept, has_wal.then_some(wal.as_path()), &beside(&ledger, "-draft"))?;
    if has_wal && !best.report.complete {
        // The -wal may be another ledger's, or what is left of an older turn of this one.
        let without = Attempt::make(&kept, None, &beside(&ledger, "-draft-without-wal"))?;
        if without.worth() > best.worth() {
            best.discard();
            best = without;
            best.report.problems.insert(0, "the -wal was left out: without it more of the ledger agrees".into());
        } else {
            without.discard();
        }
    }
    best.publish(&ledger)?;
    let mut report = best.report;
    report.from = from.display().to_string();
    report.ledger = ledger.display().to_string();
    report.copies = copies;
    report.problems.truncate(PROBLEMS);
    Ok(report)
}

/// One new ledger, under a name of its own.
struct Attempt {
    draft: std::path::PathBuf,
    report: RecoverReport,
}

impl Attempt {
    fn make(database: &Path, wal: Option<&Path>, draft: &Path) -> Result<Attempt, Error> {
        connection::create(draft, false)?;
        let failed = |error: std::io::Error| sqlite::io(database, &error);
        let explain = |failure: Failure| failure.explain(draft, Phase::Work, 0);
        let mut sql = Connection::open(draft).map_err(|error| explain(error.into()))?;
        let usual = usual_roots(&sql).map_err(explain)?;
        let mut image = Image::open(database, wal).map_err(failed)?;
        let mut found = tables::gather(&mut image, &usual).map_err(failed)?;
        let mut report = RecoverReport::default();
        let bad = found.bad_pages.len() as u64;
        let pages = u64::from(image.pages);
        let unknown = !image.has_header || image.wal_problem.is_some();
        report.pages = Salvaged { found: pages.max(bad), recovered: pages.saturating_sub(bad), lost: bad, unknown };
        if image.wal_problem.is_some() {
            // Whatever it held, each table may have had more there.
            found.holes.extend(tables::TABLES.map(|(table, _)| table));
        }
        report.problems.extend(image.wal_problem.take());
        if !image.has_header {
            report.problems.push("the first page is damaged: what it says was taken from other ledgers".into());
        }
        if image.strange > 0 {
            let problem = "times a row goes on in a page that is empty or not its own: some texts are not as they were";
            report.problems.push(format!("{} {problem}", image.strange));
        }
        if found.broken > 0 {
            report.problems.push(format!("{} rows cannot be read", found.broken));
        }
        let damaged = !report.problems.is_empty() || bad > 0;
        rebuild::rebuild(&mut sql, &mut found, &mut report).map_err(explain)?;
        let lost = [report.tasks, report.events, report.notices, report.flows].iter().any(|of| of.lost > 0);
        let changed = !report.mended.is_empty() || !report.unproved.is_empty() || !report.problems.is_empty();
        report.complete = !damaged && !lost && !changed;
        // With the last connection the sidecars go.
        drop(sql);
        platform::sync_file(draft).map_err(failed)?;
        Ok(Attempt { draft: draft.to_owned(), report })
    }

    /// By what one is better than another: what is proved, then what is there at all.
    fn worth(&self) -> (u64, u64) {
        let unproved = (self.report.unproved.len() + self.report.mended.len()) as u64;
        (self.report.tasks.recovered.saturating_sub(unproved), self.report.events.recovered)
    }

    fn publish(&self, to: &Path) -> Result<(), Error> {
        let renamed = platform::rename_to_vacant(&self.draft, to).map_err(|error| sqlite::io(to, &error))?;
        self.discard();
        if renamed { Ok(()) } else { Err(Error::FileExists { path: to.display().to_string() }) }
    }

    fn discard(&self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // It is gone already unless something failed.
            let _ = fs::remove_file(beside(&self.draft, suffix));
        }
    }
}

/// Where every ledger of this format has its trees.
fn usual_roots(sql: &Connection) -> Result<BTreeMap<String, u32>, Failure> {
    let mut statement = sql.prepare("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
