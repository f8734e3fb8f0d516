//! Cancel that does what it says: the intent is recorded first; where the executor is dead but its process group is
//! not, the canceller stops the group, stays for the grace, and then settles the task.

use crate::engine::Engine;
use crate::find::{self, Scope};
use crate::platform::{self, Stopped};
use crate::record;
use crate::sqlite::Failure;
use crate::world::World;
use crate::write::Caller;
use bgledger_core::{
    CancelReply, CancelRequest, Cancelled, Error, Group, Liveness, Lookup, Request, Response, Status, TaskNumber,
};
use rusqlite::Connection;
use std::thread;
use std::time::Duration;

/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

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
    let stopping: Vec<_> = survivors
        .into_iter()
        .map(|group| thread::spawn(move || platform::stop_group(group.id, group.started, GRACE)))
        .collect();
    let stopped = stopping.into_iter().map(|stop| stop.join().unwrap_or(Stopped::NotProved));
    match stopped.filter(|stopped| !matches!(stopped, Stopped::NotProved)).count() {
        0 => Ok(Response::Cancel(reply)),
        // What was stopped is settled now, by the evidence that it is gone.
        _ => {
            let lookup = Lookup::Number(reply.task.task.number);
            ask(engine, CancelRequest { lookup, ..request }, caller, patience).map(Response::Cancel)
        }
    }
}

fn ask(engine: &Engine, request: CancelRequest, caller: &Caller, patience: Duration) -> Result<CancelReply, Error> {
    match engine.write(Request::Cancel(request), caller.clone(), patience)? {
        Response::Cancel(reply) => Ok(reply),
        _ => Err(Error::internal("a cancel that answers something else")),
    }
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
