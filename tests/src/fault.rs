//! Writes and syncs that fail on order, in a real process: a library that the dynamic linker puts before the C library.

use rustix::mm::{MapFlags, ProtFlags, mmap};
use std::fs::OpenOptions;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Which calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Calls {
    /// `pwrite`.
    Write = 1,
    /// `fsync` and `fdatasync`.
    Sync = 2,
    /// `statfs`, which answers that the file is on NFS, whatever the fault.
    Statfs = 3,
    /// Every call that changes a file, a name, a lock or a mapping.
    Any = 4,
}

/// What befalls the calls from the given one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// ENOSPC.
    NoSpace,
    /// EIO.
    Io,
    /// The process is killed at the call.
    Kill,
}

/// The orders that one process obeys.
#[derive(Debug)]
pub struct Faults {
    file: PathBuf,
    orders: &'static Orders,
}

#[repr(C)]
#[derive(Debug)]
struct Orders {
    kind: AtomicU32,
    after: AtomicU32,
    error: AtomicU32,
    struck: AtomicU32,
}

impl Faults {
    /// Orders in a new file; nothing fails yet.
    pub fn new(file: PathBuf) -> Faults {
        let size = size_of::<Orders>();
        let opened = OpenOptions::new().read(true).write(true).create_new(true).open(&file).expect("a new file");
        opened.set_len(size as u64).expect("room for the orders");
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh mapping of a file that is long enough; it is never unmapped, and both sides use atomics.
        let orders = unsafe {
            let mapped = mmap(std::ptr::null_mut(), size, access, MapFlags::SHARED, &opened, 0).expect("a mapping");
            &*mapped.cast::<Orders>()
        };
        Faults { file, orders }
    }

    /// Makes a command obey.
    pub fn govern(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library()).env("BGLEDGER_TEST_FAULTS", &self.file);
    }

    /// Makes a command write down its calls on files, a line each, in a file.
    pub fn note(command: &mut Command, notes: &Path) {
        command.env("LD_PRELOAD", library()).env("BGLEDGER_TEST_CALLS", notes);
    }

    /// From now on, after so many calls that pass, every one fails.
    pub fn order(&self, calls: Calls, after: u32, fault: Fault) {
        let error = match fault {
            Fault::NoSpace => rustix::io::Errno::NOSPC.raw_os_error(),
            Fault::Io => rustix::io::Errno::IO.raw_os_error(),
            Fault::Kill => 0,
        };
        self.orders.kind.store(0, Ordering::SeqCst);
        self.orders.struck.store(0, Ordering::SeqCst);
        self.orders.error.store(error.unsigned_abs(), Ordering::SeqCst);
        self.orders.after.store(after, Ordering::SeqCst);
        self.orders.kind.store(calls as u32, Ordering::SeqCst);
    }

    /// How many calls may still pass.
    pub fn left(&self) -> u32 {
        self.orders.after.load(Ordering::SeqCst)
    }

    /// How many calls failed since the last order.
    pub fn struck(&self) -> u32 {
        self.orders.struck.load(Ordering::SeqCst)
    }

    /// Nothing fails any more. Answers how many calls did.
    pub fn relent(&self) -> u32 {
        self.orders.kind.store(0, Ordering::SeqCst);
        self.orders.struck.load(Ordering::SeqCst)
    }
}

/// The library, compiled by the C compiler.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| compile("fault.c", include_str!("fault.c")))
}

/// A library made of a source file beside this one; named after what it says, so that it is compiled once.
pub(crate) fn compile(source: &str, says: &str) -> PathBuf {
    let mut hash = DefaultHasher::new();
    says.hash(&mut hash);
    let own = std::env::current_exe().expect("a running program");
    let library = own.with_file_name(format!("{}-{:016x}.so", source.trim_end_matches(".c"), hash.finish()));
    if !library.exists() {
        let draft = library.with_extension(std::process::id().to_string());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(source);
        let compiled = Command::new("cc")
            .args(["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread", "-o"])
            .args([&draft, &source])
            .output()
            .expect("a C compiler");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        std::fs::rename(&draft, &library).expect("the library in its place");
    }
    library
}
