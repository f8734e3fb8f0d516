//! Nobody wins by doing less: what is looked at after each run.

use bgledger_core::Verify;
use bgledger_store::{Ledger, OpenOptions};
use rusqlite::Connection;
use std::path::Path;

/// Panics unless the file has one event for each acknowledged operation, every task equals its history (where that is
/// told: the writer by hand records less of it), and SQLite finds the file whole.
pub fn assert_honest(path: &Path, acknowledged: u64, is_ours: bool) {
    let sql = Connection::open(path).expect("the file opens");
    let events: i64 = sql.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).expect("events");
    assert_eq!(
        u64::try_from(events),
        Ok(acknowledged),
        "{}: events, and operations that were acknowledged",
        path.display()
    );
    let check: String = sql.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(check, "ok", "{}", path.display());
    let last = "SELECT count(*) FROM task JOIN event ON event.seq = task.last_event
        WHERE (event.kind = 1) <> (task.status = 1)";
    let odd: i64 = sql.query_row(last, [], |row| row.get(0)).expect("a count");
    assert_eq!(odd, 0, "{}: a task's status is not its last event's", path.display());
    drop(sql);
    if is_ours {
        let report = Ledger::open(path, OpenOptions::default()).and_then(|ledger| ledger.call(Verify {}));
        assert!(report.expect("a verification").ok, "{}", path.display());
    }
}
