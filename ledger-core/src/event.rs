//! The immutable facts of a task's history.

use crate::{
    Artifact, Evidence, Executor, Failure, FlowId, Json, Lease, Millis, NotifyPolicy, Output, Span, Status, Task,
    TaskId, Usage,
};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use serde::{Deserialize, Deserializer, Serialize};

/// What happened. The task's descriptive fields stand in its row, which never changes them, and are not
/// repeated here; the same holds for the report of a final end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The task was recorded.
    Created(Opening),
    /// An executor claimed it.
    Started(Started),
    /// The work moved.
    Progress(Progress),
    /// A progress beyond the thousandth: moves the row, enters no history.
    ProgressUnrecorded(Progress),
    /// The executor lives: moves the row, enters no history.
    Heartbeat(Renewal),
    /// Somebody asked to cancel it.
    CancelRequested(Asked),
    /// The executor learned of that.
    CancelTold,
    /// The executor, or somebody for it, ended it.
    Finished(Ending),
    /// An operator or host ended it.
    Settled(Ending),
    /// The queue's deadline passed.
    Expired(Ending),
    /// Evidence ended it.
    Reaped(Ending),
    /// The executor presumed dead spoke.
    Recovered,
    /// The notify policy changed.
    NotifyChanged(NotifyPolicy),
    /// An event of a newer version: kept, shown, without effect here.
    Unknown {
        /// The stored number of its kind.
        kind: u8,
        /// Its data as stored.
        data: Json,
    },
}

/// The stored numbers of the kinds of events. Stable for ever.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// See [`Event::Created`].
    Created = 1,
    /// See [`Event::Started`].
    Started = 2,
    /// See [`Event::Progress`].
    Progress = 3,
    /// See [`Event::CancelRequested`].
    CancelRequested = 4,
    /// See [`Event::CancelTold`].
    CancelTold = 5,
    /// See [`Event::Finished`].
    Finished = 6,
    /// See [`Event::Settled`].
    Settled = 7,
    /// See [`Event::Expired`].
    Expired = 8,
    /// See [`Event::Reaped`].
    Reaped = 9,
    /// See [`Event::Recovered`].
    Recovered = 10,
    /// See [`Event::NotifyChanged`].
    NotifyChanged = 11,
}

impl EventKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [EventKind; 11] = [
        EventKind::Created,
        EventKind::Started,
        EventKind::Progress,
        EventKind::CancelRequested,
        EventKind::CancelTold,
        EventKind::Finished,
        EventKind::Settled,
        EventKind::Expired,
        EventKind::Reaped,
        EventKind::Recovered,
        EventKind::NotifyChanged,
    ];

    /// The word of the history.
    pub const fn as_str(self) -> &'static str {
        match self {
            EventKind::Created => "created",
            EventKind::Started => "started",
            EventKind::Progress => "progress",
            EventKind::CancelRequested => "cancel_requested",
            EventKind::CancelTold => "cancel_told",
            EventKind::Finished => "finished",
            EventKind::Settled => "settled",
            EventKind::Expired => "expired",
            EventKind::Reaped => "reaped",
            EventKind::Recovered => "recovered",
            EventKind::NotifyChanged => "notify_changed",
        }
    }

    /// The kind of a stored number.
    pub fn from_code(code: u8) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| *kind as u8 == code)
    }
}

/// What a creation adds to the row's descriptive fields.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Opening {
    /// The policy at creation.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "stored_policy")]
    pub notify: Option<NotifyPolicy>,
    /// The caller's earlier time of creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Millis>,
    /// The checksum of what it was created as, which only the row keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

fn stored_policy<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<NotifyPolicy>, D::Error> {
    String::deserialize(deserializer).map(|word| Some(NotifyPolicy::from_stored(&word)))
}

/// A claim.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Started {
    /// The attempt it opens.
    pub attempt: u32,
    /// Who does the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<Executor>,
    /// How long a heartbeat keeps it alive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Span>,
    /// The lease's end on the recorder's own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_clock: Option<Lease>,
    /// The caller's time of the start, if not the event's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Millis>,
    /// What was filled in.
    #[serde(default, skip_serializing_if = "Fill::is_empty")]
    pub fill: Fill,
}

/// A lease moved by a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Renewal {
    /// The lease's new length, if it changed.
    pub lease: Option<Span>,
    /// The lease's end on the recorder's own clock.
    pub lease_clock: Option<Lease>,
}

/// A request to cancel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Asked {
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// An end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// How it ended.
    pub status: Status,
    /// What a success amounts to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why it ended otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The author of a settlement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The author's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What proved or suggested it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The caller's time of the end, if not the event's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Millis>,
    /// What the work says of its end: an end with a report is final.
    #[serde(flatten)]
    pub report: Report,
    /// The checksum of what of the report only the row keeps: see [`Report::checksum`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

/// What the work says of its end. Its texts stand in the task's row and are not repeated in the event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// What went wrong.
    #[serde(skip)]
    pub error: Option<Failure>,
    /// The result in words.
    #[serde(skip)]
    pub summary: Option<String>,
    /// The result as JSON.
    #[serde(skip)]
    pub result: Option<Json>,
    /// A command's exit code.
    #[serde(skip)]
    pub exit_code: Option<i32>,
    /// The signal that ended a command.
    #[serde(skip)]
    pub signal: Option<i32>,
    /// The end of a command's output.
    #[serde(skip)]
    pub output: Option<Output>,
    /// Artifacts to add.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub artifacts: BTreeMap<String, Artifact>,
    /// The attempt's total usage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

impl Report {
    /// The part of a final end's report that a task's row keeps.
    pub fn of(row: &Task) -> Report {
        Report {
            error: row.error.clone(),
            summary: row.summary.clone(),
            result: row.result.clone(),
            exit_code: row.exit_code,
            signal: row.signal,
            output: row.output.clone(),
            ..Report::default()
        }
    }

    /// A checksum (64-bit FNV-1a in hexadecimal) over what only the row keeps, so that the history bears the row out
    /// without repeating it. It finds damage and edits; it keeps no secret. `None`: there is nothing of it.
    pub fn checksum(&self) -> Option<String> {
        let Report { error, summary, result, exit_code, signal, output, artifacts: _, usage: _ } = self;
        let said = (error, summary, result, exit_code, signal, output);
        if said == (&None, &None, &None, &None, &None, &None) {
            return None;
        }
        let text = serde_json::to_string(&said).ok()?;
        let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Some(format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, step)))
    }
}

/// What is null may be filled in once by a later start or progress.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Fill {
    /// See [`crate::Task::kind`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// See [`crate::Task::source_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// See [`crate::Task::run_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// See [`crate::Task::requester_session`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester_session: Option<String>,
    /// See [`crate::Task::session`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// See [`crate::Task::agent`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// See [`crate::Task::requester_agent`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester_agent: Option<String>,
    /// See [`crate::Task::retry_of`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<TaskId>,
    /// See [`crate::Task::parent`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// See [`crate::Task::flow`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowId>,
    /// Follows from the parent; never given by a caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<TaskId>,
}

impl Fill {
    /// Takes in what was filled in later.
    pub(crate) fn add(&mut self, later: &Fill) {
        let text = |own: &mut Option<String>, later: &Option<String>| {
            if own.is_none() {
                own.clone_from(later);
            }
        };
        text(&mut self.kind, &later.kind);
        text(&mut self.source_id, &later.source_id);
        text(&mut self.run_id, &later.run_id);
        text(&mut self.requester_session, &later.requester_session);
        text(&mut self.session, &later.session);
        text(&mut self.agent, &later.agent);
        text(&mut self.requester_agent, &later.requester_agent);
        self.retry_of = self.retry_of.or(later.retry_of);
        self.parent = self.parent.or(later.parent);
        self.flow = self.flow.or(later.flow);
        self.root = self.root.or(later.root);
    }

    /// Whether nothing is to be filled in.
    pub fn is_empty(&self) -> bool {
        *self == Fill::default()
    }
}

impl Event {
    /// The stored kind; `None` for what enters no history or comes from a newer version.
    pub fn kind(&self) -> Option<EventKind> {
        match self {
            Event::Created(_) => Some(EventKind::Created),
            Event::Started(_) => Some(EventKind::Started),
            Event::Progress(_) => Some(EventKind::Progress),
            Event::CancelRequested(_) => Some(EventKind::CancelRequested),
            Event::CancelTold => Some(EventKind::CancelTold),
            Event::Finished(_) => Some(EventKind::Finished),
            Event::Settled(_) => Some(EventKind::Settled),
            Event::Expired(_) => Some(EventKind::Expired),
            Event::Reaped(_) => Some(EventKind::Reaped),
            Event::Recovered => Some(EventKind::Recovered),
            Event::NotifyChanged(_) => Some(EventKind::NotifyChanged),
            Event::ProgressUnrecorded(_) | Event::Heartbeat(_) | Event::Unknown { .. } => None,
        }
    }

    /// The ending, if it is one.
    pub fn ending(&self) -> Option<&Ending> {
        match self {
            Event::Finished(ending) | Event::Settled(ending) | Event::Expired(ending) | Event::Reaped(ending) => {
                Some(ending)
            }
            Event::Created(_)
            | Event::Started(_)
            | Event::Progress(_)
            | Event::ProgressUnrecorded(_)
            | Event::Heartbeat(_)
            | Event::CancelRequested(_)
            | Event::CancelTold
            | Event::Recovered
            | Event::NotifyChanged(_)
            | Event::Unknown { .. } => None,
        }
    }

    /// The data to store beside the kind, as JSON text; `None` if the kind says it all.
    pub fn data(&self) -> Option<String> {
        let data = match self {
            Event::Created(opening) if *opening == Opening::default() => return None,
            Event::Created(opening) => serde_json::to_string(opening),
            Event::Started(started) => serde_json::to_string(started),
            Event::Progress(progress) | Event::ProgressUnrecorded(progress) => serde_json::to_string(progress),
            Event::CancelRequested(asked) if *asked == Asked::default() => return None,
            Event::CancelRequested(asked) => serde_json::to_string(asked),
            Event::Finished(ending) | Event::Settled(ending) | Event::Expired(ending) | Event::Reaped(ending) => {
                serde_json::to_string(ending)
            }
            Event::NotifyChanged(policy) => serde_json::to_string(policy),
            Event::Heartbeat(_) | Event::CancelTold | Event::Recovered => return None,
            Event::Unknown { data, .. } => return Some(data.as_str().into()),
        };
        data.ok()
    }

    /// The event of a stored kind and its data. Whatever this version cannot read is kept as unknown.
    pub fn from_stored(code: u8, data: Option<&str>) -> Event {
        let text = data.unwrap_or("{}");
        let read = || -> Option<Event> {
            Some(match EventKind::from_code(code)? {
                EventKind::Created => Event::Created(serde_json::from_str(text).ok()?),
                EventKind::Started => Event::Started(serde_json::from_str(text).ok()?),
                EventKind::Progress => Event::Progress(serde_json::from_str(text).ok()?),
                EventKind::CancelRequested => Event::CancelRequested(serde_json::from_str(text).ok()?),
                EventKind::CancelTold => Event::CancelTold,
                EventKind::Finished => Event::Finished(serde_json::from_str(text).ok()?),
                EventKind::Settled => Event::Settled(serde_json::from_str(text).ok()?),
                EventKind::Expired => Event::Expired(serde_json::from_str(text).ok()?),
                EventKind::Reaped => Event::Reaped(serde_json::from_str(text).ok()?),
                EventKind::Recovered => Event::Recovered,
                EventKind::NotifyChanged => {
                    let word: String = serde_json::from_str(text).ok()?;
                    Event::NotifyChanged(NotifyPolicy::from_stored(&word))
                }
            })
        };
        let unknown = || Event::Unknown { kind: code, data: Json::parse(text).unwrap_or_else(|_| Json::null()) };
        read().unwrap_or_else(unknown)
    }
}

/// A report of how far the work is. What is absent stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Units done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<u64>,
    /// Units in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// The unit's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What it waits for; `Some(None)` says that it waits no more.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub waiting_on: Option<Option<String>>,
    /// The attempt's total usage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Artifacts to add.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub artifacts: BTreeMap<String, Artifact>,
    /// What to fill in.
    #[serde(skip_serializing_if = "Fill::is_empty")]
    pub fill: Fill,
    /// When it was said, if that was before it was recorded here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<Millis>,
}

/// Tells a `null` that is given from a field that is absent.
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
