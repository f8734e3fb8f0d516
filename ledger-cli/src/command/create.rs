//! Records a task.

use crate::args::{ClaimArgs, EndArgs, ExitArgs, WorkArgs, YieldArgs, record_under};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line;
use crate::value;
use bgledger_core::{EndSpec, Millis, Span, Status};

/// Record a task, queued unless it is started at once
///
/// Creating again with the same key, or the same runtime and run id, finds the task that is there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  id=$(bgledger create --label 'nightly report' --quiet)
  bgledger create --label sync --start --pid $$ --lease 60s
  bgledger create --label import --status failed --error 'no such file'")]
pub(crate) struct Create {
    /// A short title
    #[arg(long, value_name = "TEXT")]
    label: String,
    #[command(flatten)]
    work: WorkArgs,
    /// How long it may stay queued, such as 1h; a bare number is seconds
    #[arg(long, value_name = "TIME", value_parser = value::span, help_heading = "Deadlines")]
    queue_timeout: Option<Span>,
    /// When it was created, if earlier
    #[arg(long, value_name = "TIME", value_parser = value::time)]
    created_at: Option<Millis>,
    /// Start it at once; --pid and --lease say by whom
    #[arg(long)]
    start: bool,
    #[command(flatten)]
    claim: ClaimArgs,
    /// Record work that is already over: how it ended (queued and running: where it stands)
    #[arg(long, value_parser = value::status())]
    status: Option<Status>,
    #[command(flatten)]
    end: EndArgs,
    #[command(flatten)]
    exit: ExitArgs,
    #[command(flatten)]
    leaves: YieldArgs,
}

impl Create {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let ledger = context.recording()?;
        let mut create = self.work.create(self.label.clone())?;
        create.queue_timeout = self.queue_timeout;
        create.created_at = self.created_at;
        let starts = self.start || self.claim.is_given();
        create.start = starts.then(|| self.claim.claim());
        let says_how = self.end.is_given()
            || self.exit != ExitArgs::default()
            || self.leaves.usage().is_some()
            || !self.leaves.artifacts().is_empty();
        create.finish = match self.status {
            Some(Status::Queued | Status::Running) | None if says_how => {
                return Err(Failure::usage(
                    "a task that has not ended has no result",
                    "say how it ended with --status",
                ));
            }
            Some(Status::Queued) if starts => {
                return Err(Failure::usage("a task that is started is not queued", "leave out --status or --start"));
            }
            Some(Status::Running) => {
                create.start = Some(self.claim.claim());
                None
            }
            None | Some(Status::Queued) => None,
            Some(status) => Some(EndSpec {
                status,
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
            }),
        };
        let inherited = self.work.inherited_parent(context, &ledger);
        let created = record_under(&ledger, create, inherited)?;
        context.out.result(&created, [&created.task], |out| {
            let note = if created.created { "created" } else { "exists" };
            line::task(out, &created.task, &[note])
        })?;
        Ok(Exit::Done)
    }
}
