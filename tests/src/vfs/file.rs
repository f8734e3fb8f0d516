//! One open file: SQLite's own, behind ours.

use super::{Call, Happening, Inode, Watch};
use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What stands in front of SQLite's own file.
#[repr(C, align(8))]
pub(super) struct File {
    base: sqlite3_file,
    /// A box that `begin` makes and `close` frees.
    watched: *mut Watched,
}

struct Watched {
    watch: Option<Arc<Watch>>,
    inode: Inode,
    /// Whether the next sync is one of the folder as well.
    names: AtomicBool,
}

/// SQLite's own file, which lies behind ours.
pub(super) unsafe fn inner(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: SQLite gave as much room as `szOsFile` asked for.
    unsafe { file.cast::<u8>().add(size_of::<File>()).cast() }
}

/// Makes our part of a file that was just opened.
pub(super) unsafe fn begin(file: *mut sqlite3_file, watch: Option<Arc<Watch>>, inode: Inode, names: bool) {
    let watched = Box::new(Watched { watch, inode, names: AtomicBool::new(names) });
    // SAFETY: as `inner`; nobody else has the file yet.
    unsafe {
        file.cast::<File>().write(File { base: sqlite3_file { pMethods: &METHODS }, watched: Box::into_raw(watched) })
    }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    // Without memory mapping, which the ledger does not use.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(map),
    xShmLock: Some(map_lock),
    xShmBarrier: Some(map_barrier),
    xShmUnmap: Some(unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Makes a call on SQLite's own file, past whoever watches.
unsafe fn hand_on(
    file: *mut sqlite3_file,
    call: Call,
    real: impl FnOnce(&sqlite3_io_methods, *mut sqlite3_file) -> c_int,
    happening: impl FnOnce(&Watched) -> Option<Happening>,
) -> c_int {
    // SAFETY: SQLite calls with a file that `begin` made, and whose own part is open.
    unsafe {
        let watched = &*(*file.cast::<File>()).watched;
        let inner = inner(file);
        let real = || real(&*(*inner).pMethods, inner);
        match &watched.watch {
            Some(watch) => watch.make(call, false, real, || happening(watched)),
            None => real(),
        }
    }
}

/// The same for what neither fails nor matters to a disk.
unsafe fn pass(file: *mut sqlite3_file, real: impl FnOnce(&sqlite3_io_methods, *mut sqlite3_file) -> c_int) -> c_int {
    // SAFETY: as `hand_on`.
    unsafe {
        let inner = inner(file);
        real(&*(*inner).pMethods, inner)
    }
}

const NONE: c_int = ffi::SQLITE_IOERR;

// SAFETY of all that follow: SQLite's own calls, handed on with their arguments.

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    unsafe {
        let done = pass(file, |methods, inner| methods.xClose.map_or(NONE, |close| close(inner)));
        let ours = file.cast::<File>();
        drop(Box::from_raw((*ours).watched));
        (*ours).watched = ptr::null_mut();
        (*ours).base.pMethods = ptr::null();
        done
    }
}

unsafe extern "C" fn read(file: *mut sqlite3_file, out: *mut c_void, amount: c_int, at: sqlite3_int64) -> c_int {
    unsafe { hand_on(file, Call::Read, |m, inner| m.xRead.map_or(NONE, |read| read(inner, out, amount, at)), |_| None) }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, bytes: *const c_void, amount: c_int, at: sqlite3_int64) -> c_int {
    unsafe {
        let real = |m: &sqlite3_io_methods, inner| m.xWrite.map_or(NONE, |write| write(inner, bytes, amount, at));
        hand_on(file, Call::Write, real, |watched| {
            let length = usize::try_from(amount).unwrap_or(0);
            let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), length).to_vec();
            Some(Happening::Wrote { file: watched.inode, at: at.cast_unsigned(), bytes })
        })
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: sqlite3_int64) -> c_int {
    unsafe {
        let real = |m: &sqlite3_io_methods, inner| m.xTruncate.map_or(NONE, |truncate| truncate(inner, length));
        hand_on(file, Call::Truncate, real, |watched| {
            Some(Happening::Cut { file: watched.inode, length: length.cast_unsigned() })
        })
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    unsafe {
        let real = |m: &sqlite3_io_methods, inner| m.xSync.map_or(NONE, |sync| sync(inner, flags));
        let done = hand_on(file, Call::Sync, real, |watched| {
            let names = watched.names.load(Ordering::SeqCst);
            Some(Happening::Synced { file: watched.inode, names })
        });
        if done == ffi::SQLITE_OK {
            (*(*file.cast::<File>()).watched).names.store(false, Ordering::SeqCst);
        }
        done
    }
}

unsafe extern "C" fn size(file: *mut sqlite3_file, out: *mut sqlite3_int64) -> c_int {
    unsafe { hand_on(file, Call::Size, |m, inner| m.xFileSize.map_or(NONE, |size| size(inner, out)), |_| None) }
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    unsafe { hand_on(file, Call::Lock, |m, inner| m.xLock.map_or(NONE, |lock| lock(inner, level)), |_| None) }
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    unsafe { pass(file, |m, inner| m.xUnlock.map_or(NONE, |unlock| unlock(inner, level))) }
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    unsafe { pass(file, |m, inner| m.xCheckReservedLock.map_or(NONE, |check| check(inner, out))) }
}

unsafe extern "C" fn control(file: *mut sqlite3_file, what: c_int, argument: *mut c_void) -> c_int {
    unsafe { pass(file, |m, inner| m.xFileControl.map_or(NONE, |control| control(inner, what, argument))) }
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    unsafe { pass(file, |m, inner| m.xSectorSize.map_or(0, |size| size(inner))) }
}

unsafe extern "C" fn characteristics(file: *mut sqlite3_file) -> c_int {
    unsafe { pass(file, |m, inner| m.xDeviceCharacteristics.map_or(0, |what| what(inner))) }
}

unsafe extern "C" fn map(
    file: *mut sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    unsafe {
        let real = |m: &sqlite3_io_methods, inner| m.xShmMap.map_or(NONE, |map| map(inner, page, size, extend, out));
        hand_on(file, Call::Map, real, |_| None)
    }
}

unsafe extern "C" fn map_lock(file: *mut sqlite3_file, offset: c_int, many: c_int, flags: c_int) -> c_int {
    unsafe {
        let real = |m: &sqlite3_io_methods, inner| m.xShmLock.map_or(NONE, |lock| lock(inner, offset, many, flags));
        match flags & ffi::SQLITE_SHM_UNLOCK {
            0 => hand_on(file, Call::MapLock, real, |_| None),
            // To give a lock back never fails.
            _ => pass(file, real),
        }
    }
}

unsafe extern "C" fn map_barrier(file: *mut sqlite3_file) {
    unsafe {
        pass(file, |methods, inner| {
            if let Some(barrier) = methods.xShmBarrier {
                barrier(inner);
            }
            0
        });
    }
}

unsafe extern "C" fn unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    unsafe { pass(file, |m, inner| m.xShmUnmap.map_or(NONE, |unmap| unmap(inner, delete))) }
}
