//! What is known to have been there, so that nothing is missing in silence.

use super::rebuild::numbers;
use super::tables::Found;
use crate::record::stored_number;
use crate::sqlite::Failure;
use bgledger_core::{Numbers, RecoverReport, Salvaged};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::collections::BTreeSet;

/// A gap of more than this many, and of twice what is known, is a damaged number.
const GAP: u64 = 1_000;

/// Traces of tasks and events, gathered before anything is recorded.
pub(super) struct Known {
    tasks: BTreeSet<u64>,
    events: BTreeSet<u64>,
    notices: u64,
    flows: u64,
    /// Tables of which more may be lost than there are traces of.
    holes: BTreeSet<&'static str>,
    /// Newest event and task that were pruned; `None`: what says so is lost.
    pruned: Option<(u64, u64)>,
}

impl Known {
    pub(super) fn of(found: &Found) -> Known {
        let rows = |table: &str| found.rows.get(table).map(Vec::as_slice).unwrap_or_default();
        let number = |row: &[Value], place: usize| match row.get(place) {
            Some(Value::Integer(number)) => u64::try_from(*number).ok().filter(|number| *number > 0),
            Some(Value::Null | Value::Real(_) | Value::Text(_) | Value::Blob(_)) | None => None,
        };
        let meta = |key: &str| {
            let row = rows("meta").iter().find(|row| matches!(row.first(), Some(Value::Text(own)) if own == key))?;
            match row.get(1) {
                Some(Value::Integer(value)) => u64::try_from(*value).ok(),
                Some(Value::Null | Value::Real(_) | Value::Text(_) | Value::Blob(_)) | None => None,
            }
        };
        let mut tasks: BTreeSet<u64> = found.ids.keys().copied().collect();
        let mut events = BTreeSet::new();
        for task in rows("task") {
            tasks.extend(number(task, 0));
            // `last_event`, as the table has it.
            events.extend(number(task, 14));
        }
        for event in rows("event") {
            events.extend(number(event, 0));
            tasks.extend(number(event, 1));
            events.extend(number(event, 2));
        }
        for notice in rows("notice").iter().filter(|notice| notice.get(12) == Some(&Value::Null)) {
            tasks.extend(number(notice, 0));
            events.extend(number(notice, 1));
        }
        for tombstone in rows("tombstone") {
            if let Some(number) = number(tombstone, 0) {
                tasks.remove(&number);
            }
        }
        Known {
            tasks,
            events,
            notices: rows("notice").len() as u64,
            flows: rows("flow").len() as u64,
            holes: found.holes.clone(),
            pruned: meta("pruned_seq").zip(meta("pruned_number")),
        }
    }

    /// Removes what hangs on nothing, and tells what is missing. No lost number is used again.
    pub(super) fn settle(&mut self, sql: &Connection, report: &mut RecoverReport) -> Result<(), Failure> {
        let Some((pruned_seq, pruned_number)) = self.pruned else {
            report.problems.push("what was pruned is not known: gaps before it are not told".into());
            return self.tell(sql, report);
        };
        dense(&mut self.tasks, pruned_number);
        dense(&mut self.events, pruned_seq);
        self.tell(sql, report)
    }

    fn tell(&self, sql: &Connection, report: &mut RecoverReport) -> Result<(), Failure> {
        sql.execute("DELETE FROM event WHERE task NOT IN (SELECT number FROM task)", [])?;
        sql.execute("DELETE FROM notice WHERE letter IS NULL AND task NOT IN (SELECT number FROM task)", [])?;
        let cut = [
            ("parent", "SELECT number FROM task WHERE parent IS NOT NULL AND parent NOT IN (SELECT id FROM task)"),
            ("flow", "SELECT number FROM task WHERE flow IS NOT NULL AND flow NOT IN (SELECT id FROM flow)"),
        ];
        for (column, query) in cut {
            for number in numbers(sql, query)? {
                sql.execute(&format!("UPDATE task SET {column} = NULL WHERE number = ?1"), [number])?;
                report.problems.push(format!("#{number}: its {column} is lost, and was left out"));
                // Its history says that it was created with one.
                let number = u64::try_from(number).unwrap_or(0);
                if !report.unproved.contains(&number) {
                    report.unproved.push(number);
                }
            }
        }
        sql.execute("DELETE FROM flow WHERE mirrors IS NOT NULL AND mirrors NOT IN (SELECT id FROM task)", [])?;
        let there = |query: &str| -> Result<BTreeSet<u64>, Failure> {
            Ok(numbers(sql, query)?.into_iter().filter_map(|number| u64::try_from(number).ok()).collect())
        };
        let (tasks, events) = (there("SELECT number FROM task")?, there("SELECT seq FROM event")?);
        let lost_tasks: Vec<u64> = self.tasks.difference(&tasks).copied().collect();
        let lost_events: Vec<u64> = self.events.difference(&events).copied().collect();
        let last = |lost: &[u64], there: &BTreeSet<u64>| lost.last().copied().max(newest_gap(there));
        for (keys, last) in [("pruned_number", last(&lost_tasks, &tasks)), ("pruned_seq", last(&lost_events, &events))]
        {
            let Some(last) = last else { continue };
            // Readers that are further back are told that something is missing there; numbers are never used again.
            let raise = "UPDATE meta SET value = max(value, ?2) WHERE key = ?1";
            sql.execute(raise, (keys, stored_number(last)?))?;
            if keys == "pruned_seq" {
                let owners = "INSERT INTO meta SELECT DISTINCT 'pruned_seq/' || owner, ?1 FROM task WHERE true
                    ON CONFLICT DO UPDATE SET value = max(value, excluded.value)";
                sql.execute(owners, [stored_number(last)?])?;
            }
        }
        let count = |found: usize, lost: usize, unknown: bool| Salvaged {
            found: (found + lost) as u64,
            recovered: found as u64,
            lost: lost as u64,
            unknown,
        };
        // A task leaves traces in its events, and events in their task: one of the two tables tells of the other.
        let both = ["task", "event"].iter().all(|table| self.holes.contains(table)) || self.pruned.is_none();
        report.tasks = count(tasks.len(), lost_tasks.len(), both);
        report.events = count(events.len(), lost_events.len(), both);
        report.lost_tasks = runs(&lost_tasks);
        report.lost_events = runs(&lost_events);
        let rows = |table: &str| -> Result<u64, Failure> {
            let count: i64 = sql.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        };
        let of = |table: &str, found: u64| -> Result<Salvaged, Failure> {
            let recovered = rows(table)?;
            let unknown = self.holes.contains(table);
            Ok(Salvaged { found, recovered, lost: found.saturating_sub(recovered), unknown })
        };
        report.notices = of("notice", self.notices)?;
        report.flows = of("flow", self.flows)?;
        Ok(())
    }
}

/// The newest number that is missing below others.
fn newest_gap(there: &BTreeSet<u64>) -> Option<u64> {
    let mut wanted = there.last().copied()?;
    for number in there.iter().rev() {
        if *number != wanted {
            break;
        }
        wanted = wanted.saturating_sub(1);
    }
    Some(wanted).filter(|number| *number > 0)
}

/// Numbers have no gaps above the newest that was pruned.
fn dense(known: &mut BTreeSet<u64>, pruned: u64) {
    let most = GAP.max(2 * known.len() as u64);
    let mut last = pruned;
    let believed: Vec<u64> = known
        .range(pruned + 1..)
        .copied()
        .take_while(|next| *next - std::mem::replace(&mut last, *next) <= most)
        .collect();
    let last = believed.last().copied().unwrap_or(pruned);
    known.retain(|number| *number <= last);
    known.extend(pruned + 1..=last);
}

/// Numbers as runs of what follows one another.
fn runs(numbers: &[u64]) -> Vec<Numbers> {
    let mut runs: Vec<Numbers> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some(run) if run.last + 1 == *number => run.last = *number,
            Some(_) | None => runs.push(Numbers { first: *number, last: *number }),
        }
    }
    runs
}
