//! Permits for record sets of the DNS.

use super::asked::{Asked, Refusal, quote};
use super::document::DnsRecords;
use super::{Grant, Permit, Rule};
use crate::dns::{SetId, ZoneName};
use crate::failure::Denial;
use crate::journal::UnixMs;

/// Whose a set is, as its mark proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// There is none.
    Nobody,
    /// A run of this scope made it.
    Ours,
    /// Somebody else made it.
    Foreign,
}

/// A change of a set, with what is true at its moment.
#[derive(Debug, Clone, Copy)]
pub struct RecordChange<'a> {
    /// Which set.
    pub id: &'a SetId,
    /// Whose it is.
    pub holder: Holder,
    /// How long resolvers would keep it, in seconds; nothing for a deletion.
    pub ttl: Option<u32>,
}

impl Grant {
    /// Permits a read of a set, for example by `dns.records.get`.
    pub fn read_record(&self, operation: &str, id: &SetId, now: UnixMs) -> Result<Permit, Denial> {
        let asked = self.ask(operation, id, now)?;
        self.granted_records(&asked, id)?;
        Ok(Permit::mint("dns.records"))
    }

    /// Permits a change of a set, for example by `dns.records.set`.
    pub fn change_record(
        &self,
        operation: &str,
        change: RecordChange<'_>,
        now: UnixMs,
    ) -> Result<Permit, Denial> {
        let RecordChange { id, holder, ttl } = change;
        let asked = self.ask(operation, id, now)?;
        let granted = self.granted_records(&asked, id)?;
        let max_ttl = granted.map_or(0, |it| it.max_ttl);
        let holds = ttl.is_none_or(|ttl| ttl <= max_ttl);
        asked.require(Rule::RecordTtl, holds, || Refusal {
            reason: format!(
                "resolvers would keep it for {} seconds, {max_ttl} are granted",
                ttl.unwrap_or_default()
            ),
            section: "[[dns.records]]",
            line: format!("max-ttl = {}", ttl.unwrap_or_default()),
        })?;
        let may_replace = granted.is_some_and(|it| it.replace_foreign);
        let holds = holder != Holder::Foreign || may_replace;
        asked.require(Rule::RecordOwner, holds, || Refusal {
            reason: format!("no run of this scope made the {} records there", id.kind),
            section: "[[dns.records]]",
            line: "replace-foreign = true".into(),
        })?;
        Ok(Permit::mint("dns.records"))
    }

    /// Requires that zone, name and type are named together.
    fn granted_records(
        &self,
        asked: &Asked<'_>,
        id: &SetId,
    ) -> Result<Option<&DnsRecords>, Denial> {
        let SetId { zone, name, kind } = id;
        let dns = self.document().dns.as_ref();
        let mut records = dns.into_iter().flat_map(|it| &it.records);
        let is_it = |it: &&DnsRecords| it.zone == zone.as_str() && it.name == name.as_str();
        let granted = records.find(is_it);
        asked.require(Rule::Record, granted.is_some(), || Refusal {
            reason: format!("the name {} in {} is not granted", quoted(name), quoted(zone)),
            section: "[[dns.records]]",
            line: format!("zone = {}, name = {}", quoted(zone), quoted(name)),
        })?;
        let holds = granted.is_none_or(|it| it.types.contains(kind));
        asked.require(Rule::RecordType, holds, || Refusal {
            reason: format!("records of the type {kind} are not granted for this name"),
            section: "[[dns.records]]",
            line: format!("types = [\"{kind}\"]"),
        })?;
        Ok(granted)
    }

    /// Returns the zones that the grant names, each once.
    pub fn zones(&self) -> Vec<ZoneName> {
        let dns = self.document().dns.as_ref();
        let named = dns.into_iter().flat_map(|it| &it.records).map(|it| &it.zone);
        let mut zones: Vec<_> = named.filter_map(|zone| ZoneName::parse(zone).ok()).collect();
        zones.sort();
        zones.dedup();
        zones
    }

    /// Returns the sets of a zone that the grant names.
    pub fn record_sets(&self, zone: &ZoneName) -> Vec<SetId> {
        let dns = self.document().dns.as_ref();
        let records = dns.into_iter().flat_map(|it| &it.records);
        let here = records.filter(|it| it.zone == zone.as_str());
        let pairs = here.flat_map(|it| it.types.iter().map(move |kind| (&it.name, kind)));
        let parse = |(name, kind): (&String, &crate::dns::RecordType)| {
            SetId::parse(zone.as_str(), name, kind.as_str()).ok()
        };
        pairs.filter_map(parse).collect()
    }
}

fn quoted(name: &impl ToString) -> String {
    quote(&name.to_string())
}
