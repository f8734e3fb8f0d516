//! Many threads of one process, durable: beside the same threads that take a mutex around a connection of their own
//! making, which syncs each commit. And batches of `call` beside single operations.
//!
//! ```sh
//! cargo bench --package bgledger-tests --bench threads
//! ```
//!
//! Every thread creates one task after the other, each acknowledged when it is on the disk. The loaded machine has
//! twice as many busy loops as processors, which the bench starts and ends. Syncs are counted in a process of their own,
//! exactly, by a library before the C library.

use bgledger_core::config::Durability;
use bgledger_tests::bench::by_hand::ByHand;
use bgledger_tests::bench::guard::assert_honest;
use bgledger_tests::bench::load::Load;
use bgledger_tests::bench::worker::{Ours, Tally};
use bgledger_tests::bench::{Goal, Size, Table, in_turns, load_average, now, number, ours_to_theirs, wanted};
use bgledger_tests::fault::{Calls, Fault, Faults};
use bgledger_tests::scratch::Scratch;
use std::cell::Cell;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const THREADS: [usize; 5] = [1, 2, 4, 8, 16];
const COUNTER: &str = "--count-syncs";

/// Threads that each do one operation after the other for a while.
fn crowd(threads: usize, window: Duration, create: &(dyn Fn(u64) + Sync), next: &AtomicU64) -> Tally {
    let until = now() + u64::try_from(window.as_nanos()).expect("a short time");
    let one = || {
        let mut tally = Tally::default();
        while now() < until {
            let began = now();
            create(next.fetch_add(1, Ordering::Relaxed));
            tally.count(began, true);
        }
        tally
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let tallies = all.into_iter().map(|thread| thread.join().expect("a thread"));
        tallies.fold(Tally::default(), |sum, one| Tally {
            done: sum.done + one.done,
            locked: 0,
            longest: sum.longest.max(one.longest),
        })
    })
}

/// The goals of the rate and of the longest wait.
fn goals(threads: usize, is_loaded: bool) -> (Goal, Goal) {
    match (threads, is_loaded) {
        (1, false) => (Goal::AtLeast(0.95), Goal::None),
        (8, false) => (Goal::AtLeast(2.5), Goal::AtMost(0.15)),
        (8, true) => (Goal::AtLeast(5.0), Goal::AtMost(0.15)),
        (16, false) => (Goal::AtLeast(3.2), Goal::AtMost(0.15)),
        (16, true) => (Goal::AtLeast(9.0), Goal::AtMost(0.15)),
        _ => (Goal::None, Goal::None),
    }
}

fn beside_a_mutex(size: Size, is_loaded: bool) {
    let load = is_loaded.then(Load::start);
    let window = Duration::from_millis(size.of(200, 400));
    let title = if load.is_some() { "Threads, full, loaded" } else { "Threads, full, quiet" };
    let title = format!("{title} (load {})", load_average());
    let mut table = Table::new(&title, "ledger", "mutex around FULL commits");
    for threads in THREADS {
        let scratch = [Scratch::new(), Scratch::new()];
        let paths = [scratch[0].ledger(), scratch[1].ledger()];
        paths.iter().for_each(|path| ByHand::lay_out(path));
        let ours = Ours::open(&paths[0], Durability::Full, PATIENCE);
        let by_hand = Mutex::new(ByHand::open(&paths[1], Durability::Full, PATIENCE));
        let (our_next, by_hand_next) = (AtomicU64::new(1), AtomicU64::new(1));
        let pairs = in_turns(
            size.pairs(),
            || crowd(threads, window, &|run| assert!(ours.create(run).expect("created") > 0), &our_next),
            || {
                let create = |run| assert!(by_hand.lock().expect("a mutex").create(run).expect("created") > 0);
                crowd(threads, window, &create, &by_hand_next)
            },
        );
        let (rate, wait) = goals(threads, is_loaded);
        let per_second = |tally: &Tally| tally.done as f64 / window.as_secs_f64();
        let rates: Vec<_> = pairs.iter().map(|(ours, theirs)| (per_second(ours), per_second(theirs))).collect();
        table.pairs(&format!("{threads} threads, operations a second"), &rates, ours_to_theirs, rate);
        let ms = |tally: &Tally| tally.longest as f64 / 1e6;
        let waits: Vec<_> = pairs.iter().map(|(ours, theirs)| (ms(ours), ms(theirs))).collect();
        table.pairs(&format!("{threads} threads, longest wait, ms"), &waits, ours_to_theirs, wait);
        drop((ours, by_hand));
        let sum = |of: &dyn Fn(&(Tally, Tally)) -> u64| 1 + pairs.iter().map(of).sum::<u64>();
        assert_honest(&paths[0], sum(&|pair| pair.0.done), true);
        assert_honest(&paths[1], sum(&|pair| pair.1.done), false);
    }
    table.print();
}

// ---- syncs --------------------------------------------------------------------------------------------------

const COUNTED: u32 = 1 << 30;

/// The process in which they are counted: so many threads, so many operations each.
fn count(path: &Path, threads: usize, each: u64) {
    let ours = Ours::open(path, Durability::Full, PATIENCE);
    std::thread::scope(|scope| {
        for thread in 0..threads as u64 {
            let ours = &ours;
            scope.spawn(move || {
                for run in 0..each {
                    ours.create(1 + thread * each + run).expect("created");
                }
            });
        }
    });
}

fn syncs(size: Size) {
    let mut table = Table::new("Syncs of one acknowledged durable create", "syncs", "operations");
    for (threads, goal) in [(1, Goal::AtMost(1.05)), (8, Goal::None), (16, Goal::AtMost(0.2))] {
        let each: u64 = size.of(100, 500) / threads as u64 * 4;
        let ratios: Vec<f64> = (0..size.of(1, 3))
            .map(|_| {
                let scratch = Scratch::new();
                let path = scratch.ledger();
                ByHand::lay_out(&path);
                let faults = Faults::new(path.with_file_name("orders"));
                faults.order(Calls::Sync, COUNTED, Fault::Io);
                let mut child = Command::new(std::env::current_exe().expect("this program"));
                child.arg(COUNTER).arg(&path).arg(threads.to_string()).arg(each.to_string());
                faults.govern(&mut child);
                assert!(child.status().expect("a child").success());
                let operations = each * threads as u64;
                let counted = COUNTED - faults.left();
                faults.relent();
                assert_honest(&path, 1 + operations, true);
                f64::from(counted) / operations as f64
            })
            .collect();
        let operations = each * threads as u64;
        table.row(&format!("{threads} threads"), "", &operations.to_string(), &ratios, goal);
    }
    table.print();
}

// ---- batches ------------------------------------------------------------------------------------------------

/// Requests of whole lives, four a task.
fn lives(first: u64, tasks: u64) -> Vec<String> {
    let life = |run: u64| {
        let of_run = format!(r#""lookup":"run:b-{run}""#);
        [
            format!(r#"{{"create":{{"label":"a life","run_id":"b-{run}"}}}}"#),
            format!(r#"{{"start":{{{of_run},"executor":"external"}}}}"#),
            format!(r#"{{"progress":{{{of_run},"attempt":1,"text":"half way","current":5,"total":10}}}}"#),
            format!(r#"{{"finish":{{{of_run},"attempt":1,"status":"succeeded","summary":"all ten files read"}}}}"#),
        ]
    };
    (first..first + tasks).flat_map(life).collect()
}

fn batches(size: Size, durability: Durability) {
    let is_full = durability == Durability::Full;
    let scratch = if is_full { Scratch::new() } else { Scratch::in_memory() };
    let path = scratch.ledger();
    ByHand::lay_out(&path);
    let ours = Ours::open(&path, durability, PATIENCE);
    let what = if is_full { "full, on the disk" } else { "relaxed, in memory" };
    let title = format!("Batches of `call`, {what} (load {})", load_average());
    let mut table = Table::new(&title, "a batch, operations/s", "singly, operations/s");
    let (next, done) = (Cell::new(1), Cell::new(0));
    let measure = |batch: usize, operations: u64| {
        let requests = lives(next.replace(next.get() + operations / 4), operations / 4);
        done.set(done.get() + requests.len() as u64);
        let texts: Vec<&str> = requests.iter().map(String::as_str).collect();
        let began = now();
        match batch {
            1 => texts.iter().for_each(|text| assert!(ours.0.answer(text).contains("\"ok\""), "{text}")),
            _ => texts.chunks(batch).for_each(|chunk| {
                ours.0.answer_all(chunk, |answer| assert!(answer.contains("\"ok\""), "{answer}"));
            }),
        }
        operations as f64 / (now() - began) as f64 * 1e9
    };
    measure(1, 80);
    let goals = match is_full {
        false => [(100, 2.0), (1_000, 2.5)],
        true => [(100, 6.0), (1_000, 10.0)],
    };
    for (batch, goal) in goals {
        let operations = size.of(2_000, 4_000);
        let singly = if is_full { operations / 10 } else { operations };
        let pairs = in_turns(size.pairs(), || measure(batch, operations), || measure(1, singly));
        table.pairs(&format!("batches of {}", number(batch as f64)), &pairs, ours_to_theirs, Goal::AtLeast(goal));
    }
    table.print();
    drop(ours);
    assert_honest(&path, 1 + done.get(), true);
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, path, threads, each] = arguments.as_slice()
        && flag == COUNTER
    {
        return count(Path::new(path), threads.parse().expect("threads"), each.parse().expect("operations"));
    }
    let Some(size) = wanted() else { return };
    beside_a_mutex(size, false);
    beside_a_mutex(size, true);
    syncs(size);
    batches(size, Durability::Relaxed);
    batches(size, Durability::Full);
}
