//! What can go wrong, each with a stable code. Messages are for people, codes and fields for programs.

mod body;
mod code;
#[cfg(test)]
mod tests;

pub use body::ErrorBody;
pub use code::{ErrorClass, ErrorCode};

use crate::text::quote;
use crate::{Executor, FlowId, FlowNumber, FlowStatus, Millis, NoticeState, Status, TaskId, TaskNumber};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

/// One of several tasks that fit a lookup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Candidate {
    /// The number to type instead.
    pub number: TaskNumber,
    /// Its global id.
    pub id: TaskId,
    /// Where it stands.
    pub status: Status,
    /// Who runs it.
    pub runtime: String,
    /// Its title.
    pub label: String,
}

/// An error with the fields that matter. Each variant has its [`ErrorCode`]; the fields appear in JSON beside it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(untagged)]
pub enum Error {
    /// See [`ErrorCode::InvalidRequest`].
    #[error("not a request: {problem}")]
    InvalidRequest {
        /// What is wrong.
        problem: String,
    },
    /// See [`ErrorCode::UnknownCommand`].
    #[error("there is no command {}", quote(.command))]
    UnknownCommand {
        /// The word given.
        command: String,
        /// The commands there are.
        expected: Vec<&'static str>,
    },
    /// See [`ErrorCode::InvalidValue`].
    #[error("{field}: {problem}; expected {expected}")]
    InvalidValue {
        /// The field, as a path.
        field: String,
        /// What was given, or what is wrong with it.
        problem: String,
        /// What is expected.
        expected: String,
    },
    /// See [`ErrorCode::TooLarge`].
    #[error("{field}: {actual} is over the limit of {limit}")]
    TooLarge {
        /// The field.
        field: String,
        /// Its size (bytes, entries or levels).
        actual: u64,
        /// The most allowed.
        limit: u64,
    },
    /// See [`ErrorCode::FutureTime`].
    #[error("{field}: {given} is after now, {now}")]
    FutureTime {
        /// The field.
        field: String,
        /// The time given.
        given: Millis,
        /// The ledger's now.
        now: Millis,
    },
    /// See [`ErrorCode::TimeOrder`].
    #[error("{field}: {given} is before {earliest}, when the task {event}")]
    TimeOrder {
        /// The field.
        field: String,
        /// The time given.
        given: Millis,
        /// The earliest time that fits.
        earliest: Millis,
        /// What happened then.
        event: String,
    },
    /// See [`ErrorCode::NotAvailable`].
    #[error("{what} is not available here: {why}")]
    NotAvailable {
        /// What was asked for.
        what: String,
        /// Why not.
        why: String,
    },
    /// See [`ErrorCode::NotFound`].
    #[error("no task {} {}", quote(.lookup), .why)]
    NotFound {
        /// What was looked for.
        lookup: String,
        /// A clause that says where.
        why: String,
    },
    /// See [`ErrorCode::NoLedger`].
    #[error("there is no ledger at {path}")]
    NoLedger {
        /// The path.
        path: String,
    },
    /// See [`ErrorCode::UnknownKey`].
    #[error("there is no configuration key {}", quote(.key))]
    UnknownKey {
        /// The key given.
        key: String,
        /// The keys there are.
        expected: Vec<&'static str>,
    },
    /// See [`ErrorCode::NoNotice`].
    #[error("no notice {} {}", quote(.notice), .why)]
    NoNotice {
        /// What was looked for.
        notice: String,
        /// A clause that says where.
        why: String,
    },
    /// See [`ErrorCode::NoFlow`].
    #[error("no flow {} {}", quote(.lookup), .why)]
    NoFlow {
        /// What was looked for.
        lookup: String,
        /// A clause that says where.
        why: String,
    },
    /// See [`ErrorCode::Pruned`].
    #[error("{number} ended {} at {ended_at} and was pruned at {pruned_at}", .recorded_status.as_str())]
    Pruned {
        /// The task.
        number: TaskNumber,
        /// Its global id.
        id: TaskId,
        /// How it ended.
        recorded_status: Status,
        /// When it ended.
        ended_at: Millis,
        /// When it was pruned.
        pruned_at: Millis,
    },
    /// See [`ErrorCode::Pruned`].
    #[error("{flow} ended {} at {ended_at} and was pruned at {pruned_at}", .recorded_status.as_str())]
    FlowPruned {
        /// The flow.
        flow: FlowNumber,
        /// Its global id.
        id: FlowId,
        /// How it ended.
        recorded_status: FlowStatus,
        /// When it ended.
        ended_at: Millis,
        /// When it was pruned.
        pruned_at: Millis,
    },
    /// See [`ErrorCode::UnknownRecipient`].
    #[error("{} is no recipient of notices here", quote(.recipient))]
    UnknownRecipient {
        /// What was given.
        recipient: String,
    },
    /// See [`ErrorCode::Ambiguous`].
    #[error("{} fits {} tasks", quote(.lookup), .count)]
    Ambiguous {
        /// What was looked for.
        lookup: String,
        /// How many tasks fit.
        count: u64,
        /// The newest of them.
        candidates: Vec<Candidate>,
    },
    /// See [`ErrorCode::ExistsWithDifferent`].
    #[error("{number} has this key already, with another {}", .fields.join(", "))]
    ExistsWithDifferent {
        /// The task that has the key.
        number: TaskNumber,
        /// Its global id.
        id: TaskId,
        /// The descriptive fields that differ.
        fields: Vec<&'static str>,
    },
    /// See [`ErrorCode::AncestorCancelled`].
    #[error("cancel of {ancestor} was requested: it gets no new children")]
    AncestorCancelled {
        /// The ancestor that was cancelled, or is to be.
        ancestor: TaskNumber,
    },
    /// See [`ErrorCode::NotStarted`].
    #[error("{number}, recorded at {created_at}, was never started")]
    NotStarted {
        /// The task.
        number: TaskNumber,
        /// When it was recorded.
        created_at: Millis,
    },
    /// See [`ErrorCode::Fenced`].
    #[error("{number} belongs to attempt {attempt} now, by {}, since {}; not to {}",
        holder(.executor.as_deref()), when(*.started_at), stranger(*.given, *.attempt))]
    Fenced {
        /// The task.
        number: TaskNumber,
        /// The attempt that the caller named.
        given: u32,
        /// The attempt that holds the task.
        attempt: u32,
        /// Who holds it; `null` if that is nothing to observe.
        executor: Option<Box<Executor>>,
        /// Since when.
        started_at: Option<Millis>,
        /// Where the task stands.
        recorded_status: Status,
    },
    /// See [`ErrorCode::AlreadyEnded`].
    #[error("{number} already ended: {} ({}) at {ended_at}", .recorded_status.as_str(), .recorded_detail)]
    AlreadyEnded {
        /// The task.
        number: TaskNumber,
        /// How it ended.
        recorded_status: Status,
        /// Its outcome or reason.
        recorded_detail: String,
        /// When it ended.
        ended_at: Millis,
    },
    /// See [`ErrorCode::AlreadyRunning`].
    #[error("{number} is running already: attempt {attempt}, by {}, since {}",
        holder(.executor.as_deref()), when(*.started_at))]
    AlreadyRunning {
        /// The task.
        number: TaskNumber,
        /// The attempt that runs it.
        attempt: u32,
        /// Who runs it; `null` if that is nothing to observe.
        executor: Option<Box<Executor>>,
        /// Since when.
        started_at: Option<Millis>,
    },
    /// See [`ErrorCode::CancelRequested`].
    #[error("cancel of {number} was requested at {requested_at}: it may not start again")]
    CancelRequested {
        /// The task.
        number: TaskNumber,
        /// When.
        requested_at: Millis,
        /// By whom.
        by: Option<String>,
    },
    /// See [`ErrorCode::AlreadySet`].
    #[error("{field} of {number} is {} already", quote(.recorded))]
    AlreadySet {
        /// The task.
        number: TaskNumber,
        /// The field.
        field: &'static str,
        /// Its value.
        recorded: String,
    },
    /// See [`ErrorCode::TreeShape`].
    #[error("tree: {problem}")]
    TreeShape {
        /// What is wrong.
        problem: String,
    },
    /// See [`ErrorCode::NotDue`].
    #[error("{number} is {} as of {updated_at}: {problem}", .recorded_status.as_str())]
    NotDue {
        /// The task.
        number: TaskNumber,
        /// Where it stands.
        recorded_status: Status,
        /// When that was last written.
        updated_at: Millis,
        /// Why the command does not apply.
        problem: String,
    },
    /// See [`ErrorCode::StaleClaim`].
    #[error("notice {notice} is not held by this claim: it is {}, due at {due_at}", .state.as_str())]
    StaleClaim {
        /// The notice.
        notice: String,
        /// Where it stands.
        state: NoticeState,
        /// When it may be claimed.
        due_at: Millis,
    },
    /// See [`ErrorCode::NoticeSettled`].
    #[error("notice {notice} is {}: {problem}", .state.as_str())]
    NoticeSettled {
        /// The notice.
        notice: String,
        /// Where it stands.
        state: NoticeState,
        /// Why the command does not apply.
        problem: String,
    },
    /// See [`ErrorCode::AmbiguousFlow`].
    #[error("{} fits {} flows", quote(.lookup), .count)]
    AmbiguousFlow {
        /// What was looked for.
        lookup: String,
        /// How many flows fit.
        count: u64,
        /// The newest of them.
        flows: Vec<FlowNumber>,
    },
    /// See [`ErrorCode::RevisionConflict`].
    #[error("{flow} is at revision {recorded}, {}, since {updated_at}; not at {given}", .recorded_status.as_str())]
    RevisionConflict {
        /// The flow.
        flow: FlowNumber,
        /// The revision that the caller saw.
        given: u64,
        /// The revision that is recorded.
        recorded: u64,
        /// Where the flow stands.
        recorded_status: FlowStatus,
        /// Since when.
        updated_at: Millis,
    },
    /// See [`ErrorCode::FlowEnded`].
    #[error("{flow} already ended: {} at {ended_at}", .recorded_status.as_str())]
    FlowEnded {
        /// The flow.
        flow: FlowNumber,
        /// How it ended.
        recorded_status: FlowStatus,
        /// When it ended.
        ended_at: Millis,
    },
    /// See [`ErrorCode::FlowCancelRequested`].
    #[error("cancel of {flow} was requested at {requested_at}: it gets no new tasks and goes on no more")]
    FlowCancelRequested {
        /// The flow.
        flow: FlowNumber,
        /// When.
        requested_at: Millis,
    },
    /// See [`ErrorCode::FlowMirrored`].
    #[error("{flow} follows a task: it is moved by that task alone and gets no others")]
    FlowMirrored {
        /// The flow.
        flow: FlowNumber,
    },
    /// See [`ErrorCode::FlowExistsWithDifferent`].
    #[error("{flow} has this key already, with another {}", .fields.join(", "))]
    FlowExistsWithDifferent {
        /// The flow that has the key.
        flow: FlowNumber,
        /// Its global id.
        id: FlowId,
        /// The descriptive fields that differ.
        fields: Vec<&'static str>,
    },
    /// See [`ErrorCode::FileExists`].
    #[error("{path} is there already")]
    FileExists {
        /// The file.
        path: String,
    },
    /// See [`ErrorCode::Busy`].
    #[error("the ledger was busy for {waited_ms} ms")]
    Busy {
        /// How long this call waited, in milliseconds.
        waited_ms: u64,
    },
    /// See [`ErrorCode::WaitTimedOut`].
    #[error("after {waited_ms} ms {} of {} still active", .pending.len(), .awaited)]
    WaitTimedOut {
        /// The tasks that are still active.
        pending: Vec<TaskNumber>,
        /// How many were awaited.
        awaited: u64,
        /// How long, in milliseconds.
        waited_ms: u64,
    },
    /// See [`ErrorCode::NotALedger`].
    #[error("{path} is not a ledger: {problem}")]
    NotALedger {
        /// The file.
        path: String,
        /// What it is instead.
        problem: String,
    },
    /// See [`ErrorCode::NewerLedger`].
    #[error("{path} needs version {needed} of the format to be {purpose}; this program knows {known}")]
    NewerLedger {
        /// The file.
        path: String,
        /// The format version it asks for.
        needed: u32,
        /// The newest this program knows.
        known: u32,
        /// `read` or `written`.
        purpose: &'static str,
    },
    /// See [`ErrorCode::Corrupt`].
    #[error("{path} is damaged: {problem}")]
    Corrupt {
        /// The file.
        path: String,
        /// What was found.
        problem: String,
    },
    /// See [`ErrorCode::NetworkFileSystem`].
    #[error("{path} is on a network file system ({file_system})")]
    NetworkFileSystem {
        /// The file.
        path: String,
        /// The file system's name.
        file_system: String,
    },
    /// See [`ErrorCode::BadPath`].
    #[error("{path} cannot be a ledger: {problem}")]
    BadPath {
        /// The path.
        path: String,
        /// Why not.
        problem: String,
    },
    /// See [`ErrorCode::Unreadable`].
    #[error("{path} cannot be read: {problem}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why not.
        problem: String,
    },
    /// See [`ErrorCode::ReadOnly`].
    #[error("{path} cannot be written: {problem}")]
    ReadOnly {
        /// The file.
        path: String,
        /// Why not.
        problem: String,
    },
    /// See [`ErrorCode::DiskFull`].
    #[error("the disk of {path} is full; nothing was changed")]
    DiskFull {
        /// The ledger.
        path: String,
    },
    /// See [`ErrorCode::Io`].
    #[error("{path}: {problem}; nothing was changed")]
    Io {
        /// The ledger.
        path: String,
        /// What the system said.
        problem: String,
    },
    /// See [`ErrorCode::Unknown`].
    #[error("{path}: {problem}; it is not known whether the call took effect")]
    Unknown {
        /// The ledger.
        path: String,
        /// What the system said.
        problem: String,
    },
    /// See [`ErrorCode::Internal`].
    #[error("a fault in bgledger: {problem}")]
    Internal {
        /// What went wrong.
        problem: String,
    },
}

fn holder(executor: Option<&Executor>) -> String {
    executor.map_or_else(|| "an external executor".into(), Executor::to_string)
}

fn when(at: Option<Millis>) -> String {
    at.map_or_else(|| "an unknown time".into(), |at| at.to_string())
}

/// Whom a fence kept out: an attempt with another number, or one with the same number and another executor.
fn stranger(given: u32, attempt: u32) -> String {
    match given == attempt {
        true => "this caller".into(),
        false => format!("attempt {given}"),
    }
}
