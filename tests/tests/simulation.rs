//! The whole ledger, under a clock, ids, faults and an order of actors that all come from a seed: each answer is the
//! model's, and the same seed makes the same file, byte for byte.
//!
//! `BGLEDGER_SIMULATIONS` says how many seeds are played, each twice, `BGLEDGER_SIMULATION_SEED` the first. Seeds that
//! failed once stand in `tests/seeds/simulation.txt` and are played first.

use bgledger_tests::dice::{Dice, count};
use bgledger_tests::simulation::{govern, play};
use std::process::Command;

/// How many seeds one process plays.
const AT_ONCE: u64 = 500;
const FAILED: &str = include_str!("../seeds/simulation.txt");

#[test]
fn the_same_seed_makes_the_same_ledger_and_each_answer_is_the_models() {
    let seeds = count("BGLEDGER_SIMULATIONS", 200) as u64;
    let first = Dice::seed("BGLEDGER_SIMULATION_SEED", 1);
    let failed = FAILED.lines().filter(|line| !line.starts_with('#')).map(|line| line.parse().expect("a seed"));
    failed.for_each(|seed: u64| in_a_child(seed, 1));
    let mut played = 0;
    while played < seeds {
        let more = AT_ONCE.min(seeds - played);
        in_a_child(first + played, more);
        played += more;
    }
}

/// Plays some seeds in a process whose random bytes are governed.
fn in_a_child(first: u64, seeds: u64) {
    let mut child = Command::new(std::env::current_exe().expect("a running program"));
    child.args(["--exact", "played_by_a_child", "--ignored", "--nocapture"]);
    child.env("BGLEDGER_SIMULATION_SEED", first.to_string()).env("BGLEDGER_SIMULATIONS", seeds.to_string());
    govern(&mut child);
    let output = child.output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    print!("{}", told.lines().find(|line| line.contains("seeds")).map(|line| format!("{line}\n")).unwrap_or_default());
}

#[test]
#[ignore = "only a process whose random bytes are governed can play it"]
fn played_by_a_child() {
    let seeds = count("BGLEDGER_SIMULATIONS", 1) as u64;
    let first = Dice::seed("BGLEDGER_SIMULATION_SEED", 1);
    let (mut requests, mut struck, mut unknown, mut files) = (0, 0, 0, std::collections::BTreeSet::new());
    for seed in first..first + seeds {
        let [one, other] = [play(seed), play(seed)];
        let again = format!("BGLEDGER_SIMULATION_SEED={seed} BGLEDGER_SIMULATIONS=1 repeats it");
        let one = one.unwrap_or_else(|problem| panic!("{again}: {problem}"));
        let other = other.unwrap_or_else(|problem| panic!("{again}, the second time: {problem}"));
        let differs = one.answers.iter().zip(&other.answers).find(|(one, other)| one != other);
        assert_eq!(differs, None, "{again}: an answer differs the second time");
        let place = one.file.iter().zip(&other.file).position(|(one, other)| one != other);
        assert_eq!((place, one.file.len()), (None, other.file.len()), "{again}: the file differs the second time");
        requests += one.answers.len();
        struck += one.struck;
        unknown += one.unknown;
        files.insert(one.file);
    }
    assert_eq!(files.len() as u64, seeds, "every seed makes a ledger of its own");
    println!("{seeds} seeds from {first}, {requests} requests, {struck} of them struck, {unknown} unknown");
}
