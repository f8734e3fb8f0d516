//! Changes whom a task's notices go out for.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line;
use crate::value;
use bgledger_core::{Lookup, Notify as Request, NotifyPolicy};

/// Change what a task gives notice of, from now on
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bgledger notify 42 silent")]
pub(crate) struct Notify {
    /// The task: its number, id, run id or session key
    #[arg(value_parser = value::lookup)]
    lookup: Lookup,
    /// The new policy
    #[arg(value_parser = value::notify())]
    policy: NotifyPolicy,
}

impl Notify {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let recorded = context.recording()?.call(Request { lookup: self.lookup, policy: self.policy })?;
        context.out.result(&recorded, [&recorded.task], |out| {
            let policy = format!("notices: {}", recorded.task.task.notify.as_str());
            line::task(out, &recorded.task, &[if recorded.changed { "" } else { "as before" }, &policy])
        })?;
        Ok(Exit::Done)
    }
}
