//! Waits until nothing runs.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::table::{Fit, Table};
use crate::output::{Output, time};
use crate::value;
use bgledger_core::{Drain as Request, Drained, Span, escape};

/// Wait until nothing runs any more, and say what does when the time is over
///
/// A task whose executor is proved dead holds nobody up, whatever its record says. Exits 124 if something is left.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger drain --deadline 2m && systemctl restart agents
  bgledger drain --runtime cron")]
pub(crate) struct Drain {
    /// How long to wait, such as 2m; a bare number is seconds [default: only look]
    #[arg(long, value_name = "TIME", value_parser = value::span)]
    deadline: Option<Span>,
    /// Only this runtime's tasks
    #[arg(long, value_name = "WORD")]
    runtime: Option<String>,
    /// Wait for queued tasks too
    #[arg(long)]
    queued: bool,
}

impl Drain {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let request = Request { runtime: self.runtime, queued: self.queued, timeout: self.deadline };
        let reply = context.reading()?.call(request)?;
        if context.out.quiet {
            let ids: String = reply.active.iter().map(|view| format!("{}\n", view.task.id)).collect();
            context.out.text(&ids)?;
        } else {
            context.out.result(&reply, [], |out| active(out, &reply))?;
        }
        Ok(if reply.drained { Exit::Done } else { Exit::TimedOut })
    }
}

fn active(out: &Output, reply: &Drained) -> String {
    if reply.drained {
        return "Nothing runs.\n".to_owned();
    }
    let mut table = Table::new(&[
        ("#", Fit::Right),
        ("STATUS", Fit::Keep),
        ("RUNTIME", Fit::Cut(6)),
        ("SINCE", Fit::Keep),
        ("EXECUTOR", Fit::Keep),
        ("LABEL", Fit::Cut(10)),
    ]);
    for view in &reply.active {
        let task = &view.task;
        let since = task.attempt_started_at.unwrap_or(task.created_at);
        let cells = vec![
            task.number.0.to_string(),
            task.status.as_str().to_owned(),
            escape(&task.runtime).to_string(),
            time::relative(since, out.now),
            view.liveness.unwrap_or_default().to_owned(),
            escape(&task.label).to_string(),
        ];
        table.row(cells, 1, crate::output::tint::of_status(task.status));
    }
    table.render(out)
}
