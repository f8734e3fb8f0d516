//! The state machine: the one place that says what may happen to a task.
//!
//! The order of the checks below is the order of precedence of the refusals.

use crate::bounds;
use crate::command::{Birth, CancelEvidence, Cancelled, Claim, ClaimToken, Command, End, Family, Moment, Progress};
use crate::event::{Asked, Ending, Event, Fill, Opening, Renewal, Report, Started};
use crate::{Error, Evidence, Lease, Millis, NotifyPolicy, Settlement, Span, Status, Task, outcome, reason};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// What a command leads to: events in order, and the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What happened; empty if nothing changed.
    pub events: Vec<Event>,
    /// What the caller is told.
    pub answer: Answer,
}

/// What the caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The task was recorded now.
    Created,
    /// The task was recorded before, with the same content.
    Exists,
    /// The row moved.
    Changed,
    /// The same was recorded before.
    Unchanged,
    /// What a request to cancel came to.
    Cancel(Cancelled),
}

/// Decides a command. Pure: the same arguments give the same answer, and nothing else is touched.
///
/// `task` is the recorded task, or for `Create` the one that has the same key, if any.
pub fn decide(task: Option<&Task>, command: &Command, at: &Moment) -> Result<Decision, Error> {
    let Some(task) = task else {
        return match command {
            Command::Create(birth) => create(birth, at),
            Command::Start(_)
            | Command::Progress { .. }
            | Command::Heartbeat { .. }
            | Command::Finish { .. }
            | Command::RequestCancel { .. }
            | Command::Settle(_)
            | Command::Expire
            | Command::Reap(_)
            | Command::Notify(_) => Err(Error::internal("a command on a task that was not loaded")),
        };
    };
    let at = &Moment { now: at.now.max(task.updated_at), ..at.clone() };
    match command {
        Command::Create(birth) => exists(task, birth),
        Command::Start(claim) => start(task, claim, at),
        Command::Progress { token, progress, lease, family } => {
            report(task, token, Word::Progress(progress, family.as_ref()), *lease, at)
        }
        Command::Heartbeat { token, lease } => report(task, token, Word::Heartbeat, *lease, at),
        Command::Finish { token, end } => finish(task, token, end, at),
        Command::RequestCancel { by, why, evidence } => {
            request_cancel(task, Asked { by: by.clone(), why: why.clone() }, evidence)
        }
        Command::Settle(settlement) => settle(task, settlement, at),
        Command::Expire => expire(task, at),
        Command::Reap(evidence) => reap(task, evidence, at),
        Command::Notify(policy) => notify(task, policy),
    }
}

// ---- create -------------------------------------------------------------------------------------------------

fn create(birth: &Birth, at: &Moment) -> Result<Decision, Error> {
    not_future("created_at", birth.created_at, at)?;
    if let Some(family) = &birth.family {
        admit(family)?;
    }
    let opening = Opening { notify: Some(birth.notify.clone()), created_at: birth.created_at };
    let mut events = vec![Event::Created(opening)];
    if let Some(claim) = &birth.start {
        not_future("start.started_at", claim.started_at, at)?;
        events.push(Event::Started(claimed(claim, 1, at)));
    }
    if let Some(end) = &birth.finish {
        let started = birth.start.as_ref().and_then(|claim| claim.started_at);
        in_order("finish.ended_at", end.ended_at, started, "started", at)?;
        if birth.start.is_none() && records_start(end.status) {
            events.push(Event::Started(Started { attempt: 1, started_at: end.ended_at, ..Started::default() }));
        }
        events.push(Event::Finished(ending(end, None)?));
    }
    Ok(Decision { events, answer: Answer::Created })
}

/// The task that has the key: the same again, or something else under the same key.
fn exists(task: &Task, birth: &Birth) -> Result<Decision, Error> {
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
        ("retry_of", birth.retry_of.is_some() && birth.retry_of != task.retry_of),
        ("label", birth.label != task.label),
        ("task", birth.task != task.task),
        ("metadata", birth.metadata != task.metadata),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect()
}

/// A parent takes a child unless an ancestor was cancelled or the tree would lose its shape.
fn admit(family: &Family) -> Result<(), Error> {
    if let Some(ancestor) = family.cancelled {
        return Err(Error::AncestorCancelled { ancestor });
    }
    if family.entangled {
        return Err(Error::TreeShape { problem: "the task has children already, or is itself above this parent".into() });
    }
    match family.depth <= bounds::TREE_DEPTH {
        true => Ok(()),
        false => Err(Error::TreeShape { problem: format!("more than {} generations", bounds::TREE_DEPTH) }),
    }
}

// ---- start --------------------------------------------------------------------------------------------------

fn start(task: &Task, claim: &Claim, at: &Moment) -> Result<Decision, Error> {
    match task.status {
        Status::Queued => {}
        Status::Running if same_executor(task, claim) => return Ok(unchanged()),
        Status::Running => {
            return Err(Error::AlreadyRunning {
                number: task.number,
                attempt: task.attempt,
                executor: task.executor.clone(),
                started_at: task.attempt_started_at,
            });
        }
        Status::Lost => {}
        Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => return Err(already_ended(task)),
    }
    if let Some(cancel) = &task.cancel {
        let (requested_at, by) = (cancel.requested_at, cancel.by.clone());
        return Err(Error::CancelRequested { number: task.number, requested_at, by });
    }
    in_order("started_at", claim.started_at, task.ended_at, "was lost", at)?;
    let fill = fillable(task, &claim.fill, claim.family.as_ref())?;
    let started = Started { fill, ..claimed(claim, task.attempt.saturating_add(1), at) };
    Ok(changed(vec![Event::Started(started)]))
}

fn same_executor(task: &Task, claim: &Claim) -> bool {
    match (&task.executor, &claim.executor) {
        (None, None) => true,
        (Some(holder), Some(claimant)) => holder.is_same(claimant),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn claimed(claim: &Claim, attempt: u32, at: &Moment) -> Started {
    Started {
        attempt,
        executor: claim.executor.clone(),
        lease: claim.lease,
        lease_clock: claim.lease.and_then(|lease| lease_clock(lease, at)),
        started_at: claim.started_at,
        fill: Fill::default(),
    }
}

fn lease_clock(lease: Span, at: &Moment) -> Option<Lease> {
    let boot = at.boot.clone()?;
    Some(Lease { boot, expires: at.monotonic.saturating_add(lease.ms()) })
}

// ---- progress, heartbeat ------------------------------------------------------------------------------------

enum Word<'a> {
    Progress(&'a Progress, Option<&'a Family>),
    Heartbeat,
}

/// The executor speaks: it lives, and if it was presumed dead it is recovered.
fn report(
    task: &Task,
    token: &ClaimToken,
    word: Word<'_>,
    lease: Option<Span>,
    at: &Moment,
) -> Result<Decision, Error> {
    let mut events = match task.status {
        Status::Queued => return Err(Error::NotStarted { number: task.number }),
        Status::Running => {
            unfenced(task, token)?;
            vec![]
        }
        Status::Lost => {
            unfenced(task, token)?;
            vec![Event::Recovered]
        }
        Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => {
            unfenced(task, token)?;
            return Err(already_ended(task));
        }
    };
    match word {
        Word::Progress(progress, family) => events.push(progressed(task, progress, family)?),
        Word::Heartbeat => {}
    }
    let length = lease.or(task.lease);
    let lease_clock = length.and_then(|length| lease_clock(length, at));
    events.push(Event::Heartbeat(Renewal { lease, lease_clock }));
    if task.cancel.as_ref().is_some_and(|cancel| cancel.told_at.is_none()) {
        events.push(Event::CancelTold);
    }
    Ok(changed(events))
}

fn progressed(task: &Task, progress: &Progress, family: Option<&Family>) -> Result<Event, Error> {
    let fill = fillable(task, &progress.fill, family)?;
    room_for_artifacts(task, progress.artifacts.keys())?;
    let progress = Progress { fill, ..progress.clone() };
    Ok(match task.progress_reports < bounds::PROGRESS_EVENTS {
        true => Event::Progress(progress),
        false if progress.fill.is_empty() => Event::ProgressUnrecorded(progress),
        false => Event::Progress(progress),
    })
}

fn room_for_artifacts<'a>(task: &Task, names: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    let new = names.filter(|name| !task.artifacts.contains_key(*name)).count();
    bounds::count("artifacts", task.artifacts.len().saturating_add(new), bounds::ARTIFACTS)
}

// ---- finish -------------------------------------------------------------------------------------------------

fn finish(task: &Task, token: &ClaimToken, end: &End, at: &Moment) -> Result<Decision, Error> {
    let mut events = match task.status {
        Status::Queued => match records_start(end.status) {
            true => {
                let attempt = task.attempt.saturating_add(1);
                vec![Event::Started(Started { attempt, started_at: end.ended_at, ..Started::default() })]
            }
            false => vec![],
        },
        Status::Running => {
            unfenced(task, token)?;
            vec![]
        }
        Status::Lost => {
            unfenced(task, token)?;
            vec![Event::Recovered]
        }
        Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => {
            unfenced(task, token)?;
            return same_end(task, &ending(end, None)?);
        }
    };
    in_order("ended_at", end.ended_at, task.attempt_started_at, "started", at)?;
    room_for_artifacts(task, end.report.artifacts.keys())?;
    events.push(Event::Finished(ending(end, None)?));
    Ok(changed(events))
}

/// Work that succeeded or failed has run, whether or not anybody recorded its start.
fn records_start(status: Status) -> bool {
    match status {
        Status::Succeeded | Status::Failed => true,
        Status::Queued | Status::Running | Status::TimedOut | Status::Cancelled | Status::Lost => false,
    }
}

/// An end with its outcome or reason made explicit.
fn ending(end: &End, settled: Option<&Settlement>) -> Result<Ending, Error> {
    let report = &end.report;
    let (outcome, default_reason) = match end.status {
        Status::Succeeded => (Some(end.outcome.clone().unwrap_or_else(|| outcome::OK.into())), None),
        Status::Failed if report.signal.is_some() => (None, Some(reason::SIGNAL)),
        Status::Failed if report.exit_code.is_some() => (None, Some(reason::EXIT_CODE)),
        Status::Failed => (None, Some(reason::ERROR)),
        Status::TimedOut => (None, Some(reason::DEADLINE)),
        Status::Cancelled => (None, Some(reason::REQUESTED)),
        Status::Lost if settled.is_some() => (None, Some(reason::REPORTED)),
        Status::Queued | Status::Running | Status::Lost => {
            return Err(Error::invalid(
                "status",
                format!("{:?} is not an end", end.status.as_str()),
                "one of succeeded, failed, timed_out, cancelled",
            ));
        }
    };
    let default_reason = if settled.is_some() { default_reason.map(|_| reason::FORCED) } else { default_reason };
    let reason = default_reason.map(|word| end.reason.clone().unwrap_or_else(|| word.into()));
    Ok(Ending {
        status: end.status,
        outcome,
        reason,
        by: settled.and_then(|settlement| settlement.by.clone()),
        why: settled.and_then(|settlement| settlement.why.clone()),
        evidence: None,
        ended_at: end.ended_at,
        report: report.clone(),
    })
}

/// A task that has ended: the same end again changes nothing, another is refused.
fn same_end(task: &Task, ending: &Ending) -> Result<Decision, Error> {
    let same = task.status == ending.status && task.outcome == ending.outcome && task.reason == ending.reason;
    if same { Ok(unchanged()) } else { Err(already_ended(task)) }
}

// ---- cancel -------------------------------------------------------------------------------------------------

fn request_cancel(task: &Task, asked: Asked, evidence: &CancelEvidence) -> Result<Decision, Error> {
    let mut events = match task.cancel {
        Some(_) => vec![],
        None => vec![Event::CancelRequested(asked)],
    };
    let answer = match (task.status, evidence) {
        (Status::Queued, _) => {
            events.push(Event::Finished(plain_end(Status::Cancelled, reason::REQUESTED, None)));
            Cancelled::Cancelled
        }
        (Status::Running, CancelEvidence::MayLive) => Cancelled::Requested,
        (Status::Running, CancelEvidence::Gone(evidence)) => {
            events.push(Event::Reaped(plain_end(Status::Cancelled, reason::EXECUTOR_GONE, Some(evidence))));
            Cancelled::ExecutorGone
        }
        (Status::Lost, CancelEvidence::MayLive) => Cancelled::Already,
        (Status::Lost, CancelEvidence::Gone(evidence)) => {
            events.push(Event::Reaped(plain_end(Status::Cancelled, reason::EXECUTOR_GONE, Some(evidence))));
            Cancelled::Cancelled
        }
        (Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled, _) => {
            events.clear();
            Cancelled::Already
        }
    };
    Ok(Decision { events, answer: Answer::Cancel(answer) })
}

fn plain_end(status: Status, reason: &str, evidence: Option<&Evidence>) -> Ending {
    Ending {
        status,
        outcome: None,
        reason: Some(reason.into()),
        by: None,
        why: None,
        evidence: evidence.cloned(),
        ended_at: None,
        report: Report::default(),
    }
}

// ---- settle, expire, reap, notify ---------------------------------------------------------------------------

fn settle(task: &Task, settlement: &Settlement, at: &Moment) -> Result<Decision, Error> {
    let ending = ending(&settlement.end, Some(settlement))?;
    match task.status {
        Status::Queued | Status::Running => {}
        Status::Lost if ending.status == Status::Lost => return Ok(unchanged()),
        Status::Lost => {}
        Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => return same_end(task, &ending),
    }
    let earliest = task.attempt_started_at.or(Some(task.created_at));
    in_order("ended_at", ending.ended_at, earliest, "began", at)?;
    room_for_artifacts(task, ending.report.artifacts.keys())?;
    Ok(changed(vec![Event::Settled(ending)]))
}

fn expire(task: &Task, at: &Moment) -> Result<Decision, Error> {
    match task.is_queue_overdue(at.now) {
        true => Ok(changed(vec![Event::Expired(plain_end(Status::TimedOut, reason::QUEUE_DEADLINE, None))])),
        false => Err(not_due(task, "it is not queued past its queue_timeout")),
    }
}

/// Never a public request: maintenance and cancel bring the evidence.
fn reap(task: &Task, evidence: &Evidence, at: &Moment) -> Result<Decision, Error> {
    match task.status {
        Status::Running => {}
        Status::Queued
        | Status::Succeeded
        | Status::Failed
        | Status::TimedOut
        | Status::Cancelled
        | Status::Lost => return Err(not_due(task, "only running work has an executor")),
    }
    let (status, reason) = match evidence.is_proof() {
        true if task.cancel.is_some() => (Status::Cancelled, reason::EXECUTOR_GONE),
        true if task.is_overdue(at.now) => (Status::TimedOut, reason::EXECUTOR_GONE),
        true => (Status::Lost, reason::EXECUTOR_GONE),
        false => (Status::Lost, reason::LEASE_EXPIRED),
    };
    Ok(changed(vec![Event::Reaped(plain_end(status, reason, Some(evidence)))]))
}

fn notify(task: &Task, policy: &NotifyPolicy) -> Result<Decision, Error> {
    match task.notify == *policy {
        true => Ok(unchanged()),
        false => Ok(changed(vec![Event::NotifyChanged(policy.clone())])),
    }
}

// ---- shared checks ------------------------------------------------------------------------------------------

/// An executor's write names its attempt; one that names none acts on the current attempt.
fn unfenced(task: &Task, token: &ClaimToken) -> Result<(), Error> {
    let holder = task.executor.as_ref().and_then(|executor| executor.nonce.as_ref());
    let other_number = token.attempt.is_some_and(|attempt| attempt != task.attempt);
    let other_nonce = matches!((&token.nonce, holder), (Some(given), Some(holder)) if given != holder);
    match other_number || other_nonce {
        false => Ok(()),
        true => Err(Error::Fenced {
            number: task.number,
            given: token.attempt.unwrap_or(task.attempt),
            attempt: task.attempt,
            executor: task.executor.clone(),
            recorded_status: task.status,
        }),
    }
}

/// What is null may be filled in once; the same value again is no change.
fn fillable(task: &Task, fill: &Fill, family: Option<&Family>) -> Result<Fill, Error> {
    let once = |field: &'static str, given: &Option<String>, recorded: &Option<String>| match (given, recorded) {
        (Some(given), Some(recorded)) if given != recorded => {
            Err(Error::AlreadySet { number: task.number, field, recorded: recorded.clone() })
        }
        (Some(_), Some(_)) | (None, _) => Ok(None),
        (Some(given), None) => Ok(Some(given.clone())),
    };
    let link = |field: &'static str, given: Option<crate::TaskId>, recorded: Option<crate::TaskId>| {
        let text = |id: crate::TaskId| String::from(id);
        once(field, &given.map(text), &recorded.map(text)).map(|fresh| fresh.and(given))
    };
    let parent = link("parent", fill.parent, task.parent)?;
    let root = match (parent, family) {
        (Some(_), Some(family)) => {
            admit(family)?;
            Some(family.root)
        }
        (Some(_), None) => return Err(Error::internal("a parent was filled in without its line")),
        (None, _) => None,
    };
    Ok(Fill {
        kind: once("kind", &fill.kind, &task.kind)?,
        source_id: once("source_id", &fill.source_id, &task.source_id)?,
        run_id: once("run_id", &fill.run_id, &task.run_id)?,
        requester_session: once("requester_session", &fill.requester_session, &task.requester_session)?,
        session: once("session", &fill.session, &task.session)?,
        agent: once("agent", &fill.agent, &task.agent)?,
        requester_agent: once("requester_agent", &fill.requester_agent, &task.requester_agent)?,
        retry_of: link("retry_of", fill.retry_of, task.retry_of)?,
        parent,
        root,
    })
}

fn not_future(field: &str, given: Option<Millis>, at: &Moment) -> Result<(), Error> {
    match given {
        Some(given) if given > at.now => Err(Error::FutureTime { field: field.into(), given, now: at.now }),
        Some(_) | None => Ok(()),
    }
}

fn in_order(
    field: &str,
    given: Option<Millis>,
    earliest: Option<Millis>,
    event: &str,
    at: &Moment,
) -> Result<(), Error> {
    not_future(field, given, at)?;
    match (given, earliest) {
        (Some(given), Some(earliest)) if given < earliest => {
            Err(Error::TimeOrder { field: field.into(), given, earliest, event: event.into() })
        }
        (_, _) => Ok(()),
    }
}

fn already_ended(task: &Task) -> Error {
    Error::AlreadyEnded {
        number: task.number,
        recorded_status: task.status,
        recorded_detail: task.end_detail().into(),
        ended_at: task.ended_at.unwrap_or(task.updated_at),
    }
}

fn not_due(task: &Task, problem: &str) -> Error {
    Error::NotDue { number: task.number, recorded_status: task.status, problem: problem.into() }
}

fn changed(events: Vec<Event>) -> Decision {
    Decision { events, answer: Answer::Changed }
}

fn unchanged() -> Decision {
    Decision { events: vec![], answer: Answer::Unchanged }
}
