//! What is answered about flows.

use super::{CancelAnswer, CancelledTask, HookRun};
use crate::FlowNumber;
use crate::flow::{Flow, RollUp};
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

/// A flow as it is told: the record, and what its tasks come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FlowView {
    /// The record.
    #[serde(flatten)]
    pub flow: Flow,
    /// What its tasks come to.
    pub tasks: RollUp,
}

/// The answer to `flow_create`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FlowCreated {
    /// Whether it was recorded now; otherwise it was there with the same content.
    pub created: bool,
    /// The flow.
    pub flow: FlowView,
}

/// A page of flows.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FlowPage {
    /// The flows.
    pub flows: Vec<FlowView>,
    /// Where to go on; `null` at the end.
    pub next: Option<String>,
    /// Flows of this page that cannot be read: somebody wrote them past bgledger, or the file is damaged.
    pub unreadable: Vec<UnreadableFlow>,
}

/// A flow whose row, or that of one of its tasks, does not hold what it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnreadableFlow {
    /// Its number.
    pub number: FlowNumber,
    /// What is wrong.
    pub problem: String,
}

/// One flow.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FlowShown {
    /// The flow.
    pub flow: FlowView,
}

/// The answer to what moves a flow.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FlowRecorded {
    /// Whether anything changed; otherwise it had ended so before.
    pub changed: bool,
    /// The flow.
    pub flow: FlowView,
}

/// The answer to `flow_cancel`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FlowCancelReply {
    /// What it came to: `requested` while one of its tasks is active.
    pub cancel: CancelAnswer,
    /// The flow.
    pub flow: FlowView,
    /// What it came to for its tasks and those that descend from them.
    pub tasks: Vec<CancelledTask>,
    /// The hooks that were run for those of them that go on: see [`crate::config::CANCEL_HOOK`].
    pub hooks: Vec<HookRun>,
}
