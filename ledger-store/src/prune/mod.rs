//! Retention: what ended long enough ago goes, whole (a task with its events, its notices and the flow that mirrors
//! it), and leaves a thin tombstone, so that *pruned* is not *never existed*.
//!
//! A task stays as long as it has children or its flow goes on, and while a consumer holds a notice of it. Notices that
//! nobody claimed in time become dead letters, which carry what they need and outlive their task.

mod surplus;
mod tombstone;

use surplus::Surplus;
use tombstone::bury_flow;
pub(crate) use tombstone::{Buried, Series, buried, flow_tombstone, is_pruned, next, next_of, next_seq, tombstone};

use crate::caller::{Caller, Written};
use crate::config;
use crate::find::{self, Scope};
use crate::notices;
use crate::record::stored_number;
use crate::sqlite::Failure;
use crate::sweep;
use bgledger_core::retention::{Keep, LETTERS, Retention, TOMBSTONES};
use bgledger_core::{
    FlowStatus, Millis, Moment, Prune, PruneReport, Response, Seq, Status, TaskId, TaskNumber, planted,
};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::{BTreeMap, BTreeSet};

/// Tasks that one look finds due: more are found by the next.
pub(crate) const LOOK: usize = 10_000;
/// Tasks, flows, letters and tombstones that one transaction removes.
pub(crate) const BATCH: usize = 100;
/// Free pages that stay in the file, besides a twentieth of it: what is written next needs no new ones.
const SPARE_PAGES: i64 = 256;

/// The newest event that was pruned of what the caller may see.
pub(crate) fn newest(sql: &Connection, scope: Scope<'_>) -> Result<Seq, Failure> {
    let key = scope.0.map_or_else(|| ANYBODYS.to_owned(), of_owner);
    let query = "SELECT coalesce((SELECT value FROM meta WHERE key = ?1), 0)";
    let seq: i64 = sql.prepare_cached(query)?.query_row([key], |row| row.get(0))?;
    Ok(Seq(u64::try_from(seq).unwrap_or(0)))
}

const ANYBODYS: &str = "pruned_seq";

fn of_owner(owner: &str) -> String {
    format!("{ANYBODYS}/{owner}")
}

// ---- what is due --------------------------------------------------------------------------------------------

/// By what tasks go: the ledger's policy, or one length of time for all of them.
pub(crate) struct Policy {
    retention: Retention,
    older_than: Option<Keep>,
    count: Option<u64>,
    of_runtimes: BTreeMap<String, u64>,
    bytes: Option<u64>,
}

impl Policy {
    pub(crate) fn of(sql: &Connection, request: &Prune) -> Result<Policy, Failure> {
        let older_than = request.older_than.map(Keep::For);
        let ((count, bytes), of_runtimes) = match older_than {
            Some(_) => ((None, None), BTreeMap::new()),
            None => (config::most(sql)?, config::most_of_runtimes(sql)?),
        };
        Ok(Policy { retention: config::retention(sql)?, older_than, count, of_runtimes, bytes })
    }

    fn keep(&self, runtime: &str, kind: Option<&str>, status: Status) -> Keep {
        self.older_than.unwrap_or_else(|| self.retention.keep(runtime, kind, status))
    }

    fn keep_flows(&self) -> Keep {
        self.older_than.unwrap_or_else(|| self.retention.keep_flows())
    }
}

/// Ended tasks that share a retention.
pub(crate) struct Group {
    pub(crate) runtime: String,
    pub(crate) kind: Option<String>,
    pub(crate) status: Status,
}

/// The test of a kind that is `?2`. An index is entered by `=` and by `IS NULL`, not by `IS` a value.
pub(crate) fn is_kind(kind: &Option<String>) -> &'static str {
    if kind.is_some() { "kind = ?2" } else { "kind IS NULL AND ?2 IS NULL" }
}

/// The groups that there may be: every end of each kind of each runtime, which are found by one step in the index each.
/// No more are looked for once there are more than `most`.
pub(crate) fn groups(sql: &Connection, most: usize) -> Result<Vec<Group>, Failure> {
    let first = "SELECT runtime, kind FROM task INDEXED BY task_ended WHERE status > 2 ORDER BY runtime, kind LIMIT 1";
    // NULL comes before every text, and no text before the empty one.
    let next_kind = |from: &str| {
        format!(
            "SELECT runtime, kind FROM task INDEXED BY task_ended
                WHERE status > 2 AND runtime = ?1 AND kind {from} ORDER BY kind LIMIT 1"
        )
    };
    let (any_kind, later_kind) = (next_kind(">= ''"), next_kind("> ?2"));
    let next_runtime = "SELECT runtime, kind FROM task INDEXED BY task_ended
        WHERE status > 2 AND runtime > ?1 ORDER BY runtime, kind LIMIT 1";
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?));
    let mut found = Vec::new();
    let mut at = sql.prepare_cached(first)?.query_row([], read).optional()?;
    while let Some((runtime, kind)) = at.take_if(|_| found.len() <= most) {
        at = match &kind {
            None => sql.prepare_cached(&any_kind)?.query_row([&runtime], read).optional()?,
            Some(kind) => sql.prepare_cached(&later_kind)?.query_row((&runtime, kind), read).optional()?,
        };
        if at.is_none() {
            at = sql.prepare_cached(next_runtime)?.query_row([&runtime], read).optional()?;
        }
        for status in Status::ALL.into_iter().filter(|status| !status.is_active()) {
            found.push(Group { runtime: runtime.clone(), kind: kind.clone(), status });
        }
    }
    Ok(found)
}

/// A task that may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    ended: i64,
    number: TaskNumber,
    id: TaskId,
}

const HAS_NO_LIVE_FLOW: &str = if planted("prune_live_flow") { "true" } else { FLOW_IS_OVER };
const FLOW_IS_OVER: &str =
    "(flow IS NULL OR NOT EXISTS (SELECT 1 FROM flow AS f WHERE f.id = task.flow AND f.mirrors IS NULL
        AND f.ended_at IS NULL))";
const IS_HELD_BY_NOBODY: &str =
    "NOT EXISTS (SELECT 1 FROM notice WHERE notice.task = task.number AND notice.state = 2 AND notice.due_at > ?1)";

/// Of every task that is due, or of those that have no children, which can go at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scan {
    Whole,
    Leaves(usize),
}

/// The oldest tasks that are due, by age, count and size.
fn due(sql: &Connection, policy: &Policy, scan: Scan, caller: &Caller, at: &Moment) -> Result<BTreeSet<Due>, Failure> {
    let (most, is_leaf) = match scan {
        Scan::Whole => (usize::MAX, "true"),
        Scan::Leaves(most) => (most, "NOT EXISTS (SELECT 1 FROM task AS child WHERE child.parent = task.id)"),
    };
    let (mut all, mut by_age) = (BTreeSet::new(), BTreeSet::new());
    let mut of_runtimes: BTreeMap<String, BTreeSet<Due>> = BTreeMap::new();
    let surplus = Surplus::of(sql, policy, caller)?;
    let query = |kind: &Option<String>| {
        let is_kind = is_kind(kind);
        format!(
            "SELECT updated_at, number, id FROM task INDEXED BY task_ended
            WHERE status > 2 AND runtime = ?3 AND {is_kind} AND status = ?4 AND updated_at <= ?5
                AND (?6 IS NULL OR owner = ?6) AND {HAS_NO_LIVE_FLOW} AND {IS_HELD_BY_NOBODY} AND {is_leaf} ORDER BY updated_at LIMIT ?7"
        )
    };
    for group in groups(sql, usize::MAX)? {
        let cutoff = policy.keep(&group.runtime, group.kind.as_deref(), group.status).cutoff(at.now);
        let take = |until: Millis, most: usize, into: &mut BTreeSet<Due>| -> Result<(), Failure> {
            let mut statement = sql.prepare_cached(&query(&group.kind))?;
            let (code, most) = (group.status as u8, i64::try_from(most).unwrap_or(i64::MAX));
            let values = (at.now.get(), &group.kind, &group.runtime, code, until.get(), caller.scope().0, most);
            let mut rows = statement.query(values)?;
            while let Some(row) = rows.next()? {
                let number = TaskNumber(u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0));
                into.insert(Due { ended: row.get(0)?, number, id: TaskId::from_bytes(row.get(2)?) });
            }
            Ok(())
        };
        if let Some(cutoff) = cutoff {
            take(cutoff, most, &mut by_age)?;
        }
        if surplus.all > 0 {
            take(at.now, surplus.all.min(most), &mut all)?;
        }
        let of_runtime = surplus.of_runtime(&group.runtime);
        if of_runtime > 0 {
            take(at.now, of_runtime.min(most), of_runtimes.entry(group.runtime.clone()).or_default())?;
        }
    }
    let of_runtimes =
        of_runtimes.into_iter().flat_map(|(runtime, due)| due.into_iter().take(surplus.of_runtime(&runtime)));
    let more = all.into_iter().take(surplus.all).chain(of_runtimes);
    Ok(by_age.into_iter().chain(more).take(most).collect())
}

/// Takes out whoever has a child that stays.
fn drop_parents(sql: &Connection, due: &mut BTreeSet<Due>) -> Result<(), Failure> {
    let mut statement = sql.prepare_cached("SELECT number FROM task WHERE parent = ?1")?;
    let mut going: BTreeSet<TaskNumber> = due.iter().map(|task| task.number).collect();
    loop {
        let mut staying = Vec::new();
        for task in due.iter() {
            let mut rows = statement.query([task.id.as_bytes().as_slice()])?;
            while let Some(row) = rows.next()? {
                let child = TaskNumber(u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0));
                if !going.contains(&child) {
                    staying.push(*task);
                    break;
                }
            }
        }
        if staying.is_empty() {
            return Ok(());
        }
        for task in staying {
            due.remove(&task);
            going.remove(&task.number);
        }
    }
}

/// Flows that ended long enough ago and have no tasks but those that go, at most so many.
fn due_flows(
    sql: &Connection,
    policy: &Policy,
    going: &BTreeSet<TaskNumber>,
    most: usize,
    caller: &Caller,
    at: &Moment,
) -> Result<Vec<i64>, Failure> {
    let Some(cutoff) = policy.keep_flows().cutoff(at.now) else { return Ok(Vec::new()) };
    let query = "SELECT number, id FROM flow INDEXED BY flow_ended
        WHERE ended_at IS NOT NULL AND updated_at <= ?1 AND (?2 IS NULL OR owner = ?2) ORDER BY updated_at";
    let mut statement = sql.prepare_cached(query)?;
    let mut of_flow = sql.prepare_cached("SELECT number FROM task WHERE flow = ?1")?;
    let mut rows = statement.query((cutoff.get(), caller.scope().0))?;
    let mut due = Vec::new();
    while due.len() < most
        && let Some(row) = rows.next()?
    {
        let id: [u8; 16] = row.get(1)?;
        let mut tasks = of_flow.query([id.as_slice()])?;
        let mut is_empty = true;
        while let (true, Some(task)) = (is_empty, tasks.next()?) {
            is_empty = going.contains(&TaskNumber(u64::try_from(task.get::<_, i64>(0)?).unwrap_or(0)));
        }
        if is_empty {
            due.push(row.get(0)?);
        }
    }
    Ok(due)
}

const LETTERS_DUE: &str = "letter IS NOT NULL AND due_at <= ?1";
const TOMBSTONES_DUE: &str = "pruned_at <= ?1";

/// What would go.
pub(crate) fn preview(sql: &Connection, request: &Prune, caller: &Caller, at: &Moment) -> Result<PruneReport, Failure> {
    if let Some(held) = sweep::jump(sql, at)? {
        return Ok(PruneReport { held: Some(held), ..PruneReport::default() });
    }
    let policy = Policy::of(sql, request)?;
    let mut due = due(sql, &policy, Scan::Whole, caller, at)?;
    drop_parents(sql, &mut due)?;
    let mut report = PruneReport { tasks: due.len() as u64, ..PruneReport::default() };
    let mut unclaimed = sql.prepare_cached("SELECT count(*) FROM notice WHERE task = ?1 AND state <= 2")?;
    for task in &due {
        let number = stored_number(task.number.0)?;
        report.events += chain(sql, number)?.len() as u64;
        report.unclaimed += count(unclaimed.query_row([number], |row| row.get(0))?);
        report.flows += u64::from(mirror(sql, task.id)?.is_some());
    }
    let going = due.iter().map(|task| task.number).collect();
    report.flows += due_flows(sql, &policy, &going, usize::MAX, caller, at)?.len() as u64;
    if caller.owner.is_none() {
        let of = |table: &str, test: &str, keep: bgledger_core::Span| -> Result<u64, Failure> {
            let query = format!("SELECT count(*) FROM {table} WHERE {test}");
            Ok(count(sql.prepare_cached(&query)?.query_row([at.now.minus(keep).get()], |row| row.get(0))?))
        };
        report.letters = of("notice", LETTERS_DUE, LETTERS)?;
        report.tombstones =
            of("tombstone", TOMBSTONES_DUE, TOMBSTONES)? + of("flow_tombstone", TOMBSTONES_DUE, TOMBSTONES)?;
    }
    Ok(report)
}

/// At most so many of the oldest that can go at once, for [`prune`].
pub(crate) fn look(
    sql: &Connection,
    request: &Prune,
    most: usize,
    caller: &Caller,
    at: &Moment,
) -> Result<Vec<TaskNumber>, Failure> {
    if sweep::jump(sql, at)?.is_some() {
        return Ok(Vec::new());
    }
    let due = due(sql, &Policy::of(sql, request)?, Scan::Leaves(most), caller, at)?;
    Ok(due.into_iter().map(|task| task.number).collect())
}

// ---- removing -----------------------------------------------------------------------------------------------

/// Removes those of a look that are still due, and what outlived its time besides.
pub(crate) fn prune(
    sql: &Connection,
    request: &Prune,
    batch: &[TaskNumber],
    caller: &Caller,
    at: &Moment,
) -> Result<Written, Failure> {
    let report = apply(sql, request, batch, true, caller, at)?;
    let wrote = report != PruneReport { applied: true, ..PruneReport::default() } && report.held.is_none();
    Ok(Written { response: Response::Prune(report), wrote })
}

/// The same for a sweep, which leaves some pages free.
pub(crate) fn apply(
    sql: &Connection,
    request: &Prune,
    batch: &[TaskNumber],
    gives_all_back: bool,
    caller: &Caller,
    at: &Moment,
) -> Result<PruneReport, Failure> {
    if let Some(held) = sweep::jump(sql, at)? {
        return Ok(PruneReport { held: Some(held), ..PruneReport::default() });
    }
    let policy = Policy::of(sql, request)?;
    let mut report = PruneReport { applied: true, ..PruneReport::default() };
    let mut surplus = Surplus::of(sql, &policy, caller)?;
    for number in batch {
        if let Some(task) = still_due(sql, *number, &policy, &surplus, caller, at)? {
            remove(sql, &task, &mut report, at)?;
            surplus.went(&task.runtime);
        }
    }
    for number in due_flows(sql, &policy, &BTreeSet::new(), BATCH, caller, at)? {
        bury_flow(sql, number, None, at)?;
        report.flows += 1;
    }
    if caller.owner.is_none() {
        let some = |table: &str, key: &str, test: &str, keep: bgledger_core::Span| -> Result<u64, Failure> {
            let query =
                format!("DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {test} LIMIT {BATCH})");
            Ok(sql.prepare_cached(&query)?.execute([at.now.minus(keep).get()])? as u64)
        };
        report.letters = some("notice", "task, seq, recipient", LETTERS_DUE, LETTERS)?;
        report.tombstones = some("tombstone", "number", TOMBSTONES_DUE, TOMBSTONES)?
            + some("flow_tombstone", "number", TOMBSTONES_DUE, TOMBSTONES)?;
        // Who claims again is known again.
        some("recipient", "name", "claimed_at <= ?1", TOMBSTONES)?;
    }
    give_back(sql, gives_all_back)?;
    Ok(report)
}

/// A task as [`remove`] needs it.
struct Going {
    number: i64,
    id: TaskId,
    owner: String,
    runtime: String,
    status: Status,
    ended_at: Millis,
}

fn still_due(
    sql: &Connection,
    number: TaskNumber,
    policy: &Policy,
    surplus: &Surplus,
    caller: &Caller,
    at: &Moment,
) -> Result<Option<Going>, Failure> {
    let query = format!(
        "SELECT id, runtime, kind, status, updated_at, ended_at, owner FROM task WHERE number = ?2 AND status > 2
            AND (?3 IS NULL OR owner = ?3) AND {HAS_NO_LIVE_FLOW} AND {IS_HELD_BY_NOBODY}
            AND NOT EXISTS (SELECT 1 FROM task AS child WHERE child.parent = task.id)"
    );
    let number = stored_number(number.0)?;
    let found = sql.prepare_cached(&query)?.query_row((at.now.get(), number, caller.scope().0), |row| {
        let kind: Option<String> = row.get(2)?;
        let (id, code, updated): ([u8; 16], u8, i64) = (row.get(0)?, row.get(3)?, row.get(4)?);
        let going = Going {
            number,
            id: TaskId::from_bytes(id),
            owner: row.get(6)?,
            runtime: row.get(1)?,
            status: Status::from_code(code).unwrap_or(Status::Lost),
            ended_at: Millis::clamped(row.get(5)?),
        };
        Ok((going, kind, Millis::clamped(updated)))
    });
    let Some((going, kind, updated_at)) = found.optional()? else { return Ok(None) };
    let cutoff = policy.keep(&going.runtime, kind.as_deref(), going.status).cutoff(at.now);
    let is_due = surplus.has(&going.runtime) || cutoff.is_some_and(|cutoff| updated_at <= cutoff);
    Ok(is_due.then_some(going))
}

/// Removes one task and leaves its tombstone.
fn remove(sql: &Connection, task: &Going, report: &mut PruneReport, at: &Moment) -> Result<(), Failure> {
    report.unclaimed += notices::outlive(sql, TaskNumber(u64::try_from(task.number).unwrap_or(0)), at)?;
    sql.prepare_cached("DELETE FROM notice WHERE task = ?1 AND letter IS NULL")?.execute([task.number])?;
    let events = chain(sql, task.number)?;
    for seq in &events {
        sql.prepare_cached("DELETE FROM event WHERE seq = ?1")?.execute([seq])?;
    }
    let newest = events.first().copied().unwrap_or(0);
    raise(sql, ANYBODYS, newest)?;
    raise(sql, &of_owner(&task.owner), newest)?;
    raise(sql, "pruned_number", task.number)?;
    sql.prepare_cached(
        "INSERT OR REPLACE INTO tombstone
            SELECT number, id, owner, key, runtime, run_id, ?2, ?3, ?4 FROM task WHERE number = ?1",
    )?
    .execute((task.number, task.status as u8, task.ended_at.get(), at.now.get()))?;
    if let Some(flow) = mirror(sql, task.id)? {
        // A row that cannot be read goes all the same.
        let found = find::by_id(sql, task.id, Scope(None)).ok().flatten();
        let status = found.map_or(FlowStatus::Lost, |found| FlowStatus::of(&found.task));
        bury_flow(sql, flow, Some((status, task.ended_at)), at)?;
        report.flows += 1;
    }
    sql.prepare_cached("DELETE FROM task WHERE number = ?1")?.execute([task.number])?;
    report.tasks += 1;
    report.events += events.len() as u64;
    Ok(())
}

/// The places of a task's events, newest first.
fn chain(sql: &Connection, number: i64) -> Result<Vec<i64>, Failure> {
    let mut next: i64 =
        sql.prepare_cached("SELECT last_event FROM task WHERE number = ?1")?.query_row([number], |row| row.get(0))?;
    let mut statement = sql.prepare_cached("SELECT prev FROM event WHERE seq = ?1 AND task = ?2")?;
    let mut seqs = Vec::new();
    while let Some(prev) = statement.query_row((next, number), |row| row.get::<_, i64>(0)).optional()? {
        seqs.push(next);
        if prev >= next {
            break;
        }
        next = prev;
    }
    Ok(seqs)
}

/// The flow that mirrors a task.
fn mirror(sql: &Connection, task: TaskId) -> Result<Option<i64>, Failure> {
    let query = "SELECT number FROM flow WHERE mirrors = ?1";
    Ok(sql.prepare_cached(query)?.query_row([task.as_bytes().as_slice()], |row| row.get(0)).optional()?)
}

/// Numbers up to here are never used again.
pub(crate) fn raise(sql: &Connection, key: &str, to: i64) -> Result<(), Failure> {
    let raise = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)";
    sql.prepare_cached(raise)?.execute((key, to))?;
    Ok(())
}

/// Gives free pages back to the file system.
fn give_back(sql: &Connection, all: bool) -> Result<(), Failure> {
    let number = |pragma: &str| sql.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
    let (free, pages) = (number("freelist_count")?, number("page_count")?);
    let spare = if all { 0 } else { SPARE_PAGES + pages / 20 };
    if free > spare {
        let mut statement = sql.prepare(&format!("PRAGMA incremental_vacuum({})", free - spare))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(())
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
