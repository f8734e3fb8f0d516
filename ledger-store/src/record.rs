//! One command on one task inside a transaction: load, decide, append events, write the row, write the notices owed.

use crate::config;
use crate::flows;
use crate::prune::{self, Series};
use crate::row::{self, Stored};
use crate::sqlite::Failure;
use crate::world::World;
use bgledger_core::{
    Answer, Birth, Command, Delivery, Error, Event, EventKind, Evidence, HistoryEvent, Import, Liveness, Millis,
    Moment, Recipient, SILENCED, Seq, Subscriber, Task, TaskId, TaskNumber, TaskView, decide, decide_import, evolve,
    judge, owed, pace, planted,
};
use rusqlite::{Connection, OptionalExtension};

/// A task after a command, and what the command came to.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) stored: Stored,
    pub(crate) answer: Answer,
    /// Whether the row was written.
    pub(crate) wrote: bool,
}

/// Records a new task, or finds the one that has its key.
pub(crate) fn create(
    sql: &Connection,
    existing: Option<Stored>,
    birth: Birth,
    id: TaskId,
    at: &Moment,
) -> Result<Recorded, Failure> {
    let command = Command::Create(birth);
    let decision = decide(existing.as_ref().map(|stored| &*stored.task), &command, at)?;
    match (existing, command) {
        (Some(stored), _) => Ok(Recorded { stored, answer: decision.answer, wrote: false }),
        (None, Command::Create(birth)) => {
            let number = next_number(sql)?;
            let unborn = Stored { task: Box::new(Task::unborn(number, id, &birth)), last_event: Seq(0) };
            let stored = apply(sql, unborn, &decision.events, at.now)?;
            row::insert(sql, &stored)?;
            Ok(Recorded { stored, answer: decision.answer, wrote: true })
        }
        (None, _) => Err(Error::internal("a creation that is none").into()),
    }
}

/// Records a task with its history from elsewhere, in one transition.
pub(crate) fn import(sql: &Connection, import: &Import, id: TaskId, at: &Moment) -> Result<Stored, Failure> {
    let events = decide_import(import, at)?;
    let unborn = Task::unborn(next_number(sql)?, id, &import.birth);
    let unborn = Stored { task: Box::new(unborn), last_event: Seq(0) };
    let stored = apply(sql, unborn, &events, at.now)?;
    row::insert(sql, &stored)?;
    Ok(stored)
}

/// Carries out a command on a loaded task.
pub(crate) fn command(sql: &Connection, stored: Stored, command: &Command, at: &Moment) -> Result<Recorded, Failure> {
    let now = at.now.max(stored.task.updated_at);
    let decision = decide(Some(&stored.task), command, at)?;
    if decision.events.is_empty() {
        return Ok(Recorded { stored, answer: decision.answer, wrote: false });
    }
    let revision = stored.task.revision;
    let before = row::before(sql, &stored)?;
    let stored = apply(sql, stored, &decision.events, now)?;
    row::update(sql, &before, &stored, revision)?;
    if let Some(flow) = stored.task.flow.filter(|_| !stored.task.status.is_active()) {
        flows::settled(sql, flow, now)?;
    }
    Ok(Recorded { stored, answer: decision.answer, wrote: true })
}

/// Appends events and the notices they owe; the task is evolved, its row not yet written.
fn apply(sql: &Connection, stored: Stored, events: &[Event], now: Millis) -> Result<Stored, Failure> {
    let Stored { mut task, mut last_event } = stored;
    let mut seqs = Vec::with_capacity(events.len());
    for event in events {
        *task = evolve(*task, event, now);
        if let Some(kind) = event.kind() {
            let stored = Stored { task, last_event };
            last_event = append(sql, &stored, kind as u8, now, event.data().as_deref())?;
            task = stored.task;
        }
        seqs.push(last_event);
    }
    task.revision += 1;
    if planted("two_transactions") {
        sql.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
    }
    notices(sql, &task, events, &seqs, now)?;
    Ok(Stored { task, last_event })
}

/// Appends one event to a task's chain and gives its place.
pub(crate) fn append(
    sql: &Connection,
    stored: &Stored,
    kind: u8,
    at: Millis,
    data: Option<&str>,
) -> Result<Seq, Failure> {
    let insert = concat!(
        "INSERT INTO event (seq, task, prev, at, kind, data) VALUES (",
        prune::next_seq!(),
        ", ?1, ?2, ?3, ?4, ?5)"
    );
    let (task, prev) = (stored_number(stored.task.number.0)?, stored_number(stored.last_event.0)?);
    sql.prepare_cached(insert)?.execute((task, prev, at.get(), kind, data))?;
    let seq = u64::try_from(sql.last_insert_rowid()).map_err(|_| Error::internal("a negative seq"))?;
    Ok(Seq(seq))
}

/// Writes the notices that events owe, and withdraws older ones that nobody claimed.
pub(crate) fn notices(
    sql: &Connection,
    task: &Task,
    events: &[Event],
    seqs: &[Seq],
    now: Millis,
) -> Result<(), Failure> {
    let number = stored_number(task.number.0)?;
    let heard = "SELECT 1 FROM notice WHERE task = ?1 AND state IN (2, 3) LIMIT 1";
    let told = events.contains(&Event::Recovered) && sql.prepare_cached(heard)?.exists([number])?;
    let owed = owed(task, events, told);
    if owed.withdraws {
        sql.prepare_cached("DELETE FROM notice WHERE task = ?1 AND state = 1")?.execute([number])?;
    }
    if owed.silences {
        let dismiss = "UPDATE notice SET state = 4, reason = ?2 WHERE task = ?1 AND state = 1";
        sql.prepare_cached(dismiss)?.execute((number, SILENCED))?;
    }
    if owed.events.is_empty() {
        return Ok(());
    }
    let subscribers = config::subscribers(sql)?;
    let subscribed = subscribers.iter().filter(|subscriber| subscriber.filter.fits(task));
    let recipients: Vec<Recipient> =
        std::iter::once(Recipient::of(task)).chain(subscribed.map(Subscriber::recipient)).collect();
    for place in owed.events {
        let (Some(seq), Some(kind)) = (seqs.get(place), events.get(place).and_then(Event::kind)) else { continue };
        for recipient in &recipients {
            let is_progress = kind == EventKind::Progress;
            let owed_at = if is_progress { paced(sql, number, recipient, now)? } else { now };
            sql.prepare_cached(
                "INSERT INTO notice (task, seq, recipient, kind, generation, state, owed_at, due_at, known)
                    VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?6, EXISTS (SELECT 1 FROM recipient WHERE name = ?3))",
            )?
            .execute((
                number,
                stored_number(seq.0)?,
                &recipient.0,
                kind as u8,
                task.generation,
                owed_at.get(),
            ))?;
        }
    }
    Ok(())
}

/// When a notice of progress is due; the one that still waits is withdrawn for it.
fn paced(sql: &Connection, task: i64, recipient: &Recipient, now: Millis) -> Result<Millis, Failure> {
    let newest = "SELECT owed_at, state = 1 AND attempts = 0, seq FROM notice
        WHERE task = ?1 AND recipient = ?2 AND kind = 3 ORDER BY seq DESC LIMIT 1";
    let read = |row: &rusqlite::Row<'_>| Ok((Millis::clamped(row.get(0)?), row.get(1)?, row.get(2)?));
    let before: Option<(Millis, bool, i64)> =
        sql.prepare_cached(newest)?.query_row((task, &recipient.0), read).optional()?;
    let (owed_at, withdraws) = pace(before.map(|(at, waits, _)| (at, waits)), config::progress_interval(sql)?, now);
    if let Some((_, _, seq)) = before.filter(|_| withdraws) {
        sql.prepare_cached("DELETE FROM notice WHERE task = ?1 AND seq = ?2 AND recipient = ?3")?.execute((
            task,
            seq,
            &recipient.0,
        ))?;
    }
    Ok(owed_at)
}

/// The number of the next task.
pub(crate) fn next_number(sql: &Connection) -> Result<TaskNumber, Failure> {
    prune::next(sql, Series::Tasks).map(TaskNumber)
}

pub(crate) fn stored_number(number: u64) -> Result<i64, Failure> {
    i64::try_from(number).map_err(|_| Failure::Damaged("a number that no ledger reaches".into()))
}

/// A number that somebody names: one that is too large for any record stands behind all of them.
pub(crate) fn named_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

// ---- telling ------------------------------------------------------------------------------------------------

/// A task as it is told: with its notices' delivery and its executor's liveness.
pub(crate) fn view(sql: &Connection, task: Box<Task>, world: World, at: &Moment) -> Result<TaskView, Failure> {
    let delivery = delivery(sql, task.number)?;
    let liveness = (task.status == bgledger_core::Status::Running).then(|| liveness(&task, world, at).as_str());
    Ok(TaskView { task, delivery, liveness })
}

/// What is known of a task's executor.
pub(crate) fn liveness(task: &Task, world: World, at: &Moment) -> Liveness {
    judge(task, &world.observe(task), at)
}

/// Whether something of a dead executor's process group may still run.
pub(crate) fn group_survives(task: &Task, evidence: &Evidence, world: World) -> bool {
    let group = task.executor.as_ref().and_then(|executor| executor.group);
    match (group, evidence, world) {
        (None, _, _) | (_, Evidence::Rebooted { .. }, _) | (_, _, World::Scripted(_)) => false,
        (Some(group), _, World::Real) => crate::platform::group_is_alive(group.id, group.started) != Some(false),
    }
}

fn delivery(sql: &Connection, number: TaskNumber) -> Result<Delivery, Failure> {
    let query = "SELECT min(CASE state WHEN 1 THEN 1 WHEN 2 THEN 1 WHEN 5 THEN 2 WHEN 3 THEN 3 ELSE 4 END)
                 FROM notice WHERE task = ?1";
    let state: Option<i64> = sql.prepare_cached(query)?.query_row([stored_number(number.0)?], |row| row.get(0))?;
    Ok(match state {
        Some(1) => Delivery::Pending,
        Some(2) => Delivery::Failed,
        Some(3) => Delivery::Delivered,
        Some(_) => Delivery::Dismissed,
        None => Delivery::NotApplicable,
    })
}

/// A task's events after a `seq`, oldest first: the chain is walked back from its newest.
pub(crate) fn history(sql: &Connection, stored: &Stored, after: Seq) -> Result<Vec<HistoryEvent>, Failure> {
    let mut statement = sql.prepare_cached("SELECT prev, at, kind, data, task FROM event WHERE seq = ?1")?;
    let mut events = Vec::new();
    let mut seq = stored.last_event;
    while seq > after {
        let link = statement
            .query_row([stored_number(seq.0)?], |row| {
                let (prev, at, kind): (i64, i64, u8) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let (data, task): (Option<String>, i64) = (row.get(3)?, row.get(4)?);
                Ok((prev, Millis::clamped(at), Event::from_stored(kind, data.as_deref()), task))
            })
            .optional()?;
        let number = stored.task.number;
        let Some((prev, at, event, task)) = link else {
            return Err(Failure::Damaged(format!("event {} of {number} is missing", seq.0)));
        };
        let prev = u64::try_from(prev).unwrap_or(u64::MAX);
        if prev >= seq.0 || u64::try_from(task).ok() != Some(number.0) {
            return Err(Failure::Damaged(format!("event {} does not belong to {number}", seq.0)));
        }
        events.push(HistoryEvent { seq, at, number, id: stored.task.id, event });
        seq = Seq(prev);
    }
    events.reverse();
    Ok(events)
}
