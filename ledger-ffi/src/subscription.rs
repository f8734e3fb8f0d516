//! Cancel callbacks: one thread of the library for each ledger handle that has any. It sleeps until something is
//! recorded, or until there is one callback more to look after.

use crate::argument;
use crate::boundary::{Fault, exported};
use crate::handle;
use crate::ledger::{self, Ledger};
use crate::task::{Task, TaskBox};
use bgledger_core::{Call, Error, EventKind, Heartbeat, Lookup, Request, Seq, Show, Span, TaskId, TaskView, Watch};
use bgledger_store::{Ledger as Store, platform};
use std::collections::BTreeSet;
use std::ffi::{c_char, c_int, c_void};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

/// How long the thread rests after a look: where much is recorded it does not look each time.
const REST: Duration = Duration::from_millis(20);
/// How long the thread leaves a ledger alone that was busy or failed.
const RETRY: Duration = Duration::from_millis(500);

/// A cancel callback that is waiting for its call.
pub struct Subscription {
    _opaque: [u8; 0],
}

/// What is called when cancel of a task is requested, on a thread of the library on which all signals are blocked.
///
/// `task` is the task as it is then; it belongs to the library and is valid during the call. The callback may use the
/// library, bgl_subscription_free() and bgl_close() included. It must return: no longjmp, no exception.
///
/// All callbacks of a handle share one thread: while one runs, the others wait. bgl_subscription_free() and
/// bgl_close() wait for a callback that runs: do not hold a lock meanwhile that the callback takes. A process that is
/// forked from within a callback must exec or _exit before the callback returns: there nobody serves callbacks, and
/// the thread that is left ends.
pub type CancelCallback = Option<unsafe extern "C" fn(user_data: *mut c_void, task: *const Task)>;

/// What a handle stands for.
#[derive(Debug)]
pub(crate) struct SubscriptionBox {
    pid: u32,
    one: Arc<One>,
}

/// One callback.
#[derive(Debug)]
struct One {
    /// Its task: a number might come to mean another one, should a ledger be made anew under us.
    id: TaskId,
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

#[derive(Debug)]
struct Shared {
    /// Whose thread serves.
    pid: u32,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_stopped: bool,
    /// How many were added so far.
    added: u64,
    callbacks: Vec<Arc<One>>,
}

impl State {
    /// Whether all is as it was after so many were added, so that whoever waits goes on.
    fn is_as_after(&self, added: u64) -> bool {
        !self.is_stopped && self.added == added
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `callback(user_data, task)` once, on a thread of the library, when cancel of a task is requested: for the
/// executor of its current attempt. If it is requested already, the callback is called soon.
///
/// Before the call the ledger is told that the executor knows (as a heartbeat of that attempt does). If another
/// attempt holds the task by then, or the task is no longer there, the callback is not called. It is called in the
/// process that asked for it, not in its forked children. It may run, and be over, before this call has written
/// `*out`, which stays valid after the callback.
/// Ownership: the caller ends `*out` with bgl_subscription_free(); bgl_close() stops the callback, too. What
/// `user_data` points to must live until either has returned, or until this call has failed. Thread-safe.
/// Errors: BGL_ERROR_NOT_FOUND, _PRUNED, _AMBIGUOUS, and those of every call on a ledger; BGL_ERROR_INTERNAL also if no
/// thread can be had.
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
        // From here on nothing may fail and leave the callback behind.
        let place = handle::reserve()?;
        let task = open.store.call(Show::from(lookup))?.task.task;
        let one = Arc::new(One {
            id: task.id,
            attempt: Some(task.attempt).filter(|attempt| *attempt > 0),
            callback,
            user_data: UserData(user_data),
            stage: Mutex::new(Stage::New),
            over: Condvar::new(),
        });
        open.watcher.add(&open.store, &one)?;
        // A handle that was closed meanwhile has no thread any more that would stop this one.
        if let Err(closed) = ledger::of(ledger) {
            open.watcher.stop(&open.store);
            // Whoever closed it may still be waiting for this very callback.
            one.end();
            return Err(closed);
        }
        // SAFETY: C's promise.
        unsafe { argument::put(out, place.fill(SubscriptionBox { pid: platform::own_pid(), one })) };
    })
}

/// Ends a cancel callback. When this returns it is not running and will not be called any more, unless this is called
/// from within it: then it will not be called again. So do not hold a lock that the callback takes.
///
/// NULL is answered with BGL_MISUSE_NULL_POINTER, a handle that was freed before with BGL_MISUSE_BAD_HANDLE.
/// Thread-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bgl_subscription_free(subscription: *mut Subscription) -> c_int {
    exported!(end subscription, {
        let ended: Arc<SubscriptionBox> = handle::close(subscription)?;
        // In a forked child nobody calls, and whoever held the locks in the parent is not here. The thread need not be
        // woken: it drops what is over when it next looks.
        if ended.pid == platform::own_pid() {
            ended.one.end();
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
        while let Stage::Called(by) = *stage {
            if by == thread::current().id() {
                // From within: it is over when it has returned, which others wait for.
                return;
            }
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
    fn add(&self, store: &Store, one: &Arc<One>) -> Result<(), Fault> {
        handle::without_forks(|| -> Result<(), Fault> {
            let mut running = lock(&self.running);
            if let Some(running) = running.as_ref().filter(|running| running.pid == platform::own_pid()) {
                running.shared.add(one);
                return Ok(());
            }
            let shared = Arc::new(Shared::new());
            shared.add(one);
            let (theirs, store) = (Arc::clone(&shared), store.clone());
            let thread =
                without_signals(|| thread::Builder::new().name("bgledger".into()).spawn(move || theirs.serve(&store)));
            let thread = thread.map_err(|error| Error::internal(format!("no thread: {error}")))?;
            let fresh = Running { pid: platform::own_pid(), shared, thread };
            // The thread of the process that was forked is not here: its handle is neither joined nor closed.
            std::mem::forget(running.replace(fresh));
            Ok(())
        })?;
        // Not while forks are held off: a fork waits for whoever rouses.
        store.rouse();
        Ok(())
    }

    /// Stops every callback, and the thread, unless that thread is the one that asks.
    pub(crate) fn stop(&self, store: &Store) {
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
        store.rouse();
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
    fn new() -> Shared {
        Shared { pid: platform::own_pid(), state: Mutex::default(), changed: Condvar::new() }
    }

    /// Whether this is the process whose thread serves. In a child that a callback forked, other threads of the parent
    /// may have held any lock.
    fn is_home(&self) -> bool {
        self.pid == platform::own_pid()
    }

    fn add(&self, one: &Arc<One>) {
        let mut state = lock(&self.state);
        state.callbacks.push(Arc::clone(one));
        state.added += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// The callbacks to look after, and how many were added so far; waits while there is none. `None`: it is time to
    /// stop.
    fn listeners(&self) -> Option<(Vec<Arc<One>>, u64)> {
        let mut state = lock(&self.state);
        loop {
            if state.is_stopped {
                return None;
            }
            state.callbacks.retain(|one| !one.is_over());
            if !state.callbacks.is_empty() {
                return Some((state.callbacks.clone(), state.added));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The thread's work.
    fn serve(&self, store: &Store) {
        let mut cursor: Option<Seq> = None;
        while let Some((listeners, added)) = self.listeners() {
            let step = exported!(value or Err(()), Some(self.look(store, &mut cursor, &listeners, added)));
            // In a child that a callback forked, its locks are touched no more.
            if !self.is_home() {
                return;
            }
            if step.is_err() {
                // The ledger was busy or failed: what happened meanwhile is asked for when it is back.
                cursor = None;
                listeners.iter().for_each(|one| one.forget());
            }
            let pause = if step.is_ok() { REST } else { RETRY };
            let goes_on = |state: &mut State| state.is_as_after(added);
            drop(self.changed.wait_timeout_while(lock(&self.state), pause, goes_on));
        }
    }

    /// Looks once whether a cancel was requested of somebody's task. Where all of them are listened for already it
    /// waits first, until something is recorded or there are others to look after.
    fn look(&self, store: &Store, cursor: &mut Option<Seq>, listeners: &[Arc<One>], added: u64) -> Result<(), ()> {
        let waits = cursor.is_some() && listeners.iter().all(|one| *lock(&one.stage) != Stage::New);
        let timeout = waits.then(|| Span::clamped(i64::MAX));
        let watch = Watch { lookup: None, after: *cursor, limit: None, timeout };
        let goes_on = || lock(&self.state).is_as_after(added);
        let found = store.request_while(Request::Watch(watch), &goes_on).map_err(drop)?;
        let found = Watch::reply(found).ok_or(())?;
        *cursor = Some(found.next);
        let is_cancel = |kind: Option<EventKind>| kind == Some(EventKind::CancelRequested);
        let asked = found.events.iter().filter(|event| is_cancel(event.event.kind()));
        let asked: BTreeSet<TaskId> = asked.map(|event| event.id).collect();
        let mut outcome = Ok(());
        for one in listeners {
            let is_new = *lock(&one.stage) == Stage::New;
            let was_asked = match is_new {
                true => one.was_asked(store),
                false => Ok(asked.contains(&one.id)),
            };
            match was_asked {
                Ok(true) => one.call(self, store),
                Ok(false) => {}
                // The others are looked after all the same.
                Err(()) => outcome = Err(()),
            }
            if !self.is_home() {
                return Err(());
            }
        }
        outcome
    }
}

impl One {
    /// Whether a cancel was requested before anybody listened.
    fn was_asked(&self, store: &Store) -> Result<bool, ()> {
        match store.call(Show::from(Lookup::Id(self.id))) {
            Ok(shown) => {
                self.listen();
                Ok(shown.task.task.cancel.is_some())
            }
            // Nobody will cancel a task that is not there any more.
            Err(Error::NotFound { .. } | Error::Pruned { .. }) => {
                self.end();
                Ok(false)
            }
            Err(_) => Err(()),
        }
    }

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
    fn call(&self, shared: &Shared, store: &Store) {
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
        if shared.is_home() {
            self.finish();
        }
    }

    /// The task as it is; `None` if it is another attempt's now.
    fn tell(&self, store: &Store) -> Option<TaskView> {
        let lookup = || Lookup::Id(self.id);
        if let Some(attempt) = self.attempt {
            let told = Heartbeat { lookup: lookup(), attempt: Some(attempt), nonce: None, lease: None };
            match store.call(told) {
                Ok(reply) => return Some(reply.task),
                Err(Error::Fenced { .. }) => return None,
                // It has ended already, or the ledger cannot be written now: the executor is told all the same.
                Err(_) => {}
            }
        }
        store.call(Show::from(lookup())).ok().map(|shown| shown.task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bgledger_core::{CancelRequest, Create};
    use bgledger_store::OpenOptions;
    use std::sync::atomic::{AtomicU32, Ordering};

    static CALLS: AtomicU32 = AtomicU32::new(0);

    unsafe extern "C" fn called(_: *mut c_void, _: *const Task) {
        CALLS.fetch_add(1, Ordering::SeqCst);
    }

    fn listener(id: TaskId) -> Arc<One> {
        Arc::new(One {
            id,
            attempt: None,
            callback: called,
            user_data: UserData(std::ptr::null_mut()),
            stage: Mutex::new(Stage::New),
            over: Condvar::new(),
        })
    }

    /// One whose task is gone used to end the pass, again and again, before the others had their turn.
    #[test]
    fn a_task_that_is_gone_keeps_nobody_else_waiting() -> Result<(), Box<dyn std::error::Error>> {
        let folder = std::env::temp_dir().join(format!("bgledger-listeners-{}", platform::own_pid()));
        std::fs::create_dir_all(&folder)?;
        let store = Store::open(&folder.join("ledger.db"), OpenOptions::default())?;
        let task =
            store.call(Create { label: "listens".into(), start: Some(Default::default()), ..Create::default() })?;
        store.call(CancelRequest { lookup: Lookup::Number(task.task.task.number), by: None, why: None })?;
        let (gone, there) = (listener(TaskId::from_bytes([7; 16])), listener(task.task.task.id));
        let shared = Shared::new();
        assert_eq!(shared.look(&store, &mut None, &[Arc::clone(&gone), Arc::clone(&there)], 0), Ok(()));
        assert!(gone.is_over() && there.is_over());
        assert_eq!(CALLS.load(Ordering::SeqCst), 1);
        std::fs::remove_dir_all(folder)?;
        Ok(())
    }
}
