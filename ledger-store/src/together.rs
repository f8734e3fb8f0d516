//! One sync for many processes.
//!
//! A sync makes durable whatever was written to the file before it began, by anybody. So whoever has committed while
//! another process syncs waits for that one to end; then one of all that wait syncs for them together. Nobody waits for
//! more than two syncs, and several writers pay for one.
//!
//! The syncs are counted: each takes the next number when it begins. Whoever has committed reads the number that began
//! last, and is done when one of a higher number has succeeded. A process that is killed while others wait for it, or whose
//! disk is slow, is waited for only so long: then each syncs for itself, which is always right.

use crate::platform::{self, Bell, FileIdentity, Syncs, Tone};
use bgledger_core::planted;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long another process's sync is waited for.
const PATIENCE_MS: i64 = 25;

/// Where the number of a sync stands in the word that says what it was of, and where the file.
const NUMBER: u32 = 16;
const FILE: u64 = (1 << NUMBER) - 1;

/// Syncs a file, or waits for somebody's sync that does it as well. `sync` answers whether others may rely on it.
pub(crate) fn together<E>(bell: &Bell, file: FileIdentity, sync: impl FnOnce() -> Result<bool, E>) -> Result<(), E> {
    let (syncs, file) = (bell.syncs(), short(file));
    let begun = if planted("join_earlier_sync") { 0 } else { syncs.begun.load(Ordering::SeqCst) };
    let until_ms = platform::monotonic_ms() + PATIENCE_MS;
    let mut listener = None;
    loop {
        // Heard before the look, so that no stroke after it is slept over.
        let heard = bell.strokes(Tone::Synced);
        let done = syncs.done.load(Ordering::SeqCst);
        // Words that no process wrote so, left by a power loss, name a sync that has not begun.
        let since = begun.saturating_add(1)..=syncs.begun.load(Ordering::SeqCst);
        if done & FILE == file && since.contains(&(done >> NUMBER)) {
            return Ok(());
        }
        let is_ours = syncs.under_way.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        let left_ms = until_ms - platform::monotonic_ms();
        if is_ours || left_ms <= 0 {
            return lead(bell, syncs, file, sync);
        }
        let listener = listener.get_or_insert_with(|| bell.attend(Tone::Synced));
        listener.listen(heard, Duration::from_millis(u64::try_from(left_ms).unwrap_or(0)));
    }
}

/// Syncs, and tells the others.
fn lead<E>(bell: &Bell, syncs: &Syncs, file: u64, sync: impl FnOnce() -> Result<bool, E>) -> Result<(), E> {
    let number = syncs.begun.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
    let synced = sync();
    if let Ok(true) = synced {
        syncs.done.store(number << NUMBER | file, Ordering::SeqCst);
    }
    // Perhaps another one's, too, who has been waited for in vain: then two are on their way at once, and no harm is done.
    syncs.under_way.store(0, Ordering::SeqCst);
    bell.strike(Tone::Synced);
    synced.map(drop)
}

/// Which file, as far as a few bits tell: enough for those who still have one that somebody moved a moment ago.
fn short(file: FileIdentity) -> u64 {
    (file.dev.wrapping_mul(31) ^ file.ino ^ file.ino >> NUMBER) & FILE
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::platform::{create_private_dir, monotonic_ms, random_bytes};
    use std::path::PathBuf;
    use std::sync::atomic::AtomicU64;
    use std::sync::mpsc;
    use std::thread;

    const FILE: FileIdentity = FileIdentity { dev: 1, ino: 2 };
    const OTHER: FileIdentity = FileIdentity { dev: 1, ino: 3 };

    /// A bell, and another mapping of the same.
    fn scene() -> (PathBuf, Bell, Bell) {
        let folder = std::env::temp_dir().join(format!("bgledger-syncs-{:x}", u64::from_ne_bytes(random_bytes())));
        create_private_dir(&folder).expect("a folder");
        let model = folder.join("ledger.db");
        std::fs::write(&model, "").expect("a file");
        let open = || Bell::open(&folder.join("ledger.db-bell"), &model).expect("a bell");
        (folder.clone(), open(), open())
    }

    /// Syncs that others may rely on, counted.
    fn counted(counter: &AtomicU64) -> impl FnOnce() -> Result<bool, ()> {
        || {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(true)
        }
    }

    /// What `waiters` come to who ask while a first sync is under way, which then ends as told; and how often they sync.
    fn while_one_syncs(first: Result<bool, ()>, files: &[FileIdentity]) -> u64 {
        let (folder, one, other) = scene();
        let counter = AtomicU64::new(0);
        thread::scope(|scope| {
            let ((began, begun), (end, ended)) = (mpsc::channel(), mpsc::channel());
            let one = &one;
            scope.spawn(move || {
                together(one, FILE, || {
                    began.send(()).expect("somebody who waits for it");
                    ended.recv().expect("the word to end");
                    first
                })
            });
            begun.recv().expect("it began");
            for file in files {
                scope.spawn(|| together(&other, *file, counted(&counter)).expect("a sync"));
            }
            while other.strokes(Tone::Synced) == 0 && !other.is_attended(Tone::Synced) {
                thread::yield_now();
            }
            end.send(()).expect("it listens");
        });
        std::fs::remove_dir_all(folder).expect("it goes");
        counter.into_inner()
    }

    #[test]
    fn alone_each_call_syncs_once() {
        let (folder, one, other) = scene();
        let counter = AtomicU64::new(0);
        for bell in [&one, &other, &one] {
            together(bell, FILE, counted(&counter)).expect("a sync");
        }
        assert_eq!(counter.into_inner(), 3);
        std::fs::remove_dir_all(folder).expect("it goes");
    }

    #[test]
    fn a_sync_that_began_before_is_not_enough() {
        let synced = while_one_syncs(Ok(true), &[FILE]);
        assert_eq!(synced, 1);
    }

    #[test]
    fn who_failed_or_has_another_file_is_not_relied_on() {
        assert_eq!(while_one_syncs(Err(()), &[FILE]), 1);
        assert_eq!(while_one_syncs(Ok(false), &[FILE]), 1);
        assert_eq!(while_one_syncs(Ok(true), &[OTHER]), 1);
    }

    #[test]
    fn a_sync_that_began_after_is_shared() {
        let (folder, one, _) = scene();
        let syncs = one.syncs();
        // Somebody syncs in the name of all: it takes the next number after ours was read.
        syncs.under_way.store(1, Ordering::SeqCst);
        let (counter, asked) = (AtomicU64::new(0), monotonic_ms());
        thread::scope(|scope| {
            let waiter = scope.spawn(|| together(&one, FILE, counted(&counter)));
            while !one.is_attended(Tone::Synced) && !waiter.is_finished() {
                thread::yield_now();
            }
            let number = syncs.begun.fetch_add(1, Ordering::SeqCst) + 1;
            syncs.done.store(number << NUMBER | short(FILE), Ordering::SeqCst);
            one.strike(Tone::Synced);
        });
        let took = monotonic_ms() - asked;
        assert!(counter.into_inner() == 0 || took >= PATIENCE_MS, "it did not wait, in {took} ms");
        std::fs::remove_dir_all(folder).expect("it goes");
    }

    #[test]
    fn whoever_was_killed_is_not_waited_for_long() {
        let (folder, one, other) = scene();
        one.syncs().under_way.store(1, Ordering::SeqCst);
        let began = monotonic_ms();
        let counter = AtomicU64::new(0);
        together(&other, FILE, counted(&counter)).expect("a sync");
        assert!(monotonic_ms() - began >= PATIENCE_MS);
        // And only once.
        assert_eq!(other.syncs().under_way.load(Ordering::SeqCst), 0);
        assert_eq!(counter.into_inner(), 1);
        std::fs::remove_dir_all(folder).expect("it goes");
    }

    #[test]
    fn a_sync_that_has_not_begun_is_not_believed() {
        let (folder, one, _) = scene();
        for number in [1, 7, u64::MAX >> NUMBER] {
            one.syncs().begun.store(0, Ordering::SeqCst);
            one.syncs().done.store(number << NUMBER | short(FILE), Ordering::SeqCst);
            let counter = AtomicU64::new(0);
            together(&one, FILE, counted(&counter)).expect("a sync");
            assert_eq!(counter.into_inner(), 1, "{number}");
        }
        std::fs::remove_dir_all(folder).expect("it goes");
    }
}
