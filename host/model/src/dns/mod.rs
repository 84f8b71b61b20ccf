//! Record sets of the DNS: one spelling for each, and what may become of them.

mod name;
mod value;
mod change;

pub use change::{Content, Declared, Record, Reverted, declare, revert};
pub use name::{RecordName, ZoneName};
pub use value::canonical;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::breakable::is_broken;
use crate::failure::{Failure, Problem};
use crate::limits::{RECORD_VALUES_MAX, TTL_SECONDS};

/// The kind of a set in journals and labels.
pub const KIND: &str = "dns.record-set";

/// A text that can be no part of a record set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is {value}: {problem}")]
pub struct RecordError {
    /// A stable, kebab-case code.
    pub code: &'static str,
    /// The field at fault.
    pub field: &'static str,
    /// What it holds, quoted.
    pub value: String,
    /// What is wrong with it, and what to write instead.
    pub problem: String,
}

impl RecordError {
    /// Builds an error unless its rule is switched off.
    fn unless(
        holds: bool,
        (code, field): (&'static str, &'static str),
        value: &str,
        problem: impl FnOnce() -> String,
    ) -> Result<(), Self> {
        if holds || is_broken(code) {
            return Ok(());
        }
        let value = format!("{:?}", crate::text::truncate(value, 200));
        Err(Self { code, field, value, problem: problem() })
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        Self::Invalid(Problem::new(error.code, error.to_string()).with_field(error.field))
    }
}

macro_rules! types {
    ($($name:ident = $text:literal,)*) => {
        /// The type of a set.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "UPPERCASE")]
        pub enum RecordType {
            $(#[doc = concat!("`", $text, "`.")] $name,)*
        }

        impl RecordType {
            /// All types.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the type as zone files write it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

types! {
    A = "A",
    Aaaa = "AAAA",
    Caa = "CAA",
    Cname = "CNAME",
    Mx = "MX",
    Ns = "NS",
    Ptr = "PTR",
    Srv = "SRV",
    Txt = "TXT",
}

impl FromStr for RecordType {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().copied().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| RecordError {
            code: "record-type-unknown",
            field: "kind",
            value: format!("{:?}", crate::text::truncate(text, 200)),
            problem: format!("expected one of {}, in capitals", names()),
        })
    }
}

fn names() -> String {
    let names = RecordType::ALL.iter().map(|kind| format!("`{}`", kind.as_str()));
    names.collect::<Vec<_>>().join(", ")
}

impl fmt::Display for RecordType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Which set: its zone, its name and its type, each in its one spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SetId {
    /// The zone.
    pub zone: ZoneName,
    /// The name below it.
    pub name: RecordName,
    /// The type.
    pub kind: RecordType,
}

impl SetId {
    /// Reads the texts of a guest; this is the one place where they are normalised.
    pub fn parse(zone: &str, name: &str, kind: &str) -> Result<Self, RecordError> {
        let zone = ZoneName::parse(zone)?;
        let name = RecordName::parse(&zone, name)?;
        let id = Self { zone, name, kind: kind.parse()? };
        let is_own = id.kind == RecordType::Ns && id.name.is_apex();
        RecordError::unless(!is_own, ("zone-servers", "kind"), "NS", || {
            "the servers of a zone belong to its provider; name others below the zone".to_owned()
        })?;
        Ok(id)
    }

    /// Returns the whole domain, for example `acme.example.org`.
    pub fn domain(&self) -> String {
        self.name.below(&self.zone)
    }

    /// Returns the key under which the set is unique, for example `acme.example.org/A`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.domain(), self.kind)
    }
}

impl fmt::Display for SetId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "record {} {}", self.domain(), self.kind)
    }
}

/// A set as a guest declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Declaration {
    /// Which set.
    pub id: SetId,
    /// Its time to live in seconds; that of the zone where absent.
    pub ttl: Option<u32>,
    /// Its values, canonical, in order.
    pub values: Vec<String>,
}

impl Declaration {
    /// Reads the values of a guest.
    pub fn parse(id: SetId, ttl: Option<u32>, values: &[String]) -> Result<Self, RecordError> {
        let (min, max) = TTL_SECONDS;
        let holds = ttl.is_none_or(|ttl| (min..=max).contains(&ttl));
        let text = ttl.unwrap_or_default().to_string();
        RecordError::unless(holds, ("ttl-out-of-range", "ttl"), &text, || {
            format!("expected {min} to {max} seconds, or nothing for that of the zone")
        })?;
        let count = values.len();
        let holds = (1..=RECORD_VALUES_MAX).contains(&count);
        RecordError::unless(holds, ("value-count", "values"), &count.to_string(), || {
            format!("expected 1 to {RECORD_VALUES_MAX} values; `delete` removes a set")
        })?;
        let mut values = values
            .iter()
            .map(|value| value::parse(id.kind, value))
            .collect::<Result<Vec<_>, _>>()?;
        values.sort();
        let repeated = values.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| &pair[0]);
        let text = repeated.cloned().unwrap_or_default();
        RecordError::unless(repeated.is_none(), ("value-repeated", "values"), &text, || {
            "it stands there twice: name each value once".to_owned()
        })?;
        let is_alone = id.kind != RecordType::Cname || values.len() == 1;
        RecordError::unless(is_alone, ("value-count", "values"), &count.to_string(), || {
            "a `CNAME` has exactly one value".to_owned()
        })?;
        Ok(Self { id, ttl, values })
    }

    /// Returns what the set then holds.
    pub fn content(&self) -> Content {
        let record = |value: &String| Record { value: value.clone(), comment: None };
        let records = self.values.iter().map(record).collect();
        Content { ttl: self.ttl, records, ..Content::default() }
    }
}

/// Returns whether two types can stand under one name: a `CNAME` stands alone.
pub fn may_be_neighbours(one: &str, other: &str) -> bool {
    one == other || (one != "CNAME" && other != "CNAME")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(kind: &str) -> SetId {
        SetId::parse("example.org", "acme", kind).unwrap()
    }

    #[test]
    fn a_set_has_one_key_whatever_its_spelling() {
        for (zone, name) in [
            ("example.org", "acme"),
            ("EXAMPLE.org.", "ACME"),
            ("example.org", "acme.example.org."),
            ("example.org", "Acme.Example.Org."),
        ] {
            let id = SetId::parse(zone, name, "A").unwrap();
            assert_eq!(id.key(), "acme.example.org/A", "{zone} {name}");
        }
        assert_eq!(SetId::parse("example.org", "@", "A").unwrap().key(), "example.org/A");
    }

    #[test]
    fn declarations_are_refused_by_the_rule_expected() {
        let rows: [(&str, Option<u32>, &[&str], &str); 13] = [
            ("A", Some(0), &["192.0.2.1"], "ttl-out-of-range"),
            ("A", Some(59), &["192.0.2.1"], "ttl-out-of-range"),
            ("A", Some(2_147_483_648), &["192.0.2.1"], "ttl-out-of-range"),
            ("A", Some(u32::MAX), &["192.0.2.1"], "ttl-out-of-range"),
            ("A", None, &[], "value-count"),
            ("A", None, &["192.0.2.1", "192.0.2.1"], "value-repeated"),
            ("AAAA", None, &["2001:db8::1", "2001:DB8:0::1"], "value-repeated"),
            ("CNAME", None, &["a.example.", "b.example."], "value-count"),
            ("A", None, &["192.0.2.01"], "value-malformed"),
            ("A", None, &["2001:db8::1"], "value-malformed"),
            ("CNAME", None, &["www.example.org"], "value-malformed"),
            ("TXT", None, &["bare"], "value-malformed"),
            ("A", None, &["192.0.2.1\n@ IN NS evil.example."], "value-malformed"),
        ];
        for (kind, ttl, values, code) in rows {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            let error = Declaration::parse(id(kind), ttl, &values).expect_err(code);
            assert_eq!(error.code, code, "{kind} {ttl:?} {values:?}: {error}");
        }
        for ttl in [None, Some(60), Some(2_147_483_647)] {
            Declaration::parse(id("A"), ttl, &["192.0.2.1".to_owned()]).expect("a good one");
        }
    }

    #[test]
    fn the_servers_of_a_zone_are_not_for_runbooks() {
        let error = SetId::parse("example.org", "example.org.", "NS").unwrap_err();
        assert_eq!(error.code, "zone-servers");
        assert!(SetId::parse("example.org", "sub", "NS").is_ok());
        for kind in ["SOA", "a", "ANY", "", "А"] {
            let error = SetId::parse("example.org", "acme", kind).unwrap_err();
            assert_eq!(error.code, "record-type-unknown", "{kind}");
        }
    }

    #[test]
    fn a_cname_stands_alone() {
        for (one, other, holds) in [
            ("A", "AAAA", true),
            ("CNAME", "CNAME", true),
            ("CNAME", "A", false),
            ("TXT", "CNAME", false),
        ] {
            assert_eq!(may_be_neighbours(one, other), holds, "{one} {other}");
        }
    }
}
