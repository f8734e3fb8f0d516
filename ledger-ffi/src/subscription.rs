//! Cancel callbacks: one thread of the library for each ledger handle that has any.

use crate::argument;
use crate::boundary::{Fault, exported};
use crate::handle;
use crate::ledger::{self, Ledger};
use crate::task::{Task, TaskBox};
use bgledger_core::{Error, EventKind, Heartbeat, Lookup, Seq, Show, Span, TaskNumber, TaskView, Watch};
use bgledger_store::{Ledger as Store, platform};
use std::ffi::{c_char, c_int, c_void};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

/// How long the thread blocks inside the store before it looks whether it should stop.
const SLICE: Duration = Duration::from_millis(100);

/// A cancel callback that is waiting for its call.
pub struct Subscription {
    _opaque: [u8; 0],
}

/// What is called when cancel of a task is requested, on a thread of the library on which all signals are blocked.
///
/// `task` is the task as it is then; it belongs to the library and is valid during the call. The callback may use the
/// library, bgl_subscription_free() and bgl_close() included. It must return: no longjmp, no exception.
pub type CancelCallback = Option<unsafe extern "C" fn(user_data: *mut c_void, task: *const Task)>;

/// What a handle stands for.
#[derive(Debug)]
pub(crate) struct SubscriptionBox {
    pid: u32,
    shared: Arc<Shared>,
    one: Arc<One>,
}

/// One callback.
#[derive(Debug)]
struct One {
    number: TaskNumber,
    /// The attempt whose executor listens, if the task was started.
    attempt: Option<u32>,
    callback: unsafe extern "C" fn(*mut c_void, *const Task),
    user_data: UserData,
    stage: Mutex<Stage>,
    over: Condvar,
}

#[derive(Debug, Clone, Copy)]
struct UserData(*mut c_void);

// SAFETY: the library hands the pointer to the callback and touches nothing behind it; that it may be used on another
// thread is what the caller was told.
unsafe impl Send for UserData {}
// SAFETY: the same.
unsafe impl Sync for UserData {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Whether a cancel was requested before anybody listened is not known yet.
    New,
    Listening,
    Called(ThreadId),
    Over,
}

/// The callbacks of one ledger handle.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    /// Only touched while forks are held off.
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    pid: u32,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_stopped: bool,
    callbacks: Vec<Arc<One>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `callback(user_data, task)` once, on a thread of the library, when cancel of a task is requested: for the
/// executor of its current attempt. If it is requested already, the callback is called soon.
///
/// Before the call the ledger is told that the executor knows (as a heartbeat of that attempt does). If another
/// attempt holds the task by then, the callback is not called. It is called in the process that asked for it, not in
/// its forked children. `*out` stays valid after the call.
/// Ownership: the caller ends `*out` with bgl_subscription_free(); bgl_close() stops the callback, too. What
/// `user_data` points to must live until either has returned. Thread-safe.
/// Errors: BGL_ERROR_NOT_FOUND, _AMBIGUOUS, _NO_LEDGER, and those of every reading call (see bgl_get()); _INTERNAL if
/// no thread can be had.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_on_cancel(
    ledger: *mut Ledger,
    lookup: *const c_char,
    callback: CancelCallback,
    user_data: *mut c_void,
    out: *mut *mut Subscription,
) -> c_int {
    exported!(ledger, {
        let open = ledger::of(ledger)?;
        argument::needed("out", out)?;
        let callback = callback.ok_or_else(|| argument::null("callback"))?;
        // SAFETY: C's promise.
        let lookup = unsafe { argument::lookup(lookup)? };
        let task = open.store.call(Show { lookup })?.task.task;
        let one = Arc::new(One {
            number: task.number,
            attempt: Some(task.attempt).filter(|attempt| *attempt > 0),
            callback,
            user_data: UserData(user_data),
            stage: Mutex::new(Stage::New),
            over: Condvar::new(),
        });
        let shared = open.watcher.add(&open.store, &one)?;
        // A handle that was closed meanwhile has no thread any more that would stop this one.
        if let Err(closed) = ledger::of(ledger) {
            open.watcher.stop();
            return Err(closed);
        }
        let handle = handle::open(SubscriptionBox { pid: platform::own_pid(), shared, one })?;
        // SAFETY: C's promise.
        unsafe { argument::put(out, handle) };
    })
}

/// Ends a cancel callback. When this returns it is not running and will not be called any more, unless this is called
/// from within it: then it will not be called again.
///
/// NULL is answered with BGL_MISUSE_NULL_POINTER, a handle that was freed before with BGL_MISUSE_BAD_HANDLE.
/// Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_subscription_free(subscription: *mut Subscription) -> c_int {
    exported!(subscription, {
        let ended: Arc<SubscriptionBox> = handle::close(subscription)?;
        // In a forked child nobody calls, and whoever held the locks in the parent is not here.
        if ended.pid == platform::own_pid() {
            ended.one.end();
            ended.shared.changed.notify_all();
        }
    })
}

impl One {
    /// Whether a call was asked for and nobody made it yet: the one who asks makes it.
    fn take_turn(&self) -> bool {
        let mut stage = lock(&self.stage);
        let is_due = matches!(*stage, Stage::New | Stage::Listening);
        if is_due {
            *stage = Stage::Called(thread::current().id());
        }
        is_due
    }

    fn is_over(&self) -> bool {
        *lock(&self.stage) == Stage::Over
    }

    /// Makes sure that nobody is called any more, and waits for a call that another thread makes.
    fn end(&self) {
        let mut stage = lock(&self.stage);
        while let Stage::Called(by) = *stage
            && by != thread::current().id()
        {
            stage = self.over.wait(stage).unwrap_or_else(PoisonError::into_inner);
        }
        *stage = Stage::Over;
    }

    fn finish(&self) {
        *lock(&self.stage) = Stage::Over;
        self.over.notify_all();
    }
}

impl Watcher {
    /// Has a callback looked after; starts the thread if there is none in this process.
    fn add(&self, store: &Store, one: &Arc<One>) -> Result<Arc<Shared>, Fault> {
        handle::without_forks(|| {
            let mut running = lock(&self.running);
            if let Some(running) = running.as_ref().filter(|running| running.pid == platform::own_pid()) {
                running.shared.add(one);
                return Ok(Arc::clone(&running.shared));
            }
            let shared = Arc::new(Shared::default());
            shared.add(one);
            let (theirs, store) = (Arc::clone(&shared), store.clone());
            let thread =
                without_signals(|| thread::Builder::new().name("bgledger".into()).spawn(move || theirs.serve(&store)));
            let thread = thread.map_err(|error| Error::internal(format!("no thread: {error}")))?;
            let fresh = Running { pid: platform::own_pid(), shared: Arc::clone(&shared), thread };
            // The thread of the process that was forked is not here: its handle is neither joined nor closed.
            std::mem::forget(running.replace(fresh));
            Ok(shared)
        })
    }

    /// Stops every callback, and the thread, unless that thread is the one that asks.
    pub(crate) fn stop(&self) {
        let Some(running) = handle::without_forks(|| lock(&self.running).take()) else { return };
        if running.pid != platform::own_pid() {
            std::mem::forget(running);
            return;
        }
        let left = {
            let mut state = lock(&running.shared.state);
            state.is_stopped = true;
            std::mem::take(&mut state.callbacks)
        };
        running.shared.changed.notify_all();
        left.iter().for_each(|one| one.end());
        if running.thread.thread().id() != thread::current().id() {
            let _ = running.thread.join();
        }
    }
}

/// The new thread inherits the mask: the host's signal handlers never run on it.
fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: both sets are local, and the mask of this thread is put back.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed::<libc::sigset_t>(), std::mem::zeroed::<libc::sigset_t>());
        libc::sigfillset(&raw mut all);
        let is_masked = libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) == 0;
        let started = start();
        if is_masked {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        }
        started
    }
}

impl Shared {
    fn add(&self, one: &Arc<One>) {
        lock(&self.state).callbacks.push(Arc::clone(one));
        self.changed.notify_all();
    }

    /// The callbacks to look after; waits while there is none. `None`: it is time to stop.
    fn listeners(&self) -> Option<Vec<Arc<One>>> {
        let mut state = lock(&self.state);
        loop {
            if state.is_stopped {
                return None;
            }
            state.callbacks.retain(|one| !one.is_over());
            if !state.callbacks.is_empty() {
                return Some(state.callbacks.clone());
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The thread's work.
    fn serve(&self, store: &Store) {
        let mut cursor: Option<Seq> = None;
        while let Some(listeners) = self.listeners() {
            let step = exported!(value or Err(()), Some(look(store, &mut cursor, &listeners)));
            if step.is_err() {
                // The ledger was busy or failed: what happened meanwhile is asked for when it is back.
                cursor = None;
                listeners.iter().for_each(|one| one.forget());
                let state = lock(&self.state);
                drop(self.changed.wait_timeout(state, SLICE));
            }
        }
    }
}

/// Looks once whether a cancel was requested of somebody's task, and waits a moment for it.
fn look(store: &Store, cursor: &mut Option<Seq>, listeners: &[Arc<One>]) -> Result<(), ()> {
    let waits = cursor.is_some() && listeners.iter().all(|one| *lock(&one.stage) != Stage::New);
    let timeout = waits.then(|| Span::clamped(i64::try_from(SLICE.as_millis()).unwrap_or(0)));
    let found = store.call(Watch { lookup: None, after: *cursor, limit: None, timeout }).map_err(drop)?;
    *cursor = Some(found.next);
    for one in listeners {
        let is_new = *lock(&one.stage) == Stage::New;
        let mut events = found.events.iter().filter(|event| event.number == one.number);
        let was_asked = match is_new {
            true => {
                let shown = store.call(Show { lookup: Lookup::Number(one.number) }).map_err(drop)?;
                one.listen();
                shown.task.task.cancel.is_some()
            }
            false => events.any(|event| event.event.kind() == Some(EventKind::CancelRequested)),
        };
        if was_asked {
            one.call(store);
        }
    }
    Ok(())
}

impl One {
    fn listen(&self) {
        let mut stage = lock(&self.stage);
        if *stage == Stage::New {
            *stage = Stage::Listening;
        }
    }

    fn forget(&self) {
        let mut stage = lock(&self.stage);
        if *stage == Stage::Listening {
            *stage = Stage::New;
        }
    }

    /// Tells the ledger that the executor knows, and then the executor.
    fn call(&self, store: &Store) {
        if let Some(view) = self.tell(store)
            && self.take_turn()
        {
            let call = || -> Option<()> {
                let task = handle::open::<_, Task>(TaskBox::new(view)).ok()?;
                // SAFETY: the callback and its data are the caller's, who was told what they must be.
                unsafe { (self.callback)(self.user_data.0, task) };
                handle::close::<TaskBox, _>(task).map(drop).ok()
            };
            exported!(value or (), call());
        }
        self.finish();
    }

    /// The task as it is; `None` if it is another attempt's now.
    fn tell(&self, store: &Store) -> Option<TaskView> {
        let lookup = || Lookup::Number(self.number);
        if let Some(attempt) = self.attempt {
            let told = Heartbeat { lookup: lookup(), attempt: Some(attempt), nonce: None, lease: None };
            match store.call(told) {
                Ok(reply) => return Some(reply.task),
                Err(Error::Fenced { .. }) => return None,
                // It has ended already, or the ledger cannot be written now: the executor is told all the same.
                Err(_) => {}
            }
        }
        store.call(Show { lookup: lookup() }).ok().map(|shown| shown.task)
    }
}
