//! A process that has a ledger open forks. The child may go on using its copy of the handle: it opens the file anew,
//! takes none of its parent's locks and closes none of its parent's connections.
#![cfg(unix)]

use bgledger_core::{Create, List, Stats, Verify};
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::dice::count;
use bgledger_tests::holder::Holder;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A fork closes every ledger of its process: the tests of this file take turns, so that none closes another's.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ledger(path: &Path) -> Ledger {
    Ledger::open(path, OpenOptions::default()).expect("the ledger opens")
}

fn record(ledger: &Ledger, label: &str) -> Result<u64, bgledger_core::Error> {
    Ok(ledger.call(Create { label: label.into(), ..Create::default() })?.task.task.number.0)
}

fn labels(ledger: &Ledger) -> Vec<String> {
    let page = ledger.call(List { limit: Some(10_000), ..List::default() }).expect("a list");
    page.tasks.into_iter().rev().map(|view| view.task.label).collect()
}

/// Runs `work` in a forked child, which leaves without running anything of its parent's. Answers the child's pid.
fn fork(work: impl FnOnce() -> bool) -> libc::pid_t {
    // SAFETY: the child runs `work` and leaves by `_exit`; glibc makes its allocator usable after a fork.
    match unsafe { libc::fork() } {
        0 => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(false);
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(!done)) }
        }
        -1 => panic!("no fork: {}", std::io::Error::last_os_error()),
        child => child,
    }
}

fn succeeded(child: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: `child` is a child of ours, and `status` lives through the call.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child, "{}", std::io::Error::last_os_error());
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

/// Opens and closes the ledger from outside, as the process that believes to be the last would.
fn visit(path: &Path) {
    let seen =
        Command::new("sqlite3").arg(path).arg("SELECT count(*) FROM task").output().expect("sqlite3 is installed");
    assert!(seen.status.success(), "{}", String::from_utf8_lossy(&seen.stderr));
}

#[test]
fn a_child_records_through_the_handle_it_was_born_with() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let handle = ledger(&path);
    record(&handle, "by the parent").expect("recorded");
    let child = fork(|| (0..10).all(|turn| record(&handle, &format!("by the child, {turn}")).is_ok()));
    assert!(succeeded(child));
    record(&handle, "by the parent again").expect("recorded");
    let mut expected = vec!["by the parent".to_owned()];
    expected.extend((0..10).map(|turn| format!("by the child, {turn}")));
    expected.push("by the parent again".into());
    assert_eq!(labels(&handle), expected);
    assert!(handle.call(Verify {}).expect("a verification").ok);
}

/// Neither side could use or close what both have: nothing of the ledger is open while a process forks.
#[test]
fn a_child_is_born_with_nothing_of_the_ledger_open() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().canonicalize().expect("a folder").join("ledger.db");
    let handle = ledger(&path);
    record(&handle, "open").expect("recorded");
    let open = || {
        let files = std::fs::read_dir("/proc/self/fd").expect("descriptors").flatten();
        let targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
        let database = targets.filter(|target| [".db", "-wal", "-shm"].iter().any(|end| is_named(target, &path, end)));
        database.count()
    };
    assert!(open() >= 3, "its files are open in the parent");
    assert!(succeeded(fork(|| open() == 0)));
    record(&handle, "after").expect("recorded");
}

fn is_named(target: &Path, ledger: &Path, end: &str) -> bool {
    let (target, ledger) = (target.to_string_lossy(), ledger.to_string_lossy());
    target.starts_with(&*ledger) && target.ends_with(end)
}

#[test]
fn a_child_that_drops_its_copy_takes_nothing_from_its_parent() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let handle = ledger(&path);
    record(&handle, "before").expect("recorded");
    let copy = handle.clone();
    let child = fork(move || {
        let told = record(&copy, "by the child");
        drop(copy);
        told.is_ok()
    });
    record(&handle, "meanwhile").expect("recorded");
    assert!(succeeded(child));
    visit(&path);
    record(&handle, "after").expect("recorded");
    let mut seen = labels(&handle);
    seen.sort_unstable();
    assert_eq!(seen, ["after", "before", "by the child", "meanwhile"]);
    assert!(folder.path().join("ledger.db-wal").exists(), "nobody deleted the WAL under the parent");
}

#[test]
fn children_and_grandchildren_and_the_parent_write_at_once() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let handle = ledger(&path);
    record(&handle, "root").expect("recorded");
    let write = |name: &str| (0..25).all(|turn| record(&handle, &format!("{name} {turn}")).is_ok());
    let children: Vec<libc::pid_t> = ["a", "b", "c"]
        .into_iter()
        .map(|name| {
            fork(|| {
                let below = format!("{name}{name}");
                let grandchild = fork(|| write(&below));
                write(name) && succeeded(grandchild)
            })
        })
        .collect();
    assert!(write("parent"));
    assert!(children.into_iter().all(succeeded));
    let seen = labels(&handle);
    assert_eq!(seen.len(), 1 + 7 * 25);
    for name in ["a", "aa", "b", "bb", "c", "cc", "parent"] {
        let own: Vec<&String> = seen.iter().filter(|label| label.split(' ').next() == Some(name)).collect();
        let expected: Vec<String> = (0..25).map(|turn| format!("{name} {turn}")).collect();
        assert!(own.iter().map(|label| label.as_str()).eq(expected.iter().map(String::as_str)), "{name}: {own:?}");
    }
    assert!(handle.call(Verify {}).expect("a verification").ok);
}

#[test]
fn a_fork_in_the_middle_of_another_threads_calls_blocks_nobody() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let handle = ledger(&path);
    record(&handle, "first").expect("recorded");
    let over = AtomicBool::new(false);
    let rounds = count("BGLEDGER_FORKS", 60);
    let recorded = std::thread::scope(|scope| {
        let busy: Vec<_> = (0..2)
            .map(|thread| {
                let (handle, over) = (&handle, &over);
                scope.spawn(move || {
                    let mut turns = 0;
                    while !over.load(Ordering::Relaxed) {
                        record(handle, &format!("thread {thread}, {turns}")).expect("recorded");
                        turns += 1;
                    }
                    turns
                })
            })
            .collect();
        let failed: Vec<usize> = (0..rounds)
            .filter(|round| {
                let child = fork(|| record(&handle, &format!("child {round}")).is_ok());
                !succeeded(child)
            })
            .collect();
        over.store(true, Ordering::Relaxed);
        assert_eq!(failed, Vec::<usize>::new(), "children that recorded nothing");
        busy.into_iter().map(|thread| thread.join().expect("a thread")).sum::<usize>()
    });
    let total = handle.call(Stats {}).expect("counts").total;
    assert_eq!(total, (1 + rounds + recorded) as u64);
    eprintln!("{rounds} forks amid {recorded} records");
    assert!(handle.call(Verify {}).expect("a verification").ok);
}

/// The WAL is gone and somebody else holds the lock while the process forks: what was acknowledged is still owed.
#[test]
fn a_fork_loses_nothing_that_was_acknowledged() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let handle = ledger(&path);
    record(&handle, "acknowledged").expect("recorded");
    for sidecar in ["ledger.db-wal", "ledger.db-shm"] {
        std::fs::remove_file(folder.path().join(sidecar)).expect("a sidecar to delete");
    }
    let holder = Holder::of(&path);
    assert!(succeeded(fork(|| true)));
    drop(holder);
    record(&handle, "later").expect("recorded");
    assert_eq!(labels(&handle), ["acknowledged", "later"]);
}
