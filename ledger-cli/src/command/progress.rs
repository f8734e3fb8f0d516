//! Reports how far work is.

use crate::args::{AttemptArgs, FillArgs, YieldArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line;
use crate::value;
use bgledger_core::{Lookup, ProgressRequest, Span};

/// Report how far a task is
///
/// What is not given stays as it was. The reply says whether cancel is requested and whether the deadline passed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bgledger progress 42 'reading files' --current 3 --total 10 --unit files")]
pub(crate) struct Progress {
    /// The task: its number, id, run id or session key
    #[arg(value_parser = value::lookup)]
    lookup: Lookup,
    /// How far it is, in words
    text: Option<String>,
    /// Units done
    #[arg(long, value_name = "N")]
    current: Option<u64>,
    /// Units in all
    #[arg(long, value_name = "N")]
    total: Option<u64>,
    /// The unit's name, such as files
    #[arg(long, value_name = "NAME")]
    unit: Option<String>,
    /// What it waits for: input, auth, dependency, timer, external or any lower-case word; none: it goes on
    #[arg(long, value_name = "WORD")]
    waiting_on: Option<String>,
    /// The lease's new length, such as 60s; a bare number is seconds
    #[arg(long, value_name = "TIME", value_parser = value::span)]
    lease: Option<Span>,
    #[command(flatten)]
    attempt: AttemptArgs,
    #[command(flatten)]
    leaves: YieldArgs,
    #[command(flatten)]
    fill: FillArgs,
}

impl Progress {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let ledger = context.recording()?;
        let request = ProgressRequest {
            lookup: self.lookup,
            attempt: self.attempt.attempt,
            nonce: self.attempt.nonce,
            text: self.text,
            current: self.current,
            total: self.total,
            unit: self.unit,
            waiting_on: self.waiting_on.map(|word| Some(word).filter(|word| word != "none")),
            usage: self.leaves.usage(),
            artifacts: self.leaves.artifacts(),
            lease: self.lease,
            fill: self.fill.fill(&ledger)?,
        };
        let recorded = ledger.call(request)?;
        line::recorded(&context.out, &recorded)?;
        Ok(Exit::Done)
    }
}
