//! Forks the command and holds it back until its caller has recorded it.

use super::pump::{CommandEnds, Destinations, Pump};
use super::running::Running;
use super::signals::{self, Signals};
use super::terminal::Terminal;
use super::{NotStarted, Plan, command};
use rustix::io::Errno;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const GO: u8 = b'y';
const NO: u8 = b'n';

/// A command that has a process and a process group, and has not been executed. Dropped, or should this
/// process die, it never will be.
pub struct Gated {
    group: rustix::process::Pid,
    gate: PipeWriter,
    spawner: JoinHandle<io::Result<Child>>,
    signals: Signals,
    pump: Pump,
    terminal: Option<Terminal>,
    tick: Duration,
}

/// Forks `plan.command` into a process group of its own, up to the point of executing it, and begins to hear
/// signals.
///
/// Errors: whatever the system refuses (processes, descriptors, threads); `InvalidInput` for an empty command
/// or a NUL in it. Whether the program exists shows only in [`Gated::go`].
pub fn gate(plan: &Plan) -> io::Result<Gated> {
    let surroundings = Surroundings {
        destinations: Destinations::standard()?,
        terminal: Terminal::open(),
        hear: &signals::FOR_CALLER,
    };
    gate_into(plan, surroundings)
}

/// What a run takes from its process.
pub(super) struct Surroundings {
    pub(super) destinations: Destinations,
    pub(super) terminal: Option<Terminal>,
    /// The signals to tell the caller of.
    pub(super) hear: &'static [i32],
}

/// As `gate`, with the surroundings as an argument.
pub(super) fn gate_into(plan: &Plan, surroundings: Surroundings) -> io::Result<Gated> {
    let Surroundings { destinations, terminal, hear } = surroundings;
    let mut command = command(plan)?;
    let signals = Signals::listen(hear, terminal.is_some())?;
    let (pump, ends) = Pump::start(destinations, plan.tail_limit, &signals)?;
    let CommandEnds { stdout, stderr } = ends;
    command.stdout(stdout).stderr(stderr).process_group(0);
    let (report, gate) = hold_at_gate(&mut command)?;
    // The standard library's spawn returns only after exec, that is, after the gate: hence the thread.
    let spawner = thread::Builder::new().name("gate".to_owned()).spawn(move || command.spawn())?;
    match read_pid(report) {
        Some(group) => Ok(Gated { group, gate, spawner, signals, pump, terminal, tick: plan.tick }),
        None => Err(spawn_error(join(spawner))),
    }
}

impl Gated {
    /// The pid of the waiting process, which is also the number of its process group. `None` never comes on
    /// Unix; elsewhere there is neither before `go`.
    pub fn group(&self) -> Option<u32> {
        u32::try_from(self.group.as_raw_nonzero().get()).ok()
    }

    /// Lets the command be executed, with the terminal if we have it for ourselves.
    pub fn go(mut self) -> Result<Running, NotStarted> {
        if let Some(terminal) = &mut self.terminal
            && terminal.is_ours_alone()
        {
            terminal.lend(self.group);
        }
        // Should the child have been killed meanwhile, that is its end, to be reported like any other.
        let _ = self.gate.write_all(&[GO]);
        join(self.spawner)?;
        Ok(Running::new(self.group, self.signals, self.pump, self.terminal, self.tick))
    }

    /// Ends the waiting process; nothing is executed. Returns when it is gone.
    pub fn refuse(mut self) {
        // Not only by closing the gate: a child forked meanwhile may hold a copy of it.
        let _ = self.gate.write_all(&[NO]);
        if let Ok(mut child) = join(self.spawner) {
            let _ = child.wait();
        }
    }
}

/// Makes the child report its pid on one pipe and wait for a byte on another.
fn hold_at_gate(command: &mut Command) -> io::Result<(PipeReader, PipeWriter)> {
    let (report, report_writer) = io::pipe()?;
    let (gate, gate_writer) = io::pipe()?;
    let other_end = gate_writer.as_raw_fd();
    let wait = move || wait_at_gate(report_writer.as_fd(), gate.as_fd(), other_end);
    // SAFETY: wait_at_gate makes only async-signal-safe system calls and neither allocates nor locks.
    unsafe { command.pre_exec(wait) };
    Ok((report, gate_writer))
}

/// Runs in the child, between fork and exec.
fn wait_at_gate(report: BorrowedFd<'_>, gate: BorrowedFd<'_>, other_end: RawFd) -> io::Result<()> {
    signals::stop_hearing();
    // Our copy of the caller's end would keep the gate from ever closing.
    // SAFETY: in the child nothing else uses this descriptor, and exec or exit follow.
    unsafe { rustix::io::close(other_end) };
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    rustix::io::write(report, &pid.to_ne_bytes())?;
    let mut answer = [0_u8];
    loop {
        match rustix::io::read(gate, &mut answer) {
            Ok(_) if answer == [GO] => return Ok(()),
            Ok(_) => return Err(Errno::CANCELED.into()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// `None`: the pipe closed, for there is no child.
fn read_pid(mut report: PipeReader) -> Option<rustix::process::Pid> {
    let mut bytes = [0_u8; size_of::<i32>()];
    report.read_exact(&mut bytes).ok()?;
    rustix::process::Pid::from_raw(i32::from_ne_bytes(bytes))
}

fn join(spawner: JoinHandle<io::Result<Child>>) -> io::Result<Child> {
    spawner.join().unwrap_or_else(|_| Err(io::Error::other("the spawning thread failed")))
}

fn spawn_error(result: io::Result<Child>) -> io::Error {
    match result {
        Err(error) => error,
        Ok(mut child) => {
            let _ = child.kill().and_then(|()| child.wait());
            io::Error::other("the child did not report its pid")
        }
    }
}
