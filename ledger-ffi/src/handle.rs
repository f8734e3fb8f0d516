//! Handles: numbers that look like pointers to C, looked up in a table before anything is touched.
//!
//! A handle is a place in the table and the place's generation. Closing it raises the generation, so that a closed
//! handle, a pointer to something else and a handle of another type are told apart from a live one, always.

use crate::boundary::Fault;
use crate::code::Misuse;
use crate::event::EventBox;
use crate::flow::FlowBox;
use crate::flows::FlowsBox;
use crate::ledger::LedgerBox;
use crate::notice::{NoticeBox, NoticesBox};
use crate::read::TasksBox;
use crate::subscription::SubscriptionBox;
use crate::task::TaskBox;
use crate::watch::EventsBox;
use bgledger_store::platform;
use std::cell::RefCell;
use std::ptr;
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once, PoisonError, RwLock, RwLockWriteGuard};

/// The low bits of a handle are its place, from 1; the bits above are its generation. Together they stay below 2^47,
/// where every runtime's pointers are.
const PLACE_BITS: u32 = 24;
const GENERATIONS: usize = 1 << 23;
/// Places begin with a generation drawn at random below this, so that no number is a handle by accident.
const FIRST_GENERATIONS: u32 = 1 << 22;

const _: () = assert!(usize::BITS == 64, "bgledger's handles and option structs are made for 64-bit platforms");

/// What a handle may stand for.
#[derive(Debug, Clone)]
pub(crate) enum Object {
    Ledger(Arc<LedgerBox>),
    Task(Arc<TaskBox>),
    Tasks(Arc<TasksBox>),
    Events(Arc<EventsBox>),
    Event(Arc<EventBox>),
    Notices(Arc<NoticesBox>),
    Notice(Arc<NoticeBox>),
    Flow(Arc<FlowBox>),
    Flows(Arc<FlowsBox>),
    Subscription(Arc<SubscriptionBox>),
}

/// What has handles.
pub(crate) trait Kind: Sized {
    /// The name of its type in C.
    const NAME: &'static str;
    fn into_object(self: Arc<Self>) -> Object;
    fn of(object: &Object) -> Option<&Arc<Self>>;
}

macro_rules! kinds {
    ($($variant:ident($type:ty) $name:literal;)*) => {
        $(impl Kind for $type {
            const NAME: &'static str = $name;
            fn into_object(self: Arc<Self>) -> Object {
                Object::$variant(self)
            }
            fn of(object: &Object) -> Option<&Arc<Self>> {
                if let Object::$variant(it) = object { Some(it) } else { None }
            }
        })*
    };
}

kinds! {
    Ledger(LedgerBox) "bgl_ledger";
    Task(TaskBox) "bgl_task";
    Tasks(TasksBox) "bgl_tasks";
    Events(EventsBox) "bgl_events";
    Event(EventBox) "bgl_event";
    Notices(NoticesBox) "bgl_notices";
    Notice(NoticeBox) "bgl_notice";
    Flow(FlowBox) "bgl_flow";
    Flows(FlowsBox) "bgl_flows";
    Subscription(SubscriptionBox) "bgl_subscription";
}

#[derive(Debug)]
struct Slot {
    generation: usize,
    object: Option<Object>,
}

#[derive(Debug)]
struct Table {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

impl Table {
    /// Places that cannot be given out.
    fn taken(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

static TABLE: RwLock<Table> = RwLock::new(Table { slots: Vec::new(), free: Vec::new() });

fn parts(address: usize) -> Option<(usize, usize)> {
    let place = (address & ((1 << PLACE_BITS) - 1)).checked_sub(1)?;
    Some((place, address >> PLACE_BITS))
}

/// A place that is kept for an object that is yet to come, so that what the ledger did is never untold for want of a
/// handle. It is given back if the object does not come.
#[derive(Debug)]
pub(crate) struct Place {
    place: usize,
    generation: usize,
}

/// Keeps a place.
pub(crate) fn reserve() -> Result<Place, Fault> {
    guard_forks();
    let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    let most = (1 << PLACE_BITS) - 1;
    #[cfg(debug_assertions)]
    let most = most.min(MOST.load(Ordering::Relaxed));
    let free = if table.taken() < most { table.free.pop() } else { None };
    let place = match free {
        Some(place) => place,
        None if table.taken() >= most => {
            drop(table);
            return Err(bgledger_core::Error::internal("too many open handles; nothing was done").into());
        }
        None => {
            let drawn = u32::from_le_bytes(platform::random_bytes()) % FIRST_GENERATIONS;
            table.slots.push(Slot { generation: drawn as usize + 1, object: None });
            table.slots.len() - 1
        }
    };
    let generation = table.slots.get(place).map_or(0, |slot| slot.generation);
    Ok(Place { place, generation })
}

impl Place {
    /// Gives the object its handle.
    pub(crate) fn fill<K: Kind, C>(self, object: K) -> *mut C {
        let object = Arc::new(object).into_object();
        let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = table.slots.get_mut(self.place) {
            slot.object = Some(object);
        }
        drop(table);
        let handle = ptr::without_provenance_mut((self.generation << PLACE_BITS) | (self.place + 1));
        std::mem::forget(self);
        handle
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        TABLE.write().unwrap_or_else(PoisonError::into_inner).free.push(self.place);
    }
}

/// Gives an object a handle, where nothing is lost if there is none.
pub(crate) fn open<K: Kind, C>(object: K) -> Result<*mut C, Fault> {
    Ok(reserve()?.fill(object))
}

/// So many handles may be open: fewer where a test wants the table full.
#[cfg(debug_assertions)]
static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Leaves room for so many more handles; `None`: as many as there may be.
#[cfg(debug_assertions)]
pub(crate) fn leave_room(more: Option<usize>) {
    let taken = TABLE.read().unwrap_or_else(PoisonError::into_inner).taken();
    MOST.store(more.map_or(usize::MAX, |more| taken + more), Ordering::Relaxed);
}

/// The object of a handle.
pub(crate) fn get<K: Kind, C>(handle: *const C) -> Result<Arc<K>, Fault> {
    let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
    let found = parts(handle.addr()).and_then(|(place, generation)| {
        let slot = table.slots.get(place).filter(|slot| slot.generation == generation)?;
        K::of(slot.object.as_ref()?).map(Arc::clone)
    });
    found.ok_or_else(|| refused::<K>(handle.addr()))
}

/// Looks at the object of a handle while forks are held off. The look must not use another handle.
pub(crate) fn look<K: Kind, C, T>(handle: *const C, look: impl FnOnce(&K) -> Option<T>) -> Option<T> {
    let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
    let (place, generation) = parts(handle.addr())?;
    let slot = table.slots.get(place).filter(|slot| slot.generation == generation)?;
    K::of(slot.object.as_ref()?).and_then(|object| look(object))
}

/// Does something while forks are held off. It must not use a handle.
pub(crate) fn without_forks<T>(work: impl FnOnce() -> T) -> T {
    let _table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// Ends a handle and gives back its object.
pub(crate) fn close<K: Kind, C>(handle: *mut C) -> Result<Arc<K>, Fault> {
    let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    let taken = parts(handle.addr()).and_then(|(place, generation)| {
        let slot = table.slots.get_mut(place).filter(|slot| slot.generation == generation)?;
        let object = K::of(slot.object.as_ref()?).map(Arc::clone)?;
        let whole = slot.object.take();
        slot.generation += 1;
        // A place that has had every generation is never used again.
        if slot.generation < GENERATIONS {
            table.free.push(place);
        }
        Some((object, whole))
    });
    drop(table);
    // What closing sets off happens outside the table's lock.
    taken.map(|(object, _)| object).ok_or_else(|| refused::<K>(handle.addr()))
}

fn refused<K: Kind>(address: usize) -> Fault {
    match address {
        0 => Fault::Misuse(Misuse::NullPointer, format!("{}: NULL", K::NAME)),
        _ => Fault::Misuse(Misuse::BadHandle, format!("not an open {}: it was closed, or never was one", K::NAME)),
    }
}

// ---- forks --------------------------------------------------------------------------------------------------

thread_local! {
    /// The table, locked by this thread while it forks.
    static LOCKED: RefCell<Option<RwLockWriteGuard<'static, Table>>> = const { RefCell::new(None) };
}

/// A fork waits until no other thread has the table, so that the child does not inherit a lock that nobody releases.
fn guard_forks() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the functions live as long as the program and unwind into nobody. It fails for want of memory alone.
        let _ = unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork)) };
    });
}

extern "C" fn before_fork() {
    let table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    let _ = LOCKED.try_with(|locked| locked.try_borrow_mut().map(|mut locked| *locked = Some(table)));
}

extern "C" fn after_fork() {
    let _ = LOCKED.try_with(|locked| locked.try_borrow_mut().map(|mut locked| *locked = None));
}
