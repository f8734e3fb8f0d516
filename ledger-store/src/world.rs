//! Where a call happens: its clock, its machine, its processes. Real, or told by a conformance test.

use crate::platform::{self, ProcessState};
use bgledger_core::{Error, Executor, ExecutorSpec, Group, Millis, Moment, Observation, Observed, Task};
use std::sync::OnceLock;

/// Where a call happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum World {
    /// This machine, now.
    Real,
    /// A machine with one process (pid 1, started at 1) on which it is the time that the request says.
    Scripted(Millis),
}

const SCRIPTED_MACHINE: &str = "test-machine";
const SCRIPTED_BOOT: &str = "test-boot";
const SCRIPTED_NAMESPACE: u64 = 1;
const SCRIPTED_PID: u32 = 1;
const SCRIPTED_START: u64 = 1;

impl World {
    /// The time.
    pub(crate) fn moment(self) -> Moment {
        match self {
            World::Real => Moment {
                now: Millis::clamped(platform::wall_ms()),
                boot: platform::host().boot.clone(),
                monotonic: platform::monotonic_ms(),
                uptime: platform::uptime_ms(),
            },
            World::Scripted(now) => {
                Moment { now, boot: Some(SCRIPTED_BOOT.into()), monotonic: now.get(), uptime: now.get() }
            }
        }
    }

    /// Looks for a task's executor.
    pub(crate) fn observe(self, task: &Task) -> Observation {
        let pid = task.executor.as_ref().and_then(|executor| executor.pid);
        let (machine, boot, pid_namespace) = self.host();
        let process = match (self, pid) {
            (_, None) => Observed::Unknown,
            (World::Real, Some(pid)) => match platform::process(pid) {
                ProcessState::Running { started } => Observed::Running { started },
                ProcessState::Zombie { started } => Observed::Zombie { started },
                ProcessState::Gone => Observed::Gone,
                ProcessState::Unknown => Observed::Unknown,
            },
            (World::Scripted(_), Some(SCRIPTED_PID)) => Observed::Running { started: SCRIPTED_START },
            (World::Scripted(_), Some(_)) => Observed::Gone,
        };
        Observation { machine, boot, pid_namespace, process }
    }

    fn host(self) -> (Option<String>, Option<String>, Option<u64>) {
        match self {
            World::Real => {
                let host = platform::host();
                (host.machine.clone(), host.boot.clone(), host.pid_namespace)
            }
            World::Scripted(_) => (Some(SCRIPTED_MACHINE.into()), Some(SCRIPTED_BOOT.into()), Some(SCRIPTED_NAMESPACE)),
        }
    }

    /// The executor that a caller means; `None` if there is nothing to observe.
    pub(crate) fn executor(self, field: &str, spec: &ExecutorSpec) -> Result<Option<Executor>, Error> {
        match spec {
            ExecutorSpec::External => Ok(None),
            ExecutorSpec::This => {
                let pid = match self {
                    World::Real => platform::own_pid(),
                    World::Scripted(_) => SCRIPTED_PID,
                };
                let nonce = matches!(self, World::Real).then(own_nonce);
                Ok(Some(Executor { nonce, ..self.process(field, pid)? }))
            }
            ExecutorSpec::Process { pid, group } => {
                let group = group.map(|id| self.group(field, id)).transpose()?;
                Ok(Some(Executor { group, ..self.process(field, *pid)? }))
            }
            ExecutorSpec::Identity(executor) if *executor == Executor::default() => Ok(None),
            ExecutorSpec::Identity(executor) => Ok(Some(executor.clone())),
        }
    }

    fn process(self, field: &str, pid: u32) -> Result<Executor, Error> {
        let started = self.start_of(pid);
        let Some(started) = started else {
            return Err(Error::invalid(field, format!("no process {pid}"), "the pid of a live process"));
        };
        let (machine, boot, pid_namespace) = self.host();
        Ok(Executor { machine, boot, pid_namespace, pid: Some(pid), started, nonce: None, group: None })
    }

    fn group(self, field: &str, id: u32) -> Result<Group, Error> {
        match self.start_of(id) {
            Some(Some(started)) => Ok(Group { id, started }),
            Some(None) | None => Err(Error::invalid(field, format!("no process group {id}"), "a live leader's pid")),
        }
    }

    /// The start of a live process: `None` if there is none, `Some(None)` where it cannot be told.
    fn start_of(self, pid: u32) -> Option<Option<u64>> {
        match self {
            World::Real => match platform::process(pid) {
                ProcessState::Running { started } => Some(Some(started)),
                ProcessState::Zombie { .. } | ProcessState::Gone => None,
                ProcessState::Unknown => Some(None),
            },
            World::Scripted(_) => (pid == SCRIPTED_PID).then_some(Some(SCRIPTED_START)),
        }
    }
}

/// A random word that tells this process from another with the same pid and start. A forked child has its own pid.
fn own_nonce() -> String {
    static NONCE: OnceLock<String> = OnceLock::new();
    NONCE.get_or_init(|| format!("{:016x}", u64::from_le_bytes(platform::random_bytes()))).clone()
}
