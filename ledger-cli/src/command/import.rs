//! Brings records from elsewhere.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::output::tint::{self, styled};
use bgledger_core::{ImportCounts, ImportFinding, ImportReport, Status, escape};
use bgledger_store::platform::{create_private_file, wall_ms};
use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;

/// Findings that people are told at once.
const TOLD: usize = 20;

/// Bring records from elsewhere into the ledger
///
/// FILE is what bgledger export has written, or - for stdin, which is kept in a file of its own while it is read. A ledger that has nothing becomes equal to the one that was exported; one
/// that has records of its own gets those that it has not, under new numbers. Importing again adds nothing, and goes on
/// where an import broke off.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "\
Examples:
  bgledger import ledger.ndjson
  ssh laptop bgledger export | bgledger import -
  bgledger import openclaw ~/.openclaw/state/openclaw.sqlite --dry-run
  bgledger import openclaw ~/.openclaw/tasks/runs.sqlite")]
pub(crate) struct Import {
    /// An export
    #[arg(required = true)]
    file: Option<PathBuf>,
    /// Only say what the export holds
    #[arg(long)]
    dry_run: bool,
    #[command(subcommand)]
    source: Option<Source>,
}

#[derive(Debug, clap::Subcommand)]
enum Source {
    /// Bring OpenClaw's tasks and flows
    ///
    /// The database is only read, also while OpenClaw uses it, and nothing is written beside it. Each record keeps its
    /// id, its times and its texts, and as its origin the whole row. What the ledger's rules do not allow is told as a
    /// finding, and told again each time, also with --dry-run. What has ended there owes no notice here. Importing again
    /// brings what is new since then.
    Openclaw {
        /// The database
        path: PathBuf,
        /// Only say what it would come to
        #[arg(long)]
        dry_run: bool,
    },
}

impl Import {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let dry_run = match &self.source {
            Some(Source::Openclaw { dry_run, .. }) => *dry_run,
            None => self.dry_run,
        };
        let ledger = if dry_run { context.reading()? } else { context.recording()? };
        let report = match (&self.source, &self.file) {
            (Some(Source::Openclaw { path, .. }), _) => ledger.import_openclaw(path, dry_run)?,
            (None, Some(file)) if file.as_os_str() == "-" => ledger.import(&Spool::of_stdin()?.0, dry_run)?,
            (None, Some(file)) => ledger.import(file, dry_run)?,
            (None, None) => return Err(Failure::usage("no file was named", "bgledger import FILE")),
        };
        context.out.result(&report, [], |out| told(out, &report))?;
        if dry_run {
            context.out.note("Nothing was changed. To do this: the same without --dry-run");
        }
        Ok(Exit::Done)
    }
}

/// What came through a pipe, in a file: an export is read twice, the first time to see that it is whole. It goes with us.
struct Spool(PathBuf);

impl Spool {
    fn of_stdin() -> Result<Spool, Failure> {
        let path = std::env::temp_dir().join(format!("bgledger-import-{}-{}", std::process::id(), wall_ms()));
        let failed = |error| Failure::System { what: format!("stdin cannot be kept in {}", path.display()), error };
        if !create_private_file(&path).map_err(failed)? {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        let spool = Spool(path.clone());
        let mut file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
        io::copy(&mut io::stdin().lock(), &mut file).map_err(failed)?;
        Ok(spool)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // Nothing of it is needed any more, nor would anybody hear that it is still there.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn told(out: &Output, report: &ImportReport) -> String {
    let mut text = counts("tasks", &report.tasks);
    for status in Status::ALL {
        let count = report.by_status.get(status.as_str()).copied().unwrap_or(0);
        if count > 0 {
            let word = format!("{} {}", tint::glyph(status), status.as_str());
            text.push_str(&format!("{count:>9}  {}\n", styled(out.styled, tint::of_status(status), &word)));
        }
    }
    for (runtime, count) in &report.by_runtime {
        text.push_str(&format!("{count:>9}  runtime {}\n", escape(runtime)));
    }
    text.push_str(&counts("flows", &report.flows));
    if report.findings_total > 0 {
        text.push_str(&format!("{:>9}  values recorded otherwise than they were:\n", report.findings_total));
    }
    report.findings.iter().take(TOLD).for_each(|finding| text.push_str(&line(finding)));
    let more = report.findings_total.saturating_sub(TOLD as u64);
    if more > 0 {
        text.push_str(&format!("{:>11}and {more} more: --json tells them\n", ""));
    }
    text
}

fn counts(what: &str, counts: &ImportCounts) -> String {
    let mut text = format!("{:>9}  {what}, {} new", counts.found, counts.imported);
    if counts.existed > 0 {
        text.push_str(&format!(", {} recorded before", counts.existed));
    }
    if counts.pruned > 0 {
        text.push_str(&format!(", {} pruned since", counts.pruned));
    }
    text.push('\n');
    text
}

fn line(finding: &ImportFinding) -> String {
    let ImportFinding { subject, field, was, now, why } = finding;
    let (was, now) = (escape(was.as_str()), escape(now.as_str()));
    format!("{:>11}{}: {} was {was}, is {now}: {why}\n", "", escape(subject), escape(field))
}
