//! A history from elsewhere.

use super::{millis, refused};
use crate::story::*;
use bgledger_core::*;

fn imported(birth: Birth, status: Option<Status>) -> Import {
    let at = |ms| Some(millis(BEGINNING - ms));
    let ended = |status| End { ended_at: at(100), ..end(status) };
    let start = Some(Claim { started_at: at(500), ..Claim::default() });
    let lost = (status == Some(Status::Lost)).then(|| Settlement { end: ended(Status::Lost), by: None, why: None });
    let finish = status.filter(|status| status.is_final()).map(ended);
    let origin = Json::parse(r#"{"program": "another"}"#).ok();
    let progress = Some(Progress { text: Some("half".into()), ..Progress::default() });
    Import { birth: Birth { created_at: at(900), start, finish, origin, ..birth }, progress, lost }
}

fn told(import: &Import) -> (Task, Vec<Event>) {
    let events = decide_import(import, &moment(BEGINNING)).unwrap();
    let unborn = Task::unborn(TaskNumber(1), TaskId::from_bytes([7; 16]), &import.birth);
    (events.iter().fold(unborn, |task, event| evolve(task, event, millis(BEGINNING))), events)
}

#[test]
fn a_history_from_elsewhere_is_recorded_as_it_was_and_owes_no_notice() {
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Queued) {
        let birth = Birth { notify: NotifyPolicy::StateChanges, ..birth() };
        let (task, events) = told(&imported(birth, Some(status)));
        assert_eq!((task.status, task.attempt), (status, 1));
        assert_eq!((task.created_at, task.started_at), (millis(BEGINNING - 900), Some(millis(BEGINNING - 500))));
        assert_eq!(task.ended_at, (status != Status::Running).then(|| millis(BEGINNING - 100)));
        assert_eq!(task.progress.clone().and_then(|point| point.text).as_deref(), Some("half"));
        assert_eq!((task.updated_at, task.heartbeat_at), (millis(BEGINNING), None), "nobody has been heard of");
        let history = events.iter().map(|event| (event, millis(BEGINNING)));
        assert!(same_but_for_heartbeats(&task, &fold(&task, history)), "{status:?}");
        assert_eq!(owed(&task, &events, false), Owed { withdraws: false, silences: false, events: vec![] });
        // What happens to it here owes like everything else.
        let later = owed(&task, &[Event::Recovered], true);
        assert_eq!((later.withdraws, later.events.as_slice()), (true, [0].as_slice()));
    }
}

#[test]
fn an_import_is_held_to_the_rules() {
    let decided = |import: Import| decide_import(&import, &moment(BEGINNING)).map(|_| Answer::Created);
    let whole = imported(birth(), Some(Status::Succeeded));
    let future = Birth { created_at: Some(millis(BEGINNING + 1)), ..whole.birth.clone() };
    assert_eq!(refused(decided(Import { birth: future, ..whole.clone() })), ErrorCode::FutureTime);
    let unstarted = Birth { start: None, finish: None, ..whole.birth.clone() };
    assert_eq!(refused(decided(Import { birth: unstarted, ..whole.clone() })), ErrorCode::InvalidValue);
    let lost = imported(birth(), Some(Status::Lost)).lost;
    assert_eq!(refused(decided(Import { lost: lost.clone(), ..whole })), ErrorCode::AlreadyEnded);
    let mut early = imported(birth(), Some(Status::Lost));
    if let Some(lost) = &mut early.lost {
        lost.end.ended_at = Some(millis(BEGINNING - 600));
    }
    assert_eq!(refused(decided(early)), ErrorCode::TimeOrder);
}
