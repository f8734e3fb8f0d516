//! Threads of one process share a handle, its connection and its commits.

use bgledger_core::{Create, Error, List, Lookup, Request, Status, Verify};
use bgledger_store::{Ledger, OpenOptions};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::Barrier;
use std::time::Duration;

fn assert_shareable<T: Send + Sync + Clone>(_: &T) {}

fn ledger(path: &Path) -> Ledger {
    Ledger::open(path, OpenOptions::default()).expect("the ledger opens")
}

fn numbered(number: u64) -> Lookup {
    Lookup::Number(bgledger_core::TaskNumber(number))
}

fn finish(number: u64, status: &str) -> Request {
    let line = format!(r#"{{"finish": {{"lookup": {number}, "status": "{status}"}}}}"#);
    bgledger_core::Envelope::parse(&line).request.expect("a request")
}

#[test]
fn sixteen_threads_lose_nothing_and_repeat_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let handle = ledger(&folder.path().join("ledger.db"));
    assert_shareable(&handle);
    let (threads, each) = (16, 50);
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..threads)
            .map(|thread| {
                let handle = handle.clone();
                scope.spawn(move || {
                    let label = |turn| format!("thread {thread}, {turn}");
                    let create = |turn| Create { label: label(turn), ..Create::default() };
                    (0..each)
                        .map(|turn| handle.call(create(turn)).expect("created").task.task.number.0)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().expect("a thread")).collect()
    });
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(1..=threads * each), "every creation has a number of its own");
    assert!(handle.call(Verify {}).expect("a verification").ok);
}

/// Sixteen threads that arrive together cannot each have had a commit of their own if the file counts fewer.
#[test]
fn threads_that_arrive_together_share_commits() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let handle = ledger(&path);
    handle.call(Create { label: "first".into(), ..Create::default() }).expect("created");
    let outside = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a second connection");
    outside.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let barrier = Barrier::new(17);
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (handle, barrier) = (&handle, &barrier);
            scope.spawn(move || {
                barrier.wait();
                handle.call(Create { label: format!("thread {thread}"), ..Create::default() }).expect("created");
            });
        }
        barrier.wait();
        // While the lock is held from outside nobody can commit, so that everybody comes to wait.
        std::thread::sleep(Duration::from_millis(300));
        outside.execute_batch("COMMIT").expect("the lock given back");
    });
    let at: Vec<i64> = {
        let mut statement = outside.prepare("SELECT count(*) FROM event WHERE task > 1").expect("a query");
        statement.query_map([], |row| row.get(0)).expect("rows").map(|row| row.expect("a row")).collect()
    };
    assert_eq!(at, [16]);
    let frames = wal_commits(&path);
    assert!(frames < 16, "16 creations that waited together took {frames} commits");
    assert!(handle.call(Verify {}).expect("a verification").ok);
}

/// Commits in a WAL since its start: frames that carry the database's size.
fn wal_commits(ledger: &Path) -> usize {
    let mut name = ledger.as_os_str().to_owned();
    name.push("-wal");
    let wal = std::fs::read(name).expect("a WAL");
    let word = |at: usize| u32::from_be_bytes(wal[at..at + 4].try_into().expect("four bytes"));
    let page = usize::try_from(word(8)).expect("a page size");
    let salt = (word(16), word(20));
    (32..wal.len())
        .step_by(24 + page)
        .take_while(|at| at + 24 <= wal.len() && (word(at + 8), word(at + 12)) == salt)
        .filter(|at| word(at + 4) != 0)
        .count()
}

#[test]
fn a_refusal_in_a_shared_commit_takes_nobody_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let handle = ledger(&folder.path().join("ledger.db"));
    let created = handle.call(Create { label: "ended".into(), ..Create::default() }).expect("created");
    handle.request(finish(created.task.task.number.0, "succeeded")).expect("finished");
    let barrier = Barrier::new(16);
    let outcomes: Vec<Result<(), Error>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|thread| {
                let (handle, barrier) = (&handle, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    (0..20).try_for_each(|turn| match thread % 2 {
                        0 => handle.call(Create { label: format!("{thread} {turn}"), ..Create::default() }).map(drop),
                        _ => match handle.request(finish(1, "failed")) {
                            Err(Error::AlreadyEnded { .. }) => Ok(()),
                            Err(error) => Err(error),
                            Ok(_) => Err(Error::internal("a second end was recorded")),
                        },
                    })
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
    });
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let listed = handle.call(List { limit: Some(1_000), ..List::default() }).expect("a list").tasks;
    assert_eq!(listed.len(), 1 + 8 * 20);
    let ended = handle.call(bgledger_core::Show::from(numbered(1))).expect("shown").task;
    assert_eq!(ended.task.status, Status::Succeeded);
    assert!(handle.call(Verify {}).expect("a verification").ok);
}

/// Concurrent creations with one key make one row, in one process as across processes.
#[test]
fn one_key_makes_one_task() {
    let folder = tempfile::tempdir().expect("a folder");
    let handle = ledger(&folder.path().join("ledger.db"));
    let barrier = Barrier::new(12);
    let made: Vec<(bool, u64)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12)
            .map(|_| {
                let (handle, barrier) = (&handle, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let create = Create { label: "one".into(), key: Some("the key".into()), ..Create::default() };
                    let reply = handle.call(create).expect("an answer");
                    (reply.created, reply.task.task.number.0)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
    });
    assert_eq!(made.iter().filter(|(created, _)| *created).count(), 1);
    assert!(made.iter().all(|(_, number)| *number == 1));
}

#[test]
fn a_writer_that_cannot_have_the_lock_is_told_so_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let options = OpenOptions { busy_timeout: Duration::from_millis(200), ..OpenOptions::default() };
    let handle = Ledger::open(&path, options).expect("the ledger opens");
    handle.call(Create { label: "first".into(), ..Create::default() }).expect("created");
    let outside = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a second connection");
    outside.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let refused = handle.call(Create { label: "second".into(), ..Create::default() });
    assert!(matches!(refused, Err(Error::Busy { waited_ms }) if waited_ms >= 200), "{refused:?}");
    assert_eq!(handle.call(List::default()).expect("reading goes on").tasks.len(), 1);
    outside.execute_batch("ROLLBACK").expect("the lock given back");
    handle.call(Create { label: "second".into(), ..Create::default() }).expect("asked again");
}

fn with_patience(path: &Path, milliseconds: u64) -> Ledger {
    let options = OpenOptions { busy_timeout: Duration::from_millis(milliseconds), ..OpenOptions::default() };
    Ledger::open(path, options).expect("the ledger opens")
}

fn created(ledger: &Ledger, label: &str) -> Result<(), Error> {
    ledger.call(Create { label: label.into(), ..Create::default() }).map(drop)
}

/// Threads share commits, not patience: who gives up early takes nobody with it, and waits for nobody longer.
#[test]
fn everybody_waits_by_their_own_patience() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let (patient, brief, also) = (with_patience(&path, 60_000), with_patience(&path, 300), with_patience(&path, 400));
    created(&patient, "first").expect("created");
    let outside = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a second connection");
    outside.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    std::thread::scope(|scope| {
        // The patient one leads; the brief ones come to wait behind it, and do not wait for it.
        let leader = scope.spawn(|| created(&patient, "leader"));
        let brief = scope.spawn(|| created(&brief, "brief"));
        let also = scope.spawn(|| created(&also, "brief as well"));
        let last = scope.spawn(|| created(&patient, "last"));
        for told in [brief.join(), also.join()] {
            let told = told.expect("a thread");
            assert!(matches!(told, Err(Error::Busy { .. })), "{told:?}");
        }
        outside.execute_batch("ROLLBACK").expect("the lock given back");
        assert_eq!((leader.join().expect("a thread"), last.join().expect("a thread")), (Ok(()), Ok(())));
    });
    let listed = patient.call(List::default()).expect("a list").tasks;
    assert_eq!(listed.len(), 3, "who was told busy was not carried out later");
}

/// One task's damaged row is its own caller's trouble alone.
#[test]
fn one_failure_in_a_shared_commit_takes_nobody_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let handle = ledger(&path);
    created(&handle, "damaged").expect("created");
    let outside = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a second connection");
    outside
        .execute_batch("UPDATE task SET error = '{bad' WHERE number = 1; BEGIN IMMEDIATE")
        .expect("damage, and the lock");
    std::thread::scope(|scope| {
        let good: Vec<_> = (0..6)
            .map(|turn| {
                let handle = &handle;
                scope.spawn(move || created(handle, &format!("good {turn}")))
            })
            .collect();
        let bad = scope.spawn(|| handle.request(finish(1, "failed")).map(drop));
        // While the lock is held from outside everybody comes to wait.
        std::thread::sleep(Duration::from_millis(200));
        outside.execute_batch("ROLLBACK").expect("the lock given back");
        assert!(matches!(bad.join().expect("a thread"), Err(Error::Corrupt { .. })));
        good.into_iter().for_each(|good| good.join().expect("a thread").expect("created"));
    });
}
