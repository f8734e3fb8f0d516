//! Writing foreign records within one transaction, each with its links.

use super::fitting::Notes;
use super::foreign::Foreign;
use super::openclaw::{Database, FlowSketch, TaskSketch, flow_origin, is_mirrored, key_of};
use crate::find::{self, Key, Scope};
use crate::flows;
use crate::prune;
use crate::record;
use crate::row::Stored;
use crate::sqlite::Failure;
use crate::write;
use bgledger_core::{
    Blocked, Family, Flow, FlowGate, FlowId, FlowNumber, FlowStatus, ImportCounts, ImportFinding, Moment, Status, Task,
    TaskId, bounds,
};
use rusqlite::Connection;
use rusqlite::types::ToSql;
use serde_json::{Value, json};
use std::collections::HashSet;

/// What a ledger has of a record already.
pub(super) enum Before {
    Absent,
    There,
    Pruned,
}

/// What a key is of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Task,
    Flow,
}

/// Looks for a record, by owner and key, in another ledger than the one that is written: for a rehearsal.
pub(super) type Elsewhere<'a> = dyn Fn(&str, &str, Kind) -> Result<Before, Failure> + 'a;

/// Looks for a record by owner and key.
pub(super) fn before(sql: &Connection, owner: &str, key: &str, kind: Kind) -> Result<Before, Failure> {
    let there = match kind {
        Kind::Task => find::by_key(sql, &Key::Given(key), owner)?.is_some(),
        Kind::Flow => flows::by_key(sql, owner, key)?.is_some(),
    };
    let (test, values): (_, [&dyn ToSql; 2]) = ("owner = ?1 AND key = ?2", [&owner, &key]);
    let buried = || match kind {
        Kind::Task => prune::tombstone(sql, prune::buried!("owner = ?1 AND key = ?2"), &values),
        Kind::Flow => prune::flow_tombstone(sql, test, &values),
    };
    Ok(match there {
        true => Before::There,
        false if buried()?.is_some() => Before::Pruned,
        false => Before::Absent,
    })
}

/// What a transaction came to.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) tasks: ImportCounts,
    pub(super) flows: ImportCounts,
    pub(super) deliveries: u64,
    pub(super) statuses: Vec<Status>,
    pub(super) runtimes: Vec<String>,
    pub(super) flow_statuses: Vec<FlowStatus>,
    pub(super) findings: Vec<ImportFinding>,
    pub(super) handled: Vec<String>,
}

/// See the module.
pub(super) struct Writer<'a> {
    sql: &'a Connection,
    source: &'a Database,
    at: &'a Moment,
    elsewhere: Option<&'a Elsewhere<'a>>,
    handled_before: &'a HashSet<String>,
    handled: HashSet<String>,
    done: Done,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        sql: &'a Connection,
        source: &'a Database,
        at: &'a Moment,
        handled_before: &'a HashSet<String>,
        elsewhere: Option<&'a Elsewhere<'a>>,
    ) -> Writer<'a> {
        Writer { sql, source, at, elsewhere, handled_before, handled: HashSet::new(), done: Done::default() }
    }

    /// What it came to.
    pub(super) fn done(self) -> Done {
        Done { handled: self.handled.into_iter().collect(), ..self.done }
    }

    fn before(&self, owner: &str, key: &str, kind: Kind) -> Result<Before, Failure> {
        match self.elsewhere {
            None => before(self.sql, owner, key, kind),
            Some(elsewhere) => match elsewhere(owner, key, kind)? {
                Before::Absent => before(self.sql, owner, key, kind),
                known @ (Before::There | Before::Pruned) => Ok(known),
            },
        }
    }

    // ---- tasks ----------------------------------------------------------------------------------------------

    /// Brings a task; those above it first.
    pub(super) fn with_ancestors(&mut self, row: &Foreign) -> Result<(), Failure> {
        let mut line = vec![row.clone()];
        let mut names: HashSet<String> = row.name("task_id").into_iter().collect();
        while let Some(parent) = line.last().and_then(|row| row.name("parent_task_id"))
            && line.len() <= bounds::TREE_DEPTH
            && !self.is_handled(&parent)
            && names.insert(parent.clone())
            && let Some(found) = self.source.task(&parent)?
        {
            line.push(found);
        }
        line.iter().rev().try_for_each(|row| self.task(row))
    }

    fn is_handled(&self, id: &str) -> bool {
        self.handled.contains(id) || self.handled_before.contains(id)
    }

    fn task(&mut self, row: &Foreign) -> Result<(), Failure> {
        let given = row.text("task_id").unwrap_or_default();
        if self.is_handled(&given) {
            return Ok(());
        }
        let delivery = self.source.delivery(&given)?;
        let mut sketch = TaskSketch::of(row, delivery.as_ref(), self.at.now);
        self.done.tasks.found += 1;
        self.done.deliveries += u64::from(delivery.is_some());
        self.done.statuses.push(sketch.status);
        self.done.runtimes.push(sketch.import.birth.runtime.clone());
        self.handled.insert(given);
        let flow = match &sketch.flow {
            Some(flow) => self.source.flow(flow)?,
            None => None,
        };
        let mirror = match flow.as_ref().filter(|flow| is_mirrored(flow)) {
            Some(flow) if self.follows(flow, row)? => Some(flow.clone()),
            Some(_) | None => None,
        };
        let known = self.before(&sketch.import.birth.owner, &sketch.key, Kind::Task)?;
        let (imported, existed, pruned) = match known {
            Before::Absent => (1, 0, 0),
            Before::There => (0, 1, 0),
            Before::Pruned => (0, 0, 1),
        };
        self.done.tasks.imported += imported;
        self.done.tasks.existed += existed;
        self.done.tasks.pruned += pruned;
        if mirror.is_some() {
            self.done.flows.found += 1;
        }
        match known {
            Before::Absent => {}
            Before::There | Before::Pruned => {
                // Told again, so that they can be found again as long as the source is there.
                self.done.findings.append(&mut sketch.notes.findings);
                if let Some(mirror) = &mirror {
                    self.done.flows.existed += existed;
                    self.done.flows.pruned += pruned;
                    let status = mirror.name("status").and_then(|word| FlowStatus::from_word(&word));
                    self.done.flow_statuses.extend(status);
                }
                return Ok(());
            }
        }
        sketch.import.birth.family = self.family(&mut sketch)?;
        sketch.import.birth.flow = self.gate(&mut sketch, flow.as_ref(), mirror.is_some())?;
        let id = self.free_id(&mut sketch)?;
        let recorded = record::import(self.sql, &sketch.import, id, self.at)?;
        if let Some(mirror) = &mirror {
            self.mirror(mirror, &recorded.task, &mut sketch.notes)?;
        }
        self.done.findings.append(&mut sketch.notes.findings);
        Ok(())
    }

    /// Its id in the source, if no other task has it.
    fn free_id(&self, sketch: &mut TaskSketch) -> Result<TaskId, Failure> {
        let taken = |id: TaskId| Ok::<_, Failure>(prune::is_pruned(self.sql, id)? || self.by_id(id)?);
        match sketch.id {
            Some(id) if !taken(id)? => Ok(id),
            Some(_) | None => Ok(TaskId::from_parts(self.at.now, crate::platform::random_bytes())),
        }
    }

    fn by_id(&self, id: TaskId) -> Result<bool, Failure> {
        Ok(find::by_id(self.sql, id, Scope(None))?.is_some())
    }

    /// The task of a source's id, if it was imported.
    fn imported(&self, id: &str) -> Result<Option<Stored>, Failure> {
        let Some(row) = self.source.task(id)? else { return Ok(None) };
        let (owner, key) = key_of(&row, &mut Notes::on(String::new(), self.at.now));
        find::by_key(self.sql, &Key::Given(&key), &owner)
    }

    /// The line above it. What is imported was a child before: it is not asked whether there may be new ones.
    fn family(&self, sketch: &mut TaskSketch) -> Result<Option<Family>, Failure> {
        let Some(parent) = sketch.parent.clone() else { return Ok(None) };
        let unlinked = |sketch: &mut TaskSketch, why| {
            sketch.notes.changed("parent_task_id", &json!(parent), &Value::Null, why);
            Ok(None)
        };
        let Some(found) = self.imported(&parent)? else {
            return match self.elsewhere.is_some() && self.source.task(&parent)?.is_some() {
                // It is in the ledger that is not written now.
                true => Ok(None),
                false => unlinked(sketch, "there is no such task"),
            };
        };
        let family = write::family(self.sql, &found, None, &sketch.import.birth.owner, Scope(None))?;
        match family.depth <= bounds::TREE_DEPTH {
            true => Ok(Some(Family { cancelled: None, barred: None, flow: None, entangled: false, ..family })),
            false => unlinked(sketch, "more generations than a tree may have"),
        }
    }

    // ---- flows ----------------------------------------------------------------------------------------------

    /// Whether a task is the one that a mirrored flow follows.
    fn follows(&self, flow: &Foreign, task: &Foreign) -> Result<bool, Failure> {
        let followed = self.source.followed(&flow.text("flow_id").unwrap_or_default())?;
        Ok(followed == task.text("task_id"))
    }

    /// The flow that a task belongs to. It did before: it is not asked whether the flow takes new ones.
    fn gate(&self, sketch: &mut TaskSketch, row: Option<&Foreign>, mirrors: bool) -> Result<Option<FlowGate>, Failure> {
        let Some(given) = &sketch.flow else { return Ok(None) };
        let given = json!(given);
        let why = match row {
            None => "there is no such flow",
            Some(_) if mirrors => return Ok(None),
            Some(row) if is_mirrored(row) => "a flow that mirrors a task follows only one",
            Some(row) => {
                let FlowSketch { key, flow, .. } = FlowSketch::of(row, self.at.now);
                match flows::by_key(self.sql, &flow.owner, &key)? {
                    Some(flow) => {
                        let status = FlowStatus::Running;
                        let open = FlowGate { status, ended_at: None, cancel_requested_at: None, ..flow.gate() };
                        return Ok(Some(open));
                    }
                    None if self.elsewhere.is_some() => return Ok(None),
                    None => "the flow was pruned",
                }
            }
        };
        sketch.notes.changed("parent_flow_id", &given, &Value::Null, why);
        Ok(None)
    }

    /// Brings a flow that a controller moves, with its tasks and the one that stands in its way.
    pub(super) fn managed(&mut self, row: &Foreign) -> Result<(), Failure> {
        let sketch = FlowSketch::of(row, self.at.now);
        let blocked = sketch.blocked_task.clone();
        let Some(flow) = self.flow(sketch)? else { return Ok(()) };
        for task in self.source.tasks_of(&row.text("flow_id").unwrap_or_default())? {
            self.with_ancestors(&task)?;
        }
        let Some(blocked) = blocked else { return Ok(()) };
        if let Some(task) = self.source.task(&blocked)? {
            self.with_ancestors(&task)?;
        }
        if let Some(found) = self.imported(&blocked)? {
            let summary = flow.blocked.as_ref().and_then(|blocked| blocked.summary.clone());
            let blocked = Some(Blocked { task: Some(found.task.id), summary });
            return flows::import(self.sql, Flow { blocked, ..flow }).map(drop);
        }
        if self.elsewhere.is_none() || self.source.task(&blocked)?.is_none() {
            let subject = flow.key.as_deref().unwrap_or_default();
            let mut notes = Notes::on(format!("flow {subject}"), self.at.now);
            notes.changed("blocked_task_id", &json!(blocked), &Value::Null, "there is no such task");
            self.done.findings.append(&mut notes.findings);
        }
        Ok(())
    }

    /// Brings a flow whose task is gone: as it was last.
    pub(super) fn orphan(&mut self, row: &Foreign) -> Result<(), Failure> {
        let mut sketch = FlowSketch::of(row, self.at.now);
        let why = "the task that it follows is gone";
        sketch.notes.changed("sync_mode", &json!("task_mirrored"), &json!("managed"), why);
        self.flow(sketch).map(drop)
    }

    /// Writes a flow that stands for itself, unless it is there.
    fn flow(&mut self, mut sketch: FlowSketch) -> Result<Option<Flow>, Failure> {
        self.done.flows.found += 1;
        self.done.flow_statuses.push(sketch.flow.status);
        match self.before(&sketch.flow.owner, &sketch.key, Kind::Flow)? {
            Before::Absent => {}
            Before::There => {
                self.done.flows.existed += 1;
                self.done.findings.append(&mut sketch.notes.findings);
                return Ok(None);
            }
            Before::Pruned => {
                self.done.flows.pruned += 1;
                return Ok(None);
            }
        }
        self.done.flows.imported += 1;
        self.done.findings.append(&mut sketch.notes.findings);
        let id = self.free_flow(sketch.id)?;
        flows::import(self.sql, Flow { id, ..sketch.flow }).map(Some)
    }

    /// Writes the flow that follows a task.
    fn mirror(&mut self, row: &Foreign, task: &Task, notes: &mut Notes) -> Result<(), Failure> {
        let FlowSketch { key, id, .. } = FlowSketch::of(row, self.at.now);
        // The task's own key keeps it from coming twice.
        let is_taken = flows::by_key(self.sql, &task.owner, &key)?.is_some();
        if is_taken {
            notes.changed("flow_id", &json!(key), &Value::Null, "another flow has it here");
        }
        let id = self.free_flow(id)?;
        let mirroring = Flow::mirroring(FlowNumber(0), id, task.owner.clone(), task);
        self.done.flow_statuses.push(mirroring.status);
        self.done.flows.imported += 1;
        flows::import(self.sql, Flow { key: (!is_taken).then_some(key), origin: flow_origin(row), ..mirroring })
            .map(drop)
    }

    fn free_flow(&self, given: Option<FlowId>) -> Result<FlowId, Failure> {
        match given {
            Some(id) if flows::is_free(self.sql, id)? => Ok(id),
            Some(_) | None => Ok(FlowId::from_parts(self.at.now, crate::platform::random_bytes())),
        }
    }
}
