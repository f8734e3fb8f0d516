//! What a person types to name a task.

use crate::text;
use crate::{Error, TaskId, TaskNumber, bounds};
use alloc::string::String;
use core::fmt;
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// A number (`42`, `#42`), an id, a run id or a session key; `id:`, `run:` and `session:` force a kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// The ledger's own number.
    Number(TaskNumber),
    /// The global id, by force.
    Id(TaskId),
    /// The run id, by force.
    Run(String),
    /// The session key, by force.
    Session(String),
    /// An id if one fits, else a run id, else a session key.
    Text(String),
}

impl Lookup {
    /// Reads what somebody typed.
    pub fn parse(text: &str) -> Result<Lookup, Error> {
        let lookup = Lookup::unbounded(text)?;
        match &lookup {
            Lookup::Number(_) | Lookup::Id(_) => {}
            Lookup::Run(name) | Lookup::Session(name) | Lookup::Text(name) => bounds::name("lookup", name)?,
        }
        Ok(lookup)
    }

    /// The kind that a text has; its length and its blanks are not looked at.
    fn unbounded(text: &str) -> Result<Lookup, Error> {
        if let Some(id) = text.strip_prefix("id:") {
            let invalid = || Error::invalid("lookup", text::quote(text), "a UUID after id:");
            return TaskId::parse(id).map(Lookup::Id).ok_or_else(invalid);
        }
        if let Some(run) = text.strip_prefix("run:") {
            return Ok(Lookup::Run(run.into()));
        }
        if let Some(session) = text.strip_prefix("session:") {
            return Ok(Lookup::Session(session.into()));
        }
        let digits = text.strip_prefix('#').unwrap_or(text);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        match (is_number, digits.parse::<u64>()) {
            (true, Ok(number)) if number > 0 => Ok(Lookup::Number(TaskNumber(number))),
            // A run id may be a number that no task has.
            (true, Ok(_) | Err(_)) | (false, _) => Ok(Lookup::Text(text.into())),
        }
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lookup::Number(number) => write!(f, "{number}"),
            Lookup::Id(id) => write!(f, "id:{id}"),
            Lookup::Run(run) => write!(f, "run:{run}"),
            Lookup::Session(session) => write!(f, "session:{session}"),
            Lookup::Text(text) => f.write_str(text),
        }
    }
}

impl From<TaskNumber> for Lookup {
    fn from(number: TaskNumber) -> Lookup {
        Lookup::Number(number)
    }
}

impl From<TaskId> for Lookup {
    fn from(id: TaskId) -> Lookup {
        Lookup::Id(id)
    }
}

impl<'de> Deserialize<'de> for Lookup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrNumber)
    }
}

struct TextOrNumber;

impl Visitor<'_> for TextOrNumber {
    type Value = Lookup;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task's number, id, run id or session key")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Lookup, E> {
        Lookup::unbounded(text).map_err(|_| E::custom(format_args!("{}, expected a UUID after id:", text::quote(text))))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Lookup, E> {
        match number {
            0 => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
            _ => Ok(Lookup::Number(TaskNumber(number))),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Lookup {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Lookup".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "integer"], "description": "a number, an id, a run id or a session key; id:, run: and session: force a kind"})
    }
}
