//! What the ledger answers.

use crate::audit::Finding;
use crate::command::Cancelled;
use crate::error::{Error, ErrorBody};
use crate::event::Event;
use crate::{ClockJump, Delivery, Evidence, Json, Millis, Notice, NoticeId, Seq, Status, Task, TaskId, TaskNumber};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

pub use crate::request::Response;

/// A task as it is told: the record, and what is derived from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskView {
    /// The record.
    #[serde(flatten)]
    pub task: Task,
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
    /// The task as it is now.
    pub task: TaskView,
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
    /// Where to go on; `null` at the end.
    pub next: Option<String>,
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
}

/// Events in order.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Events {
    /// The events.
    pub events: Vec<HistoryEvent>,
    /// Where to go on: the `seq` of the last event told or, of a watch that told all there is, the ledger's newest.
    pub next: Seq,
}

/// An event as it is told: `{"seq", "at", "type", "number", "id", …its data}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEvent {
    /// Its place in the ledger's one order.
    pub seq: Seq,
    /// When it was recorded.
    pub at: Millis,
    /// The task's number.
    pub number: TaskNumber,
    /// The task's id.
    pub id: TaskId,
    /// What happened.
    pub event: Event,
}

impl HistoryEvent {
    /// The type's word.
    pub fn kind(&self) -> String {
        match (self.event.kind(), &self.event) {
            (Some(kind), _) => kind.as_str().to_string(),
            (None, Event::Unknown { kind, .. }) => alloc::format!("unknown({kind})"),
            (None, _) => "unrecorded".to_string(),
        }
    }

    /// The data beside the type, by name.
    pub fn data(&self) -> BTreeMap<String, Json> {
        let text = match &self.event {
            Event::NotifyChanged(policy) => return word("notify", policy.as_str()),
            Event::CancelTold
            | Event::Recovered
            | Event::Heartbeat(_)
            | Event::Created(_)
            | Event::Started(_)
            | Event::Progress(_)
            | Event::ProgressUnrecorded(_)
            | Event::CancelRequested(_)
            | Event::Finished(_)
            | Event::Settled(_)
            | Event::Expired(_)
            | Event::Reaped(_)
            | Event::Unknown { .. } => self.event.data(),
        };
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }
}

fn word(name: &str, value: &str) -> BTreeMap<String, Json> {
    let json = serde_json::to_string(value).ok().and_then(|text| Json::parse(&text).ok());
    json.into_iter().map(|json| (name.to_string(), json)).collect()
}

impl Serialize for HistoryEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seq", &self.seq)?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("type", &self.kind())?;
        map.serialize_entry("number", &self.number)?;
        map.serialize_entry("id", &self.id)?;
        for (name, value) in self.data() {
            if !matches!(name.as_str(), "seq" | "at" | "type" | "number" | "id") {
                map.serialize_entry(&name, &value)?;
            }
        }
        map.end()
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for HistoryEvent {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Event".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let kinds: Vec<&str> = crate::event::EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        schemars::json_schema!({
            "type": "object",
            "description": "one immutable fact; beside these fields it has the data of its type",
            "properties": {
                "seq": {"type": "integer"},
                "at": {"type": "string"},
                "type": {"type": "string", "examples": kinds},
                "number": {"type": "integer"},
                "id": {"type": "string", "format": "uuid"}
            },
            "required": ["seq", "at", "type", "number", "id"]
        })
    }
}

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
}

/// The answer to `maintenance`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MaintenanceReport {
    /// Whether it was done; otherwise it would be.
    pub applied: bool,
    /// What changes.
    pub changes: Vec<Change>,
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
