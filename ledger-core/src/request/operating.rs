//! The requests of those who look after a ledger.

use crate::Span;
use crate::json::distinct;
use alloc::collections::BTreeMap;
use alloc::string::String;
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
pub struct Doctor {}

/// Prove that every row equals its history.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Verify {}
