//! Where a ledger lies: its permissions, and file systems that other machines share.

use bgledger_tests::fault::{Calls, Fault, Faults};
use bgledger_tests::history::ask_sqlite;
use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::scratch::Scratch;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

/// Whatever the umask: what agents did is nobody else's business.
#[test]
fn files_and_folders_are_private() {
    let scratch = Scratch::new();
    let path = scratch.ledger().with_file_name("new").join("deeper").join("ledger.db");
    let created = Command::new("sh")
        .env("XDG_CONFIG_HOME", "/dev/null")
        .args(["-c", "umask 000; exec \"$@\"", "sh"])
        .arg(pipe::command(&path).get_program())
        .arg("--ledger")
        .arg(&path)
        .args(["create", "--label", "first"])
        .output()
        .expect("it runs");
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let mut open = Piped::on(&path);
    open.ok(r#"{"create": {"label": "second"}}"#);
    let folder = path.parent().expect("a folder");
    let files: Vec<_> =
        fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    assert!(files.len() >= 4, "the ledger, its WAL and its locks: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!((mode(folder), mode(folder.parent().expect("a folder"))), (0o700, 0o700));
}

/// The lock files take the ledger's mode, so that whoever may write the one may write the others.
#[test]
fn what_lies_beside_a_ledger_takes_its_mode() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    assert!(pipe::command(&path).args(["create", "--label", "first"]).status().expect("it runs").success());
    for suffix in ["-queue", "-turn", "-bell"] {
        fs::remove_file(path.with_file_name(format!("ledger.db{suffix}"))).expect("a lock file");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).expect("permissions");
    assert!(pipe::command(&path).args(["create", "--label", "second"]).status().expect("it runs").success());
    for suffix in ["-queue", "-turn", "-bell"] {
        assert_eq!(mode(&path.with_file_name(format!("ledger.db{suffix}"))), 0o660);
    }
}

/// On a network file system WAL loses data: refused, unless it is asked for, and then without WAL.
#[test]
fn a_network_file_system_is_refused_unless_asked_for() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let faults = Faults::new(path.with_file_name("faults"));
    faults.order(Calls::Statfs, 0, Fault::Io);
    let run = |arguments: &[&str]| {
        let mut command = pipe::command(&path);
        faults.govern(&mut command);
        command.arg("--json").args(arguments).output().expect("it runs")
    };
    let refused = run(&["create", "--label", "first"]);
    assert_eq!(refused.status.code(), Some(8));
    let error: Value = serde_json::from_slice(&refused.stderr).expect("JSON");
    assert_eq!(error["error"]["code"], "network_file_system", "{error}");
    assert_eq!(error["error"]["file_system"], "nfs", "{error}");
    assert!(!path.exists(), "nothing was made");
    let allowed = run(&["--allow-network-fs", "create", "--label", "first"]);
    assert!(allowed.status.success(), "{}", String::from_utf8_lossy(&allowed.stderr));
    assert_eq!(ask_sqlite(&path, "PRAGMA journal_mode"), "delete");
    assert_eq!(run(&["list"]).status.code(), Some(8), "each call is asked anew");
    let listed = run(&["--allow-network-fs", "list"]);
    let page: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(page["tasks"][0]["label"], "first");
    assert!(faults.relent() > 0, "the file system was asked for");
}
