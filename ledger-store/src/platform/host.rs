//! Which machine, boot and pid namespace this is: the frame in which a pid means something.

use std::path::Path;
use std::sync::OnceLock;

/// This machine, boot and pid namespace. `None`: unknown here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The installation's id: `/etc/machine-id`, else `/var/lib/dbus/machine-id`.
    pub machine: Option<String>,
    /// The running kernel's id, new at every boot: `/proc/sys/kernel/random/boot_id`.
    pub boot: Option<String>,
    /// The namespace in which our pids are numbered: the inode of `/proc/self/ns/pid`.
    pub pid_namespace: Option<u64>,
}

/// The host of this process, read once. A forked child shares it.
pub fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| Host {
        machine: identifier("/etc/machine-id").or_else(|| identifier("/var/lib/dbus/machine-id")),
        boot: identifier("/proc/sys/kernel/random/boot_id"),
        pid_namespace: pid_namespace(),
    })
}

/// Whether this process seems to live in a container, so that a restart may hide the processes of today.
///
/// A presumption from whatever hint can be read: the marks container engines leave, a pid namespace other
/// than the kernel's first, the cgroup and environment of pid 1. Read once.
pub fn in_container() -> bool {
    static CONTAINED: OnceLock<bool> = OnceLock::new();
    *CONTAINED.get_or_init(|| {
        ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"].iter().any(|mark| Path::new(mark).exists())
            || host().pid_namespace.is_some_and(is_nested)
            || std::fs::read("/proc/1/cgroup").is_ok_and(|text| cgroup_names_a_container(&text))
            || std::fs::read("/proc/1/environ").is_ok_and(|text| environment_names_one(&text))
    })
}

/// The first words of such files end at a newline; an image that is not yet set up says `uninitialized`.
fn identifier(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let id = text.trim();
    let known = !id.is_empty() && id != "uninitialized" && id.is_ascii();
    known.then(|| id.to_owned())
}

#[cfg(target_os = "linux")]
fn pid_namespace() -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    Some(std::fs::metadata("/proc/self/ns/pid").ok()?.ino())
}

#[cfg(not(target_os = "linux"))]
fn pid_namespace() -> Option<u64> {
    None
}

/// The kernel numbers its first pid namespace with a constant, `PROC_PID_INIT_INO`.
fn is_nested(pid_namespace: u64) -> bool {
    pid_namespace != 0xEFFF_FFFC
}

fn cgroup_names_a_container(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    ["docker", "kubepods", "containerd", "libpod", "/lxc"].iter().any(|engine| text.contains(engine))
}

fn environment_names_one(text: &[u8]) -> bool {
    text.split(|byte| *byte == 0).any(|entry| entry.strip_prefix(b"container=").is_some_and(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_linux_host_knows_its_boot_and_namespace() {
        assert_eq!(host().boot.as_deref().map(str::len), Some(36));
        assert!(host().pid_namespace.is_some());
    }

    #[test]
    fn container_hints_are_told_from_plain_hosts() {
        assert!(cgroup_names_a_container(b"12:pids:/docker/0123abcd\n"));
        assert!(cgroup_names_a_container(b"0::/kubepods.slice/pod1\n"));
        assert!(!cgroup_names_a_container(b"0::/init.scope\n"));
        assert!(environment_names_one(b"PATH=/bin\0container=podman\0"));
        assert!(!environment_names_one(b"PATH=/bin\0container=\0xcontainer=y\0"));
        assert!(!is_nested(4_026_531_836));
    }
}
