//! What an event does to a task. Total, checks nothing, and the only code that writes a task's state.

use crate::birthmark;
use crate::command::Birth;
use crate::event::Progress;
use crate::event::{Asked, Ending, Event, Fill, Renewal, Report, Started};
use crate::{Cancel, Metadata, Millis, ProgressPoint, Status, Task, TaskId, TaskNumber, Usage};
use alloc::collections::BTreeMap;
use alloc::string::String;

impl Task {
    /// A task with its descriptive fields, before its first event.
    pub fn unborn(number: TaskNumber, id: TaskId, birth: &Birth) -> Task {
        Task {
            key: birth.key.clone(),
            runtime: birth.runtime.clone(),
            kind: birth.kind.clone(),
            source_id: birth.source_id.clone(),
            run_id: birth.run_id.clone(),
            owner: birth.owner.clone(),
            requester_session: birth.requester_session.clone(),
            session: birth.session.clone(),
            agent: birth.agent.clone(),
            requester_agent: birth.requester_agent.clone(),
            parent: birth.family.map(|family| family.parent),
            root: birth.family.map(|family| family.root),
            flow: birth.joins().ok().flatten(),
            retry_of: birth.retry_of,
            label: birth.label.clone(),
            task: birth.task.clone(),
            metadata: birth.metadata.clone(),
            notify: birth.notify.clone(),
            queue_timeout: birth.queue_timeout,
            timeout: birth.timeout,
            origin: birth.origin.clone(),
            ..Task::blank(number, id)
        }
    }

    fn blank(number: TaskNumber, id: TaskId) -> Task {
        Task {
            number,
            id,
            key: None,
            runtime: crate::runtime::SUBAGENT.into(),
            kind: None,
            source_id: None,
            run_id: None,
            owner: Default::default(),
            requester_session: None,
            session: None,
            agent: None,
            requester_agent: None,
            parent: None,
            root: None,
            flow: None,
            retry_of: None,
            label: Default::default(),
            task: None,
            metadata: Metadata::default(),
            notify: crate::NotifyPolicy::DoneOnly,
            status: Status::Queued,
            outcome: None,
            reason: None,
            cancel: None,
            waiting_on: None,
            progress: None,
            error: None,
            summary: None,
            result: None,
            exit_code: None,
            signal: None,
            output: None,
            artifacts: BTreeMap::new(),
            usage: None,
            usage_before: None,
            created_at: Millis::EPOCH,
            started_at: None,
            ended_at: None,
            updated_at: Millis::EPOCH,
            executor: None,
            attempt: 0,
            attempt_started_at: None,
            lease: None,
            lease_expires_at: None,
            lease_clock: None,
            heartbeat_at: None,
            progress_at: None,
            queue_timeout: None,
            timeout: None,
            revision: 0,
            generation: 0,
            progress_reports: 0,
            origin: None,
        }
    }

    /// The same task before its first event, under a number: for a history that is recorded anew.
    pub fn before_history(&self, number: TaskNumber) -> Task {
        Task { number, ..self.descriptive() }
    }

    /// The same task with what its work said of its end, which the event does not repeat.
    #[must_use]
    pub fn saying(self, report: Report) -> Task {
        let Report { error, summary, result, exit_code, signal, output, artifacts: _, usage: _ } = report;
        Task { error, summary, result, exit_code, signal, output, ..self }
    }

    /// The same task before its first event: what its row says of it that no event changes.
    fn descriptive(&self) -> Task {
        Task {
            key: self.key.clone(),
            runtime: self.runtime.clone(),
            kind: self.kind.clone(),
            source_id: self.source_id.clone(),
            run_id: self.run_id.clone(),
            owner: self.owner.clone(),
            requester_session: self.requester_session.clone(),
            session: self.session.clone(),
            agent: self.agent.clone(),
            requester_agent: self.requester_agent.clone(),
            parent: self.parent,
            root: self.root,
            flow: self.flow,
            retry_of: self.retry_of,
            label: self.label.clone(),
            task: self.task.clone(),
            metadata: self.metadata.clone(),
            queue_timeout: self.queue_timeout,
            timeout: self.timeout,
            origin: self.origin.clone(),
            ..Task::blank(self.number, self.id)
        }
    }
}

/// The task after an event at a time.
#[must_use]
pub fn evolve(mut task: Task, event: &Event, at: Millis) -> Task {
    match event {
        Event::Created(opening) => {
            task.created_at = opening.created_at.unwrap_or(at);
            if let Some(notify) = &opening.notify {
                task.notify = notify.clone();
            }
        }
        Event::Started(started) => start(&mut task, started, at),
        Event::Progress(progress) | Event::ProgressUnrecorded(progress) => report(&mut task, progress, at),
        Event::Heartbeat(renewal) => renew(&mut task, renewal, at),
        Event::CancelRequested(Asked { by, why }) => {
            task.cancel = Some(Cancel { requested_at: at, by: by.clone(), why: why.clone(), told_at: None });
        }
        Event::CancelTold => {
            if let Some(cancel) = &mut task.cancel {
                cancel.told_at = Some(at);
            }
        }
        Event::Finished(ending) | Event::Settled(ending) | Event::Expired(ending) | Event::Reaped(ending) => {
            end(&mut task, ending, at);
        }
        Event::Recovered => {
            task.status = Status::Running;
            task.ended_at = None;
            task.reason = None;
            task.generation = task.generation.saturating_add(1);
        }
        Event::NotifyChanged(policy) => task.notify = policy.clone(),
        Event::Unknown { .. } => {}
    }
    task.updated_at = task.updated_at.max(at);
    task
}

fn start(task: &mut Task, started: &Started, at: Millis) {
    let since = started.started_at.unwrap_or(at);
    task.status = Status::Running;
    task.attempt = started.attempt;
    task.executor = started.executor.clone();
    task.attempt_started_at = Some(since);
    task.started_at = task.started_at.or(Some(since));
    task.created_at = task.created_at.min(since);
    task.ended_at = None;
    task.reason = None;
    task.waiting_on = None;
    task.usage_before = task.usage.clone();
    task.lease = started.lease;
    task.lease_clock = started.lease_clock.clone();
    task.lease_expires_at = started.lease.map(|lease| at.plus(lease));
    fill(task, &started.fill);
}

fn report(task: &mut Task, progress: &Progress, at: Millis) {
    let moved = ProgressPoint {
        text: progress.text.clone(),
        current: progress.current,
        total: progress.total,
        unit: progress.unit.clone(),
    };
    if moved != ProgressPoint::default() {
        let before = task.progress.take().unwrap_or_default();
        task.progress = Some(ProgressPoint {
            text: moved.text.or(before.text),
            current: moved.current.or(before.current),
            total: moved.total.or(before.total),
            unit: moved.unit.or(before.unit),
        });
    }
    if let Some(waiting_on) = &progress.waiting_on {
        task.waiting_on = waiting_on.clone();
    }
    spend(task, progress.usage.as_ref());
    task.artifacts.extend(progress.artifacts.clone());
    task.progress_at = Some(progress.reported_at.unwrap_or(at));
    task.progress_reports = task.progress_reports.saturating_add(1);
    fill(task, &progress.fill);
}

fn renew(task: &mut Task, renewal: &Renewal, at: Millis) {
    task.heartbeat_at = Some(at);
    task.lease = renewal.lease.or(task.lease);
    task.lease_expires_at = task.lease.map(|lease| at.plus(lease));
    task.lease_clock = renewal.lease_clock.clone();
}

fn end(task: &mut Task, ending: &Ending, at: Millis) {
    let ended = ending.ended_at.unwrap_or(at);
    task.status = ending.status;
    task.outcome = ending.outcome.clone();
    task.reason = ending.reason.clone();
    task.ended_at = Some(ended.max(task.attempt_started_at.unwrap_or(ended)));
    task.created_at = task.created_at.min(ended);
    task.waiting_on = None;
    task.lease_expires_at = None;
    task.lease_clock = None;
    task.generation = task.generation.saturating_add(1);
    let report = &ending.report;
    task.error = report.error.clone();
    task.summary = report.summary.clone();
    task.result = report.result.clone();
    task.exit_code = report.exit_code;
    task.signal = report.signal;
    task.output = report.output.clone();
    task.artifacts.extend(report.artifacts.clone());
    spend(task, report.usage.as_ref());
}

/// Usage is the attempt's running total; the task's is the sum over its attempts.
fn spend(task: &mut Task, usage: Option<&Usage>) {
    if let Some(usage) = usage {
        task.usage = Some(task.usage_before.as_ref().map_or_else(|| usage.clone(), |before| before.plus(usage)));
    }
}

fn fill(task: &mut Task, fill: &Fill) {
    let once = |place: &mut Option<String>, value: &Option<String>| {
        if let Some(value) = value {
            *place = Some(value.clone());
        }
    };
    once(&mut task.kind, &fill.kind);
    once(&mut task.source_id, &fill.source_id);
    once(&mut task.run_id, &fill.run_id);
    once(&mut task.requester_session, &fill.requester_session);
    once(&mut task.session, &fill.session);
    once(&mut task.agent, &fill.agent);
    once(&mut task.requester_agent, &fill.requester_agent);
    task.retry_of = fill.retry_of.or(task.retry_of);
    task.parent = fill.parent.or(task.parent);
    task.root = fill.root.or(task.root);
    task.flow = fill.flow.or(task.flow);
}

/// What a history makes of a row's descriptive fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// The task, without what of its end's report only the row keeps.
    pub task: Task,
    /// The checksum of that.
    pub checksum: Option<String>,
    /// Whether the row is still what its history says that it was created as.
    pub as_created: bool,
}

/// The fold of a history.
#[must_use]
pub fn fold<'a>(row: &Task, history: impl IntoIterator<Item = (&'a Event, Millis)> + Clone) -> Folded {
    let mut checksum = None;
    let as_created = birthmark::bears_out(row, history.clone().into_iter().map(|(event, _)| event));
    let task = history.into_iter().fold(row.descriptive(), |task, (event, at)| {
        if let Some(ending) = event.ending() {
            checksum = ending.checksum.clone();
        }
        evolve(task, event, at)
    });
    // Reports that entered no history may have filled something in.
    let as_created = as_created || row.progress_reports > task.progress_reports;
    Folded { task, checksum, as_created }
}

/// Whether a row equals the fold of its history, apart from what a heartbeat or an unrecorded progress moves.
pub fn same_but_for_heartbeats(row: &Task, folded: &Folded) -> bool {
    let beyond_history = row.progress_reports > folded.task.progress_reports;
    let mut expected = folded.task.clone();
    expected.heartbeat_at = row.heartbeat_at;
    expected.lease = row.lease;
    expected.lease_expires_at = row.lease_expires_at;
    expected.lease_clock = row.lease_clock.clone();
    expected.updated_at = row.updated_at;
    expected.revision = row.revision;
    if row.status.is_final() {
        expected.error = row.error.clone();
        expected.summary = row.summary.clone();
        expected.result = row.result.clone();
        expected.exit_code = row.exit_code;
        expected.signal = row.signal;
        expected.output = row.output.clone();
    }
    if beyond_history {
        expected.progress = row.progress.clone();
        expected.progress_at = row.progress_at;
        expected.progress_reports = row.progress_reports;
        expected.waiting_on = row.waiting_on.clone();
        expected.usage = row.usage.clone();
        expected.usage_before = row.usage_before.clone();
        expected.artifacts = row.artifacts.clone();
    }
    *row == expected && folded.as_created && says_the_same(row, folded)
}

/// Whether the row says of its end what was said when it ended.
pub fn says_the_same(row: &Task, folded: &Folded) -> bool {
    !row.status.is_final() || Report::of(row).checksum() == folded.checksum
}
