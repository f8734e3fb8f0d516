//! The handle: what a program holds.

use crate::cancel;
use crate::doctor;
use crate::engine::Engine;
use crate::location;
use crate::read;
use crate::wait;
use crate::world::World;
use crate::write::Caller;
use bgledger_core::config::Durability;
use bgledger_core::{Applied, Call, Envelope, Error, ExecutorSpec, MaintenanceReport, Millis, Request, Response};
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
/// connections and commits. A forked child may go on using its copy: it opens the file anew.
#[derive(Debug, Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    options: OpenOptions,
    engine: Arc<Engine>,
}

impl Ledger {
    /// Opens the ledger at a path. A missing one is no error: the first recorded task creates it.
    ///
    /// Errors: `bad_path`, `not_a_ledger` (an empty file), `network_file_system`, `unreadable`, `invalid_value`
    /// (an owner or runtime that cannot be). What is wrong inside the file is told by the first call.
    pub fn open(path: &Path, options: OpenOptions) -> Result<Ledger, Error> {
        location::check_names(&options)?;
        let path = location::canonical(path)?;
        crate::connection::inspect(&path, options.allow_network_fs)?;
        let engine = Engine::of(&path, options.allow_network_fs);
        Ok(Ledger { shared: Arc::new(Shared { path, options, engine }) })
    }

    /// Where the ledger is unless told: `$BGLEDGER_DB`, else `bgledger/ledger.db` in the state folder
    /// (`$XDG_STATE_HOME`, else `~/.local/state`; on Windows `%LOCALAPPDATA%`).
    pub fn default_path() -> Result<PathBuf, Error> {
        location::default_path()
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

    /// Carries out any request.
    pub fn request(&self, request: Request) -> Result<Response, Error> {
        match self.shared.options.test_clock {
            false => self.carry_out(request, World::Real),
            true => Err(Error::InvalidRequest { problem: "a test clock needs a `now` in each request".into() }),
        }
    }

    /// The same at a time of the test clock.
    pub fn request_at(&self, request: Request, now: Millis) -> Result<Response, Error> {
        match self.shared.options.test_clock {
            true => self.carry_out(request, World::Scripted(now)),
            false => {
                Err(Error::NotAvailable { what: "`now`".into(), why: "only a test clock is told the time".into() })
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
        let applied = Applied { id: id.as_ref(), result: result.as_ref() };
        serde_json::to_string(&applied).unwrap_or_else(|error| {
            let fault = Error::internal(error.to_string());
            serde_json::to_string(&Applied { id: None, result: Err(&fault) }).unwrap_or_default()
        })
    }

    fn carry_out(&self, request: Request, world: World) -> Result<Response, Error> {
        request.check()?;
        let options = &self.shared.options;
        let caller = Caller {
            owner: options.owner.clone(),
            runtime: options.runtime.clone(),
            executor: options.executor.clone(),
            durability: options.durability,
            world,
        };
        let engine = &*self.engine();
        let patience = options.busy_timeout;
        if records(&request) {
            if options.readonly {
                let path = self.path().display().to_string();
                return Err(Error::ReadOnly { path, problem: "this handle only reads".into() });
            }
            return match request {
                Request::Cancel(cancel) => cancel::cancel(engine, cancel, &caller, patience),
                Request::Maintenance(_) => maintain(engine, request, &caller, patience),
                request => engine.write(request, caller, patience),
            };
        }
        match &request {
            Request::Wait(wait) => wait::wait(engine, wait, &caller, patience).map(Response::Wait),
            Request::Watch(watch) => wait::watch(engine, watch, &caller, patience).map(Response::Watch),
            Request::Doctor(_) => self.doctor(engine).map(Response::Doctor),
            request => engine.read(patience, |sql| read::execute(sql, request, &caller)),
        }
    }

    fn doctor(&self, engine: &Engine) -> Result<bgledger_core::DoctorReport, Error> {
        match self.shared.options.owner {
            None => doctor::examine(engine, self.path(), self.shared.options.busy_timeout),
            Some(_) => Err(Error::NotAvailable { what: "doctor".into(), why: "it is the operator's".into() }),
        }
    }

    /// The engine of this process: a forked child has one of its own.
    fn engine(&self) -> Arc<Engine> {
        match self.shared.engine.is_foreign() {
            false => Arc::clone(&self.shared.engine),
            true => Engine::of(&self.shared.path, self.shared.options.allow_network_fs),
        }
    }
}

/// Whether a request may record something as it stands: a preview and a look at the settings do not.
fn records(request: &Request) -> bool {
    match request {
        Request::Maintenance(maintenance) => maintenance.apply,
        Request::Config(config) => !config.set.is_empty(),
        request => request.name().writes(),
    }
}

/// Settles in batches until nothing is due.
fn maintain(engine: &Engine, request: Request, caller: &Caller, patience: Duration) -> Result<Response, Error> {
    let mut changes = Vec::new();
    loop {
        match engine.write(request.clone(), caller.clone(), patience)? {
            Response::Maintenance(report) if report.changes.is_empty() => break,
            Response::Maintenance(report) => changes.extend(report.changes),
            _ => return Err(Error::internal("a maintenance that answers something else")),
        }
    }
    Ok(Response::Maintenance(MaintenanceReport { applied: true, changes }))
}
