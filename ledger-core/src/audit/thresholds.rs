//! From when on silence and waiting are findings.

use crate::config;
use crate::{Millis, Span, Task};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

/// How long something may last before it is a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// So long.
    After(Span),
    /// However long.
    Never,
}

impl Threshold {
    /// The word for however long.
    pub const NEVER: &'static str = "never";
    /// What is expected, for messages.
    pub const EXPECTED: &'static str = "a length of time such as \"30m\", or never";

    /// Reads `30m` or `never`.
    pub fn parse(text: &str) -> Option<Threshold> {
        match text {
            Threshold::NEVER => Some(Threshold::Never),
            _ => Span::parse(text).map(Threshold::After),
        }
    }

    /// Whether it is over.
    pub fn is_over(self, since: Millis, now: Millis) -> bool {
        match self {
            Threshold::After(span) => now.since(since) > span,
            Threshold::Never => false,
        }
    }
}

/// The thresholds that are set, by key; the others are at their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thresholds {
    set: BTreeMap<String, Threshold>,
}

impl Thresholds {
    /// Those of configured keys and values. What a newer version wrote is no threshold.
    pub fn of(settings: impl IntoIterator<Item = (String, String)>) -> Thresholds {
        let read = |(key, text): (String, String)| Some((key, Threshold::parse(&text)?));
        Thresholds { set: settings.into_iter().filter_map(read).collect() }
    }

    fn general(&self, key: &str) -> Threshold {
        let default = || config::default(key).and_then(|text| Threshold::parse(&text)).unwrap_or(Threshold::Never);
        self.set.get(key).copied().unwrap_or_else(default)
    }

    /// What is set for a kind of a runtime goes first, then for the runtime, then for all.
    fn of_task(&self, key: &str, task: &Task) -> Threshold {
        let kind = task.kind.as_ref().and_then(|kind| self.set.get(&format!("{key}.{}/{kind}", task.runtime)));
        let runtime = || self.set.get(&format!("{key}.{}", task.runtime));
        kind.or_else(runtime).copied().unwrap_or_else(|| self.general(key))
    }

    /// How long a task may stay queued.
    pub fn queued(&self, task: &Task) -> Threshold {
        self.of_task(config::AUDIT_QUEUED, task)
    }

    /// How long a running task with nothing to observe may be silent.
    pub fn unobserved(&self, task: &Task) -> Threshold {
        self.of_task(config::AUDIT_UNOBSERVED, task)
    }

    /// How long a running task may report nothing.
    pub fn no_progress(&self, task: &Task) -> Threshold {
        self.of_task(config::AUDIT_NO_PROGRESS, task)
    }

    /// How long a running task may go on after its cancel was requested.
    pub fn cancel(&self, task: &Task) -> Threshold {
        self.of_task(config::AUDIT_CANCEL, task)
    }

    /// How long a notice may wait for a recipient that has claimed before.
    pub fn undelivered(&self) -> Threshold {
        self.general(config::AUDIT_UNDELIVERED)
    }

    /// How long a running flow may have no active task.
    pub fn flow_idle(&self) -> Threshold {
        self.general(config::AUDIT_FLOW_IDLE)
    }

    /// How long a flow may wait.
    pub fn flow_waiting(&self) -> Threshold {
        self.general(config::AUDIT_FLOW_WAITING)
    }

    /// How long a flow may be blocked.
    pub fn flow_blocked(&self) -> Threshold {
        self.general(config::AUDIT_FLOW_BLOCKED)
    }
}
