//! A copy of the ledger, as it was at one moment, in a file that is a whole ledger.
//!
//! SQLite copies the pages in one read transaction: writers go on, none waits for it, and what they record meanwhile is
//! not in the copy. The copy is made under a name of its own beside its destination, made durable, and proved (SQLite
//! finds no damage, every row equals its history, nothing is missing) before it gets its name in one step. Killed at any
//! moment, it leaves no half-written backup: at worst a draft, which the next backup to the same place removes.

use crate::connection::Conn;
use crate::engine::Engine;
use crate::find::Scope;
use crate::mark;
use crate::platform;
use crate::read;
use crate::schema;
use crate::sqlite::{self, Failure, Phase};
use crate::turnstile::beside;
use crate::verify;
use bgledger_core::{Backup as Request, BackupReport, Error, Seq};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What stands after the destination's name in the name of a draft.
const DRAFT: &str = "-part-";

/// Copies the ledger to a file.
pub(crate) fn back_up(engine: &Engine, request: &Request, patience: Duration) -> Result<BackupReport, Error> {
    let to = crate::location::canonical(Path::new(&request.to))?;
    admit(engine.path(), &to, request.replace)?;
    let draft = Draft::beside(&to)?;
    let source = engine.read(patience, |sql| {
        let counted = Counted::of(sql)?;
        copy(sql, &draft.path)?;
        Ok(counted)
    })?;
    // What is left beside a file that the copy replaces one day is not its newest part.
    mark::mark_file(&draft.path).map_err(|error| sqlite::io(&to, &error))?;
    platform::sync_file(&draft.path).map_err(|error| sqlite::io(&to, &error))?;
    let (copied, format) = prove(&draft.path, &to)?;
    if copied != source {
        return Err(Error::Corrupt {
            path: to.display().to_string(),
            problem: format!("the copy has {copied}, the ledger has {source}; it was not kept"),
        });
    }
    let bytes = fs::metadata(&draft.path).map_err(|error| sqlite::io(&to, &error))?.len();
    draft.publish(&to, request.replace)?;
    let Counted { tasks, events, last_seq } = copied;
    Ok(BackupReport { path: to.display().to_string(), bytes, format, tasks, events, last_seq })
}

/// What a ledger and its copy must agree in.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    tasks: u64,
    events: u64,
    last_seq: Seq,
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tasks and {} events up to {}", self.tasks, self.events, self.last_seq.0)
    }
}

impl Counted {
    fn of(sql: &Connection) -> Result<Counted, Failure> {
        let count = |table: &str| -> Result<u64, Failure> {
            let count: i64 = sql.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        };
        Ok(Counted { tasks: count("task")?, events: count("event")?, last_seq: read::last_seq(sql)? })
    }
}

/// Refuses a destination that is something else, or that something hangs on.
fn admit(ledger: &Path, to: &Path, replace: bool) -> Result<(), Error> {
    let shown = || to.display().to_string();
    let bad = |problem: &str| Err(Error::BadPath { path: shown(), problem: problem.into() });
    match fs::symlink_metadata(to) {
        Ok(found) if !found.is_file() => return bad("something that is not a regular file is there"),
        Ok(_) if same(ledger, to) => return bad("it is the ledger itself"),
        Ok(_) if !replace => return Err(Error::FileExists { path: shown() }),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(sqlite::io(to, &error)),
    }
    // Beside another file, SQLite would take such a one for that file's newest part.
    for suffix in ["-wal", "-journal"] {
        if fs::symlink_metadata(beside(to, suffix)).is_ok() {
            return bad(&format!("there is a {suffix} beside it: a ledger that is in use, or what is left of one"));
        }
    }
    match to.parent().is_some_and(Path::is_dir) {
        true => Ok(()),
        false => bad("its folder is not there"),
    }
}

fn same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| platform::identity(path).ok().flatten();
    identity(one).is_some() && identity(one) == identity(other)
}

/// Copies what a read transaction sees, page by page.
fn copy(sql: &Connection, to: &Path) -> Result<(), Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut copy = Connection::open_with_flags(to, flags)?;
    // A draft that is not whole is thrown away, and a whole one is synced before it is named.
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    let ended = Backup::new(sql, &mut copy)?.step(-1)?;
    match ended == StepResult::Done {
        true => Ok(()),
        false => Err(Error::internal(format!("a copy in one step ended as {ended:?}")).into()),
    }
}

/// Proves that a file is a whole and sound ledger. Tells what is in it, and its format.
fn prove(draft: &Path, to: &Path) -> Result<(Counted, u32), Error> {
    let explain = |failure: Failure| failure.explain(to, Phase::Work, 0);
    let conn = Conn::still(draft)?;
    let sql = conn.sql();
    let damaged = |problem: String| Error::Corrupt {
        path: to.display().to_string(),
        problem: format!("the copy does not hold: {problem}; it was not kept, and the ledger is likely damaged itself"),
    };
    let found = verify::integrity(sql, true).map_err(explain)?;
    if let Some(problem) = found.first() {
        return Err(damaged(problem.clone()));
    }
    let verified = verify::verify(sql, Scope(None)).map_err(explain)?;
    if let Some(problem) = verified.problems.first() {
        return Err(damaged(problem.clone()));
    }
    let heading = schema::heading(sql).map_err(explain)?;
    Ok((Counted::of(sql).map_err(explain)?, heading.format))
}

/// A file that is being made, for its owner alone; it goes unless it is published.
struct Draft {
    path: PathBuf,
    /// Locked as long as it is being made: what nobody holds was left by a process that died.
    file: Option<File>,
}

impl Draft {
    fn beside(to: &Path) -> Result<Draft, Error> {
        let failed = |error| sqlite::io(to, &error);
        sweep(to);
        let path = beside(to, &format!("{DRAFT}{:016x}", u64::from_le_bytes(platform::random_bytes())));
        if !platform::create_private_file(&path).map_err(failed)? {
            return Err(Error::internal("two drafts of one name"));
        }
        let file = File::open(&path).map_err(failed)?;
        // A file system without such locks keeps a draft of a dead process.
        let _ = file.try_lock();
        Ok(Draft { path, file: Some(file) })
    }

    /// Gives it its name.
    fn publish(mut self, to: &Path, replace: bool) -> Result<(), Error> {
        let failed = |error| sqlite::io(to, &error);
        let placed = match replace {
            true => platform::rename_over(&self.path, to).map(|()| true),
            false => platform::rename_to_vacant(&self.path, to),
        };
        self.file = None;
        match placed.map_err(failed)? {
            true => Ok(()),
            false => Err(Error::FileExists { path: to.display().to_string() }),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.file = None;
        for suffix in ["", "-journal", "-wal", "-shm"] {
            // It is gone already unless something failed.
            let _ = fs::remove_file(beside(&self.path, suffix));
        }
    }
}

/// Removes drafts that nobody makes any more.
fn sweep(to: &Path) {
    let (Some(folder), Some(name)) = (to.parent(), to.file_name()) else { return };
    let mut prefix = OsString::from(name);
    prefix.push(DRAFT);
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_draft = entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes());
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_draft && is_file && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            // Somebody else may be faster.
            let _ = fs::remove_file(entry.path());
        }
    }
}
