//! Policy that changes the ledger's behaviour. It is stored in the ledger, the same for every process and language.

use crate::audit::Threshold;
use crate::retention::Keep;
use crate::text;
use crate::{Error, Filter, NotifyPolicy, Span, bounds};
use alloc::string::{String, ToString};

/// What a key's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `full` or `relaxed`.
    Durability,
    /// A notify policy.
    Notify,
    /// A length of time.
    Span,
    /// A command line for a shell.
    Command,
    /// Which tasks a subscriber hears of.
    Filter,
    /// How long something is kept.
    Keep,
    /// How many.
    Count,
    /// From when on something is a finding.
    Threshold,
}

/// What the `*` of a family of keys stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    /// A lower-case word.
    Word,
    /// Anything that names something.
    Name,
    /// A runtime, or a kind of one: `cron`, `cron/nightly`.
    Scope,
}

/// One key: its name, its kind, what it is unless set, what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The name. One that ends in `.*` stands for every lower-case word there; in some families, any name.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What it is unless set; `None` for a family of keys, whose defaults differ.
    pub default: Option<&'static str>,
    /// What it does.
    pub help: &'static str,
}

/// `full` or `relaxed`, unless a handle says otherwise.
pub const DURABILITY: &str = "durability";
/// The notify policy of a runtime's tasks, unless the task says otherwise.
pub const NOTIFY: &str = "notify.";
/// How long a running task with nothing to observe may be silent before the audit names it.
pub const AUDIT_UNOBSERVED: &str = "audit.unobserved";
/// How long a task may stay queued before the audit names it.
pub const AUDIT_QUEUED: &str = "audit.queued";
/// How long a running task may report nothing before the audit names it.
pub const AUDIT_NO_PROGRESS: &str = "audit.no_progress";
/// How long a running task may go on after its cancel was requested before the audit names it.
pub const AUDIT_CANCEL: &str = "audit.cancel";
/// How long a notice may wait before the audit names a recipient that has claimed before.
pub const AUDIT_UNDELIVERED: &str = "audit.undelivered";
/// How long a running flow may have no active task before the audit names it.
pub const AUDIT_FLOW_IDLE: &str = "audit.flow_idle";
/// How long a flow may wait before the audit names it.
pub const AUDIT_FLOW_WAITING: &str = "audit.flow_waiting";
/// How long a flow may be blocked before the audit names it.
pub const AUDIT_FLOW_BLOCKED: &str = "audit.flow_blocked";

/// The notify policy of an owner's tasks, unless the task says otherwise. It goes before that of the runtime.
pub const NOTIFY_OWNER: &str = "notify_owner.";
/// The shortest time between two notices of progress of one task to one recipient.
pub const PROGRESS_INTERVAL: &str = "progress_interval";
/// How long ended tasks stay, counted from when this ledger recorded the end.
pub const RETENTION: &str = "retention";
/// The same for a runtime's.
pub const RETENTION_FAMILY: &str = "retention.";
/// The same for a kind's.
pub const RETENTION_KIND: &str = "retention_kind.";
/// The same for a status.
pub const RETENTION_STATUS: &str = "retention_status.";
/// How many ended tasks stay at most.
pub const RETENTION_COUNT: &str = "retention_count";
/// The same for a runtime's.
pub const RETENTION_COUNT_FAMILY: &str = "retention_count.";
/// Of how many bytes the ledger is at most; older tasks go for it.
pub const RETENTION_BYTES: &str = "retention_bytes";
/// Which tasks a subscriber hears of, by the subscriber's name.
pub const SUBSCRIBER: &str = "subscriber.";
/// The command that is told of a cancel of a runtime's task which the ledger cannot reach itself.
pub const CANCEL_HOOK: &str = "cancel_hook.";

/// Every key there is.
pub const KEYS: [Key; 25] = [
    Key {
        name: AUDIT_CANCEL,
        kind: Kind::Threshold,
        default: Some("5m"),
        help: "how long a running task may go on after its cancel was requested before the audit names it",
    },
    Key {
        name: "audit.cancel.*",
        kind: Kind::Threshold,
        default: None,
        help: "the same for a runtime, or a kind of it, as in audit.cancel.cron/nightly",
    },
    Key {
        name: AUDIT_FLOW_BLOCKED,
        kind: Kind::Threshold,
        default: Some("1d"),
        help: "how long a flow may be blocked before the audit names it",
    },
    Key {
        name: AUDIT_FLOW_IDLE,
        kind: Kind::Threshold,
        default: Some("1h"),
        help: "how long a running flow may have no active task before the audit names it",
    },
    Key {
        name: AUDIT_FLOW_WAITING,
        kind: Kind::Threshold,
        default: Some("7d"),
        help: "how long a flow may wait before the audit names it",
    },
    Key {
        name: AUDIT_NO_PROGRESS,
        kind: Kind::Threshold,
        default: Some("never"),
        help: "how long a running task may report nothing before the audit names it",
    },
    Key {
        name: "audit.no_progress.*",
        kind: Kind::Threshold,
        default: None,
        help: "the same for a runtime, or a kind of it, as in audit.no_progress.cron/nightly",
    },
    Key {
        name: AUDIT_QUEUED,
        kind: Kind::Threshold,
        default: Some("1d"),
        help: "how long a task may stay queued before the audit names it",
    },
    Key {
        name: "audit.queued.*",
        kind: Kind::Threshold,
        default: None,
        help: "the same for a runtime, or a kind of it, as in audit.queued.cron/nightly",
    },
    Key {
        name: AUDIT_UNDELIVERED,
        kind: Kind::Threshold,
        default: Some("30m"),
        help: "how long a notice may wait before the audit names a recipient that has claimed before",
    },
    Key {
        name: AUDIT_UNOBSERVED,
        kind: Kind::Threshold,
        default: Some("30m"),
        help: "how long a running task with nothing to observe may be silent before the audit names it",
    },
    Key {
        name: "audit.unobserved.*",
        kind: Kind::Threshold,
        default: None,
        help: "the same for a runtime, or a kind of it, as in audit.unobserved.cron/nightly",
    },
    Key {
        name: "cancel_hook.*",
        kind: Kind::Command,
        default: None,
        help: "the command that is given a runtime's task as JSON when its cancel is requested, as in cancel_hook.acp",
    },
    Key {
        name: DURABILITY,
        kind: Kind::Durability,
        default: Some("full"),
        help: "whether what was acknowledged survives a power loss (full) or only a crash (relaxed)",
    },
    Key {
        name: "notify.*",
        kind: Kind::Notify,
        default: None,
        help: "the notify policy of a runtime's tasks, as in notify.cron, unless the task says otherwise",
    },
    Key {
        name: "notify_owner.*",
        kind: Kind::Notify,
        default: None,
        help: "the notify policy of an owner's tasks, as in notify_owner.alice; it goes before the runtime's",
    },
    Key {
        name: PROGRESS_INTERVAL,
        kind: Kind::Span,
        default: Some("10s"),
        help: "the shortest time between two notices of progress of one task to one recipient",
    },
    Key {
        name: RETENTION,
        kind: Kind::Keep,
        default: Some("7d"),
        help: "how long ended tasks stay, counted from when this ledger recorded the end; or forever",
    },
    Key {
        name: "retention.*",
        kind: Kind::Keep,
        default: None,
        help: "the same for a runtime's tasks, as in retention.cron",
    },
    Key {
        name: RETENTION_BYTES,
        kind: Kind::Count,
        default: None,
        help: "of how many bytes the ledger is at most: the oldest ended tasks go for it before their time",
    },
    Key {
        name: RETENTION_COUNT,
        kind: Kind::Count,
        default: None,
        help: "how many ended tasks stay at most: the oldest go before their time",
    },
    Key {
        name: "retention_count.*",
        kind: Kind::Count,
        default: None,
        help: "the same for a runtime's tasks, as in retention_count.cron",
    },
    Key {
        name: "retention_kind.*",
        kind: Kind::Keep,
        default: None,
        help: "how long ended tasks of a kind stay; it goes before the runtime's",
    },
    Key {
        name: "retention_status.*",
        kind: Kind::Keep,
        default: None,
        help: "how long tasks that ended so stay, unless their kind or runtime says it; lost ones a day",
    },
    Key {
        name: "subscriber.*",
        kind: Kind::Filter,
        default: None,
        help: "a name that is told of tasks beside those who asked, and which: subscriber.ops {\"status\": [\"failed\"]}",
    },
];

/// The key of a name.
pub fn key(name: &str) -> Result<Key, Error> {
    let fits = |key: &&Key| match key.name.strip_suffix('*') {
        Some(prefix) => name.strip_prefix(prefix).is_some_and(|member| match member_of(prefix) {
            Member::Word => bounds::word("key", member).is_ok(),
            Member::Name => bounds::name("key", member).is_ok(),
            Member::Scope => match member.split_once('/') {
                Some((runtime, kind)) => bounds::word("key", runtime).is_ok() && bounds::name("key", kind).is_ok(),
                None => bounds::word("key", member).is_ok(),
            },
        }),
        None => key.name == name,
    };
    let expected = || KEYS.iter().map(|key| key.name).collect();
    KEYS.iter().find(fits).copied().ok_or_else(|| Error::UnknownKey { key: text::short(name), expected: expected() })
}

fn member_of(prefix: &str) -> Member {
    match prefix {
        NOTIFY_OWNER | RETENTION_KIND => Member::Name,
        _ if prefix.starts_with("audit.") => Member::Scope,
        _ => Member::Word,
    }
}

/// Checks a value for a key and gives it in its stored form.
pub fn value(name: &str, value: &str) -> Result<String, Error> {
    let invalid = |expected: &str| Error::invalid(text::short(name), text::quote(value), expected);
    match key(name)?.kind {
        Kind::Durability if Durability::from_word(value).is_some() => Ok(value.into()),
        Kind::Durability => Err(invalid(Durability::EXPECTED)),
        Kind::Notify if NotifyPolicy::from_word(value).is_some() => Ok(value.into()),
        Kind::Notify => Err(invalid(NotifyPolicy::EXPECTED)),
        Kind::Command if value.trim().is_empty() => Err(invalid("a command line for sh")),
        Kind::Command => bounds::text(name, value, bounds::HOOK_BYTES).map(|()| value.into()),
        Kind::Keep => match Keep::parse(value) {
            Some(Keep::For(span)) => Ok(span.to_string()),
            Some(Keep::Forever) => Ok(value.into()),
            None => Err(invalid(Keep::EXPECTED)),
        },
        Kind::Count if value.parse::<i64>().is_ok_and(|count| count >= 0) => Ok(value.into()),
        Kind::Count => Err(invalid("a whole number that is not negative")),
        Kind::Threshold => match Threshold::parse(value) {
            Some(Threshold::After(span)) => Ok(span.to_string()),
            Some(Threshold::Never) => Ok(value.into()),
            None => Err(invalid(Threshold::EXPECTED)),
        },
        Kind::Filter => Filter::parse(name, value).map(|filter| filter.to_string()),
        Kind::Span => Span::parse(value).map(|span| span.to_string()).ok_or_else(|| invalid(Span::EXPECTED)),
    }
}

/// What a key is unless set.
pub fn default(name: &str) -> Option<String> {
    match (name.strip_prefix(NOTIFY), key(name).ok()?.default) {
        (Some(runtime), _) => Some(NotifyPolicy::default_for(runtime).as_str().into()),
        (None, default) => default.map(Into::into),
    }
}

/// How much an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// A crash of the process; a power loss may take the newest writes.
    Relaxed,
    /// A power loss.
    Full,
}

impl Durability {
    /// The words, for messages.
    pub const EXPECTED: &'static str = "full or relaxed";

    /// The durability of a word.
    pub fn from_word(word: &str) -> Option<Durability> {
        match word {
            "full" => Some(Durability::Full),
            "relaxed" => Some(Durability::Relaxed),
            _ => None,
        }
    }

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Durability::Relaxed => "relaxed",
            Durability::Full => "full",
        }
    }
}
