//! The bell beside a ledger: whoever commits strikes it, whoever waits hears it, in any process.
//!
//! It is a few words of memory that all processes share through a small file. A stroke that nobody listens for is one
//! addition; a listener sleeps in the kernel and costs nothing until it is woken. Outside Linux, and for whoever may not
//! write the file, there is no bell, and waiting means looking again after [`UNHEARD`]. Like SQLite's `-shm`, the file is
//! shared memory: whoever truncates it under a running process ends that process.

mod memory;

use super::{FileIdentity, identity};
use memory::Memory;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// How often a waiting call looks for itself where it cannot hear the bell.
pub const UNHEARD: Duration = Duration::from_millis(20);
/// How often it looks although it hears: a process may have been killed between its commit and its stroke.
pub const UNSTRUCK: Duration = Duration::from_secs(5);

/// What is told by it, each to listeners of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something was committed. Wakes everybody.
    News,
    /// The turn to write is free. Wakes one.
    Turn,
    /// A sync is over. Wakes everybody.
    Synced,
}

/// Words that are left beside the bell for everybody. Whoever reads them while others write may see some of one note and
/// some of another: what is in them must tell by itself whether it belongs together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note(pub [u64; 3]);

/// What the file holds, all zeros at first. Any bytes are such words, and nothing that relies on them may be wrong because
/// of them for longer than a moment: processes are killed between any two.
#[repr(C)]
#[derive(Debug)]
struct Words {
    news: Word,
    turn: Word,
    synced: Word,
    note: [AtomicU64; 3],
    syncs: Syncs,
}

#[repr(C)]
#[derive(Debug)]
struct Word {
    strokes: AtomicU32,
    /// How many may be asleep. A listener that was killed stays counted, which costs its ledger's writers a system call
    /// and nobody a wake-up.
    listeners: AtomicU32,
}

/// The syncs of all processes; see `crate::together`.
#[repr(C)]
#[derive(Debug)]
pub struct Syncs {
    /// How many have begun.
    pub begun: AtomicU64,
    /// The last that succeeded, and of what.
    pub done: AtomicU64,
    /// Not zero: one is on its way, unless whoever began it was killed.
    pub under_way: AtomicU64,
}

/// See the module.
#[derive(Debug)]
pub struct Bell {
    file: PathBuf,
    identity: Option<FileIdentity>,
    memory: Memory,
}

impl Bell {
    /// Opens the bell in a file, which is made for the owner and with the mode of `model` if there is none. `None`: there
    /// is no hearing it from here, or there is no `model`.
    pub fn open(file: &Path, model: &Path) -> Option<Bell> {
        let memory = Memory::open(file, model).ok()?;
        let identity = identity(file).ok().flatten();
        Some(Bell { file: file.to_owned(), identity, memory })
    }

    /// Whether the file is still the one that others open.
    pub fn is_in_place(&self) -> bool {
        self.identity.is_some() && identity(&self.file).ok().flatten() == self.identity
    }

    /// How often it was struck, as far as its listeners care: the number changes with every stroke.
    pub fn strokes(&self, tone: Tone) -> u32 {
        self.word(tone).strokes.load(Ordering::SeqCst)
    }

    /// Wakes who listens, in every process.
    pub fn strike(&self, tone: Tone) {
        let word = self.word(tone);
        word.strokes.fetch_add(1, Ordering::SeqCst);
        // A listener counts itself before it looks at the strokes for the last time: one of the two sees the other.
        if word.listeners.load(Ordering::SeqCst) > 0 {
            let many = match tone {
                Tone::News | Tone::Synced => i32::MAX.unsigned_abs(),
                Tone::Turn => 1,
            };
            self.memory.wake(&word.strokes, many);
        }
    }

    /// Whether somebody may be listening.
    pub fn is_attended(&self, tone: Tone) -> bool {
        self.word(tone).listeners.load(Ordering::SeqCst) > 0
    }

    /// Counts as a listener for as long as the value lives: who does not is not woken.
    pub fn attend(&self, tone: Tone) -> Listener<'_> {
        self.count(tone, 1);
        Listener { bell: self, tone }
    }

    /// Leaves a note.
    pub fn leave(&self, Note(words): Note) {
        self.memory.words().note.iter().zip(words).for_each(|(word, left)| word.store(left, Ordering::SeqCst));
    }

    /// The note that was left last; of zeros if there is none.
    pub fn left(&self) -> Note {
        Note(self.memory.words().note.each_ref().map(|word| word.load(Ordering::SeqCst)))
    }

    /// The syncs of all processes.
    pub fn syncs(&self) -> &Syncs {
        &self.memory.words().syncs
    }

    fn count(&self, tone: Tone, by: i32) {
        let counted = |listeners: u32| Some(listeners.saturating_add_signed(by));
        let _ = self.word(tone).listeners.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted);
    }

    fn word(&self, tone: Tone) -> &Word {
        let words = self.memory.words();
        match tone {
            Tone::News => &words.news,
            Tone::Turn => &words.turn,
            Tone::Synced => &words.synced,
        }
    }
}

/// See [`Bell::attend`].
#[derive(Debug)]
pub struct Listener<'a> {
    bell: &'a Bell,
    tone: Tone,
}

impl Listener<'_> {
    /// Sleeps until a stroke after the one that was `heard`, a signal, or the end of the time. Whoever listens then looks
    /// for itself.
    pub fn listen(&self, heard: u32, time: Duration) {
        self.bell.memory.wait(&self.bell.word(self.tone).strokes, heard, time);
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        self.bell.count(self.tone, -1);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::{create_private_dir, monotonic_ms, random_bytes};
    use super::*;

    fn scene() -> (std::path::PathBuf, Bell, Bell) {
        let folder = std::env::temp_dir().join(format!("bgledger-bell-{:x}", u64::from_ne_bytes(random_bytes())));
        create_private_dir(&folder).expect("a folder");
        let (model, file) = (folder.join("ledger.db"), folder.join("ledger.db-bell"));
        std::fs::write(&model, "").expect("a file");
        let open = || Bell::open(&file, &model).expect("a bell");
        (folder, open(), open())
    }

    #[test]
    fn a_stroke_wakes_who_listens_through_another_mapping() {
        let (folder, one, other) = scene();
        let heard = other.strokes(Tone::News);
        let began = monotonic_ms();
        std::thread::scope(|scope| {
            let listener = scope.spawn(|| other.attend(Tone::News).listen(heard, Duration::from_secs(60)));
            while !listener.is_finished() {
                std::thread::sleep(Duration::from_millis(10));
                one.strike(Tone::News);
            }
        });
        assert_ne!(other.strokes(Tone::News), heard);
        assert!(monotonic_ms() - began < 50_000, "it slept to the end");
        std::fs::remove_dir_all(folder).expect("it goes");
    }

    #[test]
    fn a_note_is_seen_through_another_mapping() {
        let (folder, one, other) = scene();
        assert_eq!(other.left(), Note([0; 3]));
        one.leave(Note([1, 2, 3]));
        assert_eq!(other.left(), Note([1, 2, 3]));
        std::fs::remove_dir_all(folder).expect("it goes");
    }

    #[test]
    fn a_stroke_before_listening_is_not_slept_over() {
        let (folder, one, other) = scene();
        let heard = other.strokes(Tone::News);
        one.strike(Tone::News);
        let began = monotonic_ms();
        other.attend(Tone::News).listen(heard, Duration::from_secs(60));
        assert!(monotonic_ms() - began < 50_000, "it slept to the end");
        std::fs::remove_dir_all(folder).expect("it goes");
    }
}
