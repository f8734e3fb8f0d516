//! Flows: the durable records of many-step work, which group tasks.

mod cancel;
mod create;
mod moves;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{flow, page};
use crate::value;
use bgledger_core::{FlowList, FlowLookup, FlowShow, FlowStatus, Json, List as TaskList, bounds};
use std::path::PathBuf;

/// Record work of many steps, which groups tasks
///
/// A flow is the record of a controller: its goal, the step that it is at, what the controller keeps of it, what it
/// waits for. Tasks join it by --flow, and their children with them. Each move names the revision that the controller
/// saw, so that of two controllers one is refused. Nothing runs because a flow exists. A flow that mirrors a task is
/// read from that task, and moved by it alone.
///
/// A flow is named by its number (F3 or 3), its id, or its owner: to read, the owner's newest that goes on, else the
/// newest; to change, the one that goes on. id: and owner: say which of them is meant.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger flow create --goal 'release 2.0' --controller release-bot --running --step build
  bgledger run --flow F1 -- make test
  bgledger flow wait F1 --revision 1 --step review --for '{\"review\": 77}'
  bgledger flow resume F1 --revision 2 --running --step publish
  bgledger flow finish F1 --revision 3
  bgledger flow list --active")]
pub(crate) struct Flow {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Create(create::Create),
    /// List flows, newest first (what `flow` alone does)
    List(ListArgs),
    /// Show one flow, what its tasks come to, and the newest of them
    Show(Which),
    Wait(moves::Wait),
    Resume(moves::Resume),
    Finish(moves::Finish),
    Fail(moves::Fail),
    Cancel(cancel::Cancel),
}

#[derive(Debug, Default, clap::Args)]
struct ListArgs {
    /// Only those that have not ended
    #[arg(long, short)]
    active: bool,
    /// Only these statuses; several with commas, or given again
    #[arg(long, short, value_delimiter = ',', value_parser = value::flow_status())]
    status: Vec<FlowStatus>,
    /// Only this controller's
    #[arg(long, value_name = "NAME")]
    controller: Option<String>,
    #[arg(long, short = 'n', value_name = "N", help = format!("At most so many, up to {} [default: {}]", bounds::LIST_MOST, bounds::LIST_DEFAULT))]
    limit: Option<u32>,
    /// Go on after the page that ended here: its `next`
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

/// Which flow is meant.
#[derive(Debug, clap::Args)]
struct Which {
    /// The flow: its number such as F3, id or owner
    #[arg(value_parser = value::flow)]
    flow: FlowLookup,
}

/// What a controller keeps of its flow.
#[derive(Debug, clap::Args)]
struct StateArgs {
    /// What its controller keeps of it, as JSON
    #[arg(long, value_name = "JSON", value_parser = value::json)]
    state: Option<Json>,
    /// A file that holds the same; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    state_file: Option<PathBuf>,
}

impl StateArgs {
    fn json(self) -> Result<Option<Json>, Failure> {
        match &self.state_file {
            Some(path) => value::json_of_file(path, "state", bounds::FLOW_STATE_BYTES).map(Some),
            None => Ok(self.state),
        }
    }
}

/// A JSON value to record; `null` is the same as nothing.
fn something(json: Json) -> Option<Json> {
    (json.as_str().trim() != "null").then_some(json)
}

/// How many of a flow's tasks are shown with it.
const NEWEST: u32 = 20;

impl Flow {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self.action.unwrap_or(Action::List(ListArgs::default())) {
            Action::Create(create) => create.run(context),
            Action::List(arguments) => list(context, arguments),
            Action::Show(which) => show(context, which.flow),
            Action::Wait(wait) => wait.run(context),
            Action::Resume(resume) => resume.run(context),
            Action::Finish(finish) => finish.run(context),
            Action::Fail(fail) => fail.run(context),
            Action::Cancel(cancel) => cancel.run(context),
        }
    }
}

fn list(context: &Context, arguments: ListArgs) -> Result<Exit, Failure> {
    let ListArgs { active, status, controller, limit, after } = arguments;
    let page = context.reading()?.call(FlowList { active, status, controller, limit, after })?;
    page::unreadable(&context.out, page.unreadable.iter().map(|odd| (odd.number.to_string(), &*odd.problem)));
    if page.flows.is_empty() && page.unreadable.is_empty() {
        context.out.note("No flow fits.");
    }
    context.out.named(&page, page.flows.iter().map(|view| view.flow.id), |out| match page.flows.is_empty() {
        true => String::new(),
        false => flow::flows(out, &page.flows),
    })?;
    if let Some(next) = &page.next {
        context.out.note(&format!("There are more: add --after {next}, or --limit."));
    }
    Ok(Exit::Done)
}

fn show(context: &Context, lookup: FlowLookup) -> Result<Exit, Failure> {
    let ledger = context.reading()?;
    let shown = ledger.call(FlowShow { flow: lookup })?;
    let (id, number) = (shown.flow.flow.id, shown.flow.flow.number);
    let newest = match context.out.json || context.out.quiet {
        true => Vec::new(),
        false => ledger.call(TaskList { flow: Some(id.into()), limit: Some(NEWEST), ..TaskList::default() })?.tasks,
    };
    context.out.named(&shown, [id], |out| flow::sheet(out, &shown.flow, &newest))?;
    if shown.flow.tasks.total > u64::from(NEWEST) {
        context.out.note(&format!("These are the newest of its tasks. To see all: bgledger list --flow {number}"));
    }
    Ok(Exit::Done)
}
