//! Copies the ledger.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::sheet;
use crate::value;
use bgledger_core::{Backup as Request, BackupReport, escape};
use std::path::PathBuf;

/// Copy the ledger, as it is at one moment, into a file that is a whole ledger
///
/// Writers go on meanwhile. The copy is proved before it gets its name: SQLite finds no damage, every task equals its
/// history, nothing is missing. Interrupted, it leaves nothing at that name.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bgledger backup /backups/ledger-$(date +%F).db")]
pub(crate) struct Backup {
    /// The file to make
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    to: PathBuf,
    /// Take the place of a file that is there
    #[arg(long)]
    replace: bool,
}

impl Backup {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let report = context.reading()?.call(Request { to: value::path_text(&self.to)?, replace: self.replace })?;
        context.out.named(&report, [&report.path], |_| told(&report))?;
        Ok(Exit::Done)
    }
}

fn told(report: &BackupReport) -> String {
    let BackupReport { path, bytes, format: _, tasks, events, last_seq } = report;
    let size = sheet::bytes(*bytes);
    format!("{} ({size}): {tasks} tasks, {events} events, up to {}\n", escape(path), last_seq.0)
}
