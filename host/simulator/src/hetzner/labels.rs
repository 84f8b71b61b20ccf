//! Labels: what keys and values may look like.

use std::collections::BTreeMap;

use serde_json::Value;

use super::refusal::Refusal;

/// The labels of one thing.
pub type Labels = BTreeMap<String, String>;

const SEGMENT_MAX: usize = 63;
const PREFIX_MAX: usize = 253;

/// Reads a labels object; the first bad pair is refused and named.
pub fn parse(value: &Value) -> Result<Labels, Refusal> {
    let Some(object) = value.as_object() else {
        return Err(Refusal::invalid("labels", "must be an object"));
    };
    let mut labels = Labels::new();
    for (key, value) in object {
        let Some(value) = value.as_str() else {
            return Err(Refusal::invalid("labels", format!("value of label {key} is no string")));
        };
        if !is_key(key) {
            return Err(Refusal::invalid(
                "labels",
                format!("label key {key} is not correctly formatted"),
            ));
        }
        if !is_value(value) {
            let message = format!("label value {value} of key {key} is not correctly formatted");
            return Err(Refusal::invalid("labels", message));
        }
        labels.insert(key.clone(), value.to_owned());
    }
    Ok(labels)
}

/// Tells whether `key` is `[prefix/]name` and not in the provider's own prefix.
pub fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_prefix(prefix) && is_segment(name),
        None => is_segment(key),
    }
}

/// Tells whether `value` is empty or one segment.
pub fn is_value(value: &str) -> bool {
    value.is_empty() || is_segment(value)
}

fn is_prefix(prefix: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty()
            && label.len() <= SEGMENT_MAX
            && label.bytes().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    prefix.len() <= PREFIX_MAX && prefix != "hetzner.cloud" && prefix.split('.').all(is_label)
}

fn is_segment(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let bytes = text.as_bytes();
    text.len() <= SEGMENT_MAX
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && text.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_the_documented_rule() {
        let long = "a".repeat(63);
        let rows = [
            ("env", true),
            ("runwrit/run", true),
            ("example.com/my_Key.v1", true),
            (long.as_str(), true),
            ("", false),
            ("-env", false),
            ("env-", false),
            ("a b", false),
            ("a/b/c", false),
            ("/name", false),
            ("prefix/", false),
            ("Upper.com/name", false),
            ("hetzner.cloud/name", false),
            ("käse", false),
        ];
        for (key, expected) in rows {
            assert_eq!(is_key(key), expected, "{key:?}");
        }
        assert!(!is_key(&"a".repeat(64)));
    }

    #[test]
    fn values_hold_no_slash_and_no_colon() {
        let rows = [
            ("", true),
            ("v1.2_3-x", true),
            ("2026-11-21", true),
            ("a/b", false),
            ("a:b", false),
            ("-a", false),
            ("a.", false),
            (" ", false),
        ];
        for (value, expected) in rows {
            assert_eq!(is_value(value), expected, "{value:?}");
        }
        assert!(!is_value(&"a".repeat(64)));
    }
}
