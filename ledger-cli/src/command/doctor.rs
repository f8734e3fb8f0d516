//! The ledger's health.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::output::tint::{of_check, styled};
use bgledger_core::{Check, CheckState, Doctor as Request, DoctorReport, escape};

/// Examine the ledger: its file, its folder, its records; exits 8 if it is damaged, 1 if something else is wrong
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// Only what takes no time on a long history: neither the indexes nor the history are proved
    #[arg(long)]
    quick: bool,
}

impl Doctor {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let report = context.reading()?.call(Request { quick: self.quick })?;
        context.out.result(&report, [], |out| checks(out, &report))?;
        let is_damaged =
            |check: &Check| check.state == CheckState::Error && matches!(check.name, "integrity" | "history" | "links");
        Ok(match (report.healthy, report.checks.iter().any(is_damaged)) {
            (_, true) => Exit::Unreadable,
            (true, false) => Exit::Done,
            (false, false) => Exit::Failed,
        })
    }
}

fn checks(out: &Output, report: &DoctorReport) -> String {
    let mut text = String::new();
    for check in &report.checks {
        let (word, style) = of_check(check.state);
        let state = styled(out.styled, style, &format!("{word:<9}"));
        text.push_str(&format!("{state}  {:<14} {}\n", check.name, escape(&check.detail)));
        if let Some(hint) = &check.hint {
            text.push_str(&format!("{:>27}hint: {}\n", "", escape(hint)));
        }
    }
    text
}
