//! The core alone: one task in memory, its commands decided and its events applied, with nothing stored.

use crate::model::{Ask, End as AskedEnd, Executor as Asked, Lookup, Model, START_MS, Word};
use crate::moves::{Move, later};
use crate::vector;
use bgledger_core::{
    Answer, Birth, CancelEvidence, Claim, ClaimToken, Command, Delivery, End, Error, Event, Evidence, Executor, Late,
    Liveness, Metadata, Millis, Moment, NotifyPolicy, Observation, Observed, Progress, Report, Settlement, Span,
    Status, Task, TaskId, TaskNumber, TaskView, decide, evolve, fold, judge, same_but_for_heartbeats,
};
use serde_json::{Value, json};

const MACHINE: &str = "test-machine";
const BOOT: &str = "test-boot";
/// The key under which every sequence records its one task.
const KEY: &str = "k1";

/// Plays a sequence with everything in it said of one task. The error tells where the core and the model differ.
pub fn play(moves: &[Move]) -> Result<(), String> {
    let (mut model, mut core, mut now) = (Model::default(), Core::default(), START_MS);
    let first = Ask::plain_creation();
    let asks = moves.iter().map(|Move { after, ask, .. }| (*after, ask));
    for (place, (after, ask)) in std::iter::once((0, &first)).chain(asks).enumerate() {
        let Some(ask) = of_one_task(ask) else { continue };
        now = later(now, after);
        let told = |wanted: &Value, given: &Value, problem: String| {
            format!("step {place}, {} at {now}: {problem}\n  the model  {wanted}\n  the core   {given}", ask.request())
        };
        let mut wanted = model.answer(None, now, &ask);
        // Who is owed a notice is the store's to keep.
        if let Some(task) = wanted.pointer_mut("/ok/task").and_then(Value::as_object_mut) {
            task.remove("delivery");
        }
        let given = core.answer(now, &ask).unwrap_or_else(|error| json!({"error": {"code": error.code().as_str()}}));
        vector::fits(&wanted, &given, "").map_err(|problem| told(&wanted, &given, problem))?;
        core.equals_its_history().map_err(|problem| told(&wanted, &given, problem))?;
    }
    Ok(())
}

/// The same ask about the one task; `None` if it only asks to be shown something.
fn of_one_task(ask: &Ask) -> Option<Ask> {
    let mut ask = ask.clone();
    match &mut ask {
        Ask::Create { key, parent, .. } => (*key, *parent) = (Some(KEY), None),
        Ask::Start { lookup, .. }
        | Ask::Say { lookup, .. }
        | Ask::Finish { lookup, .. }
        | Ask::Settle { lookup, .. }
        | Ask::Notify { lookup, .. }
        | Ask::Cancel { lookup }
        | Ask::Show { lookup } => *lookup = Lookup::Number(1),
        Ask::Maintenance { apply } => *apply = true,
        Ask::Wait { .. } => return None,
    }
    Some(ask)
}

/// What is in memory.
#[derive(Debug, Default)]
struct Core {
    task: Option<Task>,
    history: Vec<(Event, Millis)>,
}

impl Core {
    fn answer(&mut self, now: i64, ask: &Ask) -> Result<Value, Error> {
        let at = moment(now);
        if matches!(ask, Ask::Maintenance { .. }) {
            return Ok(json!({"ok": {"applied": true, "changes": self.maintain(&at)?}}));
        }
        let (command, birth) = (command(ask, self.task.as_ref(), &at), birth(ask));
        let changed = match (command, birth) {
            (Some(command), birth) => self.carry_out(&command, birth.as_ref(), &at)?,
            (None, _) => Answer::Unchanged,
        };
        let Some(task) = &self.task else { return Err(Error::internal("no task")) };
        let view = view(task, &at)?;
        let is_asked = task.status.is_active() && task.cancel.is_some();
        let is_overdue = task.status.is_active() && task.is_overdue(at.now.max(task.updated_at));
        Ok(json!({ "ok": match changed {
            Answer::Created => json!({"created": true, "task": view}),
            Answer::Exists => json!({"created": false, "task": view}),
            Answer::Cancel(cancel) => json!({"cancel": cancel, "descendants": [], "hooks": [], "task": view}),
            Answer::Changed | Answer::Unchanged => json!({
                "changed": changed == Answer::Changed,
                "cancel_requested": is_asked,
                "deadline_passed": is_overdue,
                "task": view,
            }),
        }}))
    }

    fn carry_out(&mut self, command: &Command, birth: Option<&Birth>, at: &Moment) -> Result<Answer, Error> {
        let decision = decide(self.task.as_ref(), command, at)?;
        let unborn = birth.map(|birth| Task::unborn(TaskNumber(1), TaskId::from_bytes([7; 16]), birth));
        if let Some(mut task) = self.task.take().or(unborn) {
            let now = at.now.max(task.updated_at);
            for event in &decision.events {
                task = evolve(task, event, now);
                if event.kind().is_some() {
                    self.history.push((event.clone(), now));
                }
            }
            task.revision += u64::from(!decision.events.is_empty());
            self.task = Some(task);
        }
        Ok(decision.answer)
    }

    /// Expires or reaps, as maintenance does with what it found out.
    fn maintain(&mut self, at: &Moment) -> Result<Vec<Value>, Error> {
        let Some(before) = self.task.clone() else { return Ok(Vec::new()) };
        let commands = match (before.status, evidence(&before, at)) {
            (Status::Queued, _) => vec![Command::Expire],
            (Status::Running, Some(evidence)) => vec![Command::Reap(evidence)],
            (_, _) => Vec::new(),
        };
        let mut changes = Vec::new();
        for command in commands {
            match self.carry_out(&command, None, at) {
                Ok(_) => {}
                Err(Error::NotDue { .. }) => continue,
                Err(other) => return Err(other),
            }
            let after = self.task.as_ref();
            changes.push(json!({
                "number": 1,
                "from": before.status.as_str(),
                "to": after.map(|task| task.status.as_str()),
                "reason": after.and_then(|task| task.reason.clone()),
            }));
        }
        Ok(changes)
    }

    fn equals_its_history(&self) -> Result<(), String> {
        let Some(task) = &self.task else { return Ok(()) };
        let folded = fold(task, self.history.iter().map(|(event, at)| (event, *at)));
        match same_but_for_heartbeats(task, &folded) {
            true => Ok(()),
            false => Err(format!("the fold of its history is {:?}", folded.task)),
        }
    }
}

// ---- the test host ------------------------------------------------------------------------------------------

fn moment(now: i64) -> Moment {
    Moment { now: Millis::clamped(now), boot: Some(BOOT.into()), monotonic: now, uptime: now }
}

fn seen(task: &Task) -> Observation {
    let process = match task.executor.as_ref().and_then(|executor| executor.pid) {
        None => Observed::Unknown,
        Some(1) => Observed::Running { started: 1 },
        Some(_) => Observed::Gone,
    };
    Observation { machine: Some(MACHINE.into()), boot: Some(BOOT.into()), pid_namespace: Some(1), process }
}

fn evidence(task: &Task, at: &Moment) -> Option<Evidence> {
    match judge(task, &seen(task), at) {
        Liveness::Gone(evidence) => Some(evidence),
        Liveness::Alive | Liveness::Unknown => None,
    }
}

fn view(task: &Task, at: &Moment) -> Result<Value, Error> {
    let liveness = (task.status == Status::Running).then(|| judge(task, &seen(task), at).as_str());
    let view = TaskView { task: Box::new(task.clone()), delivery: Delivery::NotApplicable, liveness };
    serde_json::to_value(view).map_err(|error| Error::internal(error.to_string()))
}

// ---- what is asked ------------------------------------------------------------------------------------------

fn executor(asked: Asked) -> Option<Executor> {
    match asked {
        Asked::External => None,
        Asked::Live => Some(Executor {
            machine: Some(MACHINE.into()),
            boot: Some(BOOT.into()),
            pid_namespace: Some(1),
            pid: Some(1),
            started: Some(1),
            ..Executor::default()
        }),
        Asked::Dead | Asked::Rebooted | Asked::Elsewhere => {
            serde_json::from_value(asked.spec()["identity"].clone()).expect("an identity")
        }
    }
}

fn span(ms: Option<i64>) -> Option<Span> {
    ms.map(Span::clamped)
}

fn claim(asked: Asked, lease: Option<i64>) -> Claim {
    Claim { executor: executor(asked), lease: span(lease), ..Claim::default() }
}

/// An end, completed as whoever resolves a request completes it.
fn end(asked: &AskedEnd, settled: bool) -> End {
    End {
        status: Status::from_word(asked.standing.word()).expect("a status"),
        outcome: asked.outcome().map(Into::into),
        reason: asked.reason(settled).map(Into::into),
        report: Report::default(),
        ended_at: None,
    }
}

fn birth(ask: &Ask) -> Option<Birth> {
    let Ask::Create { key, run, runtime, label, session, notify, queue_timeout, timeout, start, finish, parent: _ } =
        ask
    else {
        return None;
    };
    Some(Birth {
        key: key.map(Into::into),
        runtime: (*runtime).into(),
        kind: None,
        source_id: None,
        run_id: run.map(Into::into),
        owner: "local".into(),
        requester_session: None,
        session: session.map(Into::into),
        agent: None,
        requester_agent: None,
        family: None,
        flow: None,
        retry_of: None,
        label: (*label).into(),
        task: None,
        metadata: Metadata::default(),
        notify: notify.and_then(NotifyPolicy::from_word).unwrap_or_else(|| NotifyPolicy::default_for(runtime)),
        queue_timeout: span(*queue_timeout),
        timeout: span(*timeout),
        created_at: None,
        start: start.map(|(executor, lease)| claim(executor, lease)),
        finish: finish.as_ref().map(|asked| end(asked, false)),
        origin: None,
    })
}

/// The command; `None` if nothing is to change.
fn command(ask: &Ask, task: Option<&Task>, at: &Moment) -> Option<Command> {
    let token = |attempt: &Option<u32>| ClaimToken { attempt: *attempt, nonce: None };
    Some(match ask {
        Ask::Create { .. } => Command::Create(birth(ask)?),
        Ask::Start { executor, lease, .. } => Command::Start(claim(*executor, *lease)),
        Ask::Say { attempt, word: Word::Heartbeat { lease }, .. } => {
            Command::Heartbeat { token: token(attempt), lease: span(*lease) }
        }
        Ask::Say { attempt, word: Word::Progress { current, waiting_on }, .. } => Command::Progress {
            token: token(attempt),
            progress: Progress {
                current: Some(u64::from(*current)),
                waiting_on: waiting_on.map(|waiting_on| waiting_on.map(Into::into)),
                ..Progress::default()
            },
            lease: None,
            late: Late::default(),
        },
        Ask::Finish { attempt, end: asked, .. } => Command::Finish { token: token(attempt), end: end(asked, false) },
        Ask::Settle { end: asked, .. } => Command::Settle(Settlement { end: end(asked, true), by: None, why: None }),
        Ask::Notify { policy, .. } => Command::Notify(NotifyPolicy::from_word(policy)?),
        Ask::Cancel { .. } => {
            let gone = task.and_then(|task| evidence(task, at)).filter(Evidence::is_proof);
            let evidence = gone.map_or(CancelEvidence::MayLive, CancelEvidence::Gone);
            Command::RequestCancel { by: None, why: None, evidence }
        }
        Ask::Maintenance { .. } | Ask::Show { .. } | Ask::Wait { .. } => return None,
    })
}
