//! One call of a guest, described before it acts.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::Digest;

/// How a call may be repeated; declared by the capability, never by the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallClass {
    /// Answered by the host from what it knows; executed again on replay.
    Local,
    /// Reads the outside; its result is recorded, an unrecorded one is read again.
    Read,
    /// Leads to the same state however often it is sent.
    Converge,
    /// Creates under a key that the outside system keeps unique: sent again, then adopted.
    KeyedCreate,
    /// Creates something with a mark but no unique key: looked for before it is sent again.
    ProbeCreate,
    /// Can neither be repeated nor looked for: an unknown outcome is put to a person.
    Opaque,
}

impl CallClass {
    /// Returns whether the call changes anything outside.
    pub fn is_mutating(self) -> bool {
        !matches!(self, Self::Local | Self::Read)
    }
}

/// The place of a call in its run: the index, and for a batch the item (`4.1`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallId {
    /// Counts the journaled calls of a run from zero.
    pub index: u32,
    /// Counts the items of a batch from zero.
    pub item: Option<u16>,
}

/// A text that is no call id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no call: expected an index such as `7`, or `7.1` for an item of a batch")]
pub struct CallIdError(String);

impl CallId {
    /// Names a single call.
    pub fn single(index: u32) -> Self {
        Self { index, item: None }
    }

    /// Names an item of a batch.
    pub fn item(index: u32, item: u16) -> Self {
        Self { index, item: Some(item) }
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            Some(item) => write!(formatter, "{}.{item}", self.index),
            None => write!(formatter, "{}", self.index),
        }
    }
}

impl FromStr for CallId {
    type Err = CallIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || CallIdError(text.to_owned());
        let (index, item) = match text.split_once('.') {
            Some((index, item)) => (index, Some(item.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        Ok(Self { index: index.parse().map_err(|_| wrong())?, item })
    }
}

impl TryFrom<String> for CallId {
    type Error = CallIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CallId> for String {
    fn from(id: CallId) -> Self {
        id.to_string()
    }
}

/// A thing outside: its kind and the id that the outside system gave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// For example `hetzner.server`.
    pub kind: String,
    /// For example `4711`.
    pub id: String,
}

impl Reference {
    /// Names a thing.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }
}

/// A call as the journal and the replay see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `<capability>.<interface>.<function>`, for example `hetzner.servers.create`.
    pub operation: String,
    /// How it may be repeated.
    pub class: CallClass,
    /// The request with secrets replaced by their names.
    pub request: Value,
    /// The kind of thing that it makes or changes, for example `hetzner.server`.
    pub kind: Option<String>,
    /// The unique key under which the outside system keeps what it creates: the resource's name.
    pub key: Option<String>,
    /// Things that the request names by id; those made by this run become dependencies of the undo.
    pub references: Vec<Reference>,
    /// What to show to people, for example `server acme-db`.
    pub subject: String,
}

impl Call {
    /// Returns the digest that a replay must match: operation, class and request.
    pub fn digest(&self) -> Digest {
        let bytes = serde_json::to_vec(&(&self.operation, self.class, &self.request));
        Digest::of(&bytes.expect("a request is a value, whose keys are strings"))
    }
}

/// Which undo comes first among those that do not depend on each other: lower ranks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rank {
    /// Names that point to servers must vanish before the servers.
    Dns,
    /// Servers cost most and hold everything else in use.
    Server,
    /// Firewalls and keys are free.
    Firewall,
    /// Networks are free.
    Network,
    /// Volumes hold data: last of the paid resources.
    Volume,
    /// The tenant's state tells what is left, so it changes after the resources.
    Registry,
    /// The audit event closes the rollback.
    Audit,
}

/// The inverse of a call, as data: it works without the component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UndoPlan {
    /// The operation that reverts, for example `hetzner.servers.delete`.
    pub operation: String,
    /// What it needs beside key, labels, accepted id and previous state, which the journal holds.
    pub arguments: BTreeMap<String, Value>,
    /// Its place among independent undos.
    pub rank: Rank,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Journals of years ago hold digests: other bytes would stop their runs as nondeterministic.
    #[test]
    fn the_digest_of_a_call_is_that_of_its_json_in_order() {
        let call = Call {
            operation: "hetzner.servers.create".to_owned(),
            class: CallClass::KeyedCreate,
            request: json!({
                "size": 10, "name": "acme-db", "ratio": 0.5, "labels": { "b": "2", "a": "1" },
            }),
            kind: None,
            key: None,
            references: Vec::new(),
            subject: String::new(),
        };
        // `printf '["hetzner.servers.create","keyed-create",{"labels":{"a":"1","b":"2"},` \
        // `"name":"acme-db","ratio":0.5,"size":10}]' | sha256sum`
        let known = "e7b828c93131ffd21b877c2ac5949387d48cfc99b3e33937ad8c270f122c6da7";
        assert_eq!(call.digest().hex(), known);
    }
}
