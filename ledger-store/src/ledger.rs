//! The handle: what a program holds.

use crate::backup;
use crate::caller::Caller;
use crate::cancel;
use crate::doctor;
use crate::engine::Engine;
use crate::flows;
use crate::fork;
use crate::import;
use crate::location;
use crate::migrate;
use crate::notices;
use crate::prune;
use crate::queue::Job;
use crate::read;
use crate::recover;
use crate::sweep;
use crate::transfer;
use crate::wait::{self, GoesOn};
use crate::world::World;
use bgledger_core::config::Durability;
use bgledger_core::{
    Applied, Call, Create, Envelope, Error, ExecutorSpec, ImportReport, Json, List, Maintenance, MaintenanceReport,
    Millis, Prune, PruneReport, RecoverReport, Request, Response, TaskPage, Wait, bounds,
};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How a ledger is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// See the records of this owner alone; `None`: the operator, who sees all and records under `local`.
    pub owner: Option<String>,
    /// `None`: the ledger's own setting.
    pub durability: Option<Durability>,
    /// Never record.
    pub readonly: bool,
    /// The runtime of tasks that name none (`subagent`; the command line says `cli`).
    pub runtime: String,
    /// The executor of starts that name none (this process; the command line says external).
    pub executor: ExecutorSpec,
    /// How long a call waits for other writers.
    pub busy_timeout: Duration,
    /// Use a ledger on a network file system all the same, without WAL.
    pub allow_network_fs: bool,
    /// Time and host are told by each request (`now`): for conformance tests.
    pub test_clock: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            owner: None,
            durability: None,
            readonly: false,
            runtime: bgledger_core::runtime::SUBAGENT.into(),
            executor: ExecutorSpec::This,
            busy_timeout: Duration::from_secs(5),
            allow_network_fs: false,
            test_clock: false,
        }
    }
}

/// A handle on a ledger. Cheap to clone; share it between threads. All handles of a process on one file share
/// connections and commits. A forked child may go on using its copy. A fork waits for the calls that other threads
/// have under way, and closes the file; both sides open it again with their next call.
#[derive(Debug, Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    options: OpenOptions,
    engine: Mutex<Arc<Engine>>,
}

impl Ledger {
    /// Opens the ledger at a path. A missing one is no error: the first recorded task creates it.
    ///
    /// Errors: `bad_path`, `not_a_ledger` (an empty file), `network_file_system`, `unreadable`, `invalid_value`
    /// (an owner or runtime that cannot be). What is wrong inside the file is told by the first call.
    pub fn open(path: &Path, options: OpenOptions) -> Result<Ledger, Error> {
        check_names(&options)?;
        let path = location::canonical(path)?;
        crate::connection::inspect(&path, options.allow_network_fs)?;
        let engine = Engine::of(&path, options.allow_network_fs);
        Ok(Ledger { shared: Arc::new(Shared { path, options, engine: Mutex::new(engine) }) })
    }

    /// Where the ledger is unless told: `$BGLEDGER_DB`, else `bgledger/ledger.db` in the state folder
    /// (`$XDG_STATE_HOME`, else `~/.local/state`; on Windows `%LOCALAPPDATA%`).
    pub fn default_path() -> Result<PathBuf, Error> {
        location::default_path()
    }

    /// Keeps the files of a damaged ledger as they are, and makes a new ledger of what can be read of them, in a folder
    /// that this makes. The damaged one is only read; it need not be one that can be opened.
    ///
    /// Errors: `no_ledger`, `file_exists` (the folder), `busy` (somebody goes on writing it), `io`, `disk_full`,
    /// `read_only`, `unreadable`. Damage is no error: the report says what is lost.
    pub fn recover(from: &Path, to: &Path, patience: Duration) -> Result<RecoverReport, Error> {
        recover::recover(&location::canonical(from)?, &location::canonical(to)?, patience)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Carries out a typed call: `ledger.call(Show { lookup })?.task`.
    pub fn call<C: Call>(&self, call: C) -> Result<C::Reply, Error> {
        let response = self.request(call.into_request())?;
        C::reply(response).ok_or_else(|| Error::internal("a reply of another call"))
    }

    /// A page that holds as many tasks as it may, however far back they lie: goes on where an answer to a [`List`] ends
    /// before it is full.
    pub fn fill(&self, list: List) -> Result<TaskPage, Error> {
        let limit = list.limit.unwrap_or(bounds::LIST_DEFAULT);
        let mut page = self.call(list.clone())?;
        loop {
            let told = page.tasks.len() + page.unreadable.len();
            let left = limit.saturating_sub(u32::try_from(told).unwrap_or(u32::MAX));
            let Some(after) = page.next.take_if(|_| left > 0) else { return Ok(page) };
            let more = self.call(List { limit: Some(left), after: Some(after), ..list.clone() })?;
            page.tasks.extend(more.tasks);
            page.unreadable.extend(more.unreadable);
            page.next = more.next;
        }
    }

    /// Carries out any request.
    pub fn request(&self, request: Request) -> Result<Response, Error> {
        match self.shared.options.test_clock {
            false => self.carry_out(request, World::Real, &|| true),
            true => Err(Error::InvalidRequest { problem: "a test clock needs a `now` in each request".into() }),
        }
    }

    /// The same for a request that waits, as long as `goes_on` says so: when it does not, the wait ends as if its time
    /// were over. It is asked whenever something was recorded, after a signal, after [`Ledger::rouse`], and every few
    /// seconds.
    pub fn request_while(&self, request: Request, goes_on: &dyn Fn() -> bool) -> Result<Response, Error> {
        match self.shared.options.test_clock {
            false => self.carry_out(request, World::Real, goes_on),
            true => self.request(request),
        }
    }

    /// Has every waiting call on this ledger, in every process, look whether it should go on.
    pub fn rouse(&self) {
        let _held = fork::hold();
        self.engine().rouse();
    }

    /// The same at a time of the test clock.
    pub fn request_at(&self, request: Request, now: Millis) -> Result<Response, Error> {
        match self.shared.options.test_clock {
            true => self.carry_out(request, World::Scripted(now), &|| true),
            false => {
                Err(Error::NotAvailable { what: "`now`".into(), why: "only a test clock is told the time".into() })
            }
        }
    }

    /// Brings the tasks, the states of their deliveries and the flows of OpenClaw's database into this ledger. The
    /// source is opened to be read and stays as it is; what was brought before is not brought again. `rehearse`: only
    /// tells what it would come to.
    ///
    /// Errors: `invalid_value` (it is no database of OpenClaw), `unreadable`, `not_available` (the handle is an
    /// owner's), `read_only`, and those of recording.
    pub fn import_openclaw(&self, source: &Path, rehearse: bool) -> Result<ImportReport, Error> {
        self.bring("import", !rehearse, |place| import::openclaw(place, source, rehearse))
    }

    /// Tells the whole ledger, a line of JSON at a time, from one read transaction: [`Ledger::import`] makes it anew.
    /// `tell` answers whether it may go on; so does this.
    ///
    /// Errors: `not_available` (the handle is an owner's), and those of reading.
    pub fn export(&self, tell: &mut dyn FnMut(&str) -> bool) -> Result<bool, Error> {
        self.bring("export", false, |place| transfer::export(place, tell))
    }

    /// Brings what [`Ledger::export`] told into this ledger. One that has nothing becomes equal to it; another gets what
    /// it has not, under new numbers. `rehearse`: only tells what the file holds.
    ///
    /// Errors: `invalid_value` (it is no whole export), `not_available` (the handle is an owner's), `read_only`, and
    /// those of recording.
    pub fn import(&self, file: &Path, rehearse: bool) -> Result<ImportReport, Error> {
        self.bring("import", !rehearse, |place| transfer::import(place, file, rehearse))
    }

    /// What concerns the records of every owner.
    fn bring<T>(
        &self,
        what: &str,
        records: bool,
        work: impl FnOnce(&import::Place<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let options = &self.shared.options;
        let refused = |why: &str| Err(Error::NotAvailable { what: what.into(), why: why.into() });
        match (&options.owner, options.test_clock, options.readonly && records) {
            (Some(_), _, _) => refused("it concerns every owner's records: it is the operator's"),
            (None, true, _) => refused("it has no time of its own on a test clock"),
            (None, false, true) => {
                let path = self.path().display().to_string();
                Err(Error::ReadOnly { path, problem: "this handle only reads".into() })
            }
            (None, false, false) => {
                work(&import::Place { engine: &self.engine(), path: self.path(), patience: options.busy_timeout })
            }
        }
    }

    /// Carries out one Request given as JSON text and answers with one Response as JSON text.
    pub fn answer(&self, request: &str) -> String {
        let Envelope { id, now, request } = Envelope::parse(request);
        let result = request.and_then(|request| match now {
            Some(now) => self.request_at(request, now),
            None => self.request(request),
        });
        told(id.as_ref(), result.as_ref())
    }

    /// Carries out Requests given as JSON text, one after the other, and hands each Response on as soon as it is there.
    /// Those that only record and stand together share a commit.
    pub fn answer_all(&self, requests: &[&str], mut tell: impl FnMut(String)) {
        let mut together: Vec<(Option<Json>, Job)> = Vec::new();
        for text in requests {
            match self.job(text) {
                Some(job) => together.push(job),
                None => {
                    self.answer_together(&mut together, &mut tell);
                    tell(self.answer(text));
                }
            }
        }
        self.answer_together(&mut together, &mut tell);
    }

    /// A request that may share its commit with others.
    fn job(&self, text: &str) -> Option<(Option<Json>, Job)> {
        let Envelope { id, now, request } = Envelope::parse(text);
        let world = match (now, self.shared.options.test_clock) {
            (None, false) => World::Real,
            (Some(now), true) => World::Scripted(now),
            (_, _) => return None,
        };
        let request = request.ok().filter(|request| !self.shared.options.readonly && only_records(request))?;
        Some((id, Job::new(request, self.caller(world), self.shared.options.busy_timeout)))
    }

    fn answer_together(&self, together: &mut Vec<(Option<Json>, Job)>, tell: &mut impl FnMut(String)) {
        if together.is_empty() {
            return;
        }
        let (ids, jobs): (Vec<_>, Vec<_>) = together.drain(..).unzip();
        let results = self.engine().write_all(jobs);
        ids.iter().zip(&results).for_each(|(id, result)| tell(told(id.as_ref(), result.as_ref())));
    }

    fn caller(&self, world: World) -> Caller {
        let options = &self.shared.options;
        Caller {
            owner: options.owner.clone(),
            runtime: options.runtime.clone(),
            executor: options.executor.clone(),
            durability: options.durability,
            world,
            due: Vec::new(),
        }
    }

    fn carry_out(&self, request: Request, world: World, goes_on: GoesOn<'_>) -> Result<Response, Error> {
        request.check()?;
        let options = &self.shared.options;
        let caller = self.caller(world);
        let engine = &*self.engine();
        let patience = options.busy_timeout;
        if options.readonly && (records(&request) || ends_by_recording(&request)) {
            let path = self.path().display().to_string();
            return Err(Error::ReadOnly { path, problem: "this handle only reads".into() });
        }
        if let Some(operators) = operators(&request).filter(|_| options.owner.is_some()) {
            return Err(Error::NotAvailable { what: operators.into(), why: "it is the operator's".into() });
        }
        if records(&request) {
            return record(engine, request, caller, patience);
        }
        look(engine, &request, &caller, patience, goes_on)
    }

    /// The engine of this process: a forked child has one of its own.
    fn engine(&self) -> Arc<Engine> {
        let _held = fork::hold();
        let mut engine = self.shared.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if engine.is_foreign() {
            *engine = Engine::of(&self.shared.path, self.shared.options.allow_network_fs);
        }
        Arc::clone(&engine)
    }
}

/// What is not for a handle that was opened for one owner: it is about the whole file.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others are about records, each with its owner")]
fn operators(request: &Request) -> Option<&'static str> {
    match request {
        Request::Doctor(_) | Request::Backup(_) | Request::Recover(_) | Request::Migrate(_) => {
            Some(request.name().as_str())
        }
        _ => None,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "these do more than one write")]
fn record(engine: &Engine, request: Request, caller: Caller, patience: Duration) -> Result<Response, Error> {
    match request {
        Request::Cancel(cancel) => cancel::cancel(engine, cancel, &caller, patience),
        Request::FlowCancel(cancel) => cancel::cancel_flow(engine, cancel, &caller, patience),
        Request::Maintenance(maintenance) => maintain(engine, &maintenance, &caller, patience),
        Request::Prune(prune) => self::prune(engine, &prune, &caller, patience).map(Response::Prune),
        Request::Migrate(migrate) => migrate::migrate(engine, &migrate, patience).map(Response::Migrate),
        request => engine.write(request, caller, patience),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "these do more than one read")]
fn look(
    engine: &Engine,
    request: &Request,
    caller: &Caller,
    patience: Duration,
    goes_on: GoesOn<'_>,
) -> Result<Response, Error> {
    match request {
        Request::Wait(wait) => {
            if let Some(recipient) = &wait.ack {
                engine.read(patience, |sql| notices::known(sql, recipient, caller))?;
            }
            let told = wait::wait(engine, wait, caller, patience, goes_on)?;
            match wait.ack {
                // What it is told is what stands there when it is acknowledged: no newer outcome is taken for delivered.
                Some(_) => {
                    let lookups = told.tasks.iter().map(|view| view.task.id.into()).collect();
                    engine.write(Request::Wait(Wait { lookups, ..wait.clone() }), caller.clone(), patience)
                }
                None => Ok(Response::Wait(told)),
            }
        }
        Request::Drain(drain) => wait::drain(engine, drain, caller, patience, goes_on).map(Response::Drain),
        Request::Doctor(doctor) => doctor::examine(engine, doctor, caller, patience).map(Response::Doctor),
        Request::Backup(backup) => backup::back_up(engine, backup, patience).map(Response::Backup),
        Request::Recover(recover) => recover::of_request(engine, recover, patience).map(Response::Recover),
        Request::Migrate(migrate) => migrate::migrate(engine, migrate, patience).map(Response::Migrate),
        Request::Watch(watch) => wait::watch(engine, watch, caller, patience, goes_on).map(Response::Watch),
        request => engine.read(patience, |sql| read::execute(sql, request, caller)),
    }
}

/// Whether a request that reads may record something at its end.
#[expect(clippy::wildcard_enum_match_arm, reason = "one does")]
fn ends_by_recording(request: &Request) -> bool {
    match request {
        Request::Wait(wait) => wait.ack.is_some(),
        _ => false,
    }
}

/// Whether a request may record something as it stands: a preview and a look at the settings do not, and showing a task
/// does where it acknowledges notices.
#[expect(clippy::wildcard_enum_match_arm, reason = "of all others the core says it")]
fn records(request: &Request) -> bool {
    match request {
        Request::Maintenance(maintenance) => maintenance.apply,
        Request::Config(config) => !config.set.is_empty(),
        Request::Show(show) => show.ack.is_some(),
        Request::Prune(prune) => !prune.dry_run,
        Request::Reconcile(reconcile) => reconcile.apply,
        Request::Migrate(migrate) => !migrate.dry_run,
        request => request.name().writes(),
    }
}

/// Whether a request does no more than record, so that it may share a commit with others.
#[expect(clippy::wildcard_enum_match_arm, reason = "of all others `records` says it")]
fn only_records(request: &Request) -> bool {
    match request {
        Request::Cancel(_)
        | Request::FlowCancel(_)
        | Request::Maintenance(_)
        | Request::Prune(_)
        | Request::Migrate(_) => false,
        request => records(request),
    }
}

/// A Response as JSON text.
fn told(id: Option<&Json>, result: Result<&Response, &Error>) -> String {
    serde_json::to_string(&Applied { id, result }).unwrap_or_else(|error| {
        let fault = Error::internal(error.to_string());
        serde_json::to_string(&Applied { id: None, result: Err(&fault) }).unwrap_or_default()
    })
}

/// Stops what is left of dead executors whose tasks it ends for good, then settles in batches until nothing is due.
fn maintain(
    engine: &Engine,
    maintenance: &Maintenance,
    caller: &Caller,
    patience: Duration,
) -> Result<Response, Error> {
    let apply = |due| {
        let request = Request::Maintenance(maintenance.clone());
        let report = Maintenance::reply(engine.write(request, Caller { due, ..caller.clone() }, patience)?);
        report.ok_or_else(|| Error::internal("a maintenance that answers something else"))
    };
    if maintenance.confirm_clock {
        // Nothing is found due before the clock is believed.
        apply(Vec::new())?;
    }
    let groups = engine.read(patience, |sql| sweep::groups_to_stop(sql, caller, &caller.world.moment()))?;
    cancel::stop(groups);
    let cancelled = engine.read(patience, |sql| flows::to_be_cancelled(sql, caller.scope()))?;
    let mut changes = Vec::new();
    let held = loop {
        let due = engine.read(patience, |sql| sweep::batch(sql, caller, &caller.world.moment()))?;
        let report = apply(due)?;
        let is_over = report.changes.is_empty() && report.flows.is_empty();
        changes.extend(report.changes);
        if is_over {
            break report.held;
        }
    };
    let flows = engine.read(patience, |sql| flows::ended_of(sql, &cancelled))?;
    let pruned = prune(engine, &Prune::default(), caller, patience)?;
    let applied = held.is_none();
    Ok(Response::Maintenance(MaintenanceReport { applied, changes, flows, pruned, held }))
}

/// Removes what is due, in batches, until nothing is.
fn prune(engine: &Engine, request: &Prune, caller: &Caller, patience: Duration) -> Result<PruneReport, Error> {
    let apply = |due| {
        let request = Request::Prune(request.clone());
        let report = Prune::reply(engine.write(request, Caller { due, ..caller.clone() }, patience)?);
        report.ok_or_else(|| Error::internal("a pruning that answers something else"))
    };
    let mut sum = apply(Vec::new())?;
    loop {
        let due =
            engine.read(patience, |sql| prune::look(sql, request, prune::LOOK, caller, &caller.world.moment()))?;
        let before = sum.clone();
        for batch in due.chunks(prune::BATCH) {
            sum = sum.plus(apply(batch.to_vec())?);
        }
        if due.is_empty() {
            sum = sum.plus(apply(Vec::new())?);
        }
        if sum == before {
            return Ok(sum);
        }
    }
}

/// Refuses an owner or runtime that no task could have.
fn check_names(options: &OpenOptions) -> Result<(), Error> {
    let probe = Create {
        label: "probe".into(),
        owner: options.owner.clone(),
        runtime: Some(options.runtime.clone()),
        ..Create::default()
    };
    Request::Create(probe).check()
}
