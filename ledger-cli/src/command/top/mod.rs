//! A live view of the ledger.

mod board;
mod frame;
mod keys;
#[cfg(unix)]
mod live;
mod order;
#[cfg(unix)]
mod screen;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use bgledger_core::{List, Stats, TaskPage, bounds};
use bgledger_store::Ledger;
use board::{Board, Snapshot};
use std::collections::BTreeSet;

/// Watch what runs, live
///
/// Running tasks come first, then queued ones, then the newest that ended; children stand below their parents. HEARD is
/// how long ago a running task last reported anything. What another process records is shown at once.
///
/// Keys: arrows or j and k move, Enter opens a task in full, / filters by a text in label, status, runtime, kind, agent,
/// session, run id or number, a shows active tasks only, c cancels after asking, q quits.
///
/// Where stdout is no terminal, and with --once, it prints one frame and ends; with --json that is the list of its
/// tasks, as `list` prints one, in the order of the frame.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger top
  bgledger top --active --filter nightly
  watch -n 60 bgledger top --once")]
pub(crate) struct Top {
    /// Print one frame and end
    #[arg(long)]
    once: bool,
    /// Only queued and running ones
    #[arg(long, short)]
    active: bool,
    /// Only tasks with this text in label, status, runtime, kind, agent, session, run id or number
    #[arg(long, short, value_name = "TEXT", default_value = "", hide_default_value = true)]
    filter: String,
    #[arg(long, short = 'n', value_name = "N", default_value_t = bounds::LIST_DEFAULT, help = format!("Of the newest tasks, at most so many beside the active ones, up to {}", bounds::LIST_MOST))]
    limit: u32,
}

/// Active tasks that are shown at most; the head counts all of them.
const ACTIVE: u32 = 1_000;

impl Top {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let ledger = context.reading()?;
        let board = Board::new(read(&ledger, self.limit)?, self.filter, self.active);
        let out = &context.out;
        #[cfg(unix)]
        if !self.once
            && !out.json
            && !out.quiet
            && out.is_live()
            && let Ok(screen) = screen::Screen::take()
        {
            return live::run(context, &ledger, board, screen, self.limit);
        }
        if out.json {
            let tasks = board.rows.into_iter().map(|row| row.view).collect();
            let unreadable = board.snapshot.unreadable;
            return out.json(&TaskPage { tasks, next: None, unreadable }).map(|()| Exit::Done);
        }
        match out.quiet {
            true => out.text(&board.rows.iter().map(|row| format!("{}\n", row.view.task.id)).collect::<String>())?,
            false => out.text(&frame::whole(&board, out))?,
        }
        Ok(Exit::Done)
    }
}

/// Reads what one frame shows.
fn read(ledger: &Ledger, limit: u32) -> Result<Snapshot, Failure> {
    let active = ledger.call(List { active: true, limit: Some(ACTIVE), ..List::default() })?;
    let (mut tasks, mut unreadable) = (active.tasks, active.unreadable);
    let seen: BTreeSet<_> = tasks.iter().map(|view| view.task.id).collect();
    let newest = ledger.call(List { limit: Some(limit), ..List::default() })?;
    unreadable.extend(newest.unreadable);
    tasks.extend(newest.tasks.into_iter().filter(|view| !seen.contains(&view.task.id)));
    Ok(Snapshot { stats: ledger.call(Stats {})?, tasks, unreadable })
}
