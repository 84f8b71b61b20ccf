//! The outside: zones and record sets of Hetzner's API. Its actions change one zone one after the
//! other, and it takes no precondition: what was read may change before it is written.

use std::collections::BTreeMap;
use std::time::Duration;

use runwrit_model::dns::{Content, Record, RecordType, SetId, ZoneName, canonical};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Zones;
use crate::hetzner_api::client::{ActionError, ApiError, Request, actions, member};

/// A zone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Zone {
    /// `primary` or `secondary`.
    pub mode: String,
    /// Of sets without their own.
    pub ttl: u32,
}

/// A set as the API tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The type, also one that runbooks cannot name.
    pub kind: String,
    pub content: Content,
    pub is_protected: bool,
}

/// Why a set was not led to where it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ChangeError {
    /// The first request was not taken.
    #[error(transparent)]
    Unsent(ApiError),
    /// A later one was not, or what was started failed.
    #[error(transparent)]
    Begun(#[from] ActionError),
}

#[derive(Deserialize)]
struct RawSet {
    #[serde(rename = "type")]
    kind: String,
    ttl: Option<u32>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    protection: Protection,
    records: Vec<RawRecord>,
}

#[derive(Deserialize)]
struct Protection {
    change: bool,
}

#[derive(Deserialize)]
struct RawRecord {
    value: String,
    comment: Option<String>,
}

impl Zone {
    /// Returns whether its records are edited here.
    pub fn is_editable(&self) -> bool {
        self.mode == "primary"
    }
}

impl From<RawSet> for Found {
    fn from(set: RawSet) -> Self {
        let RawSet { kind, ttl, labels, protection, records } = set;
        let known = kind.parse::<RecordType>().ok();
        let form = |text: String| known.map_or_else(|| text.clone(), |kind| canonical(kind, &text));
        let record = |raw: RawRecord| Record { value: form(raw.value), comment: raw.comment };
        let mut records: Vec<_> = records.into_iter().map(record).collect();
        records.sort();
        let content = Content { ttl, records, labels };
        Self { kind, content, is_protected: protection.change }
    }
}

impl Zones {
    /// Returns a zone as it was within `age`; nothing where there is none.
    pub(super) async fn zone(
        &self,
        zone: &ZoneName,
        age: Duration,
    ) -> Result<Option<Zone>, ApiError> {
        match self.client.read(&Request::get(format!("zones/{zone}")), age).await {
            Ok(answer) => Ok(Some(member(&answer, "zone")?)),
            Err(error) if error.is_one_of(&["not_found"]) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns all sets under the name of `id`; nothing where there is no such zone.
    pub(super) async fn under(&self, id: &SetId) -> Result<Option<Vec<Found>>, ApiError> {
        self.under_within(id, Duration::ZERO).await
    }

    /// The same, as it was within `age`.
    pub(super) async fn under_within(
        &self,
        id: &SetId,
        age: Duration,
    ) -> Result<Option<Vec<Found>>, ApiError> {
        let request = Request::get(format!("zones/{}/rrsets", id.zone));
        // One page holds a set of every type that there is.
        let request = request.with("name", id.name.as_str()).with("per_page", "50");
        match self.client.read(&request, age).await {
            Ok(answer) => {
                let sets: Vec<RawSet> = member(&answer, "rrsets")?;
                Ok(Some(sets.into_iter().map(Found::from).collect()))
            }
            Err(error) if error.is_one_of(&["not_found"]) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns one set; nothing where there is none, or no zone.
    pub(super) async fn set(&self, id: &SetId) -> Result<Option<Found>, ApiError> {
        let sets = self.under(id).await?.unwrap_or_default();
        Ok(sets.into_iter().find(|found| found.kind == id.kind.as_str()))
    }

    /// Makes a set and returns the actions to wait for.
    pub(super) async fn create(&self, id: &SetId, content: &Content) -> Result<Vec<u64>, ApiError> {
        let body = json!({
            "name": id.name, "type": id.kind, "ttl": content.ttl,
            "records": records(content), "labels": content.labels,
        });
        let path = format!("zones/{}/rrsets", id.zone);
        Ok(actions(&self.client.ask(&Request::post(path, body)).await?))
    }

    /// Changes values, then the time to live, as far as they differ, and returns the actions to
    /// wait for. Labels stay: they tell who made the set.
    pub(super) async fn change(
        &self,
        id: &SetId,
        present: &Content,
        wanted: &Content,
    ) -> Result<Vec<u64>, ChangeError> {
        let mut started = Vec::new();
        if present.records != wanted.records {
            let path = format!("{}/actions/set_records", path(id));
            let sent = self.client.act(path, json!({"records": records(wanted)})).await;
            started = sent.map_err(ChangeError::Unsent)?;
        }
        if present.ttl != wanted.ttl {
            let is_first = started.is_empty();
            // The zone is locked as long as the action before runs.
            self.client.wait(&started).await?;
            let path = format!("{}/actions/change_ttl", path(id));
            let sent = self.client.act(path, json!({"ttl": wanted.ttl})).await;
            started = sent.map_err(|error| match is_first {
                true => ChangeError::Unsent(error),
                false => ChangeError::Begun(ActionError::Api(error)),
            })?;
        }
        Ok(started)
    }

    /// Deletes a set and returns the actions to wait for; one that is gone counts as deleted.
    pub(super) async fn remove(&self, id: &SetId) -> Result<Vec<u64>, ApiError> {
        match self.client.ask(&Request::delete(path(id))).await {
            Ok(answer) => Ok(actions(&answer)),
            Err(error) if error.is_one_of(&["not_found"]) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

fn path(id: &SetId) -> String {
    format!("zones/{}/rrsets/{}/{}", id.zone, id.name, id.kind)
}

/// An absent comment is left out, since the API takes no null for it.
fn records(content: &Content) -> Vec<Value> {
    let record = |record: &Record| match &record.comment {
        Some(comment) => json!({"value": record.value, "comment": comment}),
        None => json!({"value": record.value}),
    };
    content.records.iter().map(record).collect()
}
