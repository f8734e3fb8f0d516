//! What several processes do with the files of one folder, written down in one order: a library that the dynamic linker
//! puts before the C library. It sees what SQLite does and what the store does by itself.

use crate::vfs::Happening;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// One thing that happened, or that somebody told on its stdout.
#[derive(Debug, Clone)]
pub enum Noted {
    /// To the files.
    Happened(Happening),
    /// A piece of stdout.
    Told(String),
}

/// Makes a command write down what it does with the files of a folder.
pub fn govern(command: &mut Command, folder: &Path, notes: &Path) {
    command.env("LD_PRELOAD", library()).env("BGLEDGER_TEST_RECORD", notes).env("BGLEDGER_TEST_FOLDER", folder);
}

/// Reads what was written down: lines, some of them followed by bytes.
pub fn read(notes: &Path) -> Vec<Noted> {
    let bytes = fs::read(notes).expect("what was written down");
    let (mut noted, mut rest) = (Vec::new(), bytes.as_slice());
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = std::str::from_utf8(&rest[..end]).expect("a line");
        rest = &rest[end + 1..];
        let words: Vec<&str> = line.split(' ').collect();
        let number = |place: usize| words[place].parse::<u64>().expect("a number");
        let mut take = |place: usize| {
            let (bytes, others) = rest.split_at(usize::try_from(number(place)).expect("a length"));
            rest = others;
            bytes.to_vec()
        };
        noted.push(Noted::Happened(match words[0] {
            "O" => Happening::Named { file: number(1), made: number(2) == 1, name: words[3].to_owned() },
            "W" => Happening::Wrote { file: number(1), at: number(2), bytes: take(3) },
            "T" => Happening::Cut { file: number(1), length: number(2) },
            "S" => Happening::Synced { file: number(1), names: false },
            "N" => Happening::SyncedNames,
            "D" => Happening::Deleted { name: words[1].to_owned(), names: false },
            "R" => Happening::Renamed { from: words[1].to_owned(), to: words[2].to_owned() },
            "A" => {
                noted.push(Noted::Told(String::from_utf8(take(1)).expect("text")));
                continue;
            }
            other => panic!("{other} was written down"),
        }));
    }
    noted
}

/// The library, compiled by the C compiler.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| crate::fault::compile("recorder.c", include_str!("recorder.c")))
}
