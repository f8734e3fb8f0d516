//! Asks to cancel a task and all that descends from it.

use crate::args::author;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line;
use crate::value;
use bgledger_core::{CancelReply, CancelRequest, Cancelled, HookRun, Lookup, Span, Status, Wait};
use bgledger_store::Ledger;

/// Cancel a task and all that descends from it
///
/// A queued task is cancelled at once. A running one is asked to stop: where the ledger knows its process
/// group, as of `bgledger run`, the group is stopped (SIGTERM, after 5 s SIGKILL); elsewhere its executor
/// learns of it at its next progress or heartbeat, and by the hook of its runtime, if there is one: a command that is
/// given the task as JSON (bgledger config set cancel_hook.acp 'CMD').
///
/// A task that had ended stays as it ended, and what is still active below it is cancelled all the same. Exits 4 if
/// the task had ended otherwise and nothing below it was reached. No child is admitted under a task whose cancel was
/// requested; one that had ended before may still get children.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger cancel 42 --wait --timeout 30s
  bgledger cancel run:nightly-7 --why 'started twice'")]
pub(crate) struct Cancel {
    /// The task: its number, id, run id or session key
    #[arg(value_parser = value::lookup)]
    lookup: Lookup,
    /// Why, to be recorded
    #[arg(long, visible_alias = "reason", value_name = "TEXT")]
    why: Option<String>,
    /// Who asks [default: your user name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Wait until it has ended; exits 4 if it ended otherwise than by being cancelled
    #[arg(long, short)]
    wait: bool,
    /// How long to wait, such as 30s; a bare number is seconds [default: without end]; then exits 124
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = value::span)]
    timeout: Option<Span>,
}

impl Cancel {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let ledger = context.recording()?;
        let request = CancelRequest { lookup: self.lookup, by: author(self.by), why: self.why };
        let mut reply = ledger.call(request)?;
        let reached_below = reply.task.task.status.is_final() && !reply.descendants.is_empty();
        if self.wait && reply.task.task.status.is_active() {
            reply = awaited(&ledger, reply, self.timeout)?;
        }
        context.out.result(&reply, [&reply.task], |out| {
            let below = match reply.descendants.len() {
                0 => String::new(),
                1 if reached_below => "1 task below it was reached".to_owned(),
                many if reached_below => format!("{many} tasks below it were reached"),
                1 => "and 1 task below it".to_owned(),
                many => format!("and {many} tasks below it"),
            };
            let hooks: Vec<String> = reply.hooks.iter().map(hook).collect();
            let said = [answer(reply.cancel), &below].into_iter().chain(hooks.iter().map(String::as_str));
            line::task(out, &reply.task, &said.collect::<Vec<_>>())
        })?;
        let ended_otherwise = matches!(reply.cancel, Cancelled::Already) && reply.task.task.status != Status::Cancelled;
        Ok(if ended_otherwise && !reached_below { Exit::Refused } else { Exit::Done })
    }
}

/// The reply as it is once the task has ended.
fn awaited(ledger: &Ledger, reply: CancelReply, timeout: Option<Span>) -> Result<CancelReply, Failure> {
    let lookups = vec![reply.task.task.number.into()];
    let ended = ledger.call(Wait { lookups, any: false, timeout, ack: None })?;
    let Some(task) = ended.tasks.into_iter().next() else { return Ok(reply) };
    let cancel = match task.task.status {
        Status::Cancelled => Cancelled::Cancelled,
        Status::Queued | Status::Running | Status::Succeeded | Status::Failed | Status::TimedOut | Status::Lost => {
            Cancelled::Already
        }
    };
    Ok(CancelReply { cancel, task, ..reply })
}

/// What came of a cancel hook, in words.
pub(super) fn hook(run: &HookRun) -> String {
    match &run.problem {
        None => format!("the hook for {} was run", run.number),
        Some(problem) => format!("the hook for {} failed: {problem}", run.number),
    }
}

/// What a cancel came to, in words.
pub(super) fn answer(cancel: Cancelled) -> &'static str {
    match cancel {
        Cancelled::Requested => "it has not ended yet",
        Cancelled::Cancelled => "",
        Cancelled::Already => "it had ended already",
        Cancelled::ExecutorGone => "its executor was gone",
    }
}
