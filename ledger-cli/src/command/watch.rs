//! Follows the ledger, or one task.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::event;
use crate::value;
use bgledger_core::{Lookup, Seq, Show, Span, Watch as Request};
use serde::Serialize;

/// Follow what happens, one event a line
///
/// Without a task it follows the whole ledger; with one, until that task has ended for good.
/// With --json each line is one event; give the last one's `seq` to --after to go on without a gap.
///
/// Events go with their tasks when these are pruned. Whoever asks for events that are gone is told so: people once, on
/// stderr; with --json by a line {"truncated": true, "next": N} of its own, before what is left of them up to N.
/// `bgledger list` says how things stand.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bgledger watch --after 0 --json | jq -r '\"\\(.number) \\(.type)\"'")]
pub(crate) struct Watch {
    /// Only this task: its number, id, run id or session key
    #[arg(value_parser = value::lookup)]
    lookup: Option<Lookup>,
    /// Begin after this event; 0 is the ledger's beginning [default: now]
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// End after so many events [default: without end]
    #[arg(long, short = 'n', value_name = "N")]
    limit: Option<u64>,
}

/// The line of the stream that says that events are missing.
#[derive(Serialize)]
struct Gap {
    truncated: bool,
    next: Seq,
}

/// How long one question waits. In between, a reader that has gone away is noticed.
const ROUND: Span = Span::from_secs(1);
/// Events asked for at once.
const BATCH: u32 = 1_000;

impl Watch {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let ledger = context.reading()?;
        // A session's or run's lookup means one task from here on, whatever starts later.
        let task = match self.lookup {
            Some(lookup) => Some(ledger.call(Show::from(lookup))?.task.task.number),
            None => None,
        };
        let (mut after, mut left, mut is_told) = (self.after.map(Seq), self.limit, false);
        loop {
            let limit = left.and_then(|left| u32::try_from(left).ok()).map_or(BATCH, |left| left.min(BATCH));
            if limit == 0 {
                return Ok(Exit::Done);
            }
            // Asked before the events: an end that comes in between is shown by the next round.
            let is_over = match task {
                Some(number) => ledger.call(Show::from(Lookup::from(number)))?.task.task.status.is_final(),
                None => false,
            };
            let timeout = Some(if is_over { Span::ZERO } else { ROUND });
            let lookup = task.map(Into::into);
            let events = ledger.call(Request { lookup, after, limit: Some(limit), timeout })?;
            if events.truncated {
                match (context.out.json, is_told) {
                    (true, _) => context.out.json(&Gap { truncated: true, next: events.next })?,
                    (false, false) => {
                        context.out.note("Some of the events asked for are gone: their tasks were pruned.")
                    }
                    (false, true) => {}
                }
                is_told = true;
            }
            for event in &events.events {
                match (context.out.json, context.out.quiet) {
                    (true, _) => context.out.json(event)?,
                    (false, true) => context.out.text(&format!("{}\n", event.id))?,
                    (false, false) => context.out.text(&event::line(&context.out, event))?,
                }
            }
            left = left.map(|left| left.saturating_sub(events.events.len() as u64));
            if (is_over && events.events.is_empty()) || !context.out.is_read() {
                return Ok(Exit::Done);
            }
            after = Some(events.next);
        }
    }
}
