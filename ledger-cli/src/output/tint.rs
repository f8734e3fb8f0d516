//! Colour and glyphs. Colour never says anything that a glyph and a word do not say too.

use anstyle::{AnsiColor, Style};
use bgledger_core::audit::Severity;
use bgledger_core::{CheckState, FlowStatus, Status};

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

/// The glyph of a flow's status.
pub(crate) const fn glyph_of_flow(status: FlowStatus) -> &'static str {
    match status {
        FlowStatus::Queued => glyph(Status::Queued),
        FlowStatus::Running => glyph(Status::Running),
        FlowStatus::Waiting => "◌",
        FlowStatus::Blocked => "!",
        FlowStatus::Succeeded => glyph(Status::Succeeded),
        FlowStatus::Failed => glyph(Status::Failed),
        FlowStatus::Cancelled => glyph(Status::Cancelled),
        FlowStatus::Lost => glyph(Status::Lost),
    }
}

/// The colour of a flow's status.
pub(crate) const fn of_flow(status: FlowStatus) -> Style {
    match status {
        FlowStatus::Queued => of_status(Status::Queued),
        FlowStatus::Running => of_status(Status::Running),
        FlowStatus::Waiting => color(AnsiColor::Cyan),
        FlowStatus::Blocked => color(AnsiColor::Yellow),
        FlowStatus::Succeeded => of_status(Status::Succeeded),
        FlowStatus::Failed => of_status(Status::Failed),
        FlowStatus::Cancelled => of_status(Status::Cancelled),
        FlowStatus::Lost => of_status(Status::Lost),
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
