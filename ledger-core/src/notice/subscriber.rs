//! Who is told of tasks that somebody else asked for: a name and a filter, kept in the ledger's configuration.

use super::Recipient;
use crate::json::Objects;
use crate::{Error, Status, Task, bounds, text};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Which tasks a subscriber hears of: those that fit everything given. Silent tasks tell nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Only this owner's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only this runtime's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Only this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only this agent's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Only those that this session asked for or runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Only once they are in one of these statuses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<Status>,
}

impl Filter {
    /// What is expected of its text.
    pub const EXPECTED: &'static str = "a JSON object with any of owner, runtime, kind, agent, session, and status (a list), such as {\"runtime\": \"cron\"}";

    /// Reads a filter and gives it in its stored form.
    pub fn parse(key: &str, json: &str) -> Result<Filter, Error> {
        bounds::text(key, json, bounds::FILTER_BYTES)?;
        let wrong = |_| Error::invalid(text::short(key), text::quote(json), Filter::EXPECTED);
        let mut json = serde_json::Deserializer::from_str(json);
        let filter = Filter::deserialize(Objects(&mut json)).map_err(wrong)?;
        json.end().map_err(wrong).map(|()| filter)
    }

    /// Whether a task fits.
    pub fn fits(&self, task: &Task) -> bool {
        let same = |wanted: &Option<String>, has: Option<&str>| wanted.is_none() || wanted.as_deref() == has;
        let session = self.session.as_deref();
        same(&self.owner, Some(&task.owner))
            && same(&self.runtime, Some(&task.runtime))
            && same(&self.kind, task.kind.as_deref())
            && same(&self.agent, task.agent.as_deref())
            && (session.is_none() || session == task.session.as_deref() || session == task.requester_session.as_deref())
            && (self.status.is_empty() || self.status.contains(&task.status))
    }
}

/// A name that hears of tasks beside those who asked for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// The name, as it stands in the configuration.
    pub name: String,
    /// Of which tasks.
    pub filter: Filter,
}

impl Subscriber {
    /// As a recipient.
    pub fn recipient(&self) -> Recipient {
        Recipient(format!("subscriber:{}", self.name))
    }
}

impl core::fmt::Display for Filter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&serde_json::to_string(self).unwrap_or_else(|error| error.to_string()))
    }
}
