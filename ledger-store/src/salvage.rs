//! Bringing back what was acknowledged when the file was replaced under an open handle.
//!
//! A second SQLite in the same process that closes the ledger drops our locks; the last closer then deletes the `-wal`
//! that we go on writing to. Every commit is checked before it is acknowledged, so this is what one call, or calls
//! that were in flight together, left in a file without a name. Our old connection still reads it.

use crate::find::{self, Key, Scope};
use crate::flows;
use crate::prune;
use crate::record::{self, stored_number};
use crate::row::{self, Moving, Stored};
use crate::sqlite::Failure;
use bgledger_core::{Event, EventKind, Millis, Report, Seq, TaskNumber, evolve};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::BTreeMap;

/// How far back before the event that was last noted a WAL that was deleted may have gone: more than one holds before it
/// is checkpointed.
pub(crate) const REACH: u64 = 100_000;

/// The newest part of the history as the old connection has it.
#[derive(Debug)]
pub(crate) struct Wreck {
    /// Only what came after it is here.
    after: u64,
    events: Vec<Lost>,
    tasks: BTreeMap<TaskNumber, Stored>,
    policy: Vec<Policy>,
    answers: Vec<Answer>,
    flows: Vec<flows::Stored>,
}

/// A row of `config`.
type Policy = (String, Option<String>, i64);

/// A notice that somebody answered, by its task's id: `seq`, recipient, state, attempts, reason.
type Answer = ([u8; 16], i64, String, u8, u32, Option<String>);

#[derive(Debug)]
struct Lost {
    seq: Seq,
    task: TaskNumber,
    at: Millis,
    kind: u8,
    data: Option<String>,
}

impl Lost {
    fn said(&self) -> Said {
        (self.at, self.kind, self.data.clone())
    }
}

/// Reads what the old connection has after an event, before it is closed.
pub(crate) fn gather(sql: &Connection, after: u64) -> Result<Wreck, Failure> {
    let mut statement = sql.prepare("SELECT seq, task, at, kind, data FROM event WHERE seq > ?1 ORDER BY seq")?;
    let mut rows = statement.query([stored_number(after)?])?;
    let (mut events, mut tasks) = (Vec::new(), BTreeMap::new());
    while let Some(row) = rows.next()? {
        let (seq, task, at): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let task = TaskNumber(u64::try_from(task).unwrap_or(0));
        events.push(Lost {
            seq: Seq(u64::try_from(seq).unwrap_or(0)),
            task,
            at: Millis::clamped(at),
            kind: row.get(3)?,
            data: row.get(4)?,
        });
        if let std::collections::btree_map::Entry::Vacant(place) = tasks.entry(task)
            && let Some(stored) = find::by_number(sql, task, Scope(None))?
        {
            place.insert(stored);
        }
    }
    let mut statement = sql.prepare("SELECT key, value, revision FROM config")?;
    let policy =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
    let answered = "SELECT task.id, notice.seq, recipient, state, attempts, notice.reason
        FROM notice JOIN task ON task.number = notice.task WHERE state > 2 AND task.last_event > ?1";
    let mut statement = sql.prepare(answered)?;
    let answers = statement.query_map([stored_number(after)?], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
    })?;
    let answers = answers.collect::<Result<_, _>>()?;
    Ok(Wreck { after, events, tasks, policy, answers, flows: flows::gather(sql, after)? })
}

/// Records again, in the order in which they happened, every event that the ledger has not: at the same place, unless
/// others came between. Whoever else brought the same back has done so already, and nothing is told twice.
pub(crate) fn bring_back(sql: &Connection, wreck: &Wreck) -> Result<(), Failure> {
    let mut tasks = BTreeMap::new();
    let mut next = wreck.tasks.keys().map(|number| number.0 + 1).max().unwrap_or(0).max(record::next_number(sql)?.0);
    let mut of_task: BTreeMap<TaskNumber, Vec<&Lost>> = BTreeMap::new();
    wreck.events.iter().for_each(|lost| of_task.entry(lost.task).or_default().push(lost));
    for (number, old) in &wreck.tasks {
        // What others have pruned meanwhile is over.
        if prune::is_pruned(sql, old.task.id)? {
            continue;
        }
        let lost = of_task.get(number).map_or(&[][..], Vec::as_slice);
        let returning = Returning::of(sql, old, lost, wreck.after, &mut next)?;
        tasks.insert(*number, returning);
    }
    let mut moved = BTreeMap::new();
    for lost in &wreck.events {
        if let Some(returning) = tasks.get_mut(&lost.task)
            && !returning.has(lost)
            && !returning.is_settled()
        {
            moved.insert(lost.seq, returning.append(sql, lost)?);
        }
    }
    for returning in tasks.into_values() {
        returning.write(sql)?;
    }
    let newer = "INSERT INTO config VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
        SET value = excluded.value, revision = excluded.revision WHERE excluded.revision > revision";
    for policy in &wreck.policy {
        sql.prepare_cached(newer)?.execute((&policy.0, &policy.1, policy.2))?;
    }
    wreck.flows.iter().try_for_each(|flow| flows::bring_back(sql, flow))?;
    // What was answered is not asked again, wherever its event is now.
    let answered = "UPDATE notice SET state = ?4, attempts = ?5, reason = ?6
        WHERE task = (SELECT number FROM task WHERE id = ?1) AND seq = ?2 AND recipient = ?3 AND state <= 2";
    for (id, seq, recipient, state, attempts, reason) in &wreck.answers {
        let was = Seq(u64::try_from(*seq).unwrap_or(0));
        let seq = stored_number(moved.get(&was).copied().unwrap_or(was).0)?;
        sql.prepare_cached(answered)?.execute((id, seq, recipient, state, attempts, reason))?;
    }
    Ok(())
}

/// What an event says, apart from its place.
type Said = (Millis, u8, Option<String>);

/// A task whose lost events return.
struct Returning<'a> {
    old: &'a Stored,
    stored: Stored,
    /// The row as the ledger has it, and its revision; `None`: the ledger has not the task.
    there: Option<(Moving, u64)>,
    /// The newest events that the ledger has of it, each as often as it has it.
    present: BTreeMap<Said, usize>,
    /// Whether others have gone on with the task: the ledger has events of it that we never saw.
    has_moved_on: bool,
    returned: usize,
    /// When it was imported: what was recorded then owes no notice.
    imported_at: Option<Millis>,
}

impl<'a> Returning<'a> {
    fn of(
        sql: &Connection,
        old: &'a Stored,
        lost: &[&Lost],
        after: u64,
        next: &mut u64,
    ) -> Result<Returning<'a>, Failure> {
        let mut present: BTreeMap<Said, usize> = BTreeMap::new();
        let (stored, there) = match find::by_id(sql, old.task.id, Scope(None))? {
            Some(stored) => {
                for said in chain(sql, &stored, after)? {
                    *present.entry(said).or_default() += 1;
                }
                let there = (row::before(sql, &stored)?, stored.task.revision);
                (stored, Some(there))
            }
            None => {
                let number = match find::by_number(sql, old.task.number, Scope(None))? {
                    None => old.task.number,
                    Some(_) => {
                        *next += 1;
                        TaskNumber(*next - 1)
                    }
                };
                (Stored { task: Box::new(old.task.before_history(number)), last_event: Seq(0) }, None)
            }
        };
        let mut unseen = present.clone();
        for lost in lost {
            if let Some(count) = unseen.get_mut(&lost.said()) {
                *count = count.saturating_sub(1);
            }
        }
        let has_moved_on = unseen.values().any(|count| *count > 0);
        Ok(Returning { old, stored, there, present, has_moved_on, returned: 0, imported_at: None })
    }

    /// Whether the ledger has an event, which counts for one.
    fn has(&mut self, lost: &Lost) -> bool {
        match self.present.get_mut(&lost.said()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Whether others have ended the task for good meanwhile: what is final never changes, and theirs is what everybody
    /// was told.
    fn is_settled(&self) -> bool {
        self.has_moved_on && self.stored.task.status.is_final()
    }

    fn append(&mut self, sql: &Connection, lost: &Lost) -> Result<Seq, Failure> {
        let event = Event::from_stored(lost.kind, lost.data.as_deref());
        self.stored.last_event = record::append(sql, &self.stored, lost.kind, lost.at, lost.data.as_deref())?;
        *self.stored.task = evolve((*self.stored.task).clone(), &event, lost.at);
        let said = Report::of(&self.old.task);
        if event.ending().is_some_and(|ending| ending.checksum.is_some() && ending.checksum == said.checksum()) {
            *self.stored.task = self.stored.task.clone().saying(said);
        }
        if self.old.task.origin.is_some() && event.kind() == Some(EventKind::Created) {
            self.imported_at = Some(lost.at);
        }
        if self.imported_at != Some(lost.at) {
            record::notices(sql, &self.stored.task, &[event], &[self.stored.last_event], lost.at)?;
        }
        self.returned += 1;
        Ok(self.stored.last_event)
    }

    /// Writes the row: as it was, if nobody has gone on with the task meanwhile.
    fn write(mut self, sql: &Connection) -> Result<(), Failure> {
        let is_older = self.there.as_ref().is_none_or(|(_, revision)| *revision < self.old.task.revision);
        match (!self.has_moved_on && is_older, self.returned) {
            (true, _) => {
                let number = self.stored.task.number;
                *self.stored.task = bgledger_core::Task { number, ..(*self.old.task).clone() };
            }
            (false, 0) => return Ok(()),
            (false, _) => self.stored.task.revision += 1,
        }
        match self.there {
            Some((before, revision)) => row::update(sql, &before, &self.stored, revision)?,
            None => {
                // Whoever asked again with the same key has a task of theirs under it by now.
                let task = &mut self.stored.task;
                if let Some(key) = &task.key
                    && find::by_key(sql, &Key::Given(key), &task.owner)?.is_some()
                {
                    task.key = None;
                }
                row::insert(sql, &self.stored)?;
            }
        }
        Ok(())
    }
}

/// What a task's events after a place say.
fn chain(sql: &Connection, stored: &Stored, after: u64) -> Result<Vec<Said>, Failure> {
    let mut statement = sql.prepare_cached("SELECT prev, at, kind, data FROM event WHERE seq = ?1 AND seq > ?2")?;
    let (mut said, mut seq) = (Vec::new(), stored_number(stored.last_event.0)?);
    let after = stored_number(after)?;
    loop {
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        let found: Option<(i64, i64, u8, Option<String>)> = statement.query_row((seq, after), read).optional()?;
        match found {
            Some((prev, at, kind, data)) if prev < seq => {
                said.push((Millis::clamped(at), kind, data));
                seq = prev;
            }
            Some(_) | None => return Ok(said),
        }
    }
}
