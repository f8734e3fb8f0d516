//! How long it takes from one process's commit until another's wait is over, beside the disk's own sync.
//!
//! ```sh
//! cargo bench --package bgledger-tests --bench waking
//! ```
//!
//! The writer's call is answered after its commit; the time is counted from that answer to the moment at which the
//! watcher, in another process, has read the event. Nothing is polled: the writes come some milliseconds apart, so that
//! the watcher is asleep each time.

use bgledger_core::{Create, Seq, Span, Watch};
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::scratch::Scratch;
use rustix::time::{ClockId, clock_gettime};
use std::fs::OpenOptions as FileOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

const WRITES: usize = 400;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, path] = arguments.as_slice()
        && word == "--listen"
    {
        return listen(Path::new(path));
    }
    // Cargo says `--bench`; a test run says nothing and wants nothing.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let scratch = Scratch::new();
    let ledger = open(&scratch.ledger());
    create(&ledger, 0);
    let mut listener = Command::new(std::env::current_exe().expect("this program"))
        .arg("--listen")
        .arg(scratch.ledger())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(listener.stdout.take().expect("a pipe")).lines();
    let mut next = || -> i64 { lines.next().expect("a line").expect("text").parse().expect("a time") };
    next();
    let (mut calls, mut wakes) = (Vec::new(), Vec::new());
    for write in 1..=WRITES {
        sleep(Duration::from_millis(2 + write as u64 % 3));
        let asked = now();
        create(&ledger, write);
        let answered = now();
        calls.push(answered - asked);
        wakes.push(next() - answered);
    }
    listener.kill().and_then(|()| listener.wait()).expect("it ends");
    println!("{WRITES} commits, microseconds      p50      p99      max");
    tell("the writer's own call", &mut calls);
    tell("its answer to the wake-up", &mut wakes);
    tell("the disk: 8 KiB and fsync", &mut syncs(&scratch));
}

/// Prints when it saw each event.
fn listen(path: &Path) {
    let ledger = open(path);
    let mut after = Seq(0);
    let mut out = std::io::stdout();
    loop {
        let timeout = Some(Span::from_secs(3_600));
        let seen = ledger.call(Watch { after: Some(after), timeout, ..Watch::default() }).expect("events");
        let at = now();
        for _ in &seen.events {
            writeln!(out, "{at}").and_then(|()| out.flush()).expect("a reader");
        }
        after = seen.next;
    }
}

fn open(path: &Path) -> Ledger {
    Ledger::open(path, OpenOptions::default()).expect("a ledger")
}

fn create(ledger: &Ledger, number: usize) {
    ledger.call(Create { label: format!("task {number}"), ..Create::default() }).expect("a task");
}

fn syncs(scratch: &Scratch) -> Vec<i64> {
    let path = scratch.ledger().with_file_name("plain");
    let mut file = FileOptions::new().write(true).create_new(true).open(path).expect("a file");
    let data = [7_u8; 8 * 1024];
    let mut sync = |_| {
        let began = now();
        file.write_all(&data).and_then(|()| file.sync_all()).expect("a sync");
        now() - began
    };
    (0..WRITES).map(&mut sync).collect()
}

fn tell(what: &str, times: &mut [i64]) {
    times.sort_unstable();
    let of = |share: usize| times[(times.len() - 1) * share / 100] as f64 / 1_000.0;
    println!("{what:<28} {:>8.1} {:>8.1} {:>8.1}", of(50), of(99), of(100));
}

fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
