//! Planted bugs, and which harness finds which.
//!
//! Each stands in the sources behind `planted("its_name")`, which is constant and false unless the crates were compiled
//! with `BGLEDGER_PLANTED=its_name` and with debug assertions: no release has one.

use crate::binary::workspace;
use std::process::{Command, Stdio};

/// The bugs, what each does, and the harnesses that must find it.
pub const MUTANTS: [(&str, &str, &[&str]); 15] = [
    ("skip_fsync", "a durable commit does not sync", &["power-loss"]),
    ("tell_unsynced", "what another process has just recorded is told before it is synced", &["power-loss-processes"]),
    ("join_earlier_sync", "a sync that began before the commit is relied on", &["power-loss-processes"]),
    ("acknowledge_before_commit", "those who share a commit are answered before it", &["power-loss"]),
    ("memory_first", "what need not be synced is answered and never committed", &["power-loss", "model"]),
    ("believe_second_sync", "a sync that failed is forgotten when the next one succeeds", &["power-loss"]),
    ("drop_late_finish", "the end that a lost executor reports is dropped", &["model", "vectors"]),
    ("two_transactions", "a task's events and its notices are two commits", &["io-faults"]),
    ("forget_owner", "a task is found whoever owns it", &["model", "vectors"]),
    ("close_on_fork", "a forked child closes its parent's connections", &["fork"]),
    ("trust_stale_attempt", "an old attempt is believed", &["model", "vectors"]),
    ("order_by_clock", "a list is in the order of the clock", &["model", "vectors"]),
    ("prune_live_flow", "a task goes while its flow goes on", &["vectors"]),
    ("acknowledge_any_lease", "a notice is acknowledged by whoever names it", &["vectors"]),
    ("sweep_without_evidence", "a task of which nothing is known is taken for dead", &["model", "vectors"]),
];

/// The harnesses that look for them: a test, how much of it, and what cargo hands on to it.
const PANEL: [(&str, &str, &str, &[&str]); 9] = [
    ("power-loss", "power_loss", "BGLEDGER_POWER_LOSSES=2000", &["--skip", "from_processes"]),
    ("power-loss-processes", "power_loss", "BGLEDGER_POWER_LOSSES=2000", &["from_processes"]),
    ("io-faults", "io_faults", "BGLEDGER_FAULT_STRIDE=23", &[]),
    ("fork", "fork", "", &[]),
    ("model", "model", "", &[]),
    ("vectors", "conformance", "", &["every_vector_holds_in_this_process"]),
    ("syscalls", "syscalls", "BGLEDGER_SYSCALL_STRIDE=23", &[]),
    ("kills", "kills", "BGLEDGER_KILLS=100", &[]),
    ("clock", "clock", "", &[]),
];
/// A harness that hangs has found something, too.
const MOST_SECONDS: &str = "900";

/// What a harness came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Something,
    /// It was not asked.
    NotAsked,
}

/// Compiles each bug and runs the harnesses that must find it, or all; first without any bug, when they must find nothing.
/// Prints a table, and answers whether all that was asked found what it was to find. `only`: these bugs alone, if any;
/// `all` among them: every harness.
pub fn run(only: &[&str]) -> bool {
    let everywhere = only.contains(&"all");
    let only: Vec<&str> = only.iter().copied().filter(|name| *name != "all").collect();
    let known: Vec<&str> = MUTANTS.iter().map(|(name, ..)| *name).collect();
    assert!(only.iter().all(|name| known.contains(name)), "the planted bugs are {known:?}");
    let chosen: Vec<_> = MUTANTS.iter().filter(|(name, ..)| only.is_empty() || only.contains(name)).collect();
    let columns = PANEL.map(|(column, ..)| column);
    println!("| planted | {} |\n|---|{}", columns.join(" | "), "---|".repeat(columns.len()));
    let asked = |wanted: &[&str]| columns.map(|column| everywhere || wanted.contains(&column));
    let all: Vec<&str> = chosen.iter().flat_map(|(.., harnesses)| harnesses.iter().copied()).collect();
    let is_clean = row("nothing", asked(&all)).iter().all(|found| *found != Found::Something);
    let is_found = |(name, _, harnesses): &&(&str, &str, &[&str])| {
        let found = row(name, asked(harnesses));
        columns.iter().zip(found).all(|(column, found)| !harnesses.contains(column) || found == Found::Something)
    };
    let missed: Vec<&str> = chosen.into_iter().filter(|mutant| !is_found(mutant)).map(|(name, ..)| *name).collect();
    if !is_clean {
        println!("something is found where nothing is planted");
    }
    if !missed.is_empty() {
        println!("not found by all that must: {missed:?}");
    }
    is_clean && missed.is_empty()
}

/// Runs some of the harnesses over one bug.
fn row(name: &str, asked: [bool; PANEL.len()]) -> Vec<Found> {
    let mut found = Vec::new();
    for ((_, test, much, handed_on), asked) in PANEL.into_iter().zip(asked) {
        found.push(match asked {
            false => Found::NotAsked,
            true => {
                assert!(cargo(name, test, "", &["--list"]), "{name} does not compile");
                if cargo(name, test, much, handed_on) { Found::Nothing } else { Found::Something }
            }
        });
    }
    let words: Vec<&str> = found
        .iter()
        .map(|found| match found {
            Found::Nothing => "nothing",
            Found::Something => "found",
            Found::NotAsked => "",
        })
        .collect();
    println!("| `{name}` | {} |", words.join(" | "));
    found
}

/// Whether a test of such crates ends well, in a target folder of its own.
fn cargo(planted: &str, test: &str, much: &str, handed_on: &[&str]) -> bool {
    let mut command = Command::new("timeout");
    // Compiling takes as long as it takes.
    command.arg(if handed_on == ["--list"] { "3600" } else { MOST_SECONDS });
    command.arg(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["test", "--quiet", "--locked", "--package", "bgledger-tests", "--test", test, "--"]).args(handed_on);
    command.env("CARGO_TARGET_DIR", workspace().join("target/mutants")).envs(much.split_once('='));
    command.env("BGLEDGER_PLANTED", planted).current_dir(workspace());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("timeout runs").success()
}
