//! Following a runtime's own word of its work, and waiting until nothing runs.

use crate::caller::{Caller, Written};
use crate::find::{self, Purpose};
use crate::record;
use crate::row::{self, Stored};
use crate::sqlite::Failure;
use bgledger_core::reconcile::{Word, reconcile};
use bgledger_core::{
    Drain, Drained, Error, Liveness, Lookup, Moment, Reconcile, ReconcileAction, Reconciled, Response, Status,
    TaskNumber, bounds, decide, evolve,
};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// What a runtime says, of every task that it is about.
struct Said {
    words: BTreeMap<TaskNumber, (Stored, Word)>,
    unknown: Vec<String>,
}

fn listen(sql: &Connection, request: &Reconcile, caller: &Caller, at: &Moment) -> Result<Said, Failure> {
    let mut said = Said { words: BTreeMap::new(), unknown: Vec::new() };
    let mut hear = |lookup: &Lookup, word: Word| -> Result<(), Failure> {
        let found = match find::task(sql, lookup, caller.scope(), Purpose::Name) {
            Ok(found) if found.task.runtime == request.runtime => found,
            Ok(_) | Err(Failure::Refused(Error::NotFound { .. } | Error::Pruned { .. })) => {
                said.unknown.push(lookup.to_string());
                return Ok(());
            }
            Err(other) => return Err(other),
        };
        let number = found.task.number;
        match said.words.insert(number, (found, word.clone())) {
            Some((_, before)) if before != word => {
                Err(Error::invalid("reconcile", format!("two words of {number}"), "one of each task").into())
            }
            Some(_) | None => Ok(()),
        }
    };
    for lookup in &request.owned {
        hear(lookup, Word::Owned(Box::default()))?;
    }
    for known in &request.ended {
        hear(&known.lookup, Word::Ended(Box::new(known.end.clone().into())))?;
    }
    if request.complete {
        let as_of = request.as_of.unwrap_or(at.now);
        let running = row::select(
            "INDEXED BY task_status WHERE status <> 3 AND status = 2 AND runtime = ?1 AND (?2 IS NULL OR owner = ?2)",
        );
        let mut statement = sql.prepare_cached(&running)?;
        let mut rows = statement.query((&request.runtime, caller.scope().0))?;
        while let Some(row) = rows.next()? {
            // One odd row, which the audit tells of, does not keep the others from being settled.
            let Ok(stored) = row::read_or_say(sql, row)? else { continue };
            said.words.entry(stored.task.number).or_insert((stored, Word::Unknown(as_of)));
        }
    }
    Ok(said)
}

/// What a runtime's word leads to: the plan, or what was done.
fn follow(
    sql: &Connection,
    request: &Reconcile,
    caller: &Caller,
    at: &Moment,
    mut act: impl FnMut(Stored, &bgledger_core::Command) -> Result<bgledger_core::Task, Failure>,
) -> Result<Reconciled, Failure> {
    let Said { words, unknown } = listen(sql, request, caller, at)?;
    let by = request.by.clone().or_else(|| caller.owner.clone());
    let (mut actions, mut unchanged) = (Vec::new(), 0);
    for (number, (stored, word)) in words {
        let liveness = match stored.task.status {
            Status::Running => record::liveness(&stored.task, caller.world, at),
            Status::Queued
            | Status::Succeeded
            | Status::Failed
            | Status::TimedOut
            | Status::Cancelled
            | Status::Lost => Liveness::Unknown,
        };
        let is_named = !matches!(word, Word::Unknown(_));
        let Some((action, command)) = reconcile(&stored.task, &word, &liveness, by.as_deref()) else {
            unchanged += u64::from(is_named);
            continue;
        };
        let (from, id, label) = (stored.task.status, stored.task.id, stored.task.label.clone());
        let to = act(stored, &command)?.status;
        // That a running task runs is no news, although its heartbeat moves.
        match from == to {
            true => unchanged += 1,
            false => actions.push(ReconcileAction { action, number, id, label, from, to }),
        }
    }
    Ok(Reconciled { applied: request.apply, actions, unknown, unchanged })
}

/// What would be done.
pub(crate) fn preview(
    sql: &Connection,
    request: &Reconcile,
    caller: &Caller,
    at: &Moment,
) -> Result<Reconciled, Failure> {
    follow(sql, request, caller, at, |stored, command| {
        let decision = decide(Some(&stored.task), command, at)?;
        let now = at.now.max(stored.task.updated_at);
        Ok(decision.events.iter().fold(*stored.task, |task, event| evolve(task, event, now)))
    })
}

/// Does it: all of it, or nothing.
pub(crate) fn apply(sql: &Connection, request: &Reconcile, caller: &Caller, at: &Moment) -> Result<Written, Failure> {
    let mut wrote = false;
    let reply = follow(sql, request, caller, at, |stored, command| {
        let done = record::command(sql, stored, command, at)?;
        wrote |= done.wrote;
        Ok(*done.stored.task)
    })?;
    Ok(Written { response: Response::Reconcile(reply), wrote })
}

// ---- drain --------------------------------------------------------------------------------------------------

/// What may still run. A task whose executor is proved dead holds nobody up.
pub(crate) fn active(sql: &Connection, drain: &Drain, caller: &Caller, at: &Moment) -> Result<Drained, Failure> {
    let query = row::select(
        "INDEXED BY task_status WHERE status <> 3 AND (status = 2 OR (?1 AND status = 1))
            AND (?2 IS NULL OR runtime = ?2) AND (?3 IS NULL OR owner = ?3) ORDER BY number DESC",
    );
    let mut statement = sql.prepare_cached(&query)?;
    let mut rows = statement.query((drain.queued, &drain.runtime, caller.scope().0))?;
    let mut active = Vec::new();
    while let Some(row) = rows.next()? {
        let stored = row::read_sound(sql, row)?;
        let is_dead = match stored.task.status {
            Status::Running => {
                matches!(record::liveness(&stored.task, caller.world, at), Liveness::Gone(evidence) if evidence.is_proof())
            }
            Status::Queued
            | Status::Succeeded
            | Status::Failed
            | Status::TimedOut
            | Status::Cancelled
            | Status::Lost => false,
        };
        if !is_dead && active.len() < bounds::LIST_MOST as usize {
            active.push(record::view(sql, stored.task, caller.world, at)?);
        }
    }
    Ok(Drained { drained: active.is_empty(), active })
}
