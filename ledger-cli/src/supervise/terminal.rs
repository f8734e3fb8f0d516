//! Job control: which process group the terminal listens to.
//!
//! The command has a group of its own, so it can read the terminal, and feel its keys, only while the
//! terminal is lent to that group. We lend it when we hold it ourselves and take it back when we need it.

use super::signals;
use rustix::process::Pid;
use rustix::termios::{isatty, tcgetpgrp, tcsetpgrp};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

/// Our controlling terminal.
pub(super) struct Terminal {
    tty: File,
    own: Pid,
    borrower: Option<Pid>,
}

impl Terminal {
    /// `None`: there is none.
    pub(super) fn open() -> Option<Self> {
        let tty = File::options().read(true).write(true).open("/dev/tty").ok()?;
        Some(Self { tty, own: rustix::process::getpgrp(), borrower: None })
    }

    /// Whether the command should have the terminal from the start: we alone are the shell's job in front.
    ///
    /// In a pipeline or a script the others of our group need the terminal and its Ctrl-C too; then the
    /// command gets it only when it asks, by being stopped for reading it.
    pub(super) fn is_ours_alone(&self) -> bool {
        let piped = |stream: rustix::fd::BorrowedFd<'_>| {
            rustix::fs::fstat(stream).is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_fifo())
        };
        isatty(io::stdin().as_fd()) && !piped(io::stdout().as_fd()) && rustix::process::getpid() == self.own
    }

    /// Gives the terminal to `group` if we have it. Whether that is so.
    pub(super) fn lend(&mut self, group: Pid) -> bool {
        let lent = tcgetpgrp(&self.tty) == Ok(self.own) && self.give(group);
        if lent {
            self.borrower = Some(group);
        }
        lent
    }

    /// As `lend`, to the group that has had it before, if any.
    pub(super) fn lend_again(&mut self) {
        if let Some(group) = self.borrower {
            self.lend(group);
        }
    }

    /// Whether the group we lent it to has it now.
    pub(super) fn is_lent(&self) -> bool {
        self.borrower.is_some_and(|group| tcgetpgrp(&self.tty) == Ok(group))
    }

    /// Takes the terminal back from the group we lent it to, and from nobody else.
    pub(super) fn take_back(&self) {
        if self.is_lent() {
            self.give(self.own);
        }
    }

    fn give(&self, group: Pid) -> bool {
        // A group behind the scenes that changes the terminal is stopped by SIGTTOU unless it blocks it.
        signals::without(signal_hook::consts::SIGTTOU, || tcsetpgrp(&self.tty, group)).is_ok()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.take_back();
    }
}
