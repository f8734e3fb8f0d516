//! How the program ends: the one list of its exit codes.

use bgledger_core::{ErrorClass, ErrorCode};
use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Done,
    /// It failed.
    Failed,
    /// The command line or the request cannot be.
    Usage,
    /// There is no such task, ledger or key.
    NotFound,
    /// The rules say no: a conflict, a fenced attempt, an ambiguous name.
    Refused,
    /// Other writers held the ledger for too long.
    Busy,
    /// The audit found errors.
    Findings,
    /// An awaited task did not succeed.
    NotSucceeded,
    /// The ledger is unreadable, newer or damaged.
    Unreadable,
    /// A wait, or a command under `run --timeout`, ran out of time.
    TimedOut,
    /// `run` could not record its command, and did not run it.
    NotRecorded,
    /// As the command that `run` ran: its own code, 126, 127, or 128 and the signal's number.
    Command(u8),
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NotFound => 3,
            Exit::Refused => 4,
            Exit::Busy => 5,
            Exit::Findings => 6,
            Exit::NotSucceeded => 7,
            Exit::Unreadable => 8,
            Exit::TimedOut => 124,
            Exit::NotRecorded => 125,
            Exit::Command(code) => code,
        }
    }

    /// The exit of an error of the ledger.
    pub fn of(code: ErrorCode) -> Exit {
        if code == ErrorCode::WaitTimedOut {
            return Exit::TimedOut;
        }
        match code.class() {
            ErrorClass::Invalid => Exit::Usage,
            ErrorClass::NotFound => Exit::NotFound,
            ErrorClass::Refused => Exit::Refused,
            ErrorClass::Busy => Exit::Busy,
            ErrorClass::Ledger => Exit::Unreadable,
            ErrorClass::Failed | ErrorClass::Unknown | ErrorClass::Internal => Exit::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_the_exit_of_the_documented_table() {
        for code in ErrorCode::ALL {
            let expected = match code as u16 {
                401 => 124,
                100..=199 => 2,
                200..=299 => 3,
                300..=399 => 4,
                400..=499 => 5,
                500..=599 => 8,
                _ => 1,
            };
            assert_eq!(Exit::of(code).code(), expected, "{}", code.as_str());
        }
    }
}
