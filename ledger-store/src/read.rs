//! The requests that read: each answer comes from one read transaction.

use crate::audit;
use crate::caller::Caller;
use crate::config;
use crate::find::{self, Purpose};
use crate::flows;
use crate::list;
use crate::prune;
use crate::reconcile;
use crate::record;
use crate::row::{self, Stored};
use crate::sqlite::Failure;
use crate::sweep;
use crate::verify;
use bgledger_core::{
    Error, Event, Events, History, HistoryEvent, Millis, Moment, Request, Response, Seq, Shown, StatsReport, Status,
    TaskId, TaskNumber, Tree, TreeNode, TreeReport, UnreadableTask, Watch, bounds,
};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Carries out a request that reads and does not wait.
pub(crate) fn execute(sql: &Connection, request: &Request, caller: &Caller) -> Result<Response, Failure> {
    let at = &caller.world.moment();
    match request {
        Request::List(list) => list::list(sql, list, caller, at).map(Response::List),
        Request::Show(show) => {
            let stored = find::task(sql, &show.lookup, caller.scope(), Purpose::Read)?;
            let task = record::view(sql, stored.task, caller.world, at)?;
            Ok(Response::Show(Shown { task }))
        }
        Request::History(history) => self::history(sql, history, caller).map(Response::History),
        Request::Tree(tree) => self::tree(sql, tree, bounds::LIST_MOST, caller, at).map(Response::Tree),
        Request::Watch(watch) => events(sql, watch, watch.after, caller).map(Response::Watch),
        Request::Stats(_) => stats(sql, caller, at).map(Response::Stats),
        Request::Audit(audit) => audit::audit(sql, audit, caller, at).map(Response::Audit),
        Request::Maintenance(_) => sweep::preview(sql, caller, at).map(Response::Maintenance),
        Request::Config(config) => config::settings(sql, config).map(Response::Config),
        Request::Verify(_) => verify::verify(sql, caller.scope()).map(Response::Verify),
        Request::Notices(notices) => crate::notices::list(sql, notices, caller, at).map(Response::Notices),
        Request::FlowList(list) => flows::list(sql, list, caller).map(Response::FlowList),
        Request::FlowShow(show) => flows::show(sql, &show.flow, caller).map(Response::FlowShow),
        Request::Reconcile(request) => reconcile::preview(sql, request, caller, at).map(Response::Reconcile),
        Request::Drain(drain) => reconcile::active(sql, drain, caller, at).map(Response::Drain),
        Request::Prune(prune) => prune::preview(sql, prune, caller, at).map(Response::Prune),
        Request::FlowCreate(_)
        | Request::FlowWait(_)
        | Request::FlowResume(_)
        | Request::FlowFinish(_)
        | Request::FlowFail(_)
        | Request::FlowCancel(_)
        | Request::Acknowledge(_)
        | Request::NoticesClaim(_)
        | Request::NoticesAck(_)
        | Request::NoticesNack(_)
        | Request::NoticesRetry(_)
        | Request::NoticesDrop(_)
        | Request::NoticesDismiss(_)
        | Request::Wait(_)
        | Request::Doctor(_)
        | Request::Backup(_)
        | Request::Recover(_)
        | Request::Migrate(_)
        | Request::Create(_)
        | Request::Start(_)
        | Request::Progress(_)
        | Request::Heartbeat(_)
        | Request::Finish(_)
        | Request::Settle(_)
        | Request::Cancel(_)
        | Request::Notify(_) => Err(Error::internal("a request that does more than read").into()),
    }
}

// ---- history, watch -----------------------------------------------------------------------------------------

fn history(sql: &Connection, history: &History, caller: &Caller) -> Result<Events, Failure> {
    let stored = find::task(sql, &history.lookup, caller.scope(), Purpose::Read)?;
    let mut events = record::history(sql, &stored, history.after)?;
    events.truncate(history.limit.unwrap_or(bounds::LIST_MOST) as usize);
    let next = events.last().map_or(history.after, |event| event.seq);
    // A task goes with its whole history or not at all.
    Ok(Events { events, next, truncated: false })
}

/// The events after a cursor; from the ledger's end if there is none.
pub(crate) fn events(sql: &Connection, watch: &Watch, after: Option<Seq>, caller: &Caller) -> Result<Events, Failure> {
    let limit = watch.limit.unwrap_or(bounds::LIST_MOST);
    let after = match after {
        Some(after) => after,
        None => last_seq(sql)?,
    };
    let events = match &watch.lookup {
        Some(lookup) => {
            let stored = find::task(sql, lookup, caller.scope(), Purpose::Read)?;
            let mut events = record::history(sql, &stored, after)?;
            events.truncate(limit as usize);
            events
        }
        None => all_events(sql, after, limit, caller)?,
    };
    // With room left, everything up to the ledger's end was looked at: what was not told need not be looked at again.
    let next = match events.last() {
        Some(last) if events.len() >= limit as usize => last.seq,
        Some(_) | None => after.max(last_seq(sql)?),
    };
    let truncated = watch.lookup.is_none() && after < prune::newest(sql, caller.scope())?;
    Ok(Events { events, next, truncated })
}

fn all_events(sql: &Connection, after: Seq, limit: u32, caller: &Caller) -> Result<Vec<HistoryEvent>, Failure> {
    let query = "SELECT event.seq, event.at, event.kind, event.data, task.number, task.id
        FROM event JOIN task ON task.number = event.task
        WHERE event.seq > ?1 AND (?2 IS NULL OR task.owner = ?2) ORDER BY event.seq LIMIT ?3";
    let mut statement = sql.prepare_cached(query)?;
    let mut rows = statement.query((record::named_number(after.0), caller.owner.as_ref(), limit))?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let (seq, at, kind): (i64, i64, u8) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (data, number, id): (Option<String>, i64, [u8; 16]) = (row.get(3)?, row.get(4)?, row.get(5)?);
        events.push(HistoryEvent {
            seq: Seq(u64::try_from(seq).unwrap_or(0)),
            at: Millis::clamped(at),
            number: TaskNumber(u64::try_from(number).unwrap_or(0)),
            id: TaskId::from_bytes(id),
            event: Event::from_stored(kind, data.as_deref()),
        });
    }
    Ok(events)
}

/// The newest event's place.
pub(crate) fn last_seq(sql: &Connection) -> Result<Seq, Failure> {
    let query =
        "SELECT max(coalesce((SELECT max(seq) FROM event), 0), (SELECT value FROM meta WHERE key = 'pruned_seq'))";
    let last: i64 = sql.prepare_cached(query)?.query_row([], |row| row.get(0))?;
    Ok(Seq(u64::try_from(last).unwrap_or(0)))
}

// ---- tree ---------------------------------------------------------------------------------------------------

/// With the first `most` descendants, generation by generation, that the caller may see.
fn tree(sql: &Connection, tree: &Tree, most: u32, caller: &Caller, at: &Moment) -> Result<TreeReport, Failure> {
    let top = find::task(sql, &tree.lookup, caller.scope(), Purpose::Read)?;
    let query = row::select(
        "WHERE number IN (WITH RECURSIVE below (id, number, owner) AS (
             SELECT id, number, owner FROM task WHERE parent = ?1
             UNION SELECT t.id, t.number, t.owner FROM below JOIN task t ON t.parent = below.id)
         SELECT number FROM below WHERE ?2 IS NULL OR owner = ?2 LIMIT ?3) ORDER BY number DESC",
    );
    let mut statement = sql.prepare_cached(&query)?;
    let one_more = i64::from(most) + 1;
    let mut rows = statement.query((top.task.id.as_bytes().as_slice(), caller.owner.as_ref(), one_more))?;
    // Newest first: every task is complete when its parent, which is older or comes later here, takes it in.
    let mut below: Vec<Stored> = Vec::new();
    let mut unreadable = Vec::new();
    while let Some(row) = rows.next()? {
        match row::read_or_say(sql, row)? {
            Ok(stored) => below.push(stored),
            Err(problem) => unreadable.push(UnreadableTask { number: row::number(row), problem }),
        }
    }
    let truncated = below.len() + unreadable.len() > most as usize;
    let mut children: BTreeMap<TaskId, Vec<Stored>> = BTreeMap::new();
    for stored in below.into_iter().rev().take(most as usize) {
        if let Some(parent) = stored.task.parent {
            children.entry(parent).or_default().push(stored);
        }
    }
    Ok(TreeReport { top: node(sql, top, &mut children, caller, at)?, truncated, unreadable })
}

/// As deep as a tree may be: [`bounds::TREE_DEPTH`].
fn node(
    sql: &Connection,
    stored: Stored,
    children: &mut BTreeMap<TaskId, Vec<Stored>>,
    caller: &Caller,
    at: &Moment,
) -> Result<TreeNode, Failure> {
    let own = children.remove(&stored.task.id).unwrap_or_default();
    let task = record::view(sql, stored.task, caller.world, at)?;
    let children = own.into_iter().map(|child| node(sql, child, children, caller, at)).collect::<Result<_, _>>()?;
    Ok(TreeNode { task, children })
}

// ---- stats --------------------------------------------------------------------------------------------------

fn stats(sql: &Connection, caller: &Caller, at: &Moment) -> Result<StatsReport, Failure> {
    let mut by_status: BTreeMap<&'static str, u64> = Status::ALL.iter().map(|status| (status.as_str(), 0)).collect();
    let mut by_runtime: BTreeMap<String, u64> = BTreeMap::new();
    let query = "SELECT runtime, status, sum(count) FROM (
            SELECT runtime, status, count FROM tally WHERE ?1 IS NULL OR owner = ?1
            UNION ALL
            SELECT runtime, status, count(*) FROM task INDEXED BY task_status
                WHERE status <> 3 AND status IN (1, 2) AND (?1 IS NULL OR owner = ?1) GROUP BY runtime, status)
        GROUP BY runtime, status";
    let mut statement = sql.prepare_cached(query)?;
    let mut rows = statement.query([caller.owner.as_ref()])?;
    while let Some(row) = rows.next()? {
        let (runtime, status, count): (String, u8, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let count = u64::try_from(count).unwrap_or(0);
        if let (Some(status), true) = (Status::from_code(status), count > 0) {
            *by_status.entry(status.as_str()).or_default() += count;
            *by_runtime.entry(runtime).or_default() += count;
        }
    }
    let number = |pragma: &str| sql.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
    let active = |status: Status| by_status.get(status.as_str()).copied().unwrap_or(0);
    Ok(StatsReport {
        total: by_status.values().sum(),
        active: active(Status::Queued) + active(Status::Running),
        issues: audit::issues(sql, caller, at)?,
        last_seq: last_seq(sql)?,
        bytes: u64::try_from(number("page_count")? * number("page_size")?).unwrap_or(0),
        by_status,
        by_runtime,
    })
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
