//! The requests that record what happens to a task.

use crate::event::Fill;
use crate::event::given;
use crate::json::distinct;
use crate::{
    Artifact, Executor, Failure, FlowLookup, Json, Lookup, Metadata, Millis, NotifyPolicy, Output, Span, Status, Usage,
};
use alloc::collections::BTreeMap;
use alloc::string::String;
use serde::Deserialize;

/// Record a task; see [`crate::Task`] for what the fields mean.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Create {
    /// A short title (needed).
    pub label: String,
    /// The work's text.
    pub task: Option<String>,
    /// The caller's idempotency key.
    pub key: Option<String>,
    /// Who runs it; the face's default if absent.
    pub runtime: Option<String>,
    /// A finer kind.
    pub kind: Option<String>,
    /// Its id in the source system.
    pub source_id: Option<String>,
    /// The run's id in the host.
    pub run_id: Option<String>,
    /// The principal it belongs to; the handle's if absent.
    pub owner: Option<String>,
    /// The conversation that asked.
    pub requester_session: Option<String>,
    /// The conversation in which it runs.
    pub session: Option<String>,
    /// The agent that does the work.
    pub agent: Option<String>,
    /// The agent that asked.
    pub requester_agent: Option<String>,
    /// The task that starts it.
    pub parent: Option<Lookup>,
    /// The flow that it belongs to; its parent's if absent.
    pub flow: Option<FlowLookup>,
    /// The task that it runs again.
    pub retry_of: Option<Lookup>,
    /// A flat map.
    pub metadata: Metadata,
    /// Whom its notices go out for; the ledger's default for the runtime if absent.
    pub notify: Option<NotifyPolicy>,
    /// How long it may stay queued.
    pub queue_timeout: Option<Span>,
    /// How long an attempt may run.
    pub timeout: Option<Span>,
    /// An earlier time of creation.
    pub created_at: Option<Millis>,
    /// Start it at once.
    pub start: Option<ClaimSpec>,
    /// Record that it is already over.
    pub finish: Option<EndSpec>,
}

/// A start as part of a creation.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ClaimSpec {
    /// Who does the work; the face's default if absent.
    pub executor: Option<ExecutorSpec>,
    /// How long a heartbeat keeps it alive.
    pub lease: Option<Span>,
    /// When it started.
    pub started_at: Option<Millis>,
}

/// Who does the work.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ExecutorSpec {
    /// Nothing to observe.
    External,
    /// This process.
    #[serde(rename = "self")]
    This,
    /// Another process of this machine.
    Process {
        /// Its pid.
        pid: u32,
        /// The process group of the command it runs: the leader's pid.
        #[serde(default)]
        group: Option<u32>,
    },
    /// An executor the host names itself, on another machine for example.
    Identity(Executor),
}

/// An end as part of a creation.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EndSpec {
    /// How it ended.
    pub status: Status,
    /// What a success amounts to.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Why it ended otherwise.
    #[serde(default)]
    pub reason: Option<String>,
    /// What went wrong.
    #[serde(default)]
    pub error: Option<Failure>,
    /// The result in words.
    #[serde(default)]
    pub summary: Option<String>,
    /// The result as JSON, kept as given.
    #[serde(default)]
    pub result: Option<Json>,
    /// A command's exit code.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// The signal that ended a command.
    #[serde(default)]
    pub signal: Option<i32>,
    /// The end of a command's output.
    #[serde(default)]
    pub output: Option<Output>,
    /// What the work left behind, by name.
    #[serde(default, deserialize_with = "distinct")]
    pub artifacts: BTreeMap<String, Artifact>,
    /// What the work cost.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<Millis>,
}

/// Claim a task.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The task.
    pub lookup: Lookup,
    /// Who does the work; the face's default if absent.
    #[serde(default)]
    pub executor: Option<ExecutorSpec>,
    /// How long a heartbeat keeps it alive.
    #[serde(default)]
    pub lease: Option<Span>,
    /// When it started.
    #[serde(default)]
    pub started_at: Option<Millis>,
    /// What is null may be filled in once.
    #[serde(default)]
    pub fill: Fill,
}

/// Report how far the work is. What is absent stays as it was.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProgressRequest {
    /// The task.
    pub lookup: Lookup,
    /// The attempt that speaks; the current one if absent.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// The executor's nonce.
    #[serde(default)]
    pub nonce: Option<String>,
    /// In words.
    #[serde(default)]
    pub text: Option<String>,
    /// Units done.
    #[serde(default)]
    pub current: Option<u64>,
    /// Units in all.
    #[serde(default)]
    pub total: Option<u64>,
    /// The unit's name.
    #[serde(default)]
    pub unit: Option<String>,
    /// What it waits for; `null` says that it waits no more.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub waiting_on: Option<Option<String>>,
    /// The attempt's total usage.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// Artifacts to add, by name.
    #[serde(default, deserialize_with = "distinct")]
    pub artifacts: BTreeMap<String, Artifact>,
    /// The lease's new length.
    #[serde(default)]
    pub lease: Option<Span>,
    /// What is null may be filled in once.
    #[serde(default)]
    pub fill: Fill,
}

/// Say that the work lives.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The task.
    pub lookup: Lookup,
    /// The attempt that speaks; the current one if absent.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// The executor's nonce.
    #[serde(default)]
    pub nonce: Option<String>,
    /// The lease's new length.
    #[serde(default)]
    pub lease: Option<Span>,
}

/// End a task, by the executor's word.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Finish {
    /// The task.
    pub lookup: Lookup,
    /// The attempt that speaks; the current one if absent.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// The executor's nonce.
    #[serde(default)]
    pub nonce: Option<String>,
    /// How it ended: `succeeded`, `failed`, `timed_out` or `cancelled`.
    pub status: Status,
    /// What a success amounts to; `ok` if absent.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Why it ended otherwise.
    #[serde(default)]
    pub reason: Option<String>,
    /// What went wrong.
    #[serde(default)]
    pub error: Option<Failure>,
    /// The result in words.
    #[serde(default)]
    pub summary: Option<String>,
    /// The result as JSON, kept as given.
    #[serde(default)]
    pub result: Option<Json>,
    /// A command's exit code.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// The signal that ended a command.
    #[serde(default)]
    pub signal: Option<i32>,
    /// The end of a command's output.
    #[serde(default)]
    pub output: Option<Output>,
    /// Artifacts to add, by name.
    #[serde(default, deserialize_with = "distinct")]
    pub artifacts: BTreeMap<String, Artifact>,
    /// The attempt's total usage.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<Millis>,
}

/// End a task, by an operator's or host's word.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Settle {
    /// The task.
    pub lookup: Lookup,
    /// How it ended: any end, `lost` too.
    pub status: Status,
    /// What a success amounts to.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Why it ended otherwise; `forced` if absent.
    #[serde(default)]
    pub reason: Option<String>,
    /// Who says so.
    #[serde(default)]
    pub by: Option<String>,
    /// And why.
    #[serde(default)]
    pub why: Option<String>,
    /// What went wrong.
    #[serde(default)]
    pub error: Option<Failure>,
    /// The result in words.
    #[serde(default)]
    pub summary: Option<String>,
    /// The result as JSON.
    #[serde(default)]
    pub result: Option<Json>,
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<Millis>,
}

/// Ask to cancel a task and all that descends from it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// The task.
    pub lookup: Lookup,
    /// Who asks.
    #[serde(default)]
    pub by: Option<String>,
    /// And why.
    #[serde(default)]
    pub why: Option<String>,
}

/// Change whom a task's notices go out for.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// The task.
    pub lookup: Lookup,
    /// The policy for later events.
    pub policy: NotifyPolicy,
}
