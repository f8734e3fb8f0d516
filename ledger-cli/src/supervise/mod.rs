//! Runs one command in a process group of its own. Knows nothing of the ledger.
//!
//! ```text
//! gate(plan)    the child is forked, has its group, and waits: nothing is executed yet
//!   .refuse()   it ends without having executed anything
//!   .go()       it executes; Running hands out events until Event::Exited
//!     .finish() gives the tail of the output, and what is still on its way to our own streams
//! ```
//!
//! The command inherits stdin; its stdout and stderr pass through us as they arrive. The run ends when the
//! command ends: a grandchild that holds its pipes is left alone, and from then on finds them closed.
//! Outside Unix there are no groups, gates or signals: see `fallback.rs` for what is left.

mod tail;

#[cfg(unix)]
mod gate;
#[cfg(unix)]
mod pump;
#[cfg(unix)]
mod running;
#[cfg(unix)]
pub(crate) mod signals;
#[cfg(unix)]
mod terminal;

#[cfg(not(unix))]
mod fallback;

#[cfg(all(test, unix))]
mod tests;

#[cfg(not(unix))]
pub use fallback::{Delivery, Ears, Gated, Running, gate};
#[cfg(unix)]
pub use gate::{Gated, gate};
#[cfg(unix)]
pub use pump::Delivery;
#[cfg(unix)]
pub use running::Running;
#[cfg(unix)]
pub use signals::Ears;
pub use tail::Output;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::time::Duration;

/// What to run, and how closely to watch it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The program, searched in `PATH`, and its arguments.
    pub command: Vec<OsString>,
    /// Variables added to our own environment.
    pub environment: Vec<(OsString, OsString)>,
    /// How many of the last bytes of output to keep.
    pub tail_limit: usize,
    /// How often [`Event::Tick`] comes; at least a millisecond apart.
    pub tick: Duration,
}

/// What happened while the command ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// We were sent SIGINT, SIGTERM, SIGHUP or SIGQUIT, by number. The command was not: see `forward`.
    Signal(i32),
    /// The command ended and, where a stop was asked for, so did its group (or two seconds passed after
    /// SIGKILL). The last event.
    Exited(Status),
    /// The plan's interval has passed.
    Tick,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Status {
    /// The exit code by which a shell reports it: the code itself, or 128 + the signal's number.
    pub fn exit_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128_i32.saturating_add(signal),
        }
    }
}

/// Why nothing was executed after `go`.
#[derive(Debug)]
pub enum NotStarted {
    /// There is no such program.
    NotFound(io::Error),
    /// There is one, but it cannot be executed.
    NotExecutable(io::Error),
}

impl NotStarted {
    /// The exit code by which a shell reports it: 127 or 126.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::NotFound(_) => 127,
            Self::NotExecutable(_) => 126,
        }
    }
}

impl From<io::Error> for NotStarted {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::NotFound(error) } else { Self::NotExecutable(error) }
    }
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(_) => f.write_str("command not found"),
            Self::NotExecutable(error) => write!(f, "command cannot be executed: {error}"),
        }
    }
}

impl std::error::Error for NotStarted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotFound(error) | Self::NotExecutable(error) => Some(error),
        }
    }
}

/// What is left of a run after its end.
#[derive(Debug)]
pub struct Finished {
    /// The output's tail and size, complete up to the command's end.
    pub output: Output,
    /// Output that our own readers have not taken yet: wait for it before exiting, or it is cut off.
    pub delivery: Delivery,
}

/// The program and its arguments, output to be connected by the caller.
fn command(plan: &Plan) -> io::Result<std::process::Command> {
    let (program, arguments) = plan.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = std::process::Command::new(program);
    command.args(arguments).envs(plan.environment.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

/// A duration in whole milliseconds, for ever where it does not fit.
fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
