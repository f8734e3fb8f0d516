//! One SQLite connection: how it is opened, checked and closed.

use crate::batch::in_immediate;
use crate::locks;
use crate::mark;
use crate::platform::{self, Bell, FileSystem, Standing};
use crate::schema;
use crate::sqlite::{self, Failure, Phase};
use crate::together::together;
use crate::turnstile::{self, Deadline, beside};
use crate::wal;
use bgledger_core::{Error, planted};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::cell::Cell;
use std::fs;
use std::io::ErrorKind;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// SQLite before 3.51.3 may lose a WAL that two connections reset at once.
const OLDEST_SQLITE: i32 = 3_051_003;
/// How often a busy connection looks whether its files are in place.
const LOOK_MS: i64 = 10;
/// Statements kept prepared.
const STATEMENTS: usize = 128;

/// A connection that knows which files it has open, and closes without harm.
#[derive(Debug)]
pub(crate) struct Conn {
    sql: ManuallyDrop<Connection>,
    path: PathBuf,
    pid: u32,
    /// The `-wal` that the connection writes to; `None` where there is none (read from a folder that cannot be
    /// written, or a network file system).
    wal: Option<Standing>,
    database: Standing,
    /// When it is looked next whether the files are in place, on the monotonic clock.
    next_look_ms: Cell<i64>,
    /// Whether a sync may have failed since the `-wal` was last known to be whole on the disk.
    doubtful: Cell<bool>,
    /// What the file looked like when it was opened to be read as it lies there, without locks.
    immutable: Option<Look>,
    /// Whether it was opened to the end: only then may closing it touch the `-wal`.
    ready: bool,
}

/// What changes of a file when somebody writes it.
type Look = (u64, Option<SystemTime>);

/// What is known of a path before SQLite touches it.
pub(crate) enum Place {
    /// There is no file, but there may be one.
    Vacant,
    /// There is a file of at least one byte.
    File,
}

/// Looks at a path by stat alone.
pub(crate) fn inspect(path: &Path, allow_network_fs: bool) -> Result<(Place, FileSystem), Error> {
    let shown = || path.display().to_string();
    let bad = |problem: &str| Error::BadPath { path: shown(), problem: problem.into() };
    let file_system = platform::file_system(path);
    if let FileSystem::Network(name) = &file_system
        && !allow_network_fs
    {
        return Err(Error::NetworkFileSystem { path: shown(), file_system: name.clone() });
    }
    let place = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => return Err(bad("it is a folder")),
        Ok(found) if found.is_symlink() => return Err(bad("it is a symbolic link")),
        Ok(found) if !found.is_file() => return Err(bad("it is not a regular file")),
        Ok(found) if platform::has_other_names(&found) => return Err(bad("it has other hard links")),
        Ok(found) if found.len() == 0 => {
            return Err(Error::NotALedger { path: shown(), problem: "the file is empty".into() });
        }
        Ok(_) => Place::File,
        Err(error) if error.kind() == ErrorKind::NotFound => Place::Vacant,
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(bad("a part of it is not a folder")),
        Err(error) => return Err(Error::Unreadable { path: shown(), problem: error.to_string() }),
    };
    Ok((place, file_system))
}

/// Makes a ledger: whole under a name of its own, then put in place. Another process that is faster is no error.
pub(crate) fn create(path: &Path, network: bool) -> Result<(), Error> {
    let failed = |error| sqlite::io(path, &error);
    if let Some(folder) = path.parent() {
        platform::create_private_dir(folder).map_err(failed)?;
    }
    let draft = beside(path, &format!("-new-{:016x}", u64::from_le_bytes(platform::random_bytes())));
    let made =
        draft_ledger(path, &draft, network).and_then(|()| platform::rename_to_vacant(&draft, path).map_err(failed));
    for leftover in [draft.clone(), beside(&draft, "-wal"), beside(&draft, "-shm"), beside(&draft, "-journal")] {
        // It is gone already unless something failed.
        let _ = fs::remove_file(leftover);
    }
    made.map(drop)
}

/// An empty ledger in memory.
pub(crate) fn blank() -> Result<Connection, Failure> {
    let mut sql = Connection::open_in_memory()?;
    schema::migrate(&mut sql)?;
    Ok(sql)
}

fn draft_ledger(path: &Path, draft: &Path, network: bool) -> Result<(), Error> {
    let explain = |failure: Failure| failure.explain(path, Phase::Open, 0);
    let created = platform::create_private_file(draft).map_err(|error| sqlite::io(path, &error))?;
    if !created {
        return Err(Error::internal("two drafts of one name"));
    }
    locks::own();
    let mut sql =
        Connection::open_with_flags(draft, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|error| explain(error.into()))?;
    let mut fill = || -> Result<(), Failure> {
        sql.pragma_update(None, "synchronous", "FULL")?;
        // Before the first table: what is pruned is given back to the file system.
        sql.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        schema::migrate(&mut sql)?;
        mark::mark(&sql)?;
        let mode = if network { "DELETE" } else { "WAL" };
        sql.query_row(&format!("PRAGMA journal_mode = {mode}"), [], |_| Ok(()))?;
        Ok(())
    };
    let filled = fill();
    // With the last connection the sidecars go; the file alone is the ledger.
    drop(sql);
    filled.map_err(explain)
}

impl Conn {
    /// Opens an existing ledger for recording and brings it to this program's format.
    pub(crate) fn record(path: &Path, network: bool, deadline: &Deadline) -> Result<Conn, Error> {
        let conn = Conn::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, false)?;
        match conn.set_up(true, network, deadline) {
            // SQLite says that it cannot open what it cannot make beside the file: that can be read.
            Err(Error::Unreadable { path: shown, problem }) if !path.parent().is_some_and(platform::is_writable) => {
                Err(Error::ReadOnly { path: shown, problem })
            }
            other => other,
        }
    }

    /// Opens an existing ledger for reading; nothing is written, not even by SQLite.
    pub(crate) fn read(path: &Path, network: bool, deadline: &Deadline) -> Result<Conn, Error> {
        let attempt = Conn::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, false)
            .and_then(|conn| conn.set_up(false, network, deadline));
        match attempt {
            Err(Error::Unreadable { .. } | Error::ReadOnly { .. } | Error::Io { .. }) if still(path) => {
                Conn::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, true)?.set_up(false, true, deadline)
            }
            other => other,
        }
    }

    fn open(path: &Path, access: OpenFlags, immutable: bool) -> Result<Conn, Error> {
        let explain = |error: rusqlite::Error| Failure::from(error).explain(path, Phase::Open, 0);
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(Error::internal(format!("SQLite {} is too old", rusqlite::version())));
        }
        locks::own();
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let sql = match immutable {
            false => Connection::open_with_flags(path, flags),
            true => Connection::open_with_flags(immutable_uri(path), flags | OpenFlags::SQLITE_OPEN_URI),
        };
        let sql = sql.map_err(explain)?;
        let Some(database) = Standing::at(path).ok().flatten() else {
            return Err(Error::NoLedger { path: path.display().to_string() });
        };
        Ok(Conn {
            sql: ManuallyDrop::new(sql),
            path: path.to_owned(),
            pid: platform::own_pid(),
            wal: None,
            database,
            next_look_ms: Cell::new(0),
            doubtful: Cell::new(!immutable && wal::is_doubted(path)),
            immutable: immutable.then(|| look(path)).flatten(),
            ready: false,
        })
    }

    /// Everything up to the version check only reads.
    fn set_up(mut self, writes: bool, network: bool, deadline: &Deadline) -> Result<Conn, Error> {
        let path = self.path.clone();
        let _patience = turnstile::patience(*deadline);
        let explain = |failure: Failure| failure.explain(&path, Phase::Open, deadline.waited_ms());
        let sql = &mut *self.sql;
        let mut prepare = || -> Result<bool, Failure> {
            turnstile::install(sql)?;
            sql.set_prepared_statement_cache_capacity(STATEMENTS);
            let heading = schema::heading(sql)?;
            schema::admit(&heading, &path.display().to_string(), writes)?;
            mark::check(sql, &path)?;
            guard(sql)?;
            if writes && schema::is_older(&heading) {
                schema::migrate(sql)?;
            }
            let mode: String = sql.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
            let mode = match mode == "wal" || network || !writes {
                true => mode,
                // Somebody turned it off; recording turns it on again.
                false => sql.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?,
            };
            sql.query_row("SELECT count(*) FROM meta", [], |_| Ok(()))?;
            if writes && mode == "wal" {
                // A commit does not wait for the disk: `persist` does.
                sql.pragma_update(None, "synchronous", "NORMAL")?;
            }
            Ok(mode == "wal")
        };
        let is_wal = prepare().map_err(explain)?;
        self.ready = true;
        if is_wal {
            self.wal = Standing::at(&beside(&self.path, "-wal")).ok().flatten();
        }
        Ok(self)
    }

    /// Opens a file that nobody else has, to be read as it lies there: nothing is locked, nothing appears beside it.
    pub(crate) fn still(path: &Path) -> Result<Conn, Error> {
        let deadline = Deadline::after(std::time::Duration::ZERO);
        Conn::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, true)?.set_up(false, true, &deadline)
    }

    /// The connection, for statements.
    pub(crate) fn sql(&self) -> &Connection {
        &self.sql
    }

    /// Whether the files under this connection are still the ones that the path names.
    ///
    /// A second SQLite in this process that closes the file drops our locks, and may delete the `-wal`; whatever is
    /// written then is lost with it.
    pub(crate) fn is_in_place(&self) -> bool {
        self.database.is_in_place() && self.wal.as_ref().is_none_or(Standing::is_in_place)
    }

    /// The same for less: as long as nobody wrote or moved the database, the paths are looked at once in [`LOOK_MS`], so
    /// whoever is busy notices that late when somebody moves the `-wal` or a folder. Whatever was deleted or replaced is
    /// noticed by [`Conn::is_linked`]: before anything is read, and after each commit, before it is acknowledged.
    pub(crate) fn was_in_place(&self) -> bool {
        let now = platform::monotonic_ms();
        if now < self.next_look_ms.get() && self.database.is_untouched() {
            return true;
        }
        let is_in_place = self.is_in_place();
        if is_in_place {
            self.next_look_ms.set(now + LOOK_MS);
        }
        is_in_place
    }

    /// Whether files that were in place when the turn began have not been deleted or replaced since. It costs less; a file
    /// that somebody moved is noticed by [`Conn::was_in_place`].
    pub(crate) fn is_linked(&self) -> bool {
        self.database.has_name() && self.wal.as_ref().is_none_or(Standing::has_name)
    }

    /// Whether it may be used again: a file that was read as it lay there may be another one by the next time.
    pub(crate) fn is_lasting(&self) -> bool {
        self.immutable.is_none()
    }

    /// Whether nobody has written the file since it was opened to be read as it lies there.
    pub(crate) fn is_still(&self) -> bool {
        self.immutable == look(&self.path) && still(&self.path)
    }

    /// Whether the path names another database now, or none.
    pub(crate) fn is_another_database(&self) -> bool {
        !self.database.is_in_place()
    }

    /// Makes what was committed so far, by anybody, survive a power loss, together with others that want that. See
    /// [`crate::wal`].
    pub(crate) fn persist(&self, bell: Option<&Bell>) -> Result<(), Failure> {
        if planted("skip_fsync") {
            return Ok(());
        }
        self.settle_doubt()?;
        match self.sync(bell) {
            Err(failure) if planted("believe_second_sync") => Err(failure),
            Err(_) => self.doubt(),
            Ok(()) => Ok(()),
        }
    }

    /// The same without the mending.
    pub(crate) fn sync(&self, bell: Option<&Bell>) -> Result<(), Failure> {
        // A descriptor hears of a failure once, or, opened after it, never: it vouches for nothing until the mark is gone.
        if self.doubtful.get() {
            if wal::is_doubted(&self.path) {
                return Err(wal::failed());
            }
            self.doubtful.set(false);
        }
        let sync = || wal::sync(&self.sql).inspect_err(|_| self.doubtful.set(true));
        let (Some(bell), Some(file)) = (bell, &self.wal) else { return sync() };
        if self.is_synced(Some(bell)) {
            return Ok(());
        }
        together(bell, file.identity(), || {
            // Told before the sync: what others commit meanwhile may be in it or not.
            let end = self.reach();
            sync()?;
            let is_linked = self.is_linked();
            if let Some(note) = end.and_then(|end| end.note()).filter(|_| is_linked) {
                bell.leave(note);
            }
            Ok(is_linked)
        })
    }

    /// Whether somebody has left word that the `-wal` as it is now was synced.
    pub(crate) fn is_synced(&self, bell: Option<&Bell>) -> bool {
        let end = bell.and_then(|_| self.reach()).and_then(|end| end.note());
        end.is_some() && end == bell.map(Bell::left)
    }

    /// How far the `-wal` reaches; `None` where there is none.
    pub(crate) fn reach(&self) -> Option<wal::Reach> {
        self.wal.as_ref().and_then(|_| wal::reach(&self.sql))
    }

    /// Says that a sync may have failed, and mends what that leaves behind. What cannot be mended now is before the next
    /// commit.
    pub(crate) fn doubt(&self) -> Result<(), Failure> {
        self.doubtful.set(true);
        wal::tell_doubt(&self.path, true);
        self.settle_doubt()
    }

    /// Mends what a failed sync left behind, if one did.
    pub(crate) fn settle_doubt(&self) -> Result<(), Failure> {
        if self.doubtful.get() && !planted("believe_second_sync") {
            wal::rewrite(&self.sql)?;
            wal::tell_doubt(&self.path, false);
            self.doubtful.set(false);
        }
        Ok(())
    }

    /// A write transaction that nobody shares; see [`Conn::persist`].
    pub(crate) fn alone<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        self.settle_doubt()?;
        let done = in_immediate(&self.sql, work);
        if let Err(Failure::Storage(_)) = &done {
            let _ = self.doubt();
        }
        done
    }

    /// Moves what it can from the WAL to the database, without waiting for anybody.
    pub(crate) fn checkpoint(&self) {
        let _patience = turnstile::patience(Deadline::after(std::time::Duration::ZERO));
        // A checkpoint that cannot run now runs after a later commit.
        if self.sql.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).is_err() {
            let _ = self.doubt();
        }
    }

    /// Closes without touching files that are no longer ours.
    pub(crate) fn abandon(self) {
        let _ = self.sql.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        if self.pid != platform::own_pid() && !planted("close_on_fork") {
            // A forked child may neither use nor close its parent's connection: it is leaked.
            return;
        }
        if !self.ready || !self.is_in_place() {
            let _ = self.sql.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
        // SAFETY: `sql` is not used after this: the value is being dropped, and nothing else takes it out.
        unsafe { ManuallyDrop::drop(&mut self.sql) }
    }
}

/// Settings that protect against a hostile file and against ourselves. What a reader that stays has the WAL grow to is
/// given back when it is begun anew.
pub(crate) fn guard(sql: &Connection) -> Result<(), rusqlite::Error> {
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // Plans depend on no bound value, so that no statement is prepared again for another one.
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    sql.execute_batch(
        "PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -8000;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 33554432;",
    )
}

fn look(path: &Path) -> Option<Look> {
    fs::metadata(path).ok().map(|found| (found.len(), found.modified().ok()))
}

/// Whether a ledger has no `-wal` with something in it: then a file that cannot be locked may be read as it is.
fn still(path: &Path) -> bool {
    match fs::metadata(beside(path, "-wal")) {
        Ok(wal) => wal.len() == 0,
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

pub(crate) fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn whoever_opens_a_doubted_ledger_vouches_for_nothing_until_it_is_mended() {
        let folder =
            std::env::temp_dir().join(format!("bgledger-doubt-{:x}", u64::from_ne_bytes(platform::random_bytes())));
        let (path, deadline) = (folder.join("ledger.db"), Deadline::after(Duration::from_secs(5)));
        create(&path, false).expect("a ledger");
        let writer = Conn::record(&path, false, &deadline).expect("a writer");
        turnstile::Turnstile::open(&path).expect("its locks");
        let before = Conn::read(&path, false, &deadline).expect("a reader");
        wal::tell_doubt(&path, true);
        let after = Conn::read(&path, false, &deadline).expect("a reader");
        // Who was there before hears of a failure from its own sync.
        assert!(before.sync(None).is_ok());
        assert!(after.sync(None).is_err());
        writer.doubt().expect("it is mended");
        assert!(after.sync(None).is_ok());
        drop((before, after, writer));
        fs::remove_dir_all(folder).expect("it goes");
    }
}
