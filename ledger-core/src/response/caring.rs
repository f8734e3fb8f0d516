//! What is answered to those who keep a ledger's file safe.

use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

/// The answer to `backup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BackupReport {
    /// The file that was made: a whole ledger, proved before it got its name.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its format.
    pub format: u32,
    /// Tasks in it.
    pub tasks: u64,
    /// Events in it.
    pub events: u64,
    /// Its newest event: what was recorded later is not in it.
    pub last_seq: crate::Seq,
}

/// The answer to `recover`: what was found, and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecoverReport {
    /// The damaged ledger, which was left as it is.
    pub from: String,
    /// The new ledger.
    pub ledger: String,
    /// Whether no damage was met and nothing is known to be missing.
    pub complete: bool,
    /// The copies of the damaged ledger's files, made before anything else.
    pub copies: Vec<KeptFile>,
    /// Pages of the file.
    pub pages: Salvaged,
    /// Tasks.
    pub tasks: Salvaged,
    /// Events.
    pub events: Salvaged,
    /// Notices.
    pub notices: Salvaged,
    /// Flows.
    pub flows: Salvaged,
    /// Numbers of tasks that are known to have been there and are gone.
    pub lost_tasks: Vec<Numbers>,
    /// Places in the order of events at which one is known to have been and is gone.
    pub lost_events: Vec<Numbers>,
    /// Tasks whose row was made anew from their events.
    pub mended: Vec<u64>,
    /// Tasks that are recorded as their row says, although their events do not prove it.
    pub unproved: Vec<u64>,
    /// What else is worth knowing, in words; the first thousand.
    pub problems: Vec<String>,
}

/// How much of something could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Salvaged {
    /// Of how many there is a trace.
    pub found: u64,
    /// How many are in the new ledger.
    pub recovered: u64,
    /// The others: as many are known to be lost.
    pub lost: u64,
    /// Whether more may be lost, of which there is no trace.
    pub unknown: bool,
}

/// A copy of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeptFile {
    /// Where it is.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of what is in it, in hexadecimal.
    pub sha256: String,
}

/// Numbers that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Numbers {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// The answer to `migrate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MigrateReport {
    /// The file's format before.
    pub from: u32,
    /// The format that this program writes.
    pub to: u32,
    /// Whether it was done; otherwise it would be, or there is nothing to do.
    pub applied: bool,
    /// The copy of the file as it was before, if one was made.
    pub backup: Option<String>,
}
