//! JSON whose bytes are the same for the same content: what signatures over metadata cover.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A JSON value without fractions. An object that names a field twice cannot be read as one, since
/// two readers could take it for two things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` and `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i128),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object, sorted by the bytes of its names.
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Reads a document.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Returns the bytes that are signed (the canonical form of OLPC, as TUF uses it): no white
    /// space, sorted names, and texts in which nothing but `"` and `\` is escaped.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes);
        bytes
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Null => bytes.extend_from_slice(b"null"),
            Self::Boolean(value) => bytes.extend_from_slice(value.to_string().as_bytes()),
            Self::Integer(value) => bytes.extend_from_slice(value.to_string().as_bytes()),
            Self::Text(text) => write_text(text, bytes),
            Self::List(items) => {
                bytes.push(b'[');
                for (place, item) in items.iter().enumerate() {
                    separate(place, bytes);
                    item.write(bytes);
                }
                bytes.push(b']');
            }
            Self::Object(fields) => {
                bytes.push(b'{');
                for (place, (name, value)) in fields.iter().enumerate() {
                    separate(place, bytes);
                    write_text(name, bytes);
                    bytes.push(b':');
                    value.write(bytes);
                }
                bytes.push(b'}');
            }
        }
    }

    /// Returns a field of an object.
    pub fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.get(name),
            _ => None,
        }
    }

    /// Returns an object without the fields that `is_unwanted` names.
    pub fn without(self, is_unwanted: impl Fn(&str) -> bool) -> Self {
        match self {
            Self::Object(mut fields) => {
                fields.retain(|name, _| !is_unwanted(name));
                Self::Object(fields)
            }
            other => other,
        }
    }
}

fn separate(place: usize, bytes: &mut Vec<u8>) {
    if place > 0 {
        bytes.push(b',');
    }
}

fn write_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            bytes.push(b'\\');
        }
        bytes.push(byte);
    }
    bytes.push(b'"');
}

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Boolean(value) => value.into(),
            // Both are what was read, so one of them fits.
            Json::Integer(value) => match u64::try_from(value) {
                Ok(value) => value.into(),
                Err(_) => i64::try_from(value).unwrap_or(i64::MIN).into(),
            },
            Json::Text(text) => text.into(),
            Json::List(items) => items.into_iter().map(Self::from).collect(),
            Json::Object(fields) => {
                fields.into_iter().map(|(name, value)| (name, Self::from(value))).collect()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Strict)
    }
}

struct Strict;

impl<'de> Visitor<'de> for Strict {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without fractions")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Integer(value.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some((name, value)) = object.next_entry::<String, Json>()? {
            if fields.contains_key(&name) {
                let shown = runwrit_model::text::escape(&name);
                return Err(A::Error::custom(format!("duplicate field `{shown}`")));
            }
            fields.insert(name, value);
        }
        Ok(Json::Object(fields))
    }
}
