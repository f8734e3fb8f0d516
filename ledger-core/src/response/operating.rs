//! What is answered to those who look after a ledger.

use super::TaskView;
use crate::audit::{Acknowledgement, Finding, Remedy, Severity};
use crate::reconcile::Action;
use crate::{ClockJump, Evidence, FlowId, FlowNumber, FlowStatus, Millis, Seq, Status, TaskId, TaskNumber};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

/// The answer to `stats`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StatsReport {
    /// Tasks.
    pub total: u64,
    /// Queued and running ones.
    pub active: u64,
    /// By status, every one named.
    pub by_status: BTreeMap<&'static str, u64>,
    /// By runtime.
    pub by_runtime: BTreeMap<String, u64>,
    /// Findings of the audit.
    pub issues: u64,
    /// The newest event.
    pub last_seq: Seq,
    /// The ledger's size in bytes.
    pub bytes: u64,
}

/// The answer to `audit`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditReport {
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// The same by cause, worst and most frequent first: every one, listed or not.
    pub causes: Vec<Cause>,
    /// Counts over all findings, listed or not.
    pub summary: AuditSummary,
}

/// Counts of findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditSummary {
    /// All of them.
    pub total: u64,
    /// Errors.
    pub errors: u64,
    /// Warnings.
    pub warnings: u64,
    /// By code.
    pub by_code: BTreeMap<&'static str, u64>,
    /// Those that somebody acknowledged: they are in no other count.
    pub acknowledged: u64,
}

/// Findings of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cause {
    /// The findings' code.
    pub code: &'static str,
    /// How bad they are.
    pub severity: Severity,
    /// Who mends them.
    pub remedy: Remedy,
    /// How many there are.
    pub count: u64,
    /// Since when the oldest has been wrong.
    pub since: Option<Millis>,
    /// What it means.
    pub meaning: &'static str,
}

/// The answer to `acknowledge`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Acknowledged {
    /// Whether anything changed.
    pub changed: bool,
    /// What is recorded now.
    pub acknowledged: Option<Acknowledgement>,
}

/// The answer to `maintenance`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MaintenanceReport {
    /// Whether it was done; otherwise it would be.
    pub applied: bool,
    /// What changes of the tasks.
    pub changes: Vec<Change>,
    /// The flows that end, for they were to be cancelled and have no active task left.
    pub flows: Vec<FlowChange>,
    /// What goes, for it ended long enough ago.
    pub pruned: PruneReport,
    /// Why nothing is done: the clock jumped, and nobody has confirmed that it is right.
    pub held: Option<ClockJump>,
}

/// One change of maintenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// The finding that it mends.
    pub code: &'static str,
    /// The task.
    pub number: TaskNumber,
    /// Its id.
    pub id: TaskId,
    /// Its title.
    pub label: String,
    /// Where it stands.
    pub from: Status,
    /// Where it will.
    pub to: Status,
    /// Why.
    pub reason: Option<String>,
    /// What proves or suggests it.
    pub evidence: Option<Evidence>,
}

/// One change of a flow by maintenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FlowChange {
    /// The finding that it mends.
    pub code: &'static str,
    /// The flow.
    pub flow: FlowNumber,
    /// Its id.
    pub id: FlowId,
    /// What it is for.
    pub goal: String,
    /// Where it stands.
    pub from: FlowStatus,
    /// Where it will.
    pub to: FlowStatus,
}

/// The answer to `reconcile`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reconciled {
    /// Whether it was done; otherwise it would be.
    pub applied: bool,
    /// What is done, in the order of the tasks' numbers.
    pub actions: Vec<ReconcileAction>,
    /// What was named and is not there, or not this runtime's.
    pub unknown: Vec<String>,
    /// How many of those named need nothing done.
    pub unchanged: u64,
}

/// What is done about one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReconcileAction {
    /// What.
    pub action: Action,
    /// The task.
    pub number: TaskNumber,
    /// Its id.
    pub id: TaskId,
    /// Its title.
    pub label: String,
    /// Where it stands.
    pub from: Status,
    /// Where it will.
    pub to: Status,
}

/// The answer to `drain`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Drained {
    /// Whether nothing is left that may run.
    pub drained: bool,
    /// What is, newest first; the first ten thousand. A task whose executor is proved dead holds nobody up.
    pub active: Vec<TaskView>,
}

/// The answer to `prune`: what went, or would go.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PruneReport {
    /// Whether it was done; otherwise it would be.
    pub applied: bool,
    /// Tasks, each with its events and notices.
    pub tasks: u64,
    /// Their events.
    pub events: u64,
    /// Flows.
    pub flows: u64,
    /// Notices that nobody claimed in time: they became dead letters, which stay for 30 days.
    pub unclaimed: u64,
    /// Dead letters that outlived their tasks for long enough.
    pub letters: u64,
    /// Tombstones that stood for long enough.
    pub tombstones: u64,
    /// Why nothing is done: the clock jumped, and nobody has confirmed that it is right.
    pub held: Option<ClockJump>,
}

impl PruneReport {
    /// This and what went after it.
    #[must_use]
    pub fn plus(self, later: PruneReport) -> PruneReport {
        PruneReport {
            applied: self.applied && later.applied,
            tasks: self.tasks.saturating_add(later.tasks),
            events: self.events.saturating_add(later.events),
            flows: self.flows.saturating_add(later.flows),
            unclaimed: self.unclaimed.saturating_add(later.unclaimed),
            letters: self.letters.saturating_add(later.letters),
            tombstones: self.tombstones.saturating_add(later.tombstones),
            held: self.held.or(later.held),
        }
    }
}

/// The answer to `config`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConfigReply {
    /// The settings by key.
    pub config: BTreeMap<String, Setting>,
}

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Setting {
    /// Its value.
    pub value: Option<String>,
    /// `ledger` or `default`.
    pub origin: &'static str,
}

/// The answer to `doctor`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DoctorReport {
    /// Whether every check passed.
    pub healthy: bool,
    /// The checks.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// What was found.
    pub state: CheckState,
    /// In words.
    pub detail: String,
    /// What to do.
    pub hint: Option<String>,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warning,
    /// Wrong.
    Error,
}

/// The answer to `verify`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VerifyReport {
    /// Whether nothing was found.
    pub ok: bool,
    /// Tasks looked at.
    pub tasks: u64,
    /// Events looked at.
    pub events: u64,
    /// What is wrong, in words; the first thousand.
    pub problems: Vec<String>,
}
