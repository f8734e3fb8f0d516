//! Notices that are owed.

use crate::story::*;
use bgledger_core::*;

fn owing(story: &mut Story, policy: NotifyPolicy, command: Command) -> Owed {
    let before = story.history.len();
    story.task.as_mut().unwrap().notify = policy;
    story.tell(command).unwrap();
    let events: Vec<_> = story.history.iter().skip(before).map(|(event, _)| event.clone()).collect();
    owed(story.task(), &events)
}

#[test]
fn an_end_is_told_under_done_only_every_transition_under_state_changes_nothing_when_silent() {
    for (policy, start, finish_owes) in [
        (NotifyPolicy::DoneOnly, 0, 1),
        (NotifyPolicy::StateChanges, 1, 1),
        (NotifyPolicy::Silent, 0, 0),
        (NotifyPolicy::Other("weekly".into()), 0, 1),
    ] {
        let mut story = Story::queued();
        assert_eq!(owing(&mut story, policy.clone(), Command::Start(claim(1))).events.len(), start);
        assert_eq!(owing(&mut story, policy.clone(), heartbeat(token(1, 1))).events.len(), 0);
        assert_eq!(owing(&mut story, policy.clone(), progress(token(1, 1), "x")).events.len(), start);
        assert_eq!(owing(&mut story, policy, finish(token(1, 1), Status::Succeeded)).events.len(), finish_owes);
    }
}

#[test]
fn a_recovery_withdraws_what_was_said_and_the_end_is_told_again() {
    let mut story = Story::running();
    story.wait(100_000);
    let lost = owing(&mut story, NotifyPolicy::DoneOnly, Command::Reap(lease_expired()));
    assert_eq!((lost.events.as_slice(), lost.withdraws), ([0].as_slice(), true));
    let first = story.task().generation;
    let recovered = owing(&mut story, NotifyPolicy::DoneOnly, heartbeat(token(1, 1)));
    assert_eq!((recovered.events.as_slice(), recovered.withdraws), ([].as_slice(), true));
    assert!(story.task().generation > first);
    let ended = owing(&mut story, NotifyPolicy::DoneOnly, finish(token(1, 1), Status::Succeeded));
    assert_eq!((ended.events.as_slice(), ended.withdraws), ([0].as_slice(), true));
}

#[test]
fn the_requesting_session_is_told_else_the_works_else_the_owner() {
    let told = |birth: Birth| {
        let mut story = Story::born(birth);
        story.tell(cancel()).unwrap();
        owed(story.task(), &[]).recipient.0
    };
    assert_eq!(told(birth()), "session:agent:main");
    let session = Some("work".to_string());
    assert_eq!(told(Birth { requester_session: None, session, ..birth() }), "session:work");
    assert_eq!(told(Birth { requester_session: None, ..birth() }), "owner:local");
}

#[test]
fn a_changed_policy_is_an_event_of_its_own() {
    let mut story = Story::running();
    assert_eq!(story.tell(Command::Notify(NotifyPolicy::Silent)), Ok(Answer::Changed));
    assert_eq!(story.tell(Command::Notify(NotifyPolicy::Silent)), Ok(Answer::Unchanged));
    story.check();
}

#[test]
fn an_end_from_the_queue_owes_one_notice_not_one_for_the_start_too() {
    let mut story = Story::queued();
    story.task.as_mut().unwrap().notify = NotifyPolicy::StateChanges;
    let before = story.history.len();
    story.tell(finish(anybody(), Status::Succeeded)).unwrap();
    let events: Vec<_> = story.history.iter().skip(before).map(|(event, _)| event.clone()).collect();
    assert_eq!(story.words(), ["created", "started", "finished"]);
    assert_eq!(owed(story.task(), &events).events, [1]);
}
