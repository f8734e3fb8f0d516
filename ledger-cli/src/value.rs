//! How values are written on the command line.

use crate::failure::Failure;
use bgledger_core::config::Durability;
use bgledger_core::{Artifact, FlowLookup, FlowStatus, Json, Lookup, Metadata, Millis, NotifyPolicy, Span, Status};
use bgledger_store::platform::wall_ms;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::io::Read;
use std::path::{Path, PathBuf};

/// `30s`, `2h 30m`, `1d`; a bare number is seconds.
pub(crate) fn span(text: &str) -> Result<Span, String> {
    let seconds = || text.trim().parse::<i64>().ok()?.checked_mul(1_000).and_then(Span::from_ms);
    seconds()
        .or_else(|| Span::parse(text))
        .ok_or_else(|| "expected a length of time such as 30s, \"2h 30m\" or 1d; a bare number is seconds".to_owned())
}

/// A path as a request holds it.
pub(crate) fn path_text(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::usage(format!("{path:?} is not UTF-8"), "name it otherwise"))
}

/// A point in time: RFC 3339, a day, or a length of time ago.
pub(crate) fn time(text: &str) -> Result<Millis, String> {
    time_before(text, Millis::clamped(wall_ms()))
}

fn time_before(text: &str, now: Millis) -> Result<Millis, String> {
    let ago = || Span::parse(text).map(|ago| Millis::clamped(now.get().saturating_sub(ago.ms())));
    Millis::parse(text)
        .or_else(|| Millis::parse(&format!("{text}T00:00:00Z")))
        .or_else(ago)
        .ok_or_else(|| "expected a time such as 2026-11-22T10:00:00Z, a day, or how long ago, such as 2h".to_owned())
}

/// A task's number, id, run id or session key.
pub(crate) fn lookup(text: &str) -> Result<Lookup, String> {
    Lookup::parse(text).map_err(|error| error.to_string())
}

/// A flow's number, id or owner.
pub(crate) fn flow(text: &str) -> Result<FlowLookup, String> {
    FlowLookup::parse(text).map_err(|error| error.to_string())
}

/// One of the statuses, `canceled` too.
pub(crate) fn status() -> impl TypedValueParser<Value = Status> {
    status_of(&Status::ALL)
}

/// One of the statuses that a task may be given as its end: by its executor those that are final, by others any.
pub(crate) fn end(by_executor: bool) -> impl TypedValueParser<Value = Status> {
    let ends = |status: &Status| if by_executor { status.is_final() } else { !status.is_active() };
    status_of(&Status::ALL.into_iter().filter(ends).collect::<Vec<_>>())
}

fn status_of(statuses: &[Status]) -> impl TypedValueParser<Value = Status> + use<> {
    let words = statuses.iter().map(|status| match status {
        Status::Cancelled => PossibleValue::new(status.as_str()).alias("canceled"),
        Status::Queued | Status::Running | Status::Succeeded | Status::Failed | Status::TimedOut | Status::Lost => {
            PossibleValue::new(status.as_str())
        }
    });
    let words: Vec<PossibleValue> = words.collect();
    PossibleValuesParser::new(words).try_map(|word| Status::from_word(&word).ok_or(Status::EXPECTED))
}

/// One of the statuses of a flow, `canceled` too.
pub(crate) fn flow_status() -> impl TypedValueParser<Value = FlowStatus> {
    let words = FlowStatus::ALL.map(|status| match status {
        FlowStatus::Cancelled => PossibleValue::new(status.as_str()).alias("canceled"),
        FlowStatus::Queued
        | FlowStatus::Running
        | FlowStatus::Waiting
        | FlowStatus::Blocked
        | FlowStatus::Succeeded
        | FlowStatus::Failed
        | FlowStatus::Lost => PossibleValue::new(status.as_str()),
    });
    PossibleValuesParser::new(words).try_map(|word| FlowStatus::from_word(&word).ok_or(FlowStatus::EXPECTED))
}

/// One of the notify policies.
pub(crate) fn notify() -> impl TypedValueParser<Value = NotifyPolicy> {
    let words = NotifyPolicy::KNOWN.map(|policy| PossibleValue::new(policy.as_str().to_owned()));
    PossibleValuesParser::new(words).try_map(|word| NotifyPolicy::from_word(&word).ok_or(NotifyPolicy::EXPECTED))
}

/// `full` or `relaxed`.
pub(crate) fn durability() -> impl TypedValueParser<Value = Durability> {
    let words = [Durability::Full, Durability::Relaxed].map(|durability| PossibleValue::new(durability.as_str()));
    PossibleValuesParser::new(words).try_map(|word| Durability::from_word(&word).ok_or(Durability::EXPECTED))
}

/// `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("expected NAME=VALUE".to_owned()),
    }
}

/// The metadata of `NAME=VALUE` pairs. A value that reads as a JSON number, `true`, `false`, `null` or a string in
/// double quotes is that; any other is text.
pub(crate) fn metadata(pairs: &[(String, String)]) -> Result<Metadata, String> {
    let mut metadata = Metadata::default();
    for (name, value) in pairs {
        if metadata.iter().any(|(known, _)| known == name) {
            return Err(format!("metadata {name} is given twice"));
        }
        let is_scalar = !value.trim_start().starts_with(['{', '[']) && Json::parse(value).is_ok();
        let json = match is_scalar {
            true => value.trim().to_owned(),
            false => serde_json::to_string(value).map_err(|error| error.to_string())?,
        };
        metadata.insert(name, &json)?;
    }
    Ok(metadata)
}

/// One JSON value.
pub(crate) fn json(text: &str) -> Result<Json, String> {
    Json::parse(text).map_err(|error| format!("not JSON: {error}"))
}

/// `NAME=URI`.
pub(crate) fn artifact(text: &str) -> Result<(String, Artifact), String> {
    let (name, uri) = pair(text).map_err(|_| "expected NAME=URI".to_owned())?;
    Ok((name, Artifact { uri, size: None, sha256: None, media_type: None }))
}

/// `CURRENCY=MICROS`.
pub(crate) fn cost(text: &str) -> Result<(String, u64), String> {
    let expected = || "expected CURRENCY=MICROS, such as USD=1500 for 0.0015 USD".to_owned();
    let (currency, micros) = pair(text).map_err(|_| expected())?;
    micros.parse().map(|micros| (currency, micros)).map_err(|_| expected())
}

/// Reads the JSON of a file, `-` for standard input: what a field of at most so many bytes is to hold.
pub(crate) fn json_of_file(path: &PathBuf, field: &str, bound: usize) -> Result<Json, crate::failure::Failure> {
    let what = || format!("{} cannot be read", path.display());
    let failed = |error| crate::failure::Failure::System { what: what(), error };
    // One byte over the bound is enough for the ledger to refuse it.
    let most = bound as u64 + 1;
    let mut text = String::new();
    match path.as_os_str() == "-" {
        true => std::io::stdin().lock().take(most).read_to_string(&mut text),
        false => std::fs::File::open(path).and_then(|file| file.take(most).read_to_string(&mut text)),
    }
    .map_err(failed)?;
    if text.len() as u64 == most {
        let (actual, limit) = (most, bound as u64);
        return Err(bgledger_core::Error::TooLarge { field: field.into(), actual, limit }.into());
    }
    let not_json = |error: String| {
        crate::failure::Failure::usage(format!("{}: {error}", path.display()), format!("a {field} is one JSON value"))
    };
    json(&text).map_err(not_json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_needs_no_unit_for_seconds() {
        let cases = [("30", 30_000), ("30s", 30_000), ("2h 30m", 9_000_000), ("1d", 86_400_000), ("250ms", 250)];
        for (text, ms) in cases {
            assert_eq!(span(text).map(Span::ms), Ok(ms), "{text}");
        }
        for text in ["", "-1", "-5s", "soon", "99999999999999999999"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_a_moment_a_day_or_how_long_ago() {
        let now = Millis::clamped(1_000_000_000);
        let told = |text| time_before(text, now).map(Millis::get);
        assert_eq!(told("1970-01-02T00:00:00Z"), Ok(86_400_000));
        assert_eq!(told("1970-01-02T01:00:00+01:00"), Ok(86_400_000));
        assert_eq!(told("1970-01-02"), Ok(86_400_000));
        assert_eq!(told("2s"), Ok(999_998_000));
        assert!(told("yesterday").is_err());
    }

    #[test]
    fn metadata_values_are_scalars_or_text() {
        let given = ["n=1.50", "t=true", "z=null", "s=plain words", "q=\"5\"", "o={\"a\":1}", "e=", "eq=a=b"];
        let pairs: Vec<_> = given.iter().map(|text| pair(text).unwrap()).collect();
        let shown = serde_json::to_string(&metadata(&pairs).unwrap()).unwrap();
        let expected = r#"{"e":"","eq":"a=b","n":1.50,"o":"{\"a\":1}","q":"5","s":"plain words","t":true,"z":null}"#;
        assert_eq!(shown, expected);
        assert!(metadata(&[("a".into(), "1".into()), ("a".into(), "2".into())]).is_err());
        assert!(pair("=x").is_err() && pair("x").is_err());
    }
}
