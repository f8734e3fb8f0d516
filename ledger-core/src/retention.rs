//! How long ended tasks stay: the policy, and what of it applies to one.

use crate::config::{RETENTION, RETENTION_FAMILY, RETENTION_KIND, RETENTION_STATUS};
use crate::{Millis, Span, Status};
use alloc::collections::BTreeMap;
use alloc::string::String;

/// How long the dead letters of a pruned task stay.
pub const LETTERS: Span = Span::from_secs(30 * 86_400);
/// How long a tombstone stands.
pub const TOMBSTONES: Span = Span::from_secs(90 * 86_400);
/// How long lost tasks stay, unless the policy says otherwise.
const LOST: Span = Span::from_secs(86_400);
/// How long others do.
const ENDED: Span = Span::from_secs(7 * 86_400);

/// The ledger's policy, as far as it is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retention {
    settings: BTreeMap<String, Keep>,
}

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// So long.
    For(Span),
    /// Until somebody says otherwise.
    Forever,
}

impl Keep {
    /// The word for ever.
    pub const FOREVER: &'static str = "forever";
    /// What is expected, for messages.
    pub const EXPECTED: &'static str = "a length of time such as \"7d\", or forever";

    /// Reads `7d` or `forever`.
    pub fn parse(text: &str) -> Option<Keep> {
        match text {
            Keep::FOREVER => Some(Keep::Forever),
            _ => Span::parse(text).map(Keep::For),
        }
    }

    /// The latest time at which what goes now may have been recorded to end; `None`: nothing goes.
    pub fn cutoff(self, now: Millis) -> Option<Millis> {
        match self {
            Keep::For(span) => Some(now.minus(span)),
            Keep::Forever => None,
        }
    }
}

impl Retention {
    /// The policy of configured keys and values; others are left aside. A value of a newer version keeps for ever.
    pub fn of(settings: impl IntoIterator<Item = (String, String)>) -> Retention {
        let ours = |key: &str| {
            key == RETENTION || [RETENTION_FAMILY, RETENTION_KIND, RETENTION_STATUS].iter().any(|f| key.starts_with(f))
        };
        let settings = settings.into_iter().filter(|(key, _)| ours(key));
        Retention { settings: settings.map(|(key, text)| (key, Keep::parse(&text).unwrap_or(Keep::Forever))).collect() }
    }

    /// How long ended tasks of a runtime, a kind and a status stay. What is set of the kind goes first, then of the
    /// runtime, then of the status, then of all; lost ones stay for a day unless one of these is set.
    pub fn keep(&self, runtime: &str, kind: Option<&str>, status: Status) -> Keep {
        let set = |family: &str, word: &str| self.settings.get(&alloc::format!("{family}{word}")).copied();
        let general = self.settings.get(RETENTION).copied();
        kind.and_then(|kind| set(RETENTION_KIND, kind))
            .or_else(|| set(RETENTION_FAMILY, runtime))
            .or_else(|| set(RETENTION_STATUS, status.as_str()))
            .or_else(|| if status == Status::Lost { Some(Keep::For(LOST)) } else { general })
            .unwrap_or(Keep::For(ENDED))
    }

    /// How long ended flows stay, once their tasks are gone.
    pub fn keep_flows(&self) -> Keep {
        self.settings.get(RETENTION).copied().unwrap_or(Keep::For(ENDED))
    }
}
