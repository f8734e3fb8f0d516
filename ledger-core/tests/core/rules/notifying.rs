//! Notices that are owed.

use crate::story::*;
use bgledger_core::*;

fn owing(story: &mut Story, policy: NotifyPolicy, command: Command) -> Owed {
    let before = story.history.len();
    story.task.as_mut().unwrap().notify = policy;
    story.tell(command).unwrap();
    let events: Vec<_> = story.history.iter().skip(before).map(|(event, _)| event.clone()).collect();
    owed(story.task(), &events, false)
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
    assert_eq!(owed(story.task(), &[Event::Recovered], true).events, [0], "whoever heard of the loss hears of this");
    assert!(story.task().generation > first);
    let ended = owing(&mut story, NotifyPolicy::DoneOnly, finish(token(1, 1), Status::Succeeded));
    assert_eq!((ended.events.as_slice(), ended.withdraws), ([0].as_slice(), true));
}

#[test]
fn the_requesting_session_is_told_else_the_works_else_the_owner() {
    let told = |birth: Birth| {
        let mut story = Story::born(birth);
        story.tell(cancel()).unwrap();
        Recipient::of(story.task()).0
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
fn silence_dismisses_what_waits_and_another_policy_does_not() {
    let mut story = Story::running();
    let to = |policy: NotifyPolicy| Command::Notify(policy);
    assert!(!owing(&mut story, NotifyPolicy::DoneOnly, to(NotifyPolicy::StateChanges)).silences);
    assert!(owing(&mut story, NotifyPolicy::DoneOnly, to(NotifyPolicy::Silent)).silences);
    assert!(!owing(&mut story, NotifyPolicy::Silent, finish(token(1, 1), Status::Succeeded)).silences);
}

#[test]
fn progress_is_told_at_most_once_an_interval_and_the_newest_of_it() {
    let (interval, at) = (Span::from_secs(10), Millis::clamped);
    assert_eq!(pace(None, interval, at(5_000)), (at(5_000), false));
    // One that waits for its first claim gives its place to the newer one.
    assert_eq!(pace(Some((at(5_000), true)), interval, at(6_000)), (at(5_000), true));
    // One that was taken is followed by the next after the interval.
    assert_eq!(pace(Some((at(5_000), false)), interval, at(7_000)), (at(15_000), false));
    assert_eq!(pace(Some((at(5_000), false)), interval, at(70_000)), (at(70_000), false));
}

#[test]
fn a_subscriber_hears_of_what_fits_its_filter() {
    let story = Story::born(Birth { kind: Some("nightly".into()), agent: Some("main".into()), ..birth() });
    let fits = |json: &str| Filter::parse("subscriber.ops", json).unwrap().fits(story.task());
    for json in [
        "{}",
        r#"{"owner": "local"}"#,
        r#"{"runtime": "subagent", "kind": "nightly", "agent": "main", "session": "agent:main"}"#,
        r#"{"status": ["failed", "queued"]}"#,
    ] {
        assert!(fits(json), "{json}");
    }
    for json in [
        r#"{"owner": "alice"}"#,
        r#"{"runtime": "cron"}"#,
        r#"{"kind": "hourly"}"#,
        r#"{"agent": "other"}"#,
        r#"{"session": "chat"}"#,
        r#"{"status": ["failed"]}"#,
    ] {
        assert!(!fits(json), "{json}");
    }
    assert!(Filter::parse("subscriber.ops", r#"{"runtimes": "cron"}"#).is_err());
}

#[test]
fn an_end_from_the_queue_owes_one_notice_not_one_for_the_start_too() {
    let mut story = Story::queued();
    story.task.as_mut().unwrap().notify = NotifyPolicy::StateChanges;
    let before = story.history.len();
    story.tell(finish(anybody(), Status::Succeeded)).unwrap();
    let events: Vec<_> = story.history.iter().skip(before).map(|(event, _)| event.clone()).collect();
    assert_eq!(story.words(), ["created", "started", "finished"]);
    assert_eq!(owed(story.task(), &events, false).events, [1]);
}
