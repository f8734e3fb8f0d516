//! What SQLite and the system say when something fails, in our words.

use bgledger_core::Error;
use rusqlite::{Connection, ErrorCode, Row};
use std::io::{self, ErrorKind};
use std::path::Path;

/// A failure inside a transaction: ours, or the storage's.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The rules, or the request, say no. Nothing else is wrong.
    Refused(Error),
    /// SQLite failed.
    Storage(rusqlite::Error),
    /// The file under the connection was replaced or unlinked.
    Replaced,
    /// What was read contradicts itself: how.
    Damaged(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Refused(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Storage(error)
    }
}

/// When a failure happened: whether it may have taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// While opening the file.
    Open,
    /// Before the commit: everything is rolled back.
    Work,
    /// In the commit: a failed sync leaves open whether it reached the disk.
    Commit,
}

impl Failure {
    /// The error that a caller sees.
    pub(crate) fn explain(self, path: &Path, phase: Phase, waited_ms: u64) -> Error {
        match self {
            Failure::Refused(error) => error,
            Failure::Storage(error) => explain(error, path, phase, waited_ms),
            Failure::Damaged(problem) => Error::Corrupt { path: path.display().to_string(), problem },
            Failure::Replaced => Error::Unknown {
                path: path.display().to_string(),
                problem: "the file was replaced while it was in use".into(),
            },
        }
    }
}

impl Failure {
    /// What damage a failed look met; another failure is that of the whole look.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other error is the look's own")]
    pub(crate) fn explain_damage(self, path: &Path) -> Result<String, Failure> {
        match self.explain(path, Phase::Work, 0) {
            Error::Corrupt { problem, .. } | Error::NotALedger { problem, .. } | Error::Internal { problem } => {
                Ok(problem)
            }
            other => Err(Failure::Refused(other)),
        }
    }
}

impl Failure {
    /// What is wrong with a row that does not hold what such a row holds; another failure is that of the whole look.
    pub(crate) fn of_odd_row(self) -> Result<String, Failure> {
        match self {
            Failure::Damaged(problem) => Ok(problem),
            Failure::Storage(error) if is_odd(&error) => Ok(error.to_string()),
            other @ (Failure::Refused(_) | Failure::Storage(_) | Failure::Replaced) => Err(other),
        }
    }
}

/// How many rows of a query do not hold what such rows hold.
pub(crate) fn odd_rows<T>(
    sql: &Connection,
    query: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<u64, Failure> {
    let (mut statement, mut odd) = (sql.prepare(query)?, 0);
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match read(row) {
            Ok(_) => {}
            Err(error) if is_odd(&error) => odd += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(odd)
}

/// Whether a row was read from the file and does not hold what such a row holds.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of errors may grow")]
pub(crate) fn is_odd(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..)
        | rusqlite::Error::InvalidColumnType(..)
        // What a row refers to is not there.
        | rusqlite::Error::QueryReturnedNoRows => true,
        _ => false,
    }
}

/// What the system says of a file that is not SQLite's own: the lock files, the folder, a new ledger.
#[expect(clippy::wildcard_enum_match_arm, reason = "the system's kinds of errors may grow")]
pub(crate) fn io(path: &Path, error: &io::Error) -> Error {
    let (path, problem) = (path.display().to_string(), error.to_string());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::DiskFull { path },
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::ReadOnly { path, problem },
        _ => Error::Io { path, problem },
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "SQLite's kinds of errors may grow")]
fn explain(error: rusqlite::Error, path: &Path, phase: Phase, waited_ms: u64) -> Error {
    let shown = path.display().to_string();
    let rusqlite::Error::SqliteFailure(failure, message) = &error else {
        let problem = error.to_string();
        return match error {
            rusqlite::Error::SqlInputError { .. } if is_of_the_tables(&problem) => {
                Error::Corrupt { path: shown, problem: not_ours(&problem) }
            }
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::QueryReturnedNoRows => Error::Corrupt { path: shown, problem },
            _ => Error::internal(problem),
        };
    };
    let problem = message.clone().unwrap_or_else(|| failure.to_string());
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            Error::Busy { waited_ms }
        }
        ErrorCode::NotADatabase => Error::NotALedger { path: shown, problem: "not a SQLite database".into() },
        ErrorCode::DatabaseCorrupt => Error::Corrupt { path: shown, problem },
        ErrorCode::DiskFull => Error::DiskFull { path: shown },
        ErrorCode::ReadOnly => Error::ReadOnly { path: shown, problem },
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            Error::Unreadable { path: shown, problem }
        }
        ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory => match phase {
            Phase::Commit => Error::Unknown { path: shown, problem },
            Phase::Open | Phase::Work => Error::Io { path: shown, problem },
        },
        ErrorCode::TooBig => Error::TooLarge { field: "request".into(), actual: 0, limit: 0 },
        // What the rules allow of a sound row keeps every constraint.
        ErrorCode::ConstraintViolation => Error::Corrupt { path: shown, problem: not_ours(&problem) },
        ErrorCode::Unknown if is_of_the_tables(&problem) => Error::Corrupt { path: shown, problem: not_ours(&problem) },
        _ => Error::internal(format!("{problem} ({})", failure.extended_code)),
    }
}

fn not_ours(problem: &str) -> String {
    format!("it does not hold what this program has written: {problem}")
}

/// Whether a statement of ours fails for what it finds: tables that somebody changed, or values that cannot be.
fn is_of_the_tables(problem: &str) -> bool {
    let signs = [
        "no such ",
        " already exists",
        " has no column named ",
        " columns but ",
        " because it is a view",
        "malformed JSON",
        "integer overflow",
    ];
    signs.iter().any(|sign| problem.contains(sign))
}
