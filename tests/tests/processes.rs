//! Eight processes record into one ledger at once.

use bgledger_store::platform::monotonic_ms;
use bgledger_tests::dice::{Dice, count};
use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::pipe::Piped;
use bgledger_tests::scratch::Scratch;
use serde_json::Value;
use std::collections::BTreeMap;

const PROCESSES: u64 = 8;
/// Tasks that every process reports on.
const SHARED: u64 = 4;

/// What one process was told.
#[derive(Debug, Default)]
struct Told {
    /// The last acknowledged status of the tasks that only this process touches.
    own: BTreeMap<u64, String>,
    /// Acknowledged reports on the shared tasks.
    shared_reports: BTreeMap<u64, u64>,
    /// The longest wait for an answer, in milliseconds.
    longest: i64,
}

fn one_process(mut process: Piped, name: u64, operations: usize, mut dice: Dice) -> Told {
    let mut told = Told::default();
    let mut open: Vec<u64> = Vec::new();
    let mut done = 0;
    while done < operations {
        let target = (!open.is_empty()).then(|| *dice.pick(&open));
        let request = match (dice.below(20), target) {
            (0..6, _) | (_, None) => format!(
                r#"{{"create": {{"label": "process {name}, {done}", "run_id": "{name}-{done}", "metadata": {{"process": {name}}}}}}}"#
            ),
            (6..9, Some(task)) => format!(r#"{{"start": {{"lookup": {task}}}}}"#),
            (9..11, Some(task)) => {
                format!(r#"{{"progress": {{"lookup": {task}, "text": "step {done}", "current": {done}}}}}"#)
            }
            (11..12, Some(task)) => format!(r#"{{"heartbeat": {{"lookup": {task}}}}}"#),
            (12..14, Some(task)) => {
                format!(r#"{{"finish": {{"lookup": {task}, "status": "succeeded", "summary": "well"}}}}"#)
            }
            (14..15, Some(task)) => {
                format!(r#"{{"finish": {{"lookup": {task}, "status": "failed", "reason": "error"}}}}"#)
            }
            (15..16, Some(task)) => format!(r#"{{"cancel": {{"lookup": {task}}}}}"#),
            (16..17, Some(task)) => format!(r#"{{"notify": {{"lookup": {task}, "policy": "state_changes"}}}}"#),
            (17..18, Some(_)) => r#"{"list": {"active": true, "limit": 20}}"#.to_owned(),
            (_, Some(_)) => {
                let shared = 1 + dice.below(SHARED);
                format!(r#"{{"progress": {{"lookup": {shared}, "text": "by {name} at {done}"}}}}"#)
            }
        };
        let asked = monotonic_ms();
        let response = process.ask(&request).expect("an answer");
        told.longest = told.longest.max(monotonic_ms() - asked);
        done += 1;
        note(&mut told, &mut open, &request, &response);
    }
    told
}

/// Remembers what was acknowledged; anything but success or a refusal by the rules fails the test.
fn note(told: &mut Told, open: &mut Vec<u64>, request: &str, response: &Value) {
    if let Some(error) = response.get("error") {
        assert_eq!(error["class"], "refused", "{request}: {response}");
        return;
    }
    let task = &response["ok"]["task"];
    let Some(number) = task["number"].as_u64() else { return };
    if number <= SHARED {
        assert_eq!(response["ok"]["changed"], true, "{request}: {response}");
        *told.shared_reports.entry(number).or_default() += 1;
        return;
    }
    let status = task["status"].as_str().expect("a status");
    if told.own.insert(number, status.to_owned()).is_none() {
        open.push(number);
    }
    if !["queued", "running"].contains(&status) {
        open.retain(|other| *other != number);
    }
}

#[test]
fn eight_processes_and_a_thousand_operations_each() {
    let operations = count("BGLEDGER_PROCESS_OPERATIONS", 1_000);
    let seed = Dice::seed("BGLEDGER_PROCESS_SEED", 1);
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let mut first = Piped::on(&path);
    for shared in 1..=SHARED {
        let created = first.ok(r#"{"create": {"label": "shared", "start": {}}}"#);
        assert_eq!(created["task"]["number"], shared);
    }
    let told: Vec<Told> = std::thread::scope(|scope| {
        let processes: Vec<_> = (0..PROCESSES)
            .map(|name| {
                let process = Piped::on(&path);
                scope.spawn(move || one_process(process, name, operations, Dice::new(seed + name)))
            })
            .collect();
        processes.into_iter().map(|process| process.join().expect("a process that was answered")).collect()
    });
    let waits: Vec<i64> = told.iter().map(|told| told.longest).collect();
    eprintln!("longest waits, in milliseconds: {waits:?}");

    // Nothing lost, nothing invented: every acknowledged status is the recorded one, and there are no other tasks.
    let recorded: BTreeMap<u64, String> =
        ask_sqlite(&path, "SELECT number || ' ' || status FROM task WHERE number > 4")
            .lines()
            .map(|line| {
                let (number, status) = line.split_once(' ').expect("two columns");
                let status = ["queued", "running", "succeeded", "failed", "timed_out", "cancelled", "lost"]
                    [status.parse::<usize>().expect("a status") - 1];
                (number.parse().expect("a number"), status.to_owned())
            })
            .collect();
    let acknowledged: BTreeMap<u64, String> = told.iter().flat_map(|told| told.own.clone()).collect();
    assert_eq!(recorded, acknowledged);
    for shared in 1..=SHARED {
        let reports: u64 = told.iter().filter_map(|told| told.shared_reports.get(&shared)).sum();
        let counted = ask_sqlite(&path, &format!("SELECT progress_reports FROM task WHERE number = {shared}"));
        assert_eq!(counted, reports.to_string(), "reports on #{shared}");
        let events = ask_sqlite(&path, &format!("SELECT count(*) FROM event WHERE task = {shared}"));
        assert_eq!(events, (2 + reports.min(1_000)).to_string(), "events of #{shared}");
    }
    assert_sound(&path);
    drop(first);
    assert_sound(&path);
}

/// Concurrent creations with one key make one row, across processes.
#[test]
fn one_run_id_makes_one_task_however_many_ask() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let mut processes: Vec<Piped> = (0..PROCESSES).map(|_| Piped::on(&path)).collect();
    for round in 1..=20_u64 {
        let request = format!(r#"{{"create": {{"label": "once", "run_id": "run-{round}"}}}}"#);
        processes.iter_mut().for_each(|process| process.send(&request).expect("asked"));
        let answers: Vec<Value> = processes.iter_mut().map(|process| process.receive().expect("an answer")).collect();
        let created = answers.iter().filter(|answer| answer["ok"]["created"] == true).count();
        assert_eq!(created, 1, "{answers:#?}");
        assert!(answers.iter().all(|answer| answer["ok"]["task"]["number"] == round), "{answers:#?}");
    }
    assert_sound(&path);
}

/// The first record of all makes the file: whoever is first, the others find it whole.
#[test]
fn eight_processes_make_one_ledger() {
    for _ in 0..5 {
        let scratch = Scratch::new();
        let path = scratch.ledger();
        let mut processes: Vec<Piped> = (0..PROCESSES).map(|_| Piped::on(&path)).collect();
        processes.iter_mut().for_each(|process| process.send(r#"{"create": {"label": "first"}}"#).expect("asked"));
        let mut numbers: Vec<u64> = processes
            .iter_mut()
            .map(|process| process.receive().expect("an answer"))
            .map(|answer| answer["ok"]["task"]["number"].as_u64().unwrap_or_else(|| panic!("{answer}")))
            .collect();
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(1..=PROCESSES), "{numbers:?}");
        assert_sound(&path);
    }
}
