//! Locks on the `-shm` that belong to our descriptor, not to the whole process.
//!
//! POSIX locks are dropped when *any* descriptor of the process on that file is closed. A second SQLite in the process
//! (Python's own, a C host's) does just that; the next process to open the ledger then believes to be the first, and
//! truncates the `-shm` under our mapping, which ends this process by SIGBUS. Open-file-description locks do not have
//! that flaw and are honoured by everybody else's. The locks on the database itself stay as they are: SQLite takes them
//! with one descriptor and gives them back with another.

/// Has SQLite take the locks of a `-shm` for its descriptor alone, from the first call on. Only Linux has such locks.
pub(crate) fn own() {
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    linux::own();
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux {
    use rusqlite::ffi;
    use std::ffi::{c_int, c_short, c_void};
    use std::ops::Range;
    use std::ptr;
    use std::sync::Once;
    use std::sync::atomic::{AtomicU64, Ordering};

    type Fcntl = unsafe extern "C" fn(c_int, c_int, *mut c_void) -> c_int;

    /// The bytes of a `-shm` that SQLite locks. A database is locked at one GiB and above.
    const SHM_BYTES: Range<libc::off_t> = 120..129;
    /// The one that SQLite asks for first, once for each `-shm` that it opens.
    const FIRST: libc::off_t = 128;

    /// Descriptors whose locks are their own, a bit for each: those that were opened since. What the host's other
    /// databases held before stays as it was.
    static OWN: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];

    /// The word and the bit of a descriptor.
    fn place(descriptor: c_int) -> Option<(&'static AtomicU64, u64)> {
        let descriptor = usize::try_from(descriptor).ok()?;
        Some((OWN.get(descriptor / 64)?, 1 << (descriptor % 64)))
    }

    pub(super) fn own() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: SQLite's own table of system calls, whose entries it calls as C calls `fcntl`.
            unsafe {
                let vfs = ffi::sqlite3_vfs_find(ptr::null());
                let Some(set) = vfs.as_ref().and_then(|vfs| vfs.xSetSystemCall) else { return };
                let call = std::mem::transmute::<Fcntl, unsafe extern "C" fn()>(fcntl);
                // Refused, the locks are the process's, as they always were.
                let _ = set(vfs, c"fcntl".as_ptr(), Some(call));
            }
        });
    }

    /// As `fcntl(2)`. It is called with a varying number of arguments; on these machines the third is passed alike.
    unsafe extern "C" fn fcntl(descriptor: c_int, command: c_int, argument: *mut c_void) -> c_int {
        let of_descriptor = match command {
            libc::F_SETLK => Some(libc::F_OFD_SETLK),
            libc::F_GETLK => Some(libc::F_OFD_GETLK),
            _ => None,
        };
        if let (Some(of_descriptor), Some((word, bit))) = (of_descriptor, place(descriptor)) {
            // SAFETY: both commands take a `struct flock`.
            let lock = unsafe { &mut *argument.cast::<libc::flock>() };
            let is_shm = lock.l_whence == libc::SEEK_SET as c_short && SHM_BYTES.contains(&lock.l_start);
            let is_first = is_shm && command == libc::F_GETLK && lock.l_start == FIRST;
            if is_first || (is_shm && word.load(Ordering::SeqCst) & bit != 0) {
                let asked = *lock;
                lock.l_pid = 0;
                // SAFETY: as the caller's own call.
                let done = unsafe { libc::fcntl(descriptor, of_descriptor, ptr::from_mut(lock)) };
                if !is_first || done == 0 {
                    word.fetch_or(bit, Ordering::SeqCst);
                    return done;
                }
                // A kernel that has no such locks: this descriptor's are the process's.
                word.fetch_and(!bit, Ordering::SeqCst);
                *lock = asked;
            }
        }
        // SAFETY: the caller's own call.
        unsafe { libc::fcntl(descriptor, command, argument) }
    }
}
