//! Counts.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::tint::{self, styled};
use crate::output::{Output, pressure, sheet};
use bgledger_core::{Stats as Request, StatsReport, Status, escape};

/// Count tasks by status and runtime, and tell the ledger's size
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger stats
  bgledger stats --line            2 active · 1 queued · 1 running · 0 issues
  bgledger stats --json | jq .issues")]
pub(crate) struct Stats {
    /// Print one line, for a prompt or a status bar
    #[arg(long, conflicts_with = "json")]
    line: bool,
}

impl Stats {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let report = context.reading()?.call(Request {})?;
        match self.line {
            true => context.out.text(&format!("{}\n", pressure::line(&report)))?,
            false => context.out.result(&report, [], |out| counts(out, &report))?,
        }
        Ok(Exit::Done)
    }
}

fn counts(out: &Output, report: &StatsReport) -> String {
    let mut text = format!("{:>9}  tasks, {} active\n", report.total, report.active);
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
    let issues = match report.issues {
        0 => "issues".to_owned(),
        _ => "issues: bgledger audit".to_owned(),
    };
    text.push_str(&format!("{:>9}  {issues}\n{:>9}  events\n", report.issues, report.last_seq.0));
    text.push_str(&format!("{:>9}  on disk\n", sheet::bytes(report.bytes)));
    text
}
