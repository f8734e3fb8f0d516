//! Ends a task by an operator's word.

use crate::args::{EndArgs, author};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line;
use crate::value;
use bgledger_core::{Lookup, Settle as Request, Status};

/// End a task as an operator: for work that will not speak for itself
///
/// The author and the reason are recorded. Work that has ended for good is left as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bgledger settle 42 --status failed --why 'the machine was replaced'")]
pub(crate) struct Settle {
    /// The task: its number, id, run id or session key
    #[arg(value_parser = value::lookup)]
    lookup: Lookup,
    /// How it ended: succeeded, failed, timed_out, cancelled or lost
    #[arg(long, hide_possible_values = true, value_parser = value::end(false))]
    status: Status,
    /// Why you say so
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Who says so [default: your user name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    end: EndArgs,
}

impl Settle {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let request = Request {
            lookup: self.lookup,
            status: self.status,
            outcome: self.end.outcome.clone(),
            reason: self.end.reason.clone(),
            by: author(self.by),
            why: self.why,
            error: self.end.error(),
            summary: self.end.summary.clone(),
            result: self.end.result()?,
            ended_at: self.end.ended_at,
        };
        let recorded = context.recording()?.call(request)?;
        line::recorded(&context.out, &recorded)?;
        Ok(Exit::Done)
    }
}
