//! A row of a foreign table: read whatever its columns are, and kept as it is.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde_json::{Map, Number, Value, json};
use std::sync::Arc;

/// A value as it stands in a foreign table.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A row with the names of its columns. A column that the table has not is as one without a value.
#[derive(Debug, Clone)]
pub(super) struct Foreign {
    names: Arc<[String]>,
    cells: Vec<Cell>,
}

impl Foreign {
    /// Reads a row whose columns have these names.
    pub(super) fn read(names: &Arc<[String]>, row: &Row<'_>) -> rusqlite::Result<Foreign> {
        let cell = |place: usize| {
            Ok(match row.get_ref(place)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(value) => Cell::Integer(value),
                ValueRef::Real(value) => Cell::Real(value),
                ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                    Ok(text) => Cell::Text(text.to_owned()),
                    Err(_) => Cell::Bytes(bytes.to_vec()),
                },
                ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
            })
        };
        let cells = (0..names.len()).map(cell).collect::<rusqlite::Result<_>>()?;
        Ok(Foreign { names: Arc::clone(names), cells })
    }

    fn cell(&self, column: &str) -> &Cell {
        let place = self.names.iter().position(|name| name == column);
        place.and_then(|place| self.cells.get(place)).unwrap_or(&Cell::Null)
    }

    /// A column as text.
    pub(super) fn text(&self, column: &str) -> Option<String> {
        match self.cell(column) {
            Cell::Null => None,
            Cell::Integer(value) => Some(value.to_string()),
            Cell::Real(value) => Some(value.to_string()),
            Cell::Text(text) => Some(text.clone()),
            Cell::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        }
    }

    /// A column as the name of something: without blanks at its ends, and absent if nothing is left.
    pub(super) fn name(&self, column: &str) -> Option<String> {
        self.text(column).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A column as a number.
    pub(super) fn integer(&self, column: &str) -> Option<i64> {
        match self.cell(column) {
            Cell::Integer(value) => Some(*value),
            Cell::Real(value) => Some(*value as i64),
            Cell::Text(text) => text.trim().parse().ok(),
            Cell::Null | Cell::Bytes(_) => None,
        }
    }

    /// A column as JSON.
    pub(super) fn json(&self, column: &str) -> Value {
        kept(self.cell(column))
    }

    /// The row as JSON: every column that has a value, as it is.
    pub(super) fn kept(&self) -> Value {
        let columns = self.names.iter().zip(&self.cells).filter(|(_, cell)| **cell != Cell::Null);
        Value::Object(columns.map(|(name, cell)| (name.clone(), kept(cell))).collect::<Map<_, _>>())
    }
}

fn kept(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(value) => json!(value),
        // JSON knows no infinity.
        Cell::Real(value) => Number::from_f64(*value).map_or_else(|| json!(value.to_string()), Value::Number),
        Cell::Text(text) => json!(text),
        Cell::Bytes(bytes) => json!({ "hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
    }
}
