//! A database of another program, read without leaving a trace in it or beside it.

use crate::connection::immutable_uri;
use crate::locks;
use crate::platform;
use crate::turnstile::beside;
use bgledger_core::Error;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What may hold records that the database itself does not have yet.
const SIDECARS: [&str; 2] = ["-wal", "-journal"];
/// How often a copy is begun anew because somebody wrote meanwhile.
const COPIES: usize = 5;

/// The opened database.
#[derive(Debug)]
pub(super) struct Source {
    sql: Option<Connection>,
    path: PathBuf,
    /// The copy that is read in its place, if one is.
    copy: Option<PathBuf>,
    /// What its files looked like.
    look: Look,
}

/// What changes of files when somebody writes them.
type Look = Vec<Option<(u64, Option<SystemTime>)>>;

impl Source {
    /// Opens a database. One whose sidecars hold something is copied into a private folder first, for reading such a
    /// one writes beside it.
    pub(super) fn open(path: &Path) -> Result<Source, Error> {
        // SQLite keeps the sidecars beside the file itself, not beside a link to it.
        let real = fs::canonicalize(path).map_err(|error| no_source(path, &error.to_string()))?;
        let path = real.as_path();
        let found = fs::metadata(path).map_err(|error| no_source(path, &error.to_string()))?;
        if !found.is_file() || found.len() == 0 {
            return Err(no_source(path, "it is no file with something in it"));
        }
        let holds = |suffix: &&str| fs::metadata(beside(path, suffix)).is_ok_and(|sidecar| sidecar.len() > 0);
        let copied = SIDECARS.iter().any(holds);
        let (look, copy) = match copied {
            true => copy(path)?,
            false => (look(path), None),
        };
        let mut source = Source { sql: None, path: path.to_owned(), copy, look };
        // With what is still missing of it, it is dropped as a whole.
        source.sql = Some(source.connect()?);
        Ok(source)
    }

    fn connect(&self) -> Result<Connection, Error> {
        locks::own();
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sql = match &self.copy {
            Some(copy) => Connection::open_with_flags(copy.join(NAME), flags | OpenFlags::SQLITE_OPEN_READ_WRITE),
            None => {
                let flags = flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
                Connection::open_with_flags(immutable_uri(&self.path), flags)
            }
        };
        let sql = sql.map_err(|error| self.failed(&error))?;
        sql.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF")
            .map_err(|error| self.failed(&error))?;
        Ok(sql)
    }

    /// The connection.
    pub(super) fn sql(&self) -> Result<&Connection, Error> {
        self.sql.as_ref().ok_or_else(|| Error::internal("a source that was not opened"))
    }

    /// Refuses what was read while somebody wrote it.
    pub(super) fn still(&self) -> Result<(), Error> {
        match self.copy.is_some() || look(&self.path) == self.look {
            true => Ok(()),
            false => Err(written(&self.path)),
        }
    }

    /// What SQLite says of it, in our words.
    pub(super) fn failed(&self, error: &rusqlite::Error) -> Error {
        no_source(&self.path, &error.to_string())
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // Before its files go.
        self.sql = None;
        if let Some(copy) = &self.copy {
            // What cannot be removed lies in a private folder for temporary files.
            let _ = fs::remove_dir_all(copy);
        }
    }
}

/// The name of the copy in its folder.
const NAME: &str = "source.db";

/// Copies a database with its sidecars into a private folder of its own.
fn copy(path: &Path) -> Result<(Look, Option<PathBuf>), Error> {
    let folder =
        std::env::temp_dir().join(format!("bgledger-import-{:016x}", u64::from_le_bytes(platform::random_bytes())));
    let copied = (|| {
        platform::create_private_dir(&folder)?;
        for _ in 0..COPIES {
            let before = look(path);
            let target = folder.join(NAME);
            fs::copy(path, &target)?;
            for suffix in SIDECARS {
                let (from, to) = (beside(path, suffix), beside(&target, suffix));
                match fs::copy(&from, &to) {
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => drop(fs::remove_file(&to)),
                    Err(error) => return Err(error),
                }
            }
            if before == look(path) {
                return Ok(Some(before));
            }
        }
        Ok(None)
    })();
    match copied {
        Ok(Some(look)) => Ok((look, Some(folder))),
        Ok(None) => {
            let _ = fs::remove_dir_all(&folder);
            Err(written(path))
        }
        Err(error) => {
            let _ = fs::remove_dir_all(&folder);
            Err(Error::Unreadable { path: path.display().to_string(), problem: error.to_string() })
        }
    }
}

fn look(path: &Path) -> Look {
    let one = |found: Metadata| (found.len(), found.modified().ok());
    let sidecars = SIDECARS.iter().map(|suffix| fs::metadata(beside(path, suffix)).ok().map(one));
    std::iter::once(fs::metadata(path).ok().map(one)).chain(sidecars).collect()
}

fn written(path: &Path) -> Error {
    let problem = "its owner writes it; import again when it is at rest: what was brought is not brought again";
    Error::Io { path: path.display().to_string(), problem: problem.into() }
}

/// What is no database to import from.
pub(super) fn no_source(path: &Path, problem: &str) -> Error {
    Error::invalid("path", format!("{}: {problem}", path.display()), "a database of OpenClaw's tasks")
}
