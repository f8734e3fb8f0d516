//! What must hold of every ledger, whoever wrote it and however they died.

use bgledger_core::Verify;
use bgledger_store::{Ledger, OpenOptions};
use std::path::Path;
use std::process::Command;

/// Asks the file, through SQLite's own shell: a reader that shares no code with the writers.
pub fn ask_sqlite(ledger: &Path, query: &str) -> String {
    let output = Command::new("sqlite3").arg(ledger).arg(query).output().expect("sqlite3 is installed");
    assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

/// Panics unless SQLite finds no damage, `seq` runs on from the newest that was pruned without gap or repeat, the times of every row are in order,
/// the counters equal what is counted, and every row equals the fold of its events.
pub fn assert_sound(ledger: &Path) {
    assert_eq!(ask_sqlite(ledger, "PRAGMA integrity_check"), "ok");
    assert_eq!(ask_sqlite(ledger, "PRAGMA foreign_key_check"), "");
    let seqs = "SELECT coalesce(max(seq), pruned.value) - pruned.value = count(seq)
        FROM (SELECT value FROM meta WHERE key = 'pruned_seq') AS pruned LEFT JOIN event ON seq > pruned.value";
    assert_eq!(ask_sqlite(ledger, seqs), "1", "seq has a gap or a repeat");
    let disorder = "SELECT count(*) FROM task WHERE NOT (created_at <= coalesce(started_at, created_at)
        AND coalesce(started_at, created_at) <= coalesce(ended_at, updated_at) AND coalesce(ended_at, updated_at) <= updated_at)";
    assert_eq!(ask_sqlite(ledger, disorder), "0", "times out of order");
    let handle = Ledger::open(ledger, OpenOptions { readonly: true, ..OpenOptions::default() }).expect("it opens");
    let report = handle.call(Verify {}).expect("a verification");
    assert!(report.ok, "{:#?}", report.problems);
}
