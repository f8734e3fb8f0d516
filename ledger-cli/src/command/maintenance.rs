//! Settles what nobody will settle.

use super::prune;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Fit, Table};
use crate::output::tint;
use bgledger_core::{Maintenance as Request, MaintenanceReport, PruneReport, escape};

/// Settle what nobody will settle: dead executors, expired deadlines
///
/// Without --apply it says what it would do and changes nothing. A second --apply finds nothing to do. After a jump of
/// the clock by more than a day it does nothing, and exits 4, until --confirm-clock says that the clock is right.
#[derive(Debug, clap::Args)]
#[command(after_help = "For cron:\n  */10 * * * *  bgledger maintenance --apply > /dev/null")]
pub(crate) struct Maintenance {
    /// Do it
    #[arg(long)]
    apply: bool,
    /// The clock is right although it jumped: what time ends may be ended again
    #[arg(long, requires = "apply")]
    confirm_clock: bool,
}

impl Maintenance {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let ledger = if self.apply { context.recording()? } else { context.reading()? };
        let report = ledger.call(Request { apply: self.apply, confirm_clock: self.confirm_clock })?;
        if context.out.quiet {
            let ids: String = report.changes.iter().map(|change| format!("{}\n", change.id)).collect();
            context.out.text(&ids)?;
            return Ok(Exit::Done);
        }
        context.out.result(&report, [], |out| changes(out, &report))?;
        if let Some(jump) = &report.held {
            context.out.note(&format!("Held: {}.", jump.describe()));
            context.out.note("If it is right: bgledger maintenance --apply --confirm-clock");
            return Ok(if self.apply { Exit::Refused } else { Exit::Done });
        } else if !report.applied && !is_empty(&report) {
            context.out.note("Nothing was changed. To do this: bgledger maintenance --apply");
        }
        Ok(Exit::Done)
    }
}

fn is_empty(report: &MaintenanceReport) -> bool {
    let nothing =
        PruneReport { applied: report.pruned.applied, held: report.pruned.held.clone(), ..PruneReport::default() };
    report.changes.is_empty() && report.flows.is_empty() && report.pruned == nothing
}

fn changes(out: &Output, report: &MaintenanceReport) -> String {
    if is_empty(report) {
        return "Nothing to do.\n".to_owned();
    }
    let mut table = Table::new(&[
        ("#", Fit::Right),
        ("FROM", Fit::Keep),
        ("TO", Fit::Keep),
        ("REASON", Fit::Cut(8)),
        ("LABEL", Fit::Cut(10)),
    ]);
    for change in &report.changes {
        let cells = vec![
            change.number.0.to_string(),
            change.from.as_str().to_owned(),
            format!("{} {}", tint::glyph(change.to), change.to.as_str()),
            escape(change.reason.as_deref().unwrap_or_default()).to_string(),
            escape(&change.label).to_string(),
        ];
        table.row(cells, 2, tint::of_status(change.to));
    }
    let mut text = if report.changes.is_empty() { String::new() } else { table.render(out) };
    for flow in &report.flows {
        let (from, to) = (flow.from.as_str(), flow.to.as_str());
        text.push_str(&format!("{} {}: {from} to {to}\n", flow.flow, escape(&flow.goal)));
    }
    text.push_str(&prune::counts(&report.pruned, "pruned: "));
    text
}
