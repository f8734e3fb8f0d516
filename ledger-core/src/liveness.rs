//! Alive or dead: what evidence proves, what it merely suggests, and what it leaves open.
//!
//! Only evidence counts; *unknown* never ends a task.

use crate::{Executor, Lease, Millis, Moment, Span, Task};
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// A lease counts as run out only this long after its end.
pub const LEASE_GRACE: Span = Span::from_secs(30);
/// How often a lease is renewed within its length, by those who renew it by themselves.
pub const RENEWALS: i64 = 3;
/// The lease that a task takes by itself in a container, where a restart hides whether its process lives.
pub const CONTAINER_LEASE: Span = Span::from_secs(60);
/// Between the signal that asks a process group to end and the one that makes it.
pub const STOP_GRACE: Span = Span::from_secs(5);

/// What somebody who looked for a task's executor saw, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observation {
    /// The observer's machine.
    pub machine: Option<String>,
    /// The observer's boot.
    pub boot: Option<String>,
    /// The pid namespace that the observer sees.
    pub pid_namespace: Option<u64>,
    /// What stands at the executor's pid.
    pub process: Observed,
}

/// What stands at a pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Observed {
    /// A live process that started then.
    Running {
        /// Its start in the system's ticks.
        started: u64,
    },
    /// A dead process that nobody has collected.
    Zombie {
        /// Its start in the system's ticks.
        started: u64,
    },
    /// No process.
    Gone,
    /// The observer cannot tell.
    #[default]
    Unknown,
}

/// Why a task's executor is taken for dead. Stored with the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Evidence {
    /// Proof: on this machine and boot, no process has this pid and start.
    ProcessGone {
        /// The pid.
        pid: u32,
        /// The start recorded for it.
        started: u64,
        /// The start of another process that has the pid now.
        found: Option<u64>,
    },
    /// Proof: the process is a zombie.
    Zombie {
        /// The pid.
        pid: u32,
        /// Its start.
        started: u64,
    },
    /// Proof: the machine has booted since.
    Rebooted {
        /// The boot on which the executor ran.
        was: String,
        /// The boot now.
        is: String,
    },
    /// Presumption: the lease ran out and its grace passed.
    LeaseExpired {
        /// When it ran out, by the wall clock.
        expired_at: Option<Millis>,
        /// How long ago (ms), by the clock that was used.
        overdue: Span,
        /// Whether that was the monotonic clock of one boot.
        monotonic: bool,
    },
}

impl Evidence {
    /// Whether it proves death; otherwise it presumes it.
    pub fn is_proof(&self) -> bool {
        match self {
            Evidence::ProcessGone { .. } | Evidence::Zombie { .. } | Evidence::Rebooted { .. } => true,
            Evidence::LeaseExpired { .. } => false,
        }
    }
}

/// What is known of an active task's executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness {
    /// Its process lives, or its lease holds.
    Alive,
    /// It is proved dead, or presumed to be.
    Gone(Evidence),
    /// Nobody here can tell.
    Unknown,
}

impl Liveness {
    /// The word that lists show.
    pub fn as_str(&self) -> &'static str {
        match self {
            Liveness::Alive => "alive",
            Liveness::Gone(evidence) if evidence.is_proof() => "gone",
            Liveness::Gone(_) => "lease_expired",
            Liveness::Unknown => "unknown",
        }
    }
}

/// Judges a running (or lost) task's executor by what was observed. Proof goes before the lease; the lease goes
/// before a live process, since a process may live while its work does not.
pub fn judge(task: &Task, seen: &Observation, at: &Moment) -> Liveness {
    let process = task.executor.as_ref().map_or(Process::Unknown, |executor| look(executor, seen));
    if let Process::Dead(evidence) = process {
        return Liveness::Gone(evidence);
    }
    match (lease_state(task, at), &process) {
        (LeaseState::Expired(evidence), _) => Liveness::Gone(evidence),
        (LeaseState::Holds, _) | (LeaseState::None, Process::Alive) => Liveness::Alive,
        (LeaseState::None, _) if crate::planted("sweep_without_evidence") => {
            Liveness::Gone(Evidence::LeaseExpired { expired_at: None, overdue: LEASE_GRACE, monotonic: false })
        }
        (LeaseState::None, Process::Unknown | Process::Dead(_)) => Liveness::Unknown,
    }
}

enum Process {
    Alive,
    Dead(Evidence),
    Unknown,
}

fn look(executor: &Executor, seen: &Observation) -> Process {
    if executor.machine.is_none() || executor.machine != seen.machine {
        return Process::Unknown;
    }
    match (&executor.boot, &seen.boot) {
        (Some(was), Some(is)) if was != is => {
            return Process::Dead(Evidence::Rebooted { was: was.clone(), is: is.clone() });
        }
        (Some(_), Some(_)) => {}
        (None, _) | (_, None) => return Process::Unknown,
    }
    let (Some(pid), Some(started)) = (executor.pid, executor.started) else { return Process::Unknown };
    if executor.pid_namespace.is_none() || executor.pid_namespace != seen.pid_namespace {
        return Process::Unknown;
    }
    match seen.process {
        Observed::Running { started: found } if found == started => Process::Alive,
        Observed::Zombie { started: found } if found == started => Process::Dead(Evidence::Zombie { pid, started }),
        Observed::Running { started: found } | Observed::Zombie { started: found } => {
            Process::Dead(Evidence::ProcessGone { pid, started, found: Some(found) })
        }
        Observed::Gone => Process::Dead(Evidence::ProcessGone { pid, started, found: None }),
        Observed::Unknown => Process::Unknown,
    }
}

enum LeaseState {
    None,
    Holds,
    Expired(Evidence),
}

/// Whether the task's lease has run out and its grace has passed.
pub(crate) fn lease_has_run_out(task: &Task, at: &Moment) -> bool {
    matches!(lease_state(task, at), LeaseState::Expired(_))
}

/// Whether the task's lease is over, its grace apart.
pub(crate) fn lease_is_over(task: &Task, at: &Moment) -> bool {
    task.lease_expires_at.is_some_and(|expires_at| overdue(task, expires_at, at).0 > Span::ZERO)
}

/// How long a lease is over, and whether the monotonic clock says so: within one boot a lease is measured by that boot's
/// monotonic clock, elsewhere by the wall clock.
fn overdue(task: &Task, expires_at: Millis, at: &Moment) -> (Span, bool) {
    match (&task.lease_clock, &at.boot) {
        (Some(Lease { boot, expires }), Some(here)) if boot == here => {
            (Span::clamped(at.monotonic.saturating_sub(*expires)), true)
        }
        (_, _) => (at.now.since(expires_at), false),
    }
}

fn lease_state(task: &Task, at: &Moment) -> LeaseState {
    let Some(expires_at) = task.lease_expires_at else { return LeaseState::None };
    let (overdue, monotonic) = overdue(task, expires_at, at);
    match overdue > LEASE_GRACE {
        true => LeaseState::Expired(Evidence::LeaseExpired { expired_at: Some(expires_at), overdue, monotonic }),
        false => LeaseState::Holds,
    }
}
