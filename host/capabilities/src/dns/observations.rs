//! What reads zones and records.

use std::sync::Arc;
use std::time::Duration;

use runwrit_model::call::{Call, CallClass};
use runwrit_model::dns::{Declaration, SetId, ZoneName};
use runwrit_model::grant::{Permit, RecordChange};
use runwrit_model::limits::LIST_ITEMS_MAX;
use serde_json::{Value, json};

use super::{Dns, conflict, no_zone};
use crate::bindings::runwrit::dns::records;
use crate::gate::{CallError, Observation, Provenance};

fn call(function: &str, request: Value, subject: String) -> Call {
    Call {
        operation: format!("dns.records.{function}"),
        class: CallClass::Read,
        request,
        kind: None,
        key: None,
        references: Vec::new(),
        subject,
    }
}

/// Reads the zones that the grant names.
pub(super) struct Zones {
    pub(super) dns: Arc<Dns>,
}

impl Observation for Zones {
    type Output = Vec<records::Zone>;

    fn call(&self) -> Call {
        call("zones", json!({}), "zones".to_owned())
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        Ok(self.dns.grant.read("dns.records.zones", "zones", self.dns.now())?)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<Vec<records::Zone>, CallError> {
        let mut zones = Vec::new();
        for name in self.dns.grant.zones() {
            let zone = self.dns.zones.present(&name, Duration::ZERO).await?;
            let (default_ttl, is_editable) = (zone.ttl, zone.is_editable());
            zones.push(records::Zone { name: name.to_string(), default_ttl, is_editable });
        }
        Ok(zones)
    }
}

/// Reads one set.
pub(super) struct Get {
    pub(super) dns: Arc<Dns>,
    pub(super) id: SetId,
}

impl Observation for Get {
    type Output = Option<records::FoundSet>;

    fn call(&self) -> Call {
        call("get", json!({"id": self.id}), self.id.to_string())
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        Ok(self.dns.grant.read_record("dns.records.get", &self.id, self.dns.now())?)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<Option<records::FoundSet>, CallError> {
        let found = self.dns.zones.under(&self.id).await;
        let found = found.map_err(|error| error.failure(&self.id.to_string()))?;
        let sets = found.ok_or_else(|| no_zone(&self.id.zone))?;
        let found = sets.iter().find(|found| found.kind == self.id.kind.as_str());
        Ok(found.map(|found| self.dns.zones.told(&self.id, found)))
    }
}

/// Reads what the grant names of a zone.
pub(super) struct List {
    pub(super) dns: Arc<Dns>,
    pub(super) zone: ZoneName,
}

impl Observation for List {
    type Output = Vec<records::FoundSet>;

    fn call(&self) -> Call {
        call("list", json!({"zone": self.zone}), format!("records of {}", self.zone))
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        let zone = self.zone.as_str();
        Ok(self.dns.grant.read("dns.records.list", zone, self.dns.now())?)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<Vec<records::FoundSet>, CallError> {
        self.dns.zones.present(&self.zone, Duration::ZERO).await?;
        let granted = self.dns.grant.record_sets(&self.zone);
        let mut names: Vec<&SetId> = granted.iter().collect();
        names.sort_by_key(|id| &id.name);
        names.dedup_by_key(|id| &id.name);
        let mut listed = Vec::new();
        // A zone may be large, and a grant names few of its names.
        for id in names.into_iter().take(LIST_ITEMS_MAX) {
            let found = self.dns.zones.under(id).await;
            let found = found.map_err(|error| error.failure(&id.to_string()))?;
            let sets = found.unwrap_or_default();
            let here = granted.iter().filter(|it| it.name == id.name);
            listed.extend(here.filter_map(|it| {
                let found = sets.iter().find(|found| found.kind == it.kind.as_str())?;
                Some(self.dns.zones.told(it, found))
            }));
        }
        Ok(listed)
    }
}

/// Checks whether a set could be declared.
pub(super) struct Check {
    pub(super) dns: Arc<Dns>,
    pub(super) id: SetId,
}

impl Observation for Check {
    type Output = ();

    fn call(&self) -> Call {
        call("check", json!({"id": self.id}), self.id.to_string())
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        Ok(self.dns.grant.read_record("dns.records.check", &self.id, self.dns.now())?)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<(), CallError> {
        let (dns, id) = (&self.dns, &self.id);
        let look = dns.look(id).await?;
        let holder = dns.zones.holder(id, look.set(id));
        // The time to live is not known yet; `set` is asked about it.
        let change = RecordChange { id, holder, ttl: None };
        dns.grant.change_record("dns.records.set", change, dns.now())?;
        look.check(id)?;
        Ok(())
    }
}

/// Compares a set with what it should be. It asks the provider; what resolvers say has no place
/// here before they can be asked through a capability of their own.
pub(super) struct Verify {
    pub(super) dns: Arc<Dns>,
    pub(super) declaration: Declaration,
}

impl Observation for Verify {
    type Output = ();

    fn call(&self) -> Call {
        let Declaration { id, ttl, values } = &self.declaration;
        let request = json!({"id": id, "ttl": ttl, "values": values});
        call("verify", request, id.to_string())
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        let id = &self.declaration.id;
        Ok(self.dns.grant.read_record("dns.records.verify", id, self.dns.now())?)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<(), CallError> {
        let (id, wanted) = (&self.declaration.id, self.declaration.content());
        let found = self.dns.zones.under(id).await;
        let found = found.map_err(|error| error.failure(&id.to_string()))?;
        let sets = found.ok_or_else(|| no_zone(&id.zone))?;
        let found = sets.into_iter().find(|found| found.kind == id.kind.as_str());
        match found {
            Some(found) if found.content.is_same(&wanted) => Ok(()),
            other => {
                let present = other.map_or("absent".to_owned(), |it| it.content.to_string());
                let message = format!("{id} is {present}, it should be {wanted}");
                Err(conflict("record-differs", message).into())
            }
        }
    }
}
