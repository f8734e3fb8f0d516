//! Bringing a ledger's file to this program's format: never without a proved copy of it as it was.

use crate::backup;
use crate::engine::Engine;
use crate::schema;
use crate::turnstile::beside;
use bgledger_core::{Backup, Error, Migrate, MigrateReport};
use std::time::Duration;

/// Says what would be done, or does it. A newer file is refused as it is.
pub(crate) fn migrate(engine: &Engine, request: &Migrate, patience: Duration) -> Result<MigrateReport, Error> {
    let shown = engine.path().display().to_string();
    let heading = engine.read(patience, |sql| {
        let heading = schema::heading(sql)?;
        schema::admit(&heading, &shown, true)?;
        Ok(heading)
    })?;
    let report = MigrateReport { from: heading.format, to: schema::FORMAT, applied: false, backup: None };
    if request.dry_run || !schema::is_older(&heading) {
        return Ok(report);
    }
    let copy = beside(engine.path(), &format!("-format-{}", heading.format));
    let made = backup::back_up(engine, &Backup { to: copy.display().to_string(), replace: true }, patience)?;
    // Whoever opens it to record brings it to this format, in one transaction.
    engine.connect_writer(patience)?;
    Ok(MigrateReport { applied: true, backup: Some(made.path), ..report })
}

#[cfg(test)]
#[path = "migrate_tests.rs"]
mod tests;
