//! An error's code, and how JSON shows it.

use super::{Error, ErrorClass, ErrorCode};
use alloc::format;
use alloc::string::{String, ToString};
use serde::Serialize;

impl Error {
    /// A value that is not allowed.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>, expected: impl Into<String>) -> Error {
        Error::InvalidValue { field: field.into(), problem: problem.into(), expected: expected.into() }
    }

    /// A fault of ours.
    pub fn internal(problem: impl Into<String>) -> Error {
        Error::Internal { problem: problem.into() }
    }

    /// The same error about a field inside `place`.
    pub(crate) fn within(mut self, place: &str) -> Error {
        if let Error::InvalidValue { field, .. } | Error::TooLarge { field, .. } = &mut self {
            *field = format!("{place}.{field}");
        }
        self
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
            Error::NoNotice { .. } => ErrorCode::NoNotice,
            Error::NoFlow { .. } => ErrorCode::NoFlow,
            Error::Pruned { .. } | Error::FlowPruned { .. } => ErrorCode::Pruned,
            Error::UnknownRecipient { .. } => ErrorCode::UnknownRecipient,
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
            Error::StaleClaim { .. } => ErrorCode::StaleClaim,
            Error::NoticeSettled { .. } => ErrorCode::NoticeSettled,
            Error::AmbiguousFlow { .. } => ErrorCode::AmbiguousFlow,
            Error::RevisionConflict { .. } => ErrorCode::RevisionConflict,
            Error::FlowEnded { .. } => ErrorCode::FlowEnded,
            Error::FlowCancelRequested { .. } => ErrorCode::FlowCancelRequested,
            Error::FlowMirrored { .. } => ErrorCode::FlowMirrored,
            Error::FlowExistsWithDifferent { .. } => ErrorCode::FlowExistsWithDifferent,
            Error::FileExists { .. } => ErrorCode::FileExists,
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
            class: code.class(),
            message: self.to_string(),
            hint: code.hint(),
            fields: self,
        }
    }
}

/// An error in JSON: `{"code", "class", "message", "hint", …the fields that matter}`.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    /// The stable word; its number is [`ErrorCode`]`as u16`.
    pub code: &'static str,
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
