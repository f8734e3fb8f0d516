//! Ends a task by its executor's word.

use crate::args::{AttemptArgs, EndArgs, ExitArgs, YieldArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line;
use crate::value;
use bgledger_core::{Finish as Request, Lookup, Status};

/// End a task, as the one who does the work
///
/// An end is final; saying the same again changes nothing and is no error.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger finish 42 --status succeeded --summary 'all 10 files read'
  bgledger finish 42 --status failed --error 'no space left' --error-type OSError
  jq . answer.json | bgledger finish 42 --status succeeded --result-file -")]
pub(crate) struct Finish {
    /// The task: its number, id, run id or session key
    #[arg(value_parser = value::lookup)]
    lookup: Lookup,
    /// How it ended: succeeded, failed, timed_out or cancelled
    #[arg(long, hide_possible_values = true, value_parser = value::end(true))]
    status: Status,
    #[command(flatten)]
    end: EndArgs,
    #[command(flatten)]
    exit: ExitArgs,
    #[command(flatten)]
    leaves: YieldArgs,
    #[command(flatten)]
    attempt: AttemptArgs,
}

impl Finish {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let request = Request {
            lookup: self.lookup,
            attempt: self.attempt.attempt,
            nonce: self.attempt.nonce,
            status: self.status,
            outcome: self.end.outcome.clone(),
            reason: self.end.reason.clone(),
            error: self.end.error(),
            summary: self.end.summary.clone(),
            result: self.end.result()?,
            exit_code: self.exit.exit_code,
            signal: self.exit.signal,
            output: None,
            artifacts: self.leaves.artifacts(),
            usage: self.leaves.usage(),
            ended_at: self.end.ended_at,
        };
        let recorded = context.recording()?.call(request)?;
        line::recorded(&context.out, &recorded)?;
        Ok(Exit::Done)
    }
}
