//! OpenClaw's database: its tables and what is read from them, whichever of their generations it is.

mod flow;
mod task;

pub(super) use flow::{FlowSketch, is_mirrored, origin as flow_origin};
pub(super) use task::{TaskSketch, key_of};

use super::foreign::Foreign;
use super::source::{Source, no_source};
use bgledger_core::Error;
use rusqlite::{Connection, Params};
use std::path::Path;
use std::sync::Arc;

/// The word by which a record's origin and a report name the program.
pub(super) const PROGRAM: &str = "openclaw";

/// Rows that are handed on together.
const CHUNK: usize = 200;

/// The opened database. Of the tables only that of the tasks must be there.
pub(super) struct Database {
    source: Source,
    tasks: Table,
    deliveries: Table,
    flows: Table,
}

/// A table with the names of its columns; none where the table is missing.
struct Table {
    name: &'static str,
    columns: Arc<[String]>,
}

impl Table {
    fn of(source: &Source, name: &'static str) -> Result<Table, Error> {
        let read = |sql: &Connection| -> rusqlite::Result<Vec<String>> {
            let mut statement = sql.prepare("SELECT name FROM pragma_table_info(?1)")?;
            statement.query_map([name], |row| row.get(0))?.collect()
        };
        let columns = read(source.sql()?).map_err(|error| source.failed(&error))?;
        Ok(Table { name, columns: columns.into() })
    }

    fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }

    fn select(&self, rest: &str) -> String {
        format!("SELECT {} FROM {} {rest}", self.columns.join(", "), self.name)
    }
}

impl Database {
    /// Opens a database and looks at its tables.
    pub(super) fn open(path: &Path) -> Result<Database, Error> {
        let source = Source::open(path)?;
        let tasks = Table::of(&source, "task_runs")?;
        if !["task_id", "status", "created_at"].iter().all(|column| tasks.has(column)) {
            return Err(no_source(source.path(), "it has no table task_runs with the columns of OpenClaw"));
        }
        let (deliveries, flows) = (Table::of(&source, "task_delivery_state")?, Table::of(&source, "flow_runs")?);
        Ok(Database { source, tasks, deliveries, flows })
    }

    /// Refuses what was read while somebody wrote it.
    pub(super) fn still(&self) -> Result<(), Error> {
        self.source.still()
    }

    // ---- all of a kind --------------------------------------------------------------------------------------

    /// Every task, oldest first, some at a time.
    pub(super) fn tasks(&self, take: impl FnMut(Vec<Foreign>) -> Result<(), Error>) -> Result<(), Error> {
        self.each(&self.tasks, "ORDER BY created_at, task_id", take)
    }

    /// Every flow that a controller moves, oldest first, some at a time.
    pub(super) fn managed(&self, take: impl FnMut(Vec<Foreign>) -> Result<(), Error>) -> Result<(), Error> {
        match (self.flows.columns.is_empty(), self.flows.has("sync_mode")) {
            (true, _) => Ok(()),
            (false, true) => {
                self.each(&self.flows, "WHERE sync_mode IS NOT 'task_mirrored' ORDER BY created_at, flow_id", take)
            }
            (false, false) => self.each(&self.flows, "ORDER BY created_at, flow_id", take),
        }
    }

    /// Every flow that followed a task which is gone, oldest first, some at a time.
    pub(super) fn orphans(&self, take: impl FnMut(Vec<Foreign>) -> Result<(), Error>) -> Result<(), Error> {
        if !self.flows.has("sync_mode") {
            return Ok(());
        }
        let rest = match self.tasks.has("parent_flow_id") {
            true => {
                "WHERE sync_mode = 'task_mirrored'
                    AND flow_id NOT IN (SELECT trim(parent_flow_id) FROM task_runs WHERE parent_flow_id IS NOT NULL)
                    ORDER BY created_at, flow_id"
            }
            false => "WHERE sync_mode = 'task_mirrored' ORDER BY created_at, flow_id",
        };
        self.each(&self.flows, rest, take)
    }

    fn each(
        &self,
        table: &Table,
        rest: &str,
        mut take: impl FnMut(Vec<Foreign>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let failed = |error: rusqlite::Error| self.source.failed(&error);
        let mut statement = self.source.sql()?.prepare(&table.select(rest)).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let mut chunk = Vec::with_capacity(CHUNK);
        while let Some(row) = rows.next().map_err(failed)? {
            chunk.push(Foreign::read(&table.columns, row).map_err(failed)?);
            if chunk.len() == CHUNK {
                take(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK)))?;
            }
        }
        match chunk.is_empty() {
            true => Ok(()),
            false => take(chunk),
        }
    }

    // ---- some of a kind -------------------------------------------------------------------------------------

    /// The task with an id.
    pub(super) fn task(&self, id: &str) -> Result<Option<Foreign>, Error> {
        Ok(self.some(&self.tasks, "WHERE task_id = ?1", [id])?.pop())
    }

    /// What is known of the delivery of a task's messages.
    pub(super) fn delivery(&self, task: &str) -> Result<Option<Foreign>, Error> {
        Ok(self.some(&self.deliveries, "WHERE task_id = ?1", [task])?.pop())
    }

    /// The flow with an id.
    pub(super) fn flow(&self, id: &str) -> Result<Option<Foreign>, Error> {
        Ok(self.some(&self.flows, "WHERE flow_id = ?1", [id])?.pop())
    }

    /// The tasks of a flow, oldest first.
    pub(super) fn tasks_of(&self, flow: &str) -> Result<Vec<Foreign>, Error> {
        match self.tasks.has("parent_flow_id") {
            true => self.some(&self.tasks, "WHERE parent_flow_id = ?1 ORDER BY created_at, task_id", [flow]),
            false => Ok(Vec::new()),
        }
    }

    /// The task that a mirrored flow follows: the newest that names it.
    pub(super) fn followed(&self, flow: &str) -> Result<Option<String>, Error> {
        let newest = "WHERE parent_flow_id = ?1 ORDER BY created_at DESC, task_id DESC LIMIT 1";
        Ok(self.some(&self.tasks, newest, [flow])?.pop().and_then(|task| task.text("task_id")))
    }

    fn some(&self, table: &Table, rest: &str, values: impl Params) -> Result<Vec<Foreign>, Error> {
        if table.columns.is_empty() {
            return Ok(Vec::new());
        }
        let read = |sql: &Connection| -> rusqlite::Result<Vec<Foreign>> {
            let mut statement = sql.prepare_cached(&table.select(rest))?;
            statement.query_map(values, |row| Foreign::read(&table.columns, row))?.collect()
        };
        read(self.source.sql()?).map_err(|error| self.source.failed(&error))
    }
}
