//! Whoever waits sleeps, and is woken by the commit it waits for, whichever process makes it.
#![cfg(target_os = "linux")]

use bgledger_core::{Create, Seq, Span, Status, TaskNumber, Wait, Watch};
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::pipe::Piped;
use bgledger_tests::scratch::Scratch;
use bgledger_tests::until::until;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// So many wait at once.
const WAITERS: usize = 1_000;
/// How often they may wake in a second while nothing happens, all together: each looks once in a few seconds.
const WAKES: u64 = 500;

fn ledger(scratch: &Scratch) -> Ledger {
    Ledger::open(&scratch.ledger(), OpenOptions::default()).expect("a ledger")
}

fn queued(ledger: &Ledger) -> TaskNumber {
    let create = Create { label: "awaited".into(), ..Create::default() };
    ledger.call(create).expect("a task").task.task.number
}

/// How often the threads of this process with the name of the waiters have gone to sleep so far.
fn sleeps() -> u64 {
    let threads = fs::read_dir("/proc/self/task").expect("the threads");
    let of = |folder: fs::DirEntry| -> Option<u64> {
        let name = fs::read_to_string(folder.path().join("comm")).ok()?;
        let status = fs::read_to_string(folder.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse().ok().filter(|_| name.trim() == "waiter")
    };
    threads.filter_map(|thread| of(thread.ok()?)).sum()
}

#[test]
fn a_thousand_idle_waiters_sleep_and_one_commit_wakes_them_all() {
    let scratch = Scratch::in_memory();
    let handle = ledger(&scratch);
    let task = queued(&handle);
    let number = task.0;
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..WAITERS)
            .map(|_| {
                let wait =
                    Wait { lookups: vec![task.into()], any: false, timeout: Some(Span::from_secs(120)), ack: None };
                let handle = &handle;
                let waiter = std::thread::Builder::new().name("waiter".into()).stack_size(256 * 1024);
                waiter.spawn_scoped(scope, move || handle.call(wait)).expect("a thread")
            })
            .collect();
        // At rest: until a second has passed in which hardly anybody woke.
        let mut before = 0;
        until("the waiters sleep", || {
            std::thread::sleep(Duration::from_secs(1));
            let now = sleeps();
            let woken = now - before;
            before = now;
            woken <= WAKES
        });
        let ended = handle.answer(&format!(r#"{{"finish": {{"lookup": {number}, "status": "succeeded"}}}}"#));
        assert!(ended.starts_with(r#"{"ok""#), "{ended}");
        for waiter in waiters {
            let tasks = waiter.join().expect("a waiter").expect("it ended").tasks;
            assert_eq!(tasks[0].task.status, Status::Succeeded);
        }
    });
}

#[test]
fn a_watcher_is_woken_by_each_commit_of_another_process() {
    let scratch = Scratch::new();
    let mut writer = Piped::on(&scratch.ledger());
    writer.ok(r#"{"create": {"label": "first"}}"#);
    let handle = ledger(&scratch);
    let mut after = Seq(0);
    for round in 0..50 {
        let next = |after| {
            let timeout = Some(Span::from_secs(60));
            handle.call(Watch { after: Some(after), timeout, ..Watch::default() }).expect("events")
        };
        let seen = std::thread::scope(|scope| {
            let events = next(after);
            let watcher = scope.spawn(move || next(events.next));
            writer.ok(&format!(r#"{{"create": {{"label": "round {round}"}}}}"#));
            watcher.join().expect("a watcher")
        });
        assert_eq!(seen.events.len(), 1, "round {round}");
        after = Seq(seen.next.0 - 1);
    }
}

#[test]
fn a_wait_ends_when_its_caller_is_roused_and_does_not_go_on() {
    let scratch = Scratch::in_memory();
    let handle = ledger(&scratch);
    let task = queued(&handle);
    let goes_on = AtomicBool::new(true);
    let wait = Wait { lookups: vec![task.into()], any: false, timeout: None, ack: None };
    std::thread::scope(|scope| {
        let request = bgledger_core::Request::Wait(wait);
        let waiter = scope.spawn(|| handle.request_while(request, &|| goes_on.load(Ordering::SeqCst)));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiter.is_finished());
        goes_on.store(false, Ordering::SeqCst);
        handle.rouse();
        let ended = waiter.join().expect("a waiter");
        assert!(matches!(ended, Err(bgledger_core::Error::WaitTimedOut { .. })), "{ended:?}");
    });
}

/// Closing a ledger that nobody made makes nothing, and a bell that somebody removed is made anew.
#[test]
fn a_bell_is_made_by_those_who_need_it_and_again_when_it_is_gone() {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let bell = path.with_file_name("ledger.db-bell");
    let handle = ledger(&scratch);
    handle.rouse();
    assert!(!bell.exists(), "only recording creates a ledger, and what lies beside it");
    let task = queued(&handle);
    fs::remove_file(&bell).expect("a bell");
    std::thread::sleep(Duration::from_millis(1_100));
    std::thread::scope(|scope| {
        let wait = Wait { lookups: vec![task.into()], any: false, timeout: Some(Span::from_secs(60)), ack: None };
        let mut other = Piped::on(&path);
        other.ok(r#"{"create": {"label": "another process opens the bell"}}"#);
        let waiter = scope.spawn(|| handle.call(wait));
        std::thread::sleep(Duration::from_millis(100));
        other.ok(r#"{"finish": {"lookup": 1, "status": "succeeded"}}"#);
        let began = bgledger_store::platform::monotonic_ms();
        waiter.join().expect("a waiter").expect("it ended");
        assert!(bgledger_store::platform::monotonic_ms() - began < 3_000, "nobody heard the new bell");
    });
}
