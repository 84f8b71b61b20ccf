//! Requests and replies as the state machine sees them: no sockets, no clock.

use serde_json::Value;

use super::labels::{self, Labels};
use super::project::Kind;
use super::refusal::Refusal;

/// Largest id of the API: 2^53 - 1, what a JavaScript number holds exactly.
pub const ID_MAX: u64 = (1 << 53) - 1;

/// One request after `/v1`, with its token reduced to a digest.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// Raw path after `/v1`, still percent-encoded.
    pub path: String,
    /// Decoded pairs in the order of the query string.
    pub query: Vec<(String, String)>,
    /// Where the client reached us, for `Link` headers, e.g. `http://127.0.0.1:8080/v1`.
    pub origin: String,
    pub token: super::auth::Presented,
    /// Absent when it was larger than anything the API takes.
    pub body: Option<Vec<u8>>,
}

/// What a handler reads: path parameters, query and the checked body.
#[derive(Debug)]
pub struct Input<'a> {
    pub parameters: Vec<String>,
    pub query: &'a [(String, String)],
    pub body: Value,
}

/// What the state machine answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub body: Option<Value>,
    pub pages: Option<Pages>,
}

/// The neighbours of a page, for the `Link` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pages {
    pub page: usize,
    pub last: usize,
}

impl Reply {
    /// Answers with a JSON body.
    pub fn new(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), pages: None }
    }

    /// Answers 204.
    pub fn empty() -> Self {
        Self { status: 204, body: None, pages: None }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status, refusal.envelope())
    }
}

impl Input<'_> {
    /// Returns the path parameter at `position`, decoded.
    pub fn parameter(&self, position: usize) -> &str {
        self.parameters.get(position).map_or("", String::as_str)
    }

    /// Returns the first path parameter as the id of a `kind`.
    pub fn id(&self, kind: Kind) -> Result<u64, Refusal> {
        parse_id(self.parameter(0))
            .ok_or_else(|| Refusal::not_found(kind.label(), self.parameter(0)))
    }

    /// Returns the first value of a query parameter.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns every value of a repeatable query parameter.
    pub fn every(&self, name: &str) -> Vec<&str> {
        self.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Returns a text field of the body.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }

    /// Returns a whole-number field of the body.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.body.get(name).and_then(Value::as_u64)
    }

    /// Returns a boolean field of the body.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.body.get(name).and_then(Value::as_bool)
    }

    /// Returns a list field of the body; an absent one is empty.
    pub fn list(&self, name: &str) -> &[Value] {
        self.body.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Returns the labels of a body whose shape was checked, if it has any.
    pub fn labels(&self) -> Option<Labels> {
        self.body.get("labels").and_then(|labels| labels::parse(labels).ok())
    }

    /// Returns a name-or-id field as text.
    pub fn reference(&self, name: &str) -> Option<String> {
        self.body.get(name).and_then(as_reference)
    }

    /// Returns the ids of a list field.
    pub fn ids(&self, name: &str) -> Vec<u64> {
        self.list(name).iter().filter_map(Value::as_u64).collect()
    }
}

/// Returns a name or an id as text.
pub fn as_reference(value: &Value) -> Option<String> {
    let number = || value.as_u64().map(|id| id.to_string());
    value.as_str().map(str::to_owned).or_else(number)
}

/// Reads an id in the API's range.
pub fn parse_id(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| is_plain && (1..=ID_MAX).contains(id))
}

/// Decodes `%41`; returns nothing for broken escapes or bytes that are no UTF-8.
pub fn percent_decoded(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Splits a query string into decoded pairs; what cannot be decoded is kept as it came.
pub fn query_pairs(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decoded(text, true).unwrap_or_else(|| text.to_owned());
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_in_their_range() {
        let rows = [
            ("1", Some(1)),
            ("9007199254740991", Some(ID_MAX)),
            ("9007199254740992", None),
            ("0", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("", None),
            ("abc", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_id(text), expected, "{text:?}");
        }
    }

    #[test]
    fn queries_are_decoded() {
        let pairs = query_pairs("label_selector=a%3Db%2C%21c&sort=id%3Aasc&sort=name&x=a+b&flag");
        let expected = [
            ("label_selector", "a=b,!c"),
            ("sort", "id:asc"),
            ("sort", "name"),
            ("x", "a b"),
            ("flag", ""),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        assert_eq!(pairs, expected);
        assert_eq!(percent_decoded("%zz", false), None);
        assert_eq!(percent_decoded("%ff", false), None);
    }
}
