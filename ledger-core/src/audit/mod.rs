//! What can be wrong, and what to do about it: the one table behind audit and maintenance.

mod flow;
mod ledger;
mod task;
mod thresholds;

pub use flow::{examine_flow, unreadable_flow};
pub use ledger::{Shape, Waiting, clock, examine_ledger, examine_recipient, unproved};
pub use task::{describe, examine};
pub use thresholds::{Threshold, Thresholds};

use crate::{Command, Evidence, FlowNumber, Millis, Status, TaskId, TaskNumber};
use alloc::string::String;
use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth a look.
    Warning,
    /// The record does not tell the truth, or will not for long.
    Error,
}

/// Who mends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Maintenance does.
    Auto,
    /// An operator, with the command that stands beside it.
    Command,
    /// Nobody needs to.
    Info,
}

/// The stable names of findings.
#[repr(u16)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The executor of a running task is proved dead.
    ExecutorGone = 1,
    /// The lease of a running task ran out and its grace passed.
    LeaseExpired = 2,
    /// A queued task is past its `queue_timeout`.
    QueueExpired = 3,
    /// A running task is past its `timeout` and its executor is not known to be dead.
    Overdue = 4,
    /// A running task has neither lease nor observable process and has been silent for long.
    Unobserved = 5,
    /// A task has been queued for long.
    StaleQueued = 6,
    /// A task is presumed dead.
    Lost = 7,
    /// A row's times are not in order: somebody wrote it by hand.
    TimesOutOfOrder = 8,
    /// The wall clock jumped, and maintenance waits until somebody confirms that it is right.
    ClockJump = 9,
    /// A running task's lease ran out, and its executor has said nothing since it took it.
    NeverHeartbeated = 10,
    /// A running task's executor lives and has reported nothing for long.
    NoProgress = 11,
    /// Cancel of a running task was requested long ago.
    CancelStuck = 12,
    /// A recipient that has claimed before leaves notices unclaimed for long.
    Undelivered = 13,
    /// Notices were given up that a recipient which has claimed before was owed.
    DeadLetters = 14,
    /// A flow is running, none of its tasks is active, and nobody has moved it for long.
    FlowIdle = 15,
    /// A flow has been waiting for long.
    FlowWaiting = 16,
    /// A flow has been blocked for long.
    FlowBlocked = 17,
    /// A flow is blocked by a task that has ended or is gone.
    FlowBlockerGone = 18,
    /// Cancel of a flow was requested and none of its tasks is active, yet it goes on.
    FlowCancelStuck = 19,
    /// A flow's times are not in the order created, ended, updated.
    FlowTimesOutOfOrder = 20,
    /// The write-ahead log has grown large: a reader has held it for long.
    WalLarge = 21,
    /// Much of the file is free and is not given back.
    FreeSpace = 22,
    /// A row cannot be read, or differs from the fold of its events: somebody wrote it by hand.
    RowDiffers = 23,
    /// Something hangs loose: a link, an event or a notice without what it belongs to, or a count that is off.
    LooseEnd = 24,
    /// An event was written by a newer version: it is kept and has no effect here.
    UnknownWord = 25,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The stable name.
    pub code: Code,
    /// The word.
    pub word: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Who mends it.
    pub remedy: Remedy,
    /// The command that does, `{}` standing for what it is about.
    pub command: Option<&'static str>,
    /// What it means.
    pub meaning: &'static str,
}

/// Every rule, in the order of the codes' numbers.
pub const RULES: [Rule; 25] = [
    Rule {
        code: Code::ExecutorGone,
        word: "executor_gone",
        severity: Severity::Error,
        remedy: Remedy::Auto,
        command: Some("bgledger maintenance --apply"),
        meaning: "the executor of a running task is proved dead",
    },
    Rule {
        code: Code::LeaseExpired,
        word: "lease_expired",
        severity: Severity::Error,
        remedy: Remedy::Auto,
        command: Some("bgledger maintenance --apply"),
        meaning: "the lease of a running task ran out and its grace passed",
    },
    Rule {
        code: Code::QueueExpired,
        word: "queue_expired",
        severity: Severity::Warning,
        remedy: Remedy::Auto,
        command: Some("bgledger maintenance --apply"),
        meaning: "a queued task is past its queue_timeout",
    },
    Rule {
        code: Code::Overdue,
        word: "overdue",
        severity: Severity::Warning,
        remedy: Remedy::Command,
        command: Some("bgledger cancel {}"),
        meaning: "a running task is past its timeout and its executor is not known to be dead",
    },
    Rule {
        code: Code::Unobserved,
        word: "unobserved",
        severity: Severity::Warning,
        remedy: Remedy::Command,
        command: Some("bgledger settle {} --status failed --why \"never finished\""),
        meaning: "a running task has neither lease nor observable process and has been silent for long",
    },
    Rule {
        code: Code::StaleQueued,
        word: "stale_queued",
        severity: Severity::Warning,
        remedy: Remedy::Command,
        command: Some("bgledger cancel {}"),
        meaning: "a task has been queued for long",
    },
    Rule {
        code: Code::Lost,
        word: "lost",
        severity: Severity::Warning,
        remedy: Remedy::Command,
        command: Some("bgledger settle {} --status failed --why \"the executor died\""),
        meaning: "a task is presumed dead; its executor's word would recover it",
    },
    Rule {
        code: Code::TimesOutOfOrder,
        word: "times_out_of_order",
        severity: Severity::Error,
        remedy: Remedy::Command,
        command: Some("bgledger history {}"),
        meaning: "a row's times are not in the order created, started, ended, updated",
    },
    Rule {
        code: Code::ClockJump,
        word: "clock_jump",
        severity: Severity::Error,
        remedy: Remedy::Command,
        command: Some("bgledger maintenance --apply --confirm-clock"),
        meaning: "the wall clock jumped by more than a day: nothing is ended by time until somebody confirms it",
    },
    Rule {
        code: Code::NeverHeartbeated,
        word: "never_heartbeated",
        severity: Severity::Warning,
        remedy: Remedy::Info,
        command: None,
        meaning: "a running task's lease ran out, and its executor has said nothing since it took it",
    },
    Rule {
        code: Code::NoProgress,
        word: "no_progress",
        severity: Severity::Warning,
        remedy: Remedy::Command,
        command: Some("bgledger history {}"),
        meaning: "a running task's executor lives and has reported nothing for long",
    },
    Rule {
        code: Code::CancelStuck,
        word: "cancel_stuck",
        severity: Severity::Warning,
        remedy: Remedy::Command,
        command: Some("bgledger cancel {} --wait"),
        meaning: "cancel of a running task was requested long ago",
    },
    Rule {
        code: Code::Undelivered,
        word: "undelivered",
        severity: Severity::Warning,
        remedy: Remedy::Command,
        command: Some("bgledger notices list --recipient {}"),
        meaning: "a recipient that has claimed before leaves notices unclaimed for long",
    },
    Rule {
        code: Code::DeadLetters,
        word: "dead_letters",
        severity: Severity::Warning,
        remedy: Remedy::Command,
        command: Some("bgledger notices list --recipient {} --state dead"),
        meaning: "notices were given up that a recipient which has claimed before was owed",
    },
    Rule {
        code: Code::FlowIdle,
        word: "flow_idle",
        severity: Severity::Warning,
        remedy: Remedy::Command,
        command: Some("bgledger flow show {}"),
        meaning: "a flow is running, none of its tasks is active, and nobody has moved it for long",
    },
    Rule {
        code: Code::FlowWaiting,
        word: "flow_waiting",
        severity: Severity::Warning,
        remedy: Remedy::Command,
        command: Some("bgledger flow show {}"),
        meaning: "a flow has been waiting for long",
    },
    Rule {
        code: Code::FlowBlocked,
        word: "flow_blocked",
        severity: Severity::Warning,
        remedy: Remedy::Command,
        command: Some("bgledger flow show {}"),
        meaning: "a flow has been blocked for long",
    },
    Rule {
        code: Code::FlowBlockerGone,
        word: "flow_blocker_gone",
        severity: Severity::Warning,
        remedy: Remedy::Command,
        command: Some("bgledger flow show {}"),
        meaning: "a flow is blocked by a task that has ended or is gone",
    },
    Rule {
        code: Code::FlowCancelStuck,
        word: "flow_cancel_stuck",
        severity: Severity::Error,
        remedy: Remedy::Auto,
        command: Some("bgledger maintenance --apply"),
        meaning: "cancel of a flow was requested and none of its tasks is active, yet it goes on",
    },
    Rule {
        code: Code::FlowTimesOutOfOrder,
        word: "flow_times_out_of_order",
        severity: Severity::Error,
        remedy: Remedy::Command,
        command: Some("bgledger flow show {}"),
        meaning: "a flow's times are not in the order created, ended, updated",
    },
    Rule {
        code: Code::WalLarge,
        word: "wal_large",
        severity: Severity::Warning,
        remedy: Remedy::Command,
        command: Some("bgledger doctor"),
        meaning: "the write-ahead log has grown large: a reader has held it for long",
    },
    Rule {
        code: Code::FreeSpace,
        word: "free_space",
        severity: Severity::Warning,
        remedy: Remedy::Command,
        command: Some("bgledger prune"),
        meaning: "much of the file is free and is not given back",
    },
    Rule {
        code: Code::RowDiffers,
        word: "row_differs",
        severity: Severity::Error,
        remedy: Remedy::Command,
        command: Some("bgledger history {}"),
        meaning: "a row cannot be read, or differs from the fold of its events: somebody wrote it by hand",
    },
    Rule {
        code: Code::LooseEnd,
        word: "loose_end",
        severity: Severity::Error,
        remedy: Remedy::Command,
        command: Some("bgledger verify"),
        meaning: "something hangs loose: a link, an event or a notice without what it belongs to, or a count that is off",
    },
    Rule {
        code: Code::UnknownWord,
        word: "unknown_word",
        severity: Severity::Warning,
        remedy: Remedy::Info,
        command: None,
        meaning: "an event was written by a newer version: it is kept and has no effect here",
    },
];

impl Code {
    /// The rule of the code: its place in the table is its number.
    pub fn rule(self) -> &'static Rule {
        let [first, ..] = &RULES;
        RULES.get((self as usize).saturating_sub(1)).unwrap_or(first)
    }

    /// The code of a word.
    pub fn from_word(word: &str) -> Option<Code> {
        RULES.iter().find(|rule| rule.word == word).map(|rule| rule.code)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// The stable name.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Who mends it.
    pub remedy: Remedy,
    /// The command that does.
    pub command: Option<String>,
    /// What is wrong, in words.
    pub message: String,
    /// What it is about: a task such as `#12`, a flow such as `F3`, a recipient of notices, or the `ledger`.
    pub subject: String,
    /// The task, if it is about one; nothing then in the next four either.
    pub number: Option<TaskNumber>,
    /// Its global id.
    pub id: Option<TaskId>,
    /// Where it stands.
    pub status: Option<Status>,
    /// Who runs it.
    pub runtime: Option<String>,
    /// Its title, or the flow's goal.
    pub label: Option<String>,
    /// The flow, if it is about one.
    pub flow: Option<FlowNumber>,
    /// How many things of this kind it stands for.
    pub count: u64,
    /// Since when it has been wrong.
    pub since: Option<Millis>,
    /// What proves or suggests it.
    pub evidence: Option<Evidence>,
    /// Who knows of it, and until when it need not be told.
    pub acknowledged: Option<Acknowledgement>,
}

/// A finding that somebody knows of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Acknowledgement {
    /// Until when.
    pub until: Millis,
    /// Who.
    pub by: Option<String>,
    /// Why it is well.
    pub note: Option<String>,
}

impl Finding {
    fn new(code: Code, subject: String, message: String, since: Option<Millis>) -> Finding {
        let rule = code.rule();
        // What a shell would take apart is quoted.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':' | b'/' | b'@');
        let bare = subject.trim_start_matches('#');
        let word = match bare.bytes().all(plain) {
            true => bare.into(),
            false => alloc::format!("'{}'", bare.replace('\'', "'\\''")),
        };
        Finding {
            code: rule.word,
            severity: rule.severity,
            remedy: rule.remedy,
            command: rule.command.map(|command| command.replace("{}", &word)),
            message,
            subject,
            number: None,
            id: None,
            status: None,
            runtime: None,
            label: None,
            flow: None,
            count: 1,
            since,
            evidence: None,
            acknowledged: None,
        }
    }
}

/// What maintenance does about a finding whose remedy is automatic.
pub fn remedy(code: Code, evidence: Option<Evidence>) -> Option<Command> {
    match (code, evidence) {
        (Code::ExecutorGone | Code::LeaseExpired, Some(evidence)) => Some(Command::Reap(evidence)),
        (Code::QueueExpired, _) => Some(Command::Expire),
        (_, _) => None,
    }
}
