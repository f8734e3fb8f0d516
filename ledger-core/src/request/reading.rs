//! The requests that read.

use crate::{FlowLookup, Lookup, Metadata, Millis, Seq, Span, Status};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

/// Tasks, newest first, that fit every filter given. One answer looks at some thousand tasks at most: it may tell fewer
/// than `limit`, even none, although there are more. Then, too, `next` says where to go on; at the end it is `null`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct List {
    /// Only queued and running ones.
    pub active: bool,
    /// Only these statuses.
    pub status: StatusFilter,
    /// Only this runtime.
    pub runtime: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only those that this session asked for or runs.
    pub session: Option<String>,
    /// Only this agent's.
    pub agent: Option<String>,
    /// Only this label.
    pub label: Option<String>,
    /// Only this run id.
    pub run_id: Option<String>,
    /// Only those with these metadata values.
    pub metadata: Metadata,
    /// Only those created at or after.
    pub since: Option<Millis>,
    /// Only those created before.
    pub until: Option<Millis>,
    /// Only those with this text in label, task, summary or error.
    pub search: Option<String>,
    /// Only the children of this task.
    pub parent: Option<Lookup>,
    /// Only the tasks of this flow.
    pub flow: Option<FlowLookup>,
    /// At most so many: 50 if absent, 10,000 at most.
    pub limit: Option<u32>,
    /// Go on where the last page ended: its `next`.
    pub after: Option<String>,
}

/// No status, one, or several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusFilter(pub Vec<Status>);

impl<'de> Deserialize<'de> for StatusFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = StatusFilter;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}, or a list of them", Status::EXPECTED)
            }
            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<StatusFilter, E> {
                let unexpected = serde::de::Unexpected::Str(word);
                let status = Status::from_word(word).ok_or_else(|| E::invalid_value(unexpected, &self))?;
                Ok(StatusFilter(alloc::vec![status]))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<StatusFilter, A::Error> {
                let mut statuses = Vec::new();
                while let Some(status) = list.next_element::<Status>()? {
                    statuses.push(status);
                }
                Ok(StatusFilter(statuses))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for StatusFilter {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "StatusFilter".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let status = generator.subschema_for::<Status>();
        schemars::json_schema!({"anyOf": [status.clone(), {"type": "array", "items": status}]})
    }
}

/// One task in full.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Show {
    /// The task.
    pub lookup: Lookup,
    /// The recipient whose notices about the task are delivered by this answer: it need not be told again.
    #[serde(default)]
    pub ack: Option<String>,
}

impl From<Lookup> for Show {
    fn from(lookup: Lookup) -> Show {
        Show { lookup, ack: None }
    }
}

/// A task's events, oldest first.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The task.
    pub lookup: Lookup,
    /// Only those after this `seq`.
    #[serde(default)]
    pub after: Seq,
    /// At most so many: 10,000 if absent.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// A task and all that descends from it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// The task at the top.
    pub lookup: Lookup,
}

/// Events after a `seq`, oldest first; waits for the first one if there is none.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Watch {
    /// Only this task's events.
    pub lookup: Option<Lookup>,
    /// Only those after this `seq`; from the ledger's end if absent.
    pub after: Option<Seq>,
    /// At most so many: 10,000 if absent.
    pub limit: Option<u32>,
    /// How long to wait for the first one; not at all if absent.
    pub timeout: Option<Span>,
}

/// Block until tasks end.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Wait {
    /// The tasks (needed).
    pub lookups: Vec<Lookup>,
    /// Until one of them ends, not all.
    pub any: bool,
    /// How long to wait; without end if absent.
    pub timeout: Option<Span>,
    /// The recipient whose notices about those that ended are delivered by this answer: it need not be told again.
    pub ack: Option<String>,
}
