//! What one operation costs beside the same reads and writes by hand: rusqlite, the same tables, prepared statements.
//!
//! `cargo bench --package bgledger-tests --bench single [-- LIVES [ROUNDS]]`
//!
//! A life is create, start, progress and finish of one task. Both sides take turns, round by round, each on a file of
//! its own with the ledger's own schema. `relaxed` runs in memory (`/dev/shm`) where there is such a place, so that it
//! shows what we compute; `full` runs where temporary files lie and syncs to the disk.
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use bgledger_core::config::Durability;
use bgledger_core::{Create, ExecutorSpec, Fill, Finish, Lookup, ProgressRequest, Start, Status, TaskNumber};
use bgledger_store::{Ledger, OpenOptions};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const STEPS: [&str; 4] = ["create", "start", "progress", "finish"];

/// One side of the comparison.
trait Side {
    /// One life of the task of this run; answers the nanoseconds of each step.
    fn life(&mut self, run: u64) -> [u64; 4];
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let began = Instant::now();
    let value = work();
    (value, u64::try_from(began.elapsed().as_nanos()).expect("a short time"))
}

// ---- ours ---------------------------------------------------------------------------------------------------

struct Ours(Ledger);

impl Ours {
    fn open(path: &Path, durability: Durability) -> Ours {
        let options =
            OpenOptions { durability: Some(durability), executor: ExecutorSpec::External, ..OpenOptions::default() };
        Ours(Ledger::open(path, options).expect("the ledger opens"))
    }
}

impl Side for Ours {
    fn life(&mut self, run: u64) -> [u64; 4] {
        let ledger = &self.0;
        let create = Create { label: "a life".into(), run_id: Some(format!("run-{run}")), ..Create::default() };
        let (number, created) = timed(|| ledger.call(create).expect("created").task.task.number);
        let lookup = || Lookup::Number(TaskNumber(number.0));
        let start = Start { lookup: lookup(), executor: None, lease: None, started_at: None, fill: Fill::default() };
        let (_, started) = timed(|| ledger.call(start).expect("started"));
        let progress = ProgressRequest {
            lookup: lookup(),
            attempt: Some(1),
            nonce: None,
            text: Some("half way".into()),
            current: Some(5),
            total: Some(10),
            unit: Some("files".into()),
            waiting_on: None,
            usage: None,
            artifacts: BTreeMap::new(),
            lease: None,
            fill: Fill::default(),
        };
        let (_, reported) = timed(|| ledger.call(progress).expect("reported"));
        let finish = Finish {
            lookup: lookup(),
            attempt: Some(1),
            nonce: None,
            status: Status::Succeeded,
            outcome: None,
            reason: None,
            error: None,
            summary: Some("all ten files read".into()),
            result: None,
            exit_code: None,
            signal: None,
            output: None,
            artifacts: BTreeMap::new(),
            usage: None,
            ended_at: None,
        };
        let (_, finished) = timed(|| ledger.call(finish).expect("finished"));
        [created, started, reported, finished]
    }
}

// ---- by hand ------------------------------------------------------------------------------------------------

/// What somebody would write who has only this to do: no rule beyond the status, no other face, no other process.
struct ByHand {
    sql: Connection,
    durability: Durability,
}

impl ByHand {
    /// Opens a ledger that has its tables already.
    fn open(path: &Path, durability: Durability) -> ByHand {
        let sql = Connection::open(path).expect("the file opens");
        sql.set_prepared_statement_cache_capacity(64);
        sql.execute_batch("PRAGMA wal_autocheckpoint = 1000; PRAGMA cache_size = -8000; PRAGMA temp_store = MEMORY")
            .expect("settings");
        let mut by_hand = ByHand { sql, durability };
        by_hand.sync(true);
        by_hand
    }

    /// The ledger's rule: a progress does not sync, everything else here does unless told `relaxed`.
    fn sync(&mut self, durable: bool) {
        let full = durable && self.durability == Durability::Full;
        let level = if full { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
        self.sql.execute_batch(level).expect("a level");
    }

    fn create(&mut self, run: u64) -> i64 {
        let at = now();
        let run_id = format!("run-{run}");
        let id = uuid(at, run);
        let tx = self.sql.transaction_with_behavior(TransactionBehavior::Immediate).expect("begun");
        let known = "SELECT number FROM task WHERE run_id = ?1 AND runtime = ?2 AND owner = ?3 AND key IS NULL";
        let known: Option<i64> =
            prepared(&tx, known).query_row((&run_id, "subagent", "local"), first).optional().expect("read");
        assert!(known.is_none());
        let buried = "SELECT 1 FROM tombstone WHERE run_id = ?1 AND runtime = ?2 AND owner = ?3 AND key IS NULL";
        assert!(!prepared(&tx, buried).exists((&run_id, "subagent", "local")).expect("read"));
        let policy = "SELECT value FROM config WHERE key = ?1";
        let policy: Option<String> =
            prepared(&tx, policy).query_row(["notify.subagent"], first).optional().expect("read");
        assert!(policy.is_none());
        let number = next(&tx, NEXT_NUMBER);
        let seq = append(&tx, number, 0, at, 1, Some(r#"{"notify":"done_only"}"#));
        prepared(
            &tx,
            "INSERT INTO task (number, id, owner, runtime, label, status, revision, generation, attempt,
                progress_reports, last_event, created_at, updated_at, run_id, notify)
             VALUES (?1, ?2, 'local', 'subagent', 'a life', 1, 1, 0, 0, 0, ?3, ?4, ?4, ?5, 'done_only')",
        )
        .execute((number, id.as_slice(), seq, at, run_id))
        .expect("written");
        tx.commit().expect("committed");
        number
    }

    fn start(&mut self, number: i64) {
        let at = now();
        let tx = self.sql.transaction_with_behavior(TransactionBehavior::Immediate).expect("begun");
        let (last, revision) = loaded(&tx, number, 1);
        let seq = append(&tx, number, last, at, 2, Some(r#"{"attempt":1}"#));
        let update =
            "UPDATE task SET status = 2, attempt = 1, started_at = ?3, attempt_started_at = ?3, updated_at = ?3,
            revision = revision + 1, last_event = ?4 WHERE number = ?1 AND revision = ?2";
        prepared(&tx, update).execute((number, revision, at, seq)).expect("written");
        tx.commit().expect("committed");
    }

    fn progress(&mut self, number: i64) {
        let at = now();
        let tx = self.sql.transaction_with_behavior(TransactionBehavior::Immediate).expect("begun");
        let (last, revision) = loaded(&tx, number, 2);
        let progress = r#"{"text":"half way","current":5,"total":10,"unit":"files"}"#;
        let seq = append(&tx, number, last, at, 3, Some(progress));
        let update = "UPDATE task SET progress = ?3, progress_at = ?4, heartbeat_at = ?4, updated_at = ?4,
            progress_reports = progress_reports + 1, revision = revision + 1, last_event = ?5
            WHERE number = ?1 AND revision = ?2";
        prepared(&tx, update).execute((number, revision, progress, at, seq)).expect("written");
        tx.commit().expect("committed");
    }

    fn finish(&mut self, number: i64) {
        let at = now();
        let tx = self.sql.transaction_with_behavior(TransactionBehavior::Immediate).expect("begun");
        let (last, revision) = loaded(&tx, number, 2);
        let seq = append(&tx, number, last, at, 4, Some(r#"{"status":"succeeded","outcome":"ok"}"#));
        let update = "UPDATE task SET status = 3, outcome = 'ok', summary = 'all ten files read', ended_at = ?3,
            updated_at = ?3, generation = generation + 1, revision = revision + 1, last_event = ?4
            WHERE number = ?1 AND revision = ?2";
        prepared(&tx, update).execute((number, revision, at, seq)).expect("written");
        prepared(&tx, "DELETE FROM notice WHERE task = ?1 AND state = 1").execute([number]).expect("written");
        let subscribers = "SELECT 1 FROM config WHERE key >= 'subscriber.' AND key < 'subscriber/'";
        assert!(!prepared(&tx, subscribers).exists([]).expect("read"));
        let notice = "INSERT INTO notice (task, seq, recipient, kind, generation, state, owed_at, due_at, known)
            VALUES (?1, ?2, 'owner:local', 6, 1, 1, ?3, ?3, EXISTS (SELECT 1 FROM recipient WHERE name = 'owner:local'))";
        prepared(&tx, notice).execute((number, seq, at)).expect("written");
        tx.commit().expect("committed");
    }
}

impl Side for ByHand {
    fn life(&mut self, run: u64) -> [u64; 4] {
        let (number, created) = timed(|| self.create(run));
        let ((), started) = timed(|| self.start(number));
        let ((), reported) = timed(|| {
            self.sync(false);
            self.progress(number);
        });
        let ((), finished) = timed(|| {
            self.sync(true);
            self.finish(number);
        });
        [created, started, reported, finished]
    }
}

fn prepared<'a>(sql: &'a Connection, query: &str) -> rusqlite::CachedStatement<'a> {
    sql.prepare_cached(query).expect("a statement")
}

fn first<T: rusqlite::types::FromSql>(row: &rusqlite::Row<'_>) -> rusqlite::Result<T> {
    row.get(0)
}

/// The newest event and the revision of a task, which must have this status and no cancel request.
fn loaded(sql: &Connection, number: i64, status: i64) -> (i64, i64) {
    let query = "SELECT status, last_event, revision, updated_at, cancel, attempt, lease FROM task WHERE number = ?1";
    let row = prepared(sql, query).query_row([number], |row| {
        let cancel: Option<String> = row.get(4)?;
        Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, cancel))
    });
    let (recorded, last, revision, cancel) = row.expect("read");
    assert!(recorded == status && cancel.is_none());
    (last, revision)
}

/// Numbers are never used again, also of what was pruned.
const NEXT_NUMBER: &str = "SELECT 1 + max(coalesce((SELECT max(number) FROM task), 0),
    (SELECT value FROM meta WHERE key = 'pruned_number'))";
const NEXT_SEQ: &str = "SELECT 1 + max(coalesce((SELECT max(seq) FROM event), 0),
    (SELECT value FROM meta WHERE key = 'pruned_seq'))";

fn next(sql: &Connection, query: &str) -> i64 {
    prepared(sql, query).query_row([], first).expect("read")
}

fn append(sql: &Connection, task: i64, prev: i64, at: i64, kind: i64, data: Option<&str>) -> i64 {
    let seq = next(sql, NEXT_SEQ);
    prepared(sql, "INSERT INTO event (seq, task, prev, at, kind, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .execute((seq, task, prev, at, kind, data))
        .expect("written");
    seq
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock of our days");
    i64::try_from(since.as_millis()).expect("a time")
}

fn uuid(at: i64, run: u64) -> [u8; 16] {
    let mut id = [0_u8; 16];
    id[..6].copy_from_slice(&at.to_be_bytes()[2..]);
    id[8..].copy_from_slice(&run.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    id[6] = 0x70;
    id
}

// ---- both ---------------------------------------------------------------------------------------------------

fn median(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Nanoseconds per operation: the mean of each round, and each step's median over all rounds.
#[derive(Default)]
struct Measured {
    rounds: Vec<u64>,
    steps: [Vec<u64>; 4],
}

impl Measured {
    fn round(&mut self, side: &mut dyn Side, lives: u64, from: u64) {
        let mut total = 0;
        for run in from..from + lives {
            for (step, nanoseconds) in side.life(run).into_iter().enumerate() {
                self.steps[step].push(nanoseconds);
                total += nanoseconds;
            }
        }
        self.rounds.push(total / (lives * 4));
    }
}

fn compare(title: &str, folder: &Path, durability: Durability, lives: u64, rounds: u64) {
    let (ours, by_hand) = (folder.join("ours.db"), folder.join("by-hand.db"));
    // The tables are the ledger's own: made by a first record.
    Ours::open(&by_hand, durability).life(0);
    let mut sides: [Box<dyn Side>; 2] =
        [Box::new(Ours::open(&ours, durability)), Box::new(ByHand::open(&by_hand, durability))];
    let mut measured = [Measured::default(), Measured::default()];
    for (side, _) in sides.iter_mut().zip(0..) {
        // What is prepared once is prepared before it counts.
        (1..=20).for_each(|run| {
            side.life(run);
        });
    }
    for round in 0..rounds {
        for (side, measured) in sides.iter_mut().zip(&mut measured) {
            measured.round(side.as_mut(), lives, 1_000 + round * lives);
        }
    }
    let [ours, by_hand] = &mut measured;
    println!("\n{title}: {rounds} rounds of {lives} lives, microseconds per operation");
    println!("  {:<10} {:>10} {:>10} {:>16}", "", "ours", "by hand", "by hand / ours");
    let micro = |nanoseconds: u64| nanoseconds as f64 / 1_000.0;
    let mut ratios: Vec<f64> =
        by_hand.rounds.iter().zip(&ours.rounds).map(|(by_hand, ours)| *by_hand as f64 / *ours as f64).collect();
    ratios.sort_by(f64::total_cmp);
    let (ours_mean, by_hand_mean) = (median(&mut ours.rounds), median(&mut by_hand.rounds));
    println!(
        "  {:<10} {:>10.1} {:>10.1} {:>16.2}   per round {:.2} to {:.2}",
        "all four",
        micro(ours_mean),
        micro(by_hand_mean),
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1],
    );
    for (step, name) in STEPS.iter().enumerate() {
        let (ours, by_hand) = (median(&mut ours.steps[step]), median(&mut by_hand.steps[step]));
        println!(
            "  {name:<10} {:>10.1} {:>10.1} {:>16.2}   p50",
            micro(ours),
            micro(by_hand),
            by_hand as f64 / ours as f64
        );
    }
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let lives = numbers.next().unwrap_or(250).max(1);
    let rounds = numbers.next().unwrap_or(9).max(1);
    let memory = PathBuf::from("/dev/shm");
    let fast = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder");
    compare("relaxed, in memory", fast.path(), Durability::Relaxed, lives, rounds);
    let disk = tempfile::tempdir().expect("a folder");
    compare("full, on the disk", disk.path(), Durability::Full, (lives / 5).max(1), rounds);
}
