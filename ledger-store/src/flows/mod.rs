//! Flows: their rows, what their tasks come to, and the requests about them.

mod back;
mod due;
mod imported;
mod row;

pub(crate) use back::{bring_back, gather};
pub(crate) use due::{about_to_end, audit, ended_of, problem, prove, settle_all, to_be_cancelled};
pub(crate) use imported::{by_key, import, is_free};
pub(crate) use row::Stored;

use crate::caller::{Caller, Written};
use crate::find::{self, Purpose, Scope};
use crate::prune::{self, Series};
use crate::record::named_number;
use crate::sqlite::Failure;
use crate::write;
use bgledger_core::{
    Blocked, Cancelled, CancelledTask, Error, Flow, FlowBirth, FlowCancelReply, FlowCancelRequest, FlowCommand,
    FlowCreate, FlowCreated, FlowGate, FlowId, FlowList, FlowLookup, FlowNumber, FlowPage, FlowRecorded, FlowShown,
    FlowView, Lookup, Millis, Moment, ProgressPoint, Request, Response, RollUp, Status, TaskId, TaskNumber,
    UnreadableFlow, Usage, bounds, decide_flow,
};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};

// ---- finding ------------------------------------------------------------------------------------------------

fn one(sql: &Connection, test: &str, value: Value, scope: Scope<'_>) -> Result<Option<Flow>, Failure> {
    let query = row::select(&format!("WHERE {test} = ?1 AND (?2 IS NULL OR owner = ?2)"));
    first(sql, &query, (value, scope.0))
}

fn first(sql: &Connection, query: &str, values: impl rusqlite::Params) -> Result<Option<Flow>, Failure> {
    let mut statement = sql.prepare_cached(query)?;
    let mut rows = statement.query(values)?;
    rows.next()?.map(|row| row::whole(sql, row::sound(row)?)).transpose()
}

fn by_id(sql: &Connection, id: FlowId, scope: Scope<'_>) -> Result<Option<Flow>, Failure> {
    one(sql, "id", id.as_bytes().to_vec().into(), scope)
}

/// Finds the flow of a lookup. By owner a read takes the newest that goes on, then the newest; a change needs exactly
/// one that goes on.
fn find(sql: &Connection, lookup: &FlowLookup, scope: Scope<'_>, purpose: Purpose) -> Result<Flow, Failure> {
    let found = match lookup {
        FlowLookup::Number(number) => one(sql, "number", named_number(number.0).into(), scope)?,
        FlowLookup::Id(id) => by_id(sql, *id, scope)?,
        FlowLookup::Owner(owner) => by_owner(sql, lookup, owner, scope, purpose)?,
    };
    let why = match lookup {
        FlowLookup::Number(_) | FlowLookup::Id(_) => "in this ledger",
        FlowLookup::Owner(_) => "that this handle may see",
    };
    match found {
        Some(found) => Ok(found),
        None => Err(pruned(sql, lookup, scope)?
            .unwrap_or_else(|| Error::NoFlow { lookup: lookup.to_string(), why: why.into() })
            .into()),
    }
}

/// What a tombstone says of a lookup that finds nothing.
fn pruned(sql: &Connection, lookup: &FlowLookup, scope: Scope<'_>) -> Result<Option<Error>, Failure> {
    let of = |test: &str, value: Value| {
        prune::flow_tombstone(sql, &format!("{test} = ?1 AND (?2 IS NULL OR owner = ?2)"), &[&value, &scope.0])
    };
    match lookup {
        FlowLookup::Number(number) => of("number", named_number(number.0).into()),
        FlowLookup::Id(id) => of("id", id.as_bytes().to_vec().into()),
        FlowLookup::Owner(_) => Ok(None),
    }
}

fn by_owner(
    sql: &Connection,
    lookup: &FlowLookup,
    owner: &str,
    scope: Scope<'_>,
    purpose: Purpose,
) -> Result<Option<Flow>, Failure> {
    let mut statement = sql.prepare_cached(&row::select(
        "INDEXED BY flow_going_on WHERE ended_at IS NULL AND owner = ?1 AND (?2 IS NULL OR owner = ?2)
            AND (mirrors IS NULL OR EXISTS (SELECT 1 FROM task WHERE task.id = flow.mirrors AND task.status <= 2))
            ORDER BY number DESC",
    ))?;
    let mut rows = statement.query((owner, scope.0))?;
    let (mut going_on, mut count) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        count += 1;
        if going_on.len() < bounds::CANDIDATES {
            going_on.push(row::whole(sql, row::sound(row)?)?);
        }
        if purpose == Purpose::Read {
            break;
        }
    }
    match count {
        0 => {
            let newest = row::select("WHERE owner = ?1 AND (?2 IS NULL OR owner = ?2) ORDER BY number DESC LIMIT 1");
            first(sql, &newest, (owner, scope.0))
        }
        1 => Ok(going_on.pop()),
        _ => {
            let flows = going_on.iter().map(|flow| flow.number).collect();
            Err(Error::AmbiguousFlow { lookup: lookup.to_string(), count, flows }.into())
        }
    }
}

/// The flow that a task of an owner is to join.
pub(crate) fn gate(sql: &Connection, lookup: &FlowLookup, owner: &str) -> Result<FlowGate, Failure> {
    let of_owner = |failure| match failure {
        Failure::Refused(Error::NoFlow { lookup, .. }) => {
            Error::NoFlow { lookup, why: format!("of {owner:?}, whose task it is") }.into()
        }
        other @ (Failure::Refused(_) | Failure::Storage(_) | Failure::Replaced | Failure::Damaged(_)) => other,
    };
    find(sql, lookup, Scope(Some(owner)), Purpose::Change).map(|flow| flow.gate()).map_err(of_owner)
}

/// The flow of a parent that its children join, if they are of the flow's owner.
pub(crate) fn of_parent(sql: &Connection, parent: Option<FlowId>, owner: &str) -> Result<Option<FlowGate>, Failure> {
    let Some(id) = parent else { return Ok(None) };
    Ok(by_id(sql, id, Scope(Some(owner)))?.map(|flow| flow.gate()))
}

/// The flow of an ancestor whose cancel was requested.
pub(crate) fn barred(sql: &Connection, number: i64) -> Result<Option<FlowGate>, Failure> {
    Ok(one(sql, "number", number.into(), Scope(None))?.map(|flow| flow.gate()))
}

// ---- what the tasks come to ---------------------------------------------------------------------------------

/// The tasks of a flow, for a query that begins with them. `?1` is the flow, or the task that it mirrors.
fn of(flow: &Flow) -> (&'static str, Vec<u8>) {
    match flow.mirrors {
        Some(task) => ("task.id = ?1", task.as_bytes().to_vec()),
        None => ("task.flow = ?1", flow.id.as_bytes().to_vec()),
    }
}

/// The test that a task belongs to a flow, and its value.
pub(crate) fn membership(
    sql: &Connection,
    lookup: &FlowLookup,
    scope: Scope<'_>,
) -> Result<(&'static str, Vec<u8>), Failure> {
    let flow = find(sql, lookup, scope, Purpose::Read)?;
    Ok(match flow.mirrors {
        Some(task) => ("id = ?", task.as_bytes().to_vec()),
        None => ("flow = ?", flow.id.as_bytes().to_vec()),
    })
}

#[derive(serde::Deserialize)]
struct Spent {
    all: Option<Usage>,
}

fn roll_up(sql: &Connection, flow: &Flow) -> Result<RollUp, Failure> {
    let (members, id) = of(flow);
    let mut statement = sql.prepare_cached(&format!("SELECT status, progress, usage FROM task WHERE {members}"))?;
    let mut rows = statement.query([id])?;
    let mut sum = RollUp::default();
    while let Some(row) = rows.next()? {
        let code: u8 = row.get(0)?;
        let status = Status::from_code(code).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, code.into()))?;
        let progress: Option<ProgressPoint> = row::parsed(row, 1, row::from_json)?;
        let usage: Option<Spent> = row::parsed(row, 2, row::from_json)?;
        sum.add(status, progress.as_ref(), usage.and_then(|spent| spent.all).as_ref());
    }
    Ok(sum)
}

fn view(sql: &Connection, flow: Flow) -> Result<FlowView, Failure> {
    let tasks = roll_up(sql, &flow)?;
    Ok(FlowView { flow, tasks })
}

// ---- reading ------------------------------------------------------------------------------------------------

/// Flows, newest first.
pub(crate) fn list(sql: &Connection, list: &FlowList, caller: &Caller) -> Result<FlowPage, Failure> {
    let limit = list.limit.unwrap_or(bounds::LIST_DEFAULT) as usize;
    let before = match &list.after {
        Some(after) => {
            let wrong = || Error::invalid("flow_list.after", format!("{after:?}"), "the `next` of an earlier page");
            after.parse::<i64>().map_err(|_| wrong())?
        }
        None => i64::MAX,
    };
    let query = row::select(
        "WHERE number < ?1 AND (?2 IS NULL OR owner = ?2) AND (?3 IS NULL OR controller = ?3)
            AND (NOT ?4 OR ended_at IS NULL) ORDER BY number DESC",
    );
    let mut statement = sql.prepare_cached(&query)?;
    let mut rows = statement.query((before, caller.scope().0, &list.controller, list.active))?;
    let fits = |flow: &Flow| {
        (!list.active || !flow.is_ended()) && (list.status.is_empty() || list.status.contains(&flow.status))
    };
    let (mut flows, mut unreadable, mut last, mut next) = (Vec::new(), Vec::new(), FlowNumber(0), None);
    while let Some(row) = rows.next()? {
        let told = match row::sound(row).and_then(|stored| row::whole(sql, stored)) {
            Ok(flow) if !fits(&flow) => continue,
            Ok(flow) => view(sql, flow),
            Err(failure) => Err(failure),
        };
        if flows.len() + unreadable.len() >= limit {
            next = Some(last.0.to_string());
            break;
        }
        last = row::number(row);
        match told {
            Ok(view) => flows.push(view),
            // One odd row, of a flow or of a task in it, does not hide the others.
            Err(failure) => unreadable.push(UnreadableFlow { number: last, problem: failure.of_odd_row()? }),
        }
    }
    Ok(FlowPage { flows, next, unreadable })
}

/// One flow.
pub(crate) fn show(sql: &Connection, lookup: &FlowLookup, caller: &Caller) -> Result<FlowShown, Failure> {
    let flow = view(sql, find(sql, lookup, caller.scope(), Purpose::Read)?)?;
    Ok(FlowShown { flow })
}

// ---- recording ----------------------------------------------------------------------------------------------

/// Records a flow, or finds the one that has its key or mirrors its task.
pub(crate) fn create(
    sql: &Connection,
    create: &FlowCreate,
    caller: &Caller,
    fresh: TaskId,
    at: &Moment,
) -> Result<Written, Failure> {
    let fresh = FlowId::from_bytes(*fresh.as_bytes());
    let answer = |created: bool, wrote: bool, flow: Flow| -> Result<Written, Failure> {
        let flow = view(sql, flow)?;
        Ok(Written { response: Response::FlowCreate(FlowCreated { created, flow }), wrote })
    };
    if let Some(lookup) = &create.mirrors {
        let task = find::task(sql, lookup, caller.scope(), Purpose::Name)?.task;
        if let Some(given) = create.owner.as_ref().filter(|owner| **owner != task.owner) {
            let expected = format!("{:?}, whose task it follows", task.owner);
            return Err(Error::invalid("flow_create.owner", format!("{given:?}"), expected).into());
        }
        if let Some(flow) = one(sql, "mirrors", task.id.as_bytes().to_vec().into(), Scope(None))? {
            return answer(flow.id == fresh, false, flow);
        }
        let flow = Flow::mirroring(next_number(sql)?, fresh, task.owner.clone(), &task);
        row::write(sql, &flow)?;
        return answer(true, true, flow);
    }
    let owner = write::owner_of(caller, "flow_create.owner", create.owner.as_ref())?;
    let birth = FlowBirth {
        key: create.key.clone(),
        owner: owner.clone(),
        controller: create.controller.clone(),
        goal: create.goal.clone().unwrap_or_default(),
        running: create.running,
        step: create.step.clone(),
        state: create.state.clone(),
    };
    let keyed = match &create.key {
        Some(key) => {
            let query = row::select("WHERE owner = ?1 AND key = ?2");
            let found = sql.prepare_cached(&query)?.query_row((&owner, key), row::read).optional()?;
            found.map(|stored| stored.flow)
        }
        None => by_id(sql, fresh, Scope(Some(&owner)))?,
    };
    if let Some(flow) = keyed {
        let fields = flow.differences(&birth);
        if !fields.is_empty() {
            return Err(Error::FlowExistsWithDifferent { flow: flow.number, id: flow.id, fields }.into());
        }
        return answer(flow.id == fresh, false, flow);
    }
    // A key lives as long as the tombstone of what had it.
    if let Some(key) = &create.key
        && let Some(buried) = prune::flow_tombstone(sql, "owner = ?1 AND key = ?2", &[&owner, key])?
    {
        return Err(buried.into());
    }
    let flow = Flow::managed(next_number(sql)?, fresh, birth, at.now);
    row::write(sql, &flow)?;
    answer(true, true, flow)
}

fn next_number(sql: &Connection) -> Result<FlowNumber, Failure> {
    prune::next(sql, Series::Flows).map(FlowNumber)
}

/// A controller's move.
#[expect(clippy::wildcard_enum_match_arm, reason = "the moves of flows are a few of all requests")]
pub(crate) fn advance(sql: &Connection, request: &Request, caller: &Caller, at: &Moment) -> Result<Written, Failure> {
    let blocked = |task: &Option<Lookup>, summary: &Option<String>| -> Result<Option<Blocked>, Failure> {
        let found = task.as_ref().map(|task| find::task(sql, task, caller.scope(), Purpose::Name)).transpose()?;
        let blocked = Blocked { task: found.map(|found| found.task.id), summary: summary.clone() };
        Ok((blocked != Blocked::default()).then_some(blocked))
    };
    let (lookup, command, response): (_, _, fn(FlowRecorded) -> Response) = match request {
        Request::FlowWait(wait) => {
            let blocked = blocked(&wait.blocked_task, &wait.blocked_summary)?;
            let (revision, moved, wait_for) = (wait.revision, wait.moved(), wait.wait.clone());
            (&wait.flow, FlowCommand::Wait { revision, moved, wait: wait_for, blocked }, Response::FlowWait)
        }
        Request::FlowResume(resume) => {
            let (revision, moved, running) = (resume.revision, resume.moved(), resume.running);
            (&resume.flow, FlowCommand::Resume { revision, moved, running }, Response::FlowResume)
        }
        Request::FlowFinish(finish) => {
            let (revision, moved) = (finish.revision, finish.moved());
            (&finish.flow, FlowCommand::Finish { revision, moved }, Response::FlowFinish)
        }
        Request::FlowFail(fail) => {
            let blocked = blocked(&fail.blocked_task, &fail.blocked_summary)?;
            let (revision, moved) = (fail.revision, fail.moved());
            (&fail.flow, FlowCommand::Fail { revision, moved, blocked }, Response::FlowFail)
        }
        _ => return Err(Error::internal("a request that moves no flow").into()),
    };
    let flow = find(sql, lookup, caller.scope(), Purpose::Change)?;
    let (flow, changed) = carry_out(sql, flow, &command, at)?;
    let flow = view(sql, flow)?;
    Ok(Written { response: response(FlowRecorded { changed, flow }), wrote: changed })
}

/// Decides and writes. Answers with the flow and whether it changed.
fn carry_out(sql: &Connection, flow: Flow, command: &FlowCommand, at: &Moment) -> Result<(Flow, bool), Failure> {
    match decide_flow(&flow, command, at.now)? {
        None => Ok((flow, false)),
        Some(next) => {
            row::write(sql, &next)?;
            Ok((next, true))
        }
    }
}

/// A task of a flow has settled: a flow that is to be cancelled ends with its last active one.
pub(crate) fn settled(sql: &Connection, id: FlowId, now: Millis) -> Result<bool, Failure> {
    let going_on = "SELECT 1 FROM task INDEXED BY task_flow_active WHERE flow = ?1 AND status <= 2 LIMIT 1";
    if sql.prepare_cached(going_on)?.exists([id.as_bytes().as_slice()])? {
        return Ok(false);
    }
    let found = match by_id(sql, id, Scope(None)) {
        Ok(found) => found,
        // What cannot be read of a flow does not keep its tasks from ending: the audit tells of it.
        Err(failure) => failure.of_odd_row().map(|_| None)?,
    };
    match found.filter(|flow| flow.mirrors.is_none() && flow.cancel.is_some()) {
        Some(flow) => match decide_flow(&flow, &FlowCommand::Settled, now)? {
            None => Ok(false),
            Some(next) => row::write(sql, &next).map(|()| true),
        },
        None => Ok(false),
    }
}

/// Asks to cancel a flow, its tasks and all that descends from them.
pub(crate) fn cancel(
    sql: &Connection,
    request: &FlowCancelRequest,
    caller: &Caller,
    at: &Moment,
) -> Result<Written, Failure> {
    let flow = find(sql, &request.flow, caller.scope(), Purpose::Change)?;
    let by = request.by.clone().or_else(|| caller.owner.clone());
    let mut asking = write::Asking { sql, caller, by: by.clone(), why: request.why.clone(), at, wrote: false };
    let answer = |cancel: Cancelled, id: FlowId, tasks: Vec<CancelledTask>, wrote: bool| {
        let Some(flow) = by_id(sql, id, Scope(None))? else {
            return Err(Failure::from(Error::internal("a flow that went while it was cancelled")));
        };
        let flow = view(sql, flow)?;
        let reply = FlowCancelReply { cancel, flow, tasks, hooks: Vec::new() };
        Ok(Written { response: Response::FlowCancel(reply), wrote })
    };
    if let Some(task) = flow.mirrors {
        let top = find::task(sql, &Lookup::Id(task), caller.scope(), Purpose::Change)?;
        let number = top.task.number;
        let (top, mut tasks) = asking.tree(top)?;
        tasks.insert(0, CancelledTask { number, cancel: top.1 });
        return answer(top.1, flow.id, tasks, asking.wrote);
    }
    if flow.is_ended() {
        return answer(Cancelled::Already, flow.id, Vec::new(), false);
    }
    let (flow, changed) = carry_out(sql, flow, &FlowCommand::RequestCancel { by, why: request.why.clone() }, at)?;
    let tasks = asking.all(&members(sql, &flow)?)?;
    settled(sql, flow.id, at.now)?;
    let ended = by_id(sql, flow.id, Scope(None))?.is_some_and(|flow| flow.is_ended());
    let cancel = if ended { Cancelled::Cancelled } else { Cancelled::Requested };
    answer(cancel, flow.id, tasks, asking.wrote || changed || ended)
}

/// The tasks of a managed flow and all that descends from them.
fn members(sql: &Connection, flow: &Flow) -> Result<Vec<TaskNumber>, Failure> {
    let query = "WITH RECURSIVE member (id, number) AS (
            SELECT id, number FROM task WHERE flow = ?1
            UNION SELECT t.id, t.number FROM member JOIN task t ON t.parent = member.id)
        SELECT number FROM member ORDER BY number";
    let mut statement = sql.prepare_cached(query)?;
    let numbers = statement.query_map([flow.id.as_bytes().as_slice()], |row| row.get::<_, i64>(0))?;
    numbers.map(|number| Ok(TaskNumber(u64::try_from(number?).unwrap_or(0)))).collect()
}
