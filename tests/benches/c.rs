//! What recording costs through the shared library beside the same through Rust, in one process.
//!
//! `cargo bench --package bgledger-tests --bench c [-- EVENTS [ROUNDS]]`
//!
//! The library is the one that hosts load; it is opened by `dlopen` and called through C's types. Both sides take
//! turns, round by round, each on a ledger of its own in memory (`/dev/shm`) where there is such a place: what is seen
//! is what is computed.
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use bgledger::ledger::{Ledger as Handle, OpenOptions as OpenC};
use bgledger::option::{CreateOptions, ProgressOptions};
use bgledger::task::Task;
use bgledger_core::config::Durability;
use bgledger_core::{Create, Fill, Lookup, ProgressRequest, TaskNumber};
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::native;
use bgledger_tests::scratch::Scratch;
use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{null, null_mut};
use std::time::Instant;

/// One side: how many nanoseconds the creates and the progress reports of a round took.
trait Side {
    fn round(&mut self, first: u64, events: u64) -> [u64; 2];
}

fn nanoseconds(work: impl FnOnce()) -> u64 {
    let began = Instant::now();
    work();
    u64::try_from(began.elapsed().as_nanos()).expect("a short time")
}

// ---- Rust ---------------------------------------------------------------------------------------------------

struct Rust(Ledger);

impl Side for Rust {
    fn round(&mut self, first: u64, events: u64) -> [u64; 2] {
        let created = nanoseconds(|| {
            for run in first..first + events {
                let run_id = Some(format!("run-{run}"));
                let start = (run == first).then(Default::default);
                let create = Create { label: "an event".into(), run_id, start, ..Create::default() };
                self.0.call(create).expect("created");
            }
        });
        let task = self.0.call(Create { label: "x".into(), start: Some(Default::default()), ..Create::default() });
        let number = task.expect("created").task.task.number;
        let reported = nanoseconds(|| {
            for current in 0..events {
                let report = ProgressRequest {
                    lookup: Lookup::Number(TaskNumber(number.0)),
                    attempt: Some(1),
                    nonce: None,
                    text: Some("on the way".into()),
                    current: Some(current),
                    total: None,
                    unit: None,
                    waiting_on: None,
                    usage: None,
                    artifacts: BTreeMap::new(),
                    lease: None,
                    fill: Fill::default(),
                };
                self.0.call(report).expect("reported");
            }
        });
        [created, reported]
    }
}

// ---- C ------------------------------------------------------------------------------------------------------

type Open = unsafe extern "C" fn(*const c_char, *const OpenC, *mut *mut Handle) -> c_int;
type CreateCall = unsafe extern "C" fn(*mut Handle, *const CreateOptions, *mut u32, *mut *mut Task) -> c_int;
type ProgressCall =
    unsafe extern "C" fn(*mut Handle, *const c_char, *const ProgressOptions, *mut u32, *mut *mut Task) -> c_int;
type End<T> = unsafe extern "C" fn(*mut T) -> c_int;
type Number = unsafe extern "C" fn(*const Task) -> u64;

struct C {
    ledger: *mut Handle,
    create: CreateCall,
    progress: ProgressCall,
    number: Number,
    end: End<Task>,
    close: End<Handle>,
}

fn symbol<F: Copy>(library: *mut c_void, name: &str) -> F {
    assert_eq!(size_of::<F>(), size_of::<*mut c_void>());
    let name = CString::new(name).expect("a name");
    // SAFETY: the library is open, and the name ends with a NUL.
    let found = unsafe { libc::dlsym(library, name.as_ptr()) };
    assert!(!found.is_null(), "{name:?}");
    // SAFETY: a function of that name has the type that the header gives it.
    unsafe { std::mem::transmute_copy(&found) }
}

impl C {
    fn open(scratch: &Scratch) -> C {
        let path = native::built().join("libbgledger.so");
        let path = CString::new(path.display().to_string()).expect("a path");
        // SAFETY: the library runs nothing when it is loaded.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!library.is_null(), "{path:?} does not load");
        let open: Open = symbol(library, "bgl_open");
        let ledger = CString::new(scratch.ledger().display().to_string()).expect("a path");
        // SAFETY: zero is a value of each member.
        let mut options: OpenC = unsafe { std::mem::zeroed() };
        options.size = size_of::<OpenC>();
        options.durability = c"relaxed".as_ptr();
        let mut handle = null_mut();
        // SAFETY: every pointer is one.
        assert_eq!(unsafe { open(ledger.as_ptr(), &raw const options, &raw mut handle) }, 0);
        C {
            ledger: handle,
            create: symbol(library, "bgl_create"),
            progress: symbol(library, "bgl_progress"),
            number: symbol(library, "bgl_task_number"),
            end: symbol(library, "bgl_task_free"),
            close: symbol(library, "bgl_close"),
        }
    }

    fn record(&self, run_id: *const c_char, start: i64) -> *mut Task {
        // SAFETY: zero is a value of each member.
        let mut options: CreateOptions = unsafe { std::mem::zeroed() };
        options.size = size_of::<CreateOptions>();
        options.label = c"an event".as_ptr();
        options.run_id = run_id;
        options.start = start;
        let mut task = null_mut();
        // SAFETY: every pointer is one.
        assert_eq!(unsafe { (self.create)(self.ledger, &raw const options, null_mut(), &raw mut task) }, 0);
        task
    }
}

impl Side for C {
    fn round(&mut self, first: u64, events: u64) -> [u64; 2] {
        let created = nanoseconds(|| {
            for run in first..first + events {
                let run_id = CString::new(format!("run-{run}")).expect("a name");
                let task = self.record(run_id.as_ptr(), (run == first).into());
                // SAFETY: it is open.
                unsafe { (self.end)(task) };
            }
        });
        let task = self.record(null(), 1);
        // SAFETY: it is open.
        let number = unsafe { (self.number)(task) };
        let reported = nanoseconds(|| {
            for current in 0..events {
                let current = i64::try_from(current).expect("a count");
                let lookup = CString::new(number.to_string()).expect("a name");
                // SAFETY: zero is a value of each member.
                let mut options: ProgressOptions = unsafe { std::mem::zeroed() };
                options.size = size_of::<ProgressOptions>();
                options.attempt = 1;
                options.text = c"on the way".as_ptr();
                options.current = &raw const current;
                let (ledger, lookup) = (self.ledger, lookup.as_ptr());
                // SAFETY: every pointer is one.
                let code = unsafe { (self.progress)(ledger, lookup, &raw const options, null_mut(), null_mut()) };
                assert_eq!(code, 0);
            }
        });
        // SAFETY: it is open.
        unsafe { (self.end)(task) };
        [created, reported]
    }
}

impl Drop for C {
    fn drop(&mut self) {
        // SAFETY: it is open.
        unsafe { (self.close)(self.ledger) };
    }
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse().ok());
    let events: u64 = numbers.next().unwrap_or(500);
    let rounds: u64 = numbers.next().unwrap_or(40);
    let (ours, theirs) = (Scratch::in_memory(), Scratch::in_memory());
    let options = OpenOptions { durability: Some(Durability::Relaxed), ..OpenOptions::default() };
    let mut rust = Rust(Ledger::open(&ours.ledger(), options).expect("the ledger opens"));
    let mut c = C::open(&theirs);
    let mut taken: [[Vec<u64>; 2]; 2] = Default::default();
    for round in 0..rounds + 1 {
        let first = round * events;
        // Whoever begins changes, so that nobody has the warmer cache each time.
        let [one, other] = match round % 2 {
            0 => [rust.round(first, events), c.round(first, events)],
            _ => {
                let c = c.round(first, events);
                [rust.round(first, events), c]
            }
        };
        // The first round opens files and fills caches.
        if round > 0 {
            for (side, times) in [one, other].into_iter().enumerate() {
                times.into_iter().enumerate().for_each(|(step, time)| taken[side][step].push(time));
            }
        }
    }
    for (step, name) in ["create", "progress"].into_iter().enumerate() {
        let median = |side: usize| {
            let mut times = taken[side][step].clone();
            times.sort_unstable();
            times[times.len() / 2] as f64 / events as f64
        };
        let mut ratios: Vec<f64> =
            taken[1][step].iter().zip(&taken[0][step]).map(|(c, rust)| *c as f64 / *rust as f64).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        println!(
            "{name:9} Rust {:7.1} µs   C {:7.1} µs   C/Rust {:.3} (median of {rounds} rounds of {events})",
            median(0) / 1_000.0,
            median(1) / 1_000.0,
            ratios[ratios.len() / 2]
        );
    }
}
