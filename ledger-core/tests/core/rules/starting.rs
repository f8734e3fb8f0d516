//! An executor claims a task.

use super::{millis, refused};
use crate::story::*;
use bgledger_core::*;

#[test]
fn the_same_start_again_changes_nothing_and_anothers_is_refused() {
    let mut story = Story::running();
    assert_eq!(story.tell(Command::Start(claim(1))), Ok(Answer::Unchanged));
    let error = story.tell(Command::Start(claim(2))).unwrap_err();
    assert!(error.to_string().contains("process 101"), "{error}");
    assert_eq!(error.code(), ErrorCode::AlreadyRunning);
}

#[test]
fn a_repeated_start_may_still_fill_in_what_is_null() {
    let mut story = Story::running();
    let filling = Command::Start(Claim { fill: fill_agent("a"), ..claim(1) });
    assert_eq!(story.tell(filling.clone()), Ok(Answer::Changed));
    assert_eq!(story.task().agent.as_deref(), Some("a"));
    assert_eq!(story.tell(filling), Ok(Answer::Unchanged));
    let other = Command::Start(Claim { fill: fill_agent("b"), ..claim(1) });
    assert_eq!(refused(story.tell(other)), ErrorCode::AlreadySet);
    story.check();
}

#[test]
fn lost_work_is_taken_over_and_the_old_attempt_is_fenced_off() {
    let mut story = Story::lost();
    let first_start = story.task().started_at;
    story.tell(Command::Start(claim(2))).unwrap();
    let task = story.task();
    assert_eq!((task.status, task.attempt, task.ended_at), (Status::Running, 2, None));
    assert_eq!((task.started_at, task.attempt_started_at), (first_start, Some(millis(story.now))));
    for late in [heartbeat(token(1, 1)), progress(token(1, 1), "late"), finish(token(1, 1), Status::Succeeded)] {
        let error = story.tell(late).unwrap_err();
        assert!(matches!(error, Error::Fenced { given: 1, attempt: 2, executor: Some(_), .. }), "{error}");
    }
    assert_eq!(story.tell(finish(token(2, 2), Status::Succeeded)), Ok(Answer::Changed));
    assert_eq!(refused(story.tell(finish(token(1, 1), Status::Succeeded))), ErrorCode::Fenced);
    story.check();
}

#[test]
fn a_takeover_may_have_begun_before_the_loss_was_noticed_but_not_before_the_lost_attempt() {
    let mut story = Story::lost();
    let at = |ms| Command::Start(Claim { started_at: Some(millis(ms)), ..claim(2) });
    assert_eq!(refused(story.clone().tell(at(BEGINNING - 1))), ErrorCode::TimeOrder);
    assert_eq!(story.tell(at(BEGINNING + 50_000)), Ok(Answer::Changed));
    assert_eq!(story.task().attempt_started_at, Some(millis(BEGINNING + 50_000)));
    story.check();
}

#[test]
fn no_start_after_a_cancel() {
    let mut queued = Story::queued();
    queued.tell(cancel()).unwrap();
    assert_eq!(refused(queued.tell(Command::Start(claim(1)))), ErrorCode::AlreadyEnded);
    let mut lost = Story::lost();
    lost.tell(cancel()).unwrap();
    assert_eq!(refused(lost.tell(Command::Start(claim(2)))), ErrorCode::CancelRequested);
}

#[test]
fn a_start_before_creation_moves_the_creation_and_one_in_the_future_is_refused() {
    let mut story = Story::queued();
    let at = |ms| Command::Start(Claim { started_at: Some(millis(ms)), ..claim(1) });
    assert_eq!(refused(story.tell(at(BEGINNING + 1))), ErrorCode::FutureTime);
    story.tell(at(BEGINNING - 30)).unwrap();
    assert_eq!(
        (story.task().created_at, story.task().started_at),
        (millis(BEGINNING - 30), Some(millis(BEGINNING - 30)))
    );
    story.check();
}

#[test]
fn a_clock_that_steps_back_never_disorders_the_times() {
    let mut story = Story::queued();
    story.wait(-50);
    story.tell(Command::Start(claim(1))).unwrap();
    story.wait(-50);
    story.tell(finish(token(1, 1), Status::Succeeded)).unwrap();
    assert_eq!(story.task().ended_at, Some(millis(BEGINNING)));
    story.check();
}

#[test]
fn attempts_with_one_number_are_told_apart_by_their_executor() {
    let mut story = Story::running();
    assert_eq!(refused(story.tell(heartbeat(token(1, 9)))), ErrorCode::Fenced);
    let by_nonce = ClaimToken { attempt: None, nonce: Some("nonce-1".into()) };
    assert_eq!(story.tell(heartbeat(by_nonce)), Ok(Answer::Changed));
    let mut external = Story::queued();
    external.tell(Command::Start(Claim::default())).unwrap();
    assert_eq!(refused(external.tell(heartbeat(token(1, 1)))), ErrorCode::Fenced);
    assert_eq!(external.tell(heartbeat(ClaimToken { attempt: Some(1), nonce: None })), Ok(Answer::Changed));
}

#[test]
fn now_is_never_before_the_last_write_whatever_the_clock_says() {
    let mut story = Story::queued();
    story.wait(-100);
    let at = |ms| Command::Start(Claim { started_at: Some(millis(ms)), ..claim(1) });
    assert_eq!(refused(story.tell(at(BEGINNING + 1))), ErrorCode::FutureTime);
    assert_eq!(story.tell(at(BEGINNING)), Ok(Answer::Changed));
    story.check();
}
