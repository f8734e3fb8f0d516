//! One task in full.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::sheet;
use crate::value;
use bgledger_core::{Lookup, Show as Request};

/// Show one task in full
///
/// Whoever reads how a task ended need not be told of it: --ack takes what they are owed about it for delivered.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  bgledger show 42\n  bgledger show 42 --ack session:chat")]
pub(crate) struct Show {
    /// The task: its number, id, run id or session key
    #[arg(value_parser = value::lookup)]
    lookup: Lookup,
    /// Take the notices about it for this recipient for delivered: session:KEY, owner:NAME or subscriber:NAME
    #[arg(long, value_name = "RECIPIENT")]
    ack: Option<String>,
}

impl Show {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let ledger = if self.ack.is_some() { context.recording()? } else { context.reading()? };
        let shown = ledger.call(Request { lookup: self.lookup, ack: self.ack })?;
        context.out.paged(&shown, [&shown.task], |out| sheet::sheet(out, &shown.task))?;
        Ok(Exit::Done)
    }
}
