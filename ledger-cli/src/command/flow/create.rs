//! Records a flow.

use super::{StateArgs, something};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::flow;
use crate::value;
use bgledger_core::{FlowCreate, Lookup};

/// Record a flow: one with a goal, queued unless it runs already, or one that mirrors a task
///
/// Creating again with the same key finds the flow that is there; so does mirroring the same task again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flow=$(bgledger flow create --goal 'release 2.0' --controller bot --key release-2.0 --quiet)
  bgledger flow create --goal import --controller etl --running --step 'read' --state '{\"page\": 1}'
  bgledger flow create --mirrors 42")]
pub(super) struct Create {
    /// What it is for
    #[arg(long, value_name = "TEXT", required_unless_present = "mirrors")]
    goal: Option<String>,
    /// Who moves it: a name by which its host finds it again
    #[arg(long, value_name = "NAME", required_unless_present = "mirrors")]
    controller: Option<String>,
    /// The task that it follows, from which everything else is read
    #[arg(long, value_name = "LOOKUP", value_parser = value::lookup, conflicts_with_all = ["goal", "controller", "key", "running", "step", "state", "state_file"])]
    mirrors: Option<Lookup>,
    /// An idempotency key: creating again with it finds the same flow
    #[arg(long)]
    key: Option<String>,
    /// Its controller is at work already
    #[arg(long)]
    running: bool,
    /// The step that it is at
    #[arg(long, value_name = "TEXT")]
    step: Option<String>,
    #[command(flatten)]
    state: StateArgs,
}

impl Create {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let request = FlowCreate {
            goal: self.goal,
            controller: self.controller,
            mirrors: self.mirrors,
            key: self.key,
            owner: None,
            running: self.running,
            step: self.step,
            state: self.state.json()?.and_then(something),
        };
        let created = context.recording()?.call(request)?;
        let note = if created.created { "created" } else { "exists" };
        context.out.named(&created, [created.flow.flow.id], |out| flow::line(out, &created.flow.flow, &[note]))?;
        Ok(Exit::Done)
    }
}
