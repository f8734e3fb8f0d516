//! What a failed sync leaves behind.
//!
//! The system gives up what a failed sync was to keep, and says so once: the next sync succeeds without it. In the `-wal`
//! that may be the frames of earlier commits that needed no sync of their own. They are visible, later commits build on
//! them, and after a power loss the chain of frames ends where they are missing: it takes what was acknowledged since. So
//! the `-wal` is written anew, byte for byte, and synced, before anything else is acknowledged.

use crate::batch::in_immediate;
use crate::sqlite::Failure;
use rusqlite::{Connection, ffi};
use std::ffi::c_int;
use std::ptr;

const PIECE: usize = 64 * 1024;

/// Writes the `-wal` anew, with the write lock held.
pub(crate) fn rewrite_wal(sql: &Connection) -> Result<(), Failure> {
    in_immediate(sql, |sql| match rewrite(sql) {
        ffi::SQLITE_OK => Ok(()),
        code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()),
    })
}

fn rewrite(sql: &Connection) -> c_int {
    let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
    // SAFETY: the connection is open and used by this thread alone; SQLite fills in its own open file, whose methods are
    // called as it calls them, with as many bytes as the buffer has.
    unsafe {
        let pointer = ptr::from_mut(&mut file).cast();
        let told =
            ffi::sqlite3_file_control(sql.handle(), c"main".as_ptr(), ffi::SQLITE_FCNTL_JOURNAL_POINTER, pointer);
        let methods = file.as_ref().and_then(|file| file.pMethods.as_ref());
        let (ffi::SQLITE_OK, Some(methods)) = (told, methods) else {
            // There is no `-wal`: nothing was committed that did not sync.
            return told;
        };
        let (Some(size), Some(read), Some(write), Some(sync)) =
            (methods.xFileSize, methods.xRead, methods.xWrite, methods.xSync)
        else {
            return ffi::SQLITE_ERROR;
        };
        let (mut length, mut at) = (0, 0);
        let mut done = size(file, &raw mut length);
        let mut piece = vec![0_u8; PIECE];
        while done == ffi::SQLITE_OK && at < length {
            let some = (length - at).min(PIECE as i64);
            let many = c_int::try_from(some).unwrap_or(0);
            done = read(file, piece.as_mut_ptr().cast(), many, at);
            if done == ffi::SQLITE_OK {
                done = write(file, piece.as_ptr().cast(), many, at);
            }
            at += some;
        }
        match done {
            ffi::SQLITE_OK => sync(file, ffi::SQLITE_SYNC_NORMAL),
            failed => failed,
        }
    }
}
