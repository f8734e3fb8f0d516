//! The rules, one story each.

mod cancelling;
mod creating;
mod ending;
mod flowing;
mod importing;
mod maintaining;
mod notifying;
mod reporting;
mod starting;

use crate::story::*;
use bgledger_core::{Answer, Claim, Command, End, Error, ErrorCode, Millis, Progress, Status};

fn refused(result: Result<Answer, Error>) -> ErrorCode {
    result.unwrap_err().code()
}

fn millis(ms: i64) -> Millis {
    Millis::clamped(ms)
}

/// Commands that fail several checks at once: the refusal is the earliest in the documented order.
#[test]
fn refusals_take_precedence_in_the_order_of_the_checks() {
    let future = Some(millis(BEGINNING * 2));
    let wrong_end = |token, status| Command::Finish { token, end: End { ended_at: future, ..end(status) } };
    let mut taken_over = Story::lost();
    taken_over.tell(Command::Start(Claim { fill: fill_agent("a"), ..claim(2) })).unwrap();
    let mut over = taken_over.clone();
    over.tell(finish(token(2, 2), Status::Succeeded)).unwrap();
    let mut lost = Story::lost();
    lost.tell(cancel()).unwrap();
    let badly_filled = Progress { fill: fill_agent("b"), ..Progress::default() };
    let late_start = Command::Start(Claim { started_at: future, fill: fill_agent("b"), ..claim(3) });
    let rows: [(Story, Command, ErrorCode); 8] = [
        (over.clone(), wrong_end(token(1, 1), Status::Lost), ErrorCode::InvalidValue),
        (Story::queued(), report(token(5, 5), badly_filled.clone()), ErrorCode::NotStarted),
        (over.clone(), wrong_end(token(1, 1), Status::Failed), ErrorCode::Fenced),
        (over, wrong_end(token(2, 2), Status::Failed), ErrorCode::AlreadyEnded),
        (taken_over.clone(), late_start.clone(), ErrorCode::AlreadyRunning),
        (lost, late_start.clone(), ErrorCode::CancelRequested),
        (Story::queued(), late_start, ErrorCode::FutureTime),
        (taken_over, report(token(2, 2), badly_filled), ErrorCode::AlreadySet),
    ];
    for (mut story, command, code) in rows {
        assert_eq!(refused(story.tell(command.clone())), code, "{command:?}");
    }
}
