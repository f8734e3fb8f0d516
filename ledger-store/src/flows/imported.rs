//! Flows that come from elsewhere, with what they were there.

use super::{next_number, row};
use crate::find::Scope;
use crate::sqlite::Failure;
use bgledger_core::{Flow, FlowId, FlowNumber};
use rusqlite::{Connection, OptionalExtension};

/// The flow of an owner that has a key, as it stands.
pub(crate) fn by_key(sql: &Connection, owner: &str, key: &str) -> Result<Option<Flow>, Failure> {
    let query = row::select("WHERE owner = ?1 AND key = ?2");
    let found = sql.prepare_cached(&query)?.query_row((owner, key), row::read).optional()?;
    found.map(|stored| row::whole(sql, stored)).transpose()
}

/// Whether no flow has an id.
pub(crate) fn is_free(sql: &Connection, id: FlowId) -> Result<bool, Failure> {
    Ok(super::by_id(sql, id, Scope(None))?.is_none())
}

/// Writes a flow under the next number, or one that was just written again.
pub(crate) fn import(sql: &Connection, flow: Flow) -> Result<Flow, Failure> {
    let number = if flow.number.0 == 0 { next_number(sql)? } else { flow.number };
    let flow = Flow { number: FlowNumber(number.0), ..flow };
    row::write(sql, &flow)?;
    Ok(flow)
}
