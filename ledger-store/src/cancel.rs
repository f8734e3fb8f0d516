//! Cancel that does what it says: the intent is recorded first; where nobody outside of the recorded process group is
//! left to stop it, the canceller stops it, stays for the grace, and then settles the task. Whoever goes on after that
//! learns of it by its next word, its watch or its callback, and by the hook of its runtime.

use crate::caller::Caller;
use crate::config;
use crate::engine::Engine;
use crate::find::{self, Scope};
use crate::platform::{self, Fed, Stopped};
use crate::record;
use crate::sqlite::Failure;
use crate::world::World;
use bgledger_core::{
    Call, CancelReply, CancelRequest, Cancelled, CancelledTask, Error, FlowCancelReply, FlowCancelRequest, FlowStatus,
    Group, HookRun, Liveness, Response, STOP_GRACE, Status, Task, TaskNumber,
};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

/// Cancels a task and all that descends from it.
pub(crate) fn cancel(
    engine: &Engine,
    request: CancelRequest,
    caller: &Caller,
    patience: Duration,
) -> Result<Response, Error> {
    // What a session's lookup names is settled by the first answer.
    let ask = |first: Option<&CancelReply>| {
        let lookup = first.map_or_else(|| request.lookup.clone(), |first| first.task.task.number.into());
        ask(engine, CancelRequest { lookup, ..request.clone() }, caller, patience)
    };
    let (reply, hooks) = see_through(engine, caller, patience, ask)?;
    Ok(Response::Cancel(CancelReply { hooks, ..reply }))
}

/// Cancels a flow, its tasks and all that descends from them.
pub(crate) fn cancel_flow(
    engine: &Engine,
    request: FlowCancelRequest,
    caller: &Caller,
    patience: Duration,
) -> Result<Response, Error> {
    let ask = |first: Option<&FlowCancelReply>| {
        let flow = first.map_or_else(|| request.flow.clone(), |first| first.flow.flow.number.into());
        ask(engine, FlowCancelRequest { flow, ..request.clone() }, caller, patience)
    };
    let (reply, hooks) = see_through(engine, caller, patience, ask)?;
    Ok(Response::FlowCancel(FlowCancelReply { hooks, ..reply }))
}

fn ask<C: Call>(engine: &Engine, request: C, caller: &Caller, patience: Duration) -> Result<C::Reply, Error> {
    let response = engine.write(request.into_request(), caller.clone(), patience)?;
    C::reply(response).ok_or_else(|| Error::internal("a cancel that answers something else"))
}

/// What a request to cancel came to.
trait Answer {
    /// For each task that it reached.
    fn reached(&self) -> Vec<(TaskNumber, Cancelled)>;
    /// This answer and that of the same request after it. The second finds ended what the first had ended.
    fn merged(self, second: Self) -> Self;
}

impl Answer for CancelReply {
    fn reached(&self) -> Vec<(TaskNumber, Cancelled)> {
        let below = self.descendants.iter().map(|below| (below.number, below.cancel));
        std::iter::once((self.task.task.number, self.cancel)).chain(below).collect()
    }

    fn merged(self, second: CancelReply) -> CancelReply {
        CancelReply {
            cancel: latest(self.cancel, second.cancel),
            descendants: merged(self.descendants, second.descendants),
            ..second
        }
    }
}

impl Answer for FlowCancelReply {
    fn reached(&self) -> Vec<(TaskNumber, Cancelled)> {
        self.tasks.iter().map(|task| (task.number, task.cancel)).collect()
    }

    fn merged(self, second: FlowCancelReply) -> FlowCancelReply {
        let cancel = latest(self.cancel, second.cancel);
        // It had ended by itself once its last task was stopped.
        let cancel = if second.flow.flow.status == FlowStatus::Cancelled { Cancelled::Cancelled } else { cancel };
        FlowCancelReply { cancel, tasks: merged(self.tasks, second.tasks), ..second }
    }
}

fn latest(first: Cancelled, second: Cancelled) -> Cancelled {
    if second == Cancelled::Already { first } else { second }
}

fn merged(first: Vec<CancelledTask>, second: Vec<CancelledTask>) -> Vec<CancelledTask> {
    let mut all: BTreeMap<TaskNumber, Cancelled> =
        first.into_iter().map(|reached| (reached.number, reached.cancel)).collect();
    for CancelledTask { number, cancel } in second {
        let known = all.entry(number).or_insert(cancel);
        *known = latest(*known, cancel);
    }
    all.into_iter().map(|(number, cancel)| CancelledTask { number, cancel }).collect()
}

/// Asks, stops the process groups that nobody else will, and has the hooks told of what goes on.
fn see_through<A: Answer>(
    engine: &Engine,
    caller: &Caller,
    patience: Duration,
    ask: impl Fn(Option<&A>) -> Result<A, Error>,
) -> Result<(A, Vec<HookRun>), Error> {
    let reply = stopped(engine, caller, patience, ask)?;
    let hooks = match caller.world {
        World::Real => engine.read(patience, |sql| hooks(sql, &reply.reached()))?,
        World::Scripted(_) => Vec::new(),
    };
    let running: Vec<_> = hooks.into_iter().map(|hook| thread::spawn(move || hook.run())).collect();
    Ok((reply, running.into_iter().filter_map(|run| run.join().ok()).collect()))
}

/// Asks, and stops the process groups that nobody else will.
fn stopped<A: Answer>(
    engine: &Engine,
    caller: &Caller,
    patience: Duration,
    ask: impl Fn(Option<&A>) -> Result<A, Error>,
) -> Result<A, Error> {
    let reply = ask(None)?;
    let goes_on = |(_, answer): &(_, Cancelled)| matches!(answer, Cancelled::Requested | Cancelled::Already);
    let numbers: Vec<TaskNumber> = reply.reached().into_iter().filter(goes_on).map(|(number, _)| number).collect();
    let groups = engine.read(patience, |sql| abandoned_groups(sql, &numbers, caller.world))?;
    if groups.is_empty() || stop(groups) == 0 {
        return Ok(reply);
    }
    // What was stopped is settled now, by the evidence that it is gone.
    let second = ask(Some(&reply))?;
    Ok(reply.merged(second))
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

/// The process groups that nobody else will stop: the executor is proved dead, or is itself of the group. A live process
/// outside of it is its wrapper, which stops it when it learns of the cancel.
fn abandoned_groups(sql: &Connection, numbers: &[TaskNumber], world: World) -> Result<Vec<Group>, Failure> {
    let mut groups = Vec::new();
    for number in numbers {
        let Some(stored) = find::by_number(sql, *number, Scope(None))? else { continue };
        let task = stored.task;
        let group = task.executor.as_ref().and_then(|executor| executor.group);
        let (Status::Running | Status::Lost, World::Real, Some(group)) = (task.status, world, group) else { continue };
        let is_abandoned = match record::liveness(&task, world, &world.moment()) {
            Liveness::Gone(evidence) if evidence.is_proof() => true,
            Liveness::Gone(_) | Liveness::Alive => is_of_its_group(&task, group, world),
            Liveness::Unknown => false,
        };
        groups.extend(is_abandoned.then_some(group));
    }
    Ok(groups)
}

/// Whether the task's executor is a live process of this machine that is a member of the group it named.
fn is_of_its_group(task: &Task, group: Group, world: World) -> bool {
    let (Some(executor), seen) = (&task.executor, world.observe(task)) else { return false };
    let is_here = executor.machine == seen.machine
        && executor.boot == seen.boot
        && executor.pid_namespace == seen.pid_namespace
        && executor.boot.is_some();
    let is_member =
        |member: &platform::Member| Some(member.pid) == executor.pid && Some(member.started) == executor.started;
    is_here && platform::group_members(group.id).is_some_and(|members| members.iter().any(is_member))
}

// ---- hooks --------------------------------------------------------------------------------------------------

/// How long a hook may take.
const HOOK_TIME: Duration = Duration::from_secs(10);

/// The command of a runtime, and the task that it is given.
struct Hook {
    number: TaskNumber,
    command: String,
    task: String,
}

/// The hooks of those whose cancel was requested and who go on.
fn hooks(sql: &Connection, reached: &[(TaskNumber, Cancelled)]) -> Result<Vec<Hook>, Failure> {
    let mut hooks = Vec::new();
    for (number, _) in reached.iter().filter(|(_, answer)| *answer == Cancelled::Requested) {
        let Some(stored) = find::by_number(sql, *number, Scope(None))? else { continue };
        if let Some(command) = config::cancel_hook(sql, &stored.task.runtime)? {
            let view = record::view(sql, stored.task, World::Real, &World::Real.moment())?;
            let task = serde_json::to_string(&view).map_err(|error| Error::internal(error.to_string()))?;
            hooks.push(Hook { number: *number, command, task });
        }
    }
    Ok(hooks)
}

impl Hook {
    fn run(&self) -> HookRun {
        let problem = match platform::feed(&self.command, &self.task, &[], Stdio::null(), Stdio::null(), HOOK_TIME) {
            Ok(Fed::Ended(status)) if status.success() => None,
            Ok(Fed::Ended(status)) => Some(match status.code() {
                Some(code) => format!("exit code {code}"),
                None => "it was ended by a signal".into(),
            }),
            Ok(Fed::TooSlow) => Some(format!("it took more than {} s", HOOK_TIME.as_secs())),
            Err(error) => Some(error.to_string()),
        };
        HookRun { number: self.number, problem }
    }
}
