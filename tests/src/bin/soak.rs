//! Long runs of the harnesses, one command each:
//!
//! `cargo run --release -p bgledger-tests --bin soak -- NAME [--count N] [--seed S]`
//!
//! Without a name it tells which there are. It runs the harness's test, as `cargo test` does, and ends as that does.
//! `mutants [all] [BUG…]` compiles each planted bug and shows which harness finds it.

use bgledger_tests::mutants;
use bgledger_tests::soak::{HARNESSES, Harness};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => {
            list();
            ExitCode::SUCCESS
        }
        ["mutants", bugs @ ..] => match mutants::run(bugs) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
        [name, options @ ..] => match (HARNESSES.iter().find(|harness| harness.name == *name), parse(options)) {
            (Some(harness), Some((count, seed))) => run(harness, count, seed),
            _ => {
                eprintln!("usage: soak NAME [--count N] [--seed S]");
                list();
                ExitCode::from(2)
            }
        },
    }
}

fn list() {
    for Harness { name, does, count: (_, much), .. } in HARNESSES {
        println!("{name:<15} {does} ({much})");
    }
    println!("mutants         planted bugs are compiled, and looked for by the harnesses; takes the names of some");
}

/// The count and the seed that were given.
fn parse(options: &[&str]) -> Option<(Option<u64>, Option<u64>)> {
    let (mut count, mut seed) = (None, None);
    for option in options.chunks(2) {
        match option {
            ["--count", value] => count = Some(value.parse().ok()?),
            ["--seed", value] => seed = Some(value.parse().ok()?),
            _ => return None,
        }
    }
    Some((count, seed))
}

fn run(harness: &Harness, count: Option<u64>, seed: Option<u64>) -> ExitCode {
    let Harness { package, test, filter, count: (variable, much), seed: seeded, .. } = *harness;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--release", "--locked", "--package", package, "--test", test, filter]);
    command.args(["--", "--nocapture"]).env(variable, count.unwrap_or(much).to_string());
    if let Some(seed) = seed.filter(|_| !seeded.is_empty()) {
        command.env(seeded, seed.to_string());
    }
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo does not run: {error}");
            ExitCode::FAILURE
        }
    }
}
