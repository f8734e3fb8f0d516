//! What stands around a request, and how its text is read.

use super::Request;
use crate::json::Objects;
use crate::text;
use crate::{Error, Json, Millis, bounds};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A request with what stands around it.
#[derive(Debug)]
pub struct Envelope {
    /// What the caller wants echoed.
    pub id: Option<Json>,
    /// The time of a test clock.
    pub now: Option<Millis>,
    /// The request, or what is wrong with it.
    pub request: Result<Request, Error>,
}

impl Envelope {
    /// Reads one request. The id is found even if the rest is refused.
    pub fn parse(text: &str) -> Envelope {
        let refused = |id, error| Envelope { id, now: None, request: Err(error) };
        let invalid = |problem: String| Error::InvalidRequest { problem };
        if text.len() > bounds::REQUEST_BYTES {
            let (actual, limit) = (text.len() as u64, bounds::REQUEST_BYTES as u64);
            return refused(None, Error::TooLarge { field: "request".into(), actual, limit });
        }
        let parts: Parts = match serde_json::from_str(text) {
            Ok(parts) => parts,
            Err(error) => return refused(None, invalid(text::short(&error.to_string()))),
        };
        if let Err(error) = parts.id.as_ref().map_or(Ok(()), |id| bounds::text("id", id.get(), bounds::ID_BYTES)) {
            return refused(None, error);
        }
        let id = parts.id.map(|id| Json::parse(id.get()).unwrap_or_else(|_| Json::null()));
        let now = match parts.now.map(|now| serde_json::from_str::<Millis>(now.get())).transpose() {
            Ok(now) => now,
            Err(_) => return refused(id, Error::invalid("now", "not a time", Millis::EXPECTED)),
        };
        let request = match parts.commands.as_slice() {
            [(word, body)] => Request::from_parts(word, body),
            [] => Err(invalid("an object without a command".into())),
            many => {
                let words: Vec<String> = many.iter().take(3).map(|(word, _)| text::quote(word)).collect();
                Err(invalid(format!("an object with {} commands ({} …)", many.len(), words.join(", "))))
            }
        };
        let request = request.and_then(|request| request.check().map(|()| request));
        Envelope { id, now, request }
    }
}

#[derive(Default)]
struct Parts {
    id: Option<Box<RawValue>>,
    now: Option<Box<RawValue>>,
    commands: Vec<(String, Box<RawValue>)>,
}

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PartsVisitor)
    }
}

struct PartsVisitor;

impl<'de> Visitor<'de> for PartsVisitor {
    type Value = Parts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one command")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parts, A::Error> {
        let mut parts = Parts::default();
        while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
            match name.as_str() {
                "id" | "now" => {
                    let place = if name == "id" { &mut parts.id } else { &mut parts.now };
                    if place.replace(value).is_some() {
                        return Err(A::Error::custom(format!("{name:?} is given twice")));
                    }
                }
                _ => parts.commands.push((name, value)),
            }
        }
        Ok(parts)
    }
}

/// Reads a command's body; an error names the field.
pub(super) fn read<T: DeserializeOwned>(word: &str, body: &RawValue) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_str(body.get());
    serde_path_to_error::deserialize(Objects(&mut json)).map_err(|error| {
        let path = text::short(&error.path().to_string());
        let field = if path == "." { word.to_owned() } else { format!("{word}.{path}") };
        let said = error.inner().to_string();
        let said = said.rfind(" at line ").and_then(|end| said.get(..end)).unwrap_or(&said);
        match said.rsplit_once(", expected ") {
            Some((problem, expected)) => Error::invalid(field, text::short(problem), expected),
            None => Error::invalid(field, text::short(said), "what `bgledger schema` describes"),
        }
    })
}
