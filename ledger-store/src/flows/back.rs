//! Flows of a file that was replaced, brought back into the one that took its place.

use super::{next_number, one, row, settled};
use crate::find::Scope;
use crate::record::stored_number;
use crate::sqlite::Failure;
use rusqlite::Connection;

/// Every flow that was written since an event, for [`bring_back`].
pub(crate) fn gather(sql: &Connection, after: u64) -> Result<Vec<row::Stored>, Failure> {
    let mut statement = sql.prepare(&row::select("WHERE last_event >= ?1 ORDER BY number"))?;
    let found = statement.query_map([stored_number(after)?], row::read)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Writes a flow again that the ledger has not, or has as it was before.
pub(crate) fn bring_back(sql: &Connection, lost: &row::Stored) -> Result<(), Failure> {
    let mut back = lost.clone();
    match one(sql, "id", lost.flow.id.as_bytes().to_vec().into(), Scope(None))? {
        Some(there) if there.mirrors.is_some() || there.revision >= lost.flow.revision => return Ok(()),
        Some(there) => back.flow.number = there.number,
        None => {
            let taken = one(sql, "number", stored_number(lost.flow.number.0)?.into(), Scope(None))?;
            if taken.is_some() {
                back.flow.number = next_number(sql)?;
            }
            // Whoever asked again with the same key has a flow of theirs under it by now.
            let keyed = "SELECT 1 FROM flow WHERE owner = ?1 AND key = ?2";
            if sql.prepare_cached(keyed)?.exists((&lost.flow.owner, &lost.flow.key))? {
                back.flow.key = None;
            }
            let mirrored = "SELECT 1 FROM flow WHERE mirrors = ?1";
            if let Some(task) = lost.flow.mirrors
                && sql.prepare_cached(mirrored)?.exists([task.as_bytes().as_slice()])?
            {
                return Ok(());
            }
        }
    }
    row::put(sql, &back)?;
    settled(sql, back.flow.id, back.flow.updated_at).map(drop)
}
