//! A project as its API showed it, for a rehearsal: the API's own documents, untouched.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::tokens::know;
use crate::limits::LANDMARKS_MAX;

/// The collections that every project shows alike.
pub const CATALOGUE: [&str; 3] = ["locations", "server_types", "images"];
/// The collections that hold what belongs to a project, beside the record sets of its zones.
pub const BELONGINGS: [&str; 8] = [
    "ssh_keys",
    "placement_groups",
    "networks",
    "firewalls",
    "servers",
    "volumes",
    "primary_ips",
    "zones",
];

/// What tells a project from others, what lives longest first.
const LANDMARKS: [&str; 7] =
    ["zones", "ssh_keys", "networks", "firewalls", "volumes", "servers", "primary_ips"];

/// What one look at a project saw.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// The documents of each collection, for example `servers`; record sets of a zone stand under
    /// `zones/7/rrsets`.
    pub collections: BTreeMap<String, Vec<Value>>,
    /// The price list.
    pub pricing: Value,
}

impl Snapshot {
    /// Returns the documents of a collection.
    pub fn of(&self, collection: &str) -> &[Value] {
        self.collections.get(collection).map_or(&[], Vec::as_slice)
    }

    /// Returns collection and id of what belongs to the project alone: no other one has it.
    pub fn landmarks(&self) -> BTreeSet<String> {
        let own = LANDMARKS.into_iter().flat_map(|collection| {
            let ids = self.of(collection).iter().filter_map(|it| it.get("id")?.as_u64());
            ids.map(move |id| format!("{collection}/{id}"))
        });
        own.take(LANDMARKS_MAX).collect()
    }

    /// Adds every text and number that the project holds: such a value was assigned long ago.
    pub fn know(&self, known: &mut BTreeSet<String>) {
        self.collections.values().flatten().for_each(|document| know(document, known));
    }
}
