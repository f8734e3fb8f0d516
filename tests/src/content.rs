//! What is recorded, as a text that two ledgers can be compared by.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};
use std::fmt::Write;
use std::path::Path;

/// Every table but what SQLite keeps for itself, with the order of its rows.
const TABLES: [(&str, &str); 11] = [
    // When the ledger was last swept, and that somebody needed a sync, is nothing that was recorded.
    ("meta", "WHERE key NOT IN ('swept_at', 'touched') ORDER BY key"),
    ("config", "ORDER BY key"),
    ("host", "ORDER BY id"),
    ("task", "ORDER BY number"),
    ("event", "ORDER BY seq"),
    ("notice", "ORDER BY task, seq, recipient"),
    ("recipient", "ORDER BY name"),
    ("acknowledgement", "ORDER BY code, subject"),
    ("tombstone", "ORDER BY number"),
    ("flow", "ORDER BY number"),
    ("tally", "ORDER BY owner, runtime, status"),
];

/// A connection that only reads, past the store.
pub fn reader(ledger: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(ledger, flags)
}

/// Everything that is recorded, a row a line.
pub fn content(sql: &Connection) -> rusqlite::Result<String> {
    rows(sql, &TABLES)
}

/// The rows of some tables, a row a line: each table's name with what follows it in the query.
pub fn rows(sql: &Connection, tables: &[(&str, &str)]) -> rusqlite::Result<String> {
    let mut text = String::new();
    for (table, order) in tables {
        let mut statement = sql.prepare(&format!("SELECT * FROM {table} {order}"))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            text.push_str(table);
            (0..columns).try_for_each(|column| cell(&mut text, row, column))?;
            text.push('\n');
        }
    }
    Ok(text)
}

fn cell(text: &mut String, row: &Row<'_>, column: usize) -> rusqlite::Result<()> {
    let written = match row.get_ref(column)? {
        ValueRef::Null => write!(text, "|"),
        ValueRef::Integer(number) => write!(text, "|{number}"),
        ValueRef::Real(number) => write!(text, "|{number}"),
        ValueRef::Text(bytes) => write!(text, "|{}", String::from_utf8_lossy(bytes)),
        ValueRef::Blob(bytes) => {
            write!(text, "|x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
    };
    written.expect("a text grows");
    Ok(())
}

/// What SQLite itself says of a file's soundness: `ok`.
pub fn integrity(sql: &Connection) -> rusqlite::Result<String> {
    sql.query_row("PRAGMA integrity_check", [], |row| row.get(0))
}
