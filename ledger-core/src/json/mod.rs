//! JSON that is kept as it was given: results, and the flat metadata map.

mod object;

pub(crate) use object::Objects;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::marker::PhantomData;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// JSON text, kept as given but for the line ends between its parts, which are blanks here: a value is one line.
#[derive(Debug, Clone)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Checks that the text is one JSON value and keeps it.
    pub fn parse(text: &str) -> Result<Json, String> {
        serde_json::from_str::<Box<RawValue>>(text).map(on_one_line).map_err(|error| format!("{error}"))
    }

    /// The value `null`.
    pub fn null() -> Json {
        Json(RawValue::NULL.to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

/// Inside strings JSON escapes line ends, so that those that are left stand between parts.
fn on_one_line(raw: Box<RawValue>) -> Json {
    match raw.get().contains(['\n', '\r']) {
        false => Json(raw),
        true => Json(RawValue::from_string(raw.get().replace(['\n', '\r'], " ")).unwrap_or(raw)),
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Json) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(on_one_line)
    }
}

/// A flat map of names to strings, numbers, booleans or null; numbers keep the digits they were given with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata(BTreeMap<String, Json>);

impl Metadata {
    /// The entries by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one value, given as JSON text; says what is wrong with a value that is not a scalar.
    pub fn insert(&mut self, name: &str, value: &str) -> Result<(), String> {
        let value = Json::parse(value)?;
        scalar(&value)?;
        self.0.insert(name.to_owned(), value);
        Ok(())
    }
}

fn scalar(value: &Json) -> Result<(), String> {
    match value.as_str().bytes().next() {
        Some(b'{') => Err("an object; expected a string, number, boolean or null".into()),
        Some(b'[') => Err("a list; expected a string, number, boolean or null".into()),
        _ => Ok(()),
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Metadata;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a flat object of strings, numbers, booleans and nulls")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Json>()? {
            scalar(&value).map_err(|what| A::Error::custom(format!("{name:?} is {what}")))?;
            match entries.entry(name) {
                Entry::Vacant(place) => place.insert(value),
                Entry::Occupied(place) => {
                    return Err(A::Error::custom(format!("{:?} is given twice", place.key())));
                }
            };
        }
        Ok(Metadata(entries))
    }
}

/// Reads a map in which no name is given twice.
pub(crate) fn distinct<'de, D: Deserializer<'de>, V: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, V>, D::Error> {
    struct Distinct<V>(PhantomData<V>);
    impl<'de, V: Deserialize<'de>> Visitor<'de> for Distinct<V> {
        type Value = BTreeMap<String, V>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = BTreeMap::new();
            while let Some((name, value)) = map.next_entry::<String, V>()? {
                match entries.entry(name) {
                    Entry::Vacant(place) => place.insert(value),
                    Entry::Occupied(place) => {
                        return Err(A::Error::custom(format!("{:?} is given twice", place.key())));
                    }
                };
            }
            Ok(entries)
        }
    }
    deserializer.deserialize_map(Distinct(PhantomData))
}

/// How deep the lists and objects of a JSON text nest.
pub(crate) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in text.bytes() {
        match (quoted, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            (false, b'{' | b'[') => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            (true | false, _) => {}
        }
    }
    deepest
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Json {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Json".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!(true)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Metadata {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "Metadata".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}})
    }
}
