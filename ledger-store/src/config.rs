//! The ledger's stored policy: settings by key, each with where it comes from.

use crate::caller::Written;
use crate::sqlite::Failure;
use bgledger_core::audit::Thresholds;
use bgledger_core::config::{
    self, CANCEL_HOOK, DURABILITY, Durability, KEYS, NOTIFY, NOTIFY_OWNER, PROGRESS_INTERVAL, RETENTION_BYTES,
    RETENTION_COUNT, RETENTION_COUNT_FAMILY, SUBSCRIBER,
};
use bgledger_core::retention::Retention;
use bgledger_core::{Config, ConfigReply, Filter, NotifyPolicy, Response, Setting, Span, Subscriber, runtime};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

/// The value of a key: what somebody set, else the default.
fn value(sql: &Connection, key: &str) -> Result<Option<String>, Failure> {
    let query = "SELECT value FROM config WHERE key = ?1";
    let set: Option<Option<String>> = sql.prepare_cached(query)?.query_row([key], |row| row.get(0)).optional()?;
    Ok(set.flatten().or_else(|| config::default(key)))
}

/// The durability of handles that choose none.
pub(crate) fn durability(sql: &Connection) -> Result<Durability, Failure> {
    let word = value(sql, DURABILITY)?;
    // A word from a newer version is taken for the safer choice.
    Ok(word.and_then(|word| Durability::from_word(&word)).unwrap_or(Durability::Full))
}

/// The notify policy of an owner's tasks of a runtime that choose none.
pub(crate) fn notify_default(sql: &Connection, owner: &str, runtime: &str) -> Result<NotifyPolicy, Failure> {
    let word = match value(sql, &format!("{NOTIFY_OWNER}{owner}"))? {
        Some(word) => Some(word),
        None => value(sql, &format!("{NOTIFY}{runtime}"))?,
    };
    Ok(word.map_or(NotifyPolicy::DoneOnly, |word| NotifyPolicy::from_stored(&word)))
}

/// Who is told of tasks beside those who asked. A filter of a newer version is told of nothing.
pub(crate) fn subscribers(sql: &Connection) -> Result<Vec<Subscriber>, Failure> {
    let mut found = Vec::new();
    for (key, json) in set(sql, "subscriber.", "subscriber/")? {
        if let (Some(name), Ok(filter)) = (key.strip_prefix(SUBSCRIBER), Filter::parse(&key, &json)) {
            found.push(Subscriber { name: name.to_owned(), filter });
        }
    }
    Ok(found)
}

/// The shortest time between two notices of progress.
pub(crate) fn progress_interval(sql: &Connection) -> Result<Span, Failure> {
    Ok(value(sql, PROGRESS_INTERVAL)?.and_then(|text| Span::parse(&text)).unwrap_or(Span::ZERO))
}

/// How long ended tasks stay.
pub(crate) fn retention(sql: &Connection) -> Result<Retention, Failure> {
    Ok(Retention::of(set(sql, "retention", "retentionz")?))
}

/// How many ended tasks stay at most, and in how many bytes.
pub(crate) fn most(sql: &Connection) -> Result<(Option<u64>, Option<u64>), Failure> {
    let number = |key: &str| Ok::<_, Failure>(value(sql, key)?.and_then(|text| text.parse().ok()));
    Ok((number(RETENTION_COUNT)?, number(RETENTION_BYTES)?))
}

/// How many ended tasks of a runtime stay at most, where that is set.
pub(crate) fn most_of_runtimes(sql: &Connection) -> Result<BTreeMap<String, u64>, Failure> {
    let read =
        |(key, text): (String, String)| Some((key.strip_prefix(RETENTION_COUNT_FAMILY)?.into(), text.parse().ok()?));
    Ok(set(sql, RETENTION_COUNT_FAMILY, "retention_count/")?.into_iter().filter_map(read).collect())
}

/// The command that is told of a cancel of a runtime's tasks, if there is one.
pub(crate) fn cancel_hook(sql: &Connection, runtime: &str) -> Result<Option<String>, Failure> {
    value(sql, &format!("{CANCEL_HOOK}{runtime}"))
}

/// From when on silence and waiting are findings.
pub(crate) fn thresholds(sql: &Connection) -> Result<Thresholds, Failure> {
    Ok(Thresholds::of(set(sql, "audit.", "audit/")?))
}

/// The settings from a key up to another.
fn set(sql: &Connection, from: &str, to: &str) -> Result<Vec<(String, String)>, Failure> {
    let query = "SELECT key, value FROM config WHERE key >= ?1 AND key < ?2 AND value IS NOT NULL";
    let mut statement = sql.prepare_cached(query)?;
    let settings = statement.query_map((from, to), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(settings.collect::<rusqlite::Result<_>>()?)
}

/// Sets what is to be set and answers with the settings.
pub(crate) fn apply(sql: &Connection, request: &Config) -> Result<Written, Failure> {
    for (key, value) in &request.set {
        let value = match value {
            Some(value) => Some(config::value(key, value)?),
            None => config::key(key).map(|_| None)?,
        };
        let set = "INSERT INTO config SELECT ?1, ?2, 1 + coalesce(max(revision), 0) FROM config WHERE true
            ON CONFLICT DO UPDATE SET value = excluded.value, revision = excluded.revision";
        sql.prepare_cached(set)?.execute((key, value))?;
    }
    let response = Response::Config(settings(sql, request)?);
    Ok(Written { response, wrote: !request.set.is_empty() })
}

/// The settings asked for: one key, those just set, or all.
pub(crate) fn settings(sql: &Connection, request: &Config) -> Result<ConfigReply, Failure> {
    let mut set: BTreeMap<String, String> = BTreeMap::new();
    let mut statement = sql.prepare_cached("SELECT key, value FROM config WHERE value IS NOT NULL")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        set.insert(row.get(0)?, row.get(1)?);
    }
    let keys: Vec<String> = match &request.get {
        Some(key) => vec![key.clone()],
        None if !request.set.is_empty() => request.set.keys().cloned().collect(),
        None => {
            let fixed = KEYS.iter().filter(|key| key.default.is_some()).map(|key| key.name.to_owned());
            let runtimes = runtime::KNOWN.map(|runtime| format!("{NOTIFY}{runtime}"));
            fixed.chain(runtimes).chain(set.keys().cloned()).collect()
        }
    };
    let setting = |key: &String| match set.get(key) {
        Some(value) => Setting { value: Some(value.clone()), origin: "ledger" },
        None => Setting { value: config::default(key), origin: "default" },
    };
    Ok(ConfigReply { config: keys.into_iter().map(|key| (key.clone(), setting(&key))).collect() })
}
