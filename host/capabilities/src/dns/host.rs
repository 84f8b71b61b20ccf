//! What a guest calls: `runwrit:dns/records`.

use std::sync::Arc;

use runwrit_model::dns::{Declaration, SetId, ZoneName};
use runwrit_model::failure::Failure;

use super::Dns;
use super::effects::{Delete, Set};
use super::observations::{Check, Get, List, Verify, Zones};
use crate::Capabilities;
use crate::bindings::runwrit::dns::records;
use crate::gate::{CallError, Gate};

impl<G: Gate> records::Host for Capabilities<G> {
    async fn zones(&mut self) -> Result<Vec<records::Zone>, CallError> {
        let dns = self.records()?;
        self.gate.observe(Zones { dns }).await
    }

    async fn get(
        &mut self,
        zone: String,
        name: String,
        kind: String,
    ) -> Result<Option<records::FoundSet>, CallError> {
        let (dns, id) = (self.records()?, id(&zone, &name, &kind)?);
        self.gate.observe(Get { dns, id }).await
    }

    async fn list(&mut self, zone: String) -> Result<Vec<records::FoundSet>, CallError> {
        let (dns, zone) = (self.records()?, ZoneName::parse(&zone).map_err(Failure::from)?);
        self.gate.observe(List { dns, zone }).await
    }

    async fn check(&mut self, zone: String, name: String, kind: String) -> Result<(), CallError> {
        let (dns, id) = (self.records()?, id(&zone, &name, &kind)?);
        self.gate.observe(Check { dns, id }).await
    }

    async fn set(&mut self, set: records::RecordSet) -> Result<records::FoundSet, CallError> {
        let (dns, declaration) = (self.records()?, declaration(&set)?);
        self.gate.pass(Set::new(dns, declaration)).await
    }

    async fn delete(&mut self, zone: String, name: String, kind: String) -> Result<(), CallError> {
        let (dns, id) = (self.records()?, id(&zone, &name, &kind)?);
        self.gate.pass(Delete::new(dns, id)).await
    }

    async fn verify(&mut self, set: records::RecordSet) -> Result<(), CallError> {
        let (dns, declaration) = (self.records()?, declaration(&set)?);
        self.gate.observe(Verify { dns, declaration }).await
    }
}

impl<G: Gate> Capabilities<G> {
    fn records(&self) -> Result<Arc<Dns>, CallError> {
        self.dns.clone().ok_or_else(|| crate::failure::not_held("dns"))
    }
}

/// Texts of a guest are normalised here, once; from here on a name has one spelling.
fn id(zone: &str, name: &str, kind: &str) -> Result<SetId, Failure> {
    Ok(SetId::parse(zone, name, kind)?)
}

fn declaration(set: &records::RecordSet) -> Result<Declaration, Failure> {
    let records::RecordSet { zone, name, kind, ttl, values } = set;
    Ok(Declaration::parse(id(zone, name, kind)?, *ttl, values)?)
}
