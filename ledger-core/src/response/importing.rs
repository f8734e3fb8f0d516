//! What is answered to those who bring records from elsewhere.

use crate::Json;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

/// The answer to an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportReport {
    /// The program that the records come from.
    pub source: &'static str,
    /// Whether they were recorded; otherwise they would be.
    pub applied: bool,
    /// Tasks.
    pub tasks: ImportCounts,
    /// Flows.
    pub flows: ImportCounts,
    /// Records of deliveries, kept with their tasks.
    pub deliveries: u64,
    /// The tasks of the source by status, every one named.
    pub by_status: BTreeMap<&'static str, u64>,
    /// The tasks of the source by runtime.
    pub by_runtime: BTreeMap<String, u64>,
    /// The flows of the source by status, every one named.
    pub flows_by_status: BTreeMap<&'static str, u64>,
    /// What is recorded otherwise than it was; the first thousand.
    pub findings: Vec<ImportFinding>,
    /// How many findings there are in all.
    pub findings_total: u64,
}

/// What became of the records of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportCounts {
    /// Those of the source.
    pub found: u64,
    /// Recorded now.
    pub imported: u64,
    /// Recorded before: nothing was done.
    pub existed: u64,
    /// Recorded before and pruned since: nothing was done.
    pub pruned: u64,
}

/// A value that is recorded otherwise than it was. The record's `origin` has it as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportFinding {
    /// The record, by its kind and its id in the source.
    pub subject: String,
    /// The field, by its name in the source.
    pub field: String,
    /// Its value there; a long one is cut.
    pub was: Json,
    /// Its value here.
    pub now: Json,
    /// Why.
    pub why: &'static str,
}

impl ImportFinding {
    /// Findings that a report tells; it counts all.
    pub const TOLD: usize = 1_000;
}
