//! A task that has a history elsewhere is recorded with what is known of it.

use super::check::{ending, in_order, room_for_artifacts};
use super::create::create;
use crate::command::{Import, Moment};
use crate::event::{Event, Progress};
use crate::{Error, Task, TaskId, TaskNumber, evolve};
use alloc::vec::Vec;

/// Decides an import: the events that make the task what it was. Pure, like [`super::decide`], whose checks hold here
/// too. Events happen at `at.now`, when this ledger heard of them; the times of the source are the caller's.
pub fn decide_import(import: &Import, at: &Moment) -> Result<Vec<Event>, Error> {
    let mut events = create(&import.birth, at)?.events;
    let started = events.iter().position(|event| matches!(event, Event::Started(_)));
    if let Some(progress) = &import.progress {
        let Some(place) = started else {
            let problem = "progress of work that was not started";
            return Err(Error::invalid("progress", problem, "a start"));
        };
        let began = import.birth.start.as_ref().and_then(|claim| claim.started_at);
        in_order("progress.reported_at", progress.reported_at, began, "began", at)?;
        events.insert(place.saturating_add(1), Event::Progress(Progress::clone(progress)));
    }
    if let Some(settlement) = &import.lost {
        let unborn = Task::unborn(TaskNumber(0), TaskId::from_bytes([0; 16]), &import.birth);
        let task = events.iter().fold(unborn, |task, event| evolve(task, event, at.now));
        if task.status.is_final() {
            return Err(super::check::already_ended(&task));
        }
        let lost = ending(&settlement.end, Some(settlement))?;
        let earliest = task.attempt_started_at.or(Some(task.created_at));
        in_order("ended_at", lost.ended_at, earliest, "began", at)?;
        room_for_artifacts(&task, settlement.end.report.artifacts.keys())?;
        events.push(Event::Settled(lost));
    }
    Ok(events)
}
