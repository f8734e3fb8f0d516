//! Cancel that does what it says: the intent is recorded first; where the executor is dead but its process group is
//! not, the canceller stops the group, stays for the grace, and then settles the task.

use crate::caller::Caller;
use crate::engine::Engine;
use crate::find::{self, Scope};
use crate::platform::{self, Stopped};
use crate::record;
use crate::sqlite::Failure;
use crate::world::World;
use bgledger_core::{
    Call, CancelReply, CancelRequest, Cancelled, CancelledTask, Error, Group, Liveness, Lookup, Request, Response,
    STOP_GRACE, Status, TaskNumber,
};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

pub(crate) fn cancel(
    engine: &Engine,
    request: CancelRequest,
    caller: &Caller,
    patience: Duration,
) -> Result<Response, Error> {
    let reply = ask(engine, request.clone(), caller, patience)?;
    let numbers: Vec<TaskNumber> = std::iter::once((reply.task.task.number, reply.cancel))
        .chain(reply.descendants.iter().map(|below| (below.number, below.cancel)))
        .filter(|(_, answer)| matches!(answer, Cancelled::Requested | Cancelled::Already))
        .map(|(number, _)| number)
        .collect();
    let survivors = engine.read(patience, |sql| surviving_groups(sql, &numbers, caller.world))?;
    if survivors.is_empty() {
        return Ok(Response::Cancel(reply));
    }
    if stop(survivors) == 0 {
        return Ok(Response::Cancel(reply));
    }
    // What was stopped is settled now, by the evidence that it is gone.
    let lookup = Lookup::Number(reply.task.task.number);
    let settled = ask(engine, CancelRequest { lookup, ..request }, caller, patience)?;
    Ok(Response::Cancel(merged(reply, settled)))
}

/// Stops process groups side by side and stays for the grace. Answers of how many nothing is left.
pub(crate) fn stop(groups: Vec<Group>) -> usize {
    let grace = Duration::from_millis(STOP_GRACE.ms().unsigned_abs());
    let stopping: Vec<_> = groups
        .into_iter()
        .map(|group| thread::spawn(move || platform::stop_group(group.id, group.started, grace)))
        .collect();
    let stopped = stopping.into_iter().map(|stop| stop.join().unwrap_or(Stopped::NotProved));
    stopped.filter(|stopped| !matches!(stopped, Stopped::NotProved)).count()
}

/// What two cancels in a row came to. The second finds ended what the first had ended.
fn merged(first: CancelReply, second: CancelReply) -> CancelReply {
    let answer = |first: Cancelled, second: Cancelled| if second == Cancelled::Already { first } else { second };
    let mut below: BTreeMap<TaskNumber, Cancelled> =
        first.descendants.into_iter().map(|reached| (reached.number, reached.cancel)).collect();
    for CancelledTask { number, cancel } in second.descendants {
        let known = below.entry(number).or_insert(cancel);
        *known = answer(*known, cancel);
    }
    CancelReply {
        cancel: answer(first.cancel, second.cancel),
        task: second.task,
        descendants: below.into_iter().map(|(number, cancel)| CancelledTask { number, cancel }).collect(),
    }
}

fn ask(engine: &Engine, request: CancelRequest, caller: &Caller, patience: Duration) -> Result<CancelReply, Error> {
    let response = engine.write(Request::Cancel(request), caller.clone(), patience)?;
    CancelRequest::reply(response).ok_or_else(|| Error::internal("a cancel that answers something else"))
}

/// The process groups of tasks whose executor is proved dead; a live wrapper stops its group itself.
fn surviving_groups(sql: &Connection, numbers: &[TaskNumber], world: World) -> Result<Vec<Group>, Failure> {
    let mut groups = Vec::new();
    for number in numbers {
        let Some(stored) = find::by_number(sql, *number, Scope(None))? else { continue };
        let task = stored.task;
        let group = task.executor.as_ref().and_then(|executor| executor.group);
        if let (Status::Running | Status::Lost, World::Real, Some(group)) = (task.status, world, group)
            && let Liveness::Gone(evidence) = record::liveness(&task, world, &world.moment())
            && evidence.is_proof()
        {
            groups.push(group);
        }
    }
    Ok(groups)
}
