//! Planted bugs, and which harness finds which.
//!
//! Each stands in the sources behind `planted("its_name")`, which is constant and false unless the crates were compiled
//! with `BGLEDGER_PLANTED=its_name` and with debug assertions: no release has one.

use crate::binary::workspace;
use std::collections::BTreeSet;
use std::process::{Command, Stdio};

/// The bugs, and what each does.
pub const MUTANTS: [(&str, &str); 12] = [
    ("skip_fsync", "a durable commit does not sync"),
    ("acknowledge_before_commit", "those who share a commit are answered before it"),
    ("memory_first", "what need not be synced is answered from memory and never committed"),
    ("drop_late_finish", "the end that a lost executor reports is dropped"),
    ("two_transactions", "a task's events and its notices are two commits"),
    ("forget_owner", "a task is found whoever owns it"),
    ("close_on_fork", "a forked child closes its parent's connections"),
    ("trust_stale_attempt", "an old attempt is believed"),
    ("order_by_clock", "a list is in the order of the clock"),
    ("prune_live_flow", "a task goes while its flow goes on"),
    ("acknowledge_any_lease", "a notice is acknowledged by whoever names it"),
    ("sweep_without_evidence", "a task of which nothing is known is taken for dead"),
];

/// The harnesses that look for them: a test, which of its tests, and how much of it.
const PANEL: [(&str, &str, &str, &str); 8] = [
    ("power-loss", "power_loss", "", "BGLEDGER_POWER_LOSSES=400"),
    ("io-faults", "io_faults", "", "BGLEDGER_FAULT_STRIDE=23"),
    ("syscalls", "syscalls", "", "BGLEDGER_SYSCALL_STRIDE=23"),
    ("kills", "kills", "", "BGLEDGER_KILLS=100"),
    ("fork", "fork", "", ""),
    ("model", "model", "", ""),
    ("vectors", "conformance", "every_vector_holds_in_this_process", ""),
    ("clock", "clock", "", ""),
];
/// A harness that hangs has found something, too.
const MOST_SECONDS: &str = "300";

/// What a harness came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Something,
}

/// Compiles each bug and runs the harnesses over it; first without any, when they must find nothing. Prints a table, and
/// answers whether each was found. `only`: these alone, if there are any.
pub fn run(only: &[&str]) -> bool {
    let names: Vec<&str> = MUTANTS.iter().map(|(name, _)| *name).collect();
    assert!(only.iter().all(|name| names.contains(name)), "the planted bugs are {names:?}");
    let columns: Vec<&str> = PANEL.iter().map(|(column, ..)| *column).collect();
    println!("| planted | {} |", columns.join(" | "));
    println!("|---|{}", "---|".repeat(columns.len()));
    let is_clean = row("none").is_some_and(|found| found.iter().all(|found| *found == Found::Nothing));
    let wanted = names.into_iter().filter(|name| only.is_empty() || only.contains(name));
    let missed: BTreeSet<&str> = wanted
        .filter(|name| row(name).is_none_or(|found| found.iter().all(|found| *found == Found::Nothing)))
        .collect();
    if !is_clean {
        println!("something is found where nothing is planted");
    }
    if !missed.is_empty() {
        println!("not found: {missed:?}");
    }
    is_clean && missed.is_empty()
}

/// Runs every harness over one bug; `None`: it does not compile.
fn row(name: &str) -> Option<Vec<Found>> {
    if !cargo(name, &["test", "--no-run"], "") {
        println!("| `{name}` | it does not compile |");
        return None;
    }
    let found: Vec<Found> = PANEL
        .iter()
        .map(|(_, test, filter, much)| {
            let passed = cargo(name, &["test", "--test", test, filter], much);
            if passed { Found::Nothing } else { Found::Something }
        })
        .collect();
    let words: Vec<&str> = found.iter().map(|found| if *found == Found::Something { "found" } else { "" }).collect();
    println!("| `{name}` | {} |", words.join(" | "));
    Some(found)
}

/// Whether cargo ends well, in a target folder of its own.
fn cargo(planted: &str, arguments: &[&str], much: &str) -> bool {
    let mut command = Command::new("timeout");
    let patience = if arguments.contains(&"--no-run") { "3600" } else { MOST_SECONDS };
    command.arg(patience).arg(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).args(["--quiet", "--locked", "--package", "bgledger-tests"]);
    command.env("CARGO_TARGET_DIR", workspace().join("target/mutants")).envs(much.split_once('='));
    command.env("BGLEDGER_PLANTED", planted).current_dir(workspace());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("timeout runs").success()
}
