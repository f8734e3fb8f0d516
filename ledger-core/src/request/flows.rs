//! The requests about flows.

use crate::event::given;
use crate::flow::FlowMove;
use crate::{FlowLookup, FlowStatus, Json, Lookup};
use alloc::string::String;
use alloc::vec::Vec;
use serde::Deserialize;

/// Record a flow: a managed one with its goal, or one that mirrors a task.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct FlowCreate {
    /// What it is for (needed, unless it mirrors a task).
    pub goal: Option<String>,
    /// Who moves it (needed, unless it mirrors a task).
    pub controller: Option<String>,
    /// The task that it follows: everything else is read from that task.
    pub mirrors: Option<Lookup>,
    /// The caller's idempotency key.
    pub key: Option<String>,
    /// The principal it belongs to; the handle's if absent.
    pub owner: Option<String>,
    /// Whether its controller is at work already; it is queued otherwise.
    pub running: bool,
    /// The step that it is at.
    pub step: Option<String>,
    /// What its controller keeps of it.
    pub state: Option<Json>,
}

/// Flows, newest first, that fit every filter given.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct FlowList {
    /// Only those that have not ended.
    pub active: bool,
    /// Only these statuses.
    pub status: Vec<FlowStatus>,
    /// Only this controller's.
    pub controller: Option<String>,
    /// At most so many: 50 if absent, 10,000 at most.
    pub limit: Option<u32>,
    /// Go on where the last page ended: its `next`.
    pub after: Option<String>,
}

/// One flow, with what its tasks come to.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FlowShow {
    /// The flow.
    pub flow: FlowLookup,
}

/// It waits; blocked where something stands in its way.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FlowWait {
    /// The flow.
    pub flow: FlowLookup,
    /// The revision that the controller saw.
    pub revision: u64,
    /// The step that it is at; `null` clears it.
    #[serde(default, deserialize_with = "given")]
    pub step: Option<Option<String>>,
    /// What its controller keeps of it; `null` clears it.
    #[serde(default, deserialize_with = "given")]
    pub state: Option<Option<Json>>,
    /// What it waits for; `null` clears it.
    #[serde(default, deserialize_with = "given")]
    pub wait: Option<Option<Json>>,
    /// The task that stands in its way.
    #[serde(default)]
    pub blocked_task: Option<Lookup>,
    /// What stands in its way, in words.
    #[serde(default)]
    pub blocked_summary: Option<String>,
}

/// It goes on: what it waited for and what stood in its way are cleared.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FlowResume {
    /// The flow.
    pub flow: FlowLookup,
    /// The revision that the controller saw.
    pub revision: u64,
    /// Whether its controller is at work; it is queued otherwise.
    #[serde(default)]
    pub running: bool,
    /// The step that it is at; `null` clears it.
    #[serde(default, deserialize_with = "given")]
    pub step: Option<Option<String>>,
    /// What its controller keeps of it; `null` clears it.
    #[serde(default, deserialize_with = "given")]
    pub state: Option<Option<Json>>,
}

/// It did what it was for.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FlowFinish {
    /// The flow.
    pub flow: FlowLookup,
    /// The revision that the controller saw.
    pub revision: u64,
    /// The step that it is at; `null` clears it.
    #[serde(default, deserialize_with = "given")]
    pub step: Option<Option<String>>,
    /// What its controller keeps of it; `null` clears it.
    #[serde(default, deserialize_with = "given")]
    pub state: Option<Option<Json>>,
}

/// It did not do what it was for.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FlowFail {
    /// The flow.
    pub flow: FlowLookup,
    /// The revision that the controller saw.
    pub revision: u64,
    /// The step that it is at; `null` clears it.
    #[serde(default, deserialize_with = "given")]
    pub step: Option<Option<String>>,
    /// What its controller keeps of it; `null` clears it.
    #[serde(default, deserialize_with = "given")]
    pub state: Option<Option<Json>>,
    /// The task that stood in its way.
    #[serde(default)]
    pub blocked_task: Option<Lookup>,
    /// What stood in its way, in words.
    #[serde(default)]
    pub blocked_summary: Option<String>,
}

/// Ask to cancel it, its tasks and all that descends from them.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FlowCancelRequest {
    /// The flow.
    pub flow: FlowLookup,
    /// By whom.
    #[serde(default)]
    pub by: Option<String>,
    /// Why.
    #[serde(default)]
    pub why: Option<String>,
}

macro_rules! moves {
    ($($request:ident)*) => {$(
        impl $request {
            /// What it says besides where the flow stands.
            pub fn moved(&self) -> FlowMove {
                FlowMove { step: self.step.clone(), state: self.state.clone() }
            }
        }
    )*};
}

moves! { FlowWait FlowResume FlowFinish FlowFail }
