//! The requests about notices.

use crate::{Lookup, NoticeId, NoticeState, Span};
use alloc::string::String;
use alloc::vec::Vec;
use serde::Deserialize;

/// Notices, newest first, that fit every filter given.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Notices {
    /// Only for this recipient: `session:KEY` or `owner:NAME`.
    pub recipient: Option<String>,
    /// Only in these states.
    pub state: Vec<NoticeState>,
    /// Only about this task.
    pub task: Option<Lookup>,
    /// At most so many: 50 if absent, 10,000 at most.
    pub limit: Option<u32>,
    /// Go on where the last page ended: its `next`.
    pub after: Option<NoticeId>,
}

/// Take what is due, oldest first, under a lease.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NoticesClaim {
    /// For these recipients; everybody's if there is none.
    pub recipients: Vec<String>,
    /// Who takes them.
    pub consumer: Option<String>,
    /// How long until they return if nothing is said of them: 60 s if absent.
    pub lease: Option<Span>,
    /// At most so many: 10 if absent, 1,000 at most.
    pub limit: Option<u32>,
}

/// They were delivered.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NoticesAck {
    /// The claim that brought them.
    pub claim: String,
    /// Which of them.
    pub notices: Vec<NoticeId>,
}

/// They could not be delivered: tried again later, and given up in the end.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NoticesNack {
    /// The claim that brought them.
    pub claim: String,
    /// Which of them.
    pub notices: Vec<NoticeId>,
    /// Why.
    pub reason: String,
}

/// Try dismissed ones and dead letters again, or waiting ones at once.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NoticesRetry {
    /// Which.
    pub notices: Vec<NoticeId>,
}

/// Forget dead letters, and dismissed ones.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NoticesDrop {
    /// Which.
    pub notices: Vec<NoticeId>,
}

/// They need not be delivered.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NoticesDismiss {
    /// Which.
    pub notices: Vec<NoticeId>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}
