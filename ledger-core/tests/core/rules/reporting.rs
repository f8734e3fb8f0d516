//! An executor speaks.

use super::{millis, refused};
use crate::story::*;
use bgledger_core::*;

#[test]
fn only_running_or_lost_work_reports() {
    assert_eq!(refused(Story::queued().tell(heartbeat(anybody()))), ErrorCode::NotStarted);
    assert_eq!(refused(Story::queued().tell(progress(token(4, 4), "x"))), ErrorCode::NotStarted);
    let mut over = Story::running();
    over.tell(finish(token(1, 1), Status::Succeeded)).unwrap();
    assert_eq!(refused(over.tell(heartbeat(token(1, 1)))), ErrorCode::AlreadyEnded);
}

#[test]
fn a_heartbeat_moves_the_row_and_writes_no_event() {
    let mut story = Story::running();
    let before = story.history.len();
    story.wait(10_000).tell(heartbeat(token(1, 1))).unwrap();
    assert_eq!(story.history.len(), before);
    let task = story.task();
    assert_eq!(task.heartbeat_at, Some(millis(story.now)));
    assert_eq!(task.lease_expires_at, Some(millis(story.now + 60_000)));
    assert_eq!((task.updated_at, task.revision), (millis(story.now), 3));
    story.check();
}

#[test]
fn a_lost_attempt_that_speaks_is_recovered() {
    for word in [heartbeat(token(1, 1)), progress(token(1, 1), "still here"), heartbeat(anybody())] {
        let mut story = Story::lost();
        story.tell(word).unwrap();
        let task = story.task();
        assert_eq!((task.status, task.ended_at, &task.reason), (Status::Running, None, &None));
        assert_eq!(task.lease_expires_at, Some(millis(story.now + 60_000)));
        assert!(story.words().contains(&"recovered"));
        story.check();
    }
}

#[test]
fn beyond_a_thousand_reports_only_the_row_moves() {
    let mut story = Story::running();
    for count in 0..bounds::PROGRESS_EVENTS + 5 {
        story.wait(1).tell(progress(token(1, 1), &count.to_string())).unwrap();
    }
    let filling = Progress { fill: fill_agent("late"), ..Progress::default() };
    story.tell(report(token(1, 1), filling)).unwrap();
    let recorded = story.words().iter().filter(|word| **word == "progress").count();
    assert_eq!(recorded, bounds::PROGRESS_EVENTS as usize);
    assert_eq!(story.task().progress.as_ref().unwrap().text.as_deref(), Some("1004"));
    assert_eq!(story.task().progress_reports, bounds::PROGRESS_EVENTS + 6);
    assert_eq!(story.task().agent.as_deref(), Some("late"));
    story.check();
}

#[test]
fn what_work_waits_for_is_cleared_by_every_end_and_by_a_null() {
    let waiting = |what: Option<&str>| {
        report(token(1, 1), Progress { waiting_on: Some(what.map(Into::into)), ..Progress::default() })
    };
    let mut story = Story::running();
    story.tell(waiting(Some("input"))).unwrap();
    assert_eq!(story.task().waiting_on.as_deref(), Some("input"));
    story.tell(progress(token(1, 1), "asking")).unwrap();
    assert_eq!(story.task().waiting_on.as_deref(), Some("input"));
    story.tell(waiting(None)).unwrap();
    assert_eq!(story.task().waiting_on, None);
    story.tell(waiting(Some("auth"))).unwrap();
    story.wait(100_000).tell(Command::Reap(lease_expired())).unwrap();
    assert_eq!(story.task().waiting_on, None);
    story.check();
}

#[test]
fn usage_is_an_attempts_running_total_and_sums_over_attempts() {
    let spent = |attempt, who, tokens_in| {
        let usage = Some(Usage { tokens_in, ..Usage::default() });
        report(token(attempt, who), Progress { usage, ..Progress::default() })
    };
    let total = |story: &Story| story.task().usage.as_ref().unwrap().tokens_in;
    let mut story = Story::running();
    story.tell(spent(1, 1, 10)).unwrap();
    story.tell(spent(1, 1, 30)).unwrap();
    assert_eq!(total(&story), 30);
    story.wait(100_000).tell(Command::Reap(lease_expired())).unwrap();
    story.tell(Command::Start(claim(2))).unwrap();
    story.tell(spent(2, 2, 5)).unwrap();
    story.tell(spent(2, 2, 7)).unwrap();
    assert_eq!(total(&story), 37);
    story.check();
}

#[test]
fn what_is_null_is_filled_in_once() {
    let filling = |agent| report(token(1, 1), Progress { fill: fill_agent(agent), ..Progress::default() });
    let mut story = Story::running();
    story.tell(filling("a")).unwrap();
    assert_eq!(story.tell(filling("a")), Ok(Answer::Changed));
    let error = story.tell(filling("b")).unwrap_err();
    assert!(matches!(&error, Error::AlreadySet { field: "agent", recorded, .. } if recorded == "a"), "{error}");
    story.check();
}

#[test]
fn the_executor_is_told_of_a_cancel_once() {
    let mut story = Story::running();
    story.tell(cancel()).unwrap();
    assert_eq!(story.task().cancel.as_ref().unwrap().told_at, None);
    story.wait(10).tell(heartbeat(token(1, 1))).unwrap();
    let told = story.task().cancel.as_ref().unwrap().told_at;
    assert_eq!(told, Some(millis(BEGINNING + 10)));
    story.wait(10).tell(heartbeat(token(1, 1))).unwrap();
    assert_eq!(story.task().cancel.as_ref().unwrap().told_at, told);
    assert_eq!(story.words().iter().filter(|word| **word == "cancel_told").count(), 1);
    story.check();
}
