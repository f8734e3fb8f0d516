//! Who writes next, across processes.
//!
//! SQLite's own waiting is unfair without bound: steady writers starve a waiter. So writers take a lock in front of it,
//! which the kernel releases when a process dies. Whoever waits for it sleeps until it is released, and is woken by the
//! ledger's bell in the order of waiting. Where there is no bell, they queue: one stands at the head, by a lock for that,
//! and looks often; the rest look now and then whether they may stand there.
//!
//! A hand-over costs more than a short transaction: two switches, and every page that the other has changed is read anew.
//! So whoever had the turn last may take it again past those who wait, but only for a moment in a row.

use crate::platform::{self, Bell, Tone};
use rusqlite::Result as SqlResult;
use std::cell::Cell;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// How long one process may go on past those who wait.
const STREAK_MS: i64 = 1;
/// How often those who wait look for themselves: whoever had the turn may have been killed, or has no bell.
const LOOK: Duration = Duration::from_millis(5);
/// The bounds of the pauses without a bell, in microseconds: at the head of the queue, and behind it.
const AT_HEAD: (u64, u64) = (20, 60);
const BEHIND: (u64, u64) = (200, 1_000);

/// The two locks, as files beside the ledger.
#[derive(Debug)]
pub(crate) struct Turnstile {
    head: File,
    turn: File,
    /// When this process last had the turn and nobody to pass, or had waited for it.
    since_ms: Cell<i64>,
}

/// The right to write; dropped, the next one has it.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    _held: Held<'a>,
    /// Struck after the lock is released.
    _told: Option<Told<'a>>,
}

/// A lock that is held.
#[derive(Debug)]
struct Held<'a>(&'a File);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // The kernel releases the lock with the file in any case.
        let _ = self.0.unlock();
    }
}

#[derive(Debug)]
struct Told<'a>(&'a Bell);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.0.strike(Tone::Turn);
    }
}

/// When a wait is over, on the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    began_ms: i64,
    ends_ms: i64,
}

impl Deadline {
    /// A deadline that far from now.
    pub(crate) fn after(wait: Duration) -> Deadline {
        let began_ms = platform::monotonic_ms();
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        Deadline { began_ms, ends_ms: began_ms.saturating_add(wait) }
    }

    /// Whether it has passed.
    pub(crate) fn is_over(&self) -> bool {
        platform::monotonic_ms() >= self.ends_ms
    }

    /// Whether half of the time has passed.
    fn is_half_over(&self) -> bool {
        let now = platform::monotonic_ms();
        now.saturating_sub(self.began_ms) >= self.ends_ms.saturating_sub(now)
    }

    /// How long it is until then.
    pub(crate) fn left(&self) -> Duration {
        let left = self.ends_ms.saturating_sub(platform::monotonic_ms());
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }

    /// How long it has been waited.
    pub(crate) fn waited_ms(&self) -> u64 {
        u64::try_from(platform::monotonic_ms().saturating_sub(self.began_ms)).unwrap_or(0)
    }
}

impl Turnstile {
    /// Opens the lock files beside a ledger, and makes them with its owner and mode if there are none.
    pub(crate) fn open(ledger: &Path) -> io::Result<Turnstile> {
        let file = |suffix: &str| {
            let path = beside(ledger, suffix);
            if platform::create_private_file(&path)? {
                platform::copy_owner_and_mode(ledger, &path)?;
            }
            OpenOptions::new().read(true).write(true).open(&path)
        };
        Ok(Turnstile { head: file("-queue")?, turn: file("-turn")?, since_ms: Cell::new(0) })
    }

    /// Whether somebody has the turn just now; `None`: nobody ever had it from here. Nothing is made.
    pub(crate) fn is_taken(ledger: &Path) -> Option<bool> {
        let file = File::open(beside(ledger, "-turn")).ok()?;
        match file.try_lock_shared() {
            Ok(()) => Some(false),
            Err(TryLockError::WouldBlock) => Some(true),
            Err(TryLockError::Error(_)) => None,
        }
    }

    /// Waits for the turn; `None` when half of the time has passed. The caller then tries SQLite's own lock, which
    /// alone decides: a forked child of a killed writer may hold the turn for as long as it lives.
    pub(crate) fn enter<'a>(&'a self, deadline: &Deadline, bell: Option<&'a Bell>) -> io::Result<Option<Turn<'a>>> {
        let held = match bell {
            Some(bell) => self.wait(deadline, bell)?,
            None => self.queue(deadline)?,
        };
        Ok(held.map(|held| Turn { _held: held, _told: bell.map(Told) }))
    }

    fn wait(&self, deadline: &Deadline, bell: &Bell) -> io::Result<Option<Held<'_>>> {
        let now = platform::monotonic_ms();
        if !bell.is_attended(Tone::Turn) {
            self.since_ms.set(now);
        }
        if now - self.since_ms.get() < STREAK_MS
            && let Some(held) = take(&self.turn)?
        {
            return Ok(Some(held));
        }
        let listener = bell.attend(Tone::Turn);
        loop {
            // Heard before the look, so that no stroke after it is slept over.
            let heard = bell.strokes(Tone::Turn);
            if let Some(held) = take(&self.turn)? {
                self.since_ms.set(platform::monotonic_ms());
                return Ok(Some(held));
            }
            if deadline.is_half_over() {
                return Ok(None);
            }
            listener.listen(heard, LOOK.min(deadline.left()));
        }
    }

    fn queue(&self, deadline: &Deadline) -> io::Result<Option<Held<'_>>> {
        if let Some(held) = take(&self.turn)? {
            return Ok(Some(held));
        }
        match poll(&self.head, BEHIND, deadline)? {
            Some(_head) => poll(&self.turn, AT_HEAD, deadline),
            None => Ok(None),
        }
    }
}

/// Takes a lock once it is free; `None` when half of the time has passed.
fn poll<'a>(file: &'a File, pauses: (u64, u64), deadline: &Deadline) -> io::Result<Option<Held<'a>>> {
    loop {
        if let Some(held) = take(file)? {
            return Ok(Some(held));
        }
        if deadline.is_half_over() {
            return Ok(None);
        }
        sleep(jitter(pauses.0, pauses.1));
    }
}

fn take(file: &File) -> io::Result<Option<Held<'_>>> {
    match file.try_lock() {
        Ok(()) => Ok(Some(Held(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The path of a file that stands beside a ledger: `ledger.db` and `-wal` make `ledger.db-wal`.
pub(crate) fn beside(ledger: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

thread_local! {
    static DEADLINE: Cell<Option<Deadline>> = const { Cell::new(None) };
    static DICE: Cell<u64> = const { Cell::new(0) };
}

/// Sets how long this thread's statements wait for a lock, for as long as the guard lives.
pub(crate) fn patience(deadline: Deadline) -> Patience {
    Patience { before: DEADLINE.replace(Some(deadline)) }
}

/// See [`patience`].
pub(crate) struct Patience {
    before: Option<Deadline>,
}

impl Drop for Patience {
    fn drop(&mut self) {
        DEADLINE.set(self.before);
    }
}

/// Makes a connection wait with constant jitter until the thread's deadline: for writers that do not queue, such as
/// SQLite's own shell.
pub(crate) fn install(connection: &mut rusqlite::Connection) -> SqlResult<()> {
    connection.busy_handler(Some(|_| match DEADLINE.get() {
        Some(deadline) if !deadline.is_over() => {
            sleep(jitter(200, 1_000));
            true
        }
        Some(_) | None => false,
    }))
}

/// A random pause between two bounds, in microseconds.
fn jitter(least: u64, most: u64) -> Duration {
    let mut dice = DICE.get();
    if dice == 0 {
        dice = u64::from_le_bytes(platform::random_bytes()) | 1;
    }
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    DICE.set(dice);
    Duration::from_micros(least + dice % (most - least))
}
