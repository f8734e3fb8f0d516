//! Putting files in place beside others.

use std::fs::Metadata;
use std::io;
use std::path::Path;

/// Gives a file a name that must be free, in one step. `Ok(false)`: something has the name already, and stays.
pub fn rename_to_vacant(from: &Path, to: &Path) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return sync_folder(to).map(|()| true),
            Err(rustix::io::Errno::EXIST) => return Ok(false),
            // A file system that cannot do it in one step.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    match std::fs::hard_link(from, to) {
        Ok(()) => {
            std::fs::remove_file(from)?;
            sync_folder(to).map(|()| true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives a file a name that something else may have: that goes, in one step.
pub fn rename_over(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)?;
    sync_folder(to)
}

/// Makes what was written to a file durable.
pub fn sync_file(path: &Path) -> io::Result<()> {
    std::fs::OpenOptions::new().write(true).open(path)?.sync_all()
}

/// Makes a new name durable.
pub fn sync_folder(file: &Path) -> io::Result<()> {
    match (cfg!(unix), file.parent()) {
        (true, Some(folder)) => std::fs::File::open(folder)?.sync_all(),
        (_, _) => Ok(()),
    }
}

/// Gives a new file the owner and the mode of another, as SQLite does with its own.
pub fn copy_owner_and_mode(from: &Path, to: &Path) -> io::Result<()> {
    let model = std::fs::metadata(from)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let made = std::fs::metadata(to)?;
        if (made.uid(), made.gid()) != (model.uid(), model.gid()) {
            // Only root may give a file away; for everybody else it is theirs already or stays so.
            let _ = std::os::unix::fs::chown(to, Some(model.uid()), Some(model.gid()));
        }
    }
    std::fs::set_permissions(to, model.permissions())
}

/// Whether the file has hard links under other names. Always false outside Unix.
pub fn has_other_names(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::nlink(metadata) > 1
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}

/// Whether anybody but its owner may read or write the file. False if there is none, and outside Unix.
pub fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Whether anybody but its owner may make and remove files in the folder, and no sticky bit keeps them from removing
/// others' files. False outside Unix.
pub fn is_writable_to_others(folder: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(folder).is_ok_and(|found| {
            let mode = found.permissions().mode();
            mode & 0o022 != 0 && mode & 0o1000 == 0
        })
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        false
    }
}

/// The user who owns a file; `None` if there is none, and outside Unix.
pub fn owner(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        std::fs::metadata(path).ok().map(|found| std::os::unix::fs::MetadataExt::uid(&found))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// The user this process acts as; `None` outside Unix.
pub fn own_user() -> Option<u32> {
    #[cfg(unix)]
    {
        Some(rustix::process::geteuid().as_raw())
    }
    #[cfg(not(unix))]
    {
        None
    }
}

/// Whether this process may make files in the folder, by access(2); outside Unix as far as its attributes tell.
pub fn is_writable(folder: &Path) -> bool {
    #[cfg(unix)]
    {
        rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
    }
    #[cfg(not(unix))]
    {
        std::fs::metadata(folder).is_ok_and(|found| !found.permissions().readonly())
    }
}
