//! Tasks, newest first, that fit filters.
//!
//! What a page costs does not grow with the ledger. Where an index leads to what fits, it is followed, and of several the
//! one that reaches furthest back; where none does, the rows are looked at from the newest on. Either way one page looks
//! at so many rows at most ([`LOOK`], [`PICK`]): if it is not full then, it says where to go on.

use crate::caller::{Caller, LOCAL};
use crate::continuity::Continuity;
use crate::find::{self, Purpose};
use crate::flows;
use crate::prune;
use crate::record;
use crate::row;
use crate::sqlite::Failure;
use bgledger_core::{Error, List, Moment, Status, TaskPage, UnreadableTask, bounds, planted};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, ToSql};
use std::collections::BTreeSet;
use std::slice;

/// Rows that one page looks at one after the other.
const LOOK: usize = 2_500;
/// Rows that one page looks at where an index leads: each may lie on a page of the file of its own.
const PICK: usize = 300;
/// Runtimes, kinds and ends, each with the other, whose last changes are looked up.
const GROUPS: usize = 250;

pub(crate) fn list(sql: &Connection, list: &List, caller: &Caller, at: &Moment) -> Result<TaskPage, Failure> {
    let limit = list.limit.unwrap_or(bounds::LIST_DEFAULT) as usize;
    let filter = Filter::of(sql, list, caller)?;
    let before = cursor(list)?;
    let mut page = Page {
        sql,
        caller,
        at,
        limit,
        continuity: Continuity::of(sql, list, caller)?,
        seen: 0,
        last: before,
        is_full: false,
        tasks: Vec::new(),
        odd: Vec::new(),
    };
    let floor = match filter.way(sql, before, limit)? {
        Way::Rows { text, values, floor } => {
            page.take(&text, &values)?;
            floor
        }
        Way::Numbers { text, values, numbers, floor } => {
            for number in numbers {
                page.take(&text, &[slice::from_ref(&Value::Integer(number)), &values].concat())?;
                if page.is_full {
                    break;
                }
            }
            floor
        }
    };
    let next = if page.is_full { Some(page.last) } else { floor };
    if next.is_none() {
        let told = !page.odd.is_empty();
        page.odd.extend(page.continuity.end(sql, list, caller, page.tasks.len(), told)?);
    }
    Ok(TaskPage { tasks: page.tasks, next: next.map(|next| next.to_string()), unreadable: page.odd })
}

/// Tasks below this number are listed.
fn cursor(list: &List) -> Result<i64, Failure> {
    let Some(after) = &list.after else { return Ok(i64::MAX) };
    let wrong = || Error::invalid("list.after", format!("{after:?}"), "the `next` of an earlier page");
    Ok(after.parse().map_err(|_| wrong())?)
}

/// What is found.
struct Page<'a> {
    sql: &'a Connection,
    caller: &'a Caller,
    at: &'a Moment,
    limit: usize,
    continuity: Continuity,
    /// Rows taken.
    seen: usize,
    tasks: Vec<bgledger_core::TaskView>,
    odd: Vec<UnreadableTask>,
    last: i64,
    /// Whether there was one more.
    is_full: bool,
}

impl Page<'_> {
    fn take(&mut self, query: &str, values: &[Value]) -> Result<(), Failure> {
        let mut statement = self.sql.prepare_cached(query)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            if self.seen >= self.limit {
                self.is_full = true;
                break;
            }
            self.seen += 1;
            let number = row::number(row);
            self.odd.extend(self.continuity.next(number)?);
            self.last = record::stored_number(number.0)?;
            match row::read_or_say(self.sql, row)? {
                Ok(stored) => self.tasks.push(record::view(self.sql, stored.task, self.caller.world, self.at)?),
                // One odd row does not hide the others.
                Err(problem) => self.odd.push(UnreadableTask { number, problem }),
            }
        }
        Ok(())
    }
}

// ---- filters ------------------------------------------------------------------------------------------------

/// A condition, with a value for each `?` in it, in their order.
#[derive(Debug, Clone, Default)]
struct Test {
    text: String,
    values: Vec<Value>,
}

fn test(text: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Test {
    Test { text: text.into(), values: values.into_iter().collect() }
}

/// One entrance of an index: tasks that are equal in it, in the order of their numbers.
#[derive(Debug)]
struct Entrance {
    index: &'static str,
    test: Test,
}

/// A condition that indexes lead to: it holds for what any of the entrances leads to.
#[derive(Debug)]
struct Lead {
    entrances: Vec<Entrance>,
    test: Test,
}

#[derive(Debug, Default)]
struct Filter {
    leads: Vec<Lead>,
    tests: Vec<Test>,
    runtime: Option<String>,
    since: Option<i64>,
}

/// How the rows of a page are found.
enum Way {
    /// By one statement, down to a number, below which the next page goes on.
    Rows { text: String, values: Vec<Value>, floor: Option<i64> },
    /// These numbers one by one.
    Numbers { text: String, values: Vec<Value>, numbers: Vec<i64>, floor: Option<i64> },
}

impl Filter {
    fn of(sql: &Connection, list: &List, caller: &Caller) -> Result<Filter, Failure> {
        let mut filter = Filter::default();
        filter.text(Some("task_run"), "run_id = ?", list.run_id.as_ref());
        if let Some(parent) = &list.parent {
            let parent = find::task(sql, parent, caller.scope(), Purpose::Read)?;
            filter.lead("task_parent", test("parent = ?", [Value::Blob(parent.task.id.as_bytes().to_vec())]));
        }
        if let Some(flow) = &list.flow {
            let (text, id) = flows::membership(sql, flow, caller.scope())?;
            let index = if text.starts_with("id") { "task_id" } else { "task_flow" };
            filter.lead(index, test(text, [Value::Blob(id)]));
        }
        if let Some(session) = &list.session {
            let by =
                |index, column: &str| Entrance { index, test: test(format!("{column} = ?"), [session.clone().into()]) };
            let entrances = vec![by("task_session", "session"), by("task_requester_session", "requester_session")];
            let whole = test("? IN (session, requester_session)", [session.clone().into()]);
            filter.leads.push(Lead { entrances, test: whole });
        }
        filter.text(Some("task_kind"), "kind = ?", list.kind.as_ref());
        filter.text(Some("task_agent"), "agent = ?", list.agent.as_ref());
        match caller.owner.as_deref() {
            // What is the operator's own is the bulk and has no index.
            Some(LOCAL) => filter.tests.push(test(format!("owner = '{LOCAL}'"), [])),
            Some(owner) => {
                filter.lead("task_owner", test(format!("owner = ? AND owner <> '{LOCAL}'"), [owner.to_owned().into()]));
            }
            None => {}
        }
        if list.active {
            filter.statuses(&[Status::Queued, Status::Running]);
        }
        if !list.status.0.is_empty() {
            filter.statuses(&list.status.0);
        }
        filter.text(None, "runtime = ?", list.runtime.as_ref());
        filter.runtime.clone_from(&list.runtime);
        filter.text(None, "label = ?", list.label.as_ref());
        for (name, value) in list.metadata.iter() {
            let value = Value::Text(value.as_str().to_owned());
            filter.tests.push(test(
                "EXISTS (SELECT 1 FROM json_each(task.metadata) AS entry WHERE entry.key = ?
                    AND entry.type = json_type(?) AND entry.value IS json_extract(?, '$'))",
                [name.to_owned().into(), value.clone(), value],
            ));
        }
        if let Some(since) = list.since {
            filter.since = Some(since.get());
            filter.tests.push(test("created_at >= ?", [since.get().into()]));
        }
        if let Some(until) = list.until {
            filter.tests.push(test("created_at < ?", [until.get().into()]));
        }
        if let Some(search) = &list.search {
            let escaped = search.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            let texts = ["label", "task", "summary", "error ->> 'type'", "error ->> 'message'", "error ->> 'detail'"];
            let pattern = Value::Text(format!("%{escaped}%"));
            let tests = texts.map(|text| format!("{text} LIKE ? ESCAPE '\\'"));
            filter.tests.push(test(format!("({})", tests.join(" OR ")), texts.map(|_| pattern.clone())));
        }
        Ok(filter)
    }

    fn text(&mut self, index: Option<&'static str>, text: &str, value: Option<&String>) {
        if let Some(value) = value {
            let test = test(text, [value.clone().into()]);
            match index {
                Some(index) => self.lead(index, test),
                None => self.tests.push(test),
            }
        }
    }

    fn lead(&mut self, index: &'static str, test: Test) {
        let entrance = Entrance { index, test: test.clone() };
        self.leads.push(Lead { entrances: vec![entrance], test });
    }

    /// Successes are the bulk and have no index.
    fn statuses(&mut self, statuses: &[Status]) {
        let codes: BTreeSet<u8> = statuses.iter().map(|status| *status as u8).collect();
        let words: Vec<String> = codes.iter().map(u8::to_string).collect();
        let whole = test(format!("status IN ({})", words.join(", ")), []);
        if codes.contains(&(Status::Succeeded as u8)) {
            return self.tests.push(whole);
        }
        let entrance =
            |code: &u8| Entrance { index: "task_status", test: test(format!("status = {code} AND status <> 3"), []) };
        self.leads.push(Lead { entrances: codes.iter().map(entrance).collect(), test: whole });
    }

    // ---- the way to them ----

    fn way(&self, sql: &Connection, before: i64, limit: usize) -> Result<Way, Failure> {
        let (look, pick) = (LOOK.max(limit + 1), PICK.max(limit + 1));
        // Several entrances share what one page looks at.
        let each = |several: &[Entrance]| (PICK / several.len().max(1)).max(limit + 1);
        let is_all = self.tests.is_empty() && self.leads.len() < 2;
        // How far back each of them reaches.
        let mut best: Option<(&Lead, Option<i64>)> = None;
        for lead in &self.leads {
            let reach = match (is_all, lead.entrances.as_slice()) {
                // Whatever it leads to fits: the page ends when it is full.
                (true, [_]) => None,
                (_, several) => {
                    let reaches = several.iter().map(|entrance| entrance.reach(sql, before, each(several)));
                    reaches.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().max()
                }
            };
            if best.is_none_or(|(_, other)| reach < other) {
                best = Some((lead, reach));
            }
        }
        // What indexes of another order lead to helps if it is all there is.
        if !matches!(best, Some((_, None)))
            && let Some(numbers) = self.few(sql, before, pick)?
        {
            return Ok(self.one_by_one(None, numbers, None));
        }
        match best {
            None => self.row_by_row(sql, before, look, limit),
            Some((lead, floor)) => match lead.entrances.as_slice() {
                [only] => {
                    let (text, values) = self.but(Some(lead), Some(&only.test), before, floor);
                    Ok(newest(&format!("INDEXED BY {} WHERE {text}", only.index), values, limit, floor))
                }
                several => {
                    let mut numbers = BTreeSet::new();
                    for entrance in several {
                        numbers.extend(entrance.numbers(sql, before, floor, each(several))?);
                    }
                    Ok(self.one_by_one(Some(lead), numbers, floor))
                }
            },
        }
    }

    /// Row by row, as far as a page looks. Unless it takes every row.
    fn row_by_row(&self, sql: &Connection, before: i64, look: usize, limit: usize) -> Result<Way, Failure> {
        let floor = match self.tests.is_empty() {
            true => None,
            false => {
                let ends =
                    "SELECT coalesce((SELECT min(number) FROM task), 0), coalesce((SELECT max(number) FROM task), 0)";
                let (first, last): (i64, i64) =
                    sql.prepare_cached(ends)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let floor = before.min(last.saturating_add(1)).saturating_sub(i64::try_from(look).unwrap_or(i64::MAX));
                Some(floor).filter(|floor| *floor > first)
            }
        };
        let (text, values) = self.but(None, None, before, floor);
        Ok(newest(&format!("NOT INDEXED WHERE {text}"), values, limit, floor))
    }

    fn one_by_one(&self, lead: Option<&Lead>, numbers: BTreeSet<i64>, floor: Option<i64>) -> Way {
        let (text, values) = self.all_but(lead);
        let text = row::select(&format!("WHERE number = ?{text}"));
        Way::Numbers { text, values, numbers: numbers.into_iter().rev().collect(), floor }
    }

    /// Every condition but that of a lead.
    fn all_but(&self, lead: Option<&Lead>) -> (String, Vec<Value>) {
        let others = self.leads.iter().filter(|other| !lead.is_some_and(|lead| std::ptr::eq(lead, *other)));
        let (mut text, mut values) = (String::new(), Vec::new());
        for test in others.map(|lead| &lead.test).chain(&self.tests) {
            text.push_str(" AND ");
            text.push_str(&test.text);
            values.extend_from_slice(&test.values);
        }
        (text, values)
    }

    /// Every condition, that of a lead in the words that its index asks for, between two numbers.
    fn but(&self, lead: Option<&Lead>, first: Option<&Test>, before: i64, floor: Option<i64>) -> (String, Vec<Value>) {
        let (mut text, mut values) = (String::from("number < ?"), vec![Value::Integer(before)]);
        if let Some(floor) = floor {
            text.push_str(" AND number >= ?");
            values.push(Value::Integer(floor));
        }
        if let Some(first) = first {
            text.push_str(" AND ");
            text.push_str(&first.text);
            values.extend_from_slice(&first.values);
        }
        let (others, more) = self.all_but(lead);
        values.extend(more);
        (text + &others, values)
    }

    /// Everything that may fit, if few do: by the index of what ended, which knows the runtime and the last change, and
    /// that of what goes on.
    fn few(&self, sql: &Connection, before: i64, most: usize) -> Result<Option<BTreeSet<i64>>, Failure> {
        if self.runtime.is_none() && self.since.is_none() {
            return Ok(None);
        }
        let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
        let take = |found: &mut BTreeSet<i64>, query: &str, values: &[&dyn ToSql]| -> Result<bool, Failure> {
            let mut statement = sql.prepare_cached(query)?;
            let mut rows = statement.query(values)?;
            let mut seen = 0;
            while let Some(row) = rows.next()? {
                seen += 1;
                found.extend(Some(row.get::<_, i64>(0)?).filter(|number| *number < before));
            }
            Ok(seen <= most && found.len() <= most)
        };
        let mut going_on = BTreeSet::new();
        if !take(&mut going_on, GOES_ON, &[&limit])? {
            return Ok(None);
        }
        let mut found = going_on.clone();
        if let Some(runtime) = &self.runtime
            && take(&mut found, OF_RUNTIME, &[runtime, &limit])?
        {
            return Ok(Some(found));
        }
        let Some(since) = self.since else { return Ok(None) };
        let (mut found, groups) = (going_on, prune::groups(sql, GROUPS)?);
        if groups.len() > GROUPS {
            return Ok(None);
        }
        for group in groups {
            let values: &[&dyn ToSql] = &[&group.runtime, &group.kind, &(group.status as u8), &since, &limit];
            if !take(&mut found, &changed_since(&group.kind), values)? {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }
}

const OF_RUNTIME: &str = "SELECT number FROM task INDEXED BY task_ended WHERE status > 2 AND runtime = ?1 LIMIT ?2";
const GOES_ON: &str = "SELECT number FROM task INDEXED BY task_status WHERE status <> 3 AND status IN (1, 2) LIMIT ?1";

/// What was created since then was changed since then.
fn changed_since(kind: &Option<String>) -> String {
    let is_kind = prune::is_kind(kind);
    format!(
        "SELECT number FROM task INDEXED BY task_ended
            WHERE status > 2 AND runtime = ?1 AND {is_kind} AND status = ?3 AND updated_at >= ?4 LIMIT ?5"
    )
}

impl Entrance {
    /// The number down to which it leads to so many rows; `None`: it leads to no more than that.
    fn reach(&self, sql: &Connection, before: i64, rows: usize) -> Result<Option<i64>, Failure> {
        let query = format!(
            "SELECT number FROM task INDEXED BY {} WHERE {} AND number < ? ORDER BY number DESC LIMIT 1 OFFSET {rows}",
            self.index, self.test.text
        );
        let values = [self.test.values.as_slice(), &[Value::Integer(before)]].concat();
        Ok(sql.prepare_cached(&query)?.query_row(rusqlite::params_from_iter(values), |row| row.get(0)).optional()?)
    }

    /// The newest numbers that it leads to.
    fn numbers(&self, sql: &Connection, before: i64, floor: Option<i64>, most: usize) -> Result<Vec<i64>, Failure> {
        let query = format!(
            "SELECT number FROM task INDEXED BY {} WHERE {} AND number < ? AND number >= ?
                ORDER BY number DESC LIMIT {}",
            self.index,
            self.test.text,
            most + 1
        );
        let between = [Value::Integer(before), Value::Integer(floor.unwrap_or(0))];
        let values = [self.test.values.as_slice(), &between].concat();
        let mut statement = sql.prepare_cached(&query)?;
        let numbers = statement.query_map(rusqlite::params_from_iter(values), |row| row.get(0))?;
        Ok(numbers.collect::<rusqlite::Result<_>>()?)
    }
}

/// One more than the limit, so that it is known whether there are more.
fn newest(from: &str, mut values: Vec<Value>, limit: usize, floor: Option<i64>) -> Way {
    values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)));
    let order = if planted("order_by_clock") { "created_at" } else { "number" };
    Way::Rows { text: row::select(&format!("{from} ORDER BY {order} DESC LIMIT ?")), values, floor }
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
