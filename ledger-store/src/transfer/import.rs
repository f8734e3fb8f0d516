//! Reading lines of JSON into a ledger.
//!
//! A ledger with nothing in it becomes equal to the one that was written, in one transaction. One that has records of its
//! own gets those that it has not, some a transaction, under numbers and places of its own; what it has by its id stays
//! as it is.

use super::lines::{Lines, SOURCE, wrong};
use super::{Layout, Record};
use crate::batch::in_immediate;
use crate::find::{self, Scope};
use crate::flows;
use crate::import::{self, Notes, Place, blank};
use crate::notices::Letter;
use crate::prune::{self, Series};
use crate::record::{self, stored_number};
use crate::sqlite::{Failure, Phase};
use crate::verify;
use crate::world::World;
use bgledger_core::{
    Error, FlowStatus, ImportCounts, ImportFinding, ImportReport, Millis, Seq, Status, TaskId, TaskNumber, fold,
    same_but_for_heartbeats,
};
use rusqlite::{Connection, ErrorCode, OptionalExtension};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Lines that are recorded together beside other records.
const CHUNK: usize = 200;

/// Imports a file; see the module.
pub(crate) fn import(place: &Place<'_>, path: &Path, rehearse: bool) -> Result<ImportReport, Error> {
    place.is_not(path)?;
    // What is no whole export is refused before anything is written, or a ledger made.
    Lines::open(path)?.try_for_each(|line| line.map(drop))?;
    if rehearse {
        return rehearsed(path);
    }
    if let Some(report) = place.engine.alone(place.patience, |sql| whole(sql, path))? {
        return Ok(report);
    }
    // Some at a time cannot be taken back: that they agree with each other is proved before.
    rehearsed(path)?;
    let (mut lines, mut report, mut hosts) = (Lines::open(path)?, blank(SOURCE, true), BTreeMap::new());
    loop {
        let chunk: Vec<(u64, Record)> = lines.by_ref().take(CHUNK).collect::<Result<_, _>>()?;
        if chunk.is_empty() {
            return Ok(report);
        }
        let taken = place.engine.alone(place.patience, |sql| {
            let mut taking = Taking::new(sql, false, report.clone(), hosts.clone())?;
            chunk.iter().try_for_each(|(number, line)| taking.line(*number, line))?;
            Ok((taking.report, taking.hosts))
        })?;
        (report, hosts) = taken;
    }
}

/// Takes everything into a ledger that goes again, and tells what it came to.
fn rehearsed(path: &Path) -> Result<ImportReport, Error> {
    let sql = import::scratch().map_err(|failure| failure.explain(path, Phase::Open, 0))?;
    let whole = in_immediate(&sql, |sql| whole(sql, path));
    let report = whole.map_err(|failure| failure.explain(path, Phase::Work, 0))?;
    Ok(ImportReport { applied: false, ..report.unwrap_or_else(|| blank(SOURCE, false)) })
}

const STAYS: &str = "it was recorded here before, and stays as it is";

/// Imports everything into a ledger that has nothing; `None`: it has something.
fn whole(sql: &Connection, path: &Path) -> Result<Option<ImportReport>, Failure> {
    let holds = "SELECT EXISTS (SELECT 1 FROM task) OR EXISTS (SELECT 1 FROM flow) OR EXISTS (SELECT 1 FROM tombstone)
        OR EXISTS (SELECT 1 FROM flow_tombstone)
        OR EXISTS (SELECT 1 FROM event) OR (SELECT max(value) FROM meta WHERE substr(key, 1, 7) = 'pruned_') > 0";
    if sql.query_row(holds, [], |row| row.get(0))? {
        return Ok(None);
    }
    let mut taking = Taking::new(sql, true, blank(SOURCE, true), BTreeMap::new())?;
    for line in Lines::open(path)? {
        let (number, line) = line?;
        taking.line(number, &line)?;
    }
    match verify::loose_ends(sql)?.as_slice() {
        [] => Ok(Some(taking.report)),
        loose => {
            let problem = format!("its records do not agree: {}", loose.join(", "));
            Err(Error::invalid("file", problem, "what `bgledger export` has written").into())
        }
    }
}

/// One transaction's taking of lines.
struct Taking<'a> {
    sql: &'a Connection,
    /// Into a ledger that had nothing: everything is as it was.
    whole: bool,
    report: ImportReport,
    /// The numbers of hosts here, by those there.
    hosts: BTreeMap<i64, i64>,
    now: i64,
    task: Layout,
    event: Layout,
    notice: Layout,
}

/// How many more of a kind.
fn counted(counts: &mut ImportCounts, imported: bool) {
    counts.found += 1;
    match imported {
        true => counts.imported += 1,
        false => counts.existed += 1,
    }
}

impl<'a> Taking<'a> {
    fn new(
        sql: &'a Connection,
        whole: bool,
        report: ImportReport,
        hosts: BTreeMap<i64, i64>,
    ) -> Result<Taking<'a>, Failure> {
        let (task, event) = (Layout::of(sql, "task", &[])?, Layout::of(sql, "event", &[])?);
        let notice = Layout::of(sql, "notice", &[])?;
        Ok(Taking { sql, whole, report, hosts, now: World::Real.moment().now.get(), task, event, notice })
    }

    fn line(&mut self, number: u64, line: &Record) -> Result<(), Failure> {
        let part = |word: &str| match line.get(word) {
            Some(Value::Object(record)) => Some(record.clone()),
            Some(_) | None => None,
        };
        let done = if let Some(task) = part("task") {
            let list = |word: &str| line.get(word).and_then(Value::as_array).cloned().unwrap_or_default();
            self.task(task, &list("events"), &list("notices"))
        } else if let Some(flow) = part("flow") {
            self.flow(flow)
        } else if let Some(host) = part("host") {
            self.host(host)
        } else if let Some(stone) = part("tombstone") {
            self.tombstone(stone)
        } else if let Some(stone) = part("flow_tombstone") {
            self.flow_tombstone(stone)
        } else if let Some(letter) = part("letter") {
            self.letter(letter)
        } else if let Some(known) = part("acknowledgement") {
            self.acknowledgement(known, line)
        } else if let Some(recipient) = part("recipient") {
            self.plain("recipient", &recipient)
        } else if let Some(config) = part("config") {
            self.config(&config)
        } else if let Some(meta) = part("meta") {
            self.gone(&meta)
        } else {
            Err(Wrong::Line("nothing that is known".into()))
        };
        done.map_err(|error| match error {
            Wrong::Line(problem) => wrong(number, &problem).into(),
            Wrong::Storage(rusqlite::Error::SqliteFailure(failure, Some(problem)))
                if matches!(failure.code, ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) =>
            {
                wrong(number, &problem).into()
            }
            Wrong::Storage(error) => error.into(),
            Wrong::Failed(failure) => failure,
        })
    }

    fn put(&self, layout: &Layout, how: &str, record: &Record) -> Result<(), Wrong> {
        let values = layout.values(record).map_err(Wrong::Line)?;
        self.sql.prepare_cached(&layout.insert(how))?.execute(rusqlite::params_from_iter(values))?;
        Ok(())
    }

    /// A record that has no number: what is there stays.
    fn plain(&self, table: &'static str, record: &Record) -> Result<(), Wrong> {
        self.put(&Layout::of(self.sql, table, &[])?, "OR IGNORE", record)
    }

    fn replaced(&self, table: &'static str, record: &Record) -> Result<(), Wrong> {
        self.put(&Layout::of(self.sql, table, &[])?, "OR REPLACE", record)
    }

    /// The newest of a series that was pruned. Elsewhere other numbers are gone.
    fn gone(&self, meta: &Record) -> Result<(), Wrong> {
        let of_series = meta.get("key").and_then(Value::as_str).is_some_and(|key| key.starts_with("pruned_"));
        match (of_series && integer(meta, "value")? >= 0, self.whole) {
            (false, _) => Err(Wrong::Line("nothing that is known".into())),
            (true, true) => self.replaced("meta", meta),
            (true, false) => Ok(()),
        }
    }

    fn host(&mut self, mut host: Record) -> Result<(), Wrong> {
        let there = integer(&host, "id")?;
        if self.whole {
            self.hosts.insert(there, there);
            return self.replaced("host", &host);
        }
        let text = |name: &str| host.get(name).and_then(Value::as_str).map(str::to_owned);
        let known = "SELECT id FROM host WHERE machine IS ?1 AND boot IS ?2 AND pid_namespace IS ?3";
        let values = (text("machine"), text("boot"), host.get("pid_namespace").and_then(Value::as_i64));
        let found: Option<i64> = self.sql.query_row(known, values, |row| row.get(0)).optional()?;
        let here = match found {
            Some(here) => here,
            None => {
                host.remove("id");
                self.plain("host", &host)?;
                self.sql.last_insert_rowid()
            }
        };
        self.hosts.insert(there, here);
        Ok(())
    }

    // ---- tasks ----------------------------------------------------------------------------------------------

    fn task(&mut self, mut task: Record, events: &[Value], notices: &[Value]) -> Result<(), Wrong> {
        let id = id(&task)?;
        let status = integer(&task, "status")?;
        let status = u8::try_from(status).ok().and_then(Status::from_code).ok_or("no status")?;
        let runtime = task.get("runtime").and_then(Value::as_str).unwrap_or_default().to_owned();
        *self.report.by_status.entry(status.as_str()).or_default() += 1;
        *self.report.by_runtime.entry(runtime).or_default() += 1;
        if !self.whole && prune::is_pruned(self.sql, id)? {
            self.report.tasks.found += 1;
            self.report.tasks.pruned += 1;
            return Ok(());
        }
        let existing = if self.whole { None } else { find::by_id(self.sql, id, Scope(None))? };
        counted(&mut self.report.tasks, existing.is_none());
        if let Some(existing) = existing {
            let (there, here) = (integer(&task, "revision")?, stored_number(existing.task.revision)?);
            if there != here {
                self.differs(&format!("task {id}"), "revision", json!(there), json!(here), STAYS);
            }
            return Ok(());
        }
        if !self.whole {
            self.settle_in(&mut task, status)?;
        }
        let number = integer(&task, "number")?;
        let (mut places, mut prev) = (BTreeMap::new(), 0);
        for event in events {
            let mut event = object(event)?;
            let there = integer(&event, "seq")?;
            let seq = match self.whole {
                true => there,
                false => stored_number(prune::next(self.sql, Series::Events)?)?,
            };
            places.insert(there, seq);
            event.extend([("seq".into(), json!(seq)), ("task".into(), json!(number)), ("prev".into(), json!(prev))]);
            self.put(&self.event, "", &event)?;
            prev = seq;
        }
        task.insert("last_event".into(), json!(prev));
        self.put(&self.task, "", &task)?;
        for notice in notices {
            let mut notice = object(notice)?;
            let seq = places.get(&integer(&notice, "seq")?).ok_or("a notice of no event")?;
            notice.extend([("seq".into(), json!(seq)), ("task".into(), json!(number))]);
            self.put(&self.notice, "", &notice)?;
        }
        self.prove(number)
    }

    /// A task among others: its number and its hosts are of this ledger, its key only if nobody has it, and what is over
    /// stays as long as if it had ended now.
    fn settle_in(&mut self, task: &mut Record, status: Status) -> Result<(), Wrong> {
        task.insert("number".into(), json!(stored_number(record::next_number(self.sql)?.0)?));
        for column in ["host", "lease_host"] {
            if let Some(there) = task.get(column).and_then(Value::as_i64) {
                let here = self.hosts.get(&there).ok_or("a host that is not named before")?;
                task.insert(column.into(), json!(here));
            }
        }
        self.free_key("task", task)?;
        if !status.is_active() {
            let updated = integer(task, "updated_at")?;
            task.insert("updated_at".into(), json!(updated.max(self.now)));
        }
        Ok(())
    }

    /// Takes a record's key away if another has it here.
    fn free_key(&mut self, table: &str, record: &mut Record) -> Result<(), Wrong> {
        let text = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
        let query = format!("SELECT 1 FROM {table} WHERE owner = ?1 AND key = ?2");
        if self.sql.prepare_cached(&query)?.exists((text("owner"), text("key")))? {
            let was = record.remove("key").unwrap_or_default();
            let subject = format!("{table} {}", id(record)?);
            self.differs(&subject, "key", was, Value::Null, "another record has it here");
        }
        Ok(())
    }

    /// Notes a value that is not here as it is there.
    fn differs(&mut self, subject: &str, field: &str, was: Value, now: Value, why: &'static str) {
        self.report.findings_total += 1;
        if self.report.findings.len() < ImportFinding::TOLD {
            let mut notes = Notes::on(subject.to_owned(), Millis::clamped(self.now));
            notes.changed(field, &was, &now, why);
            self.report.findings.append(&mut notes.findings);
        }
    }

    /// A setting that somebody made here stays.
    fn config(&mut self, config: &Record) -> Result<(), Wrong> {
        let text = |name: &str| config.get(name).and_then(Value::as_str).map(str::to_owned);
        let query = "SELECT value FROM config WHERE key = ?1";
        let here: Option<Option<String>> = self.sql.query_row(query, [text("key")], |row| row.get(0)).optional()?;
        match here {
            Some(here) if here != text("value") => {
                let subject = format!("setting {}", text("key").unwrap_or_default());
                self.differs(&subject, "value", json!(text("value")), json!(here), STAYS);
                Ok(())
            }
            Some(_) => Ok(()),
            None => self.plain("config", config),
        }
    }

    /// Refuses a row that is not what its events make of it.
    fn prove(&self, number: i64) -> Result<(), Wrong> {
        let number = TaskNumber(u64::try_from(number).map_err(|_| "a negative number")?);
        // What cannot be read has come from the line just now: the ledger is not damaged.
        let of_line = |failure: Failure| failure.of_odd_row().map_or_else(Wrong::from, Wrong::Line);
        let found = find::by_number(self.sql, number, Scope(None)).map_err(of_line)?;
        let stored = found.ok_or("a task that cannot be read")?;
        let history = record::history(self.sql, &stored, Seq(0)).map_err(of_line)?;
        let folded = fold(&stored.task, history.iter().map(|event| (&event.event, event.at)));
        match same_but_for_heartbeats(&stored.task, &folded) {
            true => Ok(()),
            false => Err(Wrong::Line("the task differs from its history".into())),
        }
    }

    // ---- what stands around tasks -----------------------------------------------------------------------------

    fn flow(&mut self, mut flow: Record) -> Result<(), Wrong> {
        let id = id(&flow)?;
        let status = flow.get("status").and_then(Value::as_i64).and_then(|code| u8::try_from(code).ok());
        if let Some(status) = status.and_then(FlowStatus::from_code) {
            *self.report.flows_by_status.entry(status.as_str()).or_default() += 1;
        }
        let mirrors = flow.get("mirrors").and_then(Value::as_str).and_then(TaskId::parse);
        let known = "SELECT 1 FROM flow WHERE id = ?1 OR mirrors = ?2";
        let values = (id.as_bytes().as_slice(), mirrors.map(|task| task.as_bytes().to_vec()));
        let gone = match mirrors {
            Some(task) if !self.whole => find::by_id(self.sql, task, Scope(None))?.is_none(),
            Some(_) | None => false,
        };
        if !self.whole
            && self
                .sql
                .prepare_cached("SELECT 1 FROM flow_tombstone WHERE id = ?1")?
                .exists([id.as_bytes().as_slice()])?
        {
            self.report.flows.found += 1;
            self.report.flows.pruned += 1;
            return Ok(());
        }
        let exists = gone || self.sql.prepare_cached(known)?.exists(values)?;
        counted(&mut self.report.flows, !exists);
        if exists {
            return Ok(());
        }
        if !self.whole {
            flow.insert("number".into(), json!(stored_number(prune::next(self.sql, Series::Flows)?)?));
            flow.insert("last_event".into(), json!(stored_number(crate::read::last_seq(self.sql)?.0)?));
            self.free_key("flow", &mut flow)?;
            if flow.contains_key("ended_at") {
                let updated = integer(&flow, "updated_at")?;
                flow.insert("updated_at".into(), json!(updated.max(self.now)));
            }
        }
        self.put(&Layout::of(self.sql, "flow", &[])?, "", &flow)?;
        match flows::problem(self.sql, integer(&flow, "number")?)? {
            Some(problem) => Err(Wrong::Line(problem)),
            None => Ok(()),
        }
    }

    fn tombstone(&self, mut stone: Record) -> Result<(), Wrong> {
        if !self.whole {
            let id = id(&stone)?;
            if prune::is_pruned(self.sql, id)? || find::by_id(self.sql, id, Scope(None))?.is_some() {
                return Ok(());
            }
            let number = stored_number(record::next_number(self.sql)?.0)?;
            prune::raise(self.sql, "pruned_number", number)?;
            stone.insert("number".into(), json!(number));
        }
        self.put(&Layout::of(self.sql, "tombstone", &[])?, "", &stone)
    }

    fn flow_tombstone(&self, mut stone: Record) -> Result<(), Wrong> {
        if !self.whole {
            let bytes = id(&stone)?.as_bytes().to_vec();
            let known = "SELECT 1 FROM flow WHERE id = ?1 UNION ALL SELECT 1 FROM flow_tombstone WHERE id = ?1";
            if self.sql.prepare_cached(known)?.exists([bytes])? {
                return Ok(());
            }
            let number = stored_number(prune::next(self.sql, Series::Flows)?)?;
            prune::raise(self.sql, "pruned_flow", number)?;
            stone.insert("number".into(), json!(number));
        }
        self.put(&Layout::of(self.sql, "flow_tombstone", &[])?, "", &stone)
    }

    /// A dead letter is of a task that is pruned: it follows the tombstone to its number.
    fn letter(&self, mut letter: Record) -> Result<(), Wrong> {
        let kept = letter.get("letter").and_then(Value::as_str).and_then(Letter::read);
        let task = kept.ok_or("a letter without its task")?.id;
        if !self.whole {
            let query = "SELECT number FROM tombstone WHERE id = ?1";
            let number: Option<i64> =
                self.sql.query_row(query, [task.as_bytes().as_slice()], |row| row.get(0)).optional()?;
            let Some(number) = number else { return Ok(()) };
            letter.insert("task".into(), json!(number));
        }
        self.put(&self.notice, "OR IGNORE", &letter)
    }

    fn acknowledgement(&self, mut known: Record, line: &Record) -> Result<(), Wrong> {
        if !self.whole {
            let subject = known.get("subject").and_then(Value::as_str).unwrap_or_default().to_owned();
            for (word, table, mark) in [("of_task", "task", "#"), ("of_flow", "flow", "F")] {
                let numbered = subject.strip_prefix(mark).is_some_and(|number| number.parse::<u64>().is_ok());
                if !numbered {
                    continue;
                }
                // What it was about is gone: its number is another's here.
                let Some(id) = line.get(word).and_then(Value::as_str).and_then(TaskId::parse) else { return Ok(()) };
                let query = format!("SELECT number FROM {table} WHERE id = ?1");
                let number: Option<i64> =
                    self.sql.query_row(&query, [id.as_bytes().as_slice()], |row| row.get(0)).optional()?;
                let Some(number) = number else { return Ok(()) };
                known.insert("subject".into(), json!(format!("{mark}{number}")));
            }
        }
        self.plain("acknowledgement", &known)
    }
}

/// Why a line is not taken.
enum Wrong {
    Line(String),
    Storage(rusqlite::Error),
    Failed(Failure),
}

impl From<&str> for Wrong {
    fn from(problem: &str) -> Wrong {
        Wrong::Line(problem.to_owned())
    }
}

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Wrong {
        Wrong::Storage(error)
    }
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Wrong {
        match failure {
            Failure::Refused(error) => Wrong::Line(error.to_string()),
            Failure::Storage(error) => Wrong::Storage(error),
            other @ (Failure::Replaced | Failure::Damaged(_)) => Wrong::Failed(other),
        }
    }
}

fn integer(record: &Record, name: &str) -> Result<i64, Wrong> {
    record.get(name).and_then(Value::as_i64).ok_or_else(|| Wrong::Line(format!("it has no {name}")))
}

fn id(record: &Record) -> Result<TaskId, Wrong> {
    let id = record.get("id").and_then(Value::as_str).and_then(TaskId::parse);
    id.ok_or_else(|| Wrong::Line("it has no id".into()))
}

fn object(value: &Value) -> Result<Record, Wrong> {
    value.as_object().cloned().ok_or_else(|| Wrong::Line("not an object".into()))
}
