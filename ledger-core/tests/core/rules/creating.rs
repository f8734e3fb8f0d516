//! A task is recorded.

use super::{millis, refused};
use crate::story::*;
use bgledger_core::*;

#[test]
fn a_task_is_queued_or_started_at_once_or_over_already() {
    assert_eq!(Story::queued().status(), Status::Queued);
    let started = Story::born(Birth { start: Some(claim(1)), ..birth() });
    assert_eq!((started.status(), started.task().attempt), (Status::Running, 1));
    for status in [Status::Succeeded, Status::Failed, Status::TimedOut, Status::Cancelled] {
        let over = Story::born(Birth { finish: Some(end(status)), ..birth() });
        assert_eq!(over.status(), status);
        over.check();
    }
}

#[test]
fn work_that_is_over_began_no_later_than_it_ended() {
    let ended = millis(BEGINNING - 5_000);
    let finish = Some(End { ended_at: Some(ended), ..end(Status::Succeeded) });
    for start in [None, Some(claim(1))] {
        let over = Story::born(Birth { start, finish: finish.clone(), ..birth() });
        let task = over.task();
        assert_eq!((task.started_at, task.ended_at, task.created_at), (Some(ended), Some(ended), ended));
        over.check();
    }
}

#[test]
fn what_never_ran_and_is_over_has_no_start() {
    for status in [Status::TimedOut, Status::Cancelled] {
        let over = Story::born(Birth { finish: Some(end(status)), ..birth() });
        assert_eq!((over.task().started_at, over.task().attempt), (None, 0));
    }
}

#[test]
fn lost_and_active_are_no_ends_to_be_created_with() {
    for status in [Status::Lost, Status::Queued, Status::Running] {
        let create = Command::Create(Birth { finish: Some(end(status)), ..birth() });
        assert_eq!(refused(Story::blank().tell(create)), ErrorCode::InvalidValue);
    }
}

#[test]
fn the_same_again_exists_whatever_became_of_it() {
    let mut story = Story::running();
    story.tell(progress(token(1, 1), "half")).unwrap();
    assert_eq!(story.tell(Command::Create(birth())), Ok(Answer::Exists));
    story.tell(finish(token(1, 1), Status::Succeeded)).unwrap();
    let at_other_times = Birth { start: Some(claim(2)), timeout: Some(Span::from_secs(1)), ..birth() };
    assert_eq!(story.tell(Command::Create(at_other_times)), Ok(Answer::Exists));
}

#[test]
fn the_same_key_for_something_else_names_the_fields_that_differ() {
    let other = Birth { label: "write".into(), agent: Some("b".into()), ..birth() };
    let error = Story::queued().tell(Command::Create(other)).unwrap_err();
    assert!(matches!(&error, Error::ExistsWithDifferent { fields, .. } if *fields == ["agent", "label"]), "{error}");
}

#[test]
fn what_was_filled_in_since_is_no_difference() {
    let mut story = Story::queued();
    story.tell(Command::Start(Claim { fill: fill_agent("a"), ..claim(1) })).unwrap();
    assert_eq!(story.tell(Command::Create(birth())), Ok(Answer::Exists));
}

#[test]
fn a_cancelled_line_gets_no_children_and_a_tree_has_a_bound() {
    let parent = TaskId::from_bytes([2; 16]);
    let family = Family { parent, root: parent, depth: 1, cancelled: None, entangled: false, flow: None, barred: None };
    let child = |family| Command::Create(Birth { family: Some(family), ..birth() });
    assert_eq!(Story::blank().tell(child(family)), Ok(Answer::Created));
    let cancelled = Family { cancelled: Some(TaskNumber(3)), ..family };
    assert_eq!(refused(Story::blank().tell(child(cancelled))), ErrorCode::AncestorCancelled);
    let deepest = Family { depth: bounds::TREE_DEPTH, ..family };
    assert_eq!(Story::blank().tell(child(deepest)), Ok(Answer::Created));
    let too_deep = Family { depth: bounds::TREE_DEPTH + 1, ..family };
    assert_eq!(refused(Story::blank().tell(child(too_deep))), ErrorCode::TreeShape);
}
