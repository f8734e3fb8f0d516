//! One ledger file in one process: its connections, its turn to write, its shared commits.
//!
//! All handles of a process on one file share an engine. A writer stands in line; whoever leads carries out everything
//! that waits there in one transaction with one sync. A caller that is alone does just its own.

mod alone;
mod replaced;

use crate::batch::{Batch, in_transaction, transact};
use crate::caller::{Caller, Written};
use crate::config;
use crate::connection::{self, Conn, Place};
use crate::fork;
use crate::platform::{self, Bell, FileSystem, Tone};
use crate::prune;
use crate::queue::{Job, Lead, Place as JobPlace, Queue, Turn};
use crate::read;
use crate::salvage::Wreck;
use crate::sqlite::{self, Failure, Phase};
use crate::sweep;
use crate::turnstile::{self, Deadline, Turnstile, beside};
use crate::wal;
use crate::world::World;
use crate::write;
use bgledger_core::config::Durability;
use bgledger_core::{Error, Prune, Request, Response, planted};
use rusqlite::Connection;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

/// Pages in the WAL that are not in the database yet, above which a writer moves them there after its turn.
const CHECKPOINT_PAGES: u32 = 1_000;
/// Pages in the WAL above which it does so within its turn, so that steady writers cannot keep the WAL growing.
const CHECKPOINT_IN_TURN_PAGES: u32 = 8_000;
/// How often the bell's file is looked at.
const BELL_LOOK_MS: i64 = 1_000;
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
    readers: Mutex<Vec<Conn>>,
    writing: Mutex<Writing>,
    queue: Queue,
    /// Whether something is to be brought back; see [`Writing::owed`].
    owes: AtomicBool,
    /// Struck after each commit. `None`: not opened yet, or out of reach.
    bell: RwLock<Option<Arc<Bell>>>,
    /// When it is looked next whether the bell is still the one that others have, on the monotonic clock.
    next_look_ms: AtomicI64,
    /// The newest event when this process opened the ledger, or last moved its WAL to the database.
    noted: AtomicU64,
    /// When this process looks next whether a sweep is due, on the monotonic clock.
    next_sweep_ms: AtomicI64,
}

#[derive(Debug, Default)]
struct Writing {
    writer: Option<Writer>,
    /// What was acknowledged and lost its file, until it is brought back: nothing is read or written before that.
    owed: Vec<Wreck>,
}

#[derive(Debug)]
struct Writer {
    conn: Conn,
    turnstile: Turnstile,
}

/// How leading ended.
enum Led {
    /// What was taken is answered.
    Done,
    /// The files were replaced; nothing was taken.
    Replaced,
    /// The files were replaced before what was committed could be answered.
    ReplacedAfter(Batch),
}

impl Engine {
    /// The engine of a file in this process: the one that other handles use, or a new one.
    pub(crate) fn of(path: &Path, allow_network_fs: bool) -> Arc<Engine> {
        fork::close_before_each(close_all);
        let _held = fork::hold();
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
            readers: Mutex::new(Vec::new()),
            writing: Mutex::new(Writing::default()),
            queue: Queue::default(),
            owes: AtomicBool::new(false),
            bell: RwLock::new(None),
            next_look_ms: AtomicI64::new(0),
            noted: AtomicU64::new(0),
            next_sweep_ms: AtomicI64::new(0),
        });
        engines.insert(path.to_owned(), Arc::downgrade(&engine));
        engine
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the ledger to record, if it is not open yet.
    pub(crate) fn connect_writer(&self, patience: Duration) -> Result<(), Error> {
        let _held = fork::hold();
        let _shared = self.in_use.read().unwrap_or_else(PoisonError::into_inner);
        self.open(&mut lock(&self.writing).writer, &Deadline::after(patience)).map(drop)
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
        self.look(patience, |conn| in_transaction(conn.sql(), &reading))
    }

    /// Does something with a connection that reads.
    fn look<T>(&self, patience: Duration, work: impl Fn(&Conn) -> Result<T, Failure>) -> Result<T, Error> {
        let _held = fork::hold();
        let deadline = Deadline::after(patience);
        for _ in 0..REOPENINGS {
            if self.owes.load(Ordering::Acquire) {
                self.reopen(&deadline)?;
            }
            let shared = self.in_use.read().unwrap_or_else(PoisonError::into_inner);
            let pooled = lock(&self.readers).pop();
            let conn = match pooled {
                Some(conn) => conn,
                None => self.connect_reader(&deadline)?,
            };
            if !(conn.was_in_place() && conn.is_linked()) {
                lock(&self.readers).push(conn);
                drop(shared);
                self.reopen(&deadline)?;
                continue;
            }
            let _patience = turnstile::patience(deadline);
            let answer = work(&conn);
            if !conn.is_lasting() {
                // Read as it lay there: what was seen holds only if the file did not change meanwhile.
                if conn.is_still() {
                    return answer.map_err(|failure| failure.explain(&self.path, Phase::Work, deadline.waited_ms()));
                }
                continue;
            }
            let mut readers = lock(&self.readers);
            if readers.len() < READERS {
                readers.push(conn);
            }
            return answer.map_err(|failure| failure.explain(&self.path, Phase::Work, deadline.waited_ms()));
        }
        Err(Failure::Replaced.explain(&self.path, Phase::Work, 0))
    }

    /// Makes what was read survive a power loss before it is told, where the caller's durability asks for that: a commit is
    /// seen before its own sync is over.
    pub(crate) fn persist_seen(&self, patience: Duration, caller: &Caller) -> Result<(), Error> {
        let bell = self.bell();
        let synced = |conn: &Conn| {
            if conn.is_synced(bell.as_deref()) {
                return Ok(true);
            }
            let durability = match caller.durability {
                Some(durability) => durability,
                None => in_transaction(conn.sql(), config::durability)?,
            };
            let is_owed = durability == Durability::Full && !planted("tell_unsynced");
            Ok(!is_owed || conn.sync(bell.as_deref()).is_ok())
        };
        if self.look(patience, synced)? {
            return Ok(());
        }
        let _held = fork::hold();
        let deadline = Deadline::after(patience);
        let _shared = self.in_use.read().unwrap_or_else(PoisonError::into_inner);
        let mut writing = lock(&self.writing);
        let writer = self.open(&mut writing.writer, &deadline)?;
        let _patience = turnstile::patience(deadline);
        writer.conn.doubt().map_err(|failure| failure.explain(&self.path, Phase::Work, deadline.waited_ms()))
    }

    fn connect_reader(&self, deadline: &Deadline) -> Result<Conn, Error> {
        let (place, file_system) = connection::inspect(&self.path, self.allow_network_fs)?;
        match place {
            Place::Vacant => Err(Error::NoLedger { path: self.path.display().to_string() }),
            Place::File => Conn::read(&self.path, is_network(&file_system), deadline),
        }
    }

    // ---- writing --------------------------------------------------------------------------------------------

    /// Carries out a request that records, and acknowledges it at its durability.
    pub(crate) fn write(&self, request: Request, caller: Caller, patience: Duration) -> Result<Response, Error> {
        let _held = fork::hold();
        self.see_through(&self.queue.join(Job::new(request, caller, patience)))
    }

    /// The same for several of one caller, in their order: what waits together shares a commit.
    pub(crate) fn write_all(&self, jobs: Vec<Job>) -> Vec<Result<Response, Error>> {
        let _held = fork::hold();
        self.queue.join_all(jobs).iter().map(|place| self.see_through(place)).collect()
    }

    /// Waits until the request of a place is answered, leading whenever it is this thread's turn.
    fn see_through(&self, place: &JobPlace<'_>) -> Result<Response, Error> {
        let job = Arc::clone(place.job());
        let mut reopenings = 0;
        loop {
            let lead = match place.wait() {
                Turn::Done(outcome) => return outcome,
                Turn::Late => return Err(Error::Busy { waited_ms: job.deadline.waited_ms() }),
                Turn::Lead(lead) => lead,
            };
            match self.lead(&lead, &job) {
                Ok(Led::Done) => {}
                Ok(Led::Replaced) if reopenings < REOPENINGS => {
                    reopenings += 1;
                    if let Err(error) = self.reopen(&job.deadline) {
                        return place.answer_or(error);
                    }
                }
                Ok(Led::Replaced) => {
                    return place.answer_or(Failure::Replaced.explain(
                        &self.path,
                        Phase::Work,
                        job.deadline.waited_ms(),
                    ));
                }
                Ok(Led::ReplacedAfter(batch)) => {
                    let back = self.reopen(&job.deadline);
                    batch.settle(|outcome| match (&back, outcome) {
                        (Err(error), Ok(_)) => Err(error.clone()),
                        (_, outcome) => outcome,
                    });
                }
                // It could not begin: that is this caller's to know. The others have patience and luck of their own.
                Err(error) => return place.answer_or(error),
            }
        }
    }

    /// Carries out what waits, in one transaction, in turn with other processes.
    fn lead(&self, lead: &Lead<'_>, job: &Job) -> Result<Led, Error> {
        let shared = self.in_use.read().unwrap_or_else(PoisonError::into_inner);
        let mut writing = lock(&self.writing);
        if !writing.owed.is_empty() {
            return Ok(Led::Replaced);
        }
        if writing.writer.is_none() {
            self.rehearse(job)?;
        }
        let explain = |failure: Failure| failure.explain(&self.path, Phase::Work, job.deadline.waited_ms());
        let writer = self.open(&mut writing.writer, &job.deadline)?;
        let bell = self.bell();
        let turn = writer.turnstile.enter(&job.deadline, bell.as_deref());
        let turn = turn.map_err(|error| sqlite::io(&self.path, &error))?;
        if !writer.conn.was_in_place() {
            return Ok(Led::Replaced);
        }
        let _patience = turnstile::patience(job.deadline);
        let mut batch = transact(&writer.conn, &self.path, lead).map_err(explain)?;
        if !batch.committed {
            batch.settle(|outcome| outcome);
            return Ok(Led::Done);
        }
        self.checkpoint(writer, true);
        drop(turn);
        if batch.owes_sync()
            && let Err(failure) = writer.conn.persist(bell.as_deref())
        {
            batch.fail_to_sync(&failure.explain(&self.path, Phase::Commit, 0));
        }
        if !writer.conn.is_linked() {
            return Ok(Led::ReplacedAfter(batch));
        }
        batch.settle(|outcome| outcome);
        lead.announce();
        if let Some(bell) = &bell {
            bell.strike(Tone::News);
        }
        self.checkpoint(writer, false);
        if !matches!(job.request, Request::Maintenance(_)) {
            self.sweep(writer, &job.caller);
        }
        drop(shared);
        Ok(Led::Done)
    }

    /// Only what is recorded makes a ledger: where there is none, a request is first tried on an empty one in memory.
    fn rehearse(&self, job: &Job) -> Result<(), Error> {
        if !matches!(connection::inspect(&self.path, self.allow_network_fs)?, (Place::Vacant, _)) {
            return Ok(());
        }
        let rehearsed = connection::blank().and_then(|sql| write::execute(&sql, &job.request, &job.caller, job.fresh));
        match rehearsed.map_err(|failure| failure.explain(&self.path, Phase::Work, 0))? {
            Written { wrote: true, .. } => Ok(()),
            Written { wrote: false, .. } => Err(Error::NoLedger { path: self.path.display().to_string() }),
        }
    }

    /// The writing connection, opened if there is none.
    fn open<'a>(&self, writer: &'a mut Option<Writer>, deadline: &Deadline) -> Result<&'a Writer, Error> {
        if writer.is_none() {
            let (found, file_system) = connection::inspect(&self.path, self.allow_network_fs)?;
            let network = is_network(&file_system);
            if let Place::Vacant = found {
                connection::create(&self.path, network)?;
            }
            let conn = Conn::record(&self.path, network, deadline)?;
            let turnstile = Turnstile::open(&self.path).map_err(|error| sqlite::io(&self.path, &error))?;
            self.note_newest(&conn);
            *writer = Some(Writer { conn, turnstile });
        }
        writer.as_ref().ok_or_else(|| Error::internal("a writer that was just made is gone"))
    }

    /// Moves the WAL to the database if it has become that long, with the turn or after it.
    fn checkpoint(&self, writer: &Writer, in_turn: bool) {
        let is_long = |reach: &wal::Reach| match in_turn {
            true => reach.frames > CHECKPOINT_IN_TURN_PAGES && reach.moved < reach.frames,
            false => reach.frames.saturating_sub(reach.moved) > CHECKPOINT_PAGES,
        };
        if writer.conn.reach().as_ref().is_some_and(is_long) {
            writer.conn.checkpoint();
            self.note_newest(&writer.conn);
        }
    }

    fn note_newest(&self, conn: &Conn) {
        // Where it cannot be read, more is looked through than need be.
        if let Ok(newest) = read::last_seq(conn.sql()) {
            self.noted.fetch_max(newest.0, Ordering::Relaxed);
        }
    }

    /// Settles what is due, at most once a minute for the whole ledger, whichever process is first.
    fn sweep(&self, writer: &Writer, caller: &Caller) {
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
        let everybody = &Caller { owner: None, ..caller.clone() };
        // Looked for before the turn is taken: nobody waits for what is merely active.
        let look = |sql: &Connection| {
            let expired = prune::look(sql, &Prune::default(), prune::BATCH, everybody, &at)?;
            Ok((sweep::batch(sql, everybody, &at)?, expired))
        };
        let Ok((due, expired)) = in_transaction(writer.conn.sql(), look) else { return };
        let bell = self.bell();
        let Ok(Some(_turn)) = writer.turnstile.enter(&deadline, bell.as_deref()) else { return };
        // Nobody waits for a sweep: what cannot be done now is done by the next one.
        let _ = writer.conn.alone(|sql| sweep::opportune(sql, &due, &expired, everybody, &at));
        self.strike();
    }

    // ---- waking ---------------------------------------------------------------------------------------------

    /// The bell of this ledger, if it can be heard from here. Looked for anew now and then: somebody may have put another
    /// file in its place.
    pub(crate) fn bell(&self) -> Option<Arc<Bell>> {
        let now = platform::monotonic_ms();
        if now < self.next_look_ms.load(Ordering::Relaxed) {
            return self.bell.read().unwrap_or_else(PoisonError::into_inner).clone();
        }
        self.next_look_ms.store(now + BELL_LOOK_MS, Ordering::Relaxed);
        let mut bell = self.bell.write().unwrap_or_else(PoisonError::into_inner);
        if !bell.as_ref().is_some_and(|bell| bell.is_in_place()) {
            *bell = match platform::file_system(&self.path) {
                FileSystem::Local => Bell::open(&beside(&self.path, "-bell"), &self.path).map(Arc::new),
                // Its machines share no memory.
                FileSystem::Network(_) => None,
            };
        }
        bell.clone()
    }

    /// Wakes whoever waits for news of this ledger, in any process.
    pub(crate) fn strike(&self) {
        if let Some(bell) = self.bell() {
            bell.strike(Tone::News);
        }
    }

    /// Has those who wait look up. Where nobody has listened or written yet there is no bell, and none is made.
    pub(crate) fn rouse(&self) {
        if let Some(bell) = &*self.bell.read().unwrap_or_else(PoisonError::into_inner) {
            bell.strike(Tone::News);
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.is_foreign() {
            // Its locks may be held for ever by threads that this process does not have.
            return;
        }
        let _held = fork::hold();
        // The last chance to bring back what lost its file since the last call.
        match platform::identity(&self.path) {
            // Whoever moved or removed the database meant to: it is given what it lacks, and nothing is made anew.
            Ok(None) => lock(&self.writing).writer.iter().for_each(|writer| writer.conn.checkpoint()),
            Ok(Some(_)) | Err(_) => drop(self.reopen(&Deadline::after(Duration::from_secs(5)))),
        }
        lock(&self.readers).clear();
        lock(&self.writing).writer = None;
    }
}

/// Closes every connection of this process; for a fork.
fn close_all() {
    let engines: Vec<Arc<Engine>> = lock(&registry().engines).values().filter_map(Weak::upgrade).collect();
    engines.iter().for_each(|engine| engine.close());
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
