//! Whether a path lies on a disk of this machine or is shared over a network.

use std::path::Path;

/// Where a path's data lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileSystem {
    /// On this machine, as far as can be told.
    Local,
    /// Shared with other machines or with the machine that hosts this one; the name of the file system.
    Network(String),
}

/// The file system that holds `path`, or would: its nearest existing ancestor is asked (statfs(2), and
/// `/proc/self/mountinfo` for FUSE). What cannot be asked, and everything outside Linux, counts as `Local`.
pub fn file_system(path: &Path) -> FileSystem {
    #[cfg(target_os = "linux")]
    {
        linux::file_system(path)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        FileSystem::Local
    }
}

const FUSE: u64 = 0x6573_5546;

/// The magic numbers of statfs(2) whose files other machines may change behind our kernel's back.
const NETWORK: &[(u64, &str)] = &[
    (0x6969, "nfs"),
    (0x517B, "smb"),
    (0xFF53_4D42, "cifs"),
    (0xFE53_4D42, "smb2"),
    (0x0102_1997, "9p"),
    (0x564C, "ncp"),
    (0x7375_7245, "coda"),
    (0x5346_414F, "afs"),
    (0x6B41_4653, "afs"),
    (0x00C3_6400, "ceph"),
    (0x0116_1970, "gfs2"),
    (0x7461_636F, "ocfs2"),
    (0x0BD0_0BD0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x1983_0326, "beegfs"),
    (0xAAD7_AAEA, "panfs"),
    (0xBEEF_DEAD, "snfs"),
    (0x786F_4256, "vboxsf"),
    (0xBACB_ACBC, "vmhgfs"),
    (0x7C7C_6673, "prl_fs"),
];

/// FUSE file systems, by the type in mountinfo (without `fuse.`), that reach beyond this machine.
const NETWORK_FUSE: &[&str] = &[
    "afpfs",
    "blobfuse",
    "blobfuse2",
    "ceph",
    "ceph-fuse",
    "curlftpfs",
    "davfs",
    "davfs2",
    "fakeowner",
    "gcsfuse",
    "glusterfs",
    "goofys",
    "grpcfuse",
    "gvfsd-fuse",
    "httpfs",
    "juicefs",
    "moosefs",
    "mfs",
    "mount-s3",
    "mountpoint-s3",
    "osxfs",
    "rclone",
    "s3fs",
    "seaweedfs",
    "smbnetfs",
    "sshfs",
    "vmhgfs-fuse",
    "virtiofs",
];

/// The verdict on a statfs type and, for FUSE, the mount's type as mountinfo spells it.
#[cfg_attr(not(any(target_os = "linux", test)), expect(dead_code, reason = "only Linux tells these numbers"))]
fn classify(f_type: u64, mount_type: Option<&str>) -> FileSystem {
    // The field is signed on some machines, which widens its upper bits.
    let magic = f_type & 0xFFFF_FFFF;
    if magic == FUSE {
        let name = mount_type.map(|name| name.strip_prefix("fuse.").unwrap_or(name));
        return match name.filter(|name| NETWORK_FUSE.contains(name)) {
            Some(name) => FileSystem::Network(name.to_owned()),
            None => FileSystem::Local,
        };
    }
    match NETWORK.iter().find(|(number, _)| *number == magic) {
        Some((_, name)) => FileSystem::Network((*name).to_owned()),
        None => FileSystem::Local,
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{FUSE, FileSystem, classify};
    use rustix::fs::{StatFs, major, minor, statfs};
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    pub(super) fn file_system(path: &Path) -> FileSystem {
        let Some((existing, facts)) = path.ancestors().find_map(ask) else {
            return FileSystem::Local;
        };
        #[expect(clippy::cast_sign_loss, reason = "a magic number; classify looks at its bits")]
        let f_type = facts.f_type as u64;
        let mount = (f_type == FUSE).then(|| mount_type(existing)).flatten();
        classify(f_type, mount.as_deref())
    }

    fn ask(path: &Path) -> Option<(&Path, StatFs)> {
        // The last ancestor of a relative path is empty and stands for the current directory.
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Some((path, statfs(path).ok()?))
    }

    fn mount_type(path: &Path) -> Option<String> {
        let device = std::fs::metadata(path).ok()?.dev();
        let mounts = std::fs::read(Path::new("/proc/self/mountinfo")).ok()?;
        mount_type_of(&String::from_utf8_lossy(&mounts), major(device), minor(device))
    }

    /// The type of the mount with that device number; the format is in proc_pid_mountinfo(5).
    pub(super) fn mount_type_of(mounts: &str, major: u32, minor: u32) -> Option<String> {
        let device = format!("{major}:{minor}");
        let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(&device))?;
        let (_, source) = line.split_once(" - ")?;
        Some(source.split(' ').next()?.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(name: &str) -> FileSystem {
        FileSystem::Network(name.to_owned())
    }

    #[test]
    fn network_file_systems_are_known_by_their_magic() {
        for (f_type, expected) in [
            (0x6969, network("nfs")),
            (0xFF53_4D42, network("cifs")),
            (0xFFFF_FFFF_FF53_4D42, network("cifs")),
            (0xFE53_4D42, network("smb2")),
            (0x0102_1997, network("9p")),
            (0x00C3_6400, network("ceph")),
            (0xEF53, FileSystem::Local),      // ext4
            (0x0102_1994, FileSystem::Local), // tmpfs
            (0x794C_7630, FileSystem::Local), // overlayfs
            (0, FileSystem::Local),
        ] {
            assert_eq!(classify(f_type, None), expected, "{f_type:#x}");
        }
    }

    #[test]
    fn fuse_is_as_local_as_the_mount_it_serves() {
        for (mount, expected) in [
            (Some("fuse.sshfs"), network("sshfs")),
            (Some("virtiofs"), network("virtiofs")),
            (Some("fuse.rclone"), network("rclone")),
            (Some("fuseblk"), FileSystem::Local),
            (Some("fuse.gocryptfs"), FileSystem::Local),
            (None, FileSystem::Local),
        ] {
            assert_eq!(classify(FUSE, mount), expected, "{mount:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_mount_is_found_by_its_device() {
        let mounts = "36 35 98:0 / / rw master:1 - ext4 /dev/root rw\n\
                      37 36 0:52 / /mnt/a\\040b rw shared:7 master:2 - fuse.sshfs host:/ rw\n";
        assert_eq!(linux::mount_type_of(mounts, 0, 52).as_deref(), Some("fuse.sshfs"));
        assert_eq!(linux::mount_type_of(mounts, 98, 0).as_deref(), Some("ext4"));
        assert_eq!(linux::mount_type_of(mounts, 0, 5), None);
    }

    #[test]
    fn a_path_yet_to_be_made_is_asked_through_its_ancestors() {
        let missing = std::env::temp_dir().join("not/there/yet/ledger.db");
        assert_eq!(file_system(&missing), file_system(&std::env::temp_dir()));
        assert_eq!(file_system(Path::new("not/there")), file_system(Path::new(".")));
    }
}
