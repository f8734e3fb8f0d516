//! A file system under SQLite that remembers and fails: every call that SQLite makes for a file of a watched folder is
//! counted, may be made to fail, and is remembered where it changes what a disk holds.
//!
//! It is the system's own (`unix`) with an ear at it, and SQLite's default in this process: the real store stands on it
//! without knowing. Files of other folders pass through.

mod file;
mod shim;

pub use shim::in_parts;

use rusqlite::ffi;
use std::collections::HashMap;
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// What SQLite asks of its file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Opens a file, and makes it where it may.
    Open,
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Shortens a file.
    Truncate,
    /// Waits until the disk has it.
    Sync,
    /// Asks how long a file is.
    Size,
    /// Locks the database.
    Lock,
    /// Maps a part of the `-shm`.
    Map,
    /// Locks a part of the `-shm`.
    MapLock,
    /// Asks whether there is a file.
    Access,
    /// Removes a file.
    Delete,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// EIO, for any call.
    Io,
    /// ENOSPC, for what needs room: writes, and the making of files and of the `-shm`.
    Full,
    /// EIO, for syncs alone: what they were to keep is dropped.
    Sync,
    /// EROFS, for what changes the disk: the file system was mounted anew to be read.
    ReadOnly,
}

impl Fault {
    /// What SQLite is told; `None`: such a call does not fail in that way.
    fn code(self, call: Call, makes: bool) -> Option<c_int> {
        match (self, call) {
            (Fault::Sync, Call::Sync) => Some(ffi::SQLITE_IOERR_FSYNC),
            (Fault::Sync, _) => None,
            (Fault::Io, Call::Open) => Some(ffi::SQLITE_CANTOPEN),
            (Fault::Io, Call::Read) => Some(ffi::SQLITE_IOERR_READ),
            (Fault::Io, Call::Write) => Some(ffi::SQLITE_IOERR_WRITE),
            (Fault::Io, Call::Truncate) => Some(ffi::SQLITE_IOERR_TRUNCATE),
            (Fault::Io, Call::Sync) => Some(ffi::SQLITE_IOERR_FSYNC),
            (Fault::Io, Call::Size) => Some(ffi::SQLITE_IOERR_FSTAT),
            (Fault::Io, Call::Lock) => Some(ffi::SQLITE_IOERR_LOCK),
            (Fault::Io, Call::Map) => Some(ffi::SQLITE_IOERR_SHMMAP),
            (Fault::Io, Call::MapLock) => Some(ffi::SQLITE_IOERR_SHMLOCK),
            (Fault::Io, Call::Access) => Some(ffi::SQLITE_IOERR_ACCESS),
            (Fault::Io, Call::Delete) => Some(ffi::SQLITE_IOERR_DELETE),
            (Fault::Full, Call::Write) => Some(ffi::SQLITE_FULL),
            (Fault::Full, Call::Map) => Some(ffi::SQLITE_IOERR_SHMSIZE),
            (Fault::Full | Fault::ReadOnly, Call::Open) => makes.then_some(ffi::SQLITE_CANTOPEN),
            (Fault::ReadOnly, Call::Write) => Some(ffi::SQLITE_IOERR_WRITE),
            (Fault::ReadOnly, Call::Truncate) => Some(ffi::SQLITE_IOERR_TRUNCATE),
            (Fault::ReadOnly, Call::Delete) => Some(ffi::SQLITE_IOERR_DELETE),
            (Fault::ReadOnly, Call::Map) => Some(ffi::SQLITE_READONLY_CANTINIT),
            (Fault::Full, Call::Truncate | Call::Delete)
            | (
                Fault::Full | Fault::ReadOnly,
                Call::Read | Call::Sync | Call::Size | Call::Lock | Call::MapLock | Call::Access,
            ) => None,
        }
    }
}

/// Which file a name leads to.
pub type Inode = u64;

/// What changed what a disk may hold.
#[derive(Debug, Clone)]
pub enum Happening {
    /// A file was opened by its name.
    Named {
        /// Its name in the folder.
        name: String,
        /// Which it is.
        file: Inode,
        /// Whether this made it.
        made: bool,
    },
    /// Bytes were written.
    Wrote {
        /// Where to.
        file: Inode,
        /// Their place.
        at: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A file was shortened.
    Cut {
        /// Which.
        file: Inode,
        /// What is left.
        length: u64,
    },
    /// A file was synced. `names`: with its folder.
    Synced {
        /// Which.
        file: Inode,
        /// Whether the names in its folder were, too.
        names: bool,
    },
    /// A file was to be synced and was not: the system has given up what was written to it since.
    Forsaken {
        /// Which.
        file: Inode,
    },
    /// A name was removed. `names`: and the folder synced.
    Deleted {
        /// Which.
        name: String,
        /// Whether the names in its folder were synced.
        names: bool,
    },
    /// A file got another name; whatever had that one went.
    Renamed {
        /// Its name before.
        from: String,
        /// Its name now.
        to: String,
    },
    /// The folder was synced.
    SyncedNames,
    /// Somebody was told something, and relies on it.
    Told(usize),
}

/// What is to fail.
#[derive(Debug, Clone, Copy)]
struct Order {
    fault: Fault,
    /// How many calls that could fail in that way still pass.
    after: u64,
    lasting: bool,
}

#[derive(Debug, Default)]
struct State {
    log: Option<Vec<Happening>>,
    order: Option<Order>,
    struck: u64,
    last: Option<Call>,
}

/// One watched folder; forgotten when it is dropped.
#[derive(Debug)]
pub struct Watch {
    state: Mutex<State>,
    /// Whether a sync takes its time, in which others go on.
    slow: AtomicBool,
}

impl Watch {
    /// Watches the files of a folder from now on.
    pub fn over(folder: &Path) -> Arc<Watch> {
        shim::install();
        let watch = Arc::new(Watch { state: Mutex::default(), slow: AtomicBool::new(false) });
        let folder = folder.canonicalize().expect("a folder");
        let mut watches = watches();
        watches.retain(|_, watch| watch.strong_count() > 0);
        watches.insert(folder, Arc::downgrade(&watch));
        watch
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what happens from now on.
    pub fn remember(&self) {
        self.state().log = Some(Vec::new());
    }

    /// From now on a sync takes a while, as it does on a disk.
    pub fn slow_down(&self) {
        self.slow.store(true, Ordering::SeqCst);
    }

    /// Notes that somebody is told something now.
    pub fn tell(&self, what: usize) {
        if let Some(log) = &mut self.state().log {
            log.push(Happening::Told(what));
        }
    }

    /// What happened since it was to remember; nothing more is remembered.
    pub fn happened(&self) -> Vec<Happening> {
        self.state().log.take().unwrap_or_default()
    }

    /// After so many calls that pass, one fails, or all from it on.
    pub fn order(&self, fault: Fault, after: u64, lasting: bool) {
        let mut state = self.state();
        state.struck = 0;
        state.last = None;
        state.order = Some(Order { fault, after, lasting });
    }

    /// Nothing fails any more. Answers how many calls did, and the last of them.
    pub fn relent(&self) -> (u64, Option<Call>) {
        let mut state = self.state();
        state.order = None;
        (state.struck, state.last)
    }

    /// Makes a call, unless it is to fail, and remembers what it did. The lock is held meanwhile, so that what is
    /// remembered is in the order in which it happened.
    fn make(
        &self,
        call: Call,
        makes: bool,
        real: impl FnOnce() -> c_int,
        happening: impl FnOnce() -> Option<Happening>,
    ) -> c_int {
        if call == Call::Sync && self.slow.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_micros(500));
        }
        let mut state = self.state();
        if let Some(order) = state.order
            && let Some(code) = order.fault.code(call, makes)
        {
            if order.after == 0 {
                state.struck += 1;
                state.last = Some(call);
                if !order.lasting {
                    state.order = None;
                }
                if let Some(log) = &mut state.log
                    && let Some(Happening::Synced { file, .. }) = happening()
                {
                    log.push(Happening::Forsaken { file });
                }
                return code;
            }
            state.order = Some(Order { after: order.after - 1, ..order });
        }
        let done = real();
        if done == ffi::SQLITE_OK
            && let Some(log) = &mut state.log
            && let Some(happening) = happening()
        {
            log.push(happening);
        }
        done
    }
}

type Watches = HashMap<PathBuf, Weak<Watch>>;

fn watches() -> MutexGuard<'static, Watches> {
    static WATCHES: LazyLock<Mutex<Watches>> = LazyLock::new(Mutex::default);
    WATCHES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who watches a file, and its name in the watched folder.
fn watch_of(path: &Path) -> Option<(Arc<Watch>, String)> {
    let watch = watches().get(path.parent()?)?.upgrade()?;
    Some((watch, path.file_name()?.to_str()?.to_owned()))
}
