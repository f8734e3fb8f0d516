//! A flow: the durable record of many-step work, which groups tasks. What may happen to it is [`decide_flow`].
//!
//! A managed flow is moved by its controller, each move naming the revision that it saw. A mirrored one follows one
//! task: everything but its names is read from that task, so the two can never disagree.

mod decide;

pub use decide::{FlowCommand, FlowMove, decide_flow};

use crate::{Error, FlowId, FlowNumber, Json, Millis, ProgressPoint, Status, Task, TaskId, Usage};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Deserializer, Serialize};

/// Where a flow stands. The numbers are stored and stable for ever.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FlowStatus {
    /// Its controller may take it up.
    Queued = 1,
    /// Its controller is at work.
    Running = 2,
    /// It waits for what its `wait` says.
    Waiting = 3,
    /// It cannot go on; `blocked` says what stands in its way.
    Blocked = 4,
    /// It did what it was for.
    Succeeded = 5,
    /// It did not.
    Failed = 6,
    /// It was cancelled, and its last active task has settled.
    Cancelled = 7,
    /// Nobody knows: the mirrored task is lost, or it was imported so.
    Lost = 8,
}

impl FlowStatus {
    /// Every status, in the order of their numbers.
    pub const ALL: [FlowStatus; 8] = [
        FlowStatus::Queued,
        FlowStatus::Running,
        FlowStatus::Waiting,
        FlowStatus::Blocked,
        FlowStatus::Succeeded,
        FlowStatus::Failed,
        FlowStatus::Cancelled,
        FlowStatus::Lost,
    ];

    /// What a reader is told to expect.
    pub const EXPECTED: &'static str = "one of queued, running, waiting, blocked, succeeded, failed, cancelled, lost";

    /// The word people and JSON use.
    pub const fn as_str(self) -> &'static str {
        match self {
            FlowStatus::Queued => "queued",
            FlowStatus::Running => "running",
            FlowStatus::Waiting => "waiting",
            FlowStatus::Blocked => "blocked",
            FlowStatus::Succeeded => "succeeded",
            FlowStatus::Failed => "failed",
            FlowStatus::Cancelled => "cancelled",
            FlowStatus::Lost => "lost",
        }
    }

    /// The status of a word; `canceled` is understood.
    pub fn from_word(word: &str) -> Option<FlowStatus> {
        let word = if word == "canceled" { "cancelled" } else { word };
        FlowStatus::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// The status of a stored number.
    pub fn from_code(code: u8) -> Option<FlowStatus> {
        FlowStatus::ALL.into_iter().find(|status| *status as u8 == code)
    }

    /// What a mirrored flow makes of its task.
    pub fn of(task: &Task) -> FlowStatus {
        match task.status {
            Status::Queued => FlowStatus::Queued,
            Status::Running if task.waiting_on.is_some() => FlowStatus::Waiting,
            Status::Running => FlowStatus::Running,
            Status::Succeeded if task.outcome.as_deref() == Some(crate::outcome::BLOCKED) => FlowStatus::Blocked,
            Status::Succeeded => FlowStatus::Succeeded,
            Status::Failed | Status::TimedOut => FlowStatus::Failed,
            Status::Cancelled => FlowStatus::Cancelled,
            Status::Lost => FlowStatus::Lost,
        }
    }
}

impl<'de> Deserialize<'de> for FlowStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        FlowStatus::from_word(&word)
            .ok_or_else(|| serde::de::Error::invalid_value(serde::de::Unexpected::Str(&word), &FlowStatus::EXPECTED))
    }
}

/// A flow as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Flow {
    /// 1, 2, 3 … of the flows of this ledger; typed as `F3`.
    pub number: FlowNumber,
    /// The global id, a UUIDv7.
    pub id: FlowId,
    /// The caller's idempotency key, unique per owner.
    pub key: Option<String>,
    /// The principal it belongs to.
    pub owner: String,
    /// The task that it follows; `null`: it is managed.
    pub mirrors: Option<TaskId>,
    /// Who moves it: a name by which its host finds it again.
    pub controller: Option<String>,
    /// What it is for.
    pub goal: String,
    /// Where it stands.
    pub status: FlowStatus,
    /// The step that it is at.
    pub step: Option<String>,
    /// What its controller keeps of it.
    pub state: Option<Json>,
    /// What it waits for.
    pub wait: Option<Json>,
    /// What stands in its way.
    pub blocked: Option<Blocked>,
    /// The request to cancel it: sticky, apart from how it ends.
    pub cancel: Option<FlowCancel>,
    /// When it was recorded.
    pub created_at: Millis,
    /// The last write.
    pub updated_at: Millis,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// Counts its writes: a move names the one that it saw.
    pub revision: u64,
    /// Where an imported flow came from, as it was there.
    pub origin: Option<Json>,
}

/// What stands in a flow's way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Blocked {
    /// The task that does.
    pub task: Option<TaskId>,
    /// In words.
    pub summary: Option<String>,
}

/// A request to cancel a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FlowCancel {
    /// When it was asked for.
    pub requested_at: Millis,
    /// By whom.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
}

/// A flow to record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlowBirth {
    /// See [`Flow::key`].
    pub key: Option<String>,
    /// See [`Flow::owner`].
    pub owner: String,
    /// See [`Flow::controller`].
    pub controller: Option<String>,
    /// See [`Flow::goal`].
    pub goal: String,
    /// Whether its controller is at work already.
    pub running: bool,
    /// See [`Flow::step`].
    pub step: Option<String>,
    /// See [`Flow::state`].
    pub state: Option<Json>,
}

impl Flow {
    /// A managed flow at its beginning.
    pub fn managed(number: FlowNumber, id: FlowId, birth: FlowBirth, now: Millis) -> Flow {
        let FlowBirth { key, owner, controller, goal, running, step, state } = birth;
        let status = if running { FlowStatus::Running } else { FlowStatus::Queued };
        Flow {
            key,
            controller,
            goal,
            status,
            step,
            state,
            created_at: now,
            updated_at: now,
            revision: 1,
            ..Flow::blank(number, id, owner)
        }
    }

    /// The flow that follows a task, as the task stands.
    pub fn mirroring(number: FlowNumber, id: FlowId, owner: String, task: &Task) -> Flow {
        let status = FlowStatus::of(task);
        let summary = || task.summary.clone().or_else(|| task.progress.as_ref().and_then(|point| point.text.clone()));
        let waits = task.waiting_on.as_deref().filter(|_| status == FlowStatus::Waiting);
        let asked = |cancel: &crate::Cancel| FlowCancel {
            requested_at: cancel.requested_at,
            by: cancel.by.clone(),
            why: cancel.why.clone(),
        };
        Flow {
            mirrors: Some(task.id),
            goal: task.label.clone(),
            status,
            wait: waits.and_then(|word| serde_json::to_string(word).ok()).and_then(|text| Json::parse(&text).ok()),
            blocked: (status == FlowStatus::Blocked).then(|| Blocked { task: Some(task.id), summary: summary() }),
            cancel: task.cancel.as_ref().map(asked),
            created_at: task.created_at,
            updated_at: task.updated_at,
            ended_at: task.ended_at,
            revision: task.revision,
            ..Flow::blank(number, id, owner)
        }
    }

    fn blank(number: FlowNumber, id: FlowId, owner: String) -> Flow {
        Flow {
            number,
            id,
            key: None,
            owner,
            mirrors: None,
            controller: None,
            goal: String::new(),
            status: FlowStatus::Queued,
            step: None,
            state: None,
            wait: None,
            blocked: None,
            cancel: None,
            created_at: Millis::EPOCH,
            updated_at: Millis::EPOCH,
            ended_at: None,
            revision: 0,
            origin: None,
        }
    }

    /// Whether it has ended: nothing moves it any more.
    pub fn is_ended(&self) -> bool {
        self.ended_at.is_some()
    }

    /// Whether its times are in the order created, ended, updated, and it has ended if its status is an end. Those of one
    /// that mirrors a task are the task's.
    pub fn times_in_order(&self) -> bool {
        let goes_on = self.status as u8 <= FlowStatus::Blocked as u8;
        let ended = self.ended_at.unwrap_or(self.updated_at);
        let fits = goes_on == self.ended_at.is_none() && self.created_at <= ended && ended <= self.updated_at;
        self.mirrors.is_some() || fits
    }

    /// What decides whether tasks may join it.
    pub fn gate(&self) -> FlowGate {
        FlowGate {
            id: self.id,
            number: self.number,
            status: self.status,
            mirrored: self.mirrors.is_some(),
            ended_at: self.ended_at,
            cancel_requested_at: self.cancel.as_ref().map(|cancel| cancel.requested_at),
        }
    }

    /// The same flow asked for again: the fields in which a birth differs.
    pub fn differences(&self, birth: &FlowBirth) -> Vec<&'static str> {
        let filled = |given: &Option<String>, recorded: &Option<String>| given.is_some() && given != recorded;
        [("goal", birth.goal != self.goal), ("controller", filled(&birth.controller, &self.controller))]
            .into_iter()
            .filter_map(|(field, differs)| differs.then_some(field))
            .collect()
    }
}

/// What decides whether tasks may join a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowGate {
    /// The flow.
    pub id: FlowId,
    /// Its number.
    pub number: FlowNumber,
    /// Where it stands.
    pub status: FlowStatus,
    /// Whether it follows a task.
    pub mirrored: bool,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// When cancel of it was requested.
    pub cancel_requested_at: Option<Millis>,
}

impl FlowGate {
    /// Whether a task may be linked to the flow. The order of the checks is the order of precedence of the refusals.
    pub fn admit(&self) -> Result<(), Error> {
        if self.mirrored {
            return Err(Error::FlowMirrored { flow: self.number });
        }
        if let Some(requested_at) = self.cancel_requested_at {
            return Err(Error::FlowCancelRequested { flow: self.number, requested_at });
        }
        match self.ended_at {
            Some(ended_at) => Err(Error::FlowEnded { flow: self.number, recorded_status: self.status, ended_at }),
            None => Ok(()),
        }
    }

    /// Whether a child of one of its tasks belongs to it too. Cancel keeps every child out; of a flow that is over
    /// otherwise, a child that a task of it has all the same is none.
    pub fn inherit(&self) -> Result<Option<FlowId>, Error> {
        match self.admit() {
            Ok(()) => Ok(Some(self.id)),
            Err(refusal @ Error::FlowCancelRequested { .. }) => Err(refusal),
            Err(_) => Ok(None),
        }
    }
}

/// What a flow's tasks come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RollUp {
    /// How many tasks it has.
    pub total: u64,
    /// Queued and running ones.
    pub active: u64,
    /// By status, every one named.
    pub by_status: BTreeMap<&'static str, u64>,
    /// How far they are, summed over those that say so, by unit.
    pub progress: Vec<UnitProgress>,
    /// What they cost.
    pub usage: Option<Usage>,
}

/// Progress in one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnitProgress {
    /// The unit's name.
    pub unit: Option<String>,
    /// Units done.
    pub current: u64,
    /// Units in all; `null` if one of the tasks does not know.
    pub total: Option<u64>,
}

impl Default for RollUp {
    fn default() -> Self {
        let by_status = Status::ALL.into_iter().map(|status| (status.as_str(), 0)).collect();
        RollUp { total: 0, active: 0, by_status, progress: Vec::new(), usage: None }
    }
}

impl RollUp {
    /// Counts a task in.
    pub fn add(&mut self, status: Status, progress: Option<&ProgressPoint>, usage: Option<&Usage>) {
        self.total = self.total.saturating_add(1);
        self.active = self.active.saturating_add(u64::from(status.is_active()));
        let count = self.by_status.entry(status.as_str()).or_default();
        *count = count.saturating_add(1);
        if let Some(point) = progress.filter(|point| point.current.is_some() || point.total.is_some()) {
            self.advance(point);
        }
        if let Some(usage) = usage {
            self.usage = Some(self.usage.as_ref().map_or_else(|| usage.clone(), |sum| sum.plus(usage)));
        }
    }

    fn advance(&mut self, point: &ProgressPoint) {
        let current = point.current.unwrap_or(0);
        match self.progress.iter_mut().find(|sum| sum.unit == point.unit) {
            Some(sum) => {
                sum.current = sum.current.saturating_add(current);
                sum.total = sum.total.zip(point.total).map(|(sum, total)| sum.saturating_add(total));
            }
            None => {
                self.progress.push(UnitProgress { unit: point.unit.clone(), current, total: point.total });
                self.progress.sort_by(|one, other| one.unit.cmp(&other.unit));
            }
        }
    }
}
