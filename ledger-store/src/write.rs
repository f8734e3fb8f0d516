//! The requests that record: each is resolved to facts, decided by the core and written, in one transaction.

use crate::audit;
use crate::caller::{Caller, LOCAL, Written};
use crate::config;
use crate::find::{self, Key, Purpose, Scope};
use crate::flows;
use crate::notices;
use crate::prune;
use crate::reconcile;
use crate::record::{self, Recorded};
use crate::row::Stored;
use crate::sqlite::Failure;
use crate::sweep;
use crate::world::World;
use bgledger_core::{
    Answer, Birth, CancelEvidence, CancelReply, CancelRequest, Cancelled, CancelledTask, Claim, ClaimSpec, Command,
    Create, Created, Error, ExecutorSpec, Family, Fill, Finish, FlowLookup, Heartbeat, Late, Liveness, Lookup, Moment,
    NoticeCommand, NoticeList, Notify, ProgressRequest, Recorded as RecordedReply, Request, Response, Settle,
    Settlement, Show, Shown, Start, Status, TaskId, TaskNumber, Tasks, Wait,
};
use rusqlite::Connection;

/// Whether a success must survive a power loss before it is told. A start whose process dies with the power need not; what
/// is claimed leads to effects elsewhere.
pub(crate) fn needs_sync(request: &Request, response: &Response, caller: &Caller) -> bool {
    match request {
        Request::Start(start) => {
            let spec = start.executor.as_ref().unwrap_or(&caller.executor);
            start.lease.is_some() || matches!(spec, ExecutorSpec::External | ExecutorSpec::Identity(_))
        }
        Request::Progress(_) | Request::Heartbeat(_) | Request::Maintenance(_) | Request::Prune(_) => false,
        Request::NoticesClaim(_) => !matches!(response, Response::NoticesClaim(list) if list.notices.is_empty()),
        Request::Create(_)
        | Request::Finish(_)
        | Request::Settle(_)
        | Request::Cancel(_)
        | Request::Notify(_)
        | Request::NoticesAck(_)
        | Request::NoticesNack(_)
        | Request::NoticesRetry(_)
        | Request::NoticesDrop(_)
        | Request::NoticesDismiss(_)
        | Request::FlowCreate(_)
        | Request::FlowWait(_)
        | Request::FlowResume(_)
        | Request::FlowFinish(_)
        | Request::FlowFail(_)
        | Request::FlowCancel(_)
        | Request::Acknowledge(_)
        | Request::Reconcile(_)
        | Request::Config(_) => true,
        Request::Show(show) => show.ack.is_some(),
        Request::Wait(wait) => wait.ack.is_some(),
        Request::Notices(_)
        | Request::FlowList(_)
        | Request::FlowShow(_)
        | Request::List(_)
        | Request::History(_)
        | Request::Tree(_)
        | Request::Watch(_)
        | Request::Stats(_)
        | Request::Audit(_)
        | Request::Drain(_)
        | Request::Doctor(_)
        | Request::Verify(_)
        | Request::Backup(_)
        | Request::Recover(_)
        | Request::Migrate(_) => false,
    }
}

/// Carries out a request that records. `fresh` is the id of a task that may be created: the same when the
/// transaction runs again.
pub(crate) fn execute(sql: &Connection, request: &Request, caller: &Caller, fresh: TaskId) -> Result<Written, Failure> {
    let at = caller.world.moment();
    match request {
        Request::Create(create) => self::create(sql, create, caller, fresh, &at),
        Request::Start(start) => self::start(sql, start, caller, &at),
        Request::Progress(progress) => self::progress(sql, progress, caller, &at),
        Request::Heartbeat(heartbeat) => self::heartbeat(sql, heartbeat, caller, &at),
        Request::Finish(finish) => self::finish(sql, finish, caller, &at),
        Request::Settle(settle) => self::settle(sql, settle, caller, &at),
        Request::Cancel(cancel) => self::cancel(sql, cancel, caller, &at),
        Request::Notify(notify) => self::notify(sql, notify, caller, &at),
        Request::NoticesClaim(claim) => notices::claim(sql, claim, caller, &at),
        Request::NoticesAck(ack) => {
            let command = NoticeCommand::Ack(ack.claim.clone());
            answer(notices::change(sql, &ack.notices, &command, caller, &at)?, Response::NoticesAck)
        }
        Request::NoticesNack(nack) => {
            let command = NoticeCommand::Nack(nack.claim.clone(), nack.reason.clone());
            answer(notices::change(sql, &nack.notices, &command, caller, &at)?, Response::NoticesNack)
        }
        Request::NoticesRetry(retry) => {
            answer(notices::change(sql, &retry.notices, &NoticeCommand::Retry, caller, &at)?, Response::NoticesRetry)
        }
        Request::NoticesDrop(dropped) => {
            answer(notices::change(sql, &dropped.notices, &NoticeCommand::Drop, caller, &at)?, Response::NoticesDrop)
        }
        Request::NoticesDismiss(dismiss) => {
            let command = NoticeCommand::Dismiss(dismiss.reason.clone());
            answer(notices::change(sql, &dismiss.notices, &command, caller, &at)?, Response::NoticesDismiss)
        }
        Request::Maintenance(request) if request.confirm_clock && caller.owner.is_some() => {
            let what = "maintenance.confirm_clock".into();
            Err(Error::NotAvailable { what, why: "the clock is the operator's to confirm".into() }.into())
        }
        Request::Maintenance(request) => {
            let report = sweep::apply(sql, &caller.due, request.confirm_clock, caller, &at)?;
            let wrote = !report.changes.is_empty() || !report.flows.is_empty() || request.confirm_clock;
            Ok(Written { wrote, response: Response::Maintenance(report) })
        }
        Request::Reconcile(request) => reconcile::apply(sql, request, caller, &at),
        Request::Acknowledge(request) => audit::acknowledge(sql, request, caller, &at),
        Request::Config(_) if caller.owner.is_some() => {
            Err(Error::NotAvailable { what: "config".into(), why: "the ledger's policy is the operator's".into() }
                .into())
        }
        Request::Config(config) => config::apply(sql, config),
        Request::FlowCreate(create) => flows::create(sql, create, caller, fresh, &at),
        Request::FlowWait(_) | Request::FlowResume(_) | Request::FlowFinish(_) | Request::FlowFail(_) => {
            flows::advance(sql, request, caller, &at)
        }
        Request::FlowCancel(cancel) => flows::cancel(sql, cancel, caller, &at),
        Request::Prune(prune) => prune::prune(sql, prune, &caller.due, caller, &at),
        Request::Show(show) => self::show(sql, show, caller, &at),
        Request::Wait(wait) => ended(sql, wait, caller, &at),
        Request::Notices(_)
        | Request::FlowList(_)
        | Request::FlowShow(_)
        | Request::List(_)
        | Request::History(_)
        | Request::Tree(_)
        | Request::Watch(_)
        | Request::Stats(_)
        | Request::Audit(_)
        | Request::Drain(_)
        | Request::Doctor(_)
        | Request::Verify(_)
        | Request::Backup(_)
        | Request::Recover(_)
        | Request::Migrate(_) => Err(Error::internal("a reading request among the writers").into()),
    }
}

fn answer((list, wrote): (NoticeList, bool), response: impl Fn(NoticeList) -> Response) -> Result<Written, Failure> {
    Ok(Written { response: response(list), wrote })
}

/// Shows a task to a recipient, who need not be told of it again.
fn show(sql: &Connection, show: &Show, caller: &Caller, at: &Moment) -> Result<Written, Failure> {
    let task = find::task(sql, &show.lookup, caller.scope(), Purpose::Read)?.task;
    let wrote = match &show.ack {
        Some(recipient) => notices::read_by(sql, task.number, recipient, caller, at)?,
        None => false,
    };
    let task = record::view(sql, task, caller.world, at)?;
    Ok(Written { response: Response::Show(Shown { task }), wrote })
}

/// Shows tasks that were waited for to a recipient, who need not be told of those that ended again.
fn ended(sql: &Connection, wait: &Wait, caller: &Caller, at: &Moment) -> Result<Written, Failure> {
    let (mut tasks, mut wrote) = (Vec::with_capacity(wait.lookups.len()), false);
    for lookup in &wait.lookups {
        let task = find::task(sql, lookup, caller.scope(), Purpose::Read)?.task;
        if let Some(recipient) = wait.ack.as_ref().filter(|_| !task.status.is_active()) {
            wrote |= notices::read_by(sql, task.number, recipient, caller, at)?;
        }
        tasks.push(record::view(sql, task, caller.world, at)?);
    }
    Ok(Written { response: Response::Wait(Tasks { tasks }), wrote })
}

/// Whose a new record is.
pub(crate) fn owner_of(caller: &Caller, field: &str, given: Option<&String>) -> Result<String, Error> {
    match (&caller.owner, given) {
        (Some(owner), Some(given)) if owner != given => {
            Err(Error::invalid(field, format!("{given:?}"), format!("{owner:?}, whose handle this is")))
        }
        (Some(owner), _) => Ok(owner.clone()),
        (None, given) => Ok(given.cloned().unwrap_or_else(|| LOCAL.into())),
    }
}

// ---- create -------------------------------------------------------------------------------------------------

fn create(sql: &Connection, create: &Create, caller: &Caller, fresh: TaskId, at: &Moment) -> Result<Written, Failure> {
    let owner = owner_of(caller, "create.owner", create.owner.as_ref())?;
    let scope = caller.scope();
    let parent = create.parent.as_ref().map(|lookup| find::task(sql, lookup, scope, Purpose::Change)).transpose()?;
    let retry_of = create.retry_of.as_ref().map(|lookup| find::task(sql, lookup, scope, Purpose::Name)).transpose()?;
    let runtime = create.runtime.clone().unwrap_or_else(|| caller.runtime.clone());
    let key = match (&create.key, &create.run_id) {
        (Some(key), _) => Key::Given(key),
        (None, Some(run_id)) => Key::Run { runtime: &runtime, run_id },
        (None, None) => Key::None,
    };
    let existing = match find::by_key(sql, &key, &owner)? {
        Some(stored) => Some(stored),
        None => {
            find::unburied(sql, &key, &owner)?;
            // The transaction ran before and its answer was lost.
            find::by_id(sql, fresh, Scope(Some(&owner)))?
        }
    };
    let ran_before = existing.as_ref().is_some_and(|stored| stored.task.id == fresh);
    let notify = match &create.notify {
        Some(policy) => policy.clone(),
        None => config::notify_default(sql, &owner, &runtime)?,
    };
    let birth = Birth {
        key: create.key.clone(),
        kind: create.kind.clone(),
        source_id: create.source_id.clone(),
        run_id: create.run_id.clone(),
        requester_session: create.requester_session.clone(),
        session: create.session.clone(),
        agent: create.agent.clone(),
        requester_agent: create.requester_agent.clone(),
        family: parent.map(|parent| family(sql, &parent, None, &owner, scope)).transpose()?,
        flow: create.flow.as_ref().map(|flow| flows::gate(sql, flow, &owner)).transpose()?,
        retry_of: retry_of.map(|stored| stored.task.id),
        label: create.label.clone(),
        task: create.task.clone(),
        metadata: create.metadata.clone(),
        notify,
        queue_timeout: create.queue_timeout,
        timeout: create.timeout,
        created_at: create.created_at,
        start: create.start.as_ref().map(|spec| claim(spec, caller)).transpose()?,
        finish: create.finish.clone().map(Into::into),
        origin: None,
        runtime,
        owner,
    };
    let recorded = record::create(sql, existing, birth, fresh, at)?;
    let created = ran_before || recorded.answer == Answer::Created;
    let wrote = recorded.wrote;
    let task = record::view(sql, recorded.stored.task, caller.world, at)?;
    Ok(Written { response: Response::Create(Created { created, task }), wrote })
}

fn claim(spec: &ClaimSpec, caller: &Caller) -> Result<Claim, Failure> {
    let executor = spec.executor.as_ref().unwrap_or(&caller.executor);
    Ok(Claim {
        executor: caller.world.executor("create.start.executor", executor)?,
        lease: spec.lease,
        started_at: spec.started_at,
        ..Claim::default()
    })
}

/// The line of a parent, for a new child or for a task that gets the parent later.
pub(crate) fn family(
    sql: &Connection,
    parent: &Stored,
    child: Option<TaskId>,
    owner: &str,
    scope: Scope<'_>,
) -> Result<Family, Failure> {
    let line = "WITH RECURSIVE line (number, id, parent, depth) AS (
            SELECT number, id, parent, 1 FROM task WHERE id = ?1
            UNION SELECT t.number, t.id, t.parent, line.depth + 1 FROM line JOIN task t ON t.id = line.parent
                WHERE line.depth <= 1000)
        SELECT max(line.depth),
               (SELECT CASE WHEN ?3 IS NULL OR t.owner = ?3 THEN line.number ELSE ?4 END
                    FROM line JOIN task t USING (number) WHERE t.cancel IS NOT NULL OR t.status = 6 ORDER BY line.depth LIMIT 1),
               (SELECT count(*) FROM line WHERE line.id = ?2)
                   + (SELECT count(*) FROM task WHERE parent = ?2),
               (SELECT f.number FROM line JOIN task t USING (number) JOIN flow f ON f.id = t.flow
                    WHERE f.cancel IS NOT NULL ORDER BY line.depth LIMIT 1)
        FROM line";
    let child = child.map(|id| id.as_bytes().to_vec());
    // What is another owner's is not named: the parent stands for it.
    let named = record::stored_number(parent.task.number.0)?;
    let values = (parent.task.id.as_bytes().as_slice(), child, scope.0, named);
    let row = sql.prepare_cached(line)?.query_row(values, |row| {
        let (depth, cancelled): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
        Ok((depth, cancelled, row.get::<_, i64>(2)?, row.get::<_, Option<i64>>(3)?))
    })?;
    let (depth, cancelled, entangled, barred) = row;
    Ok(Family {
        parent: parent.task.id,
        root: parent.task.top(),
        depth: depth.and_then(|depth| usize::try_from(depth).ok()).unwrap_or(usize::MAX),
        cancelled: cancelled.and_then(|number| u64::try_from(number).ok()).map(TaskNumber),
        entangled: entangled > 0,
        flow: flows::of_parent(sql, parent.task.flow, owner)?,
        barred: barred.map(|number| flows::barred(sql, number)).transpose()?.flatten(),
    })
}

// ---- start, progress, heartbeat, finish ---------------------------------------------------------------------

fn start(sql: &Connection, start: &Start, caller: &Caller, at: &Moment) -> Result<Written, Failure> {
    let stored = find::task(sql, &start.lookup, caller.scope(), Purpose::Change)?;
    let executor = start.executor.as_ref().unwrap_or(&caller.executor);
    let claim = Claim {
        executor: caller.world.executor("start.executor", executor)?,
        lease: start.lease,
        started_at: start.started_at,
        late: late(sql, &stored, &start.fill, caller.scope())?,
        fill: start.fill.clone(),
    };
    recorded(sql, stored, &Command::Start(claim), caller, at, Response::Start)
}

fn progress(sql: &Connection, progress: &ProgressRequest, caller: &Caller, at: &Moment) -> Result<Written, Failure> {
    let stored = find::task(sql, &progress.lookup, caller.scope(), Purpose::Change)?;
    let command = Command::Progress {
        token: progress.token(),
        progress: progress.progress(),
        lease: progress.lease,
        late: late(sql, &stored, &progress.fill, caller.scope())?,
    };
    recorded(sql, stored, &command, caller, at, Response::Progress)
}

/// What is known of the records that a fill names.
fn late(sql: &Connection, stored: &Stored, fill: &Fill, scope: Scope<'_>) -> Result<Late, Failure> {
    let (task, owner) = (&stored.task, stored.task.owner.as_str());
    let line = |parent: TaskId| -> Result<Family, Failure> {
        let found = find::task(sql, &Lookup::Id(parent), scope, Purpose::Read)?;
        family(sql, &found, Some(task.id), owner, scope)
    };
    let children = "SELECT 1 FROM task WHERE parent = ?1 LIMIT 1";
    Ok(Late {
        family: fill.parent.map(line).transpose()?,
        flow: fill.flow.map(|flow| flows::gate(sql, &FlowLookup::Id(flow), owner)).transpose()?,
        run_taken_by: run_taken_by(sql, stored, fill.run_id.as_deref())?,
        has_children: fill.flow.is_some() && sql.prepare_cached(children)?.exists([task.id.as_bytes().as_slice()])?,
    })
}

/// The other task that creating with this run would find.
fn run_taken_by(sql: &Connection, stored: &Stored, run_id: Option<&str>) -> Result<Option<TaskNumber>, Failure> {
    let Some(run_id) = run_id else { return Ok(None) };
    let key = Key::Run { runtime: &stored.task.runtime, run_id };
    let holder = find::by_key(sql, &key, &stored.task.owner)?;
    Ok(holder.map(|holder| holder.task.number).filter(|number| *number != stored.task.number))
}

fn heartbeat(sql: &Connection, heartbeat: &Heartbeat, caller: &Caller, at: &Moment) -> Result<Written, Failure> {
    let stored = find::task(sql, &heartbeat.lookup, caller.scope(), Purpose::Change)?;
    let command = Command::Heartbeat { token: heartbeat.token(), lease: heartbeat.lease };
    recorded(sql, stored, &command, caller, at, Response::Heartbeat)
}

fn finish(sql: &Connection, finish: &Finish, caller: &Caller, at: &Moment) -> Result<Written, Failure> {
    let stored = find::task(sql, &finish.lookup, caller.scope(), Purpose::Change)?;
    let command = Command::Finish { token: finish.token(), end: finish.end() };
    recorded(sql, stored, &command, caller, at, Response::Finish)
}

// ---- settle, notify -----------------------------------------------------------------------------------------

fn settle(sql: &Connection, settle: &Settle, caller: &Caller, at: &Moment) -> Result<Written, Failure> {
    let stored = find::task(sql, &settle.lookup, caller.scope(), Purpose::Change)?;
    let by = settle.by.clone().or_else(|| caller.owner.clone());
    let settlement = Settlement { end: settle.end(), by, why: settle.why.clone() };
    recorded(sql, stored, &Command::Settle(settlement), caller, at, Response::Settle)
}

fn notify(sql: &Connection, notify: &Notify, caller: &Caller, at: &Moment) -> Result<Written, Failure> {
    let stored = find::task(sql, &notify.lookup, caller.scope(), Purpose::Change)?;
    recorded(sql, stored, &Command::Notify(notify.policy.clone()), caller, at, Response::Notify)
}

fn recorded(
    sql: &Connection,
    stored: Stored,
    command: &Command,
    caller: &Caller,
    at: &Moment,
    response: impl Fn(RecordedReply) -> Response,
) -> Result<Written, Failure> {
    let Recorded { stored, wrote, .. } = record::command(sql, stored, command, at)?;
    let active = stored.task.status.is_active();
    let reply = RecordedReply {
        changed: wrote,
        cancel_requested: active && stored.task.cancel.is_some(),
        deadline_passed: active && stored.task.is_overdue(at.now.max(stored.task.updated_at)),
        task: record::view(sql, stored.task, caller.world, at)?,
    };
    Ok(Written { response: response(reply), wrote })
}

// ---- cancel -------------------------------------------------------------------------------------------------

/// Asks to cancel a task and every descendant that the caller sees. What is proved dead, with nothing of its group
/// left, is settled.
fn cancel(sql: &Connection, cancel: &CancelRequest, caller: &Caller, at: &Moment) -> Result<Written, Failure> {
    let top = find::task(sql, &cancel.lookup, caller.scope(), Purpose::Change)?;
    let by = cancel.by.clone().or_else(|| caller.owner.clone());
    let mut asking = Asking { sql, caller, by, why: cancel.why.clone(), at, wrote: false };
    let ((top, answer), descendants) = asking.tree(top)?;
    let task = record::view(sql, top.task, caller.world, at)?;
    let reply = CancelReply { cancel: answer, task, descendants, hooks: Vec::new() };
    Ok(Written { response: Response::Cancel(reply), wrote: asking.wrote })
}

/// One request to cancel, on its way to every task that it reaches.
pub(crate) struct Asking<'a> {
    pub(crate) sql: &'a Connection,
    pub(crate) caller: &'a Caller,
    pub(crate) by: Option<String>,
    pub(crate) why: Option<String>,
    pub(crate) at: &'a Moment,
    /// Whether anything was written.
    pub(crate) wrote: bool,
}

impl Asking<'_> {
    fn ask(&mut self, stored: Stored) -> Result<(Stored, Cancelled), Failure> {
        let evidence = cancel_evidence(&stored, self.caller.world, self.at);
        let command = Command::RequestCancel { by: self.by.clone(), why: self.why.clone(), evidence };
        let done = record::command(self.sql, stored, &command, self.at)?;
        self.wrote |= done.wrote;
        match done.answer {
            Answer::Cancel(answer) => Ok((done.stored, answer)),
            Answer::Created | Answer::Exists | Answer::Changed | Answer::Unchanged => {
                Err(Error::internal("a cancel that answers something else").into())
            }
        }
    }

    /// Asks a task and all that descends from it.
    pub(crate) fn tree(&mut self, top: Stored) -> Result<((Stored, Cancelled), Vec<CancelledTask>), Failure> {
        let below = descendants(self.sql, top.task.id)?;
        let top = self.ask(top)?;
        Ok((top, self.all(&below)?))
    }

    /// Asks every one of several tasks that is not over for good. The operator reaches every owner's; an owner neither
    /// touches nor names what is another's.
    pub(crate) fn all(&mut self, numbers: &[TaskNumber]) -> Result<Vec<CancelledTask>, Failure> {
        let mut reached = Vec::new();
        for number in numbers {
            let found = find::by_number(self.sql, *number, self.caller.scope())?;
            let Some(task) = found.filter(|found| !found.task.status.is_final()) else { continue };
            let (task, cancel) = self.ask(task)?;
            reached.push(CancelledTask { number: task.task.number, cancel });
        }
        Ok(reached)
    }
}

/// What is known of the executor of a task to be cancelled.
fn cancel_evidence(stored: &Stored, world: World, at: &Moment) -> CancelEvidence {
    let task = &stored.task;
    if !matches!(task.status, Status::Running | Status::Lost) {
        return CancelEvidence::MayLive;
    }
    match record::liveness(task, world, at) {
        Liveness::Gone(evidence) if evidence.is_proof() && !record::group_survives(task, &evidence, world) => {
            CancelEvidence::Gone(evidence)
        }
        Liveness::Gone(_) | Liveness::Alive | Liveness::Unknown => CancelEvidence::MayLive,
    }
}

fn descendants(sql: &Connection, top: TaskId) -> Result<Vec<TaskNumber>, Failure> {
    let query = "WITH RECURSIVE below (id, number) AS (
            SELECT id, number FROM task WHERE parent = ?1
            UNION SELECT t.id, t.number FROM below JOIN task t ON t.parent = below.id)
        SELECT number FROM below ORDER BY number";
    let mut statement = sql.prepare_cached(query)?;
    let numbers = statement.query_map([top.as_bytes().as_slice()], |row| row.get::<_, i64>(0))?;
    let mut found = Vec::new();
    for number in numbers {
        found.push(TaskNumber(u64::try_from(number?).unwrap_or(0)));
    }
    Ok(found)
}
