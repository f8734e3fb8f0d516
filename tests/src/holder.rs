//! Another process that holds the ledger's write lock, through a SQLite of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const HOLD: &str = "import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute('BEGIN IMMEDIATE')
print('held', flush=True)
sys.stdin.read()";

/// The lock, given back when it is dropped.
#[derive(Debug)]
pub struct Holder(Child);

impl Holder {
    /// Takes the write lock; it is held when this returns.
    pub fn of(ledger: &Path) -> Holder {
        let mut child = Command::new("python3")
            .args(["-c", HOLD])
            .arg(ledger)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        let output = child.stdout.take().expect("a pipe");
        let mut held = String::new();
        BufReader::new(output).read_line(&mut held).expect("a word");
        assert_eq!(held, "held\n");
        Holder(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
