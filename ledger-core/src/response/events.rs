//! Events as they are told.

use crate::event::Event;
use crate::{Json, Millis, Seq, TaskId, TaskNumber};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// Events in order.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Events {
    /// The events.
    pub events: Vec<HistoryEvent>,
    /// Where to go on: the `seq` of the last event told or, of a watch that told all there is, the ledger's newest.
    pub next: Seq,
    /// Whether events after the cursor are gone with tasks that were pruned: what is told is not all that happened.
    pub truncated: bool,
}

/// An event as it is told: `{"seq", "at", "type", "number", "id", …its data}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEvent {
    /// Its place in the ledger's one order.
    pub seq: Seq,
    /// When it was recorded.
    pub at: Millis,
    /// The task's number.
    pub number: TaskNumber,
    /// The task's id.
    pub id: TaskId,
    /// What happened.
    pub event: Event,
}

impl HistoryEvent {
    /// The type's word.
    pub fn kind(&self) -> String {
        match (self.event.kind(), &self.event) {
            (Some(kind), _) => kind.as_str().to_string(),
            (None, Event::Unknown { kind, .. }) => alloc::format!("unknown({kind})"),
            (None, _) => "unrecorded".to_string(),
        }
    }

    /// The data beside the type, by name.
    pub fn data(&self) -> BTreeMap<String, Json> {
        let text = match &self.event {
            Event::NotifyChanged(policy) => return word("notify", policy.as_str()),
            Event::CancelTold
            | Event::Recovered
            | Event::Heartbeat(_)
            | Event::Created(_)
            | Event::Started(_)
            | Event::Progress(_)
            | Event::ProgressUnrecorded(_)
            | Event::CancelRequested(_)
            | Event::Finished(_)
            | Event::Settled(_)
            | Event::Expired(_)
            | Event::Reaped(_)
            | Event::Unknown { .. } => self.event.data(),
        };
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }
}

fn word(name: &str, value: &str) -> BTreeMap<String, Json> {
    let json = serde_json::to_string(value).ok().and_then(|text| Json::parse(&text).ok());
    json.into_iter().map(|json| (name.to_string(), json)).collect()
}

impl Serialize for HistoryEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seq", &self.seq)?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("type", &self.kind())?;
        map.serialize_entry("number", &self.number)?;
        map.serialize_entry("id", &self.id)?;
        for (name, value) in self.data() {
            if !matches!(name.as_str(), "seq" | "at" | "type" | "number" | "id") {
                map.serialize_entry(&name, &value)?;
            }
        }
        map.end()
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for HistoryEvent {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Event".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let kinds: Vec<&str> = crate::event::EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        schemars::json_schema!({
            "type": "object",
            "description": "one immutable fact; beside these fields it has the data of its type",
            "properties": {
                "seq": {"type": "integer"},
                "at": {"type": "string"},
                "type": {"type": "string", "examples": kinds},
                "number": {"type": "integer"},
                "id": {"type": "string", "format": "uuid"}
            },
            "required": ["seq", "at", "type", "number", "id"]
        })
    }
}
