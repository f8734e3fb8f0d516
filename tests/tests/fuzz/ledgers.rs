//! Files of ledgers that somebody wrote or that a disk has spoilt, in this process; `damaged` looks closer at fewer.

use crate::{done, open};
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::damage::{Damage, Files};
use bgledger_tests::dice::Dice;
use bgledger_tests::fuzz::{Meter, drawn, judged, odd_scalar};
use bgledger_tests::scratch::Scratch;
use rusqlite::Connection;
use serde_json::Value;
use std::time::Duration;

const BEFORE: [&str; 9] = [
    r#"{"flow_create": {"goal": "publish", "controller": "c"}}"#,
    r#"{"create": {"label": "one", "requester_session": "chat", "start": {"lease": "1h"}, "flow": "F1"}}"#,
    r#"{"progress": {"lookup": 1, "text": "half", "current": 1, "total": 2}}"#,
    r#"{"create": {"label": "two", "run_id": "r2", "owner": "alice", "requester_session": "chat", "start": {}}}"#,
    r#"{"finish": {"lookup": 2, "status": "failed", "error": {"message": "no"}, "result": {"a": [1]}}}"#,
    r#"{"create": {"label": "three", "parent": 1, "notify": "state_changes"}}"#,
    r#"{"create": {"label": "four", "queue_timeout": "1h"}}"#,
    r#"{"cancel": {"lookup": 4}}"#,
    r#"{"notices_claim": {"recipients": ["session:chat"], "lease": "1h"}}"#,
];

const AFTER: [&str; 24] = [
    r#"{"list": {"limit": 10000}}"#,
    r#"{"show": {"lookup": 1}}"#,
    r#"{"show": {"lookup": "r2"}}"#,
    r#"{"history": {"lookup": 2}}"#,
    r#"{"tree": {"lookup": 1}}"#,
    r#"{"watch": {"after": 0, "timeout": "0s"}}"#,
    r#"{"stats": {}}"#,
    r#"{"audit": {"deep": true}}"#,
    r#"{"verify": {}}"#,
    r#"{"doctor": {}}"#,
    r#"{"notices": {}}"#,
    r#"{"flow_list": {}}"#,
    r#"{"flow_show": {"flow": "F1"}}"#,
    r#"{"config": {}}"#,
    r#"{"maintenance": {}}"#,
    r#"{"create": {"label": "more", "parent": 1, "start": {}}}"#,
    r#"{"progress": {"lookup": 1, "text": "on"}}"#,
    r#"{"finish": {"lookup": 3, "status": "succeeded"}}"#,
    r#"{"notices_claim": {"recipients": ["session:chat"]}}"#,
    r#"{"flow_cancel": {"flow": "F1"}}"#,
    r#"{"maintenance": {"apply": true}}"#,
    r#"{"prune": {"older_than": "0s"}}"#,
    r#"{"list": {"search": "o"}}"#,
    r#"{"verify": {}}"#,
];

fn lived(labels: &str) -> Files {
    let scratch = Scratch::in_memory();
    let ledger = open(&scratch.ledger(), OpenOptions::default()).expect("a ledger");
    for line in BEFORE {
        let answer = ledger.answer(&line.replace("label\": \"", &format!("label\": \"{labels} ")));
        assert!(answer.starts_with(r#"{"ok""#), "{line}: {answer}");
    }
    Files::of(&scratch.ledger())
}

/// Edits of somebody who has SQLite: cells, and tables that act.
fn edited(dice: &mut Dice, sql: &Connection) {
    let tables = ["meta", "config", "host", "task", "event", "notice", "recipient", "flow", "tally", "tombstone"];
    for _ in 0..=dice.below(3) {
        let table = *dice.pick(&tables);
        let columns: Vec<String> = {
            let mut names = sql.prepare("SELECT name FROM pragma_table_info(?1)").expect("a query");
            let rows = names.query_map([table], |row| row.get(0)).expect("names");
            rows.map(|name| name.expect("a name")).collect()
        };
        let (column, other) = (dice.pick(&columns).clone(), dice.pick(&columns).clone());
        let cell = match odd_scalar(dice) {
            Value::Number(number) if number.is_i64() => number.to_string(),
            Value::String(text) => format!("'{}'", text.replace('\'', "''").replace('\0', "")),
            Value::Null | Value::Bool(_) | Value::Number(_) => "NULL".into(),
            Value::Array(_) | Value::Object(_) => "x'00ff'".into(),
        };
        let few = dice.below(3);
        let edit = match dice.below(14) {
            0 => format!("CREATE TRIGGER odd AFTER INSERT ON {table} BEGIN DELETE FROM event; END"),
            1 => format!("DELETE FROM {table} WHERE rowid % 3 = {few}"),
            2 => format!("ALTER TABLE {table} RENAME TO old; CREATE VIEW {table} AS SELECT * FROM old"),
            3 => format!("ALTER TABLE {table} ADD COLUMN more TEXT"),
            4 => format!("UPDATE {table} SET {column} = {other}"),
            5 => format!("ALTER TABLE {table} RENAME COLUMN {column} TO {column}_"),
            6 => format!("PRAGMA user_version = {}", dice.below(4)),
            7 => format!("UPDATE meta SET value = {cell} WHERE key = 'min_reader'"),
            _ => format!("UPDATE OR IGNORE {table} SET {column} = {cell}"),
        };
        // What SQLite refuses is not done.
        drop(sql.execute_batch(&format!("PRAGMA ignore_check_constraints = ON; {edit}")));
    }
}

#[test]
fn any_file_is_answered_for() {
    let (inputs, mut dice) = drawn(60);
    let (whole, foreign) = (lived("task"), lived("stranger"));
    let mut meter = Meter::new("ledgers");
    for number in 0..inputs {
        let scratch = Scratch::in_memory();
        let path = scratch.ledger();
        let what = if dice.below(2) == 0 {
            whole.put(&path);
            edited(&mut dice, &Connection::open(&path).expect("a database"));
            "edited".to_owned()
        } else {
            let damage = *dice.pick(&Damage::ALL);
            let files = match damage.is_of_wal() || damage == Damage::ForeignWal {
                true => whole.clone(),
                false => at_rest(&whole),
            };
            files.damaged(damage, &foreign, &mut dice).put(&path);
            format!("{damage:?}")
        };
        meter.one(0, &|| format!("number {number}, {what}"), || {
            let Some(ledger) = open(&path, impatient()) else { return false };
            let good = AFTER.iter().filter(|line| judged(&ledger.answer(line))).count();
            done(ledger.export(&mut |_| true));
            done(Ledger::recover(&path, &path.with_file_name("saved"), Duration::from_millis(50)));
            good > AFTER.len() / 2
        });
    }
    meter.tell(10);
}

fn impatient() -> OpenOptions {
    OpenOptions { busy_timeout: Duration::from_millis(50), ..OpenOptions::default() }
}

/// The same with everything in the file itself.
fn at_rest(files: &Files) -> Files {
    let scratch = Scratch::in_memory();
    files.put(&scratch.ledger());
    let sql = Connection::open(scratch.ledger()).expect("a database");
    sql.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
    drop(sql);
    Files { wal: Vec::new(), shm: Vec::new(), ..Files::of(&scratch.ledger()) }
}
