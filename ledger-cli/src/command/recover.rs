//! Saves what can be read of a damaged ledger.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use bgledger_core::{Numbers, RecoverReport, Salvaged, escape};
use std::path::PathBuf;

/// Numbers and problems that people are told; all are in the JSON.
const TOLD: usize = 10;

/// Keep a damaged ledger as it is, and make a new one of what can be read of it
///
/// The damaged ledger is only read. Its files are copied into FOLDER/as-found first, with their hashes; the new ledger
/// stands in FOLDER under the old one's name. Every task in it is proved by its events; what is lost, what was made anew
/// from events, and what is not proved is told. Exits 0 if nothing is missing, and 8 if something is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bgledger recover --to ~/saved")]
pub(crate) struct Recover {
    /// The damaged ledger [default: the one that --ledger names]
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    from: Option<PathBuf>,
    /// The folder to make
    #[arg(long, value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    to: PathBuf,
}

impl Recover {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let report = context.recover(self.from, &self.to)?;
        context.out.named(&report, [&report.ledger], |_| told(&report))?;
        Ok(if report.complete { Exit::Done } else { Exit::Unreadable })
    }
}

fn told(report: &RecoverReport) -> String {
    let mut text = String::new();
    for copy in &report.copies {
        text.push_str(&format!("kept       {}  sha256 {}\n", escape(&copy.path), copy.sha256));
    }
    text.push_str(&format!("recovered  {}\n", escape(&report.ledger)));
    let counts = [
        ("pages", report.pages),
        ("tasks", report.tasks),
        ("events", report.events),
        ("notices", report.notices),
        ("flows", report.flows),
    ];
    for (what, Salvaged { found, recovered, lost, unknown }) in counts {
        let more = if unknown { ", more may be" } else { "" };
        text.push_str(&format!("{what:<9}  {recovered} of {found}, {lost} lost{more}\n"));
    }
    let runs = |runs: &[Numbers]| {
        let run = |run: &Numbers| {
            if run.first == run.last { run.first.to_string() } else { format!("{}-{}", run.first, run.last) }
        };
        some(runs.iter().map(run).collect())
    };
    let numbers = |numbers: &[u64]| some(numbers.iter().map(|number| format!("#{number}")).collect());
    let lines = [
        ("lost tasks", runs(&report.lost_tasks)),
        ("lost events", runs(&report.lost_events)),
        ("made anew from their events", numbers(&report.mended)),
        ("not proved by their events", numbers(&report.unproved)),
    ];
    for (what, said) in lines.into_iter().filter(|(_, said)| !said.is_empty()) {
        text.push_str(&format!("{what}: {said}\n"));
    }
    for problem in report.problems.iter().take(TOLD) {
        text.push_str(&format!("✗ {}\n", escape(problem)));
    }
    if report.problems.len() > TOLD {
        text.push_str(&format!("✗ and {} more: --json tells all of them\n", report.problems.len() - TOLD));
    }
    text.push_str(if report.complete {
        "✓ nothing is missing\n"
    } else {
        "✗ not everything is there, or not as it was\n"
    });
    text
}

fn some(mut said: Vec<String>) -> String {
    let more = said.len().saturating_sub(TOLD);
    said.truncate(TOLD);
    match more {
        0 => said.join(", "),
        more => format!("{} and {more} more", said.join(", ")),
    }
}
