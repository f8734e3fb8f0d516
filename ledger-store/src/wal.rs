//! The `-wal` as a file: when it is synced, and what a failed sync leaves behind.
//!
//! A commit appends its frames and lets the next writer in. Whoever owes durability syncs after that and answers then, so
//! that the syncs of several processes overlap, and no turn is spent waiting for a disk. Until the sync is over others may
//! append, to the same file; move frames to the database, for which SQLite syncs the `-wal` first and the database after;
//! or begin the file anew, only after that, with a header that is synced before the first frame. Either way what was
//! committed is in what was synced. It holds as long as nothing is answered before its sync, nothing is told on the strength
//! of a read before one, and SQLite's own syncs stay as they are.
//!
//! The system gives up what a failed sync was to keep, and says so once: the next sync succeeds without it. In the `-wal`
//! those may be frames that everybody sees, and builds on; after a power loss the chain of frames ends where they are
//! missing, and takes what was acknowledged since. So the `-wal` is written anew, byte for byte, and synced, before
//! anything else is acknowledged. Who opens the ledger meanwhile would hear of no error: the file of the turn says it.

use crate::batch::in_immediate;
use crate::sqlite::Failure;
use crate::turnstile::beside;
use rusqlite::{Connection, ffi};
use std::ffi::c_int;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::ptr;

const PIECE: usize = 64 * 1024;

/// Syncs the `-wal`: what was committed so far, by anybody, survives a power loss. Where there is no `-wal`, each commit
/// has synced by itself.
pub(crate) fn sync(sql: &Connection) -> Result<(), Failure> {
    on_wal(sql, |wal| wal.sync())
}

/// Writes the `-wal` anew, with the write lock held, and syncs it.
pub(crate) fn rewrite(sql: &Connection) -> Result<(), Failure> {
    in_immediate(sql, |sql| {
        on_wal(sql, |wal| {
            let mut piece = vec![0_u8; PIECE];
            let (length, mut at) = (wal.size()?, 0);
            while at < length {
                let some = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
                let bytes = piece.get_mut(..some).unwrap_or_default();
                wal.read(bytes, at)?;
                wal.write(bytes, at)?;
                at += some as i64;
            }
            wal.sync()
        })
    })
}

/// Whether somebody could not yet write anew what a failed sync gave up.
pub(crate) fn is_doubted(ledger: &Path) -> bool {
    fs::metadata(beside(ledger, "-turn")).is_ok_and(|file| file.len() > 0)
}

/// Says so, or that it is mended, to whoever opens the ledger. A disk that takes not even that is one that nobody can
/// trust: who wrote is told by the error of its own sync.
pub(crate) fn tell_doubt(ledger: &Path, doubted: bool) {
    let file = OpenOptions::new().write(true).open(beside(ledger, "-turn"));
    let _ = file.and_then(|mut file| if doubted { file.write_all(b"!") } else { file.set_len(0) });
}

/// SQLite's own open `-wal`.
struct Wal<'a> {
    file: *mut ffi::sqlite3_file,
    methods: &'a ffi::sqlite3_io_methods,
}

/// What a method of the file answered.
type Told = Result<(), c_int>;

fn on_wal(sql: &Connection, work: impl FnOnce(&Wal<'_>) -> Told) -> Result<(), Failure> {
    let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
    // SAFETY: the connection is open and used by this thread alone; SQLite fills in its own open file, whose methods are
    // null as long as it is not open, and stay as they are until the connection does something else.
    let (told, methods) = unsafe {
        let pointer = ptr::from_mut(&mut file).cast();
        let told =
            ffi::sqlite3_file_control(sql.handle(), c"main".as_ptr(), ffi::SQLITE_FCNTL_JOURNAL_POINTER, pointer);
        (told, file.as_ref().and_then(|file| file.pMethods.as_ref()))
    };
    let done = match (told, methods) {
        (ffi::SQLITE_OK, Some(methods)) => work(&Wal { file, methods }),
        (ffi::SQLITE_OK, None) => Ok(()),
        (code, _) => Err(code),
    };
    done.map_err(|code| rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into())
}

impl Wal<'_> {
    fn sync(&self) -> Told {
        let sync = self.methods.xSync.ok_or(ffi::SQLITE_ERROR)?;
        // SAFETY: the file is open, and its methods are called as SQLite calls them, by the connection's thread.
        told(unsafe { sync(self.file, ffi::SQLITE_SYNC_NORMAL) })
    }

    fn size(&self) -> Result<i64, c_int> {
        let size = self.methods.xFileSize.ok_or(ffi::SQLITE_ERROR)?;
        let mut length = 0;
        // SAFETY: as in `sync`; the length is written to a variable of ours.
        told(unsafe { size(self.file, &raw mut length) }).map(|()| length)
    }

    fn read(&self, bytes: &mut [u8], at: i64) -> Told {
        let (read, many) = (self.methods.xRead.ok_or(ffi::SQLITE_ERROR)?, many(bytes)?);
        // SAFETY: as in `sync`; the buffer has that many bytes.
        told(unsafe { read(self.file, bytes.as_mut_ptr().cast(), many, at) })
    }

    fn write(&self, bytes: &[u8], at: i64) -> Told {
        let (write, many) = (self.methods.xWrite.ok_or(ffi::SQLITE_ERROR)?, many(bytes)?);
        // SAFETY: as in `sync`; the buffer has that many bytes.
        told(unsafe { write(self.file, bytes.as_ptr().cast(), many, at) })
    }
}

fn many(bytes: &[u8]) -> Result<c_int, c_int> {
    c_int::try_from(bytes.len()).map_err(|_| ffi::SQLITE_TOOBIG)
}

fn told(code: c_int) -> Told {
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(code) }
}
