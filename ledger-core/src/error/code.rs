//! The stable codes of errors: word, number, class, hint.

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
    /// No such notice, or none this handle may see.
    NoNotice = 203,
    /// No such flow, or none this handle may see.
    NoFlow = 204,
    /// The task was there and is pruned: a tombstone is left of it.
    Pruned = 205,
    /// No such recipient of notices, or none this handle may see.
    UnknownRecipient = 206,

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
    /// The parent would be its own descendant, the tree would be too deep, or a task with children would join a flow.
    TreeShape = 309,
    /// The task's state does not call for this command.
    NotDue = 310,
    /// The claim on the notice is not held any more.
    StaleClaim = 311,
    /// The notice's state does not call for this.
    NoticeSettled = 312,
    /// Several flows fit the lookup.
    AmbiguousFlow = 313,
    /// Somebody else has moved the flow since.
    RevisionConflict = 314,
    /// The flow has ended.
    FlowEnded = 315,
    /// Cancel of the flow was requested: it gets no new tasks and goes on no more.
    FlowCancelRequested = 316,
    /// The flow follows a task: it is moved by that task alone.
    FlowMirrored = 317,
    /// The key is taken by a flow that says something else.
    FlowExistsWithDifferent = 318,
    /// A file to be made is there already.
    FileExists = 319,

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
    pub const ALL: [ErrorCode; 47] = [
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
        ErrorCode::NoNotice,
        ErrorCode::NoFlow,
        ErrorCode::Pruned,
        ErrorCode::UnknownRecipient,
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
        ErrorCode::StaleClaim,
        ErrorCode::NoticeSettled,
        ErrorCode::AmbiguousFlow,
        ErrorCode::RevisionConflict,
        ErrorCode::FlowEnded,
        ErrorCode::FlowCancelRequested,
        ErrorCode::FlowMirrored,
        ErrorCode::FlowExistsWithDifferent,
        ErrorCode::FileExists,
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
            ErrorCode::NoNotice => "no_notice",
            ErrorCode::NoFlow => "no_flow",
            ErrorCode::Pruned => "pruned",
            ErrorCode::UnknownRecipient => "unknown_recipient",
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
            ErrorCode::StaleClaim => "stale_claim",
            ErrorCode::NoticeSettled => "notice_settled",
            ErrorCode::AmbiguousFlow => "ambiguous_flow",
            ErrorCode::RevisionConflict => "revision_conflict",
            ErrorCode::FlowEnded => "flow_ended",
            ErrorCode::FlowCancelRequested => "flow_cancel_requested",
            ErrorCode::FlowMirrored => "flow_mirrored",
            ErrorCode::FlowExistsWithDifferent => "flow_exists_with_different",
            ErrorCode::FileExists => "file_exists",
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

    /// What a person may do about it.
    pub const fn hint(self) -> Option<&'static str> {
        match self {
            ErrorCode::InvalidRequest => {
                Some("a request is an object with one command, such as {\"create\": {\"label\": \"…\"}}")
            }
            ErrorCode::UnknownCommand => Some("see `expected` for the commands there are"),
            ErrorCode::InvalidValue => None,
            ErrorCode::TooLarge => Some("keep large data elsewhere and record it as an artifact"),
            ErrorCode::FutureTime => Some("leave the time out to use the ledger's clock"),
            ErrorCode::TimeOrder => Some("leave the time out to use the ledger's clock"),
            ErrorCode::NotAvailable => None,
            ErrorCode::NotFound => {
                Some("`bgledger list` shows the tasks; a lookup is a number, an id, a run id or a session key")
            }
            ErrorCode::NoLedger => {
                Some("the first recorded task creates it; or name another with --ledger or BGLEDGER_DB")
            }
            ErrorCode::NoNotice => {
                Some("`bgledger notices` shows them; a newer outcome withdraws those that nobody claimed")
            }
            ErrorCode::NoFlow => {
                Some("`bgledger flow list` shows the flows; a lookup is a number such as F3, an id or an owner")
            }
            ErrorCode::Pruned => {
                Some("how long ended tasks stay is the ledger's policy: `bgledger config get retention`")
            }
            ErrorCode::UnknownRecipient => Some(
                "a recipient is session:KEY, owner:NAME or subscriber:NAME; `bgledger config` shows the subscribers",
            ),
            ErrorCode::UnknownKey => Some("`bgledger config` shows every key"),
            ErrorCode::Ambiguous => Some("name one task by its number or id"),
            ErrorCode::ExistsWithDifferent => Some("use another key or run id, or say the same as before"),
            ErrorCode::AncestorCancelled => Some("create the task without this parent if it is to run all the same"),
            ErrorCode::NotStarted => Some("start it first, or finish or settle it as it is"),
            ErrorCode::Fenced => Some("another executor took the task over: stop working on it"),
            ErrorCode::AlreadyEnded => {
                Some("an end is final; to run it again, create a new task that is a retry of this one")
            }
            ErrorCode::AlreadyRunning => Some("wait for it, or cancel it"),
            ErrorCode::CancelRequested => Some("to run it all the same, create a new task that is a retry of this one"),
            ErrorCode::AlreadySet => Some("such a field is filled in once"),
            ErrorCode::TreeShape => None,
            ErrorCode::NotDue => None,
            ErrorCode::StaleClaim => {
                Some("somebody else has it or it was answered: claim again, and drop what this claim brought")
            }
            ErrorCode::NoticeSettled => None,
            ErrorCode::AmbiguousFlow => Some("name one flow by its number or id"),
            ErrorCode::RevisionConflict => Some("look at the flow as it is now, and decide again"),
            ErrorCode::FlowEnded => Some("an end is final: create another flow"),
            ErrorCode::FlowCancelRequested => Some("it may only end; create another flow for what is to go on"),
            ErrorCode::FlowExistsWithDifferent => Some("use another key, or say the same as before"),
            ErrorCode::FlowMirrored => Some("change the task that it follows"),
            ErrorCode::FileExists => Some("name another file, or say that it may be replaced"),
            ErrorCode::Busy => Some("ask again; nothing was changed"),
            ErrorCode::WaitTimedOut => Some("the tasks go on; wait again for longer"),
            ErrorCode::NotALedger => {
                Some("name a ledger with --ledger or BGLEDGER_DB; of one that was: `bgledger recover --to FOLDER`")
            }
            ErrorCode::NewerLedger => Some("use a newer bgledger; the file was left as it is"),
            ErrorCode::Corrupt => {
                Some("`bgledger doctor` says more, and `bgledger recover --to FOLDER` saves what can be read")
            }
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
