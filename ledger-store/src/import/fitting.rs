//! Fitting foreign values to what this ledger keeps, and noting each that was changed.

use bgledger_core::{ImportFinding, Json, Millis, bounds};
use serde_json::{Value, json};

/// Characters of a changed value that a finding tells.
const TOLD: usize = 200;

/// What was changed of one record.
#[derive(Debug)]
pub(crate) struct Notes {
    subject: String,
    now: Millis,
    pub(crate) findings: Vec<ImportFinding>,
}

impl Notes {
    /// Of a record, at a time.
    pub(crate) fn on(subject: String, now: Millis) -> Notes {
        Notes { subject, now, findings: Vec::new() }
    }

    /// Notes a change.
    pub(crate) fn changed(&mut self, field: &str, was: &Value, now: &Value, why: &'static str) {
        let (was, now) = (told(was), told(now));
        self.findings.push(ImportFinding { subject: self.subject.clone(), field: field.into(), was, now, why });
    }

    /// A text of at most so many bytes, without NUL; absent if it is empty.
    pub(super) fn text(&mut self, field: &str, given: Option<String>, most: usize) -> Option<String> {
        let given = given.filter(|text| !text.is_empty())?;
        let whole = given.replace('\0', "\u{fffd}");
        if whole != given {
            self.changed(field, &json!(given), &json!(whole), "a text has no NUL");
        }
        let kept = whole.get(..whole.floor_char_boundary(most)).unwrap_or_default();
        if kept.len() < whole.len() {
            self.changed(field, &json!(whole), &json!(kept), "over the ledger's bound: it was cut");
        }
        Some(kept.to_owned())
    }

    /// The name of something: its length bounded, no blanks at its ends.
    pub(super) fn name(&mut self, field: &str, given: Option<String>) -> Option<String> {
        let name = self.text(field, given, bounds::NAME_BYTES)?;
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    }

    /// A lower-case word, or what comes nearest to it.
    pub(super) fn word(&mut self, field: &str, given: Option<String>, default: &str) -> String {
        let given = given.unwrap_or_default();
        let mut word: String = given.to_lowercase().chars().map(|c| if is_of_words(c) { c } else { '_' }).collect();
        word.truncate(bounds::WORD_BYTES);
        if !word.starts_with(|first: char| first.is_ascii_lowercase()) {
            word = default.to_owned();
        }
        if word != given {
            self.changed(field, &json!(given), &json!(word), "not a lower-case word");
        }
        word
    }

    /// A time that has been.
    pub(super) fn time(&mut self, field: &str, given: Option<i64>) -> Option<Millis> {
        let given = given?;
        let kept = Millis::clamped(given).min(self.now);
        if kept.get() != given {
            let why = if given > kept.get() { "it is in the future" } else { "it is before 1970" };
            self.changed(field, &json!(given), &json!(kept.get()), why);
        }
        Some(kept)
    }

    /// JSON that the ledger may keep; `null` is nothing.
    pub(super) fn json(&mut self, field: &str, given: Option<String>, most: usize) -> Option<Json> {
        let given = given?;
        let (parsed, why) = match Json::parse(&given) {
            Ok(parsed) if parsed.as_str() == "null" => return None,
            Ok(_) if given.len() > most => (None, "over the ledger's bound"),
            Ok(parsed) => (Some(parsed), ""),
            Err(_) => (None, "it is no JSON"),
        };
        if parsed.is_none() {
            self.changed(field, &json!(given), &Value::Null, why);
        }
        parsed
    }
}

fn is_of_words(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.')
}

/// A value as a finding tells it: a long text is cut.
fn told(value: &Value) -> Json {
    let cut = match value {
        Value::String(text) if text.chars().count() > TOLD => {
            json!(text.chars().take(TOLD).chain(['…']).collect::<String>())
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.clone()
        }
    };
    Json::parse(&cut.to_string()).unwrap_or_else(|_| Json::null())
}
