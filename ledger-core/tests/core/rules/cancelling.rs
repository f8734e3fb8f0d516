//! Somebody asks to cancel a task.

use crate::story::*;
use bgledger_core::*;

#[test]
fn the_answer_tells_the_truth() {
    let mut queued = Story::queued();
    assert_eq!(queued.tell(cancel()), Ok(CANCELLED));
    assert_eq!((queued.status(), queued.task().reason.as_deref()), (Status::Cancelled, Some("requested")));
    let mut running = Story::running();
    assert_eq!(running.tell(cancel()), Ok(CANCEL_REQUESTED));
    assert_eq!(running.tell(cancel()), Ok(CANCEL_REQUESTED));
    assert_eq!(running.status(), Status::Running);
    assert_eq!(running.tell(cancel_the_dead(1)), Ok(CANCEL_FOUND_NOBODY));
    assert_eq!((running.status(), running.task().reason.as_deref()), (Status::Cancelled, Some("executor_gone")));
    let mut lost = Story::lost();
    assert_eq!(lost.tell(cancel()), Ok(CANCEL_CAME_LATE));
    assert_eq!((lost.status(), lost.task().cancel.is_some()), (Status::Lost, true));
    assert_eq!(lost.tell(cancel_the_dead(1)), Ok(CANCELLED));
    assert_eq!(lost.status(), Status::Cancelled);
    let mut over = Story::running();
    over.tell(finish(token(1, 1), Status::Succeeded)).unwrap();
    assert_eq!(over.tell(cancel()), Ok(CANCEL_CAME_LATE));
    assert!(over.task().cancel.is_none());
    [queued, running, lost, over].iter().for_each(Story::check);
}

#[test]
fn a_presumption_or_a_stale_proof_cancels_nobody() {
    let gone = |evidence| Command::RequestCancel { by: None, why: None, evidence: CancelEvidence::Gone(evidence) };
    for evidence in [lease_expired(), process_gone(2), Evidence::Rebooted { was: "boot-0".into(), is: BOOT.into() }] {
        assert_eq!(Story::running().tell(gone(evidence)), Ok(CANCEL_REQUESTED));
    }
}

#[test]
fn a_cancelled_lost_attempt_may_still_say_how_it_ended() {
    let mut story = Story::lost();
    story.tell(cancel()).unwrap();
    story.tell(finish(token(1, 1), Status::Succeeded)).unwrap();
    assert_eq!(story.status(), Status::Succeeded);
    assert!(story.task().cancel.is_some(), "the request is sticky");
}
