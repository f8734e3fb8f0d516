//! Waiting for tasks to end and for events to come, without holding a transaction meanwhile.
//!
//! Whoever waits sleeps until the bell of the ledger is struck after a commit, and then asks for the newest `seq`:
//! whatever ends a task or is told to a watcher has appended an event. What they were waiting for is told once it is
//! durable.

use crate::caller::Caller;
use crate::engine::Engine;
use crate::find::{self, Purpose};
use crate::platform::{self, Tone, UNHEARD, UNSTRUCK};
use crate::read;
use crate::reconcile;
use crate::record;
use crate::sqlite::Failure;
use bgledger_core::{Drain, Drained, Error, Events, Lookup, Span, TaskId, TaskView, Tasks, Wait, Watch};
use rusqlite::Connection;
use std::thread::sleep;
use std::time::Duration;

/// How long to wait, besides by the time that a request gives: asked now and then, and whenever something happened.
pub(crate) type GoesOn<'a> = &'a dyn Fn() -> bool;

/// Blocks until every task of a request has ended, or any.
pub(crate) fn wait(
    engine: &Engine,
    wait: &Wait,
    caller: &Caller,
    patience: Duration,
    goes_on: GoesOn<'_>,
) -> Result<Tasks, Error> {
    let states = |sql: &Connection| -> Result<Vec<TaskView>, Failure> {
        let at = caller.world.moment();
        let mut views = Vec::with_capacity(wait.lookups.len());
        for lookup in &wait.lookups {
            let stored = find::task(sql, lookup, caller.scope(), Purpose::Read)?;
            views.push(record::view(sql, stored.task, caller.world, &at)?);
        }
        Ok(views)
    };
    let is_over = |views: &[TaskView]| {
        let ended = |view: &TaskView| !view.task.status.is_active();
        if wait.any { views.iter().any(ended) } else { views.iter().all(ended) }
    };
    // What a session's or a run's lookup names is settled once: the tasks that are waited for stay the same.
    let first = engine.read(patience, states)?;
    let ids: Vec<TaskId> = first.iter().map(|view| view.task.id).collect();
    let again = |sql: &Connection| -> Result<Vec<TaskView>, Failure> {
        let at = caller.world.moment();
        let mut views = Vec::with_capacity(ids.len());
        for id in &ids {
            let stored = find::task(sql, &Lookup::Id(*id), caller.scope(), Purpose::Read)?;
            views.push(record::view(sql, stored.task, caller.world, &at)?);
        }
        Ok(views)
    };
    let (views, waited_ms) = until(engine, first, wait.timeout, patience, goes_on, again, |views| is_over(views))?;
    match is_over(&views) {
        true => {
            // An acknowledgement is told after a sync of its own.
            if wait.ack.is_none() {
                engine.persist_seen(patience, caller)?;
            }
            Ok(Tasks { tasks: views })
        }
        false => {
            let active = views.iter().filter(|view| view.task.status.is_active());
            let pending = active.map(|view| view.task.number).collect();
            Err(Error::WaitTimedOut { pending, awaited: views.len() as u64, waited_ms })
        }
    }
}

/// Answers with events after a cursor; waits for the first one if there is none.
pub(crate) fn watch(
    engine: &Engine,
    watch: &Watch,
    caller: &Caller,
    patience: Duration,
    goes_on: GoesOn<'_>,
) -> Result<Events, Error> {
    let first = engine.read(patience, |sql| read::events(sql, watch, watch.after, caller))?;
    let from = first.next;
    let again = |sql: &Connection| read::events(sql, watch, Some(from), caller);
    let timeout = watch.timeout.or(Some(Span::ZERO));
    let enough = |events: &Events| !events.events.is_empty();
    let (events, _) = until(engine, first, timeout, patience, goes_on, again, enough)?;
    if enough(&events) {
        engine.persist_seen(patience, caller)?;
    }
    Ok(events)
}

/// How often those who wait for executors to be gone look whether they are.
const LOOK_FOR_DEATHS_MS: i64 = 500;

/// Blocks until nothing is left that may run, or the time is over; answers with what is.
pub(crate) fn drain(
    engine: &Engine,
    drain: &Drain,
    caller: &Caller,
    patience: Duration,
    goes_on: GoesOn<'_>,
) -> Result<Drained, Error> {
    let active = |sql: &Connection| reconcile::active(sql, drain, caller, &caller.world.moment());
    let first = engine.read(patience, active)?;
    let ends = platform::monotonic_ms().saturating_add(drain.timeout.unwrap_or(Span::ZERO).ms());
    let mut left = first;
    // An executor may die without a word to the ledger: it is looked for anew now and then.
    loop {
        let rest = ends - platform::monotonic_ms();
        if left.drained {
            engine.persist_seen(patience, caller)?;
        }
        if left.drained || rest <= 0 || !goes_on() {
            return Ok(left);
        }
        let slice = Some(Span::clamped(rest.min(LOOK_FOR_DEATHS_MS)));
        left = until(engine, left, slice, patience, goes_on, active, |left| left.drained)?.0;
        if !left.drained {
            left = engine.read(patience, active)?;
        }
    }
}

/// Reads again after each commit until it is enough, or the time is over, or the caller does not go on.
fn until<T>(
    engine: &Engine,
    first: T,
    timeout: Option<Span>,
    patience: Duration,
    goes_on: GoesOn<'_>,
    reading: impl Fn(&Connection) -> Result<T, Failure>,
    enough: impl Fn(&T) -> bool,
) -> Result<(T, u64), Error> {
    let began = platform::monotonic_ms();
    let ends = timeout.map(|timeout| began.saturating_add(timeout.ms()));
    if enough(&first) || ends.is_some_and(|ends| began >= ends) {
        return Ok((first, 0));
    }
    let (mut latest, mut seen) = (first, None);
    loop {
        // Heard before the look, so that no stroke after it is slept over.
        let bell = engine.bell();
        let heard = bell.as_ref().map(|bell| bell.strokes(Tone::News));
        let news = engine.read(patience, |sql| {
            let newest = read::last_seq(sql)?;
            if seen == Some(newest) { Ok(None) } else { Ok(Some((newest, reading(sql)?))) }
        })?;
        if let Some((newest, read)) = news {
            (seen, latest) = (Some(newest), read);
        }
        let now = platform::monotonic_ms();
        if enough(&latest) || ends.is_some_and(|ends| now >= ends) || !goes_on() {
            return Ok((latest, u64::try_from(now - began).unwrap_or(0)));
        }
        let left = ends.map_or(Duration::MAX, |ends| Duration::from_millis(u64::try_from(ends - now).unwrap_or(0)));
        match (&bell, heard) {
            (Some(bell), Some(heard)) => bell.attend(Tone::News).listen(heard, left.min(UNSTRUCK)),
            (_, _) => sleep(left.min(UNHEARD)),
        }
    }
}
