//! Values that a remote assigns, and the tokens that stand for them.
//!
//! A token is `{call.field}`, for example `{4.1.public-ipv4}` or `{2.id}`: the call, the item of a
//! batch, and the way to the value in the answer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use serde_json::Value;

/// Values by their tokens, without the braces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, String>);

/// Calls `look` with each text in a value and the way to it. The prefix of a network of IPv6 is a
/// text of its own: addresses in it are written from it.
pub fn leaves<'v>(value: &'v Value, way: &str, look: &mut dyn FnMut(String, &'v str)) {
    let below = |key: &str| if way.is_empty() { key.to_owned() } else { format!("{way}.{key}") };
    match value {
        Value::String(text) => {
            look(way.to_owned(), text);
            let prefix = text.split_once('/').map(|(prefix, _)| prefix);
            if let Some(prefix) = prefix.filter(|prefix| is_prefix(prefix)) {
                look(below("prefix"), prefix);
            }
        }
        Value::Array(items) => {
            let numbered = items.iter().enumerate();
            numbered.for_each(|(place, item)| leaves(item, &below(&place.to_string()), look));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(key, item)| leaves(item, &below(key), look));
        }
        _ => {}
    }
}

/// Adds all texts and whole numbers of a value: what is known is not assigned.
pub fn know(value: &Value, known: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(known.insert(text.clone())),
        Value::Number(number) => drop(known.insert(number.to_string())),
        Value::Array(items) => items.iter().for_each(|item| know(item, known)),
        Value::Object(fields) => fields.values().for_each(|item| know(item, known)),
        _ => {}
    }
}

/// Returns a copy with every text mapped, the keys of objects as well.
fn map(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Array(items) => items.iter().map(|item| map(item, change)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, item)| (change(key), map(item, change))).collect()
        }
        other => other.clone(),
    }
}

impl Values {
    /// Learns what the answer to `call` holds that a remote must have assigned: ids, addresses and
    /// times that nobody knew before. The first token of a value stays.
    pub fn learn(&mut self, call: &str, answer: &Value, known: &BTreeSet<String>) {
        let mut found = Vec::new();
        leaves(answer, call, &mut |token, text| {
            let is_new = !known.contains(text) && !self.0.values().any(|value| value == text);
            if is_new && (is_assigned(text) || self.template_text(text) != text) {
                found.push((token, text.to_owned()));
            }
        });
        for (token, text) in found {
            if !self.0.values().any(|value| *value == text) {
                self.0.insert(token, text);
            }
        }
    }

    /// Takes the value that `token` has now.
    pub fn set(&mut self, token: String, value: String) {
        self.0.insert(token, value);
    }

    /// Replaces values by their tokens.
    pub fn template(&self, value: &Value) -> Value {
        map(value, &|text| self.template_text(text))
    }

    /// Replaces values in a text by their tokens.
    pub fn template_text(&self, text: &str) -> String {
        let mut pairs: Vec<_> = self.0.iter().collect();
        // A longer value may hold a shorter one.
        pairs.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        pairs.into_iter().fold(text.to_owned(), |text, (token, value)| {
            replace_whole(&text, value, &format!("{{{token}}}"))
        })
    }

    /// Replaces tokens by their values; a token without one stays.
    pub fn fill(&self, template: &Value) -> Value {
        map(template, &|text| self.fill_text(text))
    }

    /// Replaces tokens in a text by their values.
    pub fn fill_text(&self, template: &str) -> String {
        let (mut filled, mut rest) = (String::with_capacity(template.len()), template);
        while let Some(open) = rest.find('{') {
            filled.push_str(&rest[..open]);
            rest = &rest[open..];
            let token = rest[1..].find(['{', '}']).map(|end| &rest[1..=end]);
            let value = token.and_then(|token| Some((token.len(), self.0.get(token)?)));
            match value.filter(|(end, _)| rest[1 + end..].starts_with('}')) {
                Some((end, value)) => {
                    filled.push_str(value);
                    rest = &rest[end + 2..];
                }
                None => {
                    filled.push('{');
                    rest = &rest[1..];
                }
            }
        }
        filled + rest
    }
}

/// Tells whether a text has the form of what only a remote can say. Ids have at least five digits
/// here: a rehearsal gives out no shorter ones.
fn is_assigned(text: &str) -> bool {
    let is_id = text.len() >= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    let is_address = address.parse::<IpAddr>().is_ok();
    is_id || is_address || text.parse::<jiff::Timestamp>().is_ok()
}

/// Tells whether a text begins addresses of IPv6.
fn is_prefix(text: &str) -> bool {
    text.len() > 2 && text.ends_with("::") && text.parse::<Ipv6Addr>().is_ok()
}

/// Replaces `value` where it does not stand within a longer word, number or address.
fn replace_whole(text: &str, value: &str, by: &str) -> String {
    let (mut replaced, mut at) = (String::with_capacity(text.len()), 0);
    while let Some(found) = text[at..].find(value) {
        let (start, end) = (at + found, at + found + value.len());
        replaced.push_str(&text[at..start]);
        let is_v6 = value.contains(':');
        let is_begun = goes_on(text[..start].chars().rev(), is_v6);
        let is_ended = is_prefix(value) || !goes_on(text[end..].chars(), is_v6);
        let is_whole = !is_begun && is_ended;
        replaced.push_str(if is_whole { by } else { value });
        at = end;
    }
    replaced + &text[at..]
}

/// Tells whether a word goes on with these letters: a full stop belongs to it before a letter only,
/// and a colon only within an address of IPv6, since a port stands behind others.
fn goes_on(mut letters: impl Iterator<Item = char>, is_v6: bool) -> bool {
    match letters.next() {
        Some(':') if !is_v6 => false,
        Some('.' | ':') => letters.next().is_some_and(char::is_alphanumeric),
        Some(letter) => letter.is_alphanumeric(),
        None => false,
    }
}
