//! A look at the ledger's health: the file, its place, its permissions, its records. Nothing is changed.

mod place;

use crate::caller::Caller;
use crate::config;
use crate::engine::Engine;
use crate::find::Scope;
use crate::schema;
use crate::sqlite::Failure;
use crate::sweep;
use crate::turnstile::beside;
use crate::verify;
use bgledger_core::{Check, CheckState, Doctor, DoctorReport, Error};
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

/// Problems of one kind that a check tells in full.
const TOLD: usize = 5;
/// A WAL above this is not being checkpointed.
const WAL_BYTES: u64 = 64 * 1024 * 1024;
const SAVE: &str = "bgledger recover --to FOLDER keeps the files as they are and saves what can be read";

/// Looks at everything that can be looked at without changing it.
pub(crate) fn examine(
    engine: &Engine,
    request: &Doctor,
    caller: &Caller,
    patience: Duration,
) -> Result<DoctorReport, Error> {
    let path = engine.path();
    let mut checks = place::checks(path)?;
    let looked = engine.read(patience, |sql| {
        let looks: [Looking; 5] = [versions, journal, space, settings, records];
        let look = Look { sql, path, caller, quick: request.quick };
        let mut checks = Vec::new();
        for of in looks {
            match of(&look) {
                Ok(found) => checks.extend(found),
                Err(failure) => checks.push(unreadable(failure.explain_damage(path)?)),
            }
        }
        Ok(checks)
    });
    match looked {
        Ok(found) => checks.extend(found),
        Err(Error::Corrupt { problem, .. } | Error::NotALedger { problem, .. } | Error::Io { problem, .. }) => {
            checks.push(unreadable(problem));
        }
        Err(other) => return Err(other),
    }
    let healthy = checks.iter().all(|check| check.state != CheckState::Error);
    Ok(DoctorReport { healthy, checks })
}

/// What is looked at.
struct Look<'a> {
    sql: &'a Connection,
    path: &'a Path,
    caller: &'a Caller,
    quick: bool,
}

/// One look.
type Looking = fn(&Look<'_>) -> Result<Vec<Check>, Failure>;

impl Look<'_> {
    fn number(&self, pragma: &str) -> Result<i64, Failure> {
        Ok(self.sql.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?)
    }
}

fn versions(look: &Look<'_>) -> Result<Vec<Check>, Failure> {
    let heading = schema::heading(look.sql)?;
    let detail = format!(
        "format {} (read from {}, written from {}); this program knows {}; SQLite {}",
        heading.format,
        heading.min_reader,
        heading.min_writer,
        schema::FORMAT,
        rusqlite::version()
    );
    Ok(vec![match (schema::is_older(&heading), heading.min_writer > schema::FORMAT) {
        (true, _) => odd("format", detail, "bgledger migrate keeps a copy and brings it to this program's format"),
        (false, true) => odd("format", detail, "it can only be read: use a newer bgledger"),
        (false, false) => well("format", detail),
    }])
}

fn journal(look: &Look<'_>) -> Result<Vec<Check>, Failure> {
    let mode: String = look.sql.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let bytes = std::fs::metadata(beside(look.path, "-wal")).map_or(0, |wal| wal.len());
    let detail = format!("WAL of {} KiB", bytes / 1024);
    Ok(vec![match (mode.as_str(), bytes > WAL_BYTES) {
        ("wal", true) => odd("journal", detail, "some process reads without an end and keeps it from being emptied"),
        ("wal", false) => well("journal", detail),
        (other, _) => odd(
            "journal",
            format!("journal mode {other}: readers and writers wait for each other"),
            "a ledger on a local disk uses WAL; recording into it turns it on",
        ),
    }])
}

fn space(look: &Look<'_>) -> Result<Vec<Check>, Failure> {
    let (pages, free, size) = (look.number("page_count")?, look.number("freelist_count")?, look.number("page_size")?);
    let detail = format!("{pages} pages of {size} bytes, {free} of them free");
    // What is pruned is given back in passing.
    Ok(vec![match free > 4_096 && free > pages / 2 {
        true => odd("space", detail, "bgledger prune gives free pages back"),
        false => well("space", detail),
    }])
}

fn settings(look: &Look<'_>) -> Result<Vec<Check>, Failure> {
    let (stored, at) = (config::durability(look.sql)?, look.caller.world.moment());
    let durability = match look.caller.durability {
        Some(own) if own != stored => {
            format!("{} here; the ledger's own setting is {}", own.as_str(), stored.as_str())
        }
        Some(_) | None => stored.as_str().to_owned(),
    };
    Ok(vec![
        well("durability", durability),
        match sweep::jump(look.sql, &at)? {
            Some(jump) => {
                let hint = "if the clock is right: bgledger maintenance --apply --confirm-clock";
                odd("clock", jump.describe(), hint)
            }
            None => well("clock", "as maintenance last believed it".into()),
        },
    ])
}

/// What is recorded: whether SQLite can read all of it, whether it agrees with itself, whether nothing hangs loose.
fn records(look: &Look<'_>) -> Result<Vec<Check>, Failure> {
    let damage = verify::integrity(look.sql, !look.quick)?;
    let mut checks = vec![match damage.is_empty() {
        true => well("integrity", "SQLite finds no damage".into()),
        false => bad("integrity", some(&damage), SAVE),
    }];
    if look.quick {
        return Ok(checks);
    }
    let (mut history, mut loose) = (Vec::new(), Vec::new());
    let (tasks, events) = verify::examine(look.sql, Scope(None), |problem| match problem.told() {
        Some((text, true)) => loose.push(text),
        Some((text, false)) => history.push(text),
        None => {}
    })?;
    checks.push(match history.is_empty() {
        true => well("history", format!("{tasks} tasks and {events} events agree")),
        false => bad(
            "history",
            some(&history),
            "somebody wrote the file past bgledger, or it is damaged; bgledger verify tells all of it",
        ),
    });
    checks.push(match loose.is_empty() {
        true => well("links", "nothing hangs loose".into()),
        false => bad(
            "links",
            some(&loose),
            "rows were removed past bgledger, or the file is damaged; a backup may have them",
        ),
    });
    Ok(checks)
}

fn unreadable(problem: String) -> Check {
    bad("integrity", format!("it cannot be read: {problem}"), SAVE)
}

fn some(problems: &[String]) -> String {
    let told = problems.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
    match problems.len().saturating_sub(TOLD) {
        0 => told,
        more => format!("{told}; and {more} more"),
    }
}

fn well(name: &'static str, detail: String) -> Check {
    Check { name, state: CheckState::Ok, detail, hint: None }
}

fn odd(name: &'static str, detail: String, hint: &str) -> Check {
    Check { name, state: CheckState::Warning, detail, hint: Some(hint.into()) }
}

fn bad(name: &'static str, detail: String, hint: &str) -> Check {
    Check { name, state: CheckState::Error, detail, hint: Some(hint.into()) }
}
