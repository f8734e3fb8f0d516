//! Follows a runtime's own word of its work.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::table::{Fit, Table};
use crate::output::{Output, tint};
use crate::value;
use bgledger_core::{Json, KnownEnd, Lookup, Millis, Reconcile as Request, Reconciled, bounds, escape};
use std::path::PathBuf;

/// Follow a runtime's own word of its work: what it is at, and how the rest ended
///
/// What it is at work on and the ledger has as queued or presumed dead is running again. What it knows to have ended
/// ends so. With --complete, a running task that it does not name and whose executor nobody sees alive is lost. Without
/// --apply it says what it would do and changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger reconcile --runtime cron --owned run:feeds-17,run:feeds-18 --complete
  echo '[{\"lookup\": \"run:feeds-16\", \"end\": {\"status\": \"succeeded\"}}]' |
    bgledger reconcile --runtime cron --ended - --apply")]
pub(crate) struct Reconcile {
    /// The runtime that speaks
    #[arg(long, value_name = "WORD")]
    runtime: String,
    /// What it is at work on
    #[arg(long, value_name = "LOOKUP", value_delimiter = ',', value_parser = value::lookup)]
    owned: Vec<Lookup>,
    /// What it knows to have ended: a file, or - for stdin, with a JSON list of {"lookup", "end": {"status", …}}
    #[arg(long, value_name = "FILE")]
    ended: Option<PathBuf>,
    /// That is all that it is at work on
    #[arg(long)]
    complete: bool,
    /// When it looked; tasks that started since are left alone [default: now]
    #[arg(long, value_name = "TIME", value_parser = value::time)]
    as_of: Option<Millis>,
    /// Who speaks for it
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Do it
    #[arg(long)]
    apply: bool,
}

impl Reconcile {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let ended = match &self.ended {
            Some(path) => known_ends(&value::json_of_file(path, "ended", bounds::REQUEST_BYTES)?)?,
            None => Vec::new(),
        };
        let Reconcile { runtime, owned, complete, as_of, by, apply, .. } = self;
        let ledger = if apply { context.recording()? } else { context.reading()? };
        let reply = ledger.call(Request { runtime, owned, ended, complete, as_of, by, apply })?;
        if context.out.quiet {
            let ids: String = reply.actions.iter().map(|action| format!("{}\n", action.id)).collect();
            context.out.text(&ids)?;
            return Ok(Exit::Done);
        }
        context.out.result(&reply, [], |out| actions(out, &reply))?;
        if !reply.unknown.is_empty() {
            let names: Vec<String> = reply.unknown.iter().map(|name| escape(name).to_string()).collect();
            context.out.note(&format!("Not there, or not this runtime's: {}", names.join(", ")));
        }
        if !reply.applied && !reply.actions.is_empty() {
            context.out.note("Nothing was changed. To do this: the same with --apply");
        }
        Ok(Exit::Done)
    }
}

fn known_ends(json: &Json) -> Result<Vec<KnownEnd>, Failure> {
    serde_json::from_str(json.as_str()).map_err(|error| {
        let expected = "a JSON list of {\"lookup\": …, \"end\": {\"status\": …}}";
        bgledger_core::Error::invalid("ended", error.to_string(), expected).into()
    })
}

fn actions(out: &Output, reply: &Reconciled) -> String {
    if reply.actions.is_empty() {
        return "Nothing to do.\n".to_owned();
    }
    let mut table = Table::new(&[
        ("#", Fit::Right),
        ("DO", Fit::Keep),
        ("FROM", Fit::Keep),
        ("TO", Fit::Keep),
        ("LABEL", Fit::Cut(10)),
    ]);
    for action in &reply.actions {
        let cells = vec![
            action.number.0.to_string(),
            action.action.as_str().to_owned(),
            action.from.as_str().to_owned(),
            format!("{} {}", tint::glyph(action.to), action.to.as_str()),
            escape(&action.label).to_string(),
        ];
        table.row(cells, 3, tint::of_status(action.to));
    }
    table.render(out)
}
