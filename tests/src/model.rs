//! A second ledger, as simple as it can be, written from `design.md` and not from the core: plain lists in memory.
//! It says what each request must be answered with; `tests/tests/model.rs` compares.

use serde_json::{Value, json};
use std::collections::BTreeMap;

mod record;
mod request;

pub use record::{Executor, Recorded, Standing, time};
pub use request::{Ask, End, Lookup, Word};

/// Where a vector's first steps are in time: milliseconds since 1970.
pub const START_MS: i64 = 1_767_225_600_000;
/// Silence after which the audit names a running task of which nothing can be observed.
const UNOBSERVED_MS: i64 = 30 * 60_000;
/// How long a running task may go on after its cancel was requested.
const CANCEL_STUCK_MS: i64 = 5 * 60_000;

/// The ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Model {
    tasks: Vec<Recorded>,
    /// The newest event's place.
    seq: u64,
}

/// Whose handle asks; `None`: the operator's.
type Owner<'a> = Option<&'a str>;

/// An error's code.
type Refused = &'static str;

impl Model {
    /// What a request must be answered with, as a vector expects it; the model moves on accordingly.
    pub fn answer(&mut self, owner: Owner<'_>, now: i64, ask: &Ask) -> Value {
        let before = self.clone();
        match self.carry_out(owner, now, ask) {
            Ok(reply) => json!({ "ok": reply }),
            Err(code) => {
                *self = before;
                json!({"error": {"code": code}})
            }
        }
    }

    fn carry_out(&mut self, owner: Owner<'_>, now: i64, ask: &Ask) -> Result<Value, Refused> {
        match ask {
            Ask::Create { .. } => self.create(owner, now, ask),
            Ask::Start { lookup, executor, lease } => {
                let place = self.find(owner, lookup, true)?;
                let changed = self.start(place, now, *executor, *lease)?;
                Ok(self.reply(place, now, changed))
            }
            Ask::Say { lookup, attempt, word } => {
                let place = self.find(owner, lookup, true)?;
                self.say(place, now, *attempt, word)?;
                Ok(self.reply(place, now, true))
            }
            Ask::Finish { lookup, attempt, end } => {
                let place = self.find(owner, lookup, true)?;
                let changed = self.finish(place, now, *attempt, end)?;
                Ok(self.reply(place, now, changed))
            }
            Ask::Settle { lookup, end } => {
                let place = self.find(owner, lookup, true)?;
                let changed = self.settle(place, now, end)?;
                Ok(self.reply(place, now, changed))
            }
            Ask::Notify { lookup, policy } => {
                let place = self.find(owner, lookup, true)?;
                let changed = self.tasks[place].notify != *policy;
                if changed {
                    let now = self.now(place, now);
                    self.tasks[place].notify = policy;
                    self.write(place, now, &["notify_changed"]);
                }
                Ok(self.reply(place, now, changed))
            }
            Ask::Cancel { lookup } => self.cancel(owner, now, lookup),
            Ask::Maintenance { apply } => Ok(self.maintenance(owner, now, *apply)),
            Ask::Show { lookup } => {
                let place = self.find(owner, lookup, false)?;
                Ok(json!({"task": self.tasks[place].view(now)}))
            }
            Ask::Wait { lookups, any } => self.wait(owner, now, lookups, *any),
        }
    }

    // ---- finding --------------------------------------------------------------------------------------------

    fn sees(&self, owner: Owner<'_>, place: usize) -> bool {
        owner.is_none_or(|owner| self.tasks[place].owner == owner)
    }

    fn seen(&self, owner: Owner<'_>) -> Vec<usize> {
        (0..self.tasks.len()).filter(|place| self.sees(owner, *place)).collect()
    }

    fn find(&self, owner: Owner<'_>, lookup: &Lookup, to_change: bool) -> Result<usize, Refused> {
        let seen = self.seen(owner);
        let fitting: Vec<usize> = match lookup {
            Lookup::Number(number) => seen.into_iter().filter(|place| place + 1 == *number).collect(),
            Lookup::Run(run) => seen.into_iter().filter(|place| self.tasks[*place].run == Some(run)).collect(),
            Lookup::Session(session) => {
                let of = |place: &usize| self.tasks[*place].session == Some(session);
                let fitting: Vec<usize> = seen.into_iter().filter(of).collect();
                let active = fitting.iter().copied().filter(|place| self.tasks[*place].standing.is_active());
                match (to_change, active.clone().max().or(fitting.iter().copied().max())) {
                    (true, _) => active.collect(),
                    (false, newest) => newest.into_iter().collect(),
                }
            }
        };
        match fitting.as_slice() {
            [] => Err("not_found"),
            [place] => Ok(*place),
            _ => Err("ambiguous"),
        }
    }

    fn lineage(&self, mut place: usize) -> Vec<usize> {
        let mut line = vec![place];
        while let Some(parent) = self.tasks[place].parent {
            line.push(parent);
            place = parent;
        }
        line
    }

    // ---- writing --------------------------------------------------------------------------------------------

    /// Now is never before the row's last write.
    fn now(&self, place: usize, clock: i64) -> i64 {
        clock.max(self.tasks[place].updated)
    }

    /// Appends events, in one write of the row, and counts the notices that they owe.
    fn write(&mut self, place: usize, now: i64, events: &[&'static str]) {
        for event in events {
            self.seq += 1;
            self.tasks[place].events.push((self.seq, event));
        }
        let task = &mut self.tasks[place];
        task.updated = now;
        task.revision += 1;
        let is_end = |event: &&str| matches!(*event, "finished" | "settled" | "expired" | "reaped");
        let is_step = |event: &&str| is_end(event) || matches!(*event, "started" | "progress" | "recovered");
        let opens = events.iter().rposition(|event| is_end(event) || *event == "recovered");
        if opens.is_some() {
            task.told = false;
        }
        if events.contains(&"notify_changed") && task.notify == "silent" {
            task.silenced |= task.told;
            task.told = false;
        }
        let mut newest = events[opens.unwrap_or(0)..].iter();
        task.told |= match task.notify {
            "silent" => false,
            "state_changes" => newest.any(is_step),
            _ => newest.any(is_end),
        };
    }

    fn reply(&self, place: usize, clock: i64, changed: bool) -> Value {
        let task = &self.tasks[place];
        let running = task.standing.is_active();
        json!({
            "changed": changed,
            "cancel_requested": running && task.cancel.is_some(),
            "deadline_passed": task.standing == Standing::Running && task.is_overdue(self.now(place, clock)),
            "task": task.view(clock),
        })
    }

    // ---- the commands ---------------------------------------------------------------------------------------

    fn create(&mut self, handle: Owner<'_>, now: i64, ask: &Ask) -> Result<Value, Refused> {
        let Ask::Create { key, run, runtime, label, session, parent, notify, queue_timeout, timeout, start, finish } =
            ask
        else {
            return Err("internal");
        };
        let owner = handle.unwrap_or("local");
        let parent = match parent {
            Some(number) => Some(self.find(handle, &Lookup::Number(*number), false)?),
            None => None,
        };
        let same = |task: &Recorded| {
            task.owner == owner
                && match (key, run) {
                    (Some(key), _) => task.key == Some(*key),
                    (None, Some(run)) => task.key.is_none() && task.run == Some(*run) && task.runtime == *runtime,
                    (None, None) => false,
                }
        };
        if let Some(task) = self.tasks.iter().find(|task| same(task)) {
            let differs = task.label != *label
                || task.runtime != *runtime
                || (run.is_some() && *run != task.run)
                || (session.is_some() && *session != task.session)
                || (parent.is_some() && parent != task.parent);
            return match differs {
                true => Err("exists_with_different"),
                false => Ok(json!({"created": false, "task": task.view(now)})),
            };
        }
        let cancelled = |place: usize| {
            let ancestor = &self.tasks[place];
            ancestor.cancel.is_some() || ancestor.standing == Standing::Cancelled
        };
        if parent.is_some_and(|parent| self.lineage(parent).into_iter().any(cancelled)) {
            return Err("ancestor_cancelled");
        }
        let default = if matches!(*runtime, "cli" | "cron") { "silent" } else { "done_only" };
        let mut task = Recorded::new(self.tasks.len() + 1, now);
        (task.owner, task.key, task.run, task.runtime, task.label) = (owner.into(), *key, *run, runtime, label);
        (task.session, task.parent, task.notify) = (*session, parent, notify.unwrap_or(default));
        (task.queue_timeout, task.timeout) = (*queue_timeout, *timeout);
        let mut events = vec!["created"];
        if let Some((executor, lease)) = start {
            task.claim(now, now, *executor, *lease);
            events.push("started");
        }
        if let Some(end) = finish {
            if start.is_none() && end.standing.has_run() {
                task.claim(now, now, Executor::External, None);
                events.push("started");
            }
            task.end(now, end.standing, end.outcome(), end.reason(false));
            events.push("finished");
        }
        self.tasks.push(task);
        let place = self.tasks.len() - 1;
        self.write(place, now, &events);
        Ok(json!({"created": true, "task": self.tasks[place].view(now)}))
    }

    fn start(&mut self, place: usize, clock: i64, executor: Executor, lease: Option<i64>) -> Result<bool, Refused> {
        let now = self.now(place, clock);
        let task = &mut self.tasks[place];
        match task.standing {
            Standing::Running if task.executor == executor => return Ok(false),
            Standing::Running => return Err("already_running"),
            Standing::Queued | Standing::Lost if task.cancel.is_some() => return Err("cancel_requested"),
            Standing::Queued | Standing::Lost => {}
            Standing::Succeeded | Standing::Failed | Standing::TimedOut | Standing::Cancelled => {
                return Err("already_ended");
            }
        }
        task.claim(now, clock, executor, lease);
        self.write(place, now, &["started"]);
        Ok(true)
    }

    fn fence(&self, place: usize, attempt: Option<u32>) -> Result<(), Refused> {
        let holder = self.tasks[place].attempt;
        match holder > 0 && attempt.is_some_and(|attempt| attempt != holder) {
            true => Err("fenced"),
            false => Ok(()),
        }
    }

    /// A progress or a heartbeat.
    fn say(&mut self, place: usize, clock: i64, attempt: Option<u32>, word: &Word) -> Result<(), Refused> {
        let now = self.now(place, clock);
        let mut events = Vec::new();
        if self.tasks[place].was_never_held() {
            return Err("not_started");
        }
        self.fence(place, attempt)?;
        let task = &mut self.tasks[place];
        match task.standing {
            Standing::Running => {}
            Standing::Lost => {
                task.recover();
                events.push("recovered");
            }
            Standing::Queued | Standing::Succeeded | Standing::Failed | Standing::TimedOut | Standing::Cancelled => {
                return Err("already_ended");
            }
        }
        let lease = match word {
            Word::Heartbeat { lease } => *lease,
            Word::Progress { current, waiting_on } => {
                task.current = Some(*current);
                if let Some(waiting_on) = waiting_on {
                    task.waiting_on = *waiting_on;
                }
                task.progress_at = Some(now);
                events.push("progress");
                None
            }
        };
        task.heartbeat_at = Some(now);
        task.renew(now, clock, lease);
        if task.cancel.is_some_and(|(_, told)| told.is_none()) {
            task.cancel = task.cancel.map(|(requested, _)| (requested, Some(now)));
            events.push("cancel_told");
        }
        self.write(place, now, &events);
        Ok(())
    }

    fn finish(&mut self, place: usize, clock: i64, attempt: Option<u32>, end: &End) -> Result<bool, Refused> {
        let now = self.now(place, clock);
        let mut events = Vec::new();
        let unheld = self.tasks[place].was_never_held();
        if !unheld {
            self.fence(place, attempt)?;
        }
        let task = &mut self.tasks[place];
        match task.standing {
            Standing::Queued | Standing::Lost if unheld && end.standing.has_run() => {
                task.claim(now, clock, Executor::External, None);
                // Whoever says which attempt it was is believed: the start may have been lost with the power.
                task.attempt = attempt.unwrap_or(0).max(1);
                events.push("started");
            }
            Standing::Lost if unheld => {}
            Standing::Queued | Standing::Running => {}
            Standing::Lost => {
                task.recover();
                events.push("recovered");
            }
            Standing::Succeeded | Standing::Failed | Standing::TimedOut | Standing::Cancelled => {
                return self.same_end(place, end, false);
            }
        }
        task.end(now, end.standing, end.outcome(), end.reason(false));
        events.push("finished");
        self.write(place, now, &events);
        Ok(true)
    }

    fn same_end(&self, place: usize, end: &End, settled: bool) -> Result<bool, Refused> {
        let task = &self.tasks[place];
        let recorded = (task.standing, task.outcome, task.reason);
        if recorded == (end.standing, end.outcome(), end.reason(settled)) { Ok(false) } else { Err("already_ended") }
    }

    fn settle(&mut self, place: usize, clock: i64, end: &End) -> Result<bool, Refused> {
        let now = self.now(place, clock);
        match self.tasks[place].standing {
            Standing::Queued | Standing::Running => {}
            Standing::Lost if self.same_end(place, end, true).is_ok() => return Ok(false),
            Standing::Lost => {}
            Standing::Succeeded | Standing::Failed | Standing::TimedOut | Standing::Cancelled => {
                return self.same_end(place, end, true);
            }
        }
        self.tasks[place].end(now, end.standing, end.outcome(), end.reason(true));
        self.write(place, now, &["settled"]);
        Ok(true)
    }

    fn cancel(&mut self, owner: Owner<'_>, clock: i64, lookup: &Lookup) -> Result<Value, Refused> {
        let top = self.find(owner, lookup, true)?;
        let answer = self.cancel_one(top, clock);
        let below = |place: &usize| *place != top && self.lineage(*place).contains(&top);
        let below: Vec<usize> = self.seen(owner).into_iter().filter(below).collect();
        let mut reached = Vec::new();
        for place in below.into_iter().filter(|place| !self.tasks[*place].standing.is_final()).collect::<Vec<_>>() {
            reached.push(json!({"number": place + 1, "cancel": self.cancel_one(place, clock)}));
        }
        Ok(json!({"cancel": answer, "task": self.tasks[top].view(clock), "descendants": reached, "hooks": []}))
    }

    fn cancel_one(&mut self, place: usize, clock: i64) -> &'static str {
        let now = self.now(place, clock);
        let task = &mut self.tasks[place];
        let mut events = Vec::new();
        if task.standing.is_final() {
            return "already";
        }
        if task.cancel.is_none() {
            task.cancel = Some((now, None));
            events.push("cancel_requested");
        }
        let answer = match (task.standing, task.executor.is_proved_dead()) {
            (Standing::Queued, _) => {
                task.end(now, Standing::Cancelled, None, Some("requested"));
                events.push("finished");
                "cancelled"
            }
            (standing, true) => {
                task.end(now, Standing::Cancelled, None, Some("executor_gone"));
                events.push("reaped");
                if standing == Standing::Lost { "cancelled" } else { "executor_gone" }
            }
            (Standing::Lost, false) => "already",
            (_, false) => "requested",
        };
        if !events.is_empty() {
            self.write(place, now, &events);
        }
        answer
    }

    fn maintenance(&mut self, owner: Owner<'_>, clock: i64, apply: bool) -> Value {
        let before = self.clone();
        let mut changes = Vec::new();
        for place in self.seen(owner) {
            let now = self.now(place, clock);
            let task = &mut self.tasks[place];
            let overdue = task.is_overdue(now);
            let due = match (task.standing, task.liveness(clock)) {
                (Standing::Queued, _) if task.is_expired(now) => {
                    Some((Standing::TimedOut, "queue_deadline", "expired"))
                }
                (Standing::Running, "gone") if task.cancel.is_some() => {
                    Some((Standing::Cancelled, "executor_gone", "reaped"))
                }
                (Standing::Running, "gone") if overdue => Some((Standing::TimedOut, "executor_gone", "reaped")),
                (Standing::Running, "gone") => Some((Standing::Lost, "executor_gone", "reaped")),
                (Standing::Running, "lease_expired") => Some((Standing::Lost, "lease_expired", "reaped")),
                _ => None,
            };
            if let Some((standing, reason, event)) = due {
                let from = task.standing.word();
                task.end(now, standing, None, Some(reason));
                self.write(place, now, &[event]);
                changes.push(json!({"number": place + 1, "from": from, "to": standing.word(), "reason": reason}));
            }
        }
        if !apply {
            *self = before;
        }
        json!({"applied": apply, "changes": changes})
    }

    fn wait(&self, owner: Owner<'_>, now: i64, lookups: &[Lookup], any: bool) -> Result<Value, Refused> {
        let places: Vec<usize> =
            lookups.iter().map(|lookup| self.find(owner, lookup, false)).collect::<Result<_, _>>()?;
        let mut ended = places.iter().map(|place| !self.tasks[*place].standing.is_active());
        let over = if any { ended.any(|ended| ended) } else { ended.all(|ended| ended) };
        let views: Vec<Value> = places.iter().map(|place| self.tasks[*place].view(now)).collect();
        if over { Ok(json!({ "tasks": views })) } else { Err("wait_timed_out") }
    }

    // ---- what is there at the end ---------------------------------------------------------------------------

    /// Requests that show everything, with what they must be answered with.
    pub fn inventory(&self, owner: Owner<'_>, clock: i64) -> Vec<(Value, Value)> {
        let seen = self.seen(owner);
        let views: Vec<Value> = seen.iter().rev().map(|place| self.tasks[*place].view(clock)).collect();
        let mut shown = vec![(json!({"list": {"limit": 10_000}}), json!({"ok": {"tasks": views, "next": null}}))];
        for place in &seen {
            let task = &self.tasks[*place];
            let events: Vec<Value> = task.events.iter().map(|(seq, kind)| json!({"seq": seq, "type": kind})).collect();
            shown.push((json!({"history": {"lookup": place + 1}}), json!({"ok": {"events": events}})));
        }
        let mut by_status: BTreeMap<&str, u64> = Standing::ALL.iter().map(|standing| (standing.word(), 0)).collect();
        let mut by_runtime: BTreeMap<&str, u64> = BTreeMap::new();
        let mut by_code: BTreeMap<&str, u64> = BTreeMap::new();
        for place in &seen {
            let task = &self.tasks[*place];
            *by_status.entry(task.standing.word()).or_default() += 1;
            *by_runtime.entry(task.runtime).or_default() += 1;
            if let Some(code) = task.finding(self.now(*place, clock), clock) {
                *by_code.entry(code).or_default() += 1;
            }
        }
        let issues: u64 = by_code.values().sum();
        let total = seen.len();
        shown.push((
            json!({"stats": {}}),
            json!({"ok": {"total": total, "by_status": by_status, "by_runtime": by_runtime, "issues": issues}}),
        ));
        shown.push((json!({"audit": {}}), json!({"ok": {"summary": {"total": issues, "by_code": by_code}}})));
        shown.push((json!({"verify": {}}), json!({"ok": {"ok": true, "tasks": total}})));
        shown
    }
}
