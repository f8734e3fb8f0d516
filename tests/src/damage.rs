//! Ledgers that something happened to: a seeded generator.

use crate::dice::Dice;
use std::fs;
use std::path::{Path, PathBuf};

/// What SQLite keeps of a ledger, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The database.
    pub database: Vec<u8>,
    /// The `-wal`; empty where there is none.
    pub wal: Vec<u8>,
    /// The `-shm`; empty where there is none.
    pub shm: Vec<u8>,
}

/// What happens to a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// Up to eight bits of the database are flipped.
    FlippedBits,
    /// A page is zeroed.
    ZeroedPage,
    /// The first page is zeroed.
    ZeroedHead,
    /// The database ends early.
    Truncated,
    /// Two pages have changed places.
    SwappedPages,
    /// A sector holds something else.
    GarbledSector,
    /// Bits of the `-wal` are flipped.
    FlippedWal,
    /// The `-wal` ends early.
    TruncatedWal,
    /// The `-wal` is another ledger's.
    ForeignWal,
    /// The `-shm` is noise.
    GarbledShm,
    /// There is something else altogether.
    AnotherFile,
}

impl Damage {
    /// Every kind.
    pub const ALL: [Damage; 11] = [
        Damage::FlippedBits,
        Damage::ZeroedPage,
        Damage::ZeroedHead,
        Damage::Truncated,
        Damage::SwappedPages,
        Damage::GarbledSector,
        Damage::FlippedWal,
        Damage::TruncatedWal,
        Damage::ForeignWal,
        Damage::GarbledShm,
        Damage::AnotherFile,
    ];

    /// Whether bytes within rows may have changed, which SQLite has no checksum for.
    pub fn is_fine(self) -> bool {
        matches!(self, Damage::FlippedBits | Damage::GarbledSector | Damage::SwappedPages)
    }

    /// Whether it is the `-wal` that is damaged: then an older state of the ledger is a right answer.
    pub fn is_of_wal(self) -> bool {
        matches!(self, Damage::FlippedWal | Damage::TruncatedWal | Damage::GarbledShm)
    }
}

const PAGE: usize = 4_096;

impl Files {
    /// The files of a ledger as they lie there.
    pub fn of(ledger: &Path) -> Files {
        let read = |suffix: &str| fs::read(beside(ledger, suffix)).unwrap_or_default();
        Files { database: read(""), wal: read("-wal"), shm: read("-shm") }
    }

    /// Puts them somewhere.
    pub fn put(&self, ledger: &Path) {
        fs::write(ledger, &self.database).expect("a file");
        for (suffix, bytes) in [("-wal", &self.wal), ("-shm", &self.shm)] {
            if !bytes.is_empty() {
                fs::write(beside(ledger, suffix), bytes).expect("a file");
            }
        }
    }

    /// The same after some damage. `foreign`: another ledger.
    pub fn damaged(mut self, damage: Damage, foreign: &Files, dice: &mut Dice) -> Files {
        let pages = self.database.len() / PAGE;
        let page = |dice: &mut Dice| PAGE * index(dice, pages);
        match damage {
            Damage::FlippedBits => flip(&mut self.database, dice),
            Damage::ZeroedPage => {
                let at = page(dice);
                self.database[at..at + PAGE].fill(0);
            }
            Damage::ZeroedHead => self.database[..PAGE].fill(0),
            Damage::Truncated => {
                let length = 1 + index(dice, self.database.len() - 1);
                self.database.truncate(length);
            }
            Damage::SwappedPages => {
                let (one, other) = (page(dice), page(dice));
                let (first, second) =
                    (self.database[one..one + PAGE].to_vec(), self.database[other..other + PAGE].to_vec());
                self.database[one..one + PAGE].copy_from_slice(&second);
                self.database[other..other + PAGE].copy_from_slice(&first);
            }
            Damage::GarbledSector => {
                let at = 512 * index(dice, self.database.len() / 512);
                self.database[at..at + 512].fill_with(|| byte(dice));
            }
            Damage::FlippedWal => flip(&mut self.wal, dice),
            Damage::TruncatedWal => {
                let length = index(dice, self.wal.len());
                self.wal.truncate(length);
            }
            Damage::ForeignWal => {
                self.wal.clone_from(&foreign.wal);
                self.shm.clear();
            }
            Damage::GarbledShm => self.shm.fill_with(|| byte(dice)),
            Damage::AnotherFile => {
                self.database.fill_with(|| byte(dice));
                self.wal.clear();
                self.shm.clear();
            }
        }
        self
    }
}

fn index(dice: &mut Dice, bound: usize) -> usize {
    usize::try_from(dice.below(bound as u64)).expect("an index")
}

fn byte(dice: &mut Dice) -> u8 {
    u8::try_from(dice.below(256)).expect("a byte")
}

fn flip(bytes: &mut [u8], dice: &mut Dice) {
    for _ in 0..=dice.below(8) {
        let at = index(dice, bytes.len());
        bytes[at] ^= 1 << dice.below(8);
    }
}

/// The path of a file beside a ledger.
pub fn beside(ledger: &Path, suffix: &str) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
