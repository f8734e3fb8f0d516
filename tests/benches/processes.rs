//! Many processes that write one file, beside the same number of processes by hand with SQLite's `busy_timeout`.
//!
//! ```sh
//! cargo bench --package bgledger-tests --bench processes [-- SECONDS]
//! ```
//!
//! `full`: each creates one task after the other, on the disk. `relaxed`: each records whole lives. A window lasts eight
//! seconds unless told: in shorter ones the waits of `busy_timeout` are cut off. The loaded machine has twice as many
//! busy loops as processors, which the bench starts and ends.

use bgledger_core::config::Durability;
use bgledger_tests::bench::by_hand::ByHand;
use bgledger_tests::bench::guard::assert_honest;
use bgledger_tests::bench::load::Load;
use bgledger_tests::bench::worker::{Crowd, Side, Tally, Work, serve};
use bgledger_tests::bench::{Goal, Size, Table, in_turns, load_average, number, ours_to_theirs, wanted};
use bgledger_tests::scratch::Scratch;
use std::cell::Cell;
use std::time::Duration;

/// Longer than any wait that comes about: nobody gives up.
const PATIENCE: Duration = Duration::from_secs(120);

fn total(tallies: &[Tally]) -> u64 {
    tallies.iter().map(|tally| tally.done).sum()
}

/// What the slowest did of what the fastest did.
fn fairness(tallies: &[Tally]) -> f64 {
    let done = || tallies.iter().map(|tally| tally.done);
    done().min().unwrap_or(0) as f64 / done().max().unwrap_or(1).max(1) as f64
}

fn longest_ms(tallies: &[Tally]) -> f64 {
    tallies.iter().map(|tally| tally.longest).max().unwrap_or(0) as f64 / 1e6
}

/// The goals of the total, of the ledger's fairness and of the longest wait.
fn goals(processes: usize, durability: Durability, is_loaded: bool) -> (Goal, Goal, Goal) {
    match (processes, durability, is_loaded) {
        (8, Durability::Full, false) => (Goal::AtLeast(1.25), Goal::AtLeast(0.85), Goal::AtMost(0.02)),
        (8, Durability::Full, true) => (Goal::AtLeast(6.0), Goal::AtLeast(0.85), Goal::AtMost(0.02)),
        (8, Durability::Relaxed, false) => (Goal::AtLeast(0.65), Goal::AtLeast(0.6), Goal::AtMost(0.02)),
        (2, Durability::Relaxed, false) => (Goal::AtLeast(0.7), Goal::None, Goal::None),
        _ => (Goal::None, Goal::None, Goal::None),
    }
}

fn compare(durability: Durability, counts: &[(usize, usize)], window: Duration, is_loaded: bool) {
    let load = is_loaded.then(Load::start);
    let level = if durability == Durability::Full { "full" } else { "relaxed" };
    let machine = if load.is_some() { "loaded" } else { "quiet" };
    let seconds = number(window.as_secs_f64());
    let title = format!("Processes, {level}, {machine}, windows of {seconds} s (load {})", load_average());
    let mut table = Table::new(&title, "ledger", "busy_timeout");
    for &(processes, pairs) in counts {
        let scratch = [Scratch::new(), Scratch::new()];
        let paths = [scratch[0].ledger(), scratch[1].ledger()];
        paths.iter().for_each(|path| ByHand::lay_out(path));
        let turn = Cell::new(0);
        let crowd = |side: Side, place: usize| {
            turn.set(turn.get() + 1);
            let work = if durability == Durability::Full { Work::Creates } else { Work::Lives };
            let path = &paths[place];
            Crowd { side, work, path, durability, processes, window, patience: PATIENCE, turn: turn.get() }.run()
        };
        let pairs = in_turns(pairs, || crowd(Side::Ours, 0), || crowd(Side::ByHand, 1));
        let of = |figure: &dyn Fn(&[Tally]) -> f64| -> Vec<(f64, f64)> {
            pairs.iter().map(|(ours, theirs)| (figure(ours), figure(theirs))).collect()
        };
        let (rate, fair, wait) = goals(processes, durability, is_loaded);
        let rates = of(&|tallies| total(tallies) as f64 / window.as_secs_f64());
        table.pairs(&format!("{processes} writers, operations a second"), &rates, ours_to_theirs, rate);
        let shares = of(&fairness);
        table.pairs(&format!("{processes} writers, slowest to fastest (ratio: ours)"), &shares, |ours, _| ours, fair);
        table.pairs(&format!("{processes} writers, longest wait, ms"), &of(&longest_ms), ours_to_theirs, wait);
        let (ours, theirs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        assert_honest(&paths[0], 1 + total(&ours.concat()), true);
        assert_honest(&paths[1], 1 + total(&theirs.concat()), false);
    }
    table.print();
}

/// Eight durable writers that give up after the usual five seconds.
fn locked(window: Duration) {
    let seconds = number(window.as_secs_f64());
    let title = format!("Eight durable writers, patience of 5 s, for {seconds} s (load {})", load_average());
    let mut table = Table::new(&title, "ledger", "busy_timeout");
    let run = |side: Side| {
        let scratch = Scratch::new();
        let path = scratch.ledger();
        ByHand::lay_out(&path);
        let (durability, patience) = (Durability::Full, Duration::from_secs(5));
        let crowd =
            Crowd { side, work: Work::Creates, path: &path, durability, processes: 8, window, patience, turn: 1 };
        let tallies = crowd.run();
        assert_honest(&path, 1 + total(&tallies), side == Side::Ours);
        tallies
    };
    let (ours, theirs) = (run(Side::Ours), run(Side::ByHand));
    let refused = |tallies: &[Tally]| tallies.iter().map(|tally| tally.locked).sum::<u64>();
    let (our, their) = (refused(&ours), refused(&theirs));
    let row = "\"database is locked\" (ratio: ours)";
    table.row(row, &our.to_string(), &their.to_string(), &[our as f64], Goal::AtMost(0.0));
    let waits = (number(longest_ms(&ours)), number(longest_ms(&theirs)));
    table.row("longest wait, ms", &waits.0, &waits.1, &[longest_ms(&ours) / longest_ms(&theirs)], Goal::None);
    table.print();
}

fn main() {
    if serve() {
        return;
    }
    let Some(size) = wanted() else { return };
    let told = std::env::args().skip(1).find_map(|argument| argument.parse::<f64>().ok());
    let window = Duration::from_secs_f64(told.unwrap_or(size.of(1.0, 8.0)));
    let (once, twice) = (1, size.of(1, 2));
    let all = [(2, once), (4, once), (8, twice), (16, once)];
    let counts: &[(usize, usize)] = if size == Size::Quick { &all[2..3] } else { &all };
    compare(Durability::Full, counts, window, false);
    compare(Durability::Relaxed, counts, window, false);
    compare(Durability::Full, &[(8, twice)], window, true);
    compare(Durability::Relaxed, &[(8, once)], window, true);
    locked(if told.is_some() || size == Size::Quick { window } else { Duration::from_secs(30) });
}
