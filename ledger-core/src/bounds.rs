//! Every limit on what the ledger keeps, in one place. Units last: bytes of UTF-8 unless the name says otherwise.

use crate::error::Error;
use crate::json;
use crate::text::quote;
use alloc::format;

/// Bytes of a notice's recipient: a word, a colon and a name.
pub const RECIPIENT_BYTES: usize = NAME_BYTES + 16;
/// The command line of a hook.
pub const HOOK_BYTES: usize = 4_096;
/// How often a notice is claimed before it is given up.
pub const NOTICE_ATTEMPTS: u32 = 10;
/// Notices that one call claims unless told.
pub const NOTICES_DEFAULT: u32 = 10;
/// How long a claim on notices lasts unless told.
pub const NOTICES_LEASE: crate::Span = crate::Span::from_secs(60);
/// Findings that an audit tells unless told; its summary counts all.
pub const FINDINGS_DEFAULT: u32 = 1_000;
/// Notices that one call claims or names.
pub const NOTICES: usize = 1_000;
/// What a flow is for.
pub const GOAL_BYTES: usize = 16 * 1024;
/// What a controller keeps of its flow, or what that waits for, as JSON text.
pub const FLOW_STATE_BYTES: usize = 256 * 1024;
/// The filter of a subscriber, as JSON text.
pub const FILTER_BYTES: usize = 4_096;
/// One Request, as JSON text.
pub const REQUEST_BYTES: usize = 8 * 1024 * 1024;
/// What a Request asks to be echoed, as JSON text.
pub const ID_BYTES: usize = 1024;
/// The path of a file.
pub const PATH_BYTES: usize = 4_096;
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
/// Tasks that a runtime names in one reconciliation, as owned and as ended.
pub const RECONCILED: usize = 10_000;
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
