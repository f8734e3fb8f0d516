//! A command that is given a text: run by a shell, watched, and ended with all that it started when it takes too long.

use super::clock::monotonic_ms;
use super::group::{Signal, signal_group};
use std::io::{self, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How a command took what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fed {
    /// It ended.
    Ended(ExitStatus),
    /// It did not end in time, and was killed.
    TooSlow,
}

/// Runs a command line by `sh` in a process group of its own, with a text and a line end on its stdin.
///
/// Errors: there is no shell, or the system cannot start or watch it.
pub fn feed(
    command: &str,
    text: &str,
    environment: &[(&str, &str)],
    stdout: Stdio,
    stderr: Stdio,
    within: Duration,
) -> io::Result<Fed> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).envs(environment.iter().copied());
    shell.stdin(Stdio::piped()).stdout(stdout).stderr(stderr);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    let mut child = shell.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        let text = text.to_owned();
        // A command that does not read must not keep us; one that reads no more closes the pipe.
        thread::spawn(move || stdin.write_all(text.as_bytes()).and_then(|()| stdin.write_all(b"\n")));
    }
    match ended(&mut child, within)? {
        Some(status) => Ok(Fed::Ended(status)),
        None => {
            // The group may be gone by now; the child is not, for nobody has collected it.
            let _ = signal_group(child.id(), Signal::Kill);
            let _ = child.kill();
            child.wait().map(|_| Fed::TooSlow)
        }
    }
}

/// How it ended; `None`: the time is over and it has not.
fn ended(child: &mut Child, within: Duration) -> io::Result<Option<ExitStatus>> {
    let until = monotonic_ms().saturating_add(i64::try_from(within.as_millis()).unwrap_or(i64::MAX));
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if monotonic_ms() >= until {
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}
