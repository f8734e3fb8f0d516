//! Maintenance: what the audit's table of rules says that it mends.

use crate::audit;
use crate::caller::Caller;
use crate::config;
use crate::find;
use crate::flows;
use crate::prune;
use crate::record;
use crate::row::{self, Stored};
use crate::sqlite::Failure;
use bgledger_core::audit::{Code, Finding, Remedy, Thresholds, remedy};
use bgledger_core::{
    Change, ClockJump, Command, Error, Event, Group, MaintenanceReport, Millis, Moment, Prune, PruneReport, Sighting,
    TaskNumber, bounds, decide, evolve,
};
use rusqlite::{Connection, OptionalExtension};

/// What maintenance looks at: who runs, and who was queued for too long.
const EXPIRING: &str = "INDEXED BY task_expiring WHERE status = 1 AND queue_timeout IS NOT NULL
    AND created_at + queue_timeout <= ?2 AND (?1 IS NULL OR owner = ?1)";
const RUNNING: &str = "INDEXED BY task_status WHERE status <> 3 AND status = 2 AND (?1 IS NULL OR owner = ?1)";

// ---- the clock ----------------------------------------------------------------------------------------------

/// The jump of the wall clock since maintenance last believed it, if there was one.
pub(crate) fn jump(sql: &Connection, at: &Moment) -> Result<Option<ClockJump>, Failure> {
    let query = "SELECT value FROM meta WHERE key = 'clock'";
    let stored: Option<String> = sql.prepare_cached(query)?.query_row([], |row| row.get(0)).optional()?;
    let sighting = stored.and_then(|text| serde_json::from_str::<Sighting>(&text).ok());
    Ok(sighting.and_then(|sighting| sighting.jump(at)))
}

/// Believes the clock as it is now.
fn believe(sql: &Connection, at: &Moment) -> Result<(), Failure> {
    let text = serde_json::to_string(&Sighting::of(at)).map_err(|error| Error::internal(error.to_string()))?;
    let upsert = "INSERT INTO meta VALUES ('clock', ?1) ON CONFLICT DO UPDATE SET value = excluded.value";
    sql.prepare_cached(upsert)?.execute([text])?;
    Ok(())
}

// ---- maintenance --------------------------------------------------------------------------------------------

/// One thing that maintenance does.
type Due = (Stored, Finding, Command);

fn due_of(stored: Stored, caller: &Caller, at: &Moment, thresholds: &Thresholds) -> Option<Due> {
    let found = audit::of_task(&stored, caller.world, at, thresholds);
    let finding = found.into_iter().find(|finding| finding.remedy == Remedy::Auto)?;
    let command = remedy(Code::from_word(finding.code)?, finding.evidence.clone())?;
    Some((stored, finding, command))
}

/// What maintenance does, each handed to `take` until that says it is enough.
fn due(sql: &Connection, caller: &Caller, at: &Moment, mut take: impl FnMut(Due) -> bool) -> Result<(), Failure> {
    if jump(sql, at)?.is_some() {
        return Ok(());
    }
    let thresholds = config::thresholds(sql)?;
    let mut statements = (sql.prepare_cached(&row::select(EXPIRING))?, sql.prepare_cached(&row::select(RUNNING))?);
    let (mut expiring, mut running) =
        (statements.0.query((caller.scope().0, at.now.get()))?, statements.1.query([caller.scope().0])?);
    for rows in [&mut expiring, &mut running] {
        while let Some(row) = rows.next()? {
            // One odd row, which the audit tells of, does not keep the others from being settled.
            let Ok(stored) = row::read_or_say(sql, row)? else { continue };
            if let Some(due) = due_of(stored, caller, at, &thresholds)
                && !take(due)
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The process group that must be stopped before a task is settled: what is final can be stopped by nobody.
fn group_to_stop((stored, finding, command): &Due, caller: &Caller, at: &Moment) -> Option<Group> {
    let task = &stored.task;
    let evidence = finding.evidence.as_ref().filter(|evidence| evidence.is_proof())?;
    let decision = decide(Some(task), command, at).ok()?;
    let ends_for_good = decision.events.iter().filter_map(Event::ending).any(|ending| ending.status.is_final());
    let survives = ends_for_good && record::group_survives(task, evidence, caller.world);
    task.executor.as_ref().and_then(|executor| executor.group).filter(|_| survives)
}

/// The process groups that maintenance stops before it settles their tasks.
pub(crate) fn groups_to_stop(sql: &Connection, caller: &Caller, at: &Moment) -> Result<Vec<Group>, Failure> {
    let mut groups = Vec::new();
    due(sql, caller, at, |due| {
        groups.extend(group_to_stop(&due, caller, at));
        true
    })?;
    Ok(groups)
}

/// What maintenance would do: the same plan that [`apply`] carries out once the groups are stopped.
pub(crate) fn preview(sql: &Connection, caller: &Caller, at: &Moment) -> Result<MaintenanceReport, Failure> {
    let (mut all, mut changes) = (Vec::new(), Vec::new());
    due(sql, caller, at, |due| {
        all.push(due);
        true
    })?;
    all.sort_by_key(|(stored, ..)| stored.task.number);
    for (stored, finding, command) in all {
        let decision = decide(Some(&stored.task), &command, at)?;
        let (before, now) = (stored.task.clone(), at.now.max(stored.task.updated_at));
        let after = decision.events.iter().fold(*stored.task, |task, event| evolve(task, event, now));
        changes.push(change(&finding, &before, &after));
    }
    let held = jump(sql, at)?;
    let ending = changes.iter().filter(|change| !change.to.is_active()).map(|change| change.number).collect();
    let flows = match held {
        Some(_) => Vec::new(),
        None => flows::about_to_end(sql, caller.scope(), &ending)?,
    };
    let pruned = prune::preview(sql, &Prune::default(), caller, at)?;
    Ok(MaintenanceReport { applied: false, changes, flows, pruned, held })
}

/// At most a hundred tasks that are due, for [`apply`]: looked for before anybody is kept from writing. One whose group
/// is still to be stopped is left alone.
pub(crate) fn batch(sql: &Connection, caller: &Caller, at: &Moment) -> Result<Vec<TaskNumber>, Failure> {
    let mut some = Vec::new();
    due(sql, caller, at, |due| {
        if group_to_stop(&due, caller, at).is_none() {
            some.push(due.0.task.number);
        }
        some.len() < bounds::SWEEP_ROWS
    })?;
    some.sort_unstable();
    Ok(some)
}

/// Settles those of a batch that are still due. Nothing of it after a jump of the clock, unless it is confirmed.
pub(crate) fn apply(
    sql: &Connection,
    batch: &[TaskNumber],
    confirm_clock: bool,
    caller: &Caller,
    at: &Moment,
) -> Result<MaintenanceReport, Failure> {
    let mut changes = Vec::new();
    if let Some(held) = jump(sql, at)?.filter(|_| !confirm_clock) {
        let (flows, pruned) = (Vec::new(), PruneReport::default());
        return Ok(MaintenanceReport { applied: false, changes, flows, pruned, held: Some(held) });
    }
    believe(sql, at)?;
    let thresholds = config::thresholds(sql)?;
    for number in batch {
        let stored = find::by_number(sql, *number, caller.scope())?;
        let due = stored.and_then(|stored| due_of(stored, caller, at, &thresholds));
        let Some(due) = due.filter(|due| group_to_stop(due, caller, at).is_none()) else { continue };
        let (stored, finding, command) = due;
        let before = stored.task.clone();
        let after = record::command(sql, stored, &command, at)?;
        changes.push(change(&finding, &before, &after.stored.task));
    }
    let flows = flows::settle_all(sql, caller.scope(), at.now)?;
    Ok(MaintenanceReport { applied: true, changes, flows, pruned: PruneReport::default(), held: None })
}

fn change(finding: &Finding, before: &bgledger_core::Task, after: &bgledger_core::Task) -> Change {
    Change {
        code: finding.code,
        number: after.number,
        id: after.id,
        label: after.label.clone(),
        from: before.status,
        to: after.status,
        reason: after.reason.clone(),
        evidence: finding.evidence.clone(),
    }
}

/// How often the whole ledger is swept without being asked.
pub(crate) const INTERVAL_MS: i64 = 60_000;

/// Whether a sweep is due: a minute after the last one, whichever process ran it. A clock that stepped back by more
/// than that is no reason to wait.
pub(crate) fn is_due(sql: &Connection, now: Millis) -> Result<bool, Failure> {
    let query = "SELECT value FROM meta WHERE key = 'swept_at'";
    let swept: i64 = sql.prepare_cached(query)?.query_row([], |row| row.get(0))?;
    Ok((now.get() - swept).abs() >= INTERVAL_MS)
}

/// Sweeps what was found due, if it is still time to: one of several processes wins.
pub(crate) fn opportune(
    sql: &Connection,
    due: &[TaskNumber],
    expired: &[TaskNumber],
    caller: &Caller,
    at: &Moment,
) -> Result<(), Failure> {
    if !is_due(sql, at.now)? {
        return Ok(());
    }
    sql.prepare_cached("UPDATE meta SET value = ?1 WHERE key = 'swept_at'")?.execute([at.now.get()])?;
    match apply(sql, due, false, caller, at) {
        // A row that cannot be settled is the audit's to tell, not the writer's who swept.
        Ok(_) | Err(Failure::Refused(Error::NotDue { .. })) => {}
        Err(other) => return Err(other),
    }
    prune::apply(sql, &Prune::default(), expired, false, caller, at).map(drop)
}
