//! What is answered about notices.

use super::TaskView;
use crate::{Notice, NoticeId};
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

/// A notice as it is told: what it is about, and the text for people.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoticeView {
    /// Its name within this ledger.
    pub notice: NoticeId,
    /// Its name everywhere: the task's id, `seq` and recipient. Who records it with the effect has it once.
    pub key: String,
    /// What happened: the event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// For people; see [`crate::message`].
    pub message: String,
    /// Where it stands.
    #[serde(flatten)]
    pub state: Notice,
    /// The task as it is now; `null` once it is pruned.
    pub task: Option<TaskView>,
}

/// A page of notices.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoticePage {
    /// The notices, newest first.
    pub notices: Vec<NoticeView>,
    /// Where the next page begins; `null` at the end.
    pub next: Option<NoticeId>,
}

/// The answer to `notices_claim`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClaimedNotices {
    /// What to answer them with; `null` if nothing was due.
    pub claim: Option<String>,
    /// What was claimed, oldest first.
    pub notices: Vec<NoticeView>,
}

/// The answer to what changes notices.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoticeList {
    /// How many changed; the others were so before.
    pub changed: u64,
    /// All that were named, as they are now.
    pub notices: Vec<NoticeView>,
}
