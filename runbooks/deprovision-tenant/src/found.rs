//! Looks at what stands in the scope of the tenant. Labels decide, never a journal: what a lost
//! journal made is found as well.

use runwrit_sdk::hetzner::firewalls::{self, Firewall};
use runwrit_sdk::hetzner::networks::{self, Network};
use runwrit_sdk::hetzner::primary_ips::{self, PrimaryIp};
use runwrit_sdk::hetzner::servers::{self, Server};
use runwrit_sdk::hetzner::ssh_keys::{self, SshKey};
use runwrit_sdk::hetzner::volumes::{self, Volume};
use runwrit_sdk::{Context as _, Result};

/// Everything that stands in the scope.
pub struct Found {
    /// The servers.
    pub servers: Vec<Server>,
    /// The volumes.
    pub volumes: Vec<Volume>,
    /// The firewalls.
    pub firewalls: Vec<Firewall>,
    /// The networks.
    pub networks: Vec<Network>,
    /// The public addresses that outlive servers.
    pub primary_ips: Vec<PrimaryIp>,
    /// The SSH keys.
    pub ssh_keys: Vec<SshKey>,
}

impl Found {
    /// Looks.
    pub fn look() -> Result<Self> {
        let mut servers = servers::list().context("listing servers")?;
        // A batch gives out ids in any order; names make two removals alike.
        servers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self {
            servers,
            volumes: volumes::list().context("listing volumes")?,
            firewalls: firewalls::list().context("listing firewalls")?,
            networks: networks::list().context("listing networks")?,
            primary_ips: primary_ips::list().context("listing primary IPs")?,
            ssh_keys: ssh_keys::list().context("listing SSH keys")?,
        })
    }

    /// Returns the servers that names lead to, and all others.
    pub fn gateways_apart(&self) -> (Vec<&Server>, Vec<&Server>) {
        self.servers.iter().partition(|server| server.name.ends_with("-gateway"))
    }

    /// How many there are of each kind.
    fn counts(&self) -> [(usize, &'static str); 6] {
        [
            (self.servers.len(), "server"),
            (self.volumes.len(), "volume"),
            (self.firewalls.len(), "firewall"),
            (self.networks.len(), "network"),
            (self.primary_ips.len(), "primary IP"),
            (self.ssh_keys.len(), "SSH key"),
        ]
    }

    /// Whether nothing stands.
    pub fn is_empty(&self) -> bool {
        self.counts().iter().all(|(count, _)| *count == 0)
    }

    /// What stands, in words.
    pub fn summary(&self) -> String {
        let counts = self.counts();
        let present = counts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<_> = present
            .map(|(count, kind)| match count {
                1 => format!("1 {kind}"),
                _ => format!("{count} {kind}s"),
            })
            .collect();
        if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_scope_is_told_as_nothing() {
        let found = Found {
            servers: Vec::new(),
            volumes: Vec::new(),
            firewalls: Vec::new(),
            networks: Vec::new(),
            primary_ips: Vec::new(),
            ssh_keys: Vec::new(),
        };
        assert!(found.is_empty());
        assert_eq!(found.summary(), "nothing");
    }
}
