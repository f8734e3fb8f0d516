//! One ledger file in one process: its connections, its turn to write, its shared commits.
//!
//! All handles of a process on one file share an engine. A writer puts its request in a queue; whoever gets the
//! writing connection carries out everything that waits there, each request in its own savepoint, in one transaction
//! with one sync. A caller that is alone does just its own.

use crate::config;
use crate::connection::{self, Conn, Place};
use crate::platform::{self, FileSystem};
use crate::salvage;
use crate::sqlite::{Failure, Phase};
use crate::sweep;
use crate::turnstile::{self, Deadline, Turnstile};
use crate::world::World;
use crate::write::{self, Caller, Written};
use bgledger_core::config::Durability;
use bgledger_core::{Error, Request, Response, Seq, TaskId};
use rusqlite::Connection;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicI64, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

/// Pages in the WAL above which a writer checkpoints after its turn.
const CHECKPOINT_PAGES: i64 = 1_000;
/// Pages above which it does so within its turn, so that steady writers cannot keep the WAL growing.
const CHECKPOINT_IN_TURN_PAGES: i64 = 8_000;
/// Requests that share one commit at most.
const BATCH: usize = 256;
/// Reading connections kept open.
const READERS: usize = 8;
/// How often a file that was replaced under us is opened anew within one call.
const REOPENINGS: usize = 3;

/// See the module.
#[derive(Debug)]
pub(crate) struct Engine {
    pid: u32,
    path: PathBuf,
    allow_network_fs: bool,
    /// Held shared while connections are in use, and alone while they are replaced.
    in_use: RwLock<()>,
    /// Before `writer`, so that the connection that closes last is one that can empty the WAL.
    readers: Mutex<Vec<Conn>>,
    writer: Mutex<Option<Writer>>,
    queue: Mutex<VecDeque<Arc<Job>>>,
    /// The newest event that this process has acknowledged.
    acknowledged: AtomicU64,
    /// When this process looks next whether a sweep is due, on the monotonic clock.
    next_sweep_ms: AtomicI64,
}

#[derive(Debug)]
struct Writer {
    conn: Conn,
    turnstile: Turnstile,
}

/// One request that waits to be written.
#[derive(Debug)]
struct Job {
    request: Request,
    caller: Caller,
    fresh: TaskId,
    outcome: Mutex<Option<Result<Response, Error>>>,
}

impl Job {
    fn settle(&self, outcome: Result<Response, Error>) {
        *lock(&self.outcome) = Some(outcome);
    }

    fn take(&self) -> Option<Result<Response, Error>> {
        lock(&self.outcome).take()
    }
}

/// What befell a batch.
enum Batch {
    Done,
    /// The files were replaced; nothing of the batch was begun.
    ReplacedBefore,
    /// The files were replaced before the commit was acknowledged.
    ReplacedAfter(Vec<(Arc<Job>, Result<Response, Error>)>),
}

impl Engine {
    /// The engine of a file in this process: the one that other handles use, or a new one.
    pub(crate) fn of(path: &Path, allow_network_fs: bool) -> Arc<Engine> {
        let mut engines = lock(&registry().engines);
        engines.retain(|_, engine| engine.strong_count() > 0);
        if let Some(engine) = engines.get(path).and_then(Weak::upgrade) {
            return engine;
        }
        let engine = Arc::new(Engine {
            pid: platform::own_pid(),
            path: path.to_owned(),
            allow_network_fs,
            in_use: RwLock::new(()),
            writer: Mutex::new(None),
            readers: Mutex::new(Vec::new()),
            queue: Mutex::new(VecDeque::new()),
            acknowledged: AtomicU64::new(0),
            next_sweep_ms: AtomicI64::new(0),
        });
        engines.insert(path.to_owned(), Arc::downgrade(&engine));
        engine
    }

    /// Whether this engine belongs to a process that was forked away from.
    pub(crate) fn is_foreign(&self) -> bool {
        self.pid != platform::own_pid()
    }

    // ---- reading --------------------------------------------------------------------------------------------

    /// Runs a reading in one read transaction.
    pub(crate) fn read<T>(
        &self,
        patience: Duration,
        reading: impl Fn(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let deadline = Deadline::after(patience);
        for _ in 0..REOPENINGS {
            let shared = self.in_use.read().unwrap_or_else(PoisonError::into_inner);
            let pooled = lock(&self.readers).pop();
            let conn = match pooled {
                Some(conn) => conn,
                None => self.connect_reader(&deadline)?,
            };
            if !conn.is_in_place() {
                lock(&self.readers).push(conn);
                drop(shared);
                self.reopen(&deadline)?;
                continue;
            }
            let _patience = turnstile::patience(deadline);
            let answer = in_transaction(conn.sql(), &reading);
            let mut readers = lock(&self.readers);
            if readers.len() < READERS {
                readers.push(conn);
            }
            return answer.map_err(|failure| failure.explain(&self.path, Phase::Work, deadline.waited_ms()));
        }
        Err(Failure::Replaced.explain(&self.path, Phase::Work, 0))
    }

    /// A number that changes when another connection commits; for waiting.
    pub(crate) fn connect_reader(&self, deadline: &Deadline) -> Result<Conn, Error> {
        let (place, file_system) = connection::inspect(&self.path, self.allow_network_fs)?;
        match place {
            Place::Vacant => Err(Error::NoLedger { path: self.path.display().to_string() }),
            Place::File => Conn::read(&self.path, is_network(&file_system), deadline),
        }
    }

    // ---- writing --------------------------------------------------------------------------------------------

    /// Carries out a request that records, and acknowledges it at its durability.
    pub(crate) fn write(&self, request: Request, caller: Caller, patience: Duration) -> Result<Response, Error> {
        let fresh = TaskId::from_parts(caller.world.moment().now, platform::random_bytes());
        let job = Arc::new(Job { request, caller, fresh, outcome: Mutex::new(None) });
        lock(&self.queue).push_back(Arc::clone(&job));
        let deadline = Deadline::after(patience);
        for _ in 0..REOPENINGS {
            if let Some(outcome) = self.lead(&job, &deadline) {
                return outcome;
            }
            self.reopen(&deadline)?;
        }
        lock(&self.queue).retain(|waiting| !Arc::ptr_eq(waiting, &job));
        Err(Failure::Replaced.explain(&self.path, Phase::Work, deadline.waited_ms()))
    }

    /// Waits for the writing connection, then carries out what waits, unless somebody did it for us. `None`: the
    /// files were replaced, and nothing of this job was begun.
    fn lead(&self, job: &Arc<Job>, deadline: &Deadline) -> Option<Result<Response, Error>> {
        let shared = self.in_use.read().unwrap_or_else(PoisonError::into_inner);
        let mut place = lock(&self.writer);
        if let Some(outcome) = job.take() {
            return Some(outcome);
        }
        let writer = match self.writer(&mut place, deadline) {
            Ok(writer) => writer,
            Err(error) => {
                lock(&self.queue).retain(|waiting| !Arc::ptr_eq(waiting, job));
                return Some(Err(error));
            }
        };
        let batch: Vec<Arc<Job>> = {
            let mut queue = lock(&self.queue);
            let waiting = queue.len().min(BATCH);
            queue.drain(..waiting).collect()
        };
        match self.commit(writer, &batch, deadline) {
            Batch::Done => {
                if writer.conn.wal_pages() > CHECKPOINT_PAGES {
                    writer.conn.checkpoint();
                }
                self.sweep(writer, &job.caller);
                // With more than a batch waiting, ours may be in the next one.
                match job.take() {
                    Some(outcome) => Some(outcome),
                    None => {
                        drop(place);
                        drop(shared);
                        self.lead(job, deadline)
                    }
                }
            }
            Batch::ReplacedBefore => {
                let mut queue = lock(&self.queue);
                for waiting in batch.into_iter().rev() {
                    queue.push_front(waiting);
                }
                None
            }
            Batch::ReplacedAfter(outcomes) => {
                drop(place);
                drop(shared);
                let back = self.reopen(deadline);
                for (done, outcome) in outcomes {
                    done.settle(match (&back, outcome) {
                        (Err(error), Ok(_)) => Err(error.clone()),
                        (_, outcome) => outcome,
                    });
                }
                job.take()
            }
        }
    }

    fn writer<'a>(
        &self,
        place: &'a mut MutexGuard<'_, Option<Writer>>,
        deadline: &Deadline,
    ) -> Result<&'a mut Writer, Error> {
        if place.is_none() {
            let (found, file_system) = connection::inspect(&self.path, self.allow_network_fs)?;
            let network = is_network(&file_system);
            if let Place::Vacant = found {
                connection::create(&self.path, network)?;
            }
            let conn = Conn::record(&self.path, network, deadline)?;
            let turnstile = Turnstile::open(&self.path).map_err(|error| self.io(&error))?;
            **place = Some(Writer { conn, turnstile });
        }
        place.as_mut().ok_or_else(|| Error::internal("a writer that was just made is gone"))
    }

    /// One transaction for a batch, in turn with other processes.
    fn commit(&self, writer: &mut Writer, batch: &[Arc<Job>], deadline: &Deadline) -> Batch {
        let fail_all = |error: &Error| {
            batch.iter().for_each(|job| job.settle(Err(error.clone())));
            Batch::Done
        };
        let turn = match writer.turnstile.enter(deadline) {
            Ok(turn) => turn,
            Err(error) => return fail_all(&self.io(&error)),
        };
        let conn = &writer.conn;
        if !conn.is_in_place() {
            return Batch::ReplacedBefore;
        }
        let _patience = turnstile::patience(*deadline);
        let mut outcomes = Vec::with_capacity(batch.len());
        let done = transact(conn, batch, &mut outcomes);
        if let Err((failure, phase)) = done {
            let error = failure.explain(&self.path, phase, deadline.waited_ms());
            return fail_all(&error);
        }
        if !conn.is_in_place() {
            return Batch::ReplacedAfter(batch.iter().cloned().zip(outcomes).collect());
        }
        if let Ok(Seq(last)) = crate::read::last_seq(conn.sql()) {
            self.acknowledged.fetch_max(last, Ordering::Relaxed);
        }
        if conn.wal_pages() > CHECKPOINT_IN_TURN_PAGES {
            conn.checkpoint();
        }
        drop(turn);
        batch.iter().zip(outcomes).for_each(|(job, outcome)| job.settle(outcome));
        Batch::Done
    }

    /// Settles what is due, at most once a minute for the whole ledger, whichever process is first.
    fn sweep(&self, writer: &mut Writer, caller: &Caller) {
        let (World::Real, now) = (caller.world, platform::monotonic_ms()) else { return };
        if now < self.next_sweep_ms.load(Ordering::Relaxed) {
            return;
        }
        self.next_sweep_ms.store(now + sweep::INTERVAL_MS, Ordering::Relaxed);
        let at = caller.world.moment();
        let deadline = Deadline::after(Duration::ZERO);
        let _patience = turnstile::patience(deadline);
        if !matches!(sweep::is_due(writer.conn.sql(), at.now), Ok(true)) {
            return;
        }
        let Ok(Some(_turn)) = writer.turnstile.enter(&deadline) else { return };
        // Nobody waits for a sweep: what cannot be done now is done by the next one.
        let _ = writer.conn.sync(false);
        let _ = in_immediate(writer.conn.sql(), |sql| sweep::opportune(sql, caller, &at));
    }

    // ---- files that were replaced ---------------------------------------------------------------------------

    /// Closes every connection of this process without touching the files that took the place of ours, opens the
    /// ledger anew, and brings back what was acknowledged and is not in it.
    fn reopen(&self, deadline: &Deadline) -> Result<(), Error> {
        let _alone = self.in_use.write().unwrap_or_else(PoisonError::into_inner);
        let mut place = lock(&self.writer);
        let mut readers = lock(&self.readers);
        let in_place = place.as_ref().is_none_or(|writer| writer.conn.is_in_place());
        if in_place && readers.iter().all(Conn::is_in_place) {
            return Ok(());
        }
        let wreck =
            place.as_ref().map(|writer| salvage::gather(writer.conn.sql(), self.acknowledged.load(Ordering::Relaxed)));
        readers.drain(..).for_each(Conn::abandon);
        if let Some(writer) = place.take() {
            writer.conn.abandon();
        }
        drop(readers);
        let Some(wreck) = wreck else { return Ok(()) };
        let writer = self.writer(&mut place, deadline)?;
        let turn = writer.turnstile.enter(deadline).map_err(|error| self.io(&error))?;
        let _patience = turnstile::patience(*deadline);
        let explain = |failure: Failure| Error::Unknown {
            path: self.path.display().to_string(),
            problem: format!(
                "the file was replaced while it was in use, and what was recorded could not be brought back ({})",
                failure.explain(&self.path, Phase::Work, deadline.waited_ms())
            ),
        };
        let wreck = wreck.map_err(explain)?;
        writer.conn.sync(true).map_err(|error| explain(error.into()))?;
        in_immediate(writer.conn.sql(), |sql| salvage::bring_back(sql, &wreck)).map_err(explain)?;
        drop(turn);
        Ok(())
    }

    fn io(&self, error: &std::io::Error) -> Error {
        let (path, problem) = (self.path.display().to_string(), error.to_string());
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Error::DiskFull { path },
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Error::ReadOnly { path, problem }
            }
            _ => Error::Io { path, problem },
        }
    }
}

fn is_network(file_system: &FileSystem) -> bool {
    match file_system {
        FileSystem::Local => false,
        FileSystem::Network(_) => true,
    }
}

/// A mutex is never poisoned by what it guards here: every value is whole between statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// ---- transactions -------------------------------------------------------------------------------------------

/// Carries out a batch and commits it with at most one sync.
fn transact(
    conn: &Conn,
    batch: &[Arc<Job>],
    outcomes: &mut Vec<Result<Response, Error>>,
) -> Result<(), (Failure, Phase)> {
    let work = |failure: Failure| (failure, Phase::Work);
    let sql = conn.sql();
    let default = config::durability(sql).map_err(work)?;
    let full = |job: &Job| {
        job.caller.durability.unwrap_or(default) == Durability::Full && write::needs_sync(&job.request, &job.caller)
    };
    conn.sync(batch.iter().any(|job| full(job))).map_err(|error| work(error.into()))?;
    begin(sql).map_err(|error| work(error.into()))?;
    let mut owes_sync = false;
    for job in batch {
        let outcome = match batch {
            [_] => write::execute(sql, &job.request, &job.caller, job.fresh),
            _ => in_savepoint(sql, job),
        };
        match outcome {
            Ok(Written { response, wrote }) => {
                owes_sync |= full(job) && !wrote;
                outcomes.push(Ok(response));
            }
            Err(Failure::Refused(error)) if batch.len() > 1 => outcomes.push(Err(error)),
            Err(failure) => {
                roll_back(sql);
                return Err(work(failure));
            }
        }
    }
    if owes_sync {
        // What others recorded without a sync is told as recorded: it must be durable before that.
        let touch = "INSERT INTO meta VALUES ('touched', 1) ON CONFLICT DO UPDATE SET value = value + 1";
        let touched = sql.prepare_cached(touch).and_then(|mut statement| statement.execute([]));
        if let Err(error) = touched {
            roll_back(sql);
            return Err(work(error.into()));
        }
    }
    let committed = sql.prepare_cached("COMMIT").and_then(|mut statement| statement.execute([]));
    committed.map(drop).map_err(|error| {
        roll_back(sql);
        (error.into(), Phase::Commit)
    })
}

fn in_savepoint(sql: &Connection, job: &Job) -> Result<Written, Failure> {
    sql.prepare_cached("SAVEPOINT job")?.execute([])?;
    match write::execute(sql, &job.request, &job.caller, job.fresh) {
        Ok(written) => {
            sql.prepare_cached("RELEASE job")?.execute([])?;
            Ok(written)
        }
        Err(Failure::Refused(error)) => {
            sql.prepare_cached("ROLLBACK TO job")?.execute([])?;
            sql.prepare_cached("RELEASE job")?.execute([])?;
            Err(Failure::Refused(error))
        }
        Err(failure) => Err(failure),
    }
}

fn begin(sql: &Connection) -> rusqlite::Result<()> {
    sql.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop)
}

fn roll_back(sql: &Connection) {
    if !sql.is_autocommit() {
        // SQLite has rolled back by itself when this fails.
        let _ = sql.execute_batch("ROLLBACK");
    }
}

/// A write transaction that nobody shares.
fn in_immediate<T>(sql: &Connection, work: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
    begin(sql)?;
    let done = work(sql).and_then(|value| {
        sql.execute_batch("COMMIT")?;
        Ok(value)
    });
    if done.is_err() {
        roll_back(sql);
    }
    done
}

/// A read transaction.
fn in_transaction<T>(sql: &Connection, reading: impl Fn(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
    sql.prepare_cached("BEGIN")?.execute([])?;
    let answer = reading(sql);
    roll_back(sql);
    answer
}

// ---- the engines of this process ----------------------------------------------------------------------------

struct Registry {
    pid: u32,
    engines: Mutex<HashMap<PathBuf, Weak<Engine>>>,
}

/// The registry of this process. A forked child gets one of its own without taking a lock of its parent's, which
/// another thread may have held at the fork; the parent's is leaked there, connections and all.
fn registry() -> &'static Registry {
    static REGISTRY: AtomicPtr<Registry> = AtomicPtr::new(ptr::null_mut());
    loop {
        let current = REGISTRY.load(Ordering::Acquire);
        // SAFETY: the pointer is null or came from `Box::into_raw` below, and such a box is never freed once stored.
        if let Some(registry) = unsafe { current.as_ref() }
            && registry.pid == platform::own_pid()
        {
            return registry;
        }
        let fresh = Box::new(Registry { pid: platform::own_pid(), engines: Mutex::new(HashMap::new()) });
        let fresh = Box::into_raw(fresh);
        if REGISTRY.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: another thread stored its registry first; this one was seen by nobody.
            drop(unsafe { Box::from_raw(fresh) });
        }
    }
}
