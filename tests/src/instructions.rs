//! Instructions of a fixed workload, counted by valgrind: the same on every machine but for the places of things in
//! memory.

use crate::binary::{self, bgledger, workspace};
use crate::scratch::Scratch;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Counts within so many hundredths of what is kept are equal.
const TOLERANCE: f64 = 3.0;
const LIVES: u64 = 200;

/// What is counted: requests of one kind, for each of the lives.
const STEPS: [&str; 5] = ["create", "start", "progress", "finish", "list"];

fn request(step: &str, number: u64) -> String {
    match step {
        "create" => format!(r#"{{"create": {{"label": "a life", "run_id": "run-{number}"}}}}"#),
        "start" => format!(r#"{{"start": {{"lookup": {number}, "executor": "external"}}}}"#),
        "progress" => format!(
            r#"{{"progress": {{"lookup": {number}, "attempt": 1, "text": "half way", "current": 5, "total": 10}}}}"#
        ),
        "finish" => format!(
            r#"{{"finish": {{"lookup": {number}, "attempt": 1, "status": "succeeded", "summary": "all ten files read"}}}}"#
        ),
        _ => r#"{"list": {}}"#.to_owned(),
    }
}

/// Instructions of the whole program for the first so many steps of every life.
fn count(steps: usize) -> u64 {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let folder = path.parent().expect("a folder");
    let mut requests = String::new();
    for step in &STEPS[..steps] {
        (1..=LIVES).for_each(|number| writeln!(requests, "{}", request(step, number)).expect("a text"));
    }
    let input = folder.join("requests");
    fs::write(&input, requests).expect("a file");
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(bgledger())
        .arg("--ledger")
        .arg(&path)
        .args(["--durability", "relaxed", "call"])
        .stdin(fs::File::open(&input).expect("a file"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = valgrind.output().expect("valgrind, which tests/prepare installs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let answers = String::from_utf8_lossy(&output.stdout);
    let done = answers.lines().filter(|line| line.contains(r#""ok""#)).count();
    assert_eq!(done as u64, steps as u64 * LIVES, "{answers}");
    let collected = said.lines().find_map(|line| line.split_once("Collected :")).expect("a count").1;
    collected.trim().parse().expect("a number")
}

fn kept() -> PathBuf {
    workspace().join("tests/counts/instructions.json")
}

/// Counts, and compares with what is kept for a profile. `BGLEDGER_BLESS=1` keeps what is counted.
///
/// Panics if anything differs by more than three hundredths: a gain is to be kept as well, so that it is not lost again.
pub fn compare(profile: &str) {
    assert_eq!(profile, binary::profile(), "the counts of another profile");
    let totals: Vec<u64> = (0..=STEPS.len()).map(count).collect();
    let each = totals.windows(2).map(|pair| (pair[1].saturating_sub(pair[0])) / LIVES);
    let mut counted: Map<String, Value> =
        STEPS.iter().zip(each).map(|(step, count)| ((*step).to_owned(), json!(count))).collect();
    counted.insert("start and end of the program".into(), json!(totals[0]));
    let text = fs::read_to_string(kept()).unwrap_or_else(|_| "{}".into());
    let mut all: Map<String, Value> = serde_json::from_str(&text).expect("what is kept");
    if std::env::var_os("BGLEDGER_BLESS").is_some() {
        all.insert(profile.into(), Value::Object(counted));
        let text = serde_json::to_string_pretty(&all).expect("JSON");
        fs::write(kept(), text + "\n").expect("a file");
        return;
    }
    let mut differences = String::new();
    for (what, count) in &counted {
        let (count, before) = (count.as_f64().unwrap_or(0.0), all[profile][what].as_f64().unwrap_or(0.0));
        let change = (count - before) / before * 100.0;
        println!("{what}: {count} instructions, {change:+.1} %");
        if change.is_nan() || change.abs() > TOLERANCE {
            writeln!(differences, "{what}: {before} instructions became {count} ({change:+.1} %)").expect("a text");
        }
    }
    assert!(
        differences.is_empty(),
        "{differences}If that is meant, keep it: BGLEDGER_BLESS=1 and the same command again; see CONTRIBUTING.md"
    );
}
