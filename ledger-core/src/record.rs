//! The whole record of a task. Separate facts stay separate: status, outcome, cancel, waiting, delivery.

use crate::{FlowId, Json, Metadata, Millis, NotifyPolicy, Span, Status, TaskId, TaskNumber};
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// A task as the ledger has it. JSON shows every field under its name here; absent values are `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Task {
    /// 1, 2, 3 … within this ledger: the short handle.
    pub number: TaskNumber,
    /// The global id, a UUIDv7.
    pub id: TaskId,
    /// The caller's idempotency key, unique per owner.
    pub key: Option<String>,
    /// Who runs it: `subagent`, `acp`, `cron`, `cli`, or any lower-case word.
    pub runtime: String,
    /// A finer kind inside the runtime.
    pub kind: Option<String>,
    /// Its id in the source system, such as the cron job's.
    pub source_id: Option<String>,
    /// The id of the run in the host.
    pub run_id: Option<String>,
    /// The principal it belongs to.
    pub owner: String,
    /// The conversation that asked for the work.
    pub requester_session: Option<String>,
    /// The conversation in which the work runs.
    pub session: Option<String>,
    /// The agent that does the work.
    pub agent: Option<String>,
    /// The agent that asked for it.
    pub requester_agent: Option<String>,
    /// The task that started it.
    pub parent: Option<TaskId>,
    /// The top of its tree; `null` if it is the top itself.
    pub root: Option<TaskId>,
    /// The flow it belongs to.
    pub flow: Option<FlowId>,
    /// The task that it runs again.
    pub retry_of: Option<TaskId>,
    /// A short title.
    pub label: String,
    /// The work's text.
    pub task: Option<String>,
    /// What the caller wants to find again: a flat map.
    pub metadata: Metadata,
    /// Whom its notices go out for.
    pub notify: NotifyPolicy,

    /// Where it stands.
    pub status: Status,
    /// What a success amounts to: `ok`, `blocked`, `no_result`.
    pub outcome: Option<String>,
    /// Why it ended otherwise.
    pub reason: Option<String>,
    /// The request to cancel it: sticky, apart from how it ends.
    pub cancel: Option<Cancel>,
    /// What running work waits for.
    pub waiting_on: Option<String>,

    /// How far it is.
    pub progress: Option<ProgressPoint>,
    /// What went wrong.
    pub error: Option<Failure>,
    /// The result in words.
    pub summary: Option<String>,
    /// The result as JSON, kept as given.
    pub result: Option<Json>,
    /// A command's exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended a command.
    pub signal: Option<i32>,
    /// The end of a command's output.
    pub output: Option<Output>,
    /// What the work left behind, by name.
    pub artifacts: BTreeMap<String, Artifact>,
    /// What the work cost, over all attempts.
    pub usage: Option<Usage>,
    /// What the earlier attempts cost.
    #[serde(skip)]
    pub usage_before: Option<Usage>,

    /// When it was recorded, or earlier if its start was.
    pub created_at: Millis,
    /// The first attempt's start.
    pub started_at: Option<Millis>,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// The last write.
    pub updated_at: Millis,

    /// The process that does the work; `null` if there is nothing to observe.
    pub executor: Option<Executor>,
    /// The current attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// When the current attempt started; `timeout` runs from here.
    pub attempt_started_at: Option<Millis>,
    /// How long a heartbeat keeps the task alive (ms).
    pub lease: Option<Span>,
    /// When the lease runs out.
    pub lease_expires_at: Option<Millis>,
    /// The lease's end on the clock of one boot.
    #[serde(skip)]
    pub lease_clock: Option<Lease>,
    /// The last heartbeat.
    pub heartbeat_at: Option<Millis>,
    /// The last progress.
    pub progress_at: Option<Millis>,
    /// How long it may stay queued (ms).
    pub queue_timeout: Option<Span>,
    /// How long an attempt may run (ms).
    pub timeout: Option<Span>,

    /// Counts the row's writes.
    pub revision: u64,
    /// Counts ends and recoveries: a notice speaks of one of them.
    pub generation: u32,
    /// Progress reports so far; only the first thousand are in the history.
    pub progress_reports: u32,
    /// Where an imported task came from, as it was there.
    pub origin: Option<Json>,
}

/// The three facts of a cancel: requested, told, and (in the status) ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cancel {
    /// When it was asked for.
    pub requested_at: Millis,
    /// By whom.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// When the executor learned of it.
    pub told_at: Option<Millis>,
}

/// How far the work is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProgressPoint {
    /// In words.
    pub text: Option<String>,
    /// Units done.
    pub current: Option<u64>,
    /// Units in all.
    pub total: Option<u64>,
    /// The unit's name.
    pub unit: Option<String>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The kind, such as an exception's class.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// In words.
    #[serde(default)]
    pub message: Option<String>,
    /// More, such as a traceback; cut to its end if long.
    #[serde(default)]
    pub detail: Option<String>,
}

/// The end of a command's output.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The last bytes as text.
    pub tail: String,
    /// Bytes in all.
    #[serde(default)]
    pub bytes: u64,
    /// Whether the tail is not the whole.
    #[serde(default)]
    pub truncated: bool,
}

/// Something the work left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Where it is.
    pub uri: String,
    /// Its size in bytes.
    #[serde(default)]
    pub size: Option<u64>,
    /// Its SHA-256 in hexadecimal.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Its media type.
    #[serde(default)]
    pub media_type: Option<String>,
}

/// What work cost: an attempt's running total, not a delta.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Usage {
    /// Tokens read.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
    /// Tokens read from a cache.
    pub tokens_cached: u64,
    /// Cost in millionths of a unit, by currency code.
    #[serde(deserialize_with = "crate::json::distinct")]
    pub cost: BTreeMap<String, u64>,
    /// Tool calls.
    pub tool_calls: u64,
}

impl Usage {
    /// The sum of two usages.
    #[must_use]
    pub fn plus(&self, other: &Usage) -> Usage {
        let mut cost = self.cost.clone();
        for (currency, micros) in &other.cost {
            let sum = cost.entry(currency.clone()).or_default();
            *sum = sum.saturating_add(*micros);
        }
        Usage {
            tokens_in: self.tokens_in.saturating_add(other.tokens_in),
            tokens_out: self.tokens_out.saturating_add(other.tokens_out),
            tokens_cached: self.tokens_cached.saturating_add(other.tokens_cached),
            cost,
            tool_calls: self.tool_calls.saturating_add(other.tool_calls),
        }
    }
}

/// The process that does the work. Two executors are the same if every field but `group` is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Executor {
    /// The machine's id.
    pub machine: Option<String>,
    /// The boot's id.
    pub boot: Option<String>,
    /// The pid namespace in which `pid` means something.
    pub pid_namespace: Option<u64>,
    /// The process id; `null` if there is no process to observe.
    pub pid: Option<u32>,
    /// The process's start, in the system's own ticks: tells a reused pid apart.
    pub started: Option<u64>,
    /// A random word that tells executors apart when nothing else does.
    pub nonce: Option<String>,
    /// The process group of the command that the executor runs.
    pub group: Option<Group>,
}

impl Executor {
    /// Whether this is the same executor: the group, which may become known later, does not count.
    pub fn is_same(&self, other: &Executor) -> bool {
        let bare = |executor: &Executor| Executor { group: None, ..executor.clone() };
        bare(self) == bare(other)
    }
}

impl fmt::Display for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, &self.machine) {
            (Some(pid), Some(machine)) => write!(f, "process {pid} on machine {}", crate::text::quote(machine)),
            (Some(pid), None) => write!(f, "process {pid}"),
            (None, Some(machine)) => write!(f, "an executor on machine {}", crate::text::quote(machine)),
            (None, None) => f.write_str("an executor without a process to observe"),
        }
    }
}

/// A process group and its leader's start, which tells a reused number apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The group's id: the leader's pid.
    pub id: u32,
    /// The leader's start, in the system's own ticks.
    pub started: u64,
}

/// A lease's end by the monotonic clock of one boot, which knows no clock steps and stops in suspend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The boot on which the clock counts.
    pub boot: String,
    /// The end, in milliseconds of that clock.
    pub expires: i64,
}

impl Task {
    /// The id of the tree's top: its own if it has no parent.
    pub fn top(&self) -> TaskId {
        self.root.unwrap_or(self.id)
    }

    /// Whether `timeout` has passed for the current attempt.
    pub fn is_overdue(&self, now: Millis) -> bool {
        match (self.status, self.attempt_started_at, self.timeout) {
            (Status::Running | Status::Lost, Some(started), Some(timeout)) => now > started.plus(timeout),
            (_, _, _) => false,
        }
    }

    /// Whether `queue_timeout` has passed.
    pub fn is_queue_overdue(&self, now: Millis) -> bool {
        match (self.status, self.queue_timeout) {
            (Status::Queued, Some(timeout)) => now > self.created_at.plus(timeout),
            (_, _) => false,
        }
    }

    /// Its outcome or its reason: what stands beside the status.
    pub fn end_detail(&self) -> &str {
        self.outcome.as_deref().or(self.reason.as_deref()).unwrap_or_default()
    }
}
