//! The signals sent to us, and the few signal settings of our own process.
//!
//! rustix leaves dispositions and masks to the C library, so this file, and no other, calls `libc`.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;
use signal_hook::SigId;
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The signals the caller hears of.
pub(crate) const FOR_CALLER: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];
/// The signals of job control, heard only where there is a terminal.
const FOR_TERMINAL: [i32; 2] = [SIGTSTP, SIGCONT];

/// Hears what would end us, before there is a command to pass it on to. Dropped, it is deaf; a run that is gated
/// by then hears for itself.
pub struct Ears(Signals);

impl Ears {
    /// Begins to hear SIGINT, SIGTERM, SIGHUP and SIGQUIT.
    ///
    /// Errors: the system refuses descriptors.
    pub fn open() -> io::Result<Ears> {
        Signals::listen(&FOR_CALLER, false).map(Ears)
    }

    /// A signal that arrived since, by number.
    pub fn heard(&self) -> Option<i32> {
        self.0.take()
    }
}

/// Hears signals from its creation until it is dropped.
pub(crate) struct Signals {
    inbox: UnixStream,
    outbox: UnixStream,
    arrived: Vec<(i32, Arc<AtomicBool>)>,
    registered: Vec<SigId>,
}

impl Signals {
    /// Begins to hear. A signal we were started to ignore (nohup, a shell's background job) stays ignored.
    pub(crate) fn listen(for_caller: &[i32], job_control: bool) -> io::Result<Self> {
        let (inbox, outbox) = UnixStream::pair()?;
        inbox.set_nonblocking(true)?;
        outbox.set_nonblocking(true)?;
        let mut signals = Self { inbox, outbox, arrived: Vec::new(), registered: Vec::new() };
        let for_terminal = FOR_TERMINAL.iter().filter(|_| job_control);
        for signal in for_caller.iter().chain(for_terminal) {
            if !is_ignored(*signal) {
                signals.hear(*signal)?;
            }
        }
        // Nothing to remember of a child's change but that it is time to look.
        let id = signal_hook::low_level::pipe::register(SIGCHLD, signals.waker()?)?;
        signals.registered.push(id);
        unblock(SIGCHLD);
        Ok(signals)
    }

    fn hear(&mut self, signal: i32) -> io::Result<()> {
        let flag = Arc::new(AtomicBool::new(false));
        // Flag first, then the wake-up: actions run in the order of their registration.
        let flagged = signal_hook::flag::register(signal, Arc::clone(&flag))?;
        self.registered.push(flagged);
        let woken = signal_hook::low_level::pipe::register(signal, self.waker()?)?;
        self.registered.push(woken);
        self.arrived.push((signal, flag));
        Ok(())
    }

    /// One byte written here ends a `wait`.
    pub(crate) fn waker(&self) -> io::Result<UnixStream> {
        self.outbox.try_clone()
    }

    /// A signal that arrived since it was last taken; several of one kind count once.
    pub(crate) fn take(&self) -> Option<i32> {
        let mut arrived = self.arrived.iter();
        let (signal, _) = arrived.find(|(_, flag)| flag.swap(false, Ordering::SeqCst))?;
        Some(*signal)
    }

    /// Sleeps until a signal, a change of a child, a byte in the waker, or the timeout.
    pub(crate) fn wait(&self, timeout: Duration) -> io::Result<()> {
        self.sleep(&mut [PollFd::new(&self.inbox, PollFlags::IN)], timeout)
    }

    /// The same, or until something can be read from `other`. Whether it can.
    pub(crate) fn wait_or_read(&self, other: BorrowedFd<'_>, timeout: Duration) -> io::Result<bool> {
        let mut heard = [PollFd::new(&self.inbox, PollFlags::IN), PollFd::from_borrowed_fd(other, PollFlags::IN)];
        self.sleep(&mut heard, timeout)?;
        Ok(heard.last().is_some_and(|other| !other.revents().is_empty()))
    }

    fn sleep(&self, heard: &mut [PollFd<'_>], timeout: Duration) -> io::Result<()> {
        let timeout = Timespec::try_from(timeout).ok();
        match poll(heard, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut bytes = [0_u8; 64];
        while matches!((&self.inbox).read(&mut bytes), Ok(count) if count == bytes.len()) {}
        Ok(())
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in &self.registered {
            signal_hook::low_level::unregister(*id);
        }
    }
}

/// Whether a signal is the caller's business, not only the terminal's.
pub(super) fn is_for_caller(signal: i32) -> bool {
    FOR_CALLER.contains(&signal)
}

/// For a forked child: whatever we hear takes its default effect again. Async-signal-safe.
pub(super) fn stop_hearing() {
    for signal in FOR_CALLER.iter().chain(&FOR_TERMINAL).chain(&[SIGCHLD]) {
        if !is_ignored(*signal) {
            set_default(*signal);
        }
    }
}

/// Stops our own process group as Ctrl-Z would, and returns when it is continued; at once where the system
/// refuses to stop it, because no shell is there to continue it.
pub(super) fn suspend_own_group() {
    let hearing = (!is_ignored(SIGTSTP)).then(|| set_default(SIGTSTP)).flatten();
    let _ = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
    // Another thread may be the one to take the signal: the stop follows in a moment.
    std::thread::sleep(Duration::from_millis(10));
    if let Some(hearing) = hearing {
        // SAFETY: `hearing` is the action sigaction returned for this signal; no old action is asked for.
        unsafe { libc::sigaction(SIGTSTP, &raw const hearing, ptr::null_mut()) };
    }
}

/// Blocks every signal in this thread for good. A blocked SIGPIPE or SIGTTOU makes a write fail or pass,
/// instead of ending or stopping us.
pub(super) fn block_all() {
    let mut every = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigfillset initializes the set it is given; pthread_sigmask reads it and stores no old mask.
    unsafe {
        libc::sigfillset(every.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_BLOCK, every.as_ptr(), ptr::null_mut());
    }
}

/// Runs `action` with `signal` blocked in this thread.
pub(super) fn without<T>(signal: i32, action: impl FnOnce() -> T) -> T {
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    let one = set_of(signal);
    // SAFETY: both sets are valid; the second receives the old mask.
    let blocked = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const one, before.as_mut_ptr()) };
    let answer = action();
    if blocked == 0 {
        // SAFETY: pthread_sigmask succeeded, so `before` holds the old mask.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    }
    answer
}

fn unblock(signal: i32) {
    let one = set_of(signal);
    // SAFETY: `one` is a valid set, and no old mask is asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const one, ptr::null_mut()) };
}

fn set_of(signal: i32) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigemptyset initializes the set before it is added to and read.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        set.assume_init()
    }
}

fn is_ignored(signal: i32) -> bool {
    let mut current = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action sigaction only stores the current one; zeroes are a valid action too.
    let current = unsafe {
        libc::sigaction(signal, ptr::null(), current.as_mut_ptr());
        current.assume_init()
    };
    current.sa_sigaction == libc::SIG_IGN
}

/// Gives the signal its default effect; the former action.
fn set_default(signal: i32) -> Option<libc::sigaction> {
    let mut former = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all zeroes are a valid action, with SIG_DFL (0) as its handler and an empty mask.
    let default = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
    // SAFETY: both actions are valid; the second receives the former one.
    let changed = unsafe { libc::sigaction(signal, &raw const default, former.as_mut_ptr()) };
    // SAFETY: sigaction succeeded, so `former` is filled in.
    (changed == 0).then(|| unsafe { former.assume_init() })
}
