//! The ceiling: what somebody would write who has only this to do, with rusqlite, prepared statements and the ledger's
//! own tables. No rule beyond the status, no other face.

use super::wall_ms;
use bgledger_core::Create;
use bgledger_core::config::Durability;
use bgledger_store::{Ledger, OpenOptions};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, Transaction, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// A writer by hand.
#[derive(Debug)]
pub struct ByHand {
    sql: Connection,
    durability: Durability,
    syncs: Option<bool>,
}

impl ByHand {
    /// Makes the tables, which are the ledger's own: a first task is recorded, with one event.
    pub fn lay_out(path: &Path) {
        let ledger = Ledger::open(path, OpenOptions::default()).expect("the ledger opens");
        ledger.call(Create { label: "the first".into(), ..Create::default() }).expect("created");
    }

    /// Opens a file that has its tables already.
    pub fn open(path: &Path, durability: Durability, patience: Duration) -> ByHand {
        let sql = Connection::open(path).expect("the file opens");
        sql.set_prepared_statement_cache_capacity(64);
        sql.busy_timeout(patience).expect("a patience");
        sql.execute_batch("PRAGMA wal_autocheckpoint = 1000; PRAGMA cache_size = -8000; PRAGMA temp_store = MEMORY")
            .expect("settings");
        let mut by_hand = ByHand { sql, durability, syncs: None };
        by_hand.sync(true);
        by_hand
    }

    /// The ledger's rule: a progress does not sync, everything else here does unless told `relaxed`.
    fn sync(&mut self, durable: bool) {
        let full = durable && self.durability == Durability::Full;
        if self.syncs.replace(full) != Some(full) {
            let level = if full { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
            self.sql.execute_batch(level).expect("a level");
        }
    }

    fn begin(&mut self, durable: bool) -> Result<Transaction<'_>> {
        self.sync(durable);
        self.sql.transaction_with_behavior(TransactionBehavior::Immediate)
    }

    /// Records a task; answers its number.
    pub fn create(&mut self, run: u64) -> Result<i64> {
        let tx = self.begin(true)?;
        let at = wall_ms();
        let run_id = format!("run-{run}");
        let id = uuid(at, run);
        let known = "SELECT number FROM task WHERE run_id = ?1 AND runtime = ?2 AND owner = ?3 AND key IS NULL";
        let known: Option<i64> =
            tx.prepare_cached(known)?.query_row((&run_id, "subagent", "local"), first).optional()?;
        assert!(known.is_none());
        let buried = "SELECT 1 FROM tombstone WHERE run_id = ?1 AND runtime = ?2 AND owner = ?3 AND key IS NULL";
        assert!(!tx.prepare_cached(buried)?.exists((&run_id, "subagent", "local"))?);
        let policy = "SELECT value FROM config WHERE key = ?1";
        let policy: Option<String> = tx.prepare_cached(policy)?.query_row(["notify.subagent"], first).optional()?;
        assert!(policy.is_none());
        let number = next(&tx, NEXT_NUMBER)?;
        let seq = append(&tx, number, 0, at, 1, Some(r#"{"notify":"done_only"}"#))?;
        tx.prepare_cached(
            "INSERT INTO task (number, id, owner, runtime, label, status, revision, generation, attempt,
                progress_reports, last_event, created_at, updated_at, run_id, notify)
             VALUES (?1, ?2, 'local', 'subagent', 'a life', 1, 1, 0, 0, 0, ?3, ?4, ?4, ?5, 'done_only')",
        )?
        .execute((number, id.as_slice(), seq, at, run_id))?;
        tx.commit()?;
        Ok(number)
    }

    /// Claims it.
    pub fn start(&mut self, number: i64) -> Result<()> {
        let tx = self.begin(true)?;
        let at = wall_ms();
        let (last, revision) = loaded(&tx, number, 1)?;
        let seq = append(&tx, number, last, at, 2, Some(r#"{"attempt":1}"#))?;
        let update =
            "UPDATE task SET status = 2, attempt = 1, started_at = ?3, attempt_started_at = ?3, updated_at = ?3,
            revision = revision + 1, last_event = ?4 WHERE number = ?1 AND revision = ?2";
        tx.prepare_cached(update)?.execute((number, revision, at, seq))?;
        tx.commit()
    }

    /// Says how far it is.
    pub fn progress(&mut self, number: i64) -> Result<()> {
        let tx = self.begin(false)?;
        let at = wall_ms();
        let (last, revision) = loaded(&tx, number, 2)?;
        let progress = r#"{"text":"half way","current":5,"total":10,"unit":"files"}"#;
        let seq = append(&tx, number, last, at, 3, Some(progress))?;
        let update = "UPDATE task SET progress = ?3, progress_at = ?4, heartbeat_at = ?4, updated_at = ?4,
            progress_reports = progress_reports + 1, revision = revision + 1, last_event = ?5
            WHERE number = ?1 AND revision = ?2";
        tx.prepare_cached(update)?.execute((number, revision, progress, at, seq))?;
        tx.commit()
    }

    /// Ends it.
    pub fn finish(&mut self, number: i64) -> Result<()> {
        let tx = self.begin(true)?;
        let at = wall_ms();
        let (last, revision) = loaded(&tx, number, 2)?;
        let seq = append(&tx, number, last, at, 4, Some(r#"{"status":"succeeded","outcome":"ok"}"#))?;
        let update = "UPDATE task SET status = 3, outcome = 'ok', summary = 'all ten files read', ended_at = ?3,
            updated_at = ?3, generation = generation + 1, revision = revision + 1, last_event = ?4
            WHERE number = ?1 AND revision = ?2";
        tx.prepare_cached(update)?.execute((number, revision, at, seq))?;
        tx.prepare_cached("DELETE FROM notice WHERE task = ?1 AND state = 1")?.execute([number])?;
        let subscribers = "SELECT 1 FROM config WHERE key >= 'subscriber.' AND key < 'subscriber/'";
        assert!(!tx.prepare_cached(subscribers)?.exists([])?);
        let notice = "INSERT INTO notice (task, seq, recipient, kind, generation, state, owed_at, due_at, known)
            VALUES (?1, ?2, 'owner:local', 6, 1, 1, ?3, ?3, EXISTS (SELECT 1 FROM recipient WHERE name = 'owner:local'))";
        tx.prepare_cached(notice)?.execute((number, seq, at))?;
        tx.commit()
    }
}

fn first<T: rusqlite::types::FromSql>(row: &rusqlite::Row<'_>) -> Result<T> {
    row.get(0)
}

/// The newest event and the revision of a task, which must have this status and no cancel request. The whole row is read, as
/// whoever decides by a task's state and answers with the task must.
fn loaded(sql: &Connection, number: i64, status: i64) -> Result<(i64, i64)> {
    let mut statement = sql.prepare_cached("SELECT * FROM task WHERE number = ?1")?;
    let columns = statement.column_count();
    let [status_at, last_at, revision_at, cancel_at] =
        ["status", "last_event", "revision", "cancel"].map(|name| statement.column_index(name).expect("a column"));
    let row: Vec<Value> = statement.query_row([number], |row| (0..columns).map(|column| row.get(column)).collect())?;
    let [Value::Integer(recorded), Value::Integer(last), Value::Integer(revision)] =
        [&row[status_at], &row[last_at], &row[revision_at]]
    else {
        panic!("a row without its numbers");
    };
    assert!(*recorded == status && row[cancel_at] == Value::Null);
    Ok((*last, *revision))
}

/// Numbers are never used again, also of what was pruned.
const NEXT_NUMBER: &str = "SELECT 1 + max(coalesce((SELECT max(number) FROM task), 0),
    (SELECT value FROM meta WHERE key = 'pruned_number'))";
const NEXT_SEQ: &str = "SELECT 1 + max(coalesce((SELECT max(seq) FROM event), 0),
    (SELECT value FROM meta WHERE key = 'pruned_seq'))";

fn next(sql: &Connection, query: &str) -> Result<i64> {
    sql.prepare_cached(query)?.query_row([], first)
}

fn append(sql: &Connection, task: i64, prev: i64, at: i64, kind: i64, data: Option<&str>) -> Result<i64> {
    let seq = next(sql, NEXT_SEQ)?;
    sql.prepare_cached("INSERT INTO event (seq, task, prev, at, kind, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute((seq, task, prev, at, kind, data))?;
    Ok(seq)
}

fn uuid(at: i64, run: u64) -> [u8; 16] {
    let mut id = [0_u8; 16];
    id[..6].copy_from_slice(&at.to_be_bytes()[2..]);
    id[8..].copy_from_slice(&run.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    id[6] = 0x70;
    id
}
