//! A ledger as lines of JSON, and back.
//!
//! The first line is a header; each line after it is one record, an object whose first word says of what: a task with its
//! events and notices, a flow, a setting. Columns have the names and values that they have in the tables, so that
//! nothing is lost; one that is not named has none. The last line counts the others.

mod export;
mod import;
mod lines;

pub(crate) use export::export;
pub(crate) use import::import;

use bgledger_core::TaskId;
use rusqlite::types::{Value as Cell, ValueRef};
use rusqlite::{Connection, Row};
use serde_json::{Map, Value, json};

/// The form of the lines. A newer one is refused.
const VERSION: i64 = 1;

/// A record as JSON.
type Record = Map<String, Value>;

/// The columns of a table.
struct Layout {
    table: &'static str,
    columns: Vec<(String, bool)>,
}

impl Layout {
    /// The columns of a table but for some.
    fn of(sql: &Connection, table: &'static str, without: &[&str]) -> rusqlite::Result<Layout> {
        let mut statement = sql.prepare_cached("SELECT name, type = 'BLOB' FROM pragma_table_info(?1)")?;
        let columns = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut columns: Vec<(String, bool)> = columns.collect::<rusqlite::Result<_>>()?;
        columns.retain(|(name, _)| !without.contains(&name.as_str()));
        Ok(Layout { table, columns })
    }

    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn select(&self, rest: &str) -> String {
        format!("SELECT {} FROM {} {rest}", self.names(), self.table)
    }

    /// A row of [`Layout::select`] as JSON.
    fn read(&self, row: &Row<'_>) -> rusqlite::Result<Record> {
        let mut record = Record::new();
        for (place, (name, _)) in self.columns.iter().enumerate() {
            let value = match row.get_ref(place)? {
                ValueRef::Null => continue,
                ValueRef::Integer(value) => json!(value),
                ValueRef::Real(value) => json!(value),
                ValueRef::Text(_) => json!(row.get::<_, String>(place)?),
                // All bytes that the ledger keeps are ids.
                ValueRef::Blob(_) => json!(TaskId::from_bytes(row.get(place)?).to_string()),
            };
            record.insert(name.clone(), value);
        }
        Ok(record)
    }

    /// A record as values of the columns; says what is wrong with it.
    fn values(&self, record: &Record) -> Result<Vec<Cell>, String> {
        if let Some(name) = record.keys().find(|name| !self.columns.iter().any(|(column, _)| column == *name)) {
            return Err(format!("{} has no {name:?}", self.table));
        }
        let cell = |(name, is_id): &(String, bool)| match (record.get(name), is_id) {
            (None | Some(Value::Null), _) => Ok(Cell::Null),
            (Some(Value::String(text)), false) => Ok(Cell::Text(text.clone())),
            (Some(Value::String(text)), true) => {
                let id = TaskId::parse(text).ok_or_else(|| format!("{name} is no id"))?;
                Ok(Cell::Blob(id.as_bytes().to_vec()))
            }
            (Some(Value::Number(number)), false) if number.is_i64() => {
                Ok(number.as_i64().map_or(Cell::Null, Cell::Integer))
            }
            (Some(Value::Number(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_)), _) => {
                Err(format!("{name} is not what it can be"))
            }
        };
        self.columns.iter().map(cell).collect()
    }

    fn insert(&self, how: &str) -> String {
        let marks = (1..=self.columns.len()).map(|place| format!("?{place}")).collect::<Vec<_>>().join(", ");
        format!("INSERT {how} INTO {} ({}) VALUES ({marks})", self.table, self.names())
    }
}
