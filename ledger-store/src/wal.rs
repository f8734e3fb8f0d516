//! The `-wal` as a file: when it is synced, and what a failed sync leaves behind.
//!
//! A commit appends its frames and lets the next writer in. Whoever owes durability syncs after that and answers then, so
//! that processes share syncs (`crate::together`), and no turn is spent waiting for a disk. Until the sync is over others may
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
use crate::platform::Note;
use crate::sqlite::Failure;
use crate::turnstile::beside;
use rusqlite::{Connection, ffi};
use std::ffi::c_int;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering, fence};

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

/// What whoever may not vouch for the `-wal` says: that it could not be synced.
pub(crate) fn failed() -> Failure {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR_FSYNC), None).into()
}

/// Says so, or that it is mended, to whoever opens the ledger. A disk that takes not even that is one that nobody can
/// trust: who wrote is told by the error of its own sync.
pub(crate) fn tell_doubt(ledger: &Path, doubted: bool) {
    let file = OpenOptions::new().write(true).open(beside(ledger, "-turn"));
    let _ = file.and_then(|mut file| if doubted { file.write_all(b"!") } else { file.set_len(0) });
}

/// How far the `-wal` of a ledger reaches, for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Frames that are committed.
    pub(crate) frames: u32,
    /// How many of them have been moved to the database.
    pub(crate) moved: u32,
    salts: u64,
    sums: u64,
}

impl Reach {
    /// What tells this end from every other one, of this `-wal` and of each that was in its place before: SQLite's sum of
    /// all its bytes up to there, and the numbers it drew for it. `None`: there is nothing in it.
    pub(crate) fn note(&self) -> Option<Note> {
        (self.frames > 0).then_some(Note([self.salts, self.sums, u64::from(self.frames)]))
    }
}

/// What the wal-index begins with, in words: its header twice, and the number of frames that have been moved.
const HEADER: usize = 12;
const INDEX: c_int = 32 * 1024;

/// Reads how far the `-wal` reaches from the memory that all connections share (the wal-index of SQLite's documented
/// format). For a connection that has read or written a `-wal` only. `None`: it cannot be told just now.
pub(crate) fn reach(sql: &Connection) -> Option<Reach> {
    let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
    let mut memory: *mut std::ffi::c_void = ptr::null_mut();
    // SAFETY: as in `on_wal`, for the database's file; a connection that has used its `-wal` has the first piece of the
    // index mapped, and keeps it until it is closed. SQLite reads and writes it as we do: word by word.
    let words = unsafe {
        let pointer = ptr::from_mut(&mut file).cast();
        ffi::sqlite3_file_control(sql.handle(), c"main".as_ptr(), ffi::SQLITE_FCNTL_FILE_POINTER, pointer);
        let map = file.as_ref()?.pMethods.as_ref()?.xShmMap?;
        if map(file, 0, INDEX, 0, &raw mut memory) != ffi::SQLITE_OK {
            return None;
        }
        memory.cast::<[AtomicU32; 2 * HEADER + 1]>().as_ref()?
    };
    let header = |at: usize| -> [u32; HEADER] {
        std::array::from_fn(|word| words.get(at + word).map_or(0, |word| word.load(Ordering::Relaxed)))
    };
    // Written in this order, too: two that are alike are whole.
    let first = header(0);
    fence(Ordering::SeqCst);
    if header(HEADER) != first {
        return None;
    }
    let moved = words.last().map_or(0, |word| word.load(Ordering::Relaxed));
    let [_, _, _, _, frames, _, sum, sum_too, salt, salt_too, _, _] = first;
    let pair = |one: u32, other: u32| u64::from(one) << 32 | u64::from(other);
    Some(Reach { frames, moved, salts: pair(salt, salt_too), sums: pair(sum, sum_too) })
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
