//! The requests of those who look after a ledger.

use super::recording::EndSpec;
use crate::json::distinct;
use crate::{Lookup, Millis, Span};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Deserialize;

/// Counts.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Stats {}

/// What is wrong.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Only findings at least so bad.
    pub severity: Option<crate::audit::Severity>,
    /// Only this code.
    pub code: Option<String>,
    /// At most so many: 1,000 if absent; the summary counts all.
    pub limit: Option<u32>,
    /// Those that somebody acknowledged too.
    pub acknowledged: bool,
    /// Prove every row by its history as well, and look for loose ends: takes time with the length of the history.
    pub deep: bool,
}

/// Say that a finding is known and need not be told until a date.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// The finding's code.
    pub code: String,
    /// What it is about, as the finding says: `#12`, `F3`, a recipient, or `ledger`.
    pub subject: String,
    /// Until when; `null`: it is to be told again.
    pub until: Option<Millis>,
    /// By whom.
    #[serde(default)]
    pub by: Option<String>,
    /// Why it is well.
    #[serde(default)]
    pub note: Option<String>,
}

/// Settle what nobody will settle; a preview unless told to apply.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Maintenance {
    /// Do it.
    pub apply: bool,
    /// The clock is right, although it jumped: what time ends may be ended again. Only with `apply`.
    pub confirm_clock: bool,
}

/// What a runtime says of its work: the ledger adopts, recovers and settles; a preview unless told to apply.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// The runtime that speaks: only its tasks are touched.
    pub runtime: String,
    /// What it is at work on.
    #[serde(default)]
    pub owned: Vec<Lookup>,
    /// What it knows to have ended, and how.
    #[serde(default)]
    pub ended: Vec<KnownEnd>,
    /// Whether that is all that it is at work on: a running task that it does not name, and whose executor nobody sees
    /// alive, is lost.
    #[serde(default)]
    pub complete: bool,
    /// When it looked: tasks that started since are left alone. Now if absent.
    #[serde(default)]
    pub as_of: Option<Millis>,
    /// Who speaks for it.
    #[serde(default)]
    pub by: Option<String>,
    /// Do it.
    #[serde(default)]
    pub apply: bool,
}

/// An end that a runtime knows of.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KnownEnd {
    /// The task.
    pub lookup: Lookup,
    /// How it ended.
    pub end: EndSpec,
}

/// Wait until nothing runs any more, or say what does.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// Only this runtime's tasks.
    pub runtime: Option<String>,
    /// Queued tasks too.
    pub queued: bool,
    /// How long to wait; not at all if absent.
    pub timeout: Option<Span>,
}

/// Remove what ended long enough ago, whole; a tombstone stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Prune {
    /// What ended so long ago; by the ledger's own policy if absent.
    pub older_than: Option<Span>,
    /// Only say what would go.
    pub dry_run: bool,
}

/// Read the ledger's policy, or set some of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Only this key.
    pub get: Option<String>,
    /// Keys to set; `null` returns a key to its default.
    #[serde(deserialize_with = "distinct")]
    pub set: BTreeMap<String, Option<String>>,
}

/// Look at the ledger's health.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Doctor {
    /// Only what takes no time on a long history: neither the indexes nor the history are proved.
    pub quick: bool,
}

/// Copy the ledger, as it is at one moment, into a file that is a whole ledger; writers go on meanwhile.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// The file to make.
    pub to: String,
    /// Take the place of a file that is there.
    #[serde(default)]
    pub replace: bool,
}

/// Keep a damaged ledger as it is, and make a new one of what can be read of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Recover {
    /// The damaged ledger, which is only read; the one that is asked if absent.
    #[serde(default)]
    pub from: Option<String>,
    /// The folder to make, for the copies and the new ledger.
    pub to: String,
}

/// Bring the ledger's file to this program's format.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Migrate {
    /// Only say what would be done.
    pub dry_run: bool,
}

/// Prove that every row equals its history.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Verify {}
