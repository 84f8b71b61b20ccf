//! Looks at what carries the labels of the tenant.

use runwrit_sdk::dns::{self, FoundSet, RecordSet};
use runwrit_sdk::hetzner::firewalls::{self, Firewall};
use runwrit_sdk::hetzner::networks::{self, Network};
use runwrit_sdk::hetzner::servers::{self, Server};
use runwrit_sdk::hetzner::volumes::{self, Volume};
use runwrit_sdk::{Context as _, Result};

/// Everything that stands in the scope.
#[derive(Default)]
pub struct Found {
    /// The networks.
    pub networks: Vec<Network>,
    /// The firewalls.
    pub firewalls: Vec<Firewall>,
    /// The servers.
    pub servers: Vec<Server>,
    /// The volumes.
    pub volumes: Vec<Volume>,
    /// The records under the names of the grant, those of others as well.
    pub records: Vec<FoundSet>,
}

impl Found {
    /// Looks.
    pub fn look() -> Result<Self> {
        let mut records = Vec::new();
        for zone in dns::zones().context("looking the zones up")? {
            records.extend(dns::list(&zone.name).context("listing the records")?);
        }
        Ok(Self {
            records,
            networks: networks::list().context("listing networks")?,
            firewalls: firewalls::list().context("listing firewalls")?,
            servers: servers::list().context("listing servers")?,
            volumes: volumes::list().context("listing volumes")?,
        })
    }

    /// The names of all of it.
    pub fn names(&self) -> Vec<String> {
        let networks = self.networks.iter().map(|it| it.name.as_str());
        let firewalls = self.firewalls.iter().map(|it| it.name.as_str());
        let servers = self.servers.iter().map(|it| it.name.as_str());
        let volumes = self.volumes.iter().map(|it| it.name.as_str());
        let things = networks.chain(firewalls).chain(servers).chain(volumes).map(str::to_owned);
        let ours = self.records.iter().filter(|it| it.is_ours);
        things.chain(ours.map(|it| title(&it.set))).collect()
    }
}

/// Names a record set.
pub fn title(set: &RecordSet) -> String {
    let RecordSet { zone, name, kind, .. } = set;
    match name.as_str() {
        "@" => format!("{zone} {kind}"),
        name => format!("{name}.{zone} {kind}"),
    }
}
