//! Tasks, newest first.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::page;
use crate::value;
use bgledger_core::{FlowLookup, List as Request, Lookup, Millis, Status, StatusFilter, bounds};

/// List tasks, newest first (what `bgledger` alone does)
///
/// Filters add up: a task is shown if it fits all of them.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger list --active
  bgledger list --status failed,timed_out --since 1d
  bgledger list --metadata branch=main --search timeout --json")]
pub(crate) struct List {
    /// Only queued and running ones
    #[arg(long, short)]
    active: bool,
    /// Only these statuses; several with commas, or given again
    #[arg(long, short, value_delimiter = ',', value_parser = value::status())]
    status: Vec<Status>,
    /// Only this runtime
    #[arg(long, value_name = "WORD")]
    runtime: Option<String>,
    /// Only this kind
    #[arg(long)]
    kind: Option<String>,
    /// Only those that this session asked for or runs
    #[arg(long, value_name = "KEY")]
    session: Option<String>,
    /// Only this agent's
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Only those with this very label
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Only this run id
    #[arg(long, value_name = "ID")]
    run_id: Option<String>,
    /// Only those with this metadata value; given again, all of them must fit
    #[arg(long, value_name = "NAME=VALUE", value_parser = value::pair)]
    metadata: Vec<(String, String)>,
    /// Only those created since: a time, a day, or how long ago, such as 2h
    #[arg(long, value_name = "TIME", value_parser = value::time)]
    since: Option<Millis>,
    /// Only those created before
    #[arg(long, value_name = "TIME", value_parser = value::time)]
    until: Option<Millis>,
    /// Only those with this text in label, task, summary or error
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only the children of this task
    #[arg(long, value_name = "LOOKUP", value_parser = value::lookup)]
    parent: Option<Lookup>,
    /// Only the tasks of this flow: its number such as F3, id or owner
    #[arg(long, value_name = "FLOW", value_parser = value::flow)]
    flow: Option<FlowLookup>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "N", default_value_t = bounds::LIST_DEFAULT, help = format!("At most so many, up to {}", bounds::LIST_MOST))]
    limit: u32,
    /// Go on after the page that ended here: its `next`
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

impl List {
    /// What `bgledger` alone lists.
    pub(crate) fn newest() -> List {
        List { limit: bounds::LIST_DEFAULT, ..List::default() }
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let refused = |problem: String| Failure::usage(problem, "write --metadata NAME=VALUE once for each name");
        let request = Request {
            active: self.active,
            status: StatusFilter(self.status),
            runtime: self.runtime,
            kind: self.kind,
            session: self.session,
            agent: self.agent,
            label: self.label,
            run_id: self.run_id,
            metadata: value::metadata(&self.metadata).map_err(refused)?,
            since: self.since,
            until: self.until,
            search: self.search,
            parent: self.parent,
            flow: self.flow,
            limit: Some(self.limit),
            after: self.after,
        };
        let is_filtered = is_filtered(&request);
        let page = context.reading()?.fill(request)?;
        page::unreadable(&context.out, page.unreadable.iter().map(|odd| (odd.number.to_string(), &*odd.problem)));
        if page.tasks.is_empty() && page.unreadable.is_empty() {
            match is_filtered {
                true => context.out.note("No task fits."),
                false => context.out.note("No tasks yet. Try: bgledger run -- echo hello"),
            }
        }
        context.out.paged(&page, &page.tasks, |out| match page.tasks.is_empty() {
            true => String::new(),
            false => page::tasks(out, &page.tasks),
        })?;
        if let Some(next) = &page.next {
            context.out.note(&format!("There are more: add --after {next}, or --limit."));
        }
        Ok(Exit::Done)
    }
}

fn is_filtered(request: &Request) -> bool {
    let texts = [
        &request.runtime,
        &request.kind,
        &request.session,
        &request.agent,
        &request.label,
        &request.run_id,
        &request.search,
        &request.after,
    ];
    request.active
        || !request.status.0.is_empty()
        || !request.metadata.is_empty()
        || request.since.is_some()
        || request.until.is_some()
        || request.parent.is_some()
        || request.flow.is_some()
        || texts.iter().any(|text| text.is_some())
}
