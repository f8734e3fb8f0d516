//! What a person types to name a task.

use crate::text;
use crate::{Error, FlowId, FlowNumber, TaskId, TaskNumber, bounds};
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

/// What a person types to name a flow: a number (`F3`, `3`), an id, or an owner, whose newest flow that goes on is
/// meant, else the newest; `id:` and `owner:` force a kind. A change by owner needs exactly one flow that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FlowLookup {
    /// The ledger's own number.
    Number(FlowNumber),
    /// The global id.
    Id(FlowId),
    /// The owner.
    Owner(String),
}

impl FlowLookup {
    const EXPECTED: &'static str = "a flow's number such as F3, its id or its owner";

    /// Reads what somebody typed.
    pub fn parse(text: &str) -> Result<FlowLookup, Error> {
        if let Some(id) = text.strip_prefix("id:") {
            let invalid = || Error::invalid("flow", text::quote(text), "a UUID after id:");
            return FlowId::parse(id).map(FlowLookup::Id).ok_or_else(invalid);
        }
        if let Some(owner) = text.strip_prefix("owner:") {
            return bounds::name("flow", owner).map(|()| FlowLookup::Owner(owner.into()));
        }
        let digits = text.strip_prefix(['F', 'f', '#']).unwrap_or(text);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        match (is_number, digits.parse::<u64>(), FlowId::parse(text)) {
            (true, Ok(number), _) if number > 0 => Ok(FlowLookup::Number(FlowNumber(number))),
            (true, _, _) => Err(Error::invalid("flow", text::quote(text), FlowLookup::EXPECTED)),
            (false, _, Some(id)) => Ok(FlowLookup::Id(id)),
            (false, _, None) => bounds::name("flow", text).map(|()| FlowLookup::Owner(text.into())),
        }
    }
}

impl fmt::Display for FlowLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FlowLookup::Number(number) => write!(f, "{number}"),
            FlowLookup::Id(id) => write!(f, "id:{id}"),
            FlowLookup::Owner(owner) => write!(f, "owner:{owner}"),
        }
    }
}

impl From<FlowNumber> for FlowLookup {
    fn from(number: FlowNumber) -> FlowLookup {
        FlowLookup::Number(number)
    }
}

impl From<FlowId> for FlowLookup {
    fn from(id: FlowId) -> FlowLookup {
        FlowLookup::Id(id)
    }
}

impl<'de> Deserialize<'de> for FlowLookup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrNumber;
        impl Visitor<'_> for TextOrNumber {
            type Value = FlowLookup;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(FlowLookup::EXPECTED)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<FlowLookup, E> {
                FlowLookup::parse(text).map_err(|_| E::invalid_value(Unexpected::Str(&text::short(text)), &self))
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<FlowLookup, E> {
                match number {
                    0 => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                    _ => Ok(FlowLookup::Number(FlowNumber(number))),
                }
            }
        }
        deserializer.deserialize_any(TextOrNumber)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for FlowLookup {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "FlowLookup".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "integer"], "description": FlowLookup::EXPECTED})
    }
}
