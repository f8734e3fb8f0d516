//! Removes what ended long enough ago.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::value;
use bgledger_core::{Prune as Request, PruneReport, Span};

/// Remove what ended long enough ago, whole; a tombstone stays
///
/// How long ended tasks stay is the ledger's policy: bgledger config get retention. A task goes with its events and
/// notices, and never from under a flow or a child that goes on. Of a pruned task it is still known how and when it
/// ended. Whoever records removes a little of what is due now and then; this removes all of it at once. After a jump
/// of the clock by more than a day it does nothing, and exits 4, until somebody confirms that the clock is right:
/// bgledger maintenance --apply --confirm-clock
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger prune --dry-run
  bgledger prune --older-than 30d
  bgledger config set retention.cron 1d")]
pub(crate) struct Prune {
    /// What ended so long ago, such as 30d; a bare number is seconds [default: as the ledger's policy says]
    #[arg(long, value_name = "TIME", value_parser = value::span)]
    older_than: Option<Span>,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
}

impl Prune {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let ledger = if self.dry_run { context.reading()? } else { context.recording()? };
        let report = ledger.call(Request { older_than: self.older_than, dry_run: self.dry_run })?;
        context.out.result(&report, [], |_| counted(&report))?;
        if let Some(jump) = &report.held {
            context.out.note(&format!("Held: {}.", jump.describe()));
            context.out.note("If it is right: bgledger maintenance --apply --confirm-clock");
            return Ok(if self.dry_run { Exit::Done } else { Exit::Refused });
        }
        if self.dry_run && report != PruneReport::default() {
            context.out.note("Nothing was changed. To do this: the same without --dry-run");
        }
        Ok(Exit::Done)
    }
}

fn counted(report: &PruneReport) -> String {
    match counts(report, "") {
        text if text.is_empty() => "Nothing to prune.\n".to_owned(),
        text => text,
    }
}

/// What went, a line each.
pub(super) fn counts(report: &PruneReport, before: &str) -> String {
    let lines = [
        (report.tasks, "task", "tasks"),
        (report.events, "event of theirs", "events of theirs"),
        (report.flows, "flow", "flows"),
        (
            report.unclaimed,
            "notice that nobody claimed, a dead letter now",
            "notices that nobody claimed, dead letters now",
        ),
        (report.letters, "dead letter", "dead letters"),
        (report.tombstones, "tombstone", "tombstones"),
    ];
    let lines = lines.iter().filter(|(count, ..)| *count > 0);
    lines.map(|(count, one, many)| format!("{before}{count} {}\n", if *count == 1 { one } else { many })).collect()
}
