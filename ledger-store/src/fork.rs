//! No connection is open, and no thread is inside SQLite, while this process forks.
//!
//! SQLite keeps for the whole process which files are open and which locks they hold. A forked child inherits that
//! belief without the locks, and any mutex that another thread holds at that instant for ever. So a fork waits for the
//! calls that are under way, closes what is open, and both sides open the ledger anew when they next need it.

use crate::platform;
use bgledger_core::planted;
use std::cell::{Cell, RefCell};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static GATE: RwLock<()> = RwLock::new(());
/// Closes whatever is open.
static CLOSE: OnceLock<fn()> = OnceLock::new();

thread_local! {
    /// How often this thread holds the gate.
    static HELD: Cell<u32> = const { Cell::new(0) };
    /// The gate, closed by this thread while it forks.
    static CLOSED: RefCell<Option<RwLockWriteGuard<'static, ()>>> = const { RefCell::new(None) };
}

/// Forks wait until it is dropped. May be held more than once by a thread.
pub(crate) struct Hold {
    _guard: Option<RwLockReadGuard<'static, ()>>,
}

/// Has a function called before each fork, when no thread is inside SQLite, to close what is open.
pub(crate) fn close_before_each(close: fn()) {
    CLOSE.get_or_init(|| {
        platform::around_fork(before, after);
        close
    });
}

/// Holds forks off.
pub(crate) fn hold() -> Hold {
    let guard = (HELD.get() == 0).then(|| GATE.read().unwrap_or_else(PoisonError::into_inner));
    HELD.set(HELD.get() + 1);
    Hold { _guard: guard }
}

impl Drop for Hold {
    fn drop(&mut self) {
        HELD.set(HELD.get().saturating_sub(1));
    }
}

fn before() {
    if HELD.get() > 0 {
        // A fork from within a call of this very thread: nothing of ours does that, and waiting would be for ever.
        return;
    }
    let guard = GATE.write().unwrap_or_else(PoisonError::into_inner);
    HELD.set(1);
    if let Some(close) = CLOSE.get().filter(|_| !planted("close_on_fork")) {
        close();
    }
    CLOSED.with_borrow_mut(|closed| *closed = Some(guard));
}

fn after() {
    if let Some(guard) = CLOSED.with_borrow_mut(Option::take) {
        HELD.set(0);
        drop(guard);
    }
}
