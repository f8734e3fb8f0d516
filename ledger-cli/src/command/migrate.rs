//! Brings the ledger's file to this program's format.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use bgledger_core::{Migrate as Request, MigrateReport, escape};

/// Bring the ledger's file to this program's format, after a proved copy of it as it was
///
/// A newer file is refused as it is.
#[derive(Debug, clap::Args)]
pub(crate) struct Migrate {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

impl Migrate {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let ledger = if self.dry_run { context.reading()? } else { context.recording()? };
        let report = ledger.call(Request { dry_run: self.dry_run })?;
        context.out.result(&report, [], |_| told(&report))?;
        Ok(Exit::Done)
    }
}

fn told(report: &MigrateReport) -> String {
    let MigrateReport { from, to, applied, backup } = report;
    match (applied, backup, from < to) {
        (true, Some(backup), _) => {
            format!("The ledger is of format {to} now. As it was, of format {from}: {}\n", escape(backup))
        }
        (true, None, _) => format!("The ledger is of format {to} now.\n"),
        (false, _, true) => format!("Format {from} would become format {to}, after a copy of the file.\n"),
        (false, _, false) => format!("Format {from} is the newest that this program knows: nothing to do.\n"),
    }
}
