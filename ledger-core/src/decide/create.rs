//! A task is recorded, or found to be recorded.

use super::check::{admit, ending, in_order, not_future, records_start};
use super::executor::claimed;
use super::{Answer, Decision};
use crate::command::{Birth, Moment};
use crate::event::{Event, Opening, Started};
use crate::{Error, Task, birthmark};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

pub(super) fn create(birth: &Birth, at: &Moment) -> Result<Decision, Error> {
    let end = birth.finish.as_ref();
    let ended = end.map(|end| ending(end, None)).transpose()?;
    let ended_at = end.and_then(|end| end.ended_at);
    let given_start = birth.start.as_ref().and_then(|claim| claim.started_at);
    not_future("created_at", birth.created_at, at)?;
    not_future("start.started_at", given_start, at)?;
    in_order("finish.ended_at", ended_at, given_start, "started", at)?;
    if let Some(family) = &birth.family {
        admit(family)?;
    }
    birth.joins()?;
    let checksum = Some(birthmark::of_birth(birth));
    let opening = Opening { notify: Some(birth.notify.clone()), created_at: birth.created_at, checksum };
    let mut events = vec![Event::Created(opening)];
    // Work that is over and whose start nobody told began no later than it ended.
    let started_at = given_start.or(ended_at);
    match (&birth.start, end) {
        (Some(claim), _) => events.push(Event::Started(Started { started_at, ..claimed(claim, 1, at) })),
        (None, Some(end)) if records_start(end.status) => {
            events.push(Event::Started(Started { attempt: 1, started_at, ..Started::default() }));
        }
        (None, Some(_) | None) => {}
    }
    events.extend(ended.map(Event::Finished));
    Ok(Decision { events, answer: Answer::Created })
}

/// The task that has the key: the same again, or something else under the same key.
pub(super) fn exists(task: &Task, birth: &Birth) -> Result<Decision, Error> {
    let fields = differences(task, birth);
    match fields.is_empty() {
        true => Ok(Decision { events: vec![], answer: Answer::Exists }),
        false => Err(Error::ExistsWithDifferent { number: task.number, id: task.id, fields }),
    }
}

/// The descriptive fields in which a birth differs from the recorded task: never times or executor. A field that
/// may be filled in later differs only if the birth gives it.
fn differences(task: &Task, birth: &Birth) -> Vec<&'static str> {
    let filled = |given: &Option<String>, recorded: &Option<String>| given.is_some() && given != recorded;
    let parent = birth.family.map(|family| family.parent);
    [
        ("runtime", birth.runtime != task.runtime),
        ("kind", filled(&birth.kind, &task.kind)),
        ("source_id", filled(&birth.source_id, &task.source_id)),
        ("run_id", filled(&birth.run_id, &task.run_id)),
        ("requester_session", filled(&birth.requester_session, &task.requester_session)),
        ("session", filled(&birth.session, &task.session)),
        ("agent", filled(&birth.agent, &task.agent)),
        ("requester_agent", filled(&birth.requester_agent, &task.requester_agent)),
        ("parent", parent.is_some() && parent != task.parent),
        ("flow", birth.flow.is_some_and(|flow| Some(flow.id) != task.flow)),
        ("retry_of", birth.retry_of.is_some() && birth.retry_of != task.retry_of),
        ("label", birth.label != task.label),
        ("task", birth.task != task.task),
        ("metadata", birth.metadata != task.metadata),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect()
}
