//! What one operation costs beside the same reads and writes by hand: rusqlite, the same tables, prepared statements.
//!
//! `cargo bench --package bgledger-tests --bench single [-- LIVES [ROUNDS]]`
//!
//! A life is create, start, progress and finish of one task. Both sides take turns, round by round, each on a file of
//! its own with the ledger's own schema. `relaxed` runs in memory (`/dev/shm`) where there is such a place and is
//! measured in processor time, so that it shows what we compute; `full` runs where temporary files lie and syncs to the
//! disk.

use bgledger_core::config::Durability;
use bgledger_tests::bench::by_hand::ByHand;
use bgledger_tests::bench::guard::assert_honest;
use bgledger_tests::bench::worker::Ours;
use bgledger_tests::bench::{
    Goal, Table, cpu, in_turns, load_average, median, quantile, theirs_to_ours, timed, wanted,
};
use bgledger_tests::scratch::Scratch;
use std::cell::RefCell;
use std::time::Duration;

const STEPS: [&str; 4] = ["create", "start", "progress", "finish"];
const PATIENCE: Duration = Duration::from_secs(5);
const WARM_UP: u64 = 20;

fn ours_lives(ours: &Ours, run: u64) -> [u64; 4] {
    let (number, created) = timed(|| ours.create(run).expect("created"));
    let (_, started) = timed(|| ours.start(number).expect("started"));
    let (_, reported) = timed(|| ours.progress(number).expect("reported"));
    let (_, finished) = timed(|| ours.finish(number).expect("finished"));
    [created, started, reported, finished]
}

fn by_hand_lives(by_hand: &mut ByHand, run: u64) -> [u64; 4] {
    let (number, created) = timed(|| by_hand.create(run).expect("created"));
    let (_, started) = timed(|| by_hand.start(number).expect("started"));
    let (_, reported) = timed(|| by_hand.progress(number).expect("reported"));
    let (_, finished) = timed(|| by_hand.finish(number).expect("finished"));
    [created, started, reported, finished]
}

/// One round: processor time and wall time of one operation, and each step's times, in microseconds.
struct Round {
    cpu: f64,
    wall: f64,
    steps: [Vec<f64>; 4],
}

impl Round {
    fn of(lives: u64, mut life: impl FnMut(u64) -> [u64; 4], from: u64) -> Round {
        let mut steps: [Vec<f64>; 4] = Default::default();
        let (cpu_began, mut wall) = (cpu(), 0.0);
        for run in from..from + lives {
            for (times, nanoseconds) in steps.iter_mut().zip(life(run)) {
                times.push(nanoseconds as f64 / 1e3);
                wall += nanoseconds as f64 / 1e3;
            }
        }
        let operations = lives as f64 * 4.0;
        Round { cpu: (cpu() - cpu_began) as f64 / 1e3 / operations, wall: wall / operations, steps }
    }
}

fn compare(title: &str, scratch: &[Scratch; 2], durability: Durability, lives: u64, rounds: usize) {
    let [ours_at, by_hand_at] = [scratch[0].ledger(), scratch[1].ledger()];
    ByHand::lay_out(&ours_at);
    ByHand::lay_out(&by_hand_at);
    let ours = Ours::open(&ours_at, durability, PATIENCE);
    let by_hand = RefCell::new(ByHand::open(&by_hand_at, durability, PATIENCE));
    // What is prepared once is prepared before it counts.
    (1..=WARM_UP).for_each(|run| {
        ours_lives(&ours, run);
        by_hand_lives(&mut by_hand.borrow_mut(), run);
    });
    let (mut ours_run, mut by_hand_run) = (1_000, 1_000);
    let pairs = in_turns(
        rounds,
        || {
            ours_run += lives;
            Round::of(lives, |run| ours_lives(&ours, run), ours_run)
        },
        || {
            by_hand_run += lives;
            Round::of(lives, |run| by_hand_lives(&mut by_hand.borrow_mut(), run), by_hand_run)
        },
    );
    let mut table = Table::new(
        &format!("{title}: {rounds} rounds of {lives} lives (load {})", load_average()),
        "ledger, µs",
        "by hand, µs",
    );
    let of = |figure: &dyn Fn(&Round) -> f64| -> Vec<(f64, f64)> {
        pairs.iter().map(|(ours, by_hand)| (figure(ours), figure(by_hand))).collect()
    };
    let is_full = durability == Durability::Full;
    let cpu_goal = if is_full { Goal::None } else { Goal::AtLeast(0.72) };
    table.pairs("processor time of an operation", &of(&|round| round.cpu), theirs_to_ours, cpu_goal);
    table.pairs("wall time of an operation, mean", &of(&|round| round.wall), theirs_to_ours, Goal::None);
    for (step, name) in STEPS.iter().enumerate() {
        // Every step but the progress is durable: by the goal at most 1.15 times theirs.
        let goal = if is_full && *name != "progress" { Goal::AtLeast(1.0 / 1.15) } else { Goal::None };
        table.pairs(&format!("{name}, p50"), &of(&|round| median(&round.steps[step])), theirs_to_ours, goal);
    }
    let tail = |round: &Round| quantile(&round.steps.concat(), 0.999);
    table.pairs("any operation, p99.9", &of(&tail), theirs_to_ours, Goal::None);
    table.print();
    drop((ours, by_hand));
    let events = 1 + 4 * (WARM_UP + lives * rounds as u64);
    assert_honest(&ours_at, events, true);
    assert_honest(&by_hand_at, events, false);
}

fn main() {
    let Some(size) = wanted() else { return };
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let lives = numbers.next().unwrap_or(size.of(100, 500)).max(1);
    let rounds = numbers.next().map_or(size.of(3, 9), |rounds| usize::try_from(rounds.max(1)).expect("a few rounds"));
    let memory = [Scratch::in_memory(), Scratch::in_memory()];
    compare("One operation, relaxed, in memory", &memory, Durability::Relaxed, lives, rounds);
    let disk = [Scratch::new(), Scratch::new()];
    compare("One operation, full, on the disk", &disk, Durability::Full, (lives / 5).max(1), rounds);
}
