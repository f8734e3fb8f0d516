//! Which processes live, and since when: `/proc/PID/stat`.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What can be told about the process with a certain pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// It lives. `started`: clock ticks since boot; together with the pid it names one process of this boot.
    Running {
        /// Field 22 of `/proc/PID/stat`.
        started: u64,
    },
    /// It ended and waits for its parent to take notice.
    Zombie {
        /// Field 22 of `/proc/PID/stat`.
        started: u64,
    },
    /// There is no such process in this pid namespace.
    Gone,
    /// It cannot be told: `/proc` is hidden (`hidepid`), absent (not Linux), or the number is no pid.
    Unknown,
}

/// A live process of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its pid.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub started: u64,
}

/// This process's pid, asked from the kernel each time: after a fork it is the child's.
pub fn own_pid() -> u32 {
    std::process::id()
}

/// What is known of process `pid`. Without a readable `/proc/PID/stat`, signal 0 can still prove it gone.
pub fn process(pid: u32) -> ProcessState {
    let (Ok(signed), true) = (i32::try_from(pid), pid > 0) else {
        return ProcessState::Unknown;
    };
    if pid == own_pid() {
        return own_process(pid);
    }
    match read_stat(pid) {
        Some(stat) => stat.state(),
        None if is_gone(signed) => ProcessState::Gone,
        None => ProcessState::Unknown,
    }
}

/// This process lives, and its start does not change: it is read once. A forked child finds its parent's pid here.
fn own_process(pid: u32) -> ProcessState {
    static KNOWN: AtomicU32 = AtomicU32::new(0);
    static STARTED: AtomicU64 = AtomicU64::new(0);
    if KNOWN.load(Ordering::Acquire) == pid {
        return ProcessState::Running { started: STARTED.load(Ordering::Relaxed) };
    }
    match read_stat(pid) {
        Some(Stat { started, .. }) => {
            STARTED.store(started, Ordering::Relaxed);
            KNOWN.store(pid, Ordering::Release);
            ProcessState::Running { started }
        }
        None => ProcessState::Unknown,
    }
}

/// The live processes, zombies left out, whose process group is `group`: a scan of `/proc`, not one instant.
///
/// `None`: cannot tell, because `/proc` is absent or hides the processes of others.
pub fn group_members(group: u32) -> Option<Vec<Member>> {
    // Under hidepid others' processes are missing from the listing, and pid 1 is nobody's own.
    read_stat(1)?;
    let mut members = Vec::new();
    for entry in std::fs::read_dir("/proc").ok()? {
        let name = entry.ok()?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(stat) = read_stat(pid)
            && stat.group == group
            && let ProcessState::Running { started } = stat.state()
        {
            members.push(Member { pid, started });
        }
    }
    Some(members)
}

struct Stat {
    state: u8,
    group: u32,
    threads: u64,
    started: u64,
}

impl Stat {
    fn state(&self) -> ProcessState {
        let started = self.started;
        // A first thread that returned early looks like a zombie while the process's other threads live.
        let ended = matches!(self.state, b'Z' | b'X' | b'x') && self.threads <= 1;
        if ended { ProcessState::Zombie { started } } else { ProcessState::Running { started } }
    }
}

#[cfg(target_os = "linux")]
fn read_stat(pid: u32) -> Option<Stat> {
    parse_stat(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

#[cfg(not(target_os = "linux"))]
fn read_stat(_pid: u32) -> Option<Stat> {
    None
}

/// The fields of proc_pid_stat(5). The name in parentheses may hold anything, also parentheses.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has the file"))]
fn parse_stat(line: &[u8]) -> Option<Stat> {
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(line.get(name_end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace(); // begins with field 3
    let state = *fields.next()?.as_bytes().first()?;
    let group = fields.nth(1)?.parse::<i64>().ok()?; // field 5
    let threads = fields.nth(14)?.parse().ok()?; // field 20
    let started = fields.nth(1)?.parse().ok()?; // field 22
    Some(Stat { state, group: u32::try_from(group).unwrap_or(0), threads, started })
}

#[cfg(unix)]
fn is_gone(pid: i32) -> bool {
    use rustix::io::Errno;
    use rustix::process::{Pid, test_kill_process};
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

#[cfg(not(unix))]
fn is_gone(_pid: i32) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn a_process_runs_then_is_a_zombie_then_is_gone() -> Outcome {
        let mut child = Command::new("sleep").arg("60").spawn()?;
        let pid = child.id();
        let ProcessState::Running { started } = process(pid) else {
            return Err(format!("{:?}", process(pid)).into());
        };
        child.kill()?;
        for _ in 0..200 {
            if process(pid) == (ProcessState::Zombie { started }) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(process(pid), ProcessState::Zombie { started });
        child.wait()?;
        assert_eq!(process(pid), ProcessState::Gone);
        Ok(())
    }

    #[test]
    fn we_run_and_impossible_pids_are_unknown() {
        assert!(matches!(process(own_pid()), ProcessState::Running { started } if started > 0));
        assert_eq!(process(0), ProcessState::Unknown);
        assert_eq!(process(u32::MAX), ProcessState::Unknown);
    }

    #[test]
    fn a_process_named_like_a_stat_line_is_read_from_its_last_parenthesis() -> Outcome {
        let line = b"7 (a) Z 1 (\xff) b) S 1 77 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4321 0 0\n";
        let stat = parse_stat(line).ok_or("unreadable")?;
        assert_eq!((stat.group, stat.state()), (77, ProcessState::Running { started: 4321 }));
        assert!(parse_stat(b"7 (cut) S 1 77").is_none());
        assert!(parse_stat(b"").is_none());
        Ok(())
    }

    #[test]
    fn a_zombie_first_thread_with_living_threads_still_runs() -> Outcome {
        let line =
            |threads| parse_stat(format!("7 (x) Z 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 5 0").as_bytes());
        let (many, one) = (line(2).ok_or("two")?, line(1).ok_or("one")?);
        assert_eq!(many.state(), ProcessState::Running { started: 5 });
        assert_eq!(one.state(), ProcessState::Zombie { started: 5 });
        Ok(())
    }

    #[test]
    fn a_group_lists_its_grandchildren_and_no_zombie() -> Outcome {
        use std::os::unix::process::CommandExt;
        let mut leader = Command::new("sh")
            .args(["-c", "sleep 60 & sleep 60 & echo ready; wait"])
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = leader.stdout.take().ok_or("no pipe")?;
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line)?;
        let members = group_members(leader.id()).ok_or("cannot tell")?;
        assert_eq!(members.len(), 3, "{members:?}");
        leader.kill()?;
        leader.wait()?;
        let left = group_members(leader.id()).ok_or("cannot tell")?;
        assert_eq!(left.len(), 2, "{left:?}");
        super::super::signal_group(leader.id(), super::super::Signal::Kill)?;
        Ok(())
    }
}
