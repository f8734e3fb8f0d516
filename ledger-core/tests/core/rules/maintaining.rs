//! Maintenance settles what nobody will settle.

use super::{millis, refused};
use crate::story::*;
use bgledger_core::*;

#[test]
fn a_dead_executors_task_is_cancelled_before_timed_out_before_lost() {
    let mut story = Story::born(Birth { timeout: Some(Span::from_secs(10)), start: Some(claim(1)), ..birth() });
    let reap = |story: &Story| {
        let mut story = story.clone();
        story.tell(Command::Reap(process_gone(1))).unwrap();
        story.check();
        assert_eq!(story.task().reason.as_deref(), Some("executor_gone"));
        story.status()
    };
    assert_eq!(reap(&story), Status::Lost);
    story.wait(10_000);
    assert_eq!(reap(&story), Status::Lost, "the deadline passes after its last millisecond");
    story.wait(1);
    assert_eq!(reap(&story), Status::TimedOut);
    story.tell(cancel()).unwrap();
    assert_eq!(reap(&story), Status::Cancelled);
}

#[test]
fn a_lease_that_ran_out_only_presumes() {
    let mut story = Story::born(Birth { timeout: Some(Span::from_secs(10)), start: Some(claim(1)), ..birth() });
    story.tell(cancel()).unwrap();
    story.wait(90_001).tell(Command::Reap(lease_expired())).unwrap();
    assert_eq!((story.status(), story.task().reason.as_deref()), (Status::Lost, Some("lease_expired")));
}

#[test]
fn evidence_about_somebody_else_or_a_lease_that_holds_reaps_nobody() {
    let mut story = Story::running();
    story.wait(90_000);
    for evidence in [lease_expired(), process_gone(2), Evidence::Zombie { pid: 101, started: 2 }] {
        assert_eq!(refused(story.tell(Command::Reap(evidence))), ErrorCode::NotDue);
    }
    assert_eq!(story.wait(1).tell(Command::Reap(lease_expired())), Ok(Answer::Changed));
    assert_eq!(refused(story.tell(Command::Reap(process_gone(1)))), ErrorCode::NotDue);
}

#[test]
fn a_queue_deadline_ends_only_what_is_still_queued() {
    let impatient = Birth { queue_timeout: Some(Span::from_secs(1)), ..birth() };
    let mut story = Story::born(impatient.clone());
    assert_eq!(refused(story.wait(1_000).tell(Command::Expire)), ErrorCode::NotDue);
    story.wait(1).tell(Command::Expire).unwrap();
    assert_eq!((story.status(), story.task().reason.as_deref()), (Status::TimedOut, Some("queue_deadline")));
    let mut started = Story::born(impatient);
    started.tell(Command::Start(claim(1))).unwrap();
    assert_eq!(refused(started.wait(10_000).tell(Command::Expire)), ErrorCode::NotDue);
}

#[test]
fn the_deadline_runs_from_the_current_attempts_start() {
    let mut story = Story::born(Birth { timeout: Some(Span::from_secs(120)), start: Some(claim(1)), ..birth() });
    story.wait(100_000).tell(Command::Reap(lease_expired())).unwrap();
    story.tell(Command::Start(claim(2))).unwrap();
    assert!(!story.task().is_overdue(millis(BEGINNING + 220_000)));
    assert!(story.task().is_overdue(millis(BEGINNING + 220_001)));
}
