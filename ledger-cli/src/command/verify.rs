//! Proves that every row equals its history.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use bgledger_core::{Verify as Request, VerifyReport, escape};

/// Prove that every task equals its history; exits 8 if one does not
///
/// Reads the whole ledger: minutes for millions of tasks.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {}

impl Verify {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let report = context.reading()?.call(Request {})?;
        context.out.result(&report, [], |_| problems(&report))?;
        Ok(if report.ok { Exit::Done } else { Exit::Unreadable })
    }
}

fn problems(report: &VerifyReport) -> String {
    let mut text: String = report.problems.iter().map(|problem| format!("✗ {}\n", escape(problem))).collect();
    let verdict = if report.ok { "✓ every task equals its history" } else { "✗ the ledger contradicts itself" };
    text.push_str(&format!("{verdict} ({} tasks, {} events)\n", report.tasks, report.events));
    text
}
