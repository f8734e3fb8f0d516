//! A mark that tells one database file from another: whose `-wal` lies beside it.
//!
//! SQLite takes any `-wal` that is sound in itself for the newest part of the file it lies beside: that of another
//! ledger, or one that was left when the file was replaced by a backup, silently becomes the ledger. So each file has a
//! random number in its head, where SQLite counts changes of the schema, and the one in the file must be the one that is
//! read through the `-wal`. A `-wal` says it only if the file has grown since: a short one may pass, and what it does is
//! for `doctor` to find.

use crate::platform;
use crate::sqlite::Failure;
use bgledger_core::Error;
use rusqlite::{Connection, ffi};
use std::fs::OpenOptions;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::ptr;

/// Where in the file it is.
pub(crate) const PLACE: i64 = 40;
/// The lower bits are left to SQLite, which counts there.
const COUNT_BITS: u32 = 12;

/// A new mark, positive as SQLite reads it.
fn fresh() -> u32 {
    (u32::from_le_bytes(platform::random_bytes()) >> 1 | 1 << COUNT_BITS) & !((1 << COUNT_BITS) - 1)
}

/// Marks a file that is being made.
pub(crate) fn mark(sql: &Connection) -> Result<(), rusqlite::Error> {
    sql.pragma_update(None, "schema_version", fresh())
}

/// The same for one that nobody has open.
pub(crate) fn mark_file(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.seek(SeekFrom::Start(PLACE.cast_unsigned()))?;
    file.write_all(&fresh().to_be_bytes())
}

/// Whether two marks are one, whatever SQLite has counted since.
pub(crate) fn is_same(one: u32, other: u32) -> bool {
    one >> COUNT_BITS == other >> COUNT_BITS
}

/// Refuses a file beside which another one's `-wal` lies.
pub(crate) fn check(sql: &Connection, path: &Path) -> Result<(), Failure> {
    let read: u32 = sql.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
    match in_file(sql) {
        Some(own) if !is_same(own, read) => Err(Error::Corrupt {
            path: path.display().to_string(),
            problem: "the -wal beside it is that of another file; move it away to go on without it".into(),
        }
        .into()),
        Some(_) | None => Ok(()),
    }
}

/// The mark in the database file itself, read through SQLite's own descriptor: closing one of ours would drop locks.
fn in_file(sql: &Connection) -> Option<u32> {
    let mut bytes = [0_u8; 4];
    let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
    // SAFETY: the connection is open and used by this thread alone; SQLite fills in its own open file, whose methods it
    // calls likewise, and which reads as many bytes as are given to it.
    let read = unsafe {
        let pointer = ptr::from_mut(&mut file).cast();
        if ffi::sqlite3_file_control(sql.handle(), c"main".as_ptr(), ffi::SQLITE_FCNTL_FILE_POINTER, pointer) != 0 {
            return None;
        }
        let methods = file.as_ref()?.pMethods.as_ref()?;
        (methods.xRead?)(file, bytes.as_mut_ptr().cast(), 4, PLACE)
    };
    (read == ffi::SQLITE_OK).then_some(u32::from_be_bytes(bytes))
}
