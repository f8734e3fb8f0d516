//! The bell beside a ledger: whoever commits strokes it, whoever waits hears it, in any process.
//!
//! It is two words of memory that all processes share through a small file. A stroke that nobody listens for is one
//! addition; a listener sleeps in the kernel and costs nothing until it is woken. Outside Linux, and for whoever may not
//! write the file, there is no bell, and waiting means looking again after [`UNHEARD`]. Like SQLite's `-shm`, the file is
//! shared memory: whoever truncates it under a running process ends that process.

use super::{FileIdentity, identity};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a waiting call looks for itself where it cannot hear the bell.
pub const UNHEARD: Duration = Duration::from_millis(20);
/// How often it looks although it hears: a process may have been killed between its commit and its stroke.
pub const UNSTRUCK: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub struct Bell {
    file: PathBuf,
    identity: Option<FileIdentity>,
    #[cfg(target_os = "linux")]
    shared: linux::Shared,
}

impl Bell {
    /// Opens the bell in a file, which is made for the owner and with the mode of `model` if there is none. `None`: there
    /// is no hearing it from here, or there is no `model`.
    pub fn open(file: &Path, model: &Path) -> Option<Bell> {
        #[cfg(target_os = "linux")]
        {
            let shared = linux::Shared::open(file, model).ok()?;
            let identity = identity(file).ok().flatten();
            Some(Bell { file: file.to_owned(), identity, shared })
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (file, model);
            None
        }
    }

    /// Whether the file is still the one that others open.
    pub fn is_in_place(&self) -> bool {
        self.identity.is_some() && identity(&self.file).ok().flatten() == self.identity
    }

    /// How often it was struck, as far as its listeners care: the number changes with every stroke.
    pub fn strokes(&self) -> u32 {
        #[cfg(target_os = "linux")]
        {
            self.shared.strokes()
        }
        #[cfg(not(target_os = "linux"))]
        {
            0
        }
    }

    /// Wakes every listener in every process.
    pub fn strike(&self) {
        #[cfg(target_os = "linux")]
        self.shared.strike();
    }

    /// Sleeps until a stroke after the one that was `heard`, a signal, or the end of the time.
    pub fn listen(&self, heard: u32, time: Duration) {
        #[cfg(target_os = "linux")]
        self.shared.listen(heard, time);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = heard;
            std::thread::sleep(time.min(UNHEARD));
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::super::{copy_owner_and_mode, create_private_file};
    use rustix::fs::{FallocateFlags, OFlags, fallocate};
    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
    use rustix::thread::futex;
    use std::fs::{File, OpenOptions};
    use std::io::{self, Write};
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::Path;
    use std::ptr::{self, NonNull};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    /// What the file holds.
    #[repr(C)]
    #[derive(Debug)]
    struct Words {
        strokes: AtomicU32,
        /// How many may be asleep. A listener that was killed stays counted, which costs its ledger's writers a system
        /// call and nobody a wake-up.
        listeners: AtomicU32,
    }

    const SIZE: usize = size_of::<Words>();

    #[derive(Debug)]
    pub(super) struct Shared(NonNull<Words>);

    // SAFETY: the words are atomic, and the memory stays mapped until the value is dropped.
    unsafe impl Send for Shared {}
    // SAFETY: the same.
    unsafe impl Sync for Shared {}

    impl Shared {
        pub(super) fn open(path: &Path, model: &Path) -> io::Result<Shared> {
            std::fs::metadata(model)?;
            if create_private_file(path)?
                && let Err(error) = copy_owner_and_mode(model, path)
            {
                // Left with the wrong owner, nobody else could ever open it.
                let _ = std::fs::remove_file(path);
                return Err(error);
            }
            let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
            let mut file = OpenOptions::new().read(true).write(true).custom_flags(no_follow).open(path)?;
            if file.metadata()?.len() < SIZE as u64 {
                make_room(&mut file)?;
            }
            // SAFETY: a fresh shared mapping that nothing else knows of; the file has all of its bytes.
            let address =
                unsafe { mmap(ptr::null_mut(), SIZE, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0) }?;
            NonNull::new(address.cast()).map(Shared).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
        }

        fn words(&self) -> &Words {
            // SAFETY: mapped until this is dropped, page-aligned, and any bytes are two words.
            unsafe { self.0.as_ref() }
        }

        pub(super) fn strokes(&self) -> u32 {
            self.words().strokes.load(Ordering::SeqCst)
        }

        pub(super) fn strike(&self) {
            let words = self.words();
            words.strokes.fetch_add(1, Ordering::SeqCst);
            // A listener counts itself before it looks at the strokes for the last time: one of the two sees the other.
            if words.listeners.load(Ordering::SeqCst) > 0 {
                let _ = futex::wake(&words.strokes, futex::Flags::empty(), i32::MAX.unsigned_abs());
            }
        }

        pub(super) fn listen(&self, heard: u32, time: Duration) {
            let words = self.words();
            words.listeners.fetch_add(1, Ordering::SeqCst);
            let time = rustix::fs::Timespec::try_from(time).ok();
            // Woken, struck already, interrupted, out of time: whoever listens looks for itself.
            let _ = futex::wait(&words.strokes, futex::Flags::empty(), heard, time.as_ref());
            let fewer = |listeners: u32| Some(listeners.saturating_sub(1));
            let _ = words.listeners.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer);
        }
    }

    impl Drop for Shared {
        fn drop(&mut self) {
            // SAFETY: mapped by `open` with this size, and nobody borrows the words any more.
            let _ = unsafe { munmap(self.0.as_ptr().cast(), SIZE) };
        }
    }

    /// Gives the file its bytes on the disk, so that a full one is told now and not by a signal. What another process
    /// has counted there meanwhile stays.
    fn make_room(file: &mut File) -> io::Result<()> {
        match fallocate(&*file, FallocateFlags::empty(), 0, SIZE as u64) {
            Ok(()) => Ok(()),
            // A file system that cannot: at worst a listener of this very moment looks for itself.
            Err(_) => file.write_all(&[0; SIZE]),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::{create_private_dir, monotonic_ms, random_bytes};
    use super::*;

    fn scene() -> (std::path::PathBuf, Bell, Bell) {
        let folder = std::env::temp_dir().join(format!("bgledger-bell-{:x}", u64::from_ne_bytes(random_bytes())));
        create_private_dir(&folder).expect("a folder");
        let (model, file) = (folder.join("ledger.db"), folder.join("ledger.db-bell"));
        std::fs::write(&model, "").expect("a file");
        let open = || Bell::open(&file, &model).expect("a bell");
        (folder, open(), open())
    }

    #[test]
    fn a_stroke_wakes_who_listens_through_another_mapping() {
        let (folder, one, other) = scene();
        let heard = other.strokes();
        let began = monotonic_ms();
        std::thread::scope(|scope| {
            let listener = scope.spawn(|| other.listen(heard, Duration::from_secs(60)));
            while !listener.is_finished() {
                std::thread::sleep(Duration::from_millis(10));
                one.strike();
            }
        });
        assert_ne!(other.strokes(), heard);
        assert!(monotonic_ms() - began < 50_000, "it slept to the end");
        std::fs::remove_dir_all(folder).expect("it goes");
    }

    #[test]
    fn a_stroke_before_listening_is_not_slept_over() {
        let (folder, one, other) = scene();
        let heard = other.strokes();
        one.strike();
        let began = monotonic_ms();
        other.listen(heard, Duration::from_secs(60));
        assert!(monotonic_ms() - began < 50_000, "it slept to the end");
        std::fs::remove_dir_all(folder).expect("it goes");
    }
}
