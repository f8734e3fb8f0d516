//! The memory of a bell: a file that is mapped, and sleeping until a word in it changes.

#[cfg(target_os = "linux")]
pub(super) use linux::Memory;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::Memory;

#[cfg(target_os = "linux")]
mod linux {
    use super::super::super::{copy_owner_and_mode, create_private_file};
    use super::super::Words;
    use rustix::fs::{FallocateFlags, OFlags, fallocate};
    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
    use rustix::thread::futex;
    use std::fs::{File, OpenOptions};
    use std::io::{self, Write};
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::Path;
    use std::ptr::{self, NonNull};
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    const SIZE: usize = size_of::<Words>();

    #[derive(Debug)]
    pub(in super::super) struct Memory(NonNull<Words>);

    // SAFETY: the words are atomic, and the memory stays mapped until the value is dropped.
    unsafe impl Send for Memory {}
    // SAFETY: the same.
    unsafe impl Sync for Memory {}

    impl Memory {
        pub(in super::super) fn open(path: &Path, model: &Path) -> io::Result<Memory> {
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
            NonNull::new(address.cast()).map(Memory).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
        }

        pub(in super::super) fn words(&self) -> &Words {
            // SAFETY: mapped until this is dropped, page-aligned, and any bytes are words.
            unsafe { self.0.as_ref() }
        }

        pub(in super::super) fn wake(&self, word: &AtomicU32, many: u32) {
            let _ = futex::wake(word, futex::Flags::empty(), many);
        }

        pub(in super::super) fn wait(&self, word: &AtomicU32, heard: u32, time: Duration) {
            let time = rustix::fs::Timespec::try_from(time).ok();
            // Woken, struck already, interrupted or out of time.
            let _ = futex::wait(word, futex::Flags::empty(), heard, time.as_ref());
        }
    }

    impl Drop for Memory {
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

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::super::Words;
    use std::io;
    use std::path::Path;
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    /// There is none.
    #[derive(Debug)]
    pub(in super::super) enum Memory {}

    impl Memory {
        pub(in super::super) fn open(_: &Path, _: &Path) -> io::Result<Memory> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(in super::super) fn words(&self) -> &Words {
            match *self {}
        }

        pub(in super::super) fn wake(&self, _: &AtomicU32, _: u32) {
            match *self {}
        }

        pub(in super::super) fn wait(&self, _: &AtomicU32, _: u32, _: Duration) {
            match *self {}
        }
    }
}
