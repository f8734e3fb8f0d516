//! Every limit on what the ledger keeps, in one place. Units last: bytes of UTF-8 unless the name says otherwise.

use crate::error::Error;
use crate::json;
use alloc::format;
use alloc::string::String;

/// One Request, as JSON text.
pub const REQUEST_BYTES: usize = 8 * 1024 * 1024;
/// A task's short title.
pub const LABEL_BYTES: usize = 512;
/// A task's work text.
pub const TASK_BYTES: usize = 1024 * 1024;
/// Run ids, session keys, agents, owners, keys, source ids, kinds, units: anything that names something.
pub const NAME_BYTES: usize = 512;
/// Runtimes, reasons, outcomes and the other lower-case words.
pub const WORD_BYTES: usize = 64;
/// A progress text, a note on a cancel or a settlement.
pub const NOTE_BYTES: usize = 4 * 1024;
/// What the work says of its result to people.
pub const SUMMARY_BYTES: usize = 64 * 1024;
/// A result, as JSON text.
pub const RESULT_BYTES: usize = 1024 * 1024;
/// An error's message.
pub const ERROR_MESSAGE_BYTES: usize = 16 * 1024;
/// An error's detail, a traceback for example. Longer ones are cut to their end, which says so.
pub const ERROR_DETAIL_BYTES: usize = 64 * 1024;
/// The kept end of a command's output. Longer ones are cut to their end, which sets `truncated`.
pub const OUTPUT_TAIL_BYTES: usize = 64 * 1024;
/// An artifact's address.
pub const URI_BYTES: usize = 4 * 1024;
/// Named artifacts of one task.
pub const ARTIFACTS: usize = 64;
/// Metadata entries of one task.
pub const METADATA_ENTRIES: usize = 64;
/// One metadata value, as JSON text.
pub const METADATA_VALUE_BYTES: usize = 4 * 1024;
/// Currencies in one usage record.
pub const CURRENCIES: usize = 8;
/// Nesting of a result.
pub const JSON_DEPTH: usize = 64;
/// Ancestors of a task.
pub const TREE_DEPTH: usize = 128;
/// Progress events kept for one task; beyond, only the row moves.
pub const PROGRESS_EVENTS: u32 = 1_000;
/// Rows of one answer: the default, and the most.
pub const LIST_DEFAULT: u32 = 50;
/// The most rows one answer may hold.
pub const LIST_MOST: u32 = 10_000;
/// Lookups in one wait.
pub const WAIT_LOOKUPS: usize = 1_000;
/// Rows that one sweep settles.
pub const SWEEP_ROWS: usize = 100;
/// Candidates named in an ambiguity.
pub const CANDIDATES: usize = 20;

/// Refuses a text over its bound, or with a NUL in it.
pub(crate) fn text(field: &str, value: &str, most: usize) -> Result<(), Error> {
    if value.len() > most {
        return Err(Error::TooLarge { field: field.into(), actual: value.len() as u64, limit: most as u64 });
    }
    match value.bytes().position(|byte| byte == 0) {
        Some(at) => Err(Error::invalid(field, format!("NUL at byte {at}"), "text without NUL")),
        None => Ok(()),
    }
}

/// Refuses an absent, blank or over-long name. Names are compared byte for byte and never trimmed.
pub(crate) fn name(field: &str, value: &str) -> Result<(), Error> {
    text(field, value, NAME_BYTES)?;
    match value.trim().len() == value.len() && !value.is_empty() {
        true => Ok(()),
        false => Err(Error::invalid(field, quote(value), "a name that is not empty and has no blanks at its ends")),
    }
}

/// Refuses what is not a lower-case word: a letter, then letters, digits, `_`, `-` or `.`.
pub(crate) fn word(field: &str, value: &str) -> Result<(), Error> {
    text(field, value, WORD_BYTES)?;
    let mut bytes = value.bytes();
    let starts = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
    match starts && bytes.all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.')) {
        true => Ok(()),
        false => Err(Error::invalid(field, quote(value), "a lower-case word such as `subagent`")),
    }
}

/// Refuses more entries than allowed.
pub(crate) fn count(field: &str, actual: usize, most: usize) -> Result<(), Error> {
    match actual <= most {
        true => Ok(()),
        false => Err(Error::TooLarge { field: field.into(), actual: actual as u64, limit: most as u64 }),
    }
}

/// Refuses JSON that is too long or too deep.
pub(crate) fn json(field: &str, value: &str, most: usize) -> Result<(), Error> {
    text(field, value, most)?;
    count(&format!("{field} (nesting)"), json::depth(value), JSON_DEPTH)
}

/// The last `most` bytes of a text, cut on a character's edge, and whether it was cut.
pub fn tail(value: &str, most: usize) -> (&str, bool) {
    let from = value.len().saturating_sub(most);
    let edge = (from..=value.len()).find(|at| value.is_char_boundary(*at)).unwrap_or(value.len());
    (value.get(edge..).unwrap_or_default(), edge > 0)
}

/// A value as an error shows it: quoted, escaped, short.
pub(crate) fn quote(value: &str) -> String {
    let short: String = value.chars().take(80).collect();
    let mark = if short.len() < value.len() { "…" } else { "" };
    format!("{short:?}{mark}")
}
