//! What a controller does with its flow.

use super::{StateArgs, something};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::flow;
use crate::value;
use bgledger_core::{FlowFail, FlowFinish, FlowLookup, FlowMove, FlowRecorded, FlowResume, FlowWait, Json, Lookup};

/// Which flow moves, as who saw it, and what is said of it besides. What is not given stays as it was.
#[derive(Debug, clap::Args)]
struct MoveArgs {
    /// The flow: its number such as F3, id or owner
    #[arg(value_parser = value::flow)]
    flow: FlowLookup,
    /// The revision that you saw, as every answer tells it; refused if the flow was moved since
    #[arg(long, value_name = "N")]
    revision: u64,
    /// The step that it is at
    #[arg(long, value_name = "TEXT")]
    step: Option<String>,
    /// It is at no step
    #[arg(long, conflicts_with = "step")]
    no_step: bool,
    #[command(flatten)]
    state: StateArgs,
    /// Its controller keeps nothing of it
    #[arg(long, conflicts_with_all = ["state", "state_file"])]
    no_state: bool,
}

impl MoveArgs {
    /// The flow, the revision, and the rest.
    fn read(self) -> Result<(FlowLookup, u64, FlowMove), Failure> {
        let step = given(self.step, self.no_step);
        let state = given(self.state.json()?, self.no_state).map(|state| state.and_then(something));
        Ok((self.flow, self.revision, FlowMove { step, state }))
    }
}

/// What stands in a flow's way.
#[derive(Debug, clap::Args)]
struct BlockedArgs {
    /// The task that stands in its way
    #[arg(long, value_name = "LOOKUP", value_parser = value::lookup)]
    blocked_by: Option<Lookup>,
    /// What stands in its way, in words
    #[arg(long, value_name = "TEXT")]
    blocked_summary: Option<String>,
}

/// What is told of a field: nothing, that it is empty, or its value.
fn given<T>(value: Option<T>, is_cleared: bool) -> Option<Option<T>> {
    if is_cleared { Some(None) } else { value.map(Some) }
}

/// Say that a flow waits; it is blocked where something stands in its way
///
/// What is not given stays as it was, but for what stands in its way: that is said anew each time.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger flow wait F3 --revision 4 --for '{\"reply\": \"mail-17\"}' --step 'ask the customer'
  bgledger flow wait F3 --revision 5 --blocked-by 42 --blocked-summary 'no access to the account'")]
pub(super) struct Wait {
    #[command(flatten)]
    moves: MoveArgs,
    /// What it waits for, as JSON
    #[arg(long = "for", value_name = "JSON", value_parser = value::json)]
    wait: Option<Json>,
    /// Forget what it waited for
    #[arg(long = "no-for", conflicts_with = "wait")]
    no_wait: bool,
    #[command(flatten)]
    blocked: BlockedArgs,
}

impl Wait {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (flow, revision, FlowMove { step, state }) = self.moves.read()?;
        let wait = given(self.wait, self.no_wait).map(|wait| wait.and_then(something));
        let BlockedArgs { blocked_by: blocked_task, blocked_summary } = self.blocked;
        let request = FlowWait { flow, revision, step, state, wait, blocked_task, blocked_summary };
        told(context, &context.recording()?.call(request)?)
    }
}

/// Say that a flow goes on: queued for its controller, or running
///
/// What it waited for and what stood in its way are cleared.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bgledger flow resume F3 --revision 5 --running --step publish")]
pub(super) struct Resume {
    #[command(flatten)]
    moves: MoveArgs,
    /// Its controller is at work
    #[arg(long)]
    running: bool,
}

impl Resume {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (flow, revision, FlowMove { step, state }) = self.moves.read()?;
        let request = FlowResume { flow, revision, running: self.running, step, state };
        told(context, &context.recording()?.call(request)?)
    }
}

/// End a flow that did what it was for
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bgledger flow finish F3 --revision 6 --no-state")]
pub(super) struct Finish {
    #[command(flatten)]
    moves: MoveArgs,
}

impl Finish {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (flow, revision, FlowMove { step, state }) = self.moves.read()?;
        told(context, &context.recording()?.call(FlowFinish { flow, revision, step, state })?)
    }
}

/// End a flow that did not do what it was for
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  bgledger flow fail F3 --revision 6 --blocked-by 42 --blocked-summary 'the account is closed'"
)]
pub(super) struct Fail {
    #[command(flatten)]
    moves: MoveArgs,
    #[command(flatten)]
    blocked: BlockedArgs,
}

impl Fail {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (flow, revision, FlowMove { step, state }) = self.moves.read()?;
        let BlockedArgs { blocked_by: blocked_task, blocked_summary } = self.blocked;
        let request = FlowFail { flow, revision, step, state, blocked_task, blocked_summary };
        told(context, &context.recording()?.call(request)?)
    }
}

/// Prints the answer to a move.
fn told(context: &Context, recorded: &FlowRecorded) -> Result<Exit, Failure> {
    let note = if recorded.changed { "" } else { "recorded before" };
    context.out.named(recorded, [recorded.flow.flow.id], |out| flow::line(out, &recorded.flow.flow, &[note]))?;
    Ok(Exit::Done)
}
