//! The words of the record. `Status` is the only closed list in storage; the other words are open.

use alloc::string::String;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a task stands. The numbers are stored and stable for ever.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Recorded, not started.
    Queued = 1,
    /// Claimed by an executor.
    Running = 2,
    /// Ended well; see `outcome`.
    Succeeded = 3,
    /// Ended with an error; see `reason`.
    Failed = 4,
    /// Ended by a deadline.
    TimedOut = 5,
    /// Ended because somebody wanted it to.
    #[serde(alias = "canceled")]
    Cancelled = 6,
    /// Presumed dead. Ended but not final: the executor's own word overrides it.
    Lost = 7,
}

impl Status {
    /// Every status, in the order of their numbers.
    pub const ALL: [Status; 7] = [
        Status::Queued,
        Status::Running,
        Status::Succeeded,
        Status::Failed,
        Status::TimedOut,
        Status::Cancelled,
        Status::Lost,
    ];

    /// The word people and JSON use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Running => "running",
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
            Status::TimedOut => "timed_out",
            Status::Cancelled => "cancelled",
            Status::Lost => "lost",
        }
    }

    /// The status of a word; `canceled` is accepted.
    pub fn from_word(word: &str) -> Option<Status> {
        let word = if word == "canceled" { "cancelled" } else { word };
        Status::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// The status of a stored number.
    pub fn from_code(code: u8) -> Option<Status> {
        Status::ALL.into_iter().find(|status| *status as u8 == code)
    }

    /// Queued or running.
    pub const fn is_active(self) -> bool {
        matches!(self, Status::Queued | Status::Running)
    }

    /// Ended for good: never changes again. `lost` is not.
    pub const fn is_final(self) -> bool {
        matches!(self, Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled)
    }

    /// The words, for messages.
    pub const EXPECTED: &'static str = "one of queued, running, succeeded, failed, timed_out, cancelled, lost";
}

/// Whom a task's notices go out for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NotifyPolicy {
    /// Ends only (the default).
    DoneOnly,
    /// Every transition and progress after creation.
    StateChanges,
    /// Nothing.
    Silent,
    /// A word from a newer version: kept, shown, treated as `done_only`.
    Other(String),
}

impl NotifyPolicy {
    /// The policies a caller may choose.
    pub const KNOWN: [NotifyPolicy; 3] = [NotifyPolicy::DoneOnly, NotifyPolicy::StateChanges, NotifyPolicy::Silent];

    /// The word people, JSON and storage use.
    pub fn as_str(&self) -> &str {
        match self {
            NotifyPolicy::DoneOnly => "done_only",
            NotifyPolicy::StateChanges => "state_changes",
            NotifyPolicy::Silent => "silent",
            NotifyPolicy::Other(word) => word,
        }
    }

    /// The policy of a known word.
    pub fn from_word(word: &str) -> Option<NotifyPolicy> {
        NotifyPolicy::KNOWN.into_iter().find(|policy| policy.as_str() == word)
    }

    /// The policy of a stored word, which may be newer than this program.
    pub fn from_stored(word: &str) -> NotifyPolicy {
        NotifyPolicy::from_word(word).unwrap_or_else(|| NotifyPolicy::Other(word.into()))
    }

    /// What a runtime's tasks get unless told otherwise: `cron` and `cli` are silent.
    pub fn default_for(runtime: &str) -> NotifyPolicy {
        match runtime {
            runtime::CRON | runtime::CLI => NotifyPolicy::Silent,
            _ => NotifyPolicy::DoneOnly,
        }
    }

    /// The words, for messages.
    pub const EXPECTED: &'static str = "one of done_only, state_changes, silent";
}

impl Serialize for NotifyPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for NotifyPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        NotifyPolicy::from_word(&word)
            .ok_or_else(|| serde::de::Error::invalid_value(serde::de::Unexpected::Str(&word), &NotifyPolicy::EXPECTED))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for NotifyPolicy {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "NotifyPolicy".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "enum": ["done_only", "state_changes", "silent"]})
    }
}

/// What became of a task's notices, the first that applies. Derived, never stored with the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// A notice waits to be claimed or acknowledged.
    Pending,
    /// A notice ended as a dead letter.
    Failed,
    /// Every notice was acknowledged.
    Delivered,
    /// Somebody decided that the notices need not be delivered.
    Dismissed,
    /// No notice was owed.
    NotApplicable,
}

impl Delivery {
    /// Every one, in the order in which the first that applies is told.
    pub const ALL: [Delivery; 5] =
        [Delivery::Pending, Delivery::Failed, Delivery::Delivered, Delivery::Dismissed, Delivery::NotApplicable];

    /// The word people and JSON use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Delivery::Pending => "pending",
            Delivery::Failed => "failed",
            Delivery::Delivered => "delivered",
            Delivery::Dismissed => "dismissed",
            Delivery::NotApplicable => "not_applicable",
        }
    }
}

/// Who runs a task. Any other lower-case word is one, too.
pub mod runtime {
    /// A sub-agent of a conversation.
    pub const SUBAGENT: &str = "subagent";
    /// A remote agent session.
    pub const ACP: &str = "acp";
    /// A scheduled run.
    pub const CRON: &str = "cron";
    /// A command.
    pub const CLI: &str = "cli";
    /// The runtimes that have a name of ours; any other lower-case word is one too.
    pub const KNOWN: [&str; 4] = [ACP, CLI, CRON, SUBAGENT];
}

/// What a success amounts to.
pub mod outcome {
    /// A usable result.
    pub const OK: &str = "ok";
    /// Ended without a usable result; needs follow-up.
    pub const BLOCKED: &str = "blocked";
    /// A result was expected and there is none.
    pub const NO_RESULT: &str = "no_result";
    /// Those that have a name of ours.
    pub const KNOWN: [&str; 3] = [OK, BLOCKED, NO_RESULT];
}

/// Why a task ended other than by success.
pub mod reason {
    /// The work reported an error.
    pub const ERROR: &str = "error";
    /// A command ended with an exit code other than 0.
    pub const EXIT_CODE: &str = "exit_code";
    /// A command was ended by a signal.
    pub const SIGNAL: &str = "signal";
    /// The work was refused before it began.
    pub const REJECTED: &str = "rejected";
    /// The task's `timeout` passed.
    pub const DEADLINE: &str = "deadline";
    /// The task's `queue_timeout` passed.
    pub const QUEUE_DEADLINE: &str = "queue_deadline";
    /// Cancel was requested.
    pub const REQUESTED: &str = "requested";
    /// An operator's or host's word.
    pub const FORCED: &str = "forced";
    /// The executor is proved dead.
    pub const EXECUTOR_GONE: &str = "executor_gone";
    /// The lease ran out: a presumption.
    pub const LEASE_EXPIRED: &str = "lease_expired";
    /// A host or operator reported the work lost.
    pub const REPORTED: &str = "reported";
    /// Its runtime, asked of all its work, does not name it.
    pub const UNKNOWN_TO_ITS_RUNTIME: &str = "unknown_to_its_runtime";
    /// Those that have a name of ours.
    pub const KNOWN: [&str; 12] = [
        ERROR,
        EXIT_CODE,
        SIGNAL,
        REJECTED,
        DEADLINE,
        QUEUE_DEADLINE,
        REQUESTED,
        FORCED,
        EXECUTOR_GONE,
        LEASE_EXPIRED,
        REPORTED,
        UNKNOWN_TO_ITS_RUNTIME,
    ];
}

/// What running work waits for.
pub mod waiting_on {
    /// A person's or agent's input.
    pub const INPUT: &str = "input";
    /// A permission.
    pub const AUTH: &str = "auth";
    /// Other work.
    pub const DEPENDENCY: &str = "dependency";
    /// A time.
    pub const TIMER: &str = "timer";
    /// Something outside.
    pub const EXTERNAL: &str = "external";
    /// Those that have a name of ours.
    pub const KNOWN: [&str; 5] = [INPUT, AUTH, DEPENDENCY, TIMER, EXTERNAL];
}
