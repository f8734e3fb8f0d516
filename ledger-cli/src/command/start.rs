//! Claims a task.

use crate::args::{ClaimArgs, FillArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line;
use crate::value;
use bgledger_core::{ClaimSpec, Lookup, Start as Request};

/// Claim a queued or lost task: it is running from now on
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bgledger start 42 --pid $$ --lease 60s")]
pub(crate) struct Start {
    /// The task: its number, id, run id or session key
    #[arg(value_parser = value::lookup)]
    lookup: Lookup,
    #[command(flatten)]
    claim: ClaimArgs,
    #[command(flatten)]
    fill: FillArgs,
}

impl Start {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let ClaimSpec { executor, lease, started_at } = self.claim.claim();
        let ledger = context.recording()?;
        let fill = self.fill.fill(&ledger)?;
        let recorded = ledger.call(Request { lookup: self.lookup, executor, lease, started_at, fill })?;
        line::recorded(&context.out, &recorded)?;
        Ok(Exit::Done)
    }
}
