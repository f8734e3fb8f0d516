//! Colour and glyphs. Colour never says anything that a glyph and a word do not say too.

use anstyle::{AnsiColor, Style};
use bgledger_core::CheckState;
use bgledger_core::Status;
use bgledger_core::audit::Severity;

/// Bold.
pub(crate) const STRONG: Style = Style::new().bold();
/// Dim.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// A style that is a colour.
const fn color(color: AnsiColor) -> Style {
    color.on_default()
}

/// A text in a style, where styles are wanted.
pub(crate) fn styled(wanted: bool, style: Style, text: &str) -> String {
    match wanted && !text.is_empty() {
        true => format!("{style}{text}{style:#}"),
        false => text.to_owned(),
    }
}

/// A status's glyph.
pub(crate) const fn glyph(status: Status) -> &'static str {
    match status {
        Status::Queued => "○",
        Status::Running => "●",
        Status::Succeeded => "✓",
        Status::Failed => "✗",
        Status::TimedOut => "◷",
        Status::Cancelled => "⊘",
        Status::Lost => "?",
    }
}

/// A status's colour.
pub(crate) const fn of_status(status: Status) -> Style {
    match status {
        Status::Queued => FAINT,
        Status::Running => color(AnsiColor::Blue),
        Status::Succeeded => color(AnsiColor::Green),
        Status::Failed => color(AnsiColor::Red),
        Status::TimedOut | Status::Lost => color(AnsiColor::Yellow),
        Status::Cancelled => color(AnsiColor::Magenta),
    }
}

/// A severity's word and colour.
pub(crate) const fn of_severity(severity: Severity) -> (&'static str, Style) {
    match severity {
        Severity::Warning => ("! warning", color(AnsiColor::Yellow)),
        Severity::Error => ("✗ error", color(AnsiColor::Red)),
    }
}

/// A check's word and colour.
pub(crate) const fn of_check(state: CheckState) -> (&'static str, Style) {
    match state {
        CheckState::Ok => ("✓ ok", color(AnsiColor::Green)),
        CheckState::Warning => ("! warning", color(AnsiColor::Yellow)),
        CheckState::Error => ("✗ error", color(AnsiColor::Red)),
    }
}
