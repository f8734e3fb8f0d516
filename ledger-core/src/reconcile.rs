//! What a runtime's own word of its work leads to: it says what it still owns and what it knows to have ended.

use crate::{Claim, ClaimToken, Command, End, Liveness, Millis, Settlement, Status, Task, reason};
use alloc::boxed::Box;
use serde::Serialize;

/// What is done about one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is running, as its runtime says: a queued one is started, a running one is kept alive.
    Adopt,
    /// It was presumed dead, and its runtime says that it lives, or how it ended.
    Recover,
    /// It ended as its runtime says.
    Settle,
    /// Its runtime knows nothing of it, and nothing shows that it lives.
    Lose,
}

impl Action {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Action::Adopt => "adopt",
            Action::Recover => "recover",
            Action::Settle => "settle",
            Action::Lose => "lose",
        }
    }
}

/// What a runtime says of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It is at work on it.
    Owned(Box<Claim>),
    /// It ended.
    Ended(Box<End>),
    /// It does not name it, although it named all that it had as of then.
    Unknown(Millis),
}

/// What a runtime's word on a task leads to. `None`: nothing is to be done, or the word is not to be followed: what has
/// ended for good, or was settled as lost by somebody, is not the runtime's any more.
pub fn reconcile(task: &Task, word: &Word, liveness: &Liveness, by: Option<&str>) -> Option<(Action, Command)> {
    let presumed = task.status == Status::Lost && task.reason.as_deref() != Some(reason::REPORTED);
    let token = ClaimToken::default();
    let settle =
        |end: End, why: &str| Command::Settle(Settlement { end, by: by.map(Into::into), why: Some(why.into()) });
    match (word, task.status) {
        (Word::Owned(claim), Status::Queued) => Some((Action::Adopt, Command::Start(claim.as_ref().clone()))),
        (Word::Owned(_), Status::Running) => Some((Action::Adopt, Command::Heartbeat { token, lease: None })),
        (Word::Owned(_), Status::Lost) if presumed => {
            Some((Action::Recover, Command::Heartbeat { token, lease: None }))
        }
        (Word::Ended(end), Status::Queued | Status::Running) => {
            Some((Action::Settle, settle(end.as_ref().clone(), "its runtime says so")))
        }
        (Word::Ended(end), Status::Lost) if presumed => {
            Some((Action::Recover, settle(end.as_ref().clone(), "its runtime says so")))
        }
        (Word::Unknown(as_of), Status::Running) => {
            let is_newer = task.attempt_started_at.is_none_or(|started| started > *as_of);
            let end = End {
                status: Status::Lost,
                outcome: None,
                reason: Some(crate::reason::UNKNOWN_TO_ITS_RUNTIME.into()),
                report: crate::Report::default(),
                ended_at: None,
            };
            let is_alive = *liveness == Liveness::Alive;
            (!is_newer && !is_alive).then(|| (Action::Lose, settle(end, "its runtime does not know it")))
        }
        (Word::Owned(_) | Word::Ended(_), Status::Lost) => None,
        (Word::Unknown(_), Status::Queued | Status::Lost) => None,
        (_, Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled) => None,
    }
}
