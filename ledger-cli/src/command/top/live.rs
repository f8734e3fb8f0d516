//! The loop of the live view: it sleeps until a key, a signal, a commit, or until what it shows has grown old.

use super::board::{Action, Board};
use super::keys::{Key, keys};
use super::screen::Screen;
use super::{frame, read};
use crate::args::author;
use crate::command::cancel;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::supervise::signals::{FOR_CALLER, Signals};
use bgledger_core::{CancelRequest, ErrorClass, Lookup, Millis, Request, Show, Span, TaskNumber, Watch, escape};
use bgledger_store::Ledger;
use bgledger_store::platform::{monotonic_ms, wall_ms};
use signal_hook::consts::{SIGCONT, SIGTSTP, SIGWINCH};
use signal_hook::low_level::emulate_default_handler;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

/// The shortest time between two looks at the ledger, however much is recorded.
const BUSY_MS: i64 = 100;
/// How old a frame gets while something is active, and while nothing is.
const ACTIVE_MS: i64 = 1_000;
const QUIET_MS: i64 = 10_000;
/// How long one question to the ledger waits for events.
const ROUND: Span = Span::from_secs(3_600);
/// How long after an error it is asked again.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Shows the board until the user has seen enough.
pub(super) fn run(
    context: &Context,
    ledger: &Ledger,
    board: Board,
    screen: Screen,
    limit: u32,
) -> Result<Exit, Failure> {
    let failed = |error| Failure::System { what: "the terminal cannot be used".to_owned(), error };
    let signals = Signals::listen(&[FOR_CALLER.as_slice(), &[SIGWINCH]].concat(), true).map_err(failed)?;
    let (tell, told) = mpsc::channel();
    let is_new = Arc::new(AtomicBool::new(false));
    follow(ledger.clone(), Arc::clone(&is_new), signals.waker().map_err(failed)?);
    let mut view = View {
        context,
        ledger,
        board,
        screen,
        signals,
        limit,
        tell,
        told,
        cancels: Vec::new(),
        out: context.out.clone(),
        half: Vec::new(),
        complains: false,
    };
    let shown = view.show(&is_new);
    // What follows is read on the terminal as it was.
    view.screen.leave();
    let cancels = std::mem::take(&mut view.cancels);
    if cancels.iter().any(|cancel| !cancel.is_finished()) {
        view.context.out.note("A cancel is still under way: waiting for it.");
    }
    for cancel in cancels {
        let _ = cancel.join();
    }
    shown.map(|()| Exit::Done)
}

struct View<'a> {
    context: &'a Context,
    ledger: &'a Ledger,
    board: Board,
    screen: Screen,
    signals: Signals,
    limit: u32,
    tell: Sender<String>,
    told: Receiver<String>,
    cancels: Vec<JoinHandle<()>>,
    out: Output,
    /// Bytes of a letter whose rest is still to come.
    half: Vec<u8>,
    /// Whether what is said is that something cannot be read.
    complains: bool,
}

impl View<'_> {
    fn show(&mut self, is_new: &AtomicBool) -> Result<(), Failure> {
        let failed = |error| Failure::System { what: "the terminal cannot be used".to_owned(), error };
        let mut read_at = monotonic_ms();
        let mut due = read_at;
        loop {
            if is_new.swap(false, Ordering::SeqCst) {
                due = due.min(read_at.saturating_add(BUSY_MS));
            }
            if let Some(said) = self.told.try_iter().last() {
                (self.board.said, self.complains) = (said, false);
                // What was said of a task is seen of it too.
                due = read_at;
            }
            let now = monotonic_ms();
            if now >= due {
                self.look();
                read_at = now;
                due = now.saturating_add(if self.board.snapshot.stats.active > 0 { ACTIVE_MS } else { QUIET_MS });
            }
            self.draw().map_err(failed)?;
            let left = u64::try_from(due.saturating_sub(monotonic_ms())).unwrap_or(0);
            let typed = self.signals.wait_or_read(self.screen.input(), Duration::from_millis(left)).map_err(failed)?;
            while let Some(signal) = self.signals.take() {
                self.heard(signal).map_err(failed)?;
            }
            if !self.screen.is_taken() {
                // A panic elsewhere gave it back.
                return Ok(());
            }
            if typed && !self.typed().map_err(failed)? {
                return Ok(());
            }
        }
    }

    /// Reads anew. What cannot be read now is said, and what was read before stays.
    fn look(&mut self) {
        match read(self.ledger, self.limit) {
            Ok(snapshot) => {
                self.board.load(snapshot);
                if std::mem::take(&mut self.complains) {
                    self.board.said.clear();
                }
            }
            Err(failure) => self.complain(&failure),
        }
        if let Some(number) = self.board.opened() {
            self.open(number);
        }
    }

    fn open(&mut self, number: TaskNumber) {
        match self.ledger.call(Show::from(Lookup::from(number))) {
            Ok(shown) => self.board.open = Some(shown.task),
            Err(error) if error.code().class() == ErrorClass::NotFound => self.board.open = None,
            Err(error) => self.complain(&error.into()),
        }
    }

    fn complain(&mut self, failure: &Failure) {
        let text = failure.text(false).unwrap_or_default();
        self.board.said = text.lines().next().unwrap_or_default().to_owned();
        self.complains = true;
    }

    fn draw(&mut self) -> io::Result<()> {
        let (columns, lines) = self.screen.size();
        self.out.width = Some(columns);
        self.out.now = Millis::clamped(wall_ms());
        self.screen.draw(frame::screen(&mut self.board, &self.out, usize::from(lines)))
    }

    fn heard(&mut self, signal: i32) -> io::Result<()> {
        match signal {
            SIGWINCH => self.screen.forget(),
            SIGCONT => self.screen.enter()?,
            SIGTSTP => self.suspend()?,
            deadly => {
                self.screen.leave();
                emulate_default_handler(deadly)?;
            }
        }
        Ok(())
    }

    /// Stops us, the terminal as it was, until we are told to go on.
    fn suspend(&mut self) -> io::Result<()> {
        self.screen.leave();
        emulate_default_handler(SIGTSTP)?;
        self.screen.enter()
    }

    /// Does what the keys say. Whether to go on.
    fn typed(&mut self) -> io::Result<bool> {
        let read = self.screen.read()?;
        if read.is_empty() {
            return Ok(false);
        }
        let bytes = [std::mem::take(&mut self.half), read].concat();
        let (keys, half) = keys(&bytes);
        self.half = half;
        for key in keys {
            if !self.key(key)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn key(&mut self, key: Key) -> io::Result<bool> {
        match self.board.key(key) {
            Action::Stay => {}
            Action::Quit => return Ok(false),
            Action::Redraw => self.screen.forget(),
            Action::Suspend => self.suspend()?,
            Action::Open(number) => self.open(number),
            Action::Cancel(number) => match self.context.recording() {
                Ok(ledger) => {
                    let (tell, mut waker) = (self.tell.clone(), self.signals.waker()?);
                    self.cancels.push(std::thread::spawn(move || {
                        // With nobody there to hear it, nothing more is to be done.
                        let _ = tell.send(cancelled(&ledger, number));
                        let _ = waker.write_all(&[0]);
                    }));
                }
                Err(failure) => {
                    self.complain(&failure);
                    self.complains = false;
                }
            },
        }
        Ok(true)
    }
}

/// Cancels a task, and says what came of it. It may take as long as the task's group has to stop.
fn cancelled(ledger: &Ledger, number: TaskNumber) -> String {
    let request = CancelRequest { lookup: number.into(), by: author(None), why: None };
    match ledger.call(request) {
        Ok(reply) => {
            let answer = cancel::answer(reply.cancel);
            let hooks = reply.hooks.iter().map(|hook| escape(&cancel::hook(hook)).to_string());
            let said: Vec<String> =
                [answer.to_owned()].into_iter().filter(|answer| !answer.is_empty()).chain(hooks).collect();
            let said = if said.is_empty() { String::new() } else { format!(" ({})", said.join("; ")) };
            format!("{number} {}{said}", reply.task.task.status.as_str())
        }
        Err(error) => format!("{number}: {}", escape(&error.to_string())),
    }
}

/// Wakes the view whenever something is recorded, for as long as it is there.
fn follow(ledger: Ledger, is_new: Arc<AtomicBool>, mut waker: UnixStream) {
    std::thread::spawn(move || {
        let mut after = None;
        loop {
            // The first question is where the ledger ends; what comes after it is news.
            let timeout = after.map(|_| ROUND);
            let watch = Watch { lookup: None, after, limit: None, timeout };
            match ledger.request_while(Request::Watch(watch), &|| true) {
                Ok(bgledger_core::Response::Watch(events)) => {
                    let is_news = after.is_some_and(|after| after != events.next);
                    after = Some(events.next);
                    if !is_news {
                        continue;
                    }
                }
                Ok(_) | Err(_) => std::thread::sleep(AFTER_ERROR),
            }
            is_new.store(true, Ordering::SeqCst);
            // A full pipe wakes as well as one more byte would; a broken one says that the view is gone.
            if let Err(error) = waker.write_all(&[0])
                && error.kind() != io::ErrorKind::WouldBlock
            {
                return;
            }
        }
    });
}
