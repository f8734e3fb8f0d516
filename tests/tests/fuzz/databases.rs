//! OpenClaw's databases, which the import reads.

use crate::{assert_whole, done, open};
use bgledger_store::OpenOptions;
use bgledger_tests::dice::{Dice, count};
use bgledger_tests::fuzz::{Meter, drawn, odd_scalar};
use bgledger_tests::openclaw::{self, ALL};
use bgledger_tests::scratch::Scratch;
use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn index(dice: &mut Dice, bound: usize) -> usize {
    usize::try_from(dice.below(bound as u64)).expect("an index")
}

fn cell(dice: &mut Dice) -> Cell {
    match odd_scalar(dice) {
        Value::Null => Cell::Null,
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            let bytes = 0..dice.below(40);
            Cell::Blob(bytes.map(|_| u8::try_from(dice.below(256)).expect("a byte")).collect())
        }
        Value::Number(number) => match number.as_i64() {
            Some(number) => Cell::Integer(number),
            None => Cell::Real(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cell::Text(text),
    }
}

fn names(sql: &Connection, query: &str) -> Vec<String> {
    let mut statement = sql.prepare(query).expect("a query");
    let rows = statement.query_map([], |row| row.get(0)).expect("names");
    rows.map(|name| name.expect("a name")).collect()
}

/// Changes what stands in it, or its tables. What SQLite itself refuses is not done.
fn changed(dice: &mut Dice, sql: &Connection) {
    for _ in 0..=dice.below(4) {
        let tables = names(sql, "SELECT name FROM sqlite_schema WHERE type = 'table'");
        if tables.is_empty() {
            return;
        }
        let table = dice.pick(&tables).clone();
        let columns = names(sql, &format!("SELECT name FROM pragma_table_info('{table}')"));
        let (column, other) = (dice.pick(&columns).clone(), dice.pick(&columns).clone());
        let row = dice.below(30);
        let odd = |dice: &mut Dice, change: &str| drop(sql.execute(change, [cell(dice)]));
        let plain = |change: &str| drop(sql.execute_batch(change));
        match dice.below(16) {
            0 => plain(&format!("ALTER TABLE {table} DROP COLUMN {column}")),
            1 => plain(&format!("ALTER TABLE {table} RENAME COLUMN {column} TO {column}_")),
            2 => plain(&format!("DROP TABLE {table}; CREATE VIEW {table} AS SELECT 1 AS {column}, 2 AS {other}")),
            3 => plain(&format!(
                "CREATE TABLE other AS SELECT * FROM {table}; DROP TABLE {table}; ALTER TABLE other RENAME TO {table}"
            )),
            4 => plain(&format!("UPDATE {table} SET {column} = {other}")),
            5 => plain(&format!("INSERT OR IGNORE INTO {table} SELECT * FROM {table} LIMIT 3")),
            6 => plain("PRAGMA encoding = 'UTF-16'; PRAGMA journal_mode = WAL"),
            7 => odd(dice, &format!("UPDATE {table} SET {column} = ?1")),
            _ => odd(dice, &format!("UPDATE OR IGNORE {table} SET {column} = ?1 WHERE rowid % 30 = {row}")),
        }
    }
}

fn flipped(dice: &mut Dice, path: &Path) {
    let mut bytes = fs::read(path).expect("a file");
    for _ in 0..=dice.below(6) {
        let at = index(dice, bytes.len());
        match dice.below(12) {
            0 => bytes.truncate(at.max(1)),
            1 => {
                let end = (at + 512).min(bytes.len());
                bytes[at..end].fill(0);
            }
            _ => bytes[at] = u8::try_from(dice.below(256)).expect("a byte"),
        }
    }
    fs::write(path, bytes).expect("a file");
}

#[test]
fn any_database_is_imported_as_far_as_it_fits_or_refused() {
    let (inputs, mut dice) = drawn(60);
    // An input is repeated without those before it.
    let from = count("BGLEDGER_INPUTS_FROM", 0);
    let whole = Scratch::in_memory();
    let bases = ALL.map(|generation| {
        let path = whole.ledger().with_file_name(format!("{generation:?}.sqlite"));
        openclaw::full(&path, generation);
        fs::read(path).expect("its bytes")
    });
    let mut meter = Meter::new("databases");
    let mut scratch = Scratch::in_memory();
    for number in 0..inputs {
        if dice.below(3) > 0 || number % 20 == 0 {
            scratch = Scratch::in_memory();
        }
        let source = scratch.ledger().with_file_name(format!("openclaw-{number}.sqlite"));
        fs::write(&source, dice.pick(&bases)).expect("a file");
        let by_rows = dice.below(4) > 0;
        match by_rows {
            true => changed(&mut dice, &Connection::open(&source).expect("a database")),
            false => flipped(&mut dice, &source),
        }
        let bytes = fs::metadata(&source).expect("a look").len();
        if number < from {
            continue;
        }
        let (path, before) = (scratch.ledger(), fs::read(&source).expect("its bytes"));
        let ledger = open(&path, OpenOptions::default()).expect("a ledger");
        meter.one(usize::try_from(bytes).expect("a size"), &|| format!("number {number}, by rows: {by_rows}"), || {
            done(ledger.import_openclaw(&source, true));
            let report = done(ledger.import_openclaw(&source, false));
            if path.exists() {
                assert_whole(&ledger);
            }
            report.is_some()
        });
        assert!(fs::read(&source).expect("its bytes") == before, "the source is only read");
        fs::remove_file(source).expect("a file");
    }
    meter.tell(4);
}
