//! A file that should stay where it is while it is in use.

use std::io;
use std::path::Path;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::Standing;
#[cfg(target_os = "linux")]
pub use linux::Standing;

#[cfg(target_os = "linux")]
mod linux {
    use super::{Path, io};
    use crate::platform::FileIdentity;
    use rustix::fs::{Mode, OFlags, Stat, fstat, open, stat};
    use rustix::io::Errno;
    use std::cell::Cell;
    use std::ffi::CString;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt;

    /// A file that a path named once.
    #[derive(Debug)]
    pub struct Standing {
        /// As the system calls take it.
        path: CString,
        identity: FileIdentity,
        /// A descriptor of the path alone (`O_PATH`): unlike any other it drops no lock of this process when it is closed.
        pin: OwnedFd,
        /// When the file was changed last, or renamed, as of the last look at its path.
        changed: Cell<(i64, i64)>,
    }

    impl Standing {
        /// What a path names now, symbolic links followed. `Ok(None)`: nothing.
        pub fn at(path: &Path) -> io::Result<Option<Standing>> {
            let path = CString::new(path.as_os_str().as_bytes())?;
            let pin = match open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
                Ok(pin) => pin,
                Err(Errno::NOENT) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let found = fstat(&pin)?;
            Ok(Some(Standing { path, identity: identity_of(&found), pin, changed: Cell::new((0, 0)) }))
        }

        /// The file that was found.
        pub fn identity(&self) -> FileIdentity {
            self.identity
        }

        /// Whether the path names the file still.
        pub fn is_in_place(&self) -> bool {
            let changed = fstat(&self.pin).map_or((0, 0), |found| changed(&found));
            let is_in_place = stat(&self.path).is_ok_and(|found| identity_of(&found) == self.identity);
            self.changed.set(if is_in_place { changed } else { (0, 0) });
            is_in_place
        }

        /// Whether the file was neither written, renamed nor deleted since it was last seen in place: then it is there
        /// still, unless a folder above it was moved. Costs less than looking.
        pub fn is_untouched(&self) -> bool {
            fstat(&self.pin).is_ok_and(|found| found.st_nlink > 0 && changed(&found) == self.changed.get())
        }

        /// Whether the file has a name still: not, once it was deleted or another was put in its place. One that was moved
        /// has a name; [`Standing::is_in_place`] tells that, and costs more.
        pub fn has_name(&self) -> bool {
            fstat(&self.pin).is_ok_and(|found| found.st_nlink > 0)
        }
    }

    fn changed(found: &Stat) -> (i64, i64) {
        (wide(found.st_ctime), wide(found.st_ctime_nsec))
    }

    /// The types of these fields differ between architectures.
    fn wide(value: impl TryInto<i64>) -> i64 {
        value.try_into().unwrap_or(0)
    }

    fn identity_of(found: &Stat) -> FileIdentity {
        FileIdentity { dev: found.st_dev, ino: found.st_ino }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::{Path, io};
    use crate::platform::{FileIdentity, identity};
    use std::path::PathBuf;

    /// A file that a path named once.
    #[derive(Debug)]
    pub struct Standing {
        path: PathBuf,
        identity: FileIdentity,
    }

    impl Standing {
        /// What a path names now, symbolic links followed. `Ok(None)`: nothing.
        pub fn at(path: &Path) -> io::Result<Option<Standing>> {
            Ok(identity(path)?.map(|identity| Standing { path: path.to_owned(), identity }))
        }

        /// The file that was found.
        pub fn identity(&self) -> FileIdentity {
            self.identity
        }

        /// Whether the path names the file still.
        pub fn is_in_place(&self) -> bool {
            identity(&self.path).ok().flatten() == Some(self.identity)
        }

        /// Cannot be told here.
        pub fn is_untouched(&self) -> bool {
            false
        }

        /// Whether the path names it still: here a file is known by nothing else.
        pub fn has_name(&self) -> bool {
            self.is_in_place()
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::Standing;
    use crate::platform::create_private_file;
    use std::fs;

    #[test]
    fn a_moved_file_has_a_name_and_a_replaced_one_has_none() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let (file, moved) = (folder.path().join("file"), folder.path().join("moved"));
        assert!(Standing::at(&file)?.is_none());
        create_private_file(&file)?;
        let standing = Standing::at(&file)?.ok_or("it is there")?;
        assert!(!standing.is_untouched(), "nobody has looked yet");
        assert!(standing.is_in_place() && standing.has_name());
        assert_eq!(standing.is_untouched(), cfg!(target_os = "linux"));
        fs::rename(&file, &moved)?;
        assert!(!standing.is_untouched());
        assert!(!standing.is_in_place());
        create_private_file(&file)?;
        assert!(!standing.is_in_place());
        fs::rename(&moved, &file)?;
        assert!(standing.is_in_place() && standing.has_name());
        create_private_file(&moved)?;
        fs::rename(&moved, &file)?;
        assert!(!standing.is_in_place());
        if cfg!(target_os = "linux") {
            assert!(!standing.has_name());
        }
        Ok(())
    }

    /// POSIX locks go with any descriptor of the file that this process closes, but for those of a path alone.
    #[test]
    #[cfg(target_os = "linux")]
    fn watching_a_file_drops_no_lock_on_it() -> Result<(), Box<dyn std::error::Error>> {
        use rustix::fs::{FlockOperation, fcntl_lock};
        use std::process::Command;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("file");
        let file = fs::File::create(&path)?;
        fcntl_lock(&file, FlockOperation::LockExclusive)?;
        let is_locked = || -> std::io::Result<bool> {
            let try_it = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)";
            Ok(!Command::new("python3").args(["-c", try_it]).arg(&path).output()?.status.success())
        };
        assert!(is_locked()?);
        drop(Standing::at(&path)?);
        assert!(is_locked()?, "closing what watches it dropped the lock");
        drop(fs::File::open(&path)?);
        assert!(!is_locked()?, "this test cannot fail: an ordinary descriptor dropped nothing either");
        Ok(())
    }
}
