//! Watches the running command: its end, our signals, the clock, the terminal.

use super::pump::Pump;
use super::signals::{self, Signals};
use super::terminal::Terminal;
use super::{Event, Finished, Status, milliseconds};
use bgledger_store::platform::{group_members, monotonic_ms};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid};
use signal_hook::consts::{SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU};
use std::io;
use std::time::Duration;

/// A command that is being executed. Dropped, it lets it run on unwatched.
///
/// Until [`Running::finish`] the command's process is not reaped, so its pid and its group's number cannot
/// come to mean anybody else.
pub struct Running {
    group: Pid,
    signals: Signals,
    pump: Pump,
    terminal: Option<Terminal>,
    tick_ms: i64,
    next_tick: i64,
    exited: Option<Status>,
    stopping: Stopping,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopping {
    /// Nobody asked.
    No,
    /// SIGTERM is sent; SIGKILL is due at `kill_at`.
    Asked { kill_at: i64 },
    /// SIGKILL is sent; members still seen at `give_up_at` are not waited for.
    Killed { give_up_at: i64 },
}

const KILL_PATIENCE_MS: i64 = 2_000;
/// How often the group is looked at while it is being stopped.
const STOP_POLL_MS: i64 = 20;

impl Running {
    pub(super) fn new(group: Pid, signals: Signals, pump: Pump, terminal: Option<Terminal>, tick: Duration) -> Self {
        let tick_ms = milliseconds(tick).max(1);
        Self {
            group,
            signals,
            pump,
            terminal,
            tick_ms,
            next_tick: monotonic_ms().saturating_add(tick_ms),
            exited: None,
            stopping: Stopping::No,
        }
    }

    /// The command's pid and process group; `None` never comes on Unix.
    pub fn group(&self) -> Option<u32> {
        u32::try_from(self.group.as_raw_nonzero().get()).ok()
    }

    /// Sleeps until the next event. After [`Event::Exited`] it gives the same again.
    ///
    /// Errors: somebody else reaped our child, or the system cannot wait.
    pub fn next_event(&mut self) -> io::Result<Event> {
        loop {
            while let Some(signal) = self.signals.take() {
                match signal {
                    SIGTSTP => self.suspend_with_group(),
                    SIGCONT => self.resume(),
                    _ => return Ok(Event::Signal(signal)),
                }
            }
            self.observe()?;
            let now = monotonic_ms();
            let stopped = self.press(now);
            if let Some(status) = self.exited.filter(|_| stopped) {
                return Ok(Event::Exited(status));
            }
            if now >= self.next_tick {
                self.next_tick = now.saturating_add(self.tick_ms);
                return Ok(Event::Tick);
            }
            self.signals.wait(self.time_to_sleep(now))?;
        }
    }

    /// Sends a signal, by number, to the command's group; nothing if it is gone.
    ///
    /// Errors: `InvalidInput` for a number that is no signal; `PermissionDenied`.
    pub fn forward(&self, signal: i32) -> io::Result<()> {
        let signal = Signal::from_named_raw(signal).ok_or(io::ErrorKind::InvalidInput)?;
        self.send(signal)?;
        if signal == Signal::TERM || signal == Signal::HUP {
            // A suspended process would not hear that it should end.
            self.send(Signal::CONT)?;
        }
        Ok(())
    }

    /// Begins to stop the whole group: SIGTERM now, SIGKILL to whoever is left after `grace`. Returns at once;
    /// `next_event` carries it on. Asked again, it can only shorten the grace.
    pub fn stop(&mut self, grace: Duration) {
        let kill_at = monotonic_ms().saturating_add(milliseconds(grace));
        match self.stopping {
            Stopping::No => {
                let _ = self.send(Signal::TERM).and_then(|()| self.send(Signal::CONT));
                self.stopping = Stopping::Asked { kill_at };
            }
            Stopping::Asked { kill_at: earlier } => {
                self.stopping = Stopping::Asked { kill_at: kill_at.min(earlier) };
            }
            Stopping::Killed { .. } => {}
        }
    }

    /// Ends the run after [`Event::Exited`]: reaps the command (called earlier, it waits for its end), takes the
    /// terminal back, and reads the output that is there at this moment.
    pub fn finish(self) -> Finished {
        let reap = || waitid(WaitId::Pid(self.group), WaitIdOptions::EXITED);
        while matches!(reap(), Err(Errno::INTR)) {}
        drop(self.terminal);
        let (output, delivery) = self.pump.finish(self.signals);
        Finished { output, delivery }
    }

    /// Learns whether the command has ended or was stopped by job control.
    fn observe(&mut self) -> io::Result<()> {
        if self.exited.is_some() {
            return Ok(());
        }
        // One question for both: asked for stops alone, a child that just ended counts as no child.
        let either = WaitIdOptions::EXITED | WaitIdOptions::STOPPED;
        let Some(change) = self.look(either | WaitIdOptions::NOWAIT)? else {
            return Ok(());
        };
        self.exited = status_of(&change);
        if self.exited.is_some() {
            self.take_terminal_back();
        } else if let Some(signal) = change.stopping_signal() {
            // Told once, a stop is not told again. The error is that of a child that ended meanwhile.
            let _ = self.look(WaitIdOptions::STOPPED);
            self.follow_stop(signal);
        }
        Ok(())
    }

    fn look(&self, what: WaitIdOptions) -> io::Result<Option<WaitIdStatus>> {
        Ok(waitid(WaitId::Pid(self.group), what | WaitIdOptions::NOHANG)?)
    }

    /// Carries a stop on. Whether nothing keeps the run from ending.
    fn press(&mut self, now: i64) -> bool {
        match self.stopping {
            Stopping::No => true,
            Stopping::Asked { .. } | Stopping::Killed { .. } if self.exited.is_some() && self.is_group_empty() => true,
            Stopping::Asked { kill_at } => {
                if now >= kill_at {
                    let _ = self.send(Signal::KILL);
                    let give_up_at = now.saturating_add(KILL_PATIENCE_MS);
                    self.stopping = Stopping::Killed { give_up_at };
                }
                false
            }
            Stopping::Killed { give_up_at } => {
                // A member may have forked while the first signal went round.
                let _ = self.send(Signal::KILL);
                now >= give_up_at
            }
        }
    }

    /// Where members cannot be seen, those that SIGKILL was sent to count as gone.
    fn is_group_empty(&self) -> bool {
        match self.group().and_then(group_members) {
            Some(members) => members.is_empty(),
            None => matches!(self.stopping, Stopping::Killed { .. }),
        }
    }

    fn time_to_sleep(&self, now: i64) -> Duration {
        let until = match self.stopping {
            Stopping::No => self.next_tick,
            Stopping::Asked { kill_at } if self.exited.is_none() => self.next_tick.min(kill_at),
            Stopping::Asked { .. } | Stopping::Killed { .. } => now.saturating_add(STOP_POLL_MS),
        };
        let left = until.min(self.next_tick).saturating_sub(now);
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }

    /// The command was stopped by `signal`. Wanting the terminal it gets it, if it is ours to give; else we
    /// stop too, so that the shell sees a stopped job.
    fn follow_stop(&mut self, signal: i32) {
        let Some(terminal) = &mut self.terminal else {
            return;
        };
        let wants_terminal = signal == SIGTTIN || signal == SIGTTOU;
        if wants_terminal && terminal.lend(self.group) {
            let _ = self.send(Signal::CONT);
        } else if wants_terminal || terminal.is_lent() {
            self.suspend();
        }
    }

    /// Ctrl-Z reached our group and not the command's.
    fn suspend_with_group(&mut self) {
        let _ = self.send(Signal::TSTP);
        self.suspend();
    }

    fn suspend(&mut self) {
        self.take_terminal_back();
        signals::suspend_own_group();
        self.resume();
    }

    fn take_terminal_back(&self) {
        if let Some(terminal) = &self.terminal {
            terminal.take_back();
        }
    }

    fn resume(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.lend_again();
        }
        let _ = self.send(Signal::CONT);
    }

    fn send(&self, signal: Signal) -> io::Result<()> {
        match kill_process_group(self.group, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn status_of(status: &WaitIdStatus) -> Option<Status> {
    let code = status.exit_status().map(Status::Code);
    code.or_else(|| status.terminating_signal().map(Status::Signal))
}
