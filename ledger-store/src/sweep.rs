//! Audit and maintenance: the core's one table of rules, run over the tasks it may apply to.

use crate::caller::Caller;
use crate::config;
use crate::find::Scope;
use crate::record;
use crate::row::{self, Stored};
use crate::sqlite::Failure;
use crate::world::World;
use bgledger_core::audit::{self, Code, Finding, Remedy, Severity};
use bgledger_core::{
    Audit, AuditReport, AuditSummary, Change, Command, Error, Event, Group, Liveness, MaintenanceReport, Millis,
    Moment, Status, bounds, decide, evolve,
};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// What is not over for good, and what was written by hand: the audit's work does not grow with the history.
const CANDIDATES: [&str; 2] = [
    "INDEXED BY task_status WHERE status <> 3 AND status IN (1, 2, 7) AND (?1 IS NULL OR owner = ?1) ORDER BY number",
    "INDEXED BY task_times_out_of_order WHERE NOT (created_at <= coalesce(started_at, created_at)
           AND coalesce(started_at, created_at) <= coalesce(ended_at, updated_at)
           AND coalesce(ended_at, updated_at) <= updated_at)
         AND status NOT IN (1, 2, 7) AND (?1 IS NULL OR owner = ?1) ORDER BY number",
];

/// Examines the candidates until `found` says that it is enough.
fn examine(
    sql: &Connection,
    scope: Scope<'_>,
    world: World,
    at: &Moment,
    mut found: impl FnMut(Stored, Finding) -> bool,
) -> Result<(), Failure> {
    let thresholds = config::thresholds(sql)?;
    for candidates in CANDIDATES {
        let mut statement = sql.prepare_cached(&row::select(candidates))?;
        let mut rows = statement.query([scope.0])?;
        while let Some(row) = rows.next()? {
            let stored = row::read(sql, row)?;
            let liveness = match stored.task.status {
                Status::Running => record::liveness(&stored.task, world, at),
                Status::Queued
                | Status::Succeeded
                | Status::Failed
                | Status::TimedOut
                | Status::Cancelled
                | Status::Lost => Liveness::Unknown,
            };
            if let Some(finding) = audit::examine(&stored.task, &liveness, at, &thresholds)
                && !found(stored, finding)
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What is wrong, worst and oldest first.
pub(crate) fn audit(sql: &Connection, request: &Audit, caller: &Caller, at: &Moment) -> Result<AuditReport, Failure> {
    let mut findings = Vec::new();
    examine(sql, caller.scope(), caller.world, at, |_, finding| {
        findings.push(finding);
        true
    })?;
    let count = |severity| findings.iter().filter(|finding: &&Finding| finding.severity == severity).count() as u64;
    let mut by_code: BTreeMap<&'static str, u64> = audit::RULES.iter().map(|rule| (rule.word, 0)).collect();
    for finding in &findings {
        *by_code.entry(finding.code).or_default() += 1;
    }
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let summary = AuditSummary { total: errors + warnings, errors, warnings, by_code };
    findings.retain(|finding| {
        request.severity.is_none_or(|least| finding.severity >= least)
            && request.code.as_ref().is_none_or(|code| finding.code == code)
    });
    findings.sort_by_key(|finding| {
        (std::cmp::Reverse(finding.severity), finding.since.unwrap_or(Millis::EPOCH), finding.number)
    });
    findings.truncate(request.limit.unwrap_or(bounds::FINDINGS_DEFAULT) as usize);
    Ok(AuditReport { findings, summary })
}

/// How many findings there are.
pub(crate) fn issues(sql: &Connection, caller: &Caller, at: &Moment) -> Result<u64, Failure> {
    let mut issues = 0;
    examine(sql, caller.scope(), caller.world, at, |_, _| {
        issues += 1;
        true
    })?;
    Ok(issues)
}

/// One thing that maintenance does.
type Due = (Stored, Finding, Command);

/// What maintenance does, each handed to `take` until that says it is enough.
fn due(sql: &Connection, caller: &Caller, at: &Moment, mut take: impl FnMut(Due) -> bool) -> Result<(), Failure> {
    examine(sql, caller.scope(), caller.world, at, |stored, finding| {
        let command = match (finding.remedy, Code::from_word(finding.code)) {
            (Remedy::Auto, Some(code)) => audit::remedy(code, finding.evidence.clone()),
            (Remedy::Auto | Remedy::Command | Remedy::Info, _) => None,
        };
        command.is_none_or(|command| take((stored, finding, command)))
    })
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
    for (stored, finding, command) in all {
        let decision = decide(Some(&stored.task), &command, at)?;
        let (before, now) = (stored.task.clone(), at.now.max(stored.task.updated_at));
        let after = decision.events.iter().fold(stored.task, |task, event| evolve(task, event, now));
        changes.push(change(&finding, &before, &after));
    }
    Ok(MaintenanceReport { applied: false, changes })
}

/// Settles at most a hundred of the tasks that are due; one whose group is still to be stopped is left alone. The
/// caller asks again until there are none.
pub(crate) fn apply(sql: &Connection, caller: &Caller, at: &Moment) -> Result<MaintenanceReport, Failure> {
    let (mut some, mut changes) = (Vec::new(), Vec::new());
    due(sql, caller, at, |due| {
        if group_to_stop(&due, caller, at).is_none() {
            some.push(due);
        }
        some.len() < bounds::SWEEP_ROWS
    })?;
    for (stored, finding, command) in some {
        let before = stored.task.clone();
        let after = record::command(sql, stored, &command, at)?;
        changes.push(change(&finding, &before, &after.stored.task));
    }
    Ok(MaintenanceReport { applied: true, changes })
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

/// Sweeps if it is still due: one of several processes wins.
pub(crate) fn opportune(sql: &Connection, caller: &Caller, at: &Moment) -> Result<bool, Failure> {
    if !is_due(sql, at.now)? {
        return Ok(false);
    }
    sql.prepare_cached("UPDATE meta SET value = ?1 WHERE key = 'swept_at'")?.execute([at.now.get()])?;
    let everybody = Caller { owner: None, ..caller.clone() };
    match apply(sql, &everybody, at) {
        Ok(_) => Ok(true),
        // A row that cannot be settled is the audit's to tell, not the writer's who swept.
        Err(Failure::Refused(Error::NotDue { .. })) => Ok(true),
        Err(other) => Err(other),
    }
}
