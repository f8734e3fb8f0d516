//! Under pressure: many writers are all served, the WAL stays within its bound, and what is large is taken or refused
//! within a bounded memory.

use bgledger_tests::dice::count;
use bgledger_tests::history::assert_sound;
use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::scratch::Scratch;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

const MIB: u64 = 1024 * 1024;

/// Nobody is told that the ledger is busy, nobody starves, and what was acknowledged is what is there.
#[test]
fn eight_writers_are_all_served() {
    const WRITERS: usize = 8;
    let all = count("BGLEDGER_BUSY_RECORDS", 2_000);
    let (scratch, done) = (Scratch::new(), AtomicUsize::new(0));
    let path = scratch.ledger();
    Piped::on(&path).ok(r#"{"create": {"label": "first"}}"#);
    let served: Vec<usize> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (path, done) = (&path, &done);
                scope.spawn(move || {
                    let mut process = Piped::on(path);
                    let mut served = 0;
                    while done.fetch_add(1, Ordering::Relaxed) < all {
                        process.ok(&format!(
                            r#"{{"create": {{"label": "of {writer}", "finish": {{"status": "succeeded"}}}}}}"#
                        ));
                        served += 1;
                    }
                    process.end();
                    served
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().expect("a writer")).collect()
    });
    println!("records of each: {served:?}");
    let fair = all / WRITERS;
    assert!(served.iter().all(|served| served * 4 >= fair), "of {all}: {served:?}");
    let sql = Connection::open(&path).expect("a connection");
    let there: i64 = sql.query_row("SELECT count(*) FROM task", [], |row| row.get(0)).expect("a count");
    assert_eq!(there, all as i64 + 1);
    drop(sql);
    assert_sound(&path);
}

fn wal(ledger: &Path) -> u64 {
    fs::metadata(ledger.with_file_name("ledger.db-wal")).map_or(0, |wal| wal.len())
}

fn codes(process: &mut Piped) -> Vec<String> {
    let audit = process.ok(r#"{"audit": {}}"#);
    let findings = audit["findings"].as_array().expect("findings");
    findings.iter().map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
}

/// Readers that come and go cost nothing; one that stays is told of, and leaves nothing behind when it goes.
#[test]
fn the_wal_is_bounded_and_given_back_when_a_long_reader_goes() {
    const BOUND: u64 = 64 * MIB;
    let mib = count("BGLEDGER_WAL_MIB", 100);
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let mut writer = Piped::start(pipe::command(&path).args(["--durability", "relaxed", "call"]));
    let text = "x".repeat(1_000_000);
    let mut number = 0;
    let mut record = |writer: &mut Piped| {
        number += 1;
        let task = json!({"label": format!("large {number}"), "task": text, "finish": {"status": "succeeded"}});
        writer.ok(&json!({"create": task}).to_string());
    };
    record(&mut writer);
    let reader = Connection::open(&path).expect("a connection");
    let look = || reader.query_row("SELECT count(*) FROM task", [], |row| row.get::<_, i64>(0)).expect("a count");
    let mut most = 0;
    for round in 0..mib {
        if round % 10 == 0 {
            reader.execute_batch("BEGIN").expect("a look begins");
            look();
        }
        record(&mut writer);
        if round % 10 == 7 {
            reader.execute_batch("COMMIT").expect("a look ends");
        }
        most = most.max(wal(&path));
    }
    if !reader.is_autocommit() {
        reader.execute_batch("COMMIT").expect("a look ends");
    }
    println!("under readers that come and go the WAL has at most {} MiB", most / MIB);
    assert!(most <= BOUND, "{most}");

    reader.execute_batch("BEGIN").expect("a look begins");
    look();
    while wal(&path) <= BOUND {
        record(&mut writer);
    }
    assert!(codes(&mut writer).contains(&"wal_large".to_owned()), "one that stays is told of");
    reader.execute_batch("COMMIT").expect("a look ends");
    // The first moves it to the database, the second begins it anew.
    record(&mut writer);
    record(&mut writer);
    assert!(wal(&path) <= BOUND, "{} are left", wal(&path));
    assert_eq!(codes(&mut writer), Vec::<String>::new());
    writer.end();
    drop(reader);
    assert_sound(&path);
}

/// The most memory that a process has had (MiB).
fn peak(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

fn asked(process: &mut Piped, request: &str) -> Value {
    process.ask(request).expect("an answer")
}

fn memory_of(process: &Piped) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

#[test]
fn what_is_large_is_taken_exactly_or_refused_within_a_bounded_memory() {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let mut process = Piped::on(&path);
    let of = |length: usize| json!({"create": {"label": "large", "task": "é".repeat(length / 2)}}).to_string();
    let taken = asked(&mut process, &of(1024 * 1024));
    assert_eq!(taken["ok"]["created"], true);
    assert_eq!(taken["ok"]["task"]["task"].as_str().map(str::len), Some(1024 * 1024));
    assert_eq!(asked(&mut process, &of(1024 * 1024 + 2))["error"]["code"], "too_large");
    // As many keys as a request has room for, and more than it has.
    for keys in [500_000, 1_000_000] {
        let entries: Vec<String> = (0..keys).map(|key| format!(r#""key{key}":1"#)).collect();
        let request = format!(r#"{{"create": {{"label": "x", "metadata": {{{}}}}}}}"#, entries.join(","));
        let refused = asked(&mut process, &request);
        assert_eq!(refused["error"]["code"], "too_large", "{keys}: {refused}");
    }
    for deep in [100_000, 1_000_000] {
        let request = format!(r#"{{"create": {{"label": {}1{}}}}}"#, "[".repeat(deep), "]".repeat(deep));
        assert_eq!(asked(&mut process, &request)["error"]["class"], "invalid", "{deep}");
    }
    println!("requests of up to 14 MB: at most {} MiB", memory_of(&process));
    assert!(memory_of(&process) < 64 + 3 * 14, "{} MiB", memory_of(&process));
    process.end();

    let lines = count("BGLEDGER_IMPORT_LINES", 3_000);
    let file = path.with_file_name("export.ndjson");
    repeat_export(&path, &file, lines);
    for beside in [false, true] {
        let to = path.with_file_name(format!("imported-{beside}.db"));
        if beside {
            Piped::on(&to).ok(r#"{"create": {"label": "own"}}"#);
        }
        let mut import = pipe::command(&to);
        let mut child = import.args(["--json", "import"]).arg(&file).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut most = 0;
        while child.try_wait().expect("a child").is_none() {
            if fs::metadata(format!("/proc/{}/status", child.id())).is_ok() {
                most = most.max(peak_or(&child, most));
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let output = child.wait_with_output().expect("it ends");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(report["tasks"]["imported"], lines, "{report}");
        println!("{lines} lines are imported in at most {most} MiB, beside others: {beside}");
        assert!(most < 200, "{most} MiB");
    }
}

/// The same of one that may just have ended.
fn peak_or(child: &Child, before: u64) -> u64 {
    match fs::read_to_string(format!("/proc/{}/status", child.id())) {
        Ok(status) if status.contains("VmHWM:") => peak(child),
        Ok(_) | Err(_) => before,
    }
}

/// An export with one task again and again, under other numbers and ids.
fn repeat_export(ledger: &Path, file: &Path, lines: usize) {
    let one = ledger.with_file_name("one.db");
    Piped::on(&one).ok(r#"{"create": {"label": "again", "finish": {"status": "succeeded", "summary": "well"}}}"#);
    let output = pipe::command(&one).arg("export").output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut out = BufWriter::new(File::create(file).expect("a file"));
    let mut told_lines = 0;
    let mut tell = |line: &Value| {
        writeln!(out, "{line}").expect("room");
        told_lines += 1;
        told_lines
    };
    let mut before = 0;
    for line in &told {
        if line.get("end").is_some() {
            continue;
        }
        if line.get("task").is_none() {
            before = tell(line);
            continue;
        }
        let mut again = line.clone();
        let events = line["events"].as_array().map_or(0, Vec::len);
        for number in 1..=lines {
            again["task"]["number"] = json!(number);
            again["task"]["id"] = json!(format!("01a21feb-b164-703c-8f97-{number:012x}"));
            let first = (number - 1) * events;
            for place in 0..events {
                again["events"][place]["seq"] = json!(first + place + 1);
            }
            again["task"]["last_event"] = json!(first + events);
            again["notices"] = json!([]);
            before = tell(&again);
        }
    }
    tell(&json!({"end": {"lines": before}}));
    out.flush().expect("room");
}
