//! Running a command where there is no Unix: with the standard library alone.
//!
//! What is missing, honestly: no process group, so a stop ends the command itself and not its children; no
//! grace, since nothing can be asked politely; no gate, so there is no pid before `go`; no signals to hear
//! or to forward, and so no job control.

use super::tail::Tail;
use super::{Event, Finished, NotStarted, Output, Plan, Status, command, milliseconds};
use bgledger_store::platform::monotonic_ms;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const POLL_MS: i64 = 20;
/// How long the last output may take after the command's end; a grandchild may hold the pipe for ever.
const LAST_READ_MS: i64 = 200;

/// Hears nothing.
pub struct Ears(());

impl Ears {
    /// There is nothing to hear.
    pub fn open() -> io::Result<Ears> {
        Ok(Ears(()))
    }

    /// Nothing.
    pub fn heard(&self) -> Option<i32> {
        None
    }
}

/// A command that has not been started.
pub struct Gated {
    plan: Plan,
}

/// Prepares `plan.command`. Nothing is started before [`Gated::go`].
///
/// Errors: `InvalidInput` for an empty command.
pub fn gate(plan: &Plan) -> io::Result<Gated> {
    command(plan)?;
    Ok(Gated { plan: plan.clone() })
}

impl Gated {
    /// `None`: there are no process groups here.
    pub fn group(&self) -> Option<u32> {
        None
    }

    /// Starts the command.
    pub fn go(self) -> Result<Running, NotStarted> {
        let mut command = command(&self.plan)?;
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let tail = Arc::new(Mutex::new(Tail::new(self.plan.tail_limit)));
        let streams = (child.stdout.take(), child.stderr.take());
        let pumps = start_pumps(streams, &tail);
        let tick_ms = milliseconds(self.plan.tick).max(1);
        Ok(Running { child, tail, pumps, tick_ms, next_tick: monotonic_ms().saturating_add(tick_ms) })
    }

    /// Gives up; nothing was started.
    pub fn refuse(self) {}
}

/// A command that runs.
pub struct Running {
    child: Child,
    tail: Arc<Mutex<Tail>>,
    pumps: Vec<JoinHandle<()>>,
    tick_ms: i64,
    next_tick: i64,
}

impl Running {
    /// `None`: there are no process groups here.
    pub fn group(&self) -> Option<u32> {
        None
    }

    /// Sleeps until the next event, which is never a signal.
    pub fn next_event(&mut self) -> io::Result<Event> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Event::Exited(Status::Code(status.code().unwrap_or(1))));
            }
            let now = monotonic_ms();
            if now >= self.next_tick {
                self.next_tick = now.saturating_add(self.tick_ms);
                return Ok(Event::Tick);
            }
            nap(POLL_MS.min(self.next_tick.saturating_sub(now)));
        }
    }

    /// Errors: always `Unsupported`.
    pub fn forward(&self, _signal: i32) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    /// Ends the command at once, and only it.
    pub fn stop(&mut self, _grace: Duration) {
        let _ = self.child.kill();
    }

    /// Ends the run after [`Event::Exited`].
    pub fn finish(mut self) -> Finished {
        let _ = self.child.wait();
        let until = monotonic_ms().saturating_add(LAST_READ_MS);
        while self.pumps.iter().any(|pump| !pump.is_finished()) && monotonic_ms() < until {
            nap(1);
        }
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let output: Output = std::mem::replace(&mut *tail, Tail::new(0)).into_output();
        Finished { output, delivery: Delivery(()) }
    }
}

/// Nothing is left on its way here.
#[derive(Debug)]
pub struct Delivery(());

impl Delivery {
    /// Returns at once.
    pub fn wait(self) -> Option<i32> {
        None
    }
}

fn start_pumps(
    (stdout, stderr): (Option<ChildStdout>, Option<ChildStderr>),
    tail: &Arc<Mutex<Tail>>,
) -> Vec<JoinHandle<()>> {
    let (for_stdout, for_stderr) = (Arc::clone(tail), Arc::clone(tail));
    let stdout = stdout.map(|from| thread::spawn(move || pump(from, io::stdout(), &for_stdout)));
    let stderr = stderr.map(|from| thread::spawn(move || pump(from, io::stderr(), &for_stderr)));
    stdout.into_iter().chain(stderr).collect()
}

/// Reads on when its destination is gone: the command must not notice.
fn pump(mut from: impl Read, mut to: impl Write, tail: &Mutex<Tail>) {
    let mut buffer = vec![0_u8; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let bytes = buffer.get(..count).unwrap_or_default();
        tail.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        let _ = to.write_all(bytes).and_then(|()| to.flush());
    }
}

fn nap(ms: i64) {
    thread::sleep(Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
}
