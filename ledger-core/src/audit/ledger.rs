//! What can be wrong with the ledger as a whole, and with what it owes.

use super::{Code, Finding, Thresholds};
use crate::{ClockJump, Millis, TaskNumber};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The subject of findings about the ledger.
const LEDGER: &str = "ledger";
/// Bytes of the write-ahead log from which on it is a finding.
const WAL_BYTES: u64 = 64 * 1024 * 1024;
/// Free bytes of the file from which on they are a finding, if they are more than half of it.
const FREE_BYTES: u64 = 64 * 1024 * 1024;

/// The sizes of a ledger's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shape {
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of it that are free.
    pub free: u64,
    /// Bytes of the write-ahead log.
    pub wal: u64,
}

/// Examines the sizes of a ledger.
pub fn examine_ledger(shape: &Shape) -> Vec<Finding> {
    let mib = |bytes: u64| bytes / (1024 * 1024);
    let mut found = Vec::new();
    if shape.wal > WAL_BYTES {
        let message = format!("the write-ahead log is {} MiB long", mib(shape.wal));
        found.push(Finding::new(Code::WalLarge, LEDGER.into(), message, None));
    }
    if shape.free > FREE_BYTES && shape.free > shape.bytes / 2 {
        let message = format!("{} of {} MiB are free", mib(shape.free), mib(shape.bytes));
        found.push(Finding::new(Code::FreeSpace, LEDGER.into(), message, None));
    }
    found
}

/// What a jump of the clock is to the audit.
pub fn clock(jump: &ClockJump) -> Finding {
    Finding::new(Code::ClockJump, LEDGER.into(), jump.describe(), Some(jump.believed))
}

/// What a recipient that has claimed before is still owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Since when the oldest notice waits that nobody holds.
    pub oldest: Option<Millis>,
    /// How many wait since before the threshold.
    pub late: u64,
    /// How many were given up.
    pub dead: u64,
}

/// Examines what a recipient is owed.
pub fn examine_recipient(recipient: &str, waiting: &Waiting, now: Millis, thresholds: &Thresholds) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(oldest) = waiting.oldest.filter(|oldest| thresholds.undelivered().is_over(*oldest, now)) {
        let count = waiting.late.max(1);
        let message =
            format!("{count} of its notices wait to be claimed, the oldest for {}", now.since(oldest).about());
        let finding = Finding::new(Code::Undelivered, recipient.to_string(), message, Some(oldest));
        found.push(Finding { count, ..finding });
    }
    if waiting.dead > 0 {
        let message = format!("{} of its notices were given up", waiting.dead);
        let finding = Finding::new(Code::DeadLetters, recipient.to_string(), message, None);
        found.push(Finding { count: waiting.dead, ..finding });
    }
    found
}

/// What a proof found: a row that differs from its events, an event of a newer version, or something that hangs loose.
pub fn unproved(code: Code, task: Option<TaskNumber>, problem: String) -> Finding {
    let subject = task.map_or_else(|| LEDGER.to_string(), |number| number.to_string());
    Finding { number: task, ..Finding::new(code, subject, problem, None) }
}
