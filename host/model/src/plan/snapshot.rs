//! A project as its API showed it, for a rehearsal: the API's own documents, untouched.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::tokens::know;

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

    /// Adds every text and number that the project holds: such a value was assigned long ago.
    pub fn know(&self, known: &mut BTreeSet<String>) {
        self.collections.values().flatten().for_each(|document| know(document, known));
    }
}
