//! One task in full.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::sheet;
use crate::value;
use bgledger_core::{Lookup, Show as Request};

/// Show one task in full
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The task: its number, id, run id or session key
    #[arg(value_parser = value::lookup)]
    lookup: Lookup,
}

impl Show {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let shown = context.reading()?.call(Request { lookup: self.lookup })?;
        context.out.result(&shown, [&shown.task], |out| sheet::sheet(out, &shown.task))?;
        Ok(Exit::Done)
    }
}
