//! Blocks until tasks end.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line;
use crate::value;
use bgledger_core::{Lookup, Span, Status, Wait as Request};

/// Wait until tasks have ended; exits 7 if one of them did not succeed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger wait 41 42 --timeout 10m && echo both succeeded
  bgledger wait 41 --ack session:chat      what session chat would be told of the end is delivered by this")]
pub(crate) struct Wait {
    /// The tasks: their numbers, ids, run ids or session keys
    #[arg(required = true, value_name = "LOOKUP", value_parser = value::lookup)]
    lookups: Vec<Lookup>,
    /// Until one of them has ended, not all; only tasks that have ended count for the exit code
    #[arg(long)]
    any: bool,
    /// How long to wait, such as 30s; a bare number is seconds [default: without end]; then exits 124
    #[arg(long, value_name = "TIME", value_parser = value::span)]
    timeout: Option<Span>,
    /// Take the notices about those that ended for this recipient for delivered: session:KEY, owner:NAME or
    /// subscriber:NAME
    #[arg(long, value_name = "RECIPIENT")]
    ack: Option<String>,
}

impl Wait {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let ledger = if self.ack.is_some() { context.recording()? } else { context.reading()? };
        let request = Request { lookups: self.lookups, any: self.any, timeout: self.timeout, ack: self.ack };
        let tasks = ledger.call(request)?;
        context
            .out
            .result(&tasks, &tasks.tasks, |out| tasks.tasks.iter().map(|view| line::task(out, view, &[])).collect())?;
        let failed = |status: Status| !status.is_active() && status != Status::Succeeded;
        let one_failed = tasks.tasks.iter().any(|view| failed(view.task.status));
        Ok(if one_failed { Exit::NotSucceeded } else { Exit::Done })
    }
}
