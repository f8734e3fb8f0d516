//! Carries the command's output to our own streams and keeps its tail.
//!
//! One thread reads, so that the order of arrival is known; one thread per destination writes, so that a
//! reader of ours who pauses delays neither the other stream nor the command's end.

use super::signals::{self, Signals};
use super::tail::{Output, Tail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use signal_hook::consts::SIGTSTP;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// While this much waits for a destination, its stream is not read: the command feels it as a full pipe.
const BACKLOG: usize = 256 * 1024;
/// At the end at most this much is read from each pipe, more than a pipe holds: a grandchild may go on for ever.
const LAST_READ: usize = 1024 * 1024;

/// Where the output goes.
pub(super) struct Destinations {
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

impl Destinations {
    /// Our own stdout and stderr.
    pub(super) fn standard() -> io::Result<Self> {
        Ok(Self {
            stdout: io::stdout().as_fd().try_clone_to_owned()?,
            stderr: io::stderr().as_fd().try_clone_to_owned()?,
        })
    }

    /// Whether both lead to one place (a terminal, `2>&1`), so that one pipe can keep their exact order.
    fn are_one(&self) -> bool {
        let place = |fd: &OwnedFd| rustix::fs::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino));
        matches!((place(&self.stdout), place(&self.stderr)), (Ok(one), Ok(other)) if one == other)
    }
}

/// The pumping threads of one run. Dropped, it lets them end by themselves.
pub(super) struct Pump {
    control: UnixStream,
    reader: JoinHandle<Tail>,
    writers: Vec<JoinHandle<()>>,
}

/// The ends of the pipes that the command writes to.
pub(super) struct CommandEnds {
    pub(super) stdout: PipeWriter,
    pub(super) stderr: PipeWriter,
}

impl Pump {
    /// Starts pumping. Everything that can fail has failed before the command is started.
    pub(super) fn start(
        destinations: Destinations,
        tail_limit: usize,
        signals: &Signals,
    ) -> io::Result<(Self, CommandEnds)> {
        let (inbox, control) = UnixStream::pair()?;
        inbox.set_nonblocking(true)?;
        let mut writers = Vec::new();
        let mut streams = Vec::new();
        let mut connect = |destination: OwnedFd| -> io::Result<PipeWriter> {
            let (reader, writer) = io::pipe()?;
            rustix::io::ioctl_fionbio(&reader, true)?;
            let (sink, handle) = Sink::start(destination, control.try_clone()?, signals.waker()?)?;
            writers.push(handle);
            streams.push(Stream { source: Some(reader), sink });
            Ok(writer)
        };
        let one = destinations.are_one();
        let stdout = connect(destinations.stdout)?;
        let stderr = if one { stdout.try_clone()? } else { connect(destinations.stderr)? };
        let reader = thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || pump(streams, inbox, Tail::new(tail_limit)))?;
        Ok((Self { control, reader, writers }, CommandEnds { stdout, stderr }))
    }

    /// Reads what is there at this moment, and no more.
    pub(super) fn finish(self, signals: Signals) -> (Output, Delivery) {
        let _ = (&self.control).write_all(&[FINISH]);
        let output = self.reader.join().map(Tail::into_output).unwrap_or_default();
        let writers = self.writers;
        (output, Delivery { writers, signals })
    }
}

/// Output on its way to our own stdout and stderr.
pub struct Delivery {
    writers: Vec<JoinHandle<()>>,
    signals: Signals,
}

impl Delivery {
    /// Waits until all of it is taken or its reader has gone away. `Some`: the number of a signal (INT, TERM,
    /// HUP, QUIT) that came first, and what is left is to be abandoned.
    pub fn wait(self) -> Option<i32> {
        while self.writers.iter().any(|writer| !writer.is_finished()) {
            match self.signals.take() {
                Some(SIGTSTP) => signals::suspend_own_group(),
                Some(signal) if signals::is_for_caller(signal) => return Some(signal),
                Some(_) | None => {}
            }
            // A writer wakes us just before its thread has finished: hence the short nap.
            let _ = self.signals.wait(Duration::from_millis(5));
        }
        None
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").finish_non_exhaustive()
    }
}

const FINISH: u8 = b'f';
const ROOM: u8 = b'r';

struct Stream {
    /// `None` once it has ended.
    source: Option<PipeReader>,
    sink: Sink,
}

fn pump(mut streams: Vec<Stream>, control: UnixStream, mut tail: Tail) -> Tail {
    signals::block_all();
    let mut buffer = vec![0_u8; 64 * 1024];
    while streams.iter().any(|stream| stream.source.is_some()) && !is_told_to_finish(&control) {
        wait_for_news(&streams, &control);
        for stream in streams.iter_mut().filter(|stream| stream.sink.has_room()) {
            stream.carry(&mut buffer, &mut tail);
        }
    }
    let mut allowance = LAST_READ;
    while allowance > 0 {
        let carried: usize = streams.iter_mut().map(|stream| stream.carry(&mut buffer, &mut tail)).sum();
        allowance = if carried == 0 { 0 } else { allowance.saturating_sub(buffer.len()) };
    }
    tail
}

fn wait_for_news(streams: &[Stream], control: &UnixStream) {
    let mut news = vec![PollFd::new(control, PollFlags::IN)];
    let open = streams.iter().filter(|stream| stream.sink.has_room());
    news.extend(open.filter_map(|stream| Some(PollFd::new(stream.source.as_ref()?, PollFlags::IN))));
    let _ = poll(&mut news, None);
}

/// A closed control line means that the run was given up.
fn is_told_to_finish(mut control: &UnixStream) -> bool {
    let mut words = [0_u8; 64];
    match control.read(&mut words) {
        Ok(0) => true,
        Ok(count) => words.iter().take(count).any(|word| *word == FINISH),
        Err(_) => false,
    }
}

impl Stream {
    /// Reads once, if there is anything, and passes it on. How many bytes that were.
    fn carry(&mut self, buffer: &mut [u8], tail: &mut Tail) -> usize {
        if self.sink.is_unread.load(Ordering::SeqCst) {
            // As if the command wrote there itself: its next write ends it, or tells it so.
            self.source = None;
        }
        let Some(source) = &mut self.source else {
            return 0;
        };
        match source.read(buffer) {
            Ok(0) => self.source = None,
            Ok(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                tail.push(bytes);
                self.sink.send(bytes);
                return count;
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.source = None,
        }
        0
    }
}

/// The way to one destination.
struct Sink {
    chunks: Sender<Vec<u8>>,
    backlog: Arc<AtomicUsize>,
    /// Its reader has gone away.
    is_unread: Arc<AtomicBool>,
}

impl Sink {
    fn start(destination: OwnedFd, control: UnixStream, waker: UnixStream) -> io::Result<(Self, JoinHandle<()>)> {
        let (chunks, received) = channel();
        let backlog = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&backlog);
        let is_unread = Arc::new(AtomicBool::new(false));
        let unread = Arc::clone(&is_unread);
        let writer = thread::Builder::new().name("delivery".to_owned()).spawn(move || {
            signals::block_all();
            deliver(&destination, &received, &counted, &unread, &control);
            let _ = (&waker).write(&[ROOM]);
        })?;
        Ok((Self { chunks, backlog, is_unread }, writer))
    }

    fn has_room(&self) -> bool {
        self.backlog.load(Ordering::SeqCst) < BACKLOG
    }

    fn send(&self, bytes: &[u8]) {
        self.backlog.fetch_add(bytes.len(), Ordering::SeqCst);
        let _ = self.chunks.send(bytes.to_vec());
    }
}

/// Writes until the other side is dropped. A destination whose reader has gone away is said to be unread; one that
/// fails otherwise, such as a terminal that hung up or a full disk, is given up and the rest discarded: the command
/// goes on.
fn deliver(
    destination: &OwnedFd,
    chunks: &Receiver<Vec<u8>>,
    backlog: &AtomicUsize,
    unread: &AtomicBool,
    mut control: &UnixStream,
) {
    let mut usable = true;
    for chunk in chunks {
        if usable && let Err(error) = write_all(destination, &chunk) {
            usable = false;
            if error == Errno::PIPE {
                unread.store(true, Ordering::SeqCst);
                let _ = control.write(&[ROOM]);
            }
        }
        let before = backlog.fetch_sub(chunk.len(), Ordering::SeqCst);
        if before >= BACKLOG && before - chunk.len() < BACKLOG {
            let _ = control.write(&[ROOM]);
        }
    }
}

fn write_all(destination: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(destination, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(destination, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
