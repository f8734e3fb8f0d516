//! Recorded text comes from agents and may hold anything: shown to people, it is escaped.

use alloc::format;
use alloc::string::String;
use core::fmt::{self, Write as _};

/// Shows recorded text on one line of a terminal: control characters, line ends, direction marks and other
/// invisible characters appear as escapes, so that no text can move a cursor, forge a row or hide.
pub fn escape(text: &str) -> Escaped<'_> {
    Escaped { text, keep_lines: false }
}

/// A view of untrusted text that is safe to print; see [`escape`].
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a> {
    text: &'a str,
    keep_lines: bool,
}

impl Escaped<'_> {
    /// Keeps line feeds and tabs, for texts shown as a block.
    #[must_use]
    pub fn block(self) -> Self {
        Self { keep_lines: true, ..self }
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.text.chars() {
            match character {
                '\n' | '\t' if self.keep_lines => f.write_char(character)?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                _ if hides(character) => write!(f, "\\u{{{:x}}}", u32::from(character))?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// Control characters (C0, DEL, C1), line and paragraph separators, direction marks, zero-width and tag characters.
fn hides(character: char) -> bool {
    character.is_control()
        || matches!(u32::from(character),
            0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F
            | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF
            | 0xFFA0 | 0xFFF0..=0xFFFB | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

/// A value as an error shows it: quoted, escaped, short.
pub(crate) fn quote(value: &str) -> String {
    let short: String = value.chars().take(80).collect();
    let mark = if short.len() < value.len() { "…" } else { "" };
    format!("{short:?}{mark}")
}

/// A text as an error repeats it: an error is never longer than what is wrong.
pub(crate) fn short(value: &str) -> String {
    let short: String = value.chars().take(200).collect();
    let mark = if short.len() < value.len() { "…" } else { "" };
    format!("{short}{mark}")
}

#[cfg(test)]
mod tests {
    use super::escape;
    use std::string::ToString;

    #[test]
    fn nothing_that_steers_a_terminal_passes() {
        let hostile = "a\u{1b}[2J\u{9b}31m\u{7f}\u{202e}b\u{200d}c\r\nd\te\u{e0041}";
        let shown = escape(hostile).to_string();
        assert_eq!(shown, "a\\u{1b}[2J\\u{9b}31m\\u{7f}\\u{202e}b\\u{200d}c\\r\\nd\\te\\u{e0041}");
        assert_eq!(escape("x\ny").block().to_string(), "x\ny");
    }
}
