//! What an operation writes and syncs, counted exactly: bytes of the log, calls to `fsync`, bytes of the file.
//!
//! And instructions: a fixed workload of the real program under valgrind, compared with what is kept in
//! `tests/counts/instructions.json`. A change that makes the program do more work shows here although machines are noisy.
//! `cargo bench --package bgledger-tests --bench instructions` does the same for the program as it is released.

use bgledger_core::config::Durability;
use bgledger_core::{Envelope, ExecutorSpec};
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::fault::{Calls, Fault, Faults};
use bgledger_tests::instructions;
use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::scratch::Scratch;
use rusqlite::Connection;
use std::path::Path;

fn open(path: &Path) -> Ledger {
    let (durability, executor) = (Some(Durability::Relaxed), ExecutorSpec::This);
    Ledger::open(path, OpenOptions { durability, executor, ..OpenOptions::default() }).expect("the ledger opens")
}

fn ask(ledger: &Ledger, request: &str) {
    let request = Envelope::parse(request).request.expect("a request");
    ledger.request(request).expect("recorded");
}

fn create(ledger: &Ledger, number: u64, notify: &str) {
    ask(ledger, &format!(r#"{{"create": {{"label": "a life", "run_id": "run-{number}", "notify": "{notify}"}}}}"#));
}

/// As a host records it: its own work, and how far it is.
fn live(ledger: &Ledger, number: u64) {
    ask(ledger, &format!(r#"{{"start": {{"lookup": {number}}}}}"#));
    ask(
        ledger,
        &format!(
            r#"{{"progress": {{"lookup": {number}, "attempt": 1, "text": "half way", "current": 5, "total": 10, "unit": "files"}}}}"#
        ),
    );
    ask(
        ledger,
        &format!(
            r#"{{"finish": {{"lookup": {number}, "attempt": 1, "status": "succeeded", "summary": "all ten files read"}}}}"#
        ),
    );
}

/// Moves everything into the file and empties the log.
fn checkpoint(sql: &Connection) {
    let busy: i64 = sql.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).expect("a checkpoint");
    assert_eq!(busy, 0);
}

fn size(path: &Path, end: &str) -> u64 {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    std::fs::metadata(name).expect("a file").len()
}

const BEFORE: u64 = 3_000;
const LIVES: u64 = 40;

/// Bytes of the log that a life takes in a ledger with a history, on average of forty.
fn log_of_a_life(notify: &str) -> u64 {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let ledger = open(&path);
    for number in 1..=BEFORE {
        create(&ledger, number, notify);
        live(&ledger, number);
    }
    let sql = Connection::open(&path).expect("a connection");
    checkpoint(&sql);
    for number in BEFORE + 1..=BEFORE + LIVES {
        create(&ledger, number, notify);
        live(&ledger, number);
    }
    size(&path, "-wal") / LIVES
}

#[test]
fn a_life_takes_so_many_bytes_of_the_log() {
    let silent = log_of_a_life("silent");
    assert!(silent <= 75_000, "{silent} bytes of a life");
    let told = log_of_a_life("done_only");
    assert!(told <= 85_000, "{told} bytes of a life and its notice");
    println!("{silent} bytes of a life, {told} with its notice");
    assert!(silent < told, "the notice was not counted");
}

#[test]
fn a_task_takes_so_many_bytes_of_the_file() {
    let of = |lives: bool| {
        let scratch = Scratch::in_memory();
        let path = scratch.ledger();
        let ledger = open(&path);
        create(&ledger, 0, "done_only");
        let sql = Connection::open(&path).expect("a connection");
        checkpoint(&sql);
        let empty = size(&path, "");
        for number in 2..=BEFORE + 1 {
            create(&ledger, number, "done_only");
            if lives {
                live(&ledger, number);
            }
        }
        checkpoint(&sql);
        (size(&path, "") - empty) / BEFORE
    };
    let (new, whole) = (of(false), of(true));
    println!("{new} bytes of a new task, {whole} of a whole life");
    assert!(new <= 950, "{new} bytes of a new task");
    assert!(whole <= 1_350, "{whole} bytes of a life with its history");
    assert!(new < whole);
}

#[test]
fn a_durable_operation_syncs_once_and_a_relaxed_one_never() {
    const MANY: u32 = 1 << 30;
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let faults = Faults::new(path.with_file_name("orders"));
    let mut command = pipe::command(&path);
    faults.govern(&mut command);
    let mut program = Piped::start(command.arg("call"));
    // The files are made, and the first frames are written.
    program.ok(r#"{"create": {"label": "the first"}}"#);
    program.ok(r#"{"create": {"label": "the second"}}"#);
    let mut syncs = |request: &str| {
        faults.order(Calls::Sync, MANY, Fault::Io);
        program.ok(request);
        MANY - faults.left()
    };
    let mut of_a_life = 0;
    for number in 3..=22 {
        let this = std::process::id();
        let life = [
            (r#"{"create": {"label": "a life"}}"#.to_owned(), 1),
            (format!(r#"{{"start": {{"lookup": {number}, "executor": {{"process": {{"pid": {this}}}}}}}}}"#), 0),
            (format!(r#"{{"progress": {{"lookup": {number}, "attempt": 1, "text": "half way"}}}}"#), 0),
            (format!(r#"{{"finish": {{"lookup": {number}, "attempt": 1, "status": "succeeded"}}}}"#), 1),
        ];
        for (request, wanted) in life {
            let counted = syncs(&request);
            assert_eq!(counted, wanted, "{request}");
            of_a_life += counted;
        }
    }
    assert_eq!(of_a_life, 20 * 2);
    // Two thousand requests that are relaxed: only the checkpoints sync, two files each.
    program.ok(r#"{"config": {"set": {"durability": "relaxed"}}}"#);
    faults.order(Calls::Sync, MANY, Fault::Io);
    for _ in 0..100 {
        program.ok(r#"{"create": {"label": "relaxed"}}"#);
    }
    assert_eq!(MANY - faults.left(), 0);
    faults.relent();
    program.end();
}

#[test]
fn the_workload_takes_the_instructions_that_it_took() {
    instructions::compare("dev");
}
