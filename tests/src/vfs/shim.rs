//! The file system itself: what SQLite calls, and hands on to its own.

use super::file::{self, File};
use super::{Call, Happening, watch_of};
use rusqlite::ffi::{self, sqlite3_file, sqlite3_vfs};
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes it SQLite's default in this process.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    // SAFETY: SQLite is told of a table that is never freed, made from its own default's, before it is used from here on.
    ONCE.call_once(|| unsafe {
        let real = ffi::sqlite3_vfs_find(ptr::null());
        assert!(!real.is_null(), "SQLite has no file system");
        let shim = sqlite3_vfs {
            szOsFile: c_int::try_from(size_of::<File>()).expect("a small file") + (*real).szOsFile,
            pNext: ptr::null_mut(),
            zName: c"bgledger-tests".as_ptr(),
            pAppData: real.cast(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xSetSystemCall: Some(set_system_call),
            xGetSystemCall: Some(get_system_call),
            // What remains neither looks at the table it is called with nor touches a file.
            ..*real
        };
        assert_eq!(ffi::sqlite3_vfs_register(Box::into_raw(Box::new(shim)), 1), ffi::SQLITE_OK);
    });
}

/// SQLite's own.
unsafe fn real(vfs: *mut sqlite3_vfs) -> *mut sqlite3_vfs {
    // SAFETY: SQLite calls with the table that `install` made.
    unsafe { (*vfs).pAppData.cast() }
}

unsafe fn path<'a>(name: *const c_char) -> Option<&'a Path> {
    // SAFETY: SQLite hands a C string, or null for a file without a name, which outlives the call.
    (!name.is_null()).then(|| Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes())))
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    out: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's own call, handed on; `out` has room for both our file and its own behind it.
    unsafe {
        let real = real(vfs);
        let place = path(name);
        let watched = place.and_then(watch_of);
        let missing = place.is_some_and(|path| !path.exists());
        let makes = missing && flags & ffi::SQLITE_OPEN_CREATE != 0;
        // Of a file that is not open SQLite calls nothing.
        (*out).pMethods = ptr::null();
        let inner = file::inner(out);
        let open = || (*real).xOpen.map_or(ffi::SQLITE_ERROR, |open| open(real, name, inner, flags, out_flags));
        let inode = || place.and_then(|path| path.metadata().ok()).map_or(0, |found| found.ino());
        let done = match &watched {
            None => open(),
            Some((watch, name)) => watch.make(Call::Open, makes, open, || {
                Some(Happening::Named { name: name.clone(), file: inode(), made: makes })
            }),
        };
        if done == ffi::SQLITE_OK {
            // The first sync of a new journal is one of its folder, too: so does SQLite's own.
            let is_journal = flags & (ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL) != 0;
            let names = is_journal && flags & ffi::SQLITE_OPEN_CREATE != 0;
            file::begin(out, watched.map(|(watch, _)| watch), inode(), names);
        }
        done
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: SQLite's own call, handed on.
    unsafe {
        let real = real(vfs);
        let delete = || (*real).xDelete.map_or(ffi::SQLITE_ERROR, |delete| delete(real, name, sync));
        match path(name).and_then(watch_of) {
            None => delete(),
            Some((watch, name)) => {
                watch.make(Call::Delete, false, delete, || Some(Happening::Deleted { name, names: sync != 0 }))
            }
        }
    }
}

unsafe extern "C" fn access(vfs: *mut sqlite3_vfs, name: *const c_char, flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: SQLite's own call, handed on.
    unsafe {
        let real = real(vfs);
        let access = || (*real).xAccess.map_or(ffi::SQLITE_ERROR, |access| access(real, name, flags, out));
        match path(name).and_then(watch_of) {
            None => access(),
            Some((watch, _)) => watch.make(Call::Access, false, access, || None),
        }
    }
}

unsafe extern "C" fn full_pathname(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite's own call, handed on.
    unsafe {
        let real = real(vfs);
        (*real).xFullPathname.map_or(ffi::SQLITE_ERROR, |full| full(real, name, length, out))
    }
}

// ---- system calls -------------------------------------------------------------------------------------------

unsafe extern "C" fn set_system_call(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    call: ffi::sqlite3_syscall_ptr,
) -> c_int {
    // SAFETY: the caller's own call, handed on.
    unsafe {
        let real = real(vfs);
        (*real).xSetSystemCall.map_or(ffi::SQLITE_NOTFOUND, |set| set(real, name, call))
    }
}

unsafe extern "C" fn get_system_call(vfs: *mut sqlite3_vfs, name: *const c_char) -> ffi::sqlite3_syscall_ptr {
    // SAFETY: the caller's own call, handed on.
    unsafe {
        let real = real(vfs);
        (*real).xGetSystemCall.and_then(|get| get(real, name))
    }
}

/// The dice that cut reads and writes into parts; 0: they are whole.
static PARTS: AtomicU64 = AtomicU64::new(0);

/// Calls that did less than they were asked for.
static CUT: AtomicU64 = AtomicU64::new(0);

/// From now on the system reads and writes as little as it likes at a time, as it may: for every file of this process
/// that SQLite opens. Seed 0: as ever. Answers how many calls did less so far.
pub fn in_parts(seed: u64) -> u64 {
    static ONCE: Once = Once::new();
    install();
    PARTS.store(seed, Ordering::SeqCst);
    type Plain = unsafe extern "C" fn();
    // SAFETY: SQLite's own table of system calls; each entry is called as the C function of that name.
    ONCE.call_once(|| unsafe {
        let vfs = ffi::sqlite3_vfs_find(ptr::null());
        let set = (*vfs).xSetSystemCall.expect("a table of system calls");
        type Read = unsafe extern "C" fn(c_int, *mut c_void, usize, libc::off_t) -> isize;
        type Write = unsafe extern "C" fn(c_int, *const c_void, usize, libc::off_t) -> isize;
        let read = std::mem::transmute::<Read, Plain>(read_part);
        let write = std::mem::transmute::<Write, Plain>(write_part);
        let mut known = 0;
        for (name, call) in [(c"pread", read), (c"pread64", read), (c"pwrite", write), (c"pwrite64", write)] {
            known += u32::from(set(vfs, name.as_ptr(), Some(call)) == ffi::SQLITE_OK);
        }
        assert!(known >= 2, "SQLite reads and writes by calls of other names");
    });
    CUT.load(Ordering::SeqCst)
}

fn part(of: usize) -> usize {
    let dice = PARTS.load(Ordering::SeqCst);
    if dice == 0 || of < 2 {
        return of;
    }
    let next = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) | 1;
    PARTS.store(next, Ordering::SeqCst);
    let part = 1 + usize::try_from(next >> 33).unwrap_or(0) % of;
    CUT.fetch_add(u64::from(part < of), Ordering::SeqCst);
    part
}

unsafe extern "C" fn read_part(file: c_int, out: *mut c_void, length: usize, at: libc::off_t) -> isize {
    // SAFETY: the caller's own call, of less.
    unsafe { libc::pread(file, out, part(length), at) }
}

unsafe extern "C" fn write_part(file: c_int, bytes: *const c_void, length: usize, at: libc::off_t) -> isize {
    // SAFETY: the caller's own call, of less.
    unsafe { libc::pwrite(file, bytes, part(length), at) }
}
