//! Looks at what carries the labels of the tenant.

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
}

impl Found {
    /// Looks.
    pub fn look() -> Result<Self> {
        Ok(Self {
            networks: networks::list().context("listing networks")?,
            firewalls: firewalls::list().context("listing firewalls")?,
            servers: servers::list().context("listing servers")?,
            volumes: volumes::list().context("listing volumes")?,
        })
    }

    /// The names of all of it.
    pub fn names(&self) -> Vec<&str> {
        let networks = self.networks.iter().map(|it| it.name.as_str());
        let firewalls = self.firewalls.iter().map(|it| it.name.as_str());
        let servers = self.servers.iter().map(|it| it.name.as_str());
        let volumes = self.volumes.iter().map(|it| it.name.as_str());
        networks.chain(firewalls).chain(servers).chain(volumes).collect()
    }
}
