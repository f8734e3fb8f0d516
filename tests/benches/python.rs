//! What the Python package costs beside the Rust library, and how long it holds up an asyncio loop.
//!
//! ```sh
//! cargo bench --package bgledger-tests --bench python
//! ```
//!
//! A create is measured in CPU time of its process, on a ledger in memory and without syncs, so that nothing but the
//! work itself counts; both sides take turns, and the middle of the rounds' ratios is told.

use bgledger_core::Create;
use bgledger_core::config::Durability;
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::binary::workspace;
use bgledger_tests::scratch::Scratch;
use bgledger_tests::wheel::{must, python};
use rustix::time::{ClockId, clock_gettime};
use std::process::Command;

const ROUNDS: usize = 9;
const CREATES: usize = 3_000;
const TASKS: usize = 500;

fn main() {
    // Cargo says `--bench`; a test run says nothing and wants nothing.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (rust(), bench("creates", CREATES))).collect();
    rounds.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
    let (rust, python) = rounds.get(ROUNDS / 2).copied().unwrap_or_default();
    println!("create, CPU of one:  Rust {:.1} us, Python {:.1} us", rust / 1000.0, python / 1000.0);
    println!("ratio:               {:.2} (goal: 1.08)", python / rust);
    let mut blocks: Vec<f64> = (0..3).map(|_| bench("loop", TASKS)).collect();
    blocks.sort_by(f64::total_cmp);
    println!("asyncio, {TASKS} tasks at once: longest block of the loop {:.1} ms (goal: 20)", blocks[1]);
}

/// CPU nanoseconds of one create through the library.
fn rust() -> f64 {
    let scratch = Scratch::in_memory();
    let options = OpenOptions { durability: Some(Durability::Relaxed), ..OpenOptions::default() };
    let ledger = Ledger::open(&scratch.ledger(), options).expect("a ledger");
    let create = |label: &str, run_id: String, task: Option<&str>| {
        let session = task.map(|_| "chat-7".into());
        let create = Create {
            label: label.into(),
            run_id: Some(run_id),
            task: task.map(Into::into),
            session,
            ..Create::default()
        };
        ledger.call(create).expect("a task");
    };
    (0..200).for_each(|number| create("warm up", format!("w-{number}"), None));
    let began = cpu();
    (0..CREATES).for_each(|number| create("fetch the report", format!("r-{number}"), Some("all of it")));
    (cpu() - began) / CREATES as f64
}

fn cpu() -> f64 {
    #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn bench(what: &str, many: usize) -> f64 {
    let scratch = Scratch::in_memory();
    let said = must(bench_py().arg(what).arg(scratch.ledger()).arg(many.to_string()), "bench.py");
    said.trim().parse().expect("a number")
}

fn bench_py() -> Command {
    let mut command = Command::new(python());
    command.arg(workspace().join("tests/python/bench.py"));
    command
}
