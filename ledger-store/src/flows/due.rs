//! What is wrong with flows, and what maintenance ends of them. One odd row, which the audit names, hides no other.

use super::{by_id, row, settled};
use crate::find::{self, Scope};
use crate::sqlite::Failure;
use bgledger_core::audit::{Code, Finding, Thresholds, examine_flow, unreadable_flow};
use bgledger_core::{Flow, FlowChange, FlowNumber, FlowStatus, Millis, Moment, TaskNumber, bounds};
use rusqlite::Connection;
use std::collections::BTreeSet;

/// What is wrong with the flows that go on.
pub(crate) fn audit(
    sql: &Connection,
    scope: Scope<'_>,
    at: &Moment,
    thresholds: &Thresholds,
) -> Result<Vec<Finding>, Failure> {
    let query = row::select(
        "INDEXED BY flow_going_on WHERE ended_at IS NULL AND mirrors IS NULL AND (?1 IS NULL OR owner = ?1)",
    );
    let active = "SELECT count(*) FROM task INDEXED BY task_flow_active WHERE flow = ?1 AND status <= 2";
    let mut statement = sql.prepare_cached(&query)?;
    let mut rows = statement.query([scope.0])?;
    let mut findings = Vec::new();
    while let Some(row) = rows.next()? {
        let flow = match row::sound(row) {
            Ok(stored) => stored.flow,
            Err(failure) => {
                findings.push(unreadable_flow(row::number(row), failure.of_odd_row()?));
                continue;
            }
        };
        let going_on: i64 = sql.prepare_cached(active)?.query_row([flow.id.as_bytes().as_slice()], |row| row.get(0))?;
        let blocker = flow.blocked.as_ref().and_then(|blocked| blocked.task);
        let goes_on = |task| match find::by_id(sql, task, Scope(None)) {
            Ok(found) => Ok(found.is_some_and(|found| found.task.status.is_active())),
            // It is there, whatever it is.
            Err(failure) => failure.of_odd_row().map(|_| true),
        };
        let blocker = blocker.map(goes_on).transpose()?;
        findings.extend(examine_flow(&flow, u64::try_from(going_on).unwrap_or(0), blocker, at.now, thresholds));
    }
    Ok(findings)
}

/// Flows of the scope that are to be cancelled and have not ended.
pub(crate) fn to_be_cancelled(sql: &Connection, scope: Scope<'_>) -> Result<Vec<Flow>, Failure> {
    let query = row::select(
        "INDEXED BY flow_going_on WHERE ended_at IS NULL AND cancel IS NOT NULL AND (?1 IS NULL OR owner = ?1)
            ORDER BY number",
    );
    let mut statement = sql.prepare_cached(&query)?;
    let mut rows = statement.query([scope.0])?;
    let mut flows = Vec::new();
    while let Some(row) = rows.next()? {
        match row::sound(row) {
            Ok(stored) => flows.push(stored.flow),
            Err(failure) => drop(failure.of_odd_row()?),
        }
    }
    Ok(flows)
}

fn change(flow: &Flow) -> FlowChange {
    FlowChange {
        code: Code::FlowCancelStuck.rule().word,
        flow: flow.number,
        id: flow.id,
        goal: flow.goal.clone(),
        from: flow.status,
        to: FlowStatus::Cancelled,
    }
}

/// Those of them that end once some tasks have.
pub(crate) fn about_to_end(
    sql: &Connection,
    scope: Scope<'_>,
    ending: &BTreeSet<TaskNumber>,
) -> Result<Vec<FlowChange>, Failure> {
    let active = "SELECT number FROM task INDEXED BY task_flow_active WHERE flow = ?1 AND status <= 2";
    let mut statement = sql.prepare_cached(active)?;
    let mut changes = Vec::new();
    for flow in to_be_cancelled(sql, scope)? {
        let mut rows = statement.query([flow.id.as_bytes().as_slice()])?;
        let mut goes_on = false;
        while let (false, Some(row)) = (goes_on, rows.next()?) {
            let number = TaskNumber(u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0));
            goes_on = !ending.contains(&number);
        }
        changes.extend((!goes_on).then(|| change(&flow)));
    }
    Ok(changes)
}

/// Those of several that have been cancelled since.
pub(crate) fn ended_of(sql: &Connection, before: &[Flow]) -> Result<Vec<FlowChange>, Failure> {
    let mut changes = Vec::new();
    for flow in before {
        let now = by_id(sql, flow.id, Scope(None))?;
        changes.extend(now.filter(|now| now.status == FlowStatus::Cancelled).map(|_| change(flow)));
    }
    Ok(changes)
}

/// Ends the flows that are to be cancelled and have no active task, at most as many as a sweep takes.
pub(crate) fn settle_all(sql: &Connection, scope: Scope<'_>, now: Millis) -> Result<Vec<FlowChange>, Failure> {
    let mut changes = Vec::new();
    for flow in to_be_cancelled(sql, scope)? {
        if settled(sql, flow.id, now)? {
            changes.push(change(&flow));
        }
        if changes.len() >= bounds::SWEEP_ROWS {
            break;
        }
    }
    Ok(changes)
}

/// Reads every flow that the scope may see, and hands on what cannot be read, or what no flow can be.
pub(crate) fn prove(
    sql: &Connection,
    scope: Scope<'_>,
    mut tell: impl FnMut(FlowNumber, String),
) -> Result<(), Failure> {
    let mut statement = sql.prepare_cached(&row::select("WHERE ?1 IS NULL OR owner = ?1 ORDER BY number"))?;
    let mut rows = statement.query([scope.0])?;
    while let Some(row) = rows.next()? {
        match row::sound(row) {
            Ok(stored) if stored.flow.times_in_order() => {}
            Ok(stored) => tell(stored.flow.number, "its times do not fit each other or its status".into()),
            Err(failure) => tell(row::number(row), failure.of_odd_row()?),
        }
    }
    Ok(())
}

/// What of a flow's row cannot be read, if anything.
pub(crate) fn problem(sql: &Connection, number: i64) -> Result<Option<String>, Failure> {
    let mut statement = sql.prepare_cached(&row::select("WHERE number = ?1"))?;
    let mut rows = statement.query([number])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    row::sound(row).map_or_else(|failure| failure.of_odd_row().map(Some), |_| Ok(None))
}
