//! A backup is a whole ledger as it was at one moment, whoever writes meanwhile and whatever happens to whoever makes it.

use bgledger_tests::dice::{Dice, count};
use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::json;
use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::scratch::Scratch;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const WRITERS: u64 = 4;

fn folder(ledger: &Path) -> &Path {
    ledger.parent().expect("a folder")
}

/// What `backup` answers.
fn back_up(ledger: &Path, to: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let output = pipe::command(ledger).args(["--json", "backup"]).arg(to).args(more).output().expect("it runs");
    let text = if output.status.success() { &output.stdout } else { &output.stderr };
    (output.status.code(), json::parse(&String::from_utf8_lossy(text)).expect("JSON"))
}

/// A ledger with some tasks that have ended.
fn with_tasks(ledger: &Path, tasks: u64) {
    let mut writer = Piped::on(ledger);
    for task in 0..tasks {
        writer.ok(&format!(r#"{{"create": {{"label": "task {task}", "run_id": "r{task}", "start": {{}}}}}}"#));
        writer.ok(&format!(r#"{{"finish": {{"lookup": "run:r{task}", "status": "succeeded", "summary": "done"}}}}"#));
    }
    writer.end();
}

/// Runs four writers while something is done. `acknowledged`: the newest event that any of them was told of.
fn under_writers<T>(ledger: &Path, work: impl FnOnce(&AtomicU64) -> T) -> T {
    let (over, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (over, acknowledged) = (&over, &acknowledged);
            scope.spawn(move || {
                let mut process = Piped::on(ledger);
                let mut last = 0;
                for task in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let run = format!("w{writer}-{task}");
                    process.ok(&format!(r#"{{"create": {{"label": "busy", "run_id": "{run}", "start": {{}}}}}}"#));
                    process.ok(&format!(r#"{{"finish": {{"lookup": "run:{run}", "status": "failed"}}}}"#));
                    last = process.ok(&format!(r#"{{"history": {{"lookup": "run:{run}"}}}}"#))["next"]
                        .as_u64()
                        .expect("a seq");
                    acknowledged.fetch_max(last, Ordering::SeqCst);
                }
                process.end();
                last
            });
        }
        let done = work(&acknowledged);
        over.store(true, Ordering::Relaxed);
        done
    })
}

/// Every event of a ledger, as text.
fn events(ledger: &Path, up_to: u64) -> Vec<String> {
    let query = format!(
        "SELECT seq || '|' || task || '|' || prev || '|' || at || '|' || kind || '|' || coalesce(data, '')
        FROM event WHERE seq <= {up_to} ORDER BY seq"
    );
    ask_sqlite(ledger, &query).lines().map(str::to_owned).collect()
}

#[test]
fn every_copy_under_live_writers_is_a_prefix_of_what_they_recorded() {
    let scratch = Scratch::in_memory();
    let ledger = scratch.ledger();
    with_tasks(&ledger, 50);
    let copies = count("BGLEDGER_BACKUPS", 20);
    let made: Vec<(PathBuf, u64)> = under_writers(&ledger, |acknowledged| {
        let make = |copy| {
            let to = folder(&ledger).join(format!("copy-{copy}.db"));
            let least = acknowledged.load(Ordering::SeqCst);
            let (code, report) = back_up(&ledger, &to, &[]);
            assert_eq!(code, Some(0), "{report}");
            let last = report["last_seq"].as_u64().expect("a seq");
            assert!(last >= least, "event {least} was acknowledged before the backup, which ends at {last}");
            (to, last)
        };
        (0..copies).map(make).collect()
    });
    for (copy, last) in &made {
        let mode = fs::metadata(copy).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert!(!copy.with_extension("db-wal").exists(), "it is one file");
        assert_eq!(events(copy, u64::from(u32::MAX)), events(&ledger, *last));
        assert_sound(copy);
    }
    let apart: BTreeSet<u64> = made.iter().map(|(_, last)| *last).collect();
    assert!(apart.len() > copies / 2, "the writers wrote meanwhile");
    assert_sound(&ledger);
    eprintln!("{copies} copies, {} events at the end", events(&ledger, u64::from(u32::MAX)).len());
}

#[test]
fn a_killed_backup_leaves_nothing_at_its_name_and_no_draft_for_long() {
    let scratch = Scratch::in_memory();
    let ledger = scratch.ledger();
    with_tasks(&ledger, 400);
    let mut dice = Dice::new(Dice::seed("BGLEDGER_BACKUP_SEED", 5));
    let (mut whole, mut nothing) = (0, 0);
    under_writers(&ledger, |_| {
        for kill in 0..count("BGLEDGER_BACKUP_KILLS", 40) {
            let to = folder(&ledger).join(format!("copy-{kill}.db"));
            let mut child =
                pipe::command(&ledger).arg("backup").arg(&to).stdout(Stdio::null()).spawn().expect("it starts");
            std::thread::sleep(Duration::from_micros(dice.below(60_000)));
            child.kill().expect("a process to kill");
            child.wait().expect("it ends");
            match to.exists() {
                true => {
                    assert_sound(&to);
                    whole += 1;
                }
                false => nothing += 1,
            }
        }
    });
    eprintln!("{whole} whole, {nothing} not there");
    assert!(nothing > 0, "some were killed in time");
    let drafts = |name: &str| {
        let entries =
            fs::read_dir(folder(&ledger)).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        entries.filter(|entry| entry.to_string_lossy().starts_with(&format!("{name}-part-"))).count()
    };
    for kill in 0..count("BGLEDGER_BACKUP_KILLS", 40) {
        let name = format!("copy-{kill}.db");
        assert!(drafts(&name) <= 1);
        if drafts(&name) == 1 {
            assert_eq!(back_up(&ledger, &folder(&ledger).join(&name), &["--replace"]).0, Some(0));
            assert_eq!(drafts(&name), 0, "the next backup clears it away");
        }
    }
    assert_sound(&ledger);
}

#[test]
fn what_is_there_is_not_written_over() {
    let scratch = Scratch::in_memory();
    let ledger = scratch.ledger();
    with_tasks(&ledger, 3);
    let at = |name: &str| folder(&ledger).join(name);
    fs::write(at("precious"), "mine").expect("a file");
    let refused = |name: &str, more: &[&str], code: i32, word: &str| {
        let (exit, answer) = back_up(&ledger, &at(name), more);
        assert_eq!((exit, answer["error"]["code"].as_str()), (Some(code), Some(word)), "{name}: {answer}");
    };
    refused("precious", &[], 4, "file_exists");
    assert_eq!(fs::read_to_string(at("precious")).expect("it is there"), "mine");
    std::os::unix::fs::symlink(at("precious"), at("link")).expect("a link");
    refused("link", &["--replace"], 8, "bad_path");
    refused("ledger.db", &["--replace"], 8, "bad_path");
    refused("nowhere/copy.db", &[], 8, "bad_path");
    fs::create_dir(at("folder")).expect("a folder");
    refused("folder", &["--replace"], 8, "bad_path");
    // The -wal of a ledger in use would be taken for the newest part of the copy.
    fs::write(at("used.db-wal"), "").expect("a file");
    refused("used.db", &[], 8, "bad_path");
    assert_eq!(back_up(&ledger, &at("precious"), &["--replace"]).0, Some(0));
    assert_sound(&at("precious"));
    assert_sound(&ledger);
}

#[test]
fn a_damaged_ledger_has_no_backup() {
    let scratch = Scratch::in_memory();
    let ledger = scratch.ledger();
    with_tasks(&ledger, 3);
    ask_sqlite(&ledger, "PRAGMA wal_checkpoint(TRUNCATE); UPDATE task SET reason = 'edited' WHERE number = 2;");
    let to = folder(&ledger).join("copy.db");
    let (exit, answer) = back_up(&ledger, &to, &[]);
    assert_eq!((exit, &answer["error"]["code"]), (Some(8), &"corrupt".into()), "{answer}");
    let left = fs::read_dir(folder(&ledger)).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let left: Vec<String> = left.map(|name| name.to_string_lossy().into_owned()).collect();
    assert!(left.iter().all(|name| name.starts_with("ledger.db")), "{left:?}");
}

#[test]
fn a_folder_that_cannot_be_written_takes_no_backup() {
    let scratch = Scratch::in_memory();
    let ledger = scratch.ledger();
    with_tasks(&ledger, 3);
    let (exit, answer) = back_up(&ledger, Path::new("/proc/self/copy.db"), &[]);
    assert_ne!(exit, Some(0), "{answer}");
    let closed = Scratch::in_memory();
    let closed = folder(&closed.ledger()).to_owned();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).expect("a mode");
    let (exit, answer) = back_up(&ledger, &closed.join("copy.db"), &[]);
    // Root writes everywhere.
    let is_root = fs::metadata(&ledger).map(|found| std::os::unix::fs::MetadataExt::uid(&found)).expect("a file") == 0;
    if !is_root {
        assert_eq!((exit, &answer["error"]["code"]), (Some(1), &"read_only".into()), "{answer}");
    }
    assert_sound(&ledger);
}
