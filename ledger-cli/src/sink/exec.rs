//! A command that is given the notice on its stdin and says by its exit code whether it was delivered.

use super::{Delivered, Parcel, Sink};
use bgledger_store::platform::{Fed, feed};
use std::io::stderr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

/// The exit codes by which a shell says that it could not execute anything.
const NOT_EXECUTED: [i32; 2] = [126, 127];

/// A command line for `sh`.
#[derive(Debug)]
pub(crate) struct Exec {
    pub(crate) command: String,
}

impl Sink for Exec {
    fn deliver(&self, parcel: Parcel<'_>, within: Duration) -> Delivered {
        let environment = [("BGLEDGER_NOTICE_KEY", parcel.key)];
        // What the command prints is for people: our own stdout is for what became of the notices.
        let stdout = Stdio::from(stderr());
        match feed(&self.command, parcel.body, &environment, stdout, Stdio::inherit(), within) {
            Ok(Fed::Ended(status)) => verdict(status),
            Ok(Fed::TooSlow) => Delivered::Refused(format!("the command took more than {} s", within.as_secs())),
            Err(error) => Delivered::Broken(format!("the command cannot be run: {error}")),
        }
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
