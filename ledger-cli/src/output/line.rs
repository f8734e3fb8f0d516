//! A task on one line, and the words for where it stands.

use super::Output;
use super::time::length;
use super::tint::{self, STRONG, styled};
use crate::failure::Failure;
use bgledger_core::{Millis, Recorded, Status, Task, TaskView, escape, outcome, reason};

/// Where a task stands, by glyph and word; a running one with what is known of its executor.
pub(crate) fn status(view: &TaskView) -> String {
    let task = &view.task;
    let (glyph, word) = (tint::glyph(task.status), task.status.as_str());
    match view.liveness {
        None | Some("alive") => format!("{glyph} {word}"),
        Some(known) => format!("{glyph} {word} ({})", known.replace('_', " ")),
    }
}

/// What is worth knowing beside the status, on one line.
pub(crate) fn detail(task: &Task) -> String {
    let mut parts: Vec<String> = Vec::new();
    if task.status.is_active() || task.status == Status::Lost {
        parts.extend(task.cancel.as_ref().map(|_| "cancel requested".to_owned()));
        parts.extend(task.waiting_on.as_ref().map(|what| format!("waiting on {}", escape(what))));
        parts.extend(progress(task));
    }
    if !task.status.is_active() {
        let said = ending(task);
        let plain = match task.status {
            Status::Succeeded => task.end_detail() == outcome::OK,
            Status::Cancelled => !said.is_empty() || task.end_detail() == reason::REQUESTED,
            Status::Queued | Status::Running | Status::Failed | Status::TimedOut | Status::Lost => !said.is_empty(),
        };
        if !plain {
            parts.push(escape(task.end_detail()).to_string());
        }
        parts.push(said);
    }
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

/// What the work said of its end, or how its command ended where that is why.
fn ending(task: &Task) -> String {
    let message = task.error.as_ref().and_then(|error| error.message.as_deref().or(error.kind.as_deref()));
    let why =
        task.cancel.as_ref().and_then(|cancel| cancel.why.as_deref()).filter(|_| task.status == Status::Cancelled);
    if let Some(text) = message.or(task.summary.as_deref()).or(why) {
        return escape(text).to_string();
    }
    match (task.reason.as_deref(), task.exit_code, task.signal) {
        (Some(reason::SIGNAL), _, Some(signal)) => format!("signal {signal}"),
        (Some(reason::EXIT_CODE | reason::SIGNAL), Some(code), None) => format!("exit code {code}"),
        (_, _, _) => String::new(),
    }
}

/// How far it is.
pub(crate) fn progress(task: &Task) -> Option<String> {
    let point = task.progress.as_ref()?;
    let count = units(point.current, point.total, point.unit.as_deref());
    let text = point.text.as_deref().map(|text| escape(text).to_string());
    let parts: Vec<String> = count.into_iter().chain(text).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// So many of so many units.
pub(super) fn units(current: Option<u64>, total: Option<u64>, unit: Option<&str>) -> Option<String> {
    let unit = unit.map(|unit| format!(" {}", escape(unit))).unwrap_or_default();
    match (current, total) {
        (Some(current), Some(total)) => Some(format!("{current}/{total}{unit}")),
        (Some(current), None) => Some(format!("{current}{unit}")),
        (None, Some(total)) => Some(format!("of {total}{unit}")),
        (None, None) => None,
    }
}

/// How long it has run, or ran.
pub(crate) fn took(task: &Task, now: Millis) -> String {
    match (task.started_at, task.ended_at) {
        (Some(started), Some(ended)) => length(ended.since(started)),
        (Some(started), None) => length(now.since(started)),
        (None, _) => String::new(),
    }
}

/// `#12 ✓ succeeded  the label  (notes)`
pub(crate) fn task(out: &Output, view: &TaskView, notes: &[&str]) -> String {
    let task = &view.task;
    let number = styled(out.styled, STRONG, &task.number.to_string());
    let status = styled(out.styled, tint::of_status(task.status), &status(view));
    let detail = detail(task);
    let notes: Vec<&str> = notes.iter().copied().chain([detail.as_str()]).filter(|note| !note.is_empty()).collect();
    let notes = match notes.is_empty() {
        true => String::new(),
        false => format!("  ({})", notes.join("; ")),
    };
    format!("{number} {status}  {}{notes}\n", escape(&task.label))
}

/// Prints the answer to what changed one task.
pub(crate) fn recorded(out: &Output, recorded: &Recorded) -> Result<(), Failure> {
    out.result(recorded, [&recorded.task], |out| {
        let unchanged = if recorded.changed { "" } else { "recorded before" };
        let late = if recorded.deadline_passed { "its deadline has passed" } else { "" };
        task(out, &recorded.task, &[unchanged, late])
    })
}
