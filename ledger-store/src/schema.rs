//! The tables, as an ordered list of migrations. A released migration never changes.

use crate::sqlite::Failure;
use bgledger_core::Error;
use rusqlite::{Connection, TransactionBehavior};

/// Marks a SQLite file as a ledger: "bgld".
pub(crate) const APPLICATION_ID: i64 = 0x6267_6c64;

/// The format that this program writes: the number of migrations.
pub(crate) const FORMAT: u32 = MIGRATIONS.len() as u32;

#[cfg(not(test))]
const MIGRATIONS: [&str; 1] = [include_str!("schema/0001.sql")];
/// The tests of this crate have one format more than there is, so that there is something to migrate.
#[cfg(test)]
const MIGRATIONS: [&str; 2] = [include_str!("schema/0001.sql"), "CREATE TABLE of_tests (value TEXT) STRICT"];

/// What a file says of itself.
pub(crate) struct Heading {
    pub(crate) application_id: i64,
    pub(crate) format: u32,
    /// The least format a program must know to read and to write it.
    pub(crate) min_reader: u32,
    pub(crate) min_writer: u32,
}

/// Reads a file's heading; writes nothing.
pub(crate) fn heading(connection: &Connection) -> Result<Heading, Failure> {
    let number = |pragma: &str| connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
    let (application_id, format) = (number("application_id")?, number("user_version")?);
    let format = u32::try_from(format).unwrap_or(u32::MAX);
    let least = |key: &str| -> Result<u32, Failure> {
        let sql = "SELECT value FROM meta WHERE key = ?1";
        let value = connection.query_row(sql, [key], |row| row.get::<_, i64>(0))?;
        Ok(u32::try_from(value).unwrap_or(u32::MAX))
    };
    let (min_reader, min_writer) = match application_id == APPLICATION_ID && format > 0 {
        true => (least("min_reader")?, least("min_writer")?),
        false => (0, 0),
    };
    Ok(Heading { application_id, format, min_reader, min_writer })
}

/// Whether this program brings the file to a newer format when it writes it.
pub(crate) fn is_older(heading: &Heading) -> bool {
    heading.format < FORMAT
}

/// Refuses a file that is not a ledger, or that a newer program keeps to itself. Nothing was written before.
pub(crate) fn admit(heading: &Heading, path: &str, writes: bool) -> Result<(), Error> {
    if heading.application_id != APPLICATION_ID {
        let problem = "a SQLite database of another program".to_owned();
        return Err(Error::NotALedger { path: path.to_owned(), problem });
    }
    let (needed, purpose) = match writes {
        true => (heading.min_writer, "written"),
        false => (heading.min_reader, "read"),
    };
    match needed <= FORMAT {
        true => Ok(()),
        false => Err(Error::NewerLedger { path: path.to_owned(), needed, known: FORMAT, purpose }),
    }
}

/// Brings a file to this program's format, in one transaction; one of several racing programs does it.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    if done < MIGRATIONS.len() {
        transaction
            .execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}"))?;
    }
    Ok(transaction.commit()?)
}
