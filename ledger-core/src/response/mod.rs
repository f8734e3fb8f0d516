//! What the ledger answers.

mod caring;
mod events;
mod flows;
mod importing;
mod notices;
mod operating;

pub use crate::request::Response;
pub use caring::{BackupReport, KeptFile, MigrateReport, Numbers, RecoverReport, Salvaged};
pub use events::{Events, HistoryEvent};
pub use flows::{FlowCancelReply, FlowCreated, FlowPage, FlowRecorded, FlowShown, FlowView, UnreadableFlow};
pub use importing::{ImportCounts, ImportFinding, ImportReport};
pub use notices::{ClaimedNotices, NoticeList, NoticePage, NoticeView};
pub use operating::{
    Acknowledged, AuditReport, AuditSummary, Cause, Change, Check, CheckState, ConfigReply, DoctorReport, Drained,
    FlowChange, MaintenanceReport, PruneReport, ReconcileAction, Reconciled, Setting, StatsReport, VerifyReport,
};

use crate::command::Cancelled;
use crate::error::{Error, ErrorBody};
use crate::{Delivery, Json, Task, TaskNumber};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// A task as it is told: the record, and what is derived from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskView {
    /// The record, in a box: a reply is handed on from layer to layer.
    #[serde(flatten)]
    pub task: Box<Task>,
    /// What became of its notices.
    pub delivery: Delivery,
    /// What is known of a running task's executor: `alive`, `gone`, `lease_expired`, `unknown`.
    pub liveness: Option<&'static str>,
}

/// The answer to `create`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Created {
    /// Whether it was recorded now; otherwise it was there with the same content.
    pub created: bool,
    /// The task.
    pub task: TaskView,
}

/// The answer to what changes one task.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recorded {
    /// Whether anything changed; otherwise the same was recorded before. A progress beyond the thousandth moves the
    /// row alone: the task's `progress_reports` says so.
    pub changed: bool,
    /// Whether cancel of it is requested.
    pub cancel_requested: bool,
    /// Whether its deadline has passed.
    pub deadline_passed: bool,
    /// The task.
    pub task: TaskView,
}

/// The answer to `cancel`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CancelReply {
    /// What it came to.
    pub cancel: CancelAnswer,
    /// The task.
    pub task: TaskView,
    /// What it came to for the tasks that descend from it.
    pub descendants: Vec<CancelledTask>,
    /// The hooks that were run for those of them that go on: see [`crate::config::CANCEL_HOOK`].
    pub hooks: Vec<HookRun>,
}

/// A cancel hook that was run for a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HookRun {
    /// The task.
    pub number: TaskNumber,
    /// Why it did not do its work; `null`: it ended with exit code 0.
    pub problem: Option<String>,
}

/// The word of an answer to `cancel`.
pub type CancelAnswer = Cancelled;

/// What a cancel came to for a descendant.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CancelledTask {
    /// The descendant.
    pub number: TaskNumber,
    /// What it came to.
    pub cancel: Cancelled,
}

/// A page of tasks.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<TaskView>,
    /// Where to go on; `null` at the end. A page that is not full does not say that there are no more.
    pub next: Option<String>,
    /// What of this page cannot be read: somebody wrote rows past bgledger, or the file is damaged.
    pub unreadable: Vec<UnreadableTask>,
}

/// A task whose row does not hold what a task's row holds, or that is missing, with others it may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnreadableTask {
    /// Its number; of several the newest. 0: it is not known which.
    pub number: TaskNumber,
    /// What is wrong.
    pub problem: String,
}

/// One task.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shown {
    /// The task.
    pub task: TaskView,
}

/// Tasks that were waited for.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tasks {
    /// The tasks, in the order asked for.
    pub tasks: Vec<TaskView>,
}

/// A task and its children.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TreeNode {
    /// The task.
    pub task: TaskView,
    /// Its children, oldest first.
    pub children: Vec<TreeNode>,
}

/// The answer to `tree`: a task and all that descends from it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TreeReport {
    /// The top.
    #[serde(flatten)]
    pub top: TreeNode,
    /// Whether there are more descendants than an answer tells ([`crate::bounds::LIST_MOST`]).
    pub truncated: bool,
    /// Descendants that cannot be read. What is below them is not told.
    pub unreadable: Vec<UnreadableTask>,
}

/// A response or error with what stands around it: `{"id", "ok": …}` or `{"id", "error": …}`.
#[derive(Debug)]
pub struct Applied<'a> {
    /// What the caller wanted echoed.
    pub id: Option<&'a Json>,
    /// What came of the request.
    pub result: Result<&'a Response, &'a Error>,
}

impl Serialize for Applied<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(id) = self.id {
            map.serialize_entry("id", id)?;
        }
        match self.result {
            Ok(response) => map.serialize_entry("ok", response)?,
            Err(error) => map.serialize_entry::<_, ErrorBody<'_>>("error", &error.body())?,
        }
        map.end()
    }
}
