//! DNS records: names, types, values, and zone files.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use super::labels::Labels;
use super::refusal::Refusal;

/// The record types of the API.
pub const TYPES: &[&str] = &[
    "A", "AAAA", "CAA", "CNAME", "DS", "HINFO", "HTTPS", "MX", "NS", "PTR", "RP", "SOA", "SRV",
    "SVCB", "TLSA", "TXT",
];

/// Name and type of a set.
pub type Key = (String, String);

/// All sets of a zone.
pub type Sets = BTreeMap<Key, Rrset>;

/// A set of records that share name and type.
#[derive(Debug, Clone, Default)]
pub struct Rrset {
    /// Absent means the zone's.
    pub ttl: Option<u64>,
    pub labels: Labels,
    pub is_change_protected: bool,
    pub records: Vec<Record>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub value: String,
    pub comment: Option<String>,
}

impl Record {
    /// Returns the API document.
    pub fn document(&self) -> Value {
        match &self.comment {
            Some(comment) => json!({"value": self.value, "comment": comment}),
            None => json!({"value": self.value}),
        }
    }
}

impl Rrset {
    /// Returns the API document.
    pub fn document(&self, (name, kind): &Key, zone: u64) -> Value {
        json!({
            "id": format!("{name}/{kind}"),
            "name": name,
            "type": kind,
            "ttl": self.ttl,
            "labels": self.labels,
            "protection": {"change": self.is_change_protected},
            "records": self.records.iter().map(Record::document).collect::<Vec<_>>(),
            "zone": zone,
        })
    }
}

/// Tells whether a set may carry this name: relative, lower case, `@` for the apex.
pub fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
        };
        (1..=63).contains(&label.len()) && (label == "*" || label.bytes().all(is_inner))
    };
    name == "@" || (name.len() <= 253 && name.split('.').all(is_label))
}

/// Reads the records of a body; values must be distinct and fit their type.
pub fn parse(records: &[Value], kind: &str) -> Result<Vec<Record>, Refusal> {
    let mut parsed: Vec<Record> = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let value = record["value"].as_str().unwrap_or_default();
        let field = format!("records.{index}.value");
        if !is_value(kind, value) {
            return Err(Refusal::invalid(&field, format!("is no valid value for type {kind}")));
        }
        if parsed.iter().any(|other| other.value == value) {
            return Err(Refusal::invalid(&field, "is not distinct"));
        }
        let comment = record["comment"].as_str().map(str::to_owned);
        parsed.push(Record { value: value.to_owned(), comment });
    }
    if parsed.is_empty() {
        return Err(Refusal::invalid("records", "must not be empty"));
    }
    if ["CNAME", "SOA"].contains(&kind) && parsed.len() > 1 {
        return Err(Refusal::invalid("records", format!("type {kind} takes one record only")));
    }
    Ok(parsed)
}

fn is_value(kind: &str, value: &str) -> bool {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let is_printable =
        value.len() <= 4096 && !value.bytes().any(|byte| byte < 0x20 || byte == 0x7f);
    let is_number = |word: &str| word.parse::<u16>().is_ok();
    is_printable
        && match (kind, words.as_slice()) {
            ("A", _) => value.parse::<Ipv4Addr>().is_ok(),
            ("AAAA", _) => value.parse::<Ipv6Addr>().is_ok(),
            ("CNAME" | "NS" | "PTR", [target]) => is_absolute(target),
            ("MX", [priority, target]) => is_number(priority) && is_absolute(target),
            ("SRV", [numbers @ .., target]) => {
                numbers.len() == 3
                    && numbers.iter().all(|word| is_number(word))
                    && (*target == "." || is_absolute(target))
            }
            ("TXT", _) => is_quoted(value),
            ("CAA", [flags, tag, value]) => {
                flags.parse::<u8>().is_ok()
                    && tag.bytes().all(|byte| byte.is_ascii_alphanumeric())
                    && is_quoted(value)
            }
            ("CNAME" | "NS" | "PTR" | "MX" | "SRV" | "CAA", _) | (_, []) => false,
            _ => true,
        }
}

fn is_absolute(target: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    target.len() > 1
        && target.ends_with('.')
        && target.chars().all(is_letter)
        && target.trim_end_matches('.').split('.').all(|label| !label.is_empty())
}

// One or more character strings, each in double quotes.
fn is_quoted(value: &str) -> bool {
    let (mut is_inside, mut is_escaped, mut count) = (false, false, 0);
    for letter in value.chars() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_inside => is_escaped = true,
            '"' => {
                count += usize::from(!is_inside);
                is_inside = !is_inside;
            }
            _ if is_inside || letter == ' ' => {}
            _ => return false,
        }
    }
    !is_inside && count > 0
}

/// Refuses a set that cannot live beside those there are: a CNAME stands alone.
pub fn check_neighbours(sets: &Sets, (name, kind): &Key) -> Result<(), Refusal> {
    let others: BTreeSet<&str> = sets
        .keys()
        .filter(|(other, other_kind)| other == name && other_kind != kind)
        .map(|(_, kind)| kind.as_str())
        .collect();
    if others.contains("CNAME") || (kind == "CNAME" && !others.is_empty()) {
        return Err(Refusal::invalid("type", "a CNAME cannot stand beside other records"));
    }
    Ok(())
}

/// Writes a zone file in the form of RFC 1035.
pub fn zonefile(origin: &str, ttl: u64, sets: &Sets) -> String {
    let mut text = format!("$ORIGIN {origin}.\n$TTL {ttl}\n");
    for ((name, kind), set) in sets {
        let own = set.ttl.map(|ttl| format!("{ttl}\t")).unwrap_or_default();
        for record in &set.records {
            text.push_str(&format!("{name}\t{own}IN\t{kind}\t{}\n", record.value));
        }
    }
    text
}

/// Reads a zone file: one record a line, `$ORIGIN`, `$TTL`, comments, and owners left out.
pub fn parse_zonefile(origin: &str, text: &str) -> Result<Sets, Refusal> {
    let refuse = |line: usize, message: &str| {
        Refusal::invalid("zonefile", format!("line {}: {message}", line + 1))
    };
    let mut sets = Sets::new();
    let mut owner = String::from("@");
    for (number, line) in text.lines().enumerate() {
        let line = without_comment(line);
        if line.trim().is_empty() || line.starts_with('$') {
            continue;
        }
        let mut words = line.split_whitespace().peekable();
        if !line.starts_with(char::is_whitespace) {
            owner = relative(words.next().unwrap_or("@"), origin);
        }
        let mut ttl = None;
        while let Some(word) = words.peek().copied() {
            if let Ok(seconds) = word.parse() {
                ttl = Some(seconds);
            } else if !word.eq_ignore_ascii_case("IN") {
                break;
            }
            words.next();
        }
        let kind = words.next().unwrap_or_default().to_uppercase();
        let value = words.collect::<Vec<_>>().join(" ");
        if !TYPES.contains(&kind.as_str()) || !is_name(&owner) || !is_value(&kind, &value) {
            return Err(refuse(number, "is no record of a known type"));
        }
        let set = sets.entry((owner.clone(), kind)).or_default();
        set.ttl = ttl;
        set.records.push(Record { value, comment: None });
    }
    Ok(sets)
}

fn without_comment(line: &str) -> &str {
    let mut is_inside = false;
    for (position, letter) in line.char_indices() {
        match letter {
            '"' => is_inside = !is_inside,
            ';' if !is_inside => return &line[..position],
            _ => {}
        }
    }
    line
}

fn relative(name: &str, origin: &str) -> String {
    let name = name.to_lowercase();
    match name.strip_suffix('.') {
        Some(absolute) if absolute == origin => "@".into(),
        Some(absolute) => {
            absolute.strip_suffix(&format!(".{origin}")).unwrap_or(absolute).to_owned()
        }
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_and_lower_case() {
        let rows = [
            ("@", true),
            ("www", true),
            ("acme.pipeline", true),
            ("*", true),
            ("*.acme", true),
            ("_dmarc", true),
            ("WWW", false),
            ("www.", false),
            ("", false),
            ("a..b", false),
            ("a b", false),
        ];
        for (name, expected) in rows {
            assert_eq!(is_name(name), expected, "{name:?}");
        }
    }

    #[test]
    fn values_fit_their_type() {
        let rows = [
            ("A", "192.0.2.1", true),
            ("A", "2001:db8::1", false),
            ("A", "192.0.2.1 ", false),
            ("AAAA", "2001:db8::1", true),
            ("CNAME", "www.example.com.", true),
            ("CNAME", "www.example.com", false),
            ("MX", "10 mail.example.com.", true),
            ("MX", "mail.example.com.", false),
            ("TXT", "\"v=spf1 -all\"", true),
            ("TXT", "\"a\" \"b\"", true),
            ("TXT", "v=spf1", false),
            ("TXT", "\"open", false),
            ("SRV", "10 5 443 host.example.com.", true),
            ("SRV", "10 5 host.example.com.", false),
            ("CAA", "0 issue \"ca.example\"", true),
            ("CAA", "0 issue ca.example", false),
            ("TLSA", "3 1 1 abcd", true),
            ("TLSA", "", false),
            ("TXT", "\"line\nbreak\"", false),
        ];
        for (kind, value, expected) in rows {
            assert_eq!(is_value(kind, value), expected, "{kind} {value:?}");
        }
    }

    #[test]
    fn zone_files_survive_a_round_trip() {
        let text = "$ORIGIN acme.example.\n$TTL 300\n@ IN A 192.0.2.1 ; the apex\n\
            \t IN A 192.0.2.2\nwww 60 IN CNAME acme.example.\n\
            txt.acme.example. IN TXT \"a;b\"\n";
        let sets = parse_zonefile("acme.example", text).expect("a zone file");
        let written = zonefile("acme.example", 300, &sets);
        let again = parse_zonefile("acme.example", &written).expect("our own zone file");
        assert_eq!(zonefile("acme.example", 300, &again), written);
        assert_eq!(sets[&("@".into(), "A".into())].records.len(), 2);
        assert_eq!(sets[&("txt".into(), "TXT".into())].records[0].value, "\"a;b\"");
        assert!(parse_zonefile("acme.example", "www IN WHAT x").is_err());
    }
}
