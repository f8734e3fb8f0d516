//! Process groups: is it still the group that was recorded, and stopping that one and no other.

use super::clock::monotonic_ms;
use super::process::{ProcessState, group_members, process};
use std::io;
use std::time::Duration;

/// What can be sent to a process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, as by Ctrl-C.
    Interrupt,
    /// SIGTERM, the polite end.
    Terminate,
    /// SIGHUP, the terminal went away.
    Hangup,
    /// SIGQUIT, as by Ctrl-\.
    Quit,
    /// SIGKILL, which nothing can refuse.
    Kill,
    /// SIGSTOP, which suspends.
    Stop,
    /// SIGCONT, which resumes.
    Continue,
}

/// How an attempt to stop a group ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Nothing lived in that group any more; no signal was sent.
    NotThere,
    /// It lived, and now no member is left.
    Stopped,
    /// Members are left, may not be signalled, or cannot be seen; or it is our own group.
    NotProved,
}

/// Sends `signal` to every process of `group`. `Ok(false)`: there is no such group.
///
/// Errors: `InvalidInput` for 0 and 1, which would mean our own group and everybody; `PermissionDenied`;
/// `Unsupported` outside Unix.
pub fn signal_group(group: u32, signal: Signal) -> io::Result<bool> {
    if group <= 1 || i32::try_from(group).is_err() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    send(group, signal)
}

/// Whether `group` is still the group whose leader, with that pid, started at `leader_started`; see
/// [`group_is_alive`].
fn group_is(group: u32, leader_started: u64) -> Option<bool> {
    match process(group) {
        ProcessState::Running { started } | ProcessState::Zombie { started } => Some(started == leader_started),
        ProcessState::Gone => {
            let members = group_members(group)?;
            let none_older = members.iter().all(|member| member.started >= leader_started);
            Some(!members.is_empty() && none_older)
        }
        ProcessState::Unknown => None,
    }
}

/// Stops the group that `leader_started` identifies (see [`group_is_alive`]): SIGTERM, up to `grace` for it to end,
/// then SIGKILL and up to 2 s. Blocks until no live member is left or that time is over.
///
/// Before each signal the group is identified anew. Our own group is not stopped from within.
pub fn stop_group(group: u32, leader_started: u64, grace: Duration) -> Stopped {
    if is_own(group) {
        return Stopped::NotProved;
    }
    match group_is_alive(group, leader_started) {
        Some(true) => {}
        Some(false) => return Stopped::NotThere,
        None => return Stopped::NotProved,
    }
    insist(group, leader_started, Signal::Terminate, grace)
        .or_else(|| insist(group, leader_started, Signal::Kill, KILL_PATIENCE))
        .unwrap_or(Stopped::NotProved)
}

const KILL_PATIENCE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);

/// Signals until the group is empty. `None`: `patience` is over and members are left.
fn insist(group: u32, leader_started: u64, signal: Signal, patience: Duration) -> Option<Stopped> {
    let until = monotonic_ms().saturating_add(i64::try_from(patience.as_millis()).unwrap_or(i64::MAX));
    let mut sent = false;
    loop {
        match group_is_alive(group, leader_started) {
            Some(true) => {}
            Some(false) => return Some(Stopped::Stopped),
            None => return Some(Stopped::NotProved),
        }
        // A kill is repeated, for a member may have forked while the signal went round.
        if !sent || signal == Signal::Kill {
            if send_and_wake(group, signal).is_err() {
                return Some(Stopped::NotProved);
            }
            sent = true;
        }
        let left = u64::try_from(until.saturating_sub(monotonic_ms())).unwrap_or(0);
        if left == 0 {
            return None;
        }
        std::thread::sleep(POLL.min(Duration::from_millis(left)));
    }
}

/// A suspended process acts on a signal only once it is resumed.
fn send_and_wake(group: u32, signal: Signal) -> io::Result<bool> {
    Ok(signal_group(group, signal)? && signal_group(group, Signal::Continue)?)
}

/// Whether `group` is still the group whose leader, with that pid, started at `leader_started` (clock ticks since
/// boot), and has a member that runs; a zombie does not. `None`: cannot tell.
///
/// A pid is not given out again while a group bears its number, so the leader settles the question, even as
/// a zombie. The leader gone, it is the same group if it has members and none is older than the leader was.
pub fn group_is_alive(group: u32, leader_started: u64) -> Option<bool> {
    if !group_is(group, leader_started)? {
        return Some(false);
    }
    Some(!group_members(group)?.is_empty())
}

#[cfg(unix)]
fn is_own(group: u32) -> bool {
    u32::try_from(rustix::process::getpgrp().as_raw_nonzero().get()) == Ok(group)
}

#[cfg(not(unix))]
fn is_own(_group: u32) -> bool {
    false
}

#[cfg(unix)]
fn send(group: u32, signal: Signal) -> io::Result<bool> {
    use rustix::io::Errno;
    use rustix::process::{Pid, Signal as Native, kill_process_group};
    let native = match signal {
        Signal::Interrupt => Native::INT,
        Signal::Terminate => Native::TERM,
        Signal::Hangup => Native::HUP,
        Signal::Quit => Native::QUIT,
        Signal::Kill => Native::KILL,
        Signal::Stop => Native::STOP,
        Signal::Continue => Native::CONT,
    };
    let target = i32::try_from(group).ok().and_then(Pid::from_raw);
    let target = target.ok_or(io::ErrorKind::InvalidInput)?;
    match kill_process_group(target, native) {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn send(_group: u32, _signal: Signal) -> io::Result<bool> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(all(test, target_os = "linux"))]
#[path = "group_tests.rs"]
mod tests;
