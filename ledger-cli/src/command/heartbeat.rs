//! Says that work lives.

use crate::args::AttemptArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line;
use crate::value;
use bgledger_core::{Heartbeat as Request, Lookup, Span};

/// Say that a task lives, and renew its lease
///
/// The reply says whether cancel is requested and whether the deadline passed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  while bgledger heartbeat 42 --quiet > /dev/null; do sleep 20; done &")]
pub(crate) struct Heartbeat {
    /// The task: its number, id, run id or session key
    #[arg(value_parser = value::lookup)]
    lookup: Lookup,
    /// The lease's new length, such as 60s; a bare number is seconds [default: as before]
    #[arg(long, value_name = "TIME", value_parser = value::span)]
    lease: Option<Span>,
    #[command(flatten)]
    attempt: AttemptArgs,
}

impl Heartbeat {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let AttemptArgs { attempt, nonce } = self.attempt;
        let request = Request { lookup: self.lookup, attempt, nonce, lease: self.lease };
        let recorded = context.recording()?.call(request)?;
        line::recorded(&context.out, &recorded)?;
        Ok(Exit::Done)
    }
}
