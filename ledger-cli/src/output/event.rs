//! Events as people read them.

use super::table::{Fit, Table};
use super::tint::{FAINT, STRONG, styled};
use super::{Output, time};
use bgledger_core::{HistoryEvent, Span, audit, escape};
use serde_json::Value;

/// A task's events as a table.
pub(crate) fn history(out: &Output, events: &[HistoryEvent]) -> String {
    let mut table =
        Table::new(&[("SEQ", Fit::Right), ("WHEN", Fit::Keep), ("EVENT", Fit::Keep), ("DETAIL", Fit::Cut(20))]);
    for event in events {
        let cells = vec![event.seq.0.to_string(), time::relative(event.at, out.now), event.kind(), data(event)];
        table.row(cells, 2, STRONG);
    }
    table.render(out)
}

/// One event on one line: `104 10:00:00Z  #12 finished  status=succeeded`.
pub(crate) fn line(out: &Output, event: &HistoryEvent) -> String {
    let clock = time::clock(event.at, out.utc);
    let place = styled(out.styled, FAINT, &format!("{:>6} {clock}", event.seq.0));
    let what = styled(out.styled, STRONG, &format!("{:>5} {}", event.number.to_string(), event.kind()));
    format!("{place}  {what}  {}", data(event)).trim_end().to_owned() + "\n"
}

/// The data as `name=value` pairs, on one line: an executor by its pid, evidence in words, lengths of time as such, and
/// words without quotes. JSON alone shows all of it.
fn data(event: &HistoryEvent) -> String {
    let data = event.data();
    let pairs = data.iter().filter_map(|(name, value)| {
        let shown = show(name, value.as_str())?;
        Some(format!("{}={shown}", escape(name)))
    });
    pairs.collect::<Vec<_>>().join("  ")
}

fn show(name: &str, json: &str) -> Option<String> {
    match (name, serde_json::from_str::<Value>(json)) {
        // The end of a lease on one machine's clock, and a checksum, say nothing to people.
        ("lease_clock" | "checksum", _) => None,
        ("executor", Ok(Value::Object(executor))) => {
            let group = executor.get("group").and_then(|group| group.get("id"));
            let group = group.map(|group| format!(" (group {group})")).unwrap_or_default();
            Some(format!("pid {}{group}", executor.get("pid").unwrap_or(&Value::Null)))
        }
        ("lease" | "timeout" | "queue_timeout" | "overdue", Ok(Value::Number(ms))) => {
            ms.as_i64().map(|ms| time::length(Span::clamped(ms)))
        }
        ("evidence", _) => Some(quoted(&audit::describe(&serde_json::from_str(json).ok()?))),
        (_, Ok(Value::String(text))) => Some(quoted(&text)),
        (_, _) => Some(escape(json).to_string()),
    }
}

/// A text whose end could not be seen among the others is put in quotes.
fn quoted(text: &str) -> String {
    match text.is_empty() || text.contains(|letter: char| letter.is_whitespace() || letter == '=' || letter == '"') {
        true => format!("\"{}\"", escape(text).to_string().replace('"', "\\\"")),
        false => escape(text).to_string(),
    }
}
