//! What can go wrong, each with a stable code. Messages are for people, codes and fields for programs.

use crate::bounds::quote;
use crate::{Executor, Millis, Status, TaskId, TaskNumber};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

/// The stable numbers of errors, in classes of a hundred. Retired numbers are never used again.
#[repr(u16)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorCode {
    /// The text is not a Request: not JSON, not UTF-8, or not an object with one command.
    InvalidRequest = 100,
    /// There is no such command.
    UnknownCommand = 101,
    /// A field is unknown, missing or has a value that is not allowed.
    InvalidValue = 102,
    /// A text, list, map or depth is over its bound.
    TooLarge = 103,
    /// A caller's time lies after the ledger's now.
    FutureTime = 104,
    /// A caller's times are not in the order created, started, ended.
    TimeOrder = 105,
    /// The request is not available here.
    NotAvailable = 106,

    /// No such task, or none this handle may see.
    NotFound = 200,
    /// There is no ledger at the path; only recording creates one.
    NoLedger = 201,
    /// There is no such configuration key.
    UnknownKey = 202,

    /// Several tasks fit the lookup.
    Ambiguous = 300,
    /// The key is taken by a task that says something else.
    ExistsWithDifferent = 301,
    /// An ancestor was cancelled: no new children.
    AncestorCancelled = 302,
    /// The task was not started yet.
    NotStarted = 303,
    /// Another attempt holds the task now.
    Fenced = 304,
    /// The task has ended and ended differently.
    AlreadyEnded = 305,
    /// Another executor runs the task.
    AlreadyRunning = 306,
    /// Cancel was requested: the task may not start again.
    CancelRequested = 307,
    /// A field that may be filled in once is filled already.
    AlreadySet = 308,
    /// The parent would be its own descendant, or the tree would be too deep.
    TreeShape = 309,
    /// The task's state does not call for this command.
    NotDue = 310,

    /// Other writers held the ledger until the deadline.
    Busy = 400,
    /// The awaited tasks did not end in time.
    WaitTimedOut = 401,

    /// The file is not a ledger.
    NotALedger = 500,
    /// The ledger was written by a newer version that this one may not touch.
    NewerLedger = 501,
    /// The ledger is damaged.
    Corrupt = 502,
    /// The ledger is on a network file system, where sharing it is not safe.
    NetworkFileSystem = 503,
    /// The ledger's path cannot be used.
    BadPath = 504,
    /// The ledger cannot be read.
    Unreadable = 505,

    /// The ledger cannot be written.
    ReadOnly = 600,
    /// The disk is full; nothing was changed.
    DiskFull = 601,
    /// The disk reported an error; nothing was changed.
    Io = 602,

    /// It is not known whether the call took effect; asking again is safe.
    Unknown = 700,

    /// A fault in this program; nothing was changed.
    Internal = 900,
}

/// What a caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// 1xx: correct the request.
    Invalid,
    /// 2xx: there is no such thing.
    NotFound,
    /// 3xx: the rules say no; the error names what is recorded.
    Refused,
    /// 4xx: ask again later.
    Busy,
    /// 5xx: the ledger itself needs attention.
    Ledger,
    /// 6xx: it failed and changed nothing.
    Failed,
    /// 7xx: it may have taken effect; ask again.
    Unknown,
    /// 9xx: report it.
    Internal,
}

impl ErrorClass {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorClass::Invalid => "invalid",
            ErrorClass::NotFound => "not_found",
            ErrorClass::Refused => "refused",
            ErrorClass::Busy => "busy",
            ErrorClass::Ledger => "ledger",
            ErrorClass::Failed => "failed",
            ErrorClass::Unknown => "unknown",
            ErrorClass::Internal => "internal",
        }
    }
}

impl ErrorCode {
    /// Every code, in the order of their numbers.
    pub const ALL: [ErrorCode; 34] = [
        ErrorCode::InvalidRequest,
        ErrorCode::UnknownCommand,
        ErrorCode::InvalidValue,
        ErrorCode::TooLarge,
        ErrorCode::FutureTime,
        ErrorCode::TimeOrder,
        ErrorCode::NotAvailable,
        ErrorCode::NotFound,
        ErrorCode::NoLedger,
        ErrorCode::UnknownKey,
        ErrorCode::Ambiguous,
        ErrorCode::ExistsWithDifferent,
        ErrorCode::AncestorCancelled,
        ErrorCode::NotStarted,
        ErrorCode::Fenced,
        ErrorCode::AlreadyEnded,
        ErrorCode::AlreadyRunning,
        ErrorCode::CancelRequested,
        ErrorCode::AlreadySet,
        ErrorCode::TreeShape,
        ErrorCode::NotDue,
        ErrorCode::Busy,
        ErrorCode::WaitTimedOut,
        ErrorCode::NotALedger,
        ErrorCode::NewerLedger,
        ErrorCode::Corrupt,
        ErrorCode::NetworkFileSystem,
        ErrorCode::BadPath,
        ErrorCode::Unreadable,
        ErrorCode::ReadOnly,
        ErrorCode::DiskFull,
        ErrorCode::Io,
        ErrorCode::Unknown,
        ErrorCode::Internal,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorCode::InvalidRequest => "invalid_request",
            ErrorCode::UnknownCommand => "unknown_command",
            ErrorCode::InvalidValue => "invalid_value",
            ErrorCode::TooLarge => "too_large",
            ErrorCode::FutureTime => "future_time",
            ErrorCode::TimeOrder => "time_order",
            ErrorCode::NotAvailable => "not_available",
            ErrorCode::NotFound => "not_found",
            ErrorCode::NoLedger => "no_ledger",
            ErrorCode::UnknownKey => "unknown_key",
            ErrorCode::Ambiguous => "ambiguous",
            ErrorCode::ExistsWithDifferent => "exists_with_different",
            ErrorCode::AncestorCancelled => "ancestor_cancelled",
            ErrorCode::NotStarted => "not_started",
            ErrorCode::Fenced => "fenced",
            ErrorCode::AlreadyEnded => "already_ended",
            ErrorCode::AlreadyRunning => "already_running",
            ErrorCode::CancelRequested => "cancel_requested",
            ErrorCode::AlreadySet => "already_set",
            ErrorCode::TreeShape => "tree_shape",
            ErrorCode::NotDue => "not_due",
            ErrorCode::Busy => "busy",
            ErrorCode::WaitTimedOut => "wait_timed_out",
            ErrorCode::NotALedger => "not_a_ledger",
            ErrorCode::NewerLedger => "newer_ledger",
            ErrorCode::Corrupt => "corrupt",
            ErrorCode::NetworkFileSystem => "network_file_system",
            ErrorCode::BadPath => "bad_path",
            ErrorCode::Unreadable => "unreadable",
            ErrorCode::ReadOnly => "read_only",
            ErrorCode::DiskFull => "disk_full",
            ErrorCode::Io => "io",
            ErrorCode::Unknown => "unknown",
            ErrorCode::Internal => "internal",
        }
    }

    /// The class: the number's hundreds.
    pub const fn class(self) -> ErrorClass {
        match self as u16 {
            100..200 => ErrorClass::Invalid,
            200..300 => ErrorClass::NotFound,
            300..400 => ErrorClass::Refused,
            400..500 => ErrorClass::Busy,
            500..600 => ErrorClass::Ledger,
            600..700 => ErrorClass::Failed,
            700..800 => ErrorClass::Unknown,
            _ => ErrorClass::Internal,
        }
    }
}

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
    #[error("{ancestor} was cancelled: it gets no new children")]
    AncestorCancelled {
        /// The cancelled ancestor.
        ancestor: TaskNumber,
    },
    /// See [`ErrorCode::NotStarted`].
    #[error("{number} is queued: nobody has started it")]
    NotStarted {
        /// The task.
        number: TaskNumber,
    },
    /// See [`ErrorCode::Fenced`].
    #[error("{number} is held by attempt {attempt} now, not by attempt {given}")]
    Fenced {
        /// The task.
        number: TaskNumber,
        /// The attempt that the caller named.
        given: u32,
        /// The attempt that holds the task.
        attempt: u32,
        /// Who holds it.
        executor: Option<Executor>,
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
    #[error("{number} is running already, by attempt {attempt}")]
    AlreadyRunning {
        /// The task.
        number: TaskNumber,
        /// The attempt that runs it.
        attempt: u32,
        /// Who runs it.
        executor: Option<Executor>,
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
    #[error("parent: {problem}")]
    TreeShape {
        /// What is wrong.
        problem: String,
    },
    /// See [`ErrorCode::NotDue`].
    #[error("{number} is {}: {problem}", .recorded_status.as_str())]
    NotDue {
        /// The task.
        number: TaskNumber,
        /// Where it stands.
        recorded_status: Status,
        /// Why the command does not apply.
        problem: String,
    },
    /// See [`ErrorCode::Busy`].
    #[error("the ledger was busy for {waited_ms} ms")]
    Busy {
        /// How long this call waited, in milliseconds.
        waited_ms: u64,
    },
    /// See [`ErrorCode::WaitTimedOut`].
    #[error("{} of {} tasks had not ended after {waited_ms} ms", .pending.len(), .awaited)]
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

impl Error {
    /// A value that is not allowed.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>, expected: impl Into<String>) -> Error {
        Error::InvalidValue { field: field.into(), problem: problem.into(), expected: expected.into() }
    }

    /// A fault of ours.
    pub fn internal(problem: impl Into<String>) -> Error {
        Error::Internal { problem: problem.into() }
    }

    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Error::InvalidRequest { .. } => ErrorCode::InvalidRequest,
            Error::UnknownCommand { .. } => ErrorCode::UnknownCommand,
            Error::InvalidValue { .. } => ErrorCode::InvalidValue,
            Error::TooLarge { .. } => ErrorCode::TooLarge,
            Error::FutureTime { .. } => ErrorCode::FutureTime,
            Error::TimeOrder { .. } => ErrorCode::TimeOrder,
            Error::NotAvailable { .. } => ErrorCode::NotAvailable,
            Error::NotFound { .. } => ErrorCode::NotFound,
            Error::NoLedger { .. } => ErrorCode::NoLedger,
            Error::UnknownKey { .. } => ErrorCode::UnknownKey,
            Error::Ambiguous { .. } => ErrorCode::Ambiguous,
            Error::ExistsWithDifferent { .. } => ErrorCode::ExistsWithDifferent,
            Error::AncestorCancelled { .. } => ErrorCode::AncestorCancelled,
            Error::NotStarted { .. } => ErrorCode::NotStarted,
            Error::Fenced { .. } => ErrorCode::Fenced,
            Error::AlreadyEnded { .. } => ErrorCode::AlreadyEnded,
            Error::AlreadyRunning { .. } => ErrorCode::AlreadyRunning,
            Error::CancelRequested { .. } => ErrorCode::CancelRequested,
            Error::AlreadySet { .. } => ErrorCode::AlreadySet,
            Error::TreeShape { .. } => ErrorCode::TreeShape,
            Error::NotDue { .. } => ErrorCode::NotDue,
            Error::Busy { .. } => ErrorCode::Busy,
            Error::WaitTimedOut { .. } => ErrorCode::WaitTimedOut,
            Error::NotALedger { .. } => ErrorCode::NotALedger,
            Error::NewerLedger { .. } => ErrorCode::NewerLedger,
            Error::Corrupt { .. } => ErrorCode::Corrupt,
            Error::NetworkFileSystem { .. } => ErrorCode::NetworkFileSystem,
            Error::BadPath { .. } => ErrorCode::BadPath,
            Error::Unreadable { .. } => ErrorCode::Unreadable,
            Error::ReadOnly { .. } => ErrorCode::ReadOnly,
            Error::DiskFull { .. } => ErrorCode::DiskFull,
            Error::Io { .. } => ErrorCode::Io,
            Error::Unknown { .. } => ErrorCode::Unknown,
            Error::Internal { .. } => ErrorCode::Internal,
        }
    }

    /// The error as JSON shows it.
    pub fn body(&self) -> ErrorBody<'_> {
        let code = self.code();
        ErrorBody {
            code: code.as_str(),
            number: code as u16,
            class: code.class(),
            message: self.to_string(),
            hint: code.hint(),
            fields: self,
        }
    }
}

impl ErrorCode {
    /// What a person may do about it.
    pub const fn hint(self) -> Option<&'static str> {
        match self {
            ErrorCode::InvalidRequest => Some("a request is an object with one command, such as {\"create\": {\"label\": \"…\"}}"),
            ErrorCode::UnknownCommand => Some("see `expected` for the commands there are"),
            ErrorCode::InvalidValue => None,
            ErrorCode::TooLarge => Some("keep large data elsewhere and record it as an artifact"),
            ErrorCode::FutureTime => Some("leave the time out to use the ledger's clock"),
            ErrorCode::TimeOrder => Some("leave the time out to use the ledger's clock"),
            ErrorCode::NotAvailable => None,
            ErrorCode::NotFound => Some("`bgledger list` shows the tasks; a lookup is a number, an id, a run id or a session key"),
            ErrorCode::NoLedger => Some("the first recorded task creates it; or name another with --ledger or BGLEDGER_DB"),
            ErrorCode::UnknownKey => Some("`bgledger config` shows every key"),
            ErrorCode::Ambiguous => Some("name one task by its number or id"),
            ErrorCode::ExistsWithDifferent => Some("use another key or run id, or say the same as before"),
            ErrorCode::AncestorCancelled => Some("create the task without this parent if it is to run all the same"),
            ErrorCode::NotStarted => Some("start it first, or finish or settle it as it is"),
            ErrorCode::Fenced => Some("another executor took the task over: stop working on it"),
            ErrorCode::AlreadyEnded => Some("an end is final; create a new task with retry_of to run it again"),
            ErrorCode::AlreadyRunning => Some("wait for it, or cancel it"),
            ErrorCode::CancelRequested => Some("create a new task with retry_of to run it all the same"),
            ErrorCode::AlreadySet => Some("such a field is filled in once"),
            ErrorCode::TreeShape => None,
            ErrorCode::NotDue => None,
            ErrorCode::Busy => Some("ask again; nothing was changed"),
            ErrorCode::WaitTimedOut => Some("the tasks go on; wait again for longer"),
            ErrorCode::NotALedger => Some("name a ledger with --ledger or BGLEDGER_DB; the file was left as it is"),
            ErrorCode::NewerLedger => Some("use a newer bgledger; the file was left as it is"),
            ErrorCode::Corrupt => Some("`bgledger doctor` says more; the file was left as it is"),
            ErrorCode::NetworkFileSystem => Some("put the ledger on a local disk, or allow it with --allow-network-fs"),
            ErrorCode::BadPath => None,
            ErrorCode::Unreadable => Some("look at the permissions of the file and its folder"),
            ErrorCode::ReadOnly => Some("look at the permissions of the file and its folder"),
            ErrorCode::DiskFull => Some("free some space and ask again"),
            ErrorCode::Io => Some("ask again; if it stays, `bgledger doctor` says more"),
            ErrorCode::Unknown => Some("ask again: every call may be repeated"),
            ErrorCode::Internal => Some("please report it"),
        }
    }
}

/// An error in JSON: `{"code", "class", "message", "hint", …the fields that matter}`.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    /// The stable word.
    pub code: &'static str,
    /// The stable number.
    pub number: u16,
    /// What a caller does about it.
    pub class: ErrorClass,
    /// For people.
    pub message: String,
    /// What a person may do.
    pub hint: Option<&'static str>,
    /// The fields of the variant.
    #[serde(flatten)]
    pub fields: &'a Error,
}
