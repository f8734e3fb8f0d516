//! Files that belong to one user, and which file a path names.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::Path;

/// Which file a path led to. Equal identities are the same file, as long as that file exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity {
    /// The device; 0 outside Unix.
    pub dev: u64,
    /// The inode; outside Unix the time of creation, which tells a replaced file just as well.
    pub ino: u64,
}

/// The identity of the file at `path`, symbolic links followed. `Ok(None)`: it does not exist.
///
/// Asks stat(2) and never opens the file: closing a descriptor would drop this process's locks on it.
pub fn identity(path: &Path) -> io::Result<Option<FileIdentity>> {
    match std::fs::metadata(path) {
        Ok(metadata) => identity_of(&metadata).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Creates the directory and whatever is missing above it, for this user only (0700). What exists is left
/// as it is.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Creates an empty file for this user only (0600). `Ok(false)`: something, even a dangling symbolic link, is
/// there already, and was not opened.
pub fn create_private_file(path: &Path) -> io::Result<bool> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(no_follow());
    }
    match options.open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a file that was just created readable and writable for this user only (0600). Nothing outside Unix,
/// where the directory's access list is inherited.
pub fn restrict_file(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
    }
    #[cfg(not(unix))]
    {
        std::fs::metadata(path).map(drop)
    }
}

#[cfg(unix)]
fn no_follow() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0)
}

#[cfg(unix)]
fn identity_of(metadata: &std::fs::Metadata) -> io::Result<FileIdentity> {
    use std::os::unix::fs::MetadataExt;
    Ok(FileIdentity { dev: metadata.dev(), ino: metadata.ino() })
}

#[cfg(not(unix))]
fn identity_of(metadata: &std::fs::Metadata) -> io::Result<FileIdentity> {
    let created = metadata.created()?;
    let since = created.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(FileIdentity { dev: 0, ino: u64::try_from(since.as_nanos()).unwrap_or(0) })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    /// A folder that goes away with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = format!("bgledger-files-{:x}", u64::from_ne_bytes(super::super::random_bytes()));
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &Path) -> io::Result<u32> {
        Ok(std::fs::metadata(path)?.permissions().mode() & 0o777)
    }

    #[test]
    fn what_is_missing_is_made_private_and_what_exists_is_left() -> Outcome {
        let folder = Folder::new();
        std::fs::create_dir(&folder.0)?;
        std::fs::set_permissions(&folder.0, std::fs::Permissions::from_mode(0o755))?;
        let deep = folder.0.join("a/b");
        create_private_dir(&deep)?;
        create_private_dir(&deep)?;
        assert_eq!((mode(&folder.0)?, mode(&folder.0.join("a"))?, mode(&deep)?), (0o755, 0o700, 0o700));
        Ok(())
    }

    #[test]
    fn a_file_is_created_once_private_and_never_through_a_link() -> Outcome {
        let folder = Folder::new();
        create_private_dir(&folder.0)?;
        let (file, link) = (folder.0.join("file"), folder.0.join("link"));
        assert!(create_private_file(&file)?);
        assert!(!create_private_file(&file)?);
        assert_eq!(mode(&file)?, 0o600);
        std::os::unix::fs::symlink(folder.0.join("elsewhere"), &link)?;
        assert!(!create_private_file(&link)?);
        assert!(!folder.0.join("elsewhere").exists());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644))?;
        restrict_file(&file)?;
        assert_eq!(mode(&file)?, 0o600);
        Ok(())
    }

    #[test]
    fn a_replaced_file_is_another_file() -> Outcome {
        let folder = Folder::new();
        create_private_dir(&folder.0)?;
        let (file, other) = (folder.0.join("file"), folder.0.join("other"));
        assert_eq!(identity(&file)?, None);
        create_private_file(&file)?;
        create_private_file(&other)?;
        let first = identity(&file)?;
        assert_eq!(first, identity(&file)?);
        std::fs::rename(&other, &file)?;
        assert!(identity(&file)?.is_some());
        assert_ne!(first, identity(&file)?);
        Ok(())
    }
}
