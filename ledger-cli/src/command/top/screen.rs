//! The terminal while we have it: raw, on its other screen, and given back as it was whatever happens.

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, Once, PoisonError};

/// The other screen, no cursor, long lines cut.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
const LEAVE: &str = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
/// Everything between these is shown at once by terminals that can.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";

/// What to give back: the terminal, and how it was. Here for the panic hook's sake.
static TAKEN: Mutex<Option<(File, Termios)>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// A terminal that we draw on.
pub(super) struct Screen {
    tty: File,
    shown: Vec<String>,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// Errors: there is none.
    pub(super) fn take() -> io::Result<Screen> {
        let tty = File::options().read(true).write(true).open("/dev/tty")?;
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        let mut screen = Screen { tty, shown: Vec::new() };
        screen.enter()?;
        Ok(screen)
    }

    /// Takes it again: after it was given back, or after somebody else had it.
    pub(super) fn enter(&mut self) -> io::Result<()> {
        let mut raw = tcgetattr(&self.tty)?;
        {
            let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
            if taken.is_none() {
                *taken = Some((self.tty.try_clone()?, raw.clone()));
            }
        }
        raw.make_raw();
        tcsetattr(&self.tty, OptionalActions::Now, &raw)?;
        self.shown.clear();
        self.tty.write_all(ENTER.as_bytes())
    }

    /// Gives it back as it was.
    pub(super) fn leave(&self) {
        give_back();
    }

    /// Whether we have it: a panic elsewhere may have given it back.
    pub(super) fn is_taken(&self) -> bool {
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What keys are read from.
    pub(super) fn input(&self) -> BorrowedFd<'_> {
        self.tty.as_fd()
    }

    /// The bytes that were typed; none if the terminal is gone.
    pub(super) fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = [0_u8; 1024];
        let count = self.tty.read(&mut bytes)?;
        Ok(bytes.get(..count).unwrap_or_default().to_vec())
    }

    /// Columns and lines.
    pub(super) fn size(&self) -> (u16, u16) {
        let size = tcgetwinsize(&self.tty).map(|size| (size.ws_col, size.ws_row));
        size.ok().filter(|(columns, lines)| *columns > 0 && *lines > 0).unwrap_or((80, 24))
    }

    /// Forgets what is shown, so that all of it is drawn again.
    pub(super) fn forget(&mut self) {
        self.shown.clear();
    }

    /// Shows a frame, writing no more than what differs from the one before.
    pub(super) fn draw(&mut self, frame: Vec<String>) -> io::Result<()> {
        let mut text = String::new();
        if frame.len() != self.shown.len() {
            // Cleared before anything is drawn: below its last line a terminal has none, and would clear that one.
            text.push_str("\x1b[0m\x1b[H\x1b[J");
            self.shown.clear();
        }
        for (place, line) in frame.iter().enumerate() {
            if self.shown.get(place) != Some(line) {
                // Cleared first: after a line that fills its row, clearing would take its last letter.
                text.push_str(&format!("\x1b[{};1H\x1b[0m\x1b[2K{line}\x1b[0m", place + 1));
            }
        }
        self.shown = frame;
        match text.is_empty() {
            true => Ok(()),
            false => self.tty.write_all(format!("{BEGIN}{text}{END}").as_bytes()),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Gives the terminal back, if it is taken. A terminal that is gone needs nothing.
fn give_back() {
    let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((mut tty, before)) = taken {
        let _ = tty.write_all(LEAVE.as_bytes());
        let _ = tcsetattr(&tty, OptionalActions::Now, &before);
    }
}
