//! A command that is given the notice on its stdin and says by its exit code whether it was delivered.

use super::{Delivered, Parcel, Sink};
use bgledger_store::platform::{Signal, monotonic_ms, signal_group};
use std::io::Write;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// The exit codes by which a shell says that it could not execute anything.
const NOT_EXECUTED: [i32; 2] = [126, 127];

/// A command line for `sh`.
#[derive(Debug)]
pub(crate) struct Exec {
    pub(crate) command: String,
}

impl Sink for Exec {
    fn deliver(&self, parcel: Parcel<'_>, within: Duration) -> Delivered {
        let mut shell = Command::new("sh");
        // What the command prints is for people: our own stdout is for what became of the notices.
        shell.args(["-c", &self.command]).env("BGLEDGER_NOTICE_KEY", parcel.key).stdin(Stdio::piped());
        shell.stdout(std::io::stderr());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let mut child = match shell.spawn() {
            Ok(child) => child,
            Err(error) => return Delivered::Broken(format!("sh cannot be started: {error}")),
        };
        if let Some(mut stdin) = child.stdin.take() {
            let body = parcel.body.to_owned();
            // A command that does not read must not keep us; one that reads no more closes the pipe.
            thread::spawn(move || stdin.write_all(body.as_bytes()).and_then(|()| stdin.write_all(b"\n")));
        }
        match ended(&mut child, within) {
            Ok(Some(status)) => verdict(status),
            Ok(None) => {
                let _ = signal_group(child.id(), Signal::Kill);
                let _ = child.kill().and_then(|()| child.wait());
                Delivered::Refused(format!("the command took more than {} s", within.as_secs()))
            }
            Err(error) => Delivered::Refused(format!("the command was lost sight of: {error}")),
        }
    }
}

/// How it ended; `None`: the time is over and it has not.
fn ended(child: &mut Child, within: Duration) -> std::io::Result<Option<ExitStatus>> {
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

fn verdict(status: ExitStatus) -> Delivered {
    match status.code() {
        Some(0) => Delivered::Yes,
        Some(code) if NOT_EXECUTED.contains(&code) => {
            Delivered::Broken(format!("the command cannot be executed (exit code {code})"))
        }
        Some(code) => Delivered::Refused(format!("exit code {code}")),
        None => Delivered::Refused("the command was ended by a signal".into()),
    }
}
