//! A task ends.

use super::{millis, refused};
use crate::story::*;
use bgledger_core::*;

#[test]
fn an_end_from_the_queue_records_a_start_only_where_work_was_done() {
    for (status, attempt) in
        [(Status::Succeeded, 1), (Status::Failed, 1), (Status::TimedOut, 0), (Status::Cancelled, 0)]
    {
        let mut story = Story::queued();
        story.tell(finish(anybody(), status)).unwrap();
        assert_eq!((story.status(), story.task().attempt), (status, attempt));
        assert_eq!(story.task().started_at.is_some(), attempt == 1);
        story.check();
    }
}

#[test]
fn an_executor_whose_start_was_lost_with_the_power_may_ask_its_finish_again() {
    for status in [Status::Succeeded, Status::Cancelled] {
        let mut story = Story::queued();
        assert_eq!(story.tell(finish(token(1, 1), status)), Ok(Answer::Changed));
        assert_eq!(story.tell(finish(token(1, 1), status)), Ok(Answer::Unchanged));
    }
}

#[test]
fn the_same_finish_again_is_unchanged_and_another_is_told_what_is_recorded() {
    let mut story = Story::running();
    story.tell(finish(token(1, 1), Status::Succeeded)).unwrap();
    let ended = story.task().ended_at.unwrap();
    story.wait(1_000);
    assert_eq!(story.tell(finish(token(1, 1), Status::Succeeded)), Ok(Answer::Unchanged));
    let blocked = End { outcome: Some("blocked".into()), ..end(Status::Succeeded) };
    for other in [end(Status::Failed), blocked] {
        let error = story.tell(Command::Finish { token: token(1, 1), end: other }).unwrap_err();
        let Error::AlreadyEnded { recorded_status, recorded_detail, ended_at, .. } = error else { panic!("{error}") };
        assert_eq!((recorded_status, recorded_detail.as_str(), ended_at), (Status::Succeeded, "ok", ended));
    }
}

#[test]
fn a_failure_again_is_the_same_if_its_reason_is() {
    let mut story = Story::running();
    story.tell(finish(token(1, 1), Status::Failed)).unwrap();
    let because = |reason: &str| Command::Finish {
        token: token(1, 1),
        end: End { reason: Some(reason.into()), ..end(Status::Failed) },
    };
    assert_eq!(story.tell(because("error")), Ok(Answer::Unchanged));
    assert_eq!(refused(story.tell(because("rejected"))), ErrorCode::AlreadyEnded);
}

#[test]
fn a_lost_attempts_finish_overrides_the_presumption() {
    let mut story = Story::lost();
    story.tell(finish(token(1, 1), Status::Succeeded)).unwrap();
    assert_eq!(story.status(), Status::Succeeded);
    assert_eq!(story.words(), ["created", "started", "reaped", "recovered", "finished"]);
    story.check();
}

#[test]
fn an_operators_word_ends_what_is_not_final_and_keeps_its_author() {
    for mut story in [Story::queued(), Story::running(), Story::lost()] {
        assert_eq!(story.tell(settle(Status::Failed)), Ok(Answer::Changed));
        let (event, _) = story.history.last().unwrap();
        assert_eq!(event.ending().unwrap().by.as_deref(), Some("ada"));
        assert_eq!(story.task().reason.as_deref(), Some("forced"));
        assert_eq!(story.tell(settle(Status::Failed)), Ok(Answer::Unchanged));
        assert_eq!(refused(story.tell(settle(Status::Cancelled))), ErrorCode::AlreadyEnded);
        story.check();
    }
}

#[test]
fn a_settlement_as_lost_is_a_presumption_like_another() {
    let mut story = Story::running();
    story.tell(settle(Status::Lost)).unwrap();
    assert_eq!(story.task().reason.as_deref(), Some("reported"));
    assert_eq!(story.tell(settle(Status::Lost)), Ok(Answer::Unchanged));
    story.tell(finish(token(1, 1), Status::Succeeded)).unwrap();
    assert_eq!(story.status(), Status::Succeeded);
    let mut reaped = Story::lost();
    assert_eq!(reaped.tell(settle(Status::Lost)), Ok(Answer::Changed));
    assert_eq!(reaped.history.last().unwrap().0.ending().unwrap().by.as_deref(), Some("ada"));
    reaped.check();
}

#[test]
fn lost_work_has_said_nothing() {
    let mut said = end(Status::Lost);
    said.report.summary = Some("done".into());
    let settle = Command::Settle(Settlement { end: said, by: None, why: None });
    assert_eq!(refused(Story::running().tell(settle)), ErrorCode::InvalidValue);
}

#[test]
fn an_end_is_not_before_its_start_nor_in_the_future() {
    let at =
        |ms| Command::Finish { token: token(1, 1), end: End { ended_at: Some(millis(ms)), ..end(Status::Succeeded) } };
    let mut story = Story::running();
    story.wait(10);
    assert_eq!(refused(story.tell(at(BEGINNING - 1))), ErrorCode::TimeOrder);
    assert_eq!(refused(story.tell(at(BEGINNING + 11))), ErrorCode::FutureTime);
    story.tell(at(BEGINNING + 5)).unwrap();
    assert_eq!(story.task().ended_at, Some(millis(BEGINNING + 5)));
    story.check();
}

#[test]
fn what_was_settled_as_lost_from_the_queue_has_no_attempt_to_recover() {
    let mut story = Story::queued();
    story.tell(settle(Status::Lost)).unwrap();
    for word in [heartbeat(anybody()), progress(token(1, 1), "here")] {
        assert_eq!(refused(story.tell(word)), ErrorCode::NotStarted);
    }
    story.tell(finish(token(1, 1), Status::Succeeded)).unwrap();
    assert_eq!(story.words(), ["created", "settled", "started", "finished"]);
    assert_eq!(story.tell(finish(token(1, 1), Status::Succeeded)), Ok(Answer::Unchanged));
    story.check();
}
