//! What may be asked of a task, with every fact resolved: the input of [`crate::decide`].

use crate::event::{Fill, Progress, Report};
use crate::flow::FlowGate;
use crate::{
    Error, Evidence, Executor, FlowId, Json, Metadata, Millis, NotifyPolicy, Span, Status, TaskId, TaskNumber,
};
use alloc::string::String;
use serde::Serialize;

/// When and where a command is decided: the only time the core knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub now: Millis,
    /// The boot of the deciding machine, on which `monotonic` counts.
    pub boot: Option<String>,
    /// Milliseconds of CLOCK_MONOTONIC, which stops in suspend and knows no steps.
    pub monotonic: i64,
    /// Milliseconds since the boot, suspends included.
    pub uptime: i64,
}

/// A command on one task.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, and most of them are creations")]
pub enum Command {
    /// Record a task, or find that it is recorded.
    Create(Birth),
    /// Claim it: the next attempt.
    Start(Claim),
    /// Report how far the work is.
    Progress {
        /// Who says so.
        token: ClaimToken,
        /// What it says.
        progress: Progress,
        /// The lease's new length.
        lease: Option<Span>,
        /// What is known of what it fills in.
        late: Late,
    },
    /// Say that the work lives.
    Heartbeat {
        /// Who says so.
        token: ClaimToken,
        /// The lease's new length.
        lease: Option<Span>,
    },
    /// End it, by the executor's word.
    Finish {
        /// Who says so.
        token: ClaimToken,
        /// How it ended.
        end: End,
    },
    /// Ask to cancel it.
    RequestCancel {
        /// By whom.
        by: Option<String>,
        /// Why.
        why: Option<String>,
        /// What is known of its executor.
        evidence: CancelEvidence,
    },
    /// End it, by an operator's or host's word.
    Settle(Settlement),
    /// Its queue deadline passed.
    Expire,
    /// Its executor is dead or presumed so.
    Reap(Evidence),
    /// Change whom its notices go out for.
    Notify(NotifyPolicy),
}

/// A task to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Birth {
    /// See [`crate::Task::key`].
    pub key: Option<String>,
    /// See [`crate::Task::runtime`].
    pub runtime: String,
    /// See [`crate::Task::kind`].
    pub kind: Option<String>,
    /// See [`crate::Task::source_id`].
    pub source_id: Option<String>,
    /// See [`crate::Task::run_id`].
    pub run_id: Option<String>,
    /// See [`crate::Task::owner`].
    pub owner: String,
    /// See [`crate::Task::requester_session`].
    pub requester_session: Option<String>,
    /// See [`crate::Task::session`].
    pub session: Option<String>,
    /// See [`crate::Task::agent`].
    pub agent: Option<String>,
    /// See [`crate::Task::requester_agent`].
    pub requester_agent: Option<String>,
    /// The parent's line.
    pub family: Option<Family>,
    /// The flow that it is created in; its parent's if absent.
    pub flow: Option<FlowGate>,
    /// See [`crate::Task::retry_of`].
    pub retry_of: Option<TaskId>,
    /// See [`crate::Task::label`].
    pub label: String,
    /// See [`crate::Task::task`].
    pub task: Option<String>,
    /// See [`crate::Task::metadata`].
    pub metadata: Metadata,
    /// See [`crate::Task::notify`].
    pub notify: NotifyPolicy,
    /// See [`crate::Task::queue_timeout`].
    pub queue_timeout: Option<Span>,
    /// See [`crate::Task::timeout`].
    pub timeout: Option<Span>,
    /// An earlier time of creation.
    pub created_at: Option<Millis>,
    /// Start it at once.
    pub start: Option<Claim>,
    /// Record that it is already over.
    pub finish: Option<End>,
    /// See [`crate::Task::origin`].
    pub origin: Option<Json>,
}

impl Birth {
    /// The flow that it joins: the one given, else its parent's.
    pub fn joins(&self) -> Result<Option<FlowId>, Error> {
        match (self.flow, self.family.and_then(|family| family.flow)) {
            (Some(given), _) => given.admit().map(|()| Some(given.id)),
            (None, Some(parents)) => parents.inherit(),
            (None, None) => Ok(None),
        }
    }
}

/// A task whose history happened elsewhere and is recorded here as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// What it is; with `start` or `finish` where it got that far.
    pub birth: Birth,
    /// How far it was said to be, if it was started.
    pub progress: Option<Progress>,
    /// That it was given up as lost, which is no executor's word.
    pub lost: Option<Settlement>,
}

/// The line of a parent, as recorded when the command is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// The parent.
    pub parent: TaskId,
    /// The top of its tree.
    pub root: TaskId,
    /// How many ancestors the child would have.
    pub depth: usize,
    /// The nearest ancestor that was cancelled or asked to be.
    pub cancelled: Option<TaskNumber>,
    /// Whether the task is itself among those ancestors, or has children of its own.
    pub entangled: bool,
    /// The parent's flow, which its children belong to.
    pub flow: Option<FlowGate>,
    /// The nearest flow of an ancestor whose cancel was requested: it gets nothing below its tasks.
    pub barred: Option<FlowGate>,
}

/// A claim on a task by an executor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claim {
    /// Who does the work; `None` if there is nothing to observe.
    pub executor: Option<Executor>,
    /// How long a heartbeat keeps it alive.
    pub lease: Option<Span>,
    /// The caller's time of the start.
    pub started_at: Option<Millis>,
    /// What to fill in.
    pub fill: Fill,
    /// What is known of what it fills in.
    pub late: Late,
}

/// What is known of the records that a fill names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Late {
    /// The parent's line, if a parent is filled in.
    pub family: Option<Family>,
    /// The flow, if one is filled in.
    pub flow: Option<FlowGate>,
    /// Another task whose key is the run that is filled in.
    pub run_taken_by: Option<TaskNumber>,
    /// Whether the task has children: such a one joins no flow late.
    pub has_children: bool,
}

/// Which attempt a write speaks for. Empty: whichever is current.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimToken {
    /// The attempt's number.
    pub attempt: Option<u32>,
    /// The executor's nonce: tells attempts apart whose number was reused after a power loss.
    pub nonce: Option<String>,
}

/// How work ended, by the executor's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// A final status.
    pub status: Status,
    /// What a success amounts to.
    pub outcome: Option<String>,
    /// Why it ended otherwise.
    pub reason: Option<String>,
    /// What the work says of it.
    pub report: Report,
    /// The caller's time of the end.
    pub ended_at: Option<Millis>,
}

/// How a task ended, by an operator's or host's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The end.
    pub end: End,
    /// The author.
    pub by: Option<String>,
    /// The author's reason.
    pub why: Option<String>,
}

/// What a canceller knows of the task's executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelEvidence {
    /// It may live.
    MayLive,
    /// It is proved dead, and nothing of its process group is left.
    Gone(Evidence),
}

/// What a request to cancel came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Cancelled {
    /// The intent is recorded; the executor will be told.
    Requested,
    /// The task is cancelled.
    Cancelled,
    /// The task had ended already.
    Already,
    /// The executor was dead; the task is settled.
    ExecutorGone,
}

impl Cancelled {
    /// The word of the answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cancelled::Requested => "requested",
            Cancelled::Cancelled => "cancelled",
            Cancelled::Already => "already",
            Cancelled::ExecutorGone => "executor_gone",
        }
    }
}
