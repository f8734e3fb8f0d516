//! Fuzzing on stable Rust: inputs are mutations of our own vectors, exports and databases, drawn from a seed. None of
//! them may panic, hang, take much memory or be answered with a fault of ours.

mod mutate;
mod requests;

pub use mutate::{mutated, mutated_json, odd_scalar};
pub use requests::{Corpus, may_be_asked};

use crate::dice::{Dice, count};
use bgledger_core::ErrorClass;
use bgledger_store::platform::monotonic_ms;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One that takes longer has not ended: the process is.
const HANGS_MS: i64 = 300_000;
/// One that takes longer is told in the long run's report.
const SLOW_MS: i64 = 1_000;
/// What one input may take beside what it is: 64 MiB.
const MOST_KIB: u64 = 64 * 1024;

/// How many inputs, and their source.
pub fn drawn(default: usize) -> (usize, Dice) {
    (count("BGLEDGER_INPUTS", default), Dice::new(Dice::seed("BGLEDGER_INPUT_SEED", 1)))
}

/// The input that is being looked at: since when, and what it is.
type Current = Arc<Mutex<Option<(i64, String)>>>;

/// What the inputs of one fuzzer come to. Memory is the process's: fuzzers take turns.
#[derive(Debug)]
pub struct Meter {
    name: &'static str,
    began: i64,
    inputs: u64,
    accepted: u64,
    slow: Vec<(i64, String)>,
    slowest: (i64, String),
    most: (u64, String),
    current: Current,
    _turn: MutexGuard<'static, ()>,
}

impl Meter {
    /// A fuzzer's, from now on.
    pub fn new(name: &'static str) -> Meter {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let current = Current::default();
        let watched = Arc::downgrade(&current);
        std::thread::spawn(move || {
            while let Some(current) = watched.upgrade() {
                if let Some((since, input)) = &*current.lock().unwrap_or_else(PoisonError::into_inner)
                    && monotonic_ms() - since > HANGS_MS
                {
                    eprintln!("it hangs: {input}");
                    std::process::abort();
                }
                drop(current);
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        let none = || (0, String::new());
        Meter {
            name,
            began: monotonic_ms(),
            inputs: 0,
            accepted: 0,
            slow: Vec::new(),
            slowest: (0, String::new()),
            most: none(),
            current,
            _turn: turn,
        }
    }

    /// Looks at one input of so many bytes; `told` says what it is. The work answers whether it was accepted.
    pub fn one(&mut self, bytes: usize, told: &dyn Fn() -> String, work: impl FnOnce() -> bool) -> bool {
        let brief = || told().chars().take(2_000).collect::<String>();
        let (since, before) = (monotonic_ms(), peak_from_now());
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some((since, brief()));
        let telling = Telling(&self.current);
        let accepted = work();
        drop(telling);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let (took, taken) = (monotonic_ms() - since, peak().saturating_sub(before));
        self.inputs += 1;
        self.accepted += u64::from(accepted);
        if took > self.slowest.0 {
            self.slowest = (took, brief());
        }
        if took > SLOW_MS {
            self.slow.push((took, brief()));
        }
        if taken > self.most.0 {
            self.most = (taken, brief());
        }
        let allowed = MOST_KIB * (bytes as u64).div_ceil(1024 * 1024).max(1);
        assert!(taken <= allowed, "{bytes} bytes take {taken} KiB: {}", brief());
        accepted
    }

    /// How many there were.
    pub fn inputs(&self) -> u64 {
        self.inputs
    }

    /// Says what they came to, and fails if not one of so many was accepted: they would show nothing.
    pub fn tell(self, one_of: u64) {
        let short = |text: &str| text.chars().take(200).collect::<String>();
        let Meter { name, inputs, accepted, .. } = self;
        let seconds = (monotonic_ms() - self.began) / 1_000;
        eprintln!("{name}: {inputs} inputs in {seconds} s, {accepted} accepted, {} over a second", self.slow.len());
        eprintln!("{name}: the slowest took {} ms: {}", self.slowest.0, short(&self.slowest.1));
        eprintln!("{name}: the largest took {} KiB: {}", self.most.0, short(&self.most.1));
        self.slow.iter().take(20).for_each(|(took, input)| eprintln!("{name}: {took} ms: {}", short(input)));
        assert!(accepted * one_of >= inputs, "{name}: {accepted} of {inputs}");
    }
}

/// Says which input it was, if that panics.
struct Telling<'a>(&'a Current);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some((_, input)) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner)
        {
            eprintln!("the input: {input}");
        }
    }
}

/// Has the kernel forget how much memory the process has had at most, and answers what it has (KiB).
fn peak_from_now() -> u64 {
    fs::write("/proc/self/clear_refs", "5").expect("Linux");
    peak()
}

/// The most memory that the process has had since (KiB).
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// A response. What it echoes may be a number that no program has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Response<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ok: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<Value>,
}

/// The same of a ledger that nobody has damaged: nor is damage an answer.
pub fn judged_of_sound(answer: &str) -> bool {
    assert!(!answer.contains(r#""class":"ledger""#), "{answer}");
    judged(answer)
}

/// Whether an answer is a success. Anything but a response, or a fault of ours, is a panic.
pub fn judged(answer: &str) -> bool {
    let Response { id, ok, error } =
        serde_json::from_str(answer).unwrap_or_else(|problem| panic!("{problem}: {answer}"));
    assert!(ok.is_some() != error.is_some(), "{id:?}: {answer}");
    if let Some(error) = error {
        assert_ne!(error["class"], ErrorClass::Internal.as_str(), "{answer}");
        assert!(error["code"].is_string() && error["message"].is_string(), "{answer}");
    }
    ok.is_some()
}
