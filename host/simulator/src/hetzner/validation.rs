//! Shapes of request bodies, and the check of a body against its shape.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::labels;
use super::refusal::Refusal;
use super::request::ID_MAX;

/// One field of a body.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    name: &'static str,
    kind: Shape,
    is_required: bool,
    is_nullable: bool,
}

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A string whose length in characters lies between the two numbers.
    Text(usize, usize),
    Choice(&'static [&'static str]),
    Id,
    /// A whole number between the two bounds.
    Whole(i64, i64),
    Flag,
    Labels,
    Address,
    /// The name or the id of a thing.
    Reference,
    /// At most this many items of the given shape.
    List(&'static Shape, usize),
    Object(&'static [Field]),
}

/// Declares a field that must be there.
pub const fn required(name: &'static str, kind: Shape) -> Field {
    Field { name, kind, is_required: true, is_nullable: false }
}

/// Declares a field that may be left out.
pub const fn optional(name: &'static str, kind: Shape) -> Field {
    Field { name, kind, is_required: false, is_nullable: false }
}

impl Field {
    /// Lets the field be null as well.
    pub const fn or_null(mut self) -> Self {
        self.is_nullable = true;
        self
    }
}

/// Parses and checks a body: an absent one counts as `{}`, unknown fields are refused, and every
/// problem is listed under the path of its field.
pub fn check(fields: &[Field], body: &[u8]) -> Result<Value, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return check_value(fields, json!({}));
    }
    let value = serde_json::from_slice(body)
        .map_err(|_| Refusal::new(400, "json_error", "invalid JSON input in the request"))?;
    check_value(fields, value)
}

fn check_value(fields: &[Field], value: Value) -> Result<Value, Refusal> {
    let mut problems = Vec::new();
    match value.as_object() {
        Some(object) => check_object(fields, object, "", &mut problems),
        None => return Err(Refusal::new(400, "json_error", "the body must be a JSON object")),
    }
    let Some((field, message)) = problems.first() else {
        return Ok(value);
    };
    let text = format!("invalid input in field '{field}': {message}");
    let listed: Vec<Value> = problems
        .iter()
        .map(|(name, message)| json!({"name": name, "messages": [message]}))
        .collect();
    Err(Refusal::new(422, "invalid_input", text).with_details(json!({"fields": listed})))
}

type Problems = Vec<(String, String)>;

fn check_object(
    fields: &[Field],
    object: &Map<String, Value>,
    path: &str,
    problems: &mut Problems,
) {
    for field in fields {
        let path = join(path, field.name);
        match object.get(field.name) {
            None if field.is_required => {
                problems.push((path, "Missing data for required field.".into()));
            }
            None => {}
            Some(Value::Null) if field.is_nullable => {}
            Some(Value::Null) => problems.push((path, "Field may not be null.".into())),
            Some(value) => field.kind.check(value, &path, problems),
        }
    }
    for name in object.keys().filter(|name| fields.iter().all(|field| field.name != *name)) {
        problems.push((join(path, name), "Unknown field.".into()));
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

impl Shape {
    fn check(&self, value: &Value, path: &str, problems: &mut Problems) {
        match self {
            Self::List(item, most) => check_list(item, *most, (value, path), problems),
            Self::Object(fields) => match value.as_object() {
                Some(object) => check_object(fields, object, path, problems),
                None => problems.push((path.into(), "Not a valid object.".into())),
            },
            plain => {
                if let Err(problem) = plain.check_plain(value) {
                    problems.push((path.into(), problem));
                }
            }
        }
    }

    fn check_plain(&self, value: &Value) -> Result<(), String> {
        match self {
            Self::Text(least, most) => check_text(value, *least, *most),
            Self::Choice(choices) => match value.as_str() {
                Some(text) if choices.contains(&text) => Ok(()),
                _ => Err(format!("Must be one of: {}.", choices.join(", "))),
            },
            Self::Id => check_whole(value, 1, ID_MAX as i64),
            Self::Whole(least, most) => check_whole(value, *least, *most),
            Self::Flag if value.is_boolean() => Ok(()),
            Self::Flag => Err("Not a valid boolean.".into()),
            Self::Labels => labels::parse(value).map(drop).map_err(|refusal| refusal.message),
            Self::Address => match value.as_str().map(str::parse::<IpAddr>) {
                Some(Ok(_)) => Ok(()),
                _ => Err("Not a valid IP address.".into()),
            },
            Self::Reference if value.as_str().is_some_and(|text| !text.is_empty()) => Ok(()),
            Self::Reference => check_whole(value, 1, ID_MAX as i64),
            Self::List(..) | Self::Object(_) => Ok(()),
        }
    }
}

fn check_list(item: &Shape, most: usize, at: (&Value, &str), problems: &mut Problems) {
    let (value, path) = at;
    let Some(items) = value.as_array() else {
        problems.push((path.into(), "Not a valid list.".into()));
        return;
    };
    if items.len() > most {
        problems.push((path.into(), format!("Longer than maximum length {most}.")));
        return;
    }
    for (index, value) in items.iter().enumerate() {
        item.check(value, &format!("{path}.{index}"), problems);
    }
}

fn check_text(value: &Value, least: usize, most: usize) -> Result<(), String> {
    let Some(text) = value.as_str() else {
        return Err("Not a valid string.".into());
    };
    match text.chars().count() {
        length if length < least => Err(format!("Shorter than minimum length {least}.")),
        length if length > most => Err(format!("Longer than maximum length {most}.")),
        _ => Ok(()),
    }
}

fn check_whole(value: &Value, least: i64, most: i64) -> Result<(), String> {
    match value.as_i64() {
        Some(number) if (least..=most).contains(&number) => Ok(()),
        Some(_) => Err(format!("Must be between {least} and {most}.")),
        None => Err("Not a valid integer.".into()),
    }
}

/// Checks a name that must be an RFC 1123 host name.
pub fn hostname(name: &str) -> Result<(), Refusal> {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253 && name.split('.').all(is_label) {
        return Ok(());
    }
    Err(Refusal::invalid("name", "Name must be a valid hostname."))
}

/// Checks a volume's name: alphanumeric at both ends, `-_.` inside, at most 64.
pub fn volume_name(name: &str) -> Result<(), Refusal> {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let bytes = name.as_bytes();
    let is_good = name.len() <= 64
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && name.bytes().all(is_inner);
    if is_good {
        return Ok(());
    }
    Err(Refusal::invalid("name", "Name is not correctly formatted."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &[Field] = &[
        required("direction", Shape::Choice(&["in", "out"])),
        optional("description", Shape::Text(0, 3)).or_null(),
    ];
    const BODY: &[Field] = &[
        required("name", Shape::Text(1, 8)),
        optional("size", Shape::Whole(10, 20)),
        optional("on", Shape::Flag),
        optional("labels", Shape::Labels),
        optional("rules", Shape::List(&Shape::Object(RULE), 2)),
        optional("image", Shape::Reference),
    ];

    #[test]
    fn bodies_are_checked_field_by_field() {
        let rows = [
            (r#"{"name":"a"}"#, ""),
            (r#"{"name":"a","size":10,"on":false,"labels":{"a":"b"},"image":7}"#, ""),
            (r#"{"name":"a","rules":[{"direction":"in","description":null}]}"#, ""),
            ("", "name"),
            ("{}", "name"),
            (r#"{"name":null}"#, "name"),
            (r#"{"name":""}"#, "name"),
            (r#"{"name":7}"#, "name"),
            (r#"{"name":"123456789"}"#, "name"),
            (r#"{"name":"a","size":9}"#, "size"),
            (r#"{"name":"a","size":10.5}"#, "size"),
            (r#"{"name":"a","size":"10"}"#, "size"),
            (r#"{"name":"a","on":1}"#, "on"),
            (r#"{"name":"a","labels":{"a":1}}"#, "labels"),
            (r#"{"name":"a","labels":{"a":"b/c"}}"#, "labels"),
            (r#"{"name":"a","labels":[]}"#, "labels"),
            (r#"{"name":"a","extra":1}"#, "extra"),
            (r#"{"name":"a","rules":{}}"#, "rules"),
            (r#"{"name":"a","rules":[{"direction":"up"}]}"#, "rules.0.direction"),
            (r#"{"name":"a","rules":[{"direction":"in","x":1}]}"#, "rules.0.x"),
            (r#"{"name":"a","rules":[{},{},{}]}"#, "rules"),
            (r#"{"name":"a","image":""}"#, "image"),
            (r#"{"name":"a","image":0}"#, "image"),
        ];
        for (body, field) in rows {
            let outcome = check(BODY, body.as_bytes());
            let refused = outcome
                .as_ref()
                .err()
                .map_or("", |refusal| refusal.details["fields"][0]["name"].as_str().unwrap_or("?"));
            assert_eq!(refused, field, "{body}");
        }
    }

    #[test]
    fn what_is_no_json_object_is_a_json_error() {
        for body in ["{", "[]", "7", "null", "\u{feff}{}"] {
            let refusal = check(BODY, body.as_bytes()).expect_err(body);
            assert_eq!((refusal.status, refusal.code.as_str()), (400, "json_error"), "{body}");
        }
    }

    #[test]
    fn names_follow_their_rules() {
        let rows = [
            ("web-1", true, true),
            ("web.acme.example", true, true),
            ("web_1", false, true),
            ("-web", false, false),
            ("web-", false, false),
            ("", false, false),
            ("we b", false, false),
            ("a..b", false, true),
        ];
        for (name, is_host, is_volume) in rows {
            assert_eq!(hostname(name).is_ok(), is_host, "host {name:?}");
            assert_eq!(volume_name(name).is_ok(), is_volume, "volume {name:?}");
        }
        assert!(hostname(&"a".repeat(64)).is_err());
        assert!(volume_name(&"a".repeat(65)).is_err());
    }
}
