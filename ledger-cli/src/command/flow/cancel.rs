//! Asks to cancel a flow and all that belongs to it.

use crate::args::author;
use crate::command::cancel::{answer, hook};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::flow;
use crate::value;
use bgledger_core::{Cancelled, FlowCancelReply, FlowCancelRequest, FlowLookup, FlowStatus};

/// Cancel a flow, its tasks and all that descends from them
///
/// Its tasks are cancelled as `bgledger cancel` does it. The flow gets no new tasks from now on, and ends with its last
/// active one. A flow that mirrors a task is cancelled with that task. One that had ended stays as it ended: exits 4
/// if it had ended otherwise.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bgledger flow cancel F3 --why 'the release is called off'")]
pub(super) struct Cancel {
    /// The flow: its number such as F3, id or owner
    #[arg(value_parser = value::flow)]
    flow: FlowLookup,
    /// Why, to be recorded
    #[arg(long, visible_alias = "reason", value_name = "TEXT")]
    why: Option<String>,
    /// Who asks [default: your user name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl Cancel {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let request = FlowCancelRequest { flow: self.flow, by: author(self.by), why: self.why };
        let reply = context.recording()?.call(request)?;
        let flow = &reply.flow.flow;
        context.out.named(&reply, [flow.id], |out| {
            let tasks = match reached(&reply) {
                0 => String::new(),
                1 => "1 task was reached".to_owned(),
                many => format!("{many} tasks were reached"),
            };
            let hooks: Vec<String> = reply.hooks.iter().map(hook).collect();
            let said = [answer(reply.cancel), &tasks].into_iter().chain(hooks.iter().map(String::as_str));
            flow::line(out, flow, &said.collect::<Vec<_>>())
        })?;
        let ended_otherwise = reply.cancel == Cancelled::Already && flow.status != FlowStatus::Cancelled;
        Ok(if ended_otherwise && reached(&reply) == 0 { Exit::Refused } else { Exit::Done })
    }
}

/// How many tasks the cancel came to: those that had not ended already.
fn reached(reply: &FlowCancelReply) -> usize {
    reply.tasks.iter().filter(|task| task.cancel != Cancelled::Already).count()
}
