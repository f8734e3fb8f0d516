//! A task's events.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::event;
use crate::value;
use bgledger_core::{History as Request, Lookup, Seq, bounds};

/// Show what happened to a task, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  bgledger history 42\n  bgledger history 42 --json | jq .events")]
pub(crate) struct History {
    /// The task: its number, id, run id or session key
    #[arg(value_parser = value::lookup)]
    lookup: Lookup,
    /// Only events after this one
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,
    #[arg(long, short = 'n', value_name = "N", default_value_t = bounds::LIST_MOST, help = format!("At most so many, up to {}", bounds::LIST_MOST))]
    limit: u32,
}

impl History {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let request = Request { lookup: self.lookup, after: Seq(self.after), limit: Some(self.limit) };
        let events = context.reading()?.call(request)?;
        if context.out.quiet {
            let seqs: String = events.events.iter().map(|event| format!("{}\n", event.seq.0)).collect();
            context.out.text(&seqs)?;
            return Ok(Exit::Done);
        }
        context.out.paged(&events, [], |out| event::history(out, &events.events))?;
        Ok(Exit::Done)
    }
}
