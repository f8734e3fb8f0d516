//! Files that are no ledgers, and places where nothing can be written.

use crate::{Stage, assert_error};
use bgledger_tests::history::ask_sqlite;
use bgledger_tests::pipe;
use bgledger_tests::scratch::Scratch;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

// ---- the file and its place ---------------------------------------------------------------------------------

/// Every file of a folder with a digest of its content, but for the sidecars that SQLite makes to read.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (u64, u64)> {
    let digest = |path: &PathBuf| {
        let content = fs::read(path).expect("a file");
        let mut hash = DefaultHasher::new();
        content.hash(&mut hash);
        (content.len() as u64, hash.finish())
    };
    let named = |path: &Path, suffix: &str| path.to_string_lossy().ends_with(suffix);
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .filter(|path| path.is_file() && !named(path, "-shm"))
        .map(|path| (path.clone(), digest(&path)))
        .filter(|(path, (length, _))| !(named(path, "-wal") && *length == 0))
        .collect()
}

/// Reading and recording are refused alike, and the folder stays as it is.
fn both_refuse(path: &Path, code: &str, exit: i32, says: &[&str]) {
    let folder = path.parent().expect("a folder");
    let before = snapshot(folder);
    for arguments in [&["list"][..], &["create", "--label", "x"], &["stats"], &["maintenance", "--apply"]] {
        let output = pipe::command(path).arg("--json").args(arguments).output().expect("it runs");
        assert_error(&output, code, exit, says);
        assert_eq!(snapshot(folder), before, "{arguments:?} changed something");
    }
}

#[test]
fn a_folder_is_no_ledger() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    fs::create_dir(&path).expect("a folder in its place");
    both_refuse(&path, "bad_path", 8, &["folder"]);
}

#[test]
fn another_file_is_no_ledger() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("notes.txt");
    fs::write(&text, "these are my notes, not a database; they are long enough to look like something\n".repeat(30))
        .expect("a file");
    both_refuse(&text, "not_a_ledger", 8, &["notes.txt"]);
    let empty = folder.path().join("empty.db");
    fs::write(&empty, "").expect("a file");
    both_refuse(&empty, "not_a_ledger", 8, &["empty"]);
    let other = folder.path().join("other.db");
    ask_sqlite(&other, "CREATE TABLE task (number INTEGER); INSERT INTO task VALUES (1)");
    both_refuse(&other, "not_a_ledger", 8, &["other.db"]);
}

#[test]
fn a_newer_ledger_is_left_as_it_is() {
    let stage = Stage::new();
    ask_sqlite(
        &stage.path(),
        "UPDATE meta SET value = 99 WHERE key IN ('min_reader', 'min_writer'); PRAGMA user_version = 99",
    );
    both_refuse(&stage.path(), "newer_ledger", 8, &["99"]);
}

/// A newer ledger that older programs may still read is read, and not written.
#[test]
fn a_newer_ledger_may_allow_reading() {
    let stage = Stage::new();
    ask_sqlite(&stage.path(), "UPDATE meta SET value = 99 WHERE key = 'min_writer'; PRAGMA user_version = 99");
    let listed = stage.run(&["list"]);
    assert_eq!(listed.status.code(), Some(0), "{}", String::from_utf8_lossy(&listed.stderr));
    let before = fs::read(stage.path()).expect("the file");
    assert_error(&stage.run(&["create", "--label", "x"]), "newer_ledger", 8, &["written"]);
    assert_eq!(fs::read(stage.path()).expect("the file"), before);
}

#[test]
fn a_damaged_ledger_is_not_an_empty_one() {
    let stage = Stage::new();
    let mut bytes = fs::read(stage.path()).expect("the file");
    bytes[100..4096].fill(0xEE);
    fs::write(stage.path(), &bytes).expect("damage");
    both_refuse(&stage.path(), "corrupt", 8, &["damaged"]);
}

#[test]
fn reading_where_there_is_nothing_makes_nothing() {
    let scratch = Scratch::new();
    let folder = scratch.ledger().parent().expect("a folder").to_owned();
    for arguments in [&["list"][..], &["show", "1"], &["audit"], &["stats"], &["doctor"], &["verify"], &["maintenance"]]
    {
        let output = pipe::command(&scratch.ledger()).arg("--json").args(arguments).output().expect("it runs");
        assert_error(&output, "no_ledger", 3, &["ledger.db"]);
        assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 0, "{arguments:?} made something");
    }
}

#[test]
fn a_path_through_a_file_and_a_link_are_refused() {
    let stage = Stage::new();
    let through = pipe::command(&stage.path().join("ledger.db")).args(["--json", "list"]).output().expect("it runs");
    assert_error(&through, "bad_path", 8, &["folder"]);
    let link = stage.path().with_file_name("link.db");
    std::os::unix::fs::symlink(stage.path(), &link).expect("a link");
    both_refuse(&link, "bad_path", 8, &["symbolic link"]);
    fs::remove_file(link).expect("away");
    let twin = stage.path().with_file_name("twin.db");
    fs::hard_link(stage.path(), &twin).expect("a hard link");
    both_refuse(&twin, "bad_path", 8, &["hard link"]);
}

// ---- places that cannot be written --------------------------------------------------------------------------

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// `bgledger` as somebody whom permissions bind; tests often run as root, whom they do not.
fn bound(path: &Path) -> Command {
    let bgledger = pipe::command(path);
    if !is_root() {
        return bgledger;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(bgledger.get_program()).args(bgledger.get_args());
    for (name, value) in bgledger.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

fn give_away(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
    if is_root() {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).expect("another owner");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_read_and_says_why_it_is_not_written() {
    let folder = tempfile::Builder::new().prefix("bgledger").tempdir_in("/tmp").expect("a folder");
    let path = folder.path().join("ledger.db");
    assert!(pipe::command(&path).args(["create", "--label", "first"]).output().expect("it runs").status.success());
    let beside = |suffix: &str| folder.path().join(format!("ledger.db{suffix}"));
    for file in ["", "-queue", "-turn"] {
        give_away(&beside(file), 0o400);
    }
    assert!(!beside("-wal").exists(), "the last process to close leaves no WAL");
    give_away(folder.path(), 0o500);
    let reader = bound(&path);
    if reader.get_program() != pipe::command(&path).get_program() {
        let reachable = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "test", "-x"])
            .arg(pipe::command(&path).get_program())
            .status();
        if !reachable.is_ok_and(|status| status.success()) {
            // The build lies where nobody else may look: a copy will do.
            let copy = folder.path().with_extension("bin");
            fs::copy(pipe::command(&path).get_program(), &copy).expect("a copy");
            return read_only_folder(folder.path(), &path, Some(&copy));
        }
    }
    read_only_folder(folder.path(), &path, None);
}

fn read_only_folder(folder: &Path, path: &Path, copy: Option<&Path>) {
    let command = || {
        let mut command = bound(path);
        if let Some(copy) = copy {
            let mut other = Command::new("setpriv");
            other.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy).arg("--ledger").arg(path);
            command = other;
        }
        command
    };
    let before = snapshot(folder);
    let listed = command().args(["--json", "list"]).output().expect("it runs");
    assert_eq!(listed.status.code(), Some(0), "{}", String::from_utf8_lossy(&listed.stderr));
    let page: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(page["tasks"][0]["label"], "first");
    let refused = command().args(["--json", "create", "--label", "second"]).output().expect("it runs");
    assert_error(&refused, "read_only", 1, &["ledger.db"]);
    assert_eq!(snapshot(folder), before);
    if let Some(copy) = copy {
        fs::remove_file(copy).expect("away");
    }
    give_away(folder, 0o700);
}

/// A long-lived reader in such a folder sees what others write, whole.
#[test]
fn a_reader_without_locks_follows_the_file() {
    let folder = tempfile::Builder::new().prefix("bgledger").tempdir_in("/tmp").expect("a folder");
    let path = folder.path().join("ledger.db");
    let create = |label: &str| {
        let made = pipe::command(&path).args(["--durability", "relaxed", "create", "--label", label]).output();
        assert!(made.expect("it runs").status.success());
    };
    create("first");
    // Read as it lies there: nothing beside the file may be made or locked.
    give_away(folder.path(), 0o555);
    give_away(&path, 0o444);
    let mut reader = match is_root() {
        // Root is bound by nothing; whoever is not reads without locks.
        true => pipe::Piped::start(unprivileged(&path, folder.path()).arg("call")),
        false => return,
    };
    let count = |reader: &mut pipe::Piped| reader.ok(r#"{"list": {"limit": 1000}}"#)["tasks"].as_array().map(Vec::len);
    assert_eq!(count(&mut reader), Some(1));
    (0..40).for_each(|turn| create(&format!("{turn} {}", "x".repeat(400))));
    assert_eq!(count(&mut reader), Some(41), "what others wrote meanwhile");
    assert_eq!(reader.ok(r#"{"verify": {}}"#)["ok"], true);
    assert_eq!(reader.ok(r#"{"stats": {}}"#)["total"], 41);
}

/// `bgledger` for somebody whom permissions bind, from a place where they may look.
fn unprivileged(path: &Path, folder: &Path) -> Command {
    let copy = folder.join("bgledger");
    fs::copy(pipe::command(path).get_program(), &copy).expect("a copy");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy).arg("--ledger").arg(path);
    command.env_remove("BGLEDGER_DB");
    command
}

/// A small file system of its own, full to the last byte.
#[test]
fn a_full_disk_is_told_and_frees_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"])
        .arg(folder.path())
        .output()
        .expect("mount runs");
    if !mounted.status.success() {
        // Without the right to mount, `failed_writes_leave_one_truth` shows the same with writes that fail.
        eprintln!("not shown here: {}", String::from_utf8_lossy(&mounted.stderr).trim());
        return;
    }
    let path = folder.path().join("ledger.db");
    let shown = std::panic::catch_unwind(|| full_disk(&path));
    let _ = Command::new("umount").arg("-l").arg(folder.path()).status();
    shown.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

fn full_disk(path: &Path) {
    let mut writer = pipe::Piped::on(path);
    let text = "x".repeat(20_000);
    let (mut recorded, refused) = (0, 0..500);
    let mut error = None;
    for turn in refused {
        let response = writer
            .ask(&format!(r#"{{"create": {{"label": "{turn}", "task": "{text}"}}}}"#))
            .expect("a full disk kills nobody");
        match response["ok"].is_object() {
            true => recorded += 1,
            false => {
                error = Some(response);
                break;
            }
        }
    }
    let error = error.expect("a file system of one MiB is full some day");
    assert_eq!((&error["error"]["code"], &error["error"]["class"]), (&"disk_full".into(), &"failed".into()), "{error}");
    let listed = writer.ok(r#"{"list": {"limit": 1000}}"#);
    assert_eq!(listed["tasks"].as_array().map(Vec::len), Some(recorded), "what was acknowledged is there, and no more");
    // Room is made, and the same process goes on.
    let grown = Command::new("mount").args(["-o", "remount,size=8m"]).arg(path.parent().expect("a folder")).status();
    assert!(grown.expect("mount runs").success());
    writer.ok(r#"{"create": {"label": "there is room again"}}"#);
    assert!(writer.ok(r#"{"verify": {}}"#)["ok"].as_bool().expect("a verdict"));
}
