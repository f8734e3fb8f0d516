//! The rows of one page of a b-tree. Whatever does not fit is skipped, never guessed.

use super::image::{Image, number};
use super::tables;
use rusqlite::types::Value;
use std::io;

/// A row, or the key of an index: the values in their order.
pub(super) struct Cell {
    /// Of a table with row ids.
    pub(super) rowid: Option<i64>,
    pub(super) values: Vec<Value>,
}

/// What a page holds.
#[derive(Default)]
pub(super) struct Page {
    pub(super) cells: Vec<Cell>,
    /// Pages below it.
    pub(super) children: Vec<u32>,
    /// Cells that cannot be read.
    pub(super) broken: u64,
    /// Whether it has the head of a page of a tree.
    pub(super) is_tree: bool,
    pub(super) kind: u8,
}

pub(super) const INDEX_INTERIOR: u8 = 2;
pub(super) const TABLE_INTERIOR: u8 = 5;
pub(super) const INDEX_LEAF: u8 = 10;
pub(super) const TABLE_LEAF: u8 = 13;
/// Larger than any row of a ledger.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Reads a page of a tree.
pub(super) fn page(image: &mut Image, page: u32) -> io::Result<Page> {
    let mut found = Page::default();
    let Some(bytes) = image.page(page)? else { return Ok(found) };
    let head = if page == 1 { 100 } else { 0 };
    let Some(kind) = bytes.get(head).copied() else { return Ok(found) };
    let is_interior = matches!(kind, INDEX_INTERIOR | TABLE_INTERIOR);
    if !is_interior && !matches!(kind, INDEX_LEAF | TABLE_LEAF) {
        return Ok(found);
    }
    let first = head + if is_interior { 12 } else { 8 };
    let cells = number(&bytes, head + 3, 2).unwrap_or(0) as usize;
    if first + 2 * cells > image.usable {
        return Ok(found);
    }
    found.is_tree = true;
    found.kind = kind;
    for cell in 0..cells {
        let at = number(&bytes, first + 2 * cell, 2).unwrap_or(0) as usize;
        if at < first + 2 * cells || at >= image.usable {
            found.broken += 1;
            continue;
        }
        let mut at = at;
        if is_interior {
            found.children.extend(number(&bytes, at, 4));
            at += 4;
        }
        if kind == TABLE_INTERIOR {
            continue;
        }
        match read_cell(image, page, &bytes, at, kind == TABLE_LEAF)? {
            Some(cell) => found.cells.push(cell),
            None => found.broken += 1,
        }
    }
    if is_interior {
        found.children.extend(number(&bytes, head + 8, 4));
    }
    Ok(found)
}

fn read_cell(image: &mut Image, own: u32, page: &[u8], mut at: usize, of_table: bool) -> io::Result<Option<Cell>> {
    let Some((length, width)) = varint(page, at).filter(|(length, _)| *length <= MOST_BYTES) else { return Ok(None) };
    at += width;
    let mut rowid = None;
    if of_table {
        let Some((id, width)) = varint(page, at) else { return Ok(None) };
        rowid = Some(id.cast_signed());
        at += width;
    }
    let length = usize::try_from(length).unwrap_or(0);
    let usable = image.usable;
    let least = (usable - 12) * 32 / 255 - 23;
    let most = if of_table { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
    let local = match length <= most {
        true => length,
        false => Some(least + (length - least) % (usable - 4)).filter(|local| *local <= most).unwrap_or(least),
    };
    let Some(mut payload) = page.get(at..at + local).filter(|_| at + local <= usable).map(<[u8]>::to_vec) else {
        return Ok(None);
    };
    let mut next = number(page, at + local, 4).filter(|_| local < length);
    let mut before = own;
    while payload.len() < length {
        let Some(bytes) = (match next {
            Some(next) if next > 1 && next <= image.pages => image.page(next)?,
            Some(_) | None => None,
        }) else {
            return Ok(None);
        };
        let wanted = (length - payload.len()).min(usable - 4);
        let (kind, from) = if before == own { (3, own) } else { (4, before) };
        let this = next.unwrap_or(0);
        let is_noted = !image.has_map || tables::noted(image, this)?.is_none_or(|noted| noted == (kind, from));
        if !is_noted || bytes.iter().all(|byte| *byte == 0) {
            image.strange += 1;
        }
        before = this;
        payload.extend(bytes.get(4..4 + wanted).unwrap_or_default());
        next = number(&bytes, 0, 4);
    }
    Ok(record(&payload).map(|values| Cell { rowid, values }))
}

/// The values of a record; `None` if it contradicts itself.
fn record(bytes: &[u8]) -> Option<Vec<Value>> {
    let (head, mut at) = varint(bytes, 0)?;
    let head = usize::try_from(head).ok()?;
    let mut data = head;
    let mut values = Vec::new();
    while at < head {
        let (serial, width) = varint(bytes, at)?;
        at += width;
        let length = match serial {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(serial).ok()?,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => usize::try_from((serial - 12) / 2).ok()?,
        };
        let content = bytes.get(data..data.checked_add(length)?)?;
        data += length;
        values.push(match serial {
            0 => Value::Null,
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            1..=6 => Value::Integer(integer(content)),
            7 => Value::Real(f64::from_be_bytes(content.try_into().ok()?)),
            _ if serial % 2 == 0 => Value::Blob(content.to_vec()),
            _ => Value::Text(String::from_utf8(content.to_vec()).ok()?),
        });
    }
    (at == head && data == bytes.len()).then_some(values)
}

fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let start = if negative { -1_i64 } else { 0 };
    bytes.iter().fold(start, |number, byte| number << 8 | i64::from(*byte))
}

/// SQLite's number of one to nine bytes, and its width.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for width in 1..=8 {
        let byte = *bytes.get(at + width - 1)?;
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, width));
        }
    }
    Some((value << 8 | u64::from(*bytes.get(at + 8)?), 9))
}
