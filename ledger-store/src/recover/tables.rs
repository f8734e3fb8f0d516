//! Which page belongs to which table, and every row that can be read of it.
//!
//! The trees are walked from their roots. What that does not reach, because a page above it is damaged, is found by what
//! the file itself notes of each page (its parent, or that it is free), and, where that is gone too, by the shape of its
//! rows. Rows of pages that the trees reach come first: of two versions of a row, that one is taken.

use super::cells::{self, Cell, INDEX_INTERIOR, INDEX_LEAF, Page, TABLE_LEAF};
use super::image::{Image, number};
use rusqlite::types::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// The tables of a ledger in the order in which they are recorded anew, and how many columns each has.
pub(super) const TABLES: [(&str, usize); 11] = [
    ("meta", 2),
    ("config", 3),
    ("host", 4),
    ("recipient", 2),
    ("acknowledgement", 5),
    ("tombstone", 9),
    ("flow_tombstone", 7),
    ("flow", 19),
    ("event", 6),
    ("task", 59),
    ("notice", 14),
];
/// The index from which a task is known although its row is gone.
pub(super) const IDS: &str = "task_id";
/// Trees that are followed up a chain of parents.
const DEPTH: usize = 64;

/// What was read.
#[derive(Default)]
pub(super) struct Found {
    pub(super) rows: BTreeMap<&'static str, Vec<Vec<Value>>>,
    /// Tasks that the index of ids names, by number.
    pub(super) ids: BTreeMap<u64, Vec<u8>>,
    /// Pages of which nothing can be read although something should.
    pub(super) bad_pages: BTreeSet<u32>,
    /// Cells that cannot be read.
    pub(super) broken: u64,
    /// Tables that have a hole: what stood there, nothing says.
    pub(super) holes: BTreeSet<&'static str>,
}

/// Reads every table, from the roots that the file or another ledger of the format names.
pub(super) fn gather(image: &mut Image, usual: &BTreeMap<String, u32>) -> io::Result<Found> {
    let mut found = Found::default();
    let roots = roots(image, usual)?;
    if !image.has_header {
        found.bad_pages.insert(1);
    }
    let mut reached = BTreeSet::from([1]);
    let wanted = TABLES.iter().map(|(table, _)| *table).chain([IDS]);
    let trees: BTreeMap<u32, &'static str> =
        wanted.filter_map(|table| roots.get(table).map(|root| (*root, table))).collect();
    for (root, table) in &trees {
        walk(image, *root, table, &mut reached, &mut found)?;
    }
    if found.bad_pages.is_empty() && roots.len() >= usual.len() {
        return Ok(found);
    }
    let free = free_pages(image)?;
    for page in 2..=image.pages {
        if reached.contains(&page) || free.contains(&page) {
            continue;
        }
        let whole = cells::page(image, page)?;
        let owner = match whole.kind {
            TABLE_LEAF | INDEX_LEAF | INDEX_INTERIOR => owner(image, page, &trees)?,
            _ => Owner::Nobody,
        };
        match owner {
            Owner::Table(table) => take(whole, table, &mut found),
            Owner::Unknown if whole.kind == TABLE_LEAF => {
                if let Some(table) = shaped(&whole) {
                    take(whole, table, &mut found);
                }
            }
            Owner::Unknown | Owner::Nobody => {}
        }
    }
    Ok(found)
}

/// Where each tree begins: as the file says, else where every ledger of this format has it.
fn roots(image: &mut Image, usual: &BTreeMap<String, u32>) -> io::Result<BTreeMap<String, u32>> {
    let mut said = BTreeMap::new();
    let mut pages = vec![1];
    let mut seen = BTreeSet::new();
    while let Some(page) = pages.pop() {
        if !seen.insert(page) || seen.len() > 64 {
            continue;
        }
        let found = cells::page(image, page)?;
        pages.extend(found.children);
        for cell in found.cells {
            if let [_, Value::Text(name), _, Value::Integer(root), _] = cell.values.as_slice()
                && usual.contains_key(name)
                && let Ok(root) = u32::try_from(*root)
            {
                said.insert(name.clone(), root);
            }
        }
    }
    let usual = usual.iter().map(|(name, root)| (name.clone(), *root));
    Ok(usual.filter(|(name, _)| !said.contains_key(name)).collect::<Vec<_>>().into_iter().chain(said.clone()).collect())
}

fn walk(
    image: &mut Image,
    root: u32,
    table: &'static str,
    reached: &mut BTreeSet<u32>,
    found: &mut Found,
) -> io::Result<()> {
    let mut pages = vec![root];
    while let Some(page) = pages.pop() {
        if page == 0 || page > image.pages || !reached.insert(page) {
            found.bad_pages.insert(page);
            found.holes.insert(table);
            continue;
        }
        let mut whole = cells::page(image, page)?;
        if !whole.is_tree {
            found.bad_pages.insert(page);
            found.holes.insert(table);
            continue;
        }
        pages.append(&mut whole.children);
        take(whole, table, found);
    }
    Ok(())
}

/// Takes in the rows of a page.
fn take(page: Page, table: &'static str, found: &mut Found) {
    found.broken += page.broken;
    if page.broken > 0 {
        found.holes.insert(table);
    }
    if table == IDS {
        let ids = page.cells.iter().filter_map(|cell| match cell.values.as_slice() {
            [Value::Blob(id), Value::Integer(number)] => Some((u64::try_from(*number).ok()?, id.clone())),
            _ => None,
        });
        found.ids.extend(ids);
        return;
    }
    for cell in page.cells {
        match row(cell, table) {
            Some(row) => found.rows.entry(table).or_default().push(row),
            None => {
                found.broken += 1;
                found.holes.insert(table);
            }
        }
    }
}

/// A row with its number in its place.
fn row(cell: Cell, table: &str) -> Option<Vec<Value>> {
    let columns = TABLES.iter().find(|(name, _)| *name == table).map(|(_, columns)| *columns)?;
    let mut values = cell.values;
    if values.len() != columns {
        return None;
    }
    if let (Some(rowid), Some(first)) = (cell.rowid, values.first_mut()) {
        match first {
            Value::Null if rowid > 0 => *first = Value::Integer(rowid),
            Value::Null | Value::Integer(_) | Value::Real(_) | Value::Text(_) | Value::Blob(_) => return None,
        }
    }
    Some(values)
}

/// The table whose rows have the shape of a page's rows, all of them.
fn shaped(page: &Page) -> Option<&'static str> {
    let columns = page.cells.first()?.values.len();
    let all = page.cells.iter().all(|cell| cell.values.len() == columns && cell.values.first() == Some(&Value::Null));
    let of = TABLES
        .iter()
        .find(|(name, count)| *count == columns && matches!(*name, "task" | "event" | "tombstone" | "flow"));
    of.map(|(name, _)| *name).filter(|_| all)
}

// ---- what the file notes of its pages -------------------------------------------------------------------------

enum Owner {
    Table(&'static str),
    /// Free, or of a tree that is not wanted.
    Nobody,
    /// What notes it is damaged.
    Unknown,
}

/// The tree that a page is noted to belong to.
fn owner(image: &mut Image, page: u32, trees: &BTreeMap<u32, &'static str>) -> io::Result<Owner> {
    let mut page = page;
    for _ in 0..DEPTH {
        if let Some(table) = trees.get(&page) {
            return Ok(Owner::Table(table));
        }
        match noted(image, page)? {
            // A root of another tree; a free page.
            Some((1 | 2, _)) => return Ok(Owner::Nobody),
            Some((5, parent)) if parent > 0 => page = parent,
            Some(_) | None => return Ok(Owner::Unknown),
        }
    }
    Ok(Owner::Unknown)
}

/// The kind and the parent that the file notes of a page.
pub(super) fn noted(image: &mut Image, page: u32) -> io::Result<Option<(u8, u32)>> {
    let each = u32::try_from(image.usable / 5 + 1).unwrap_or(u32::MAX);
    let Some(place) = page.checked_sub(2) else { return Ok(None) };
    let map = place / each * each + 2;
    if map == page {
        return Ok(None);
    }
    let Some(bytes) = image.page(map)? else { return Ok(None) };
    let at = usize::try_from(5 * (page - map - 1)).unwrap_or(0);
    let kind = bytes.get(at).copied().filter(|kind| (1..=5).contains(kind));
    Ok(kind.zip(number(&bytes, at + 1, 4)))
}

/// The pages that the file notes as free, as far as they can be told.
fn free_pages(image: &mut Image) -> io::Result<BTreeSet<u32>> {
    let mut free = BTreeSet::new();
    let first = image.page(1)?.unwrap_or_default();
    let mut trunk = number(&first, 32, 4).filter(|_| image.has_header).unwrap_or(0);
    while trunk > 1 && trunk <= image.pages && free.insert(trunk) {
        let Some(bytes) = image.page(trunk)? else { break };
        let leaves = number(&bytes, 4, 4).unwrap_or(0) as usize;
        free.extend((0..leaves.min(image.usable / 4 - 2)).filter_map(|leaf| number(&bytes, 8 + 4 * leaf, 4)));
        trunk = number(&bytes, 0, 4).unwrap_or(0);
    }
    Ok(free)
}
