//! The name under which a tenant is reached, and the records that lead to its gateway.

use std::net::Ipv6Addr;

use runwrit_sdk::dns::{self, RecordSet, Zone};
use runwrit_sdk::hetzner::servers::Server;
use runwrit_sdk::{Context as _, Result, failed, verified};

use crate::layout::Layout;

/// How long resolvers keep a record: a gateway that is replaced is found again within minutes.
pub const TTL_SECONDS: u32 = 300;

/// Where the name of a tenant stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The zone.
    pub zone: String,
    /// The name in full, with the dot at its end.
    pub name: String,
}

impl Place {
    /// Finds the zone of the grant that holds the host name of the tenant.
    pub fn find(layout: &Layout) -> Result<Self> {
        let zones = dns::zones().context("looking the zones up")?;
        Self::among(&zones, &layout.hostname())
    }

    /// The longest zone is the one that serves the name.
    fn among(zones: &[Zone], hostname: &str) -> Result<Self> {
        let holds = |zone: &&Zone| hostname.ends_with(&format!(".{}", zone.name));
        let zone = zones.iter().filter(holds).max_by_key(|zone| zone.name.len());
        let zone = zone.ok_or_else(|| {
            let names: Vec<_> = zones.iter().map(|zone| zone.name.as_str()).collect();
            let names = names.join("`, `");
            failed(format!("`{hostname}` lies in no zone of the grant, which names `{names}`"))
        })?;
        Ok(Self { zone: zone.name.clone(), name: format!("{hostname}.") })
    }

    /// Asks whether the records can be declared, before anything was made.
    pub fn check(&self) -> Result {
        for kind in ["A", "AAAA"] {
            dns::check(&self.zone, &self.name, kind).context("checking the name")?;
        }
        Ok(())
    }

    /// The records that lead to a gateway, one set for each kind of address that it has.
    pub fn records(&self, gateway: &Server) -> Result<Vec<RecordSet>> {
        let ipv4 = gateway.public_ipv4.clone();
        let ipv4 = ipv4.ok_or_else(|| failed("the gateway has no public IPv4 address"))?;
        let mut records = vec![self.record("A", ipv4)];
        if let Some(network) = &gateway.public_ipv6 {
            records.push(self.record("AAAA", first_address(network)?));
        }
        Ok(records)
    }

    fn record(&self, kind: &str, value: String) -> RecordSet {
        RecordSet {
            zone: self.zone.clone(),
            name: self.name.clone(),
            kind: kind.to_owned(),
            ttl: Some(TTL_SECONDS),
            values: vec![value],
        }
    }

    /// Verifies a set of records, as whoever serves the zone says it. No resolver is asked: it may
    /// remember an older answer.
    pub fn verify_record(&self, layout: &Layout, set: &RecordSet) -> Result {
        dns::verify(set).context("verifying the name")?;
        verified(&leads(layout, set))
    }
}

/// Says where the name of a tenant leads.
pub fn leads(layout: &Layout, set: &RecordSet) -> String {
    let RecordSet { kind, values, .. } = set;
    let (hostname, value) = (layout.hostname(), values.join(", "));
    format!("{hostname} {kind} is {value} for {TTL_SECONDS} seconds")
}

/// A server has the first address of its IPv6 network.
fn first_address(network: &str) -> Result<String> {
    let address = network.split('/').next().unwrap_or_default().parse::<Ipv6Addr>();
    let address = address.map_err(|_| failed(format!("`{network}` is no IPv6 network")))?;
    Ok(Ipv6Addr::from(u128::from(address) | 1).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone { name: name.to_owned(), default_ttl: 3600, is_editable: true }
    }

    #[test]
    fn the_longest_zone_that_holds_the_name_is_its_own() {
        let zones = [zone("example.org"), zone("pipeline.example.org"), zone("ample.org")];
        let rows = [
            ("acme.example.org", Some("example.org")),
            ("acme.pipeline.example.org", Some("pipeline.example.org")),
            ("acme.example.net", None),
            ("acme.badexample.org", None),
            ("example.org", None),
        ];
        for (hostname, expected) in rows {
            let found = Place::among(&zones, hostname).ok().map(|place| place.zone);
            assert_eq!(found.as_deref(), expected, "{hostname}");
        }
        let error = Place::among(&zones[..1], "acme.example.net").unwrap_err();
        assert!(error.to_string().contains("`example.org`"), "{error}");
    }

    #[test]
    fn a_server_has_the_first_address_of_its_network() {
        assert_eq!(first_address("2001:db8:1::/64").unwrap(), "2001:db8:1::1");
        assert!(first_address("").is_err());
    }
}
