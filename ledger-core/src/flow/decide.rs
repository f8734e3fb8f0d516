//! What may happen to a flow: one pure function over (flow, command, now).

use super::{Blocked, Flow, FlowCancel, FlowStatus};
use crate::{Error, Json, Millis};
use alloc::string::String;

/// What a controller's move says besides where the flow stands. `None` keeps what is recorded, `Some(None)` clears it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlowMove {
    /// See [`Flow::step`].
    pub step: Option<Option<String>>,
    /// See [`Flow::state`].
    pub state: Option<Option<Json>>,
}

/// A command on a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowCommand {
    /// It waits; blocked where something stands in its way.
    Wait {
        /// The revision that the controller saw.
        revision: u64,
        /// What else it says.
        moved: FlowMove,
        /// What it waits for.
        wait: Option<Option<Json>>,
        /// What stands in its way.
        blocked: Option<Blocked>,
    },
    /// It goes on.
    Resume {
        /// The revision that the controller saw.
        revision: u64,
        /// What else it says.
        moved: FlowMove,
        /// Whether its controller is at work; it is queued otherwise.
        running: bool,
    },
    /// It did what it was for.
    Finish {
        /// The revision that the controller saw.
        revision: u64,
        /// What else it says.
        moved: FlowMove,
    },
    /// It did not.
    Fail {
        /// The revision that the controller saw.
        revision: u64,
        /// What else it says.
        moved: FlowMove,
        /// What stood in its way.
        blocked: Option<Blocked>,
    },
    /// Somebody asks to cancel it.
    RequestCancel {
        /// By whom.
        by: Option<String>,
        /// Why.
        why: Option<String>,
    },
    /// Its last active task has settled.
    Settled,
}

/// Decides a command on a managed flow: what it becomes; `None`: it stays as it is. Pure.
///
/// The order of the checks is the order of precedence of the refusals: a mirrored flow is moved by its task alone; one
/// that has ended stays so (the same end again changes nothing); after a request to cancel a flow may end, but neither
/// wait nor go on; and a move names the current revision.
pub fn decide_flow(flow: &Flow, command: &FlowCommand, now: Millis) -> Result<Option<Flow>, Error> {
    if flow.mirrors.is_some() {
        return Err(Error::FlowMirrored { flow: flow.number });
    }
    if let Some(ended_at) = flow.ended_at {
        let same = match command {
            FlowCommand::Finish { .. } => flow.status == FlowStatus::Succeeded,
            FlowCommand::Fail { .. } => flow.status == FlowStatus::Failed,
            FlowCommand::RequestCancel { .. } | FlowCommand::Settled => true,
            FlowCommand::Wait { .. } | FlowCommand::Resume { .. } => false,
        };
        return match same {
            true => Ok(None),
            false => Err(Error::FlowEnded { flow: flow.number, recorded_status: flow.status, ended_at }),
        };
    }
    let now = now.max(flow.updated_at);
    let mut next = Flow { updated_at: now, revision: flow.revision.saturating_add(1), ..flow.clone() };
    match command {
        FlowCommand::Wait { revision, moved, wait, blocked } => {
            not_cancelled(flow)?;
            seen(flow, *revision)?;
            next.status = if blocked.is_some() { FlowStatus::Blocked } else { FlowStatus::Waiting };
            next.blocked = blocked.clone();
            if let Some(wait) = wait {
                next.wait = wait.clone();
            }
            say(&mut next, moved);
        }
        FlowCommand::Resume { revision, moved, running } => {
            not_cancelled(flow)?;
            seen(flow, *revision)?;
            next.status = if *running { FlowStatus::Running } else { FlowStatus::Queued };
            (next.wait, next.blocked) = (None, None);
            say(&mut next, moved);
        }
        FlowCommand::Finish { revision, moved } => {
            seen(flow, *revision)?;
            end(&mut next, FlowStatus::Succeeded, now);
            next.blocked = None;
            say(&mut next, moved);
        }
        FlowCommand::Fail { revision, moved, blocked } => {
            seen(flow, *revision)?;
            end(&mut next, FlowStatus::Failed, now);
            next.blocked = blocked.clone().or(next.blocked);
            say(&mut next, moved);
        }
        FlowCommand::RequestCancel { .. } if flow.cancel.is_some() => return Ok(None),
        FlowCommand::RequestCancel { by, why } => {
            next.cancel = Some(FlowCancel { requested_at: now, by: by.clone(), why: why.clone() });
        }
        FlowCommand::Settled if flow.cancel.is_none() => return Ok(None),
        FlowCommand::Settled => {
            end(&mut next, FlowStatus::Cancelled, now);
            next.blocked = None;
        }
    }
    Ok(Some(next))
}

/// Refuses a move by who has not seen the newest.
fn seen(flow: &Flow, revision: u64) -> Result<(), Error> {
    match flow.revision == revision {
        true => Ok(()),
        false => Err(Error::RevisionConflict {
            flow: flow.number,
            given: revision,
            recorded: flow.revision,
            recorded_status: flow.status,
            updated_at: flow.updated_at,
        }),
    }
}

fn not_cancelled(flow: &Flow) -> Result<(), Error> {
    match &flow.cancel {
        Some(cancel) => Err(Error::FlowCancelRequested { flow: flow.number, requested_at: cancel.requested_at }),
        None => Ok(()),
    }
}

fn end(flow: &mut Flow, status: FlowStatus, now: Millis) {
    (flow.status, flow.ended_at, flow.wait) = (status, Some(now), None);
}

fn say(flow: &mut Flow, FlowMove { step, state }: &FlowMove) {
    if let Some(step) = step {
        flow.step = step.clone();
    }
    if let Some(state) = state {
        flow.state = state.clone();
    }
}
