//! What a listing sees of damage while it lists. SQLite has no checksum of a page: rows that are gone, or stand where
//! they do not belong, are noticed by what else the ledger knows of them.
//!
//! Numbers are given without gaps, and only pruning makes some: above the newest number that was pruned each has its row.
//! What ended is counted by itself. Both cost a listing a few rows, whatever the ledger's size.

use crate::caller::Caller;
use crate::record::stored_number;
use crate::sqlite::Failure;
use bgledger_core::{List, Status, StatusFilter, TaskNumber, UnreadableTask};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};

/// What one listing expects of the rows that come, newest first.
pub(crate) struct Continuity {
    /// Every number above this has its row; `None`: rows are left out by a filter.
    dense_above: Option<u64>,
    /// The row before.
    last: Option<u64>,
    /// A number that should be among those that come, or before them.
    newest: Option<u64>,
}

impl Continuity {
    /// Of a listing that begins.
    pub(crate) fn of(sql: &Connection, list: &List, caller: &Caller) -> Result<Continuity, Failure> {
        let all = List { limit: list.limit, after: list.after.clone(), ..List::default() };
        if caller.owner.is_some() || *list != all {
            return Ok(Continuity { dense_above: None, last: None, newest: None });
        }
        let number = |query: &str| -> Result<Option<u64>, Failure> {
            let found: Option<i64> = sql.prepare_cached(query)?.query_row([], |row| row.get(0)).optional()?;
            Ok(found.and_then(|number| u64::try_from(number).ok()))
        };
        let dense_above = number("SELECT value FROM meta WHERE key = 'pruned_number'")?;
        let (last, newest) = match list.after.as_ref().and_then(|after| after.parse::<u64>().ok()) {
            // Somebody's own cursor may be any number; that of a page before is a row.
            Some(after) => {
                let there = "SELECT 1 FROM task WHERE number = ?1";
                (Some(after).filter(|_| exists(sql, there, after).unwrap_or(false)), None)
            }
            None => (None, number("SELECT task FROM event ORDER BY seq DESC LIMIT 1")?),
        };
        Ok(Continuity { dense_above, last, newest })
    }

    /// A row comes. Tells which are missing before it.
    pub(crate) fn next(&mut self, number: TaskNumber) -> Result<Option<UnreadableTask>, Failure> {
        let last = self.last.replace(number.0);
        if last.is_some_and(|last| last <= number.0) {
            return Err(Failure::Damaged(format!("{number} stands out of its order in the table of tasks")));
        }
        let before = last.or(self.newest.take().map(|newest| newest.max(number.0) + 1));
        Ok(self.missing(number.0, before))
    }

    /// No more rows come. `told`: something was said already.
    pub(crate) fn end(
        &mut self,
        sql: &Connection,
        list: &List,
        caller: &Caller,
        found: usize,
        told: bool,
    ) -> Result<Option<UnreadableTask>, Failure> {
        let before = self.last.or(self.newest.map(|newest| newest + 1));
        let missing = self.missing(self.dense_above.unwrap_or(0), before);
        if missing.is_some() || told || list.after.is_some() || !is_counted(list) {
            return Ok(missing);
        }
        let counted = counted(sql, list, caller)?;
        let differs = u64::try_from(found).ok() != Some(counted);
        Ok(differs.then(|| UnreadableTask {
            number: TaskNumber(0),
            problem: format!("{found} tasks are found where {counted} are counted"),
        }))
    }

    /// What should be between two rows.
    fn missing(&self, number: u64, before: Option<u64>) -> Option<UnreadableTask> {
        let least = self.dense_above?.max(number) + 1;
        let most = before?.checked_sub(1).filter(|most| *most >= least)?;
        let problem = match least == most {
            true => "it is gone: its row is not there, and it was not pruned".to_owned(),
            false => format!("#{least} to #{most} are gone: their rows are not there, and they were not pruned"),
        };
        Some(UnreadableTask { number: TaskNumber(most), problem })
    }
}

fn exists(sql: &Connection, query: &str, number: u64) -> Result<bool, Failure> {
    Ok(sql.prepare_cached(query)?.exists([stored_number(number)?])?)
}

/// Whether a number was given to a task that is neither here nor pruned: then its row is lost.
pub(crate) fn is_lost(sql: &Connection, number: TaskNumber) -> Result<bool, Failure> {
    let Ok(number) = i64::try_from(number.0) else { return Ok(false) };
    let query = "SELECT ?1 > (SELECT value FROM meta WHERE key = 'pruned_number')
        AND ?1 <= max(coalesce((SELECT max(number) FROM task), 0),
            coalesce((SELECT task FROM event ORDER BY seq DESC LIMIT 1), 0))
        AND NOT EXISTS (SELECT 1 FROM task WHERE number = ?1)";
    Ok(sql.prepare_cached(query)?.query_row([number], |row| row.get(0))?)
}

// ---- counts -------------------------------------------------------------------------------------------------

/// Whether a listing has only filters by which tasks are counted.
fn is_counted(list: &List) -> bool {
    let counted = List {
        active: list.active,
        status: list.status.clone(),
        runtime: list.runtime.clone(),
        limit: list.limit,
        ..List::default()
    };
    *list == counted
}

/// How many tasks such a listing has.
fn counted(sql: &Connection, list: &List, caller: &Caller) -> Result<u64, Failure> {
    let (mut tests, mut values) = (Vec::new(), Vec::<Value>::new());
    for (column, value) in [("owner", &caller.owner), ("runtime", &list.runtime)] {
        if let Some(value) = value {
            values.push(value.clone().into());
            tests.push(format!("{column} = ?{}", values.len()));
        }
    }
    let StatusFilter(asked) = &list.status;
    let fits = |status: &Status| (asked.is_empty() || asked.contains(status)) && (!list.active || status.is_active());
    let of = |active: bool, select: &str| -> String {
        let statuses = Status::ALL.into_iter().filter(|status| status.is_active() == active).filter(&fits);
        let codes: Vec<String> = statuses.map(|status| (status as u8).to_string()).collect();
        if codes.is_empty() {
            return "0".to_owned();
        }
        let tests = tests.iter().map(|test| format!(" AND {test}")).collect::<String>();
        format!("({select} status IN ({}){tests})", codes.join(", "))
    };
    let ended = of(false, "SELECT coalesce(sum(count), 0) FROM tally WHERE");
    let active = of(true, "SELECT count(*) FROM task INDEXED BY task_status WHERE status <> 3 AND");
    if ended == active {
        // No status fits.
        return Ok(0);
    }
    let query = format!("SELECT {ended} + {active}");
    let count: i64 = sql.prepare_cached(&query)?.query_row(rusqlite::params_from_iter(values), |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
