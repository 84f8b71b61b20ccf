//! Domains of zones and names below them. What looks like another name is one, or is refused.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::RecordError;
use crate::limits::{DOMAIN_BYTES_MAX, DOMAIN_LABEL_BYTES_MAX};

/// The domain of a zone: small letters, no dot at the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ZoneName(String);

/// A name below its zone, in small letters; `@` is the zone itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordName(String);

impl ZoneName {
    /// Reads a domain, with or without the dot at its end.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        check_ascii("zone", text)?;
        let domain = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let holds = domain.len() <= DOMAIN_BYTES_MAX
            && domain.contains('.')
            && domain.split('.').all(is_label);
        RecordError::unless(holds, ("name-malformed", "zone"), text, || {
            "expected a domain such as `example.org`".to_owned()
        })?;
        Ok(Self(domain))
    }

    /// Returns the domain.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RecordName {
    /// Reads a name below `zone`: relative (`acme`), in full with a dot at the end
    /// (`acme.example.org.`), or `@`.
    pub fn parse(zone: &ZoneName, text: &str) -> Result<Self, RecordError> {
        check_ascii("name", text)?;
        let lower = text.to_ascii_lowercase();
        let relative = match lower.strip_suffix('.') {
            None => lower.as_str(),
            Some(full) if full == zone.0 => "@",
            Some(full) => {
                let inside = full.strip_suffix(&zone.0).and_then(|it| it.strip_suffix('.'));
                let is_inside = inside.is_some();
                RecordError::unless(is_inside, ("name-outside-zone", "name"), text, || {
                    format!("it does not lie in the zone `{zone}`")
                })?;
                inside.unwrap_or(full)
            }
        };
        if relative == "@" {
            return Ok(Self(relative.to_owned()));
        }
        check_relative(zone, text, relative)?;
        Ok(Self(relative.to_owned()))
    }

    /// Returns the relative name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it is the zone itself.
    pub fn is_apex(&self) -> bool {
        self.0 == "@"
    }

    /// Returns the whole domain.
    pub fn below(&self, zone: &ZoneName) -> String {
        if self.is_apex() { zone.0.clone() } else { format!("{}.{zone}", self.0) }
    }
}

/// A look-alike letter would make another name of what a person reads as the same.
fn check_ascii(field: &'static str, text: &str) -> Result<(), RecordError> {
    RecordError::unless(text.is_ascii(), ("name-not-ascii", field), text, || {
        "only ASCII is taken: write the `xn--` form".to_owned()
    })
}

fn check_relative(zone: &ZoneName, text: &str, relative: &str) -> Result<(), RecordError> {
    RecordError::unless(!relative.contains('*'), ("name-wildcard", "name"), text, || {
        "a wildcard speaks for names that nobody granted: write each name".to_owned()
    })?;
    // Whoever forgets the dot would make `acme.example.org.example.org`.
    let repeats = relative == zone.0 || relative.ends_with(&format!(".{zone}"));
    RecordError::unless(!repeats, ("name-ambiguous", "name"), text, || {
        format!("it repeats the zone: end it with a dot, or leave `{zone}` out")
    })?;
    let holds =
        relative.split('.').all(is_label) && relative.len() + 1 + zone.0.len() <= DOMAIN_BYTES_MAX;
    RecordError::unless(holds, ("name-malformed", "name"), text, || {
        "expected labels of `a-z0-9_-` with dots between them, or `@`".to_owned()
    })
}

/// Names of services begin with `_`; everything else is as in host names.
pub(super) fn is_label(label: &str) -> bool {
    let is_letter = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    };
    (1..=DOMAIN_LABEL_BYTES_MAX).contains(&label.len())
        && label.bytes().all(is_letter)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for ZoneName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling_or_are_refused() {
        let long = "a".repeat(64);
        let deep = format!("{}a", "a.".repeat(125));
        let rows: [(&str, Result<&str, &str>); 26] = [
            ("acme", Ok("acme")),
            ("ACME", Ok("acme")),
            ("@", Ok("@")),
            ("example.org.", Ok("@")),
            ("acme.pipeline", Ok("acme.pipeline")),
            ("acme.example.org.", Ok("acme")),
            ("_dmarc", Ok("_dmarc")),
            ("xn--4bi", Ok("xn--4bi")),
            ("acme.example.org.example.org.", Err("name-ambiguous")),
            ("acme.example.org", Err("name-ambiguous")),
            ("example.org", Err("name-ambiguous")),
            ("acme.example.com.", Err("name-outside-zone")),
            ("notexample.org.", Err("name-outside-zone")),
            ("org.", Err("name-outside-zone")),
            (".", Err("name-outside-zone")),
            ("", Err("name-malformed")),
            ("a..b", Err("name-malformed")),
            (".acme", Err("name-malformed")),
            ("acme..example.org.", Err("name-malformed")),
            ("a b", Err("name-malformed")),
            ("acme/../bolt", Err("name-malformed")),
            ("a\\046b", Err("name-malformed")),
            ("*", Err("name-wildcard")),
            ("*.acme", Err("name-wildcard")),
            ("аcme", Err("name-not-ascii")),
            ("ac\u{212a}", Err("name-not-ascii")),
        ];
        let zone = ZoneName::parse("example.org").unwrap();
        for (text, expected) in rows {
            let found = RecordName::parse(&zone, text);
            let found = found.as_ref().map(RecordName::as_str).map_err(|error| error.code);
            assert_eq!(found, expected, "{text:?}");
        }
        for text in [&long, &deep, "-a", "a-"] {
            let found = RecordName::parse(&zone, text).map_err(|error| error.code);
            assert_eq!(found, Err("name-malformed"), "{text:?}");
        }
    }

    #[test]
    fn zones_are_domains() {
        for text in ["example.org", "EXAMPLE.ORG", "example.org."] {
            assert_eq!(ZoneName::parse(text).unwrap().as_str(), "example.org", "{text}");
        }
        for text in ["", ".", "org", "example..org", "example.org..", "*.org", "a/b.org", "@"] {
            assert_eq!(ZoneName::parse(text).unwrap_err().code, "name-malformed", "{text:?}");
        }
        assert_eq!(ZoneName::parse("exаmple.org").unwrap_err().code, "name-not-ascii");
    }
}
