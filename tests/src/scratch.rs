//! A folder for one ledger, removed at the end.

use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A ledger's place: nothing is there until somebody records.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch { folder: tempfile::tempdir().expect("a temporary folder") }
    }
}

impl Scratch {
    /// A new, empty folder.
    pub fn new() -> Scratch {
        Scratch::default()
    }

    /// The same in memory where the system has a place for that: for tests of which no sync is a part.
    pub fn in_memory() -> Scratch {
        let memory = Path::new("/dev/shm");
        match tempfile::tempdir_in(memory) {
            Ok(folder) => Scratch { folder },
            Err(_) => Scratch::new(),
        }
    }

    /// Where the ledger will be.
    pub fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// A text with every name of this folder taken out, so that two ledgers' answers can be compared.
    pub fn nameless(&self, text: &str) -> String {
        let own = self.folder.path().display().to_string();
        let real = self.folder.path().canonicalize().map(|path| path.display().to_string()).unwrap_or_default();
        let text = text.replace(&own, "FOLDER");
        if real.is_empty() { text } else { text.replace(&real, "FOLDER") }
    }
}
