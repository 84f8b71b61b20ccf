//! Records of the DNS: what a run holds of it.
//!
//! `client` talks to the provider that serves the zones, `effects` holds what changes records,
//! `observations` what reads them, `undo` what reverts, `sightings` what a sweep sees. What may
//! become of a set is decided in `runwrit_model::dns`. A set that a run makes carries the labels of
//! that run, so that a record which somebody else made under the same name is never taken for ours.

mod client;
mod effects;
mod observations;
mod sightings;
mod undo;
mod host;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use runwrit_model::dns::{KIND, SetId, ZoneName, may_be_neighbours};
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::grant::{Grant, Holder};
use runwrit_model::id::Scope;
use runwrit_model::journal::UnixMs;
use runwrit_model::labels::{HostKey, Owner, scope_value};
use runwrit_model::limits::GLANCE_AGE_MAX;

use crate::bindings::runwrit::dns::records;
use crate::gate::CallError;
use crate::hetzner_api::client::{ApiError, Client};

use client::{Found, Zone};

/// The zones of a project, and how a run proves what it made there. That is all that an undo needs:
/// its authority is the journaled intent, which a permit allowed.
#[derive(Clone)]
pub struct Zones {
    /// The way to the provider.
    pub client: Arc<Client>,
    /// The key of this installation.
    pub key: HostKey,
    /// What the run holds alone.
    pub scope: Scope,
}

/// Records, as far as one run may use them.
pub struct Dns {
    zones: Zones,
    grant: Arc<Grant>,
}

/// Why a run cannot begin in its zones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZonesError {
    /// The provider could not be asked.
    #[error("the zone `{zone}` cannot be read at `{endpoint}` with credential `{credential}`")]
    Unreadable {
        /// The zone.
        zone: ZoneName,
        /// The endpoint that was asked.
        endpoint: String,
        /// The credential that it was asked with.
        credential: String,
        /// Why.
        source: ApiError,
    },
    /// There is none of that name.
    #[error("there is no zone `{0}` in the project of the credential under `[dns]`")]
    Missing(ZoneName),
}

/// What stands under one name of a zone.
struct Look {
    zone: Zone,
    sets: Vec<Found>,
}

impl Dns {
    /// Holds zones for one run under its grant.
    pub fn new(zones: Zones, grant: Arc<Grant>) -> Self {
        Self { zones, grant }
    }

    fn now(&self) -> UnixMs {
        self.zones.client.clock().now_unix_ms()
    }

    /// Looks at a name and at the zone that it stands in, as they were just now.
    async fn look(&self, id: &SetId) -> Result<Look, CallError> {
        let zone = self.zones.present(&id.zone, GLANCE_AGE_MAX).await?;
        let sets = self.zones.under_within(id, GLANCE_AGE_MAX).await;
        let sets = sets.map_err(|error| error.failure(&id.to_string()))?;
        Ok(Look { zone, sets: sets.unwrap_or_default() })
    }
}

impl Zones {
    /// Sees that all of `zones` exist, before a run begins to change anything. `credential` is the
    /// name of the one that reads them.
    pub async fn require(&self, zones: &[ZoneName], credential: &str) -> Result<(), ZonesError> {
        for zone in zones {
            let found = self.zone(zone, Duration::ZERO).await;
            let unreadable = |source| ZonesError::Unreadable {
                zone: zone.clone(),
                endpoint: self.client.endpoint().to_owned(),
                credential: credential.to_owned(),
                source,
            };
            found.map_err(unreadable)?.ok_or_else(|| ZonesError::Missing(zone.clone()))?;
        }
        Ok(())
    }

    async fn present(&self, zone: &ZoneName, age: Duration) -> Result<Zone, CallError> {
        let found = self.zone(zone, age).await;
        let found = found.map_err(|error| error.failure(&format!("zone {zone}")))?;
        Ok(found.ok_or_else(|| no_zone(zone))?)
    }

    /// Returns who made a set, when this installation did.
    fn owner(&self, id: &SetId, found: &Found) -> Option<Owner> {
        self.key.verify(&found.content.labels, KIND, &id.key()).ok()
    }

    fn is_ours(&self, id: &SetId, found: &Found) -> bool {
        self.owner(id, found).is_some_and(|owner| owner.tenant == scope_value(&self.scope))
    }

    fn holder(&self, id: &SetId, found: Option<&Found>) -> Holder {
        match found {
            None => Holder::Nobody,
            Some(found) if self.is_ours(id, found) => Holder::Ours,
            Some(_) => Holder::Foreign,
        }
    }

    /// Says what was found in the words of the guest.
    fn told(&self, id: &SetId, found: &Found) -> records::FoundSet {
        records::FoundSet {
            set: records::RecordSet {
                zone: id.zone.to_string(),
                name: id.name.to_string(),
                kind: id.kind.to_string(),
                ttl: found.content.ttl,
                values: found.content.records.iter().map(|record| record.value.clone()).collect(),
            },
            is_ours: self.is_ours(id, found),
            is_protected: found.is_protected,
        }
    }
}

impl Look {
    fn set(&self, id: &SetId) -> Option<&Found> {
        self.sets.iter().find(|found| found.kind == id.kind.as_str())
    }

    /// Refuses what the provider would refuse, and says it better: before the intent, so that the
    /// run promises nothing that cannot be.
    fn check(&self, id: &SetId) -> Result<(), Failure> {
        self.check_editable(id)?;
        let is_beside = |found: &&Found| !may_be_neighbours(&found.kind, id.kind.as_str());
        if let Some(other) = self.sets.iter().find(is_beside) {
            let message = format!(
                "{id} cannot stand beside the {} record of {}: a CNAME stands alone; delete one of \
                 them first",
                other.kind,
                id.domain()
            );
            return Err(conflict("cname-conflict", message));
        }
        Ok(())
    }

    fn check_editable(&self, id: &SetId) -> Result<(), Failure> {
        if !self.zone.is_editable() {
            let message = format!(
                "{id} cannot be changed here: the zone {} is a copy (mode `{}`); change it at its \
                 source",
                id.zone, self.zone.mode
            );
            return Err(conflict("zone-not-editable", message));
        }
        if self.set(id).is_some_and(|found| found.is_protected) {
            let message = format!("{id} is protected against changes; lift that at the provider");
            return Err(conflict("protected", message));
        }
        Ok(())
    }
}

fn conflict(code: &str, message: String) -> Failure {
    Failure::Conflict(Problem::new(code, message))
}

fn no_zone(zone: &ZoneName) -> Failure {
    let message = format!("there is no zone {zone} in the project of the credential");
    Failure::NotFound(Problem::new("zone-not-found", message).with_field("zone"))
}
