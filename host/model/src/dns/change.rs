//! What to do with a set, given what stands there: decided apart from doing it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::breakable::is_broken;

/// What a set holds; all of it is restored by an undo.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Content {
    /// Its time to live in seconds; that of the zone where absent.
    pub ttl: Option<u32>,
    /// Its records, by value, in canonical form.
    pub records: Vec<Record>,
    /// Its labels, where the provider keeps such.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Record {
    /// The value.
    pub value: String,
    /// What a person wrote beside it.
    pub comment: Option<String>,
}

impl Content {
    /// Returns whether both answer the same to a resolver.
    pub fn is_same(&self, other: &Self) -> bool {
        self.ttl == other.ttl && self.has_values_of(other)
    }

    fn has_values_of(&self, other: &Self) -> bool {
        let sorted = |content: &Self| {
            let mut values: Vec<_> =
                content.records.iter().map(|record| record.value.clone()).collect();
            values.sort();
            values
        };
        sorted(self) == sorted(other)
    }

    /// Returns whether a change from `one` to `other` passes through this: values and time to live
    /// change one after the other.
    fn is_between(&self, one: &Self, other: &Self) -> bool {
        (self.ttl == one.ttl || self.ttl == other.ttl)
            && (self.has_values_of(one) || self.has_values_of(other))
    }
}

/// For people: `192.0.2.1, 192.0.2.2 with a time to live of 300 s`.
impl fmt::Display for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<_> = self.records.iter().map(|record| record.value.as_str()).collect();
        write!(formatter, "`{}`", values.join("`, `"))?;
        match self.ttl {
            Some(ttl) => write!(formatter, " for {ttl} s"),
            None => formatter.write_str(" for the time of its zone"),
        }
    }
}

/// What a declaration comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    /// It stands there already.
    Settled,
    /// Make it: nothing stands there.
    Create,
    /// Change what stands there.
    Change,
    /// Somebody else changed it since it was read: touch nothing.
    Moved,
}

/// Decides how to lead from what the intent recorded (`previous`) to what is `wanted`, when
/// `present` stands there. `wanted` is nothing for a deletion.
pub fn declare(
    previous: Option<&Content>,
    wanted: Option<&Content>,
    present: Option<&Content>,
) -> Declared {
    let is_moved = || match is_broken("record-moved") {
        true => present.map_or(Declared::Create, |_| Declared::Change),
        false => Declared::Moved,
    };
    match (previous, wanted, present) {
        (_, None, None) => Declared::Settled,
        (_, Some(wanted), Some(present)) if present.is_same(wanted) => Declared::Settled,
        (None, Some(_), None) => Declared::Create,
        (Some(previous), None, Some(present)) if present.is_same(previous) => Declared::Change,
        (Some(previous), Some(wanted), Some(present)) if present.is_between(previous, wanted) => {
            Declared::Change
        }
        _ => is_moved(),
    }
}

/// What an undo comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reverted {
    /// It stands there as before.
    Settled,
    /// Make what was there before.
    Create,
    /// Change what stands there to what was there before.
    Change,
    /// Delete what the call made.
    Delete,
    /// Somebody else changed it since: leave it.
    Foreign,
}

/// Decides how to lead back from what a call `wrote` to what was there before it (`previous`), when
/// `present` stands there. Only what is still the work of the call is touched. `is_marked` tells
/// whether the mark on the set is that of the call.
pub fn revert(
    previous: Option<&Content>,
    wrote: Option<&Content>,
    present: Option<&Content>,
    is_marked: bool,
) -> Reverted {
    let is_still_ours = match (previous, wrote, present) {
        (None, Some(wrote), Some(present)) => is_marked && present.is_same(wrote),
        (Some(previous), Some(wrote), Some(present)) => present.is_between(previous, wrote),
        (_, None, None) => true,
        _ => false,
    };
    let is_before = match (previous, present) {
        (None, None) => true,
        (Some(previous), Some(present)) => present.is_same(previous),
        _ => false,
    };
    match (previous, present) {
        _ if is_before => Reverted::Settled,
        _ if !is_still_ours && !is_broken("undo-foreign-record") => Reverted::Foreign,
        (None, _) => Reverted::Delete,
        (Some(_), None) => Reverted::Create,
        (Some(_), Some(_)) => Reverted::Change,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breakable::with_broken;

    fn content(ttl: u32, values: &[&str]) -> Content {
        let record = |value: &&str| Record { value: (*value).to_owned(), comment: None };
        let records = values.iter().map(record).collect();
        Content { ttl: (ttl > 0).then_some(ttl), records, ..Content::default() }
    }

    #[test]
    fn a_declaration_touches_only_what_it_read() {
        let (old, new, other) = (content(300, &["1"]), content(60, &["2"]), content(60, &["3"]));
        let half = content(300, &["2"]);
        let rows = [
            ("new", None, Some(&new), None, Declared::Create),
            ("new, there already", None, Some(&new), Some(&new), Declared::Settled),
            ("new, taken since", None, Some(&new), Some(&other), Declared::Moved),
            ("changed", Some(&old), Some(&new), Some(&old), Declared::Change),
            ("changed by half", Some(&old), Some(&new), Some(&half), Declared::Change),
            ("changed already", Some(&old), Some(&new), Some(&new), Declared::Settled),
            ("changed by another", Some(&old), Some(&new), Some(&other), Declared::Moved),
            ("deleted by another", Some(&old), Some(&new), None, Declared::Moved),
            ("deleted", Some(&old), None, Some(&old), Declared::Change),
            ("deleted already", Some(&old), None, None, Declared::Settled),
            ("never there", None, None, None, Declared::Settled),
            ("made since", None, None, Some(&other), Declared::Moved),
            ("changed before deletion", Some(&old), None, Some(&other), Declared::Moved),
        ];
        for (name, previous, wanted, present, expected) in rows {
            let declared = || declare(previous, wanted, present);
            assert_eq!(declared(), expected, "{name}");
            let unchecked = with_broken("record-moved", declared);
            assert_eq!(unchecked != expected, expected == Declared::Moved, "{name}: {unchecked:?}");
        }
    }

    #[test]
    fn an_undo_touches_only_what_is_still_ours() {
        let (old, new, other) = (content(300, &["1"]), content(60, &["2"]), content(60, &["3"]));
        let (half, back) = (content(300, &["2"]), content(60, &["1"]));
        let rows = [
            ("made", None, Some(&new), Some(&new), true, Reverted::Delete),
            ("made, unmarked", None, Some(&new), Some(&new), false, Reverted::Foreign),
            ("made, changed", None, Some(&new), Some(&other), true, Reverted::Foreign),
            ("made, gone", None, Some(&new), None, false, Reverted::Settled),
            ("changed", Some(&old), Some(&new), Some(&new), false, Reverted::Change),
            ("changed by half", Some(&old), Some(&new), Some(&half), false, Reverted::Change),
            ("back by half", Some(&old), Some(&new), Some(&back), false, Reverted::Change),
            ("back already", Some(&old), Some(&new), Some(&old), false, Reverted::Settled),
            ("changed since", Some(&old), Some(&new), Some(&other), true, Reverted::Foreign),
            ("deleted since", Some(&old), Some(&new), None, false, Reverted::Foreign),
            ("deleted", Some(&old), None, None, false, Reverted::Create),
            ("deletion never landed", Some(&old), None, Some(&old), false, Reverted::Settled),
            ("made again since", Some(&old), None, Some(&other), false, Reverted::Foreign),
        ];
        for (name, previous, wrote, present, is_marked, expected) in rows {
            let reverted = || revert(previous, wrote, present, is_marked);
            assert_eq!(reverted(), expected, "{name}");
            let unchecked = with_broken("undo-foreign-record", reverted);
            let is_foreign = expected == Reverted::Foreign;
            assert_eq!(unchecked != expected, is_foreign, "{name}: {unchecked:?}");
        }
    }

    #[test]
    fn an_absent_time_to_live_is_not_that_of_the_zone_written_out() {
        assert!(!content(0, &["1"]).is_same(&content(3600, &["1"])));
        assert!(content(60, &["1", "2"]).is_same(&content(60, &["2", "1"])));
    }
}
