//! What a command's end amounts to.

use super::label;
use crate::exit::Exit;
use crate::supervise::{NotStarted, Status as Ended};
use bgledger_core::{Failure, Status, bounds, reason};

/// Whether we stopped the command, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It ended by itself.
    Not,
    /// A cancel was requested.
    Cancelled,
    /// Its time was over.
    TimedOut,
    /// Somebody else took the task over.
    TakenOver,
}

/// What is recorded, and how we exit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) status: Status,
    pub(super) reason: Option<&'static str>,
    pub(super) exit_code: Option<i32>,
    pub(super) signal: Option<i32>,
    pub(super) error: Option<Failure>,
    pub(super) exit: Exit,
}

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGQUIT: i32 = 3;

/// Judges an end. The first that applies: we stopped it because a cancel was requested; because its time was
/// over; it ended by a signal that somebody sent to end it, which is a cancel too; its exit code.
pub(super) fn verdict(ended: Ended, stop: Stop, heard: &[i32]) -> Verdict {
    let exit = Exit::Command(u8::try_from(ended.exit_code()).unwrap_or(u8::MAX));
    let (status, reason, exit) = match (stop, ended) {
        (Stop::Cancelled, _) => (Status::Cancelled, Some(reason::REQUESTED), exit),
        (Stop::TimedOut, _) => (Status::TimedOut, Some(reason::DEADLINE), Exit::TimedOut),
        (Stop::Not | Stop::TakenOver, Ended::Code(0)) => (Status::Succeeded, None, exit),
        (Stop::Not | Stop::TakenOver, ended) if is_interrupted(ended, heard) => {
            (Status::Cancelled, Some(reason::SIGNAL), exit)
        }
        (Stop::Not | Stop::TakenOver, Ended::Code(_)) => (Status::Failed, Some(reason::EXIT_CODE), exit),
        (Stop::Not | Stop::TakenOver, Ended::Signal(_)) => (Status::Failed, Some(reason::SIGNAL), exit),
    };
    let (exit_code, signal) = match ended {
        Ended::Code(code) => (Some(code), None),
        Ended::Signal(signal) => (None, Some(signal)),
    };
    Verdict { status, reason, exit_code, signal, error: None, exit }
}

/// Whether somebody ended it by a signal. What a terminal sends (INT, QUIT, HUP) reaches the command directly;
/// a TERM counts if it came through us. Shells and others say by 128 and the number that a signal ended them.
fn is_interrupted(ended: Ended, heard: &[i32]) -> bool {
    match ended {
        Ended::Signal(signal) => matches!(signal, SIGHUP | SIGINT | SIGQUIT) || heard.contains(&signal),
        Ended::Code(code) => {
            let signal = code.saturating_sub(128);
            signal == SIGINT || heard.contains(&signal)
        }
    }
}

impl Verdict {
    /// We were told to end before anything was executed.
    pub(super) fn interrupted(signal: i32) -> Verdict {
        verdict(Ended::Signal(signal), Stop::Not, &[signal])
    }

    /// Nothing was executed, for its start could not be recorded.
    pub(super) fn not_recorded(why: &crate::failure::Failure) -> Verdict {
        let text = why.text(false).unwrap_or_default();
        let problem = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let message = Some(label::cut(&format!("its start was not recorded: {problem}"), bounds::ERROR_MESSAGE_BYTES));
        Verdict {
            status: Status::Failed,
            reason: Some(reason::REJECTED),
            exit_code: None,
            signal: None,
            error: Some(Failure { message, ..Failure::default() }),
            exit: Exit::NotRecorded,
        }
    }

    /// Nothing was executed.
    pub(super) fn never_ran(program: &str, refused: &NotStarted) -> Verdict {
        let code = refused.exit_code();
        let message = Some(label::cut(&format!("{program}: {refused}"), bounds::ERROR_MESSAGE_BYTES));
        Verdict {
            status: Status::Failed,
            reason: Some(reason::REJECTED),
            exit_code: Some(code),
            signal: None,
            error: Some(Failure { message, ..Failure::default() }),
            exit: Exit::Command(u8::try_from(code).unwrap_or(u8::MAX)),
        }
    }

    /// It ran, but how it ended cannot be told.
    pub(super) fn lost_sight(message: String) -> Verdict {
        Verdict {
            status: Status::Failed,
            reason: Some(reason::ERROR),
            exit_code: None,
            signal: None,
            error: Some(Failure { message: Some(message), ..Failure::default() }),
            exit: Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_status_reason_and_exit() {
        use Status::{Cancelled, Failed, Succeeded, TimedOut};
        let cases = [
            (Ended::Code(0), Stop::Not, vec![], Succeeded, None, 0),
            (Ended::Code(7), Stop::Not, vec![], Failed, Some(reason::EXIT_CODE), 7),
            (Ended::Signal(9), Stop::Not, vec![], Failed, Some(reason::SIGNAL), 137),
            (Ended::Signal(15), Stop::Not, vec![], Failed, Some(reason::SIGNAL), 143),
            (Ended::Signal(15), Stop::Not, vec![15], Cancelled, Some(reason::SIGNAL), 143),
            (Ended::Code(143), Stop::Not, vec![15], Cancelled, Some(reason::SIGNAL), 143),
            (Ended::Signal(2), Stop::Not, vec![], Cancelled, Some(reason::SIGNAL), 130),
            (Ended::Code(130), Stop::Not, vec![], Cancelled, Some(reason::SIGNAL), 130),
            (Ended::Code(129), Stop::Not, vec![], Failed, Some(reason::EXIT_CODE), 129),
            (Ended::Code(0), Stop::Not, vec![2], Succeeded, None, 0),
            (Ended::Code(3), Stop::Not, vec![2], Failed, Some(reason::EXIT_CODE), 3),
            (Ended::Signal(15), Stop::Cancelled, vec![], Cancelled, Some(reason::REQUESTED), 143),
            (Ended::Code(0), Stop::Cancelled, vec![], Cancelled, Some(reason::REQUESTED), 0),
            (Ended::Signal(15), Stop::TimedOut, vec![], TimedOut, Some(reason::DEADLINE), 124),
            (Ended::Code(0), Stop::TimedOut, vec![], TimedOut, Some(reason::DEADLINE), 124),
            (Ended::Signal(15), Stop::TakenOver, vec![], Failed, Some(reason::SIGNAL), 143),
        ];
        for (ended, stop, heard, status, reason, exit) in cases {
            let told = verdict(ended, stop, &heard);
            assert_eq!(
                (told.status, told.reason, told.exit.code()),
                (status, reason, exit),
                "{ended:?} {stop:?} {heard:?}"
            );
        }
    }
}
