//! The state machine: the one place that says what may happen to a task.
//!
//! A refusal names the first check that fails. The checks of every command stand in this order, those that do not
//! concern it left out:
//!
//! 1. `invalid_value`: the command says what cannot be, such as an end that is none.
//! 2. `exists_with_different`, `not_started`, `not_due`: the task is not where the command begins.
//! 3. `fenced`: another attempt holds it.
//! 4. `already_running`, `already_ended`: unless the same is asked again, which is no error.
//! 5. `cancel_requested`: no start after a cancel.
//! 6. `future_time`, `time_order`: the caller's times.
//! 7. `already_set`, then `ancestor_cancelled`, `tree_shape`: what is filled in, and the parent.
//! 8. `too_large`: artifacts beyond what one task may have.

mod check;
mod create;
mod executor;
mod import;
mod operator;

pub use import::decide_import;

use crate::command::{Cancelled, Command, Moment};
use crate::event::{Asked, Event};
use crate::{Error, Task};
use alloc::vec;
use alloc::vec::Vec;

/// What a command leads to: events in order, and the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What happened; empty if nothing changed.
    pub events: Vec<Event>,
    /// What the caller is told.
    pub answer: Answer,
}

/// What the caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The task was recorded now.
    Created,
    /// The task was recorded before, with the same content.
    Exists,
    /// The row moved.
    Changed,
    /// The same was recorded before.
    Unchanged,
    /// What a request to cancel came to.
    Cancel(Cancelled),
}

/// Decides a command. Pure: the same arguments give the same answer, and nothing else is touched.
///
/// `task` is the recorded task, or for `Create` the one that has the same key, if any. Its events happen at
/// `at.now`, or at the task's `updated_at` if that is later.
pub fn decide(task: Option<&Task>, command: &Command, at: &Moment) -> Result<Decision, Error> {
    let Some(task) = task else {
        return match command {
            Command::Create(birth) => create::create(birth, at),
            Command::Start(_)
            | Command::Progress { .. }
            | Command::Heartbeat { .. }
            | Command::Finish { .. }
            | Command::RequestCancel { .. }
            | Command::Settle(_)
            | Command::Expire
            | Command::Reap(_)
            | Command::Notify(_) => Err(Error::internal("a command on a task that was not loaded")),
        };
    };
    let at = &Moment { now: at.now.max(task.updated_at), ..at.clone() };
    match command {
        Command::Create(birth) => create::exists(task, birth),
        Command::Start(claim) => executor::start(task, claim, at),
        Command::Progress { token, progress, lease, late } => {
            executor::progress(task, token, progress, late, *lease, at)
        }
        Command::Heartbeat { token, lease } => executor::heartbeat(task, token, *lease, at),
        Command::Finish { token, end } => executor::finish(task, token, end, at),
        Command::RequestCancel { by, why, evidence } => {
            operator::request_cancel(task, Asked { by: by.clone(), why: why.clone() }, evidence, at)
        }
        Command::Settle(settlement) => operator::settle(task, settlement, at),
        Command::Expire => operator::expire(task, at),
        Command::Reap(evidence) => operator::reap(task, evidence, at),
        Command::Notify(policy) => operator::notify(task, policy),
    }
}

fn changed(events: Vec<Event>) -> Decision {
    Decision { events, answer: Answer::Changed }
}

fn unchanged() -> Decision {
    Decision { events: vec![], answer: Answer::Unchanged }
}
