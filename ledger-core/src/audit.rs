//! What can be wrong with a task, and what to do about it: the one table behind audit and maintenance.

use crate::{ClockJump, Command, Evidence, Liveness, Millis, Moment, Span, Status, Task, TaskId, TaskNumber};
use alloc::format;
use alloc::string::{String, ToString};
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
    /// The command that does, `{}` standing for the task's number.
    pub command: Option<&'static str>,
    /// What it means.
    pub meaning: &'static str,
}

/// Every rule, in the order in which a task is examined.
pub const RULES: [Rule; 9] = [
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
];

impl Code {
    /// The rule of the code.
    pub fn rule(self) -> &'static Rule {
        let [gone, lease, queue, overdue, unobserved, queued, lost, times, clock] = &RULES;
        match self {
            Code::ExecutorGone => gone,
            Code::LeaseExpired => lease,
            Code::QueueExpired => queue,
            Code::Overdue => overdue,
            Code::Unobserved => unobserved,
            Code::StaleQueued => queued,
            Code::Lost => lost,
            Code::TimesOutOfOrder => times,
            Code::ClockJump => clock,
        }
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
    /// The task; nothing here and in the next four: it is about the ledger.
    pub number: Option<TaskNumber>,
    /// Its global id.
    pub id: Option<TaskId>,
    /// Where it stands.
    pub status: Option<Status>,
    /// Who runs it.
    pub runtime: Option<String>,
    /// Its title.
    pub label: Option<String>,
    /// Since when it has been wrong.
    pub since: Option<Millis>,
    /// What proves or suggests it.
    pub evidence: Option<Evidence>,
}

/// From when on silence and waiting are findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// See [`crate::config::AUDIT_UNOBSERVED`].
    pub unobserved: Span,
    /// See [`crate::config::AUDIT_QUEUED`].
    pub queued: Span,
}

/// Examines a task. A running task's executor is judged by the caller, who saw it.
pub fn examine(task: &Task, liveness: &Liveness, at: &Moment, thresholds: &Thresholds) -> Option<Finding> {
    if !times_in_order(task) {
        let times = "its times are not in the order created, started, ended, updated";
        return Some(finding(task, Code::TimesOutOfOrder, times.into(), None, None));
    }
    let now = at.now.max(task.updated_at);
    match task.status {
        Status::Queued if task.is_queue_overdue(now) => {
            let since = task.queue_timeout.map(|timeout| task.created_at.plus(timeout));
            Some(finding(task, Code::QueueExpired, "it is past its queue_timeout".into(), since, None))
        }
        // Whoever set a deadline has said how long waiting is well.
        Status::Queued if task.queue_timeout.is_none() && now.since(task.created_at) > thresholds.queued => {
            let message = format!("it has been queued for {}", now.since(task.created_at));
            Some(finding(task, Code::StaleQueued, message, Some(task.created_at), None))
        }
        Status::Running => running(task, liveness, now, thresholds),
        Status::Lost => {
            let message = format!("it is presumed dead ({})", task.end_detail());
            Some(finding(task, Code::Lost, message, task.ended_at, None))
        }
        Status::Queued | Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => None,
    }
}

fn running(task: &Task, liveness: &Liveness, now: Millis, thresholds: &Thresholds) -> Option<Finding> {
    let spoke = last_word(task);
    match liveness {
        Liveness::Gone(evidence) if evidence.is_proof() => {
            let message = format!("its executor is gone: {}", describe(evidence));
            Some(finding(task, Code::ExecutorGone, message, spoke, Some(evidence)))
        }
        Liveness::Gone(evidence) => {
            Some(finding(task, Code::LeaseExpired, describe(evidence), task.lease_expires_at, Some(evidence)))
        }
        Liveness::Alive | Liveness::Unknown if task.is_overdue(now) => {
            let since = task.attempt_started_at.zip(task.timeout).map(|(start, timeout)| start.plus(timeout));
            Some(finding(task, Code::Overdue, "it is past its timeout".into(), since, None))
        }
        Liveness::Unknown if spoke.is_some_and(|spoke| now.since(spoke) > thresholds.unobserved) => {
            let message = match task.executor.as_ref().and_then(|executor| executor.pid) {
                Some(pid) => format!("no lease, no word, and process {pid} cannot be observed from here"),
                None => "no lease, no word and no process to observe: nothing shows whether it still runs".into(),
            };
            Some(finding(task, Code::Unobserved, message, spoke, None))
        }
        Liveness::Alive | Liveness::Unknown => None,
    }
}

/// What maintenance does about a finding whose remedy is automatic.
pub fn remedy(code: Code, evidence: Option<Evidence>) -> Option<Command> {
    match (code, evidence) {
        (Code::ExecutorGone | Code::LeaseExpired, Some(evidence)) => Some(Command::Reap(evidence)),
        (Code::QueueExpired, _) => Some(Command::Expire),
        (
            Code::ExecutorGone
            | Code::LeaseExpired
            | Code::Overdue
            | Code::Unobserved
            | Code::StaleQueued
            | Code::Lost
            | Code::TimesOutOfOrder
            | Code::ClockJump,
            _,
        ) => None,
    }
}

/// Evidence in words.
pub fn describe(evidence: &Evidence) -> String {
    match evidence {
        Evidence::ProcessGone { pid, found: None, .. } => format!("there is no process {pid}"),
        Evidence::ProcessGone { pid, found: Some(_), .. } => format!("process {pid} is another one now"),
        Evidence::Zombie { pid, .. } => format!("process {pid} is a zombie"),
        Evidence::Rebooted { .. } => "the machine has booted since".into(),
        Evidence::LeaseExpired { overdue, .. } => format!("its lease ran out {overdue} ago"),
    }
}

/// When somebody last said that the task lives.
fn last_word(task: &Task) -> Option<Millis> {
    task.heartbeat_at.max(task.progress_at).max(task.attempt_started_at)
}

fn times_in_order(task: &Task) -> bool {
    let ended_or_now = task.ended_at.unwrap_or(task.updated_at);
    task.created_at <= task.started_at.unwrap_or(task.created_at)
        && task.started_at.unwrap_or(task.created_at) <= ended_or_now
        && ended_or_now <= task.updated_at
}

fn finding(task: &Task, code: Code, message: String, since: Option<Millis>, evidence: Option<&Evidence>) -> Finding {
    let rule = code.rule();
    Finding {
        code: rule.word,
        severity: rule.severity,
        remedy: rule.remedy,
        command: rule.command.map(|command| command.replace("{}", &task.number.0.to_string())),
        message,
        number: Some(task.number),
        id: Some(task.id),
        status: Some(task.status),
        runtime: Some(task.runtime.clone()),
        label: Some(task.label.clone()),
        since,
        evidence: evidence.cloned(),
    }
}

/// What a jump of the clock is to the audit.
pub fn clock(jump: &ClockJump) -> Finding {
    let rule = Code::ClockJump.rule();
    Finding {
        code: rule.word,
        severity: rule.severity,
        remedy: rule.remedy,
        command: rule.command.map(Into::into),
        message: jump.describe(),
        number: None,
        id: None,
        status: None,
        runtime: None,
        label: None,
        since: Some(jump.believed),
        evidence: None,
    }
}
