//! What a runbook may ask of Hetzner Cloud, as plain data: the mirror of `runwrit:hetzner@0.1.0`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::money::Eur;

/// Labels that a guest asked for, already checked by [`crate::labels::from_guest`].
pub type Labels = BTreeMap<String, String>;

/// The kinds of things that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A private network.
    Network,
    /// A firewall.
    Firewall,
    /// A server.
    Server,
    /// A volume.
    Volume,
    /// An SSH public key.
    SshKey,
    /// A public address that outlives servers.
    PrimaryIp,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Network, Self::Firewall, Self::Server, Self::Volume, Self::SshKey, Self::PrimaryIp];

    /// Returns the name in references and labels, for example `hetzner.server`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "hetzner.network",
            Self::Firewall => "hetzner.firewall",
            Self::Server => "hetzner.server",
            Self::Volume => "hetzner.volume",
            Self::SshKey => "hetzner.ssh-key",
            Self::PrimaryIp => "hetzner.primary-ip",
        }
    }

    /// Returns the name in grants and interfaces, for example `servers`.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Network => "networks",
            Self::Firewall => "firewalls",
            Self::Server => "servers",
            Self::Volume => "volumes",
            Self::SshKey => "ssh-keys",
            Self::PrimaryIp => "primary-ips",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A part of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Subnet {
    /// For example `10.7.1.0/24`.
    pub ip_range: String,
    /// For example `eu-central`.
    pub network_zone: String,
}

/// A network to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NetworkSpec {
    /// The name.
    pub name: String,
    /// For example `10.7.0.0/16`.
    pub ip_range: String,
    /// Its parts.
    pub subnets: Vec<Subnet>,
    /// Labels beside those of the host.
    pub labels: Labels,
}

/// Where traffic comes from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Into the server.
    In,
    /// Out of the server.
    Out,
}

/// What the traffic speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP.
    Icmp,
    /// GRE.
    Gre,
    /// ESP.
    Esp,
}

/// One rule of a firewall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// Which way.
    pub direction: Direction,
    /// What it speaks.
    pub protocol: Protocol,
    /// A port or a range; only for TCP and UDP.
    pub port: Option<String>,
    /// CIDR ranges of the other side.
    pub addresses: Vec<String>,
    /// For people.
    pub description: String,
}

/// A firewall to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FirewallSpec {
    /// The name.
    pub name: String,
    /// Its rules.
    pub rules: Vec<Rule>,
    /// Labels beside those of the host.
    pub labels: Labels,
}

/// A server to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerSpec {
    /// The name.
    pub name: String,
    /// A role of the configuration.
    pub role: String,
    /// For example `debian-12`.
    pub image: String,
    /// For example `nbg1`.
    pub location: String,
    /// Names of SSH keys.
    pub ssh_keys: Vec<String>,
    /// Ids of networks.
    pub networks: Vec<String>,
    /// Ids of firewalls.
    pub firewalls: Vec<String>,
    /// Cloud-init data.
    pub user_data: String,
    /// Whether it gets a public IPv4 address.
    pub has_public_ipv4: bool,
    /// Whether it gets a public IPv6 network.
    pub has_public_ipv6: bool,
    /// Labels beside those of the host.
    pub labels: Labels,
}

/// A volume to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VolumeSpec {
    /// The name.
    pub name: String,
    /// Its size.
    pub size_gb: u32,
    /// For example `nbg1`.
    pub location: String,
    /// `ext4` or `xfs`.
    pub format: String,
    /// Labels beside those of the host.
    pub labels: Labels,
}

/// An SSH key to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SshKeySpec {
    /// The name.
    pub name: String,
    /// In the form of an `authorized_keys` line.
    pub public_key: String,
    /// Labels beside those of the host.
    pub labels: Labels,
}

/// Which kind of public address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// IPv4, paid for.
    Ipv4,
    /// An IPv6 network, free.
    Ipv6,
}

/// A public address to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PrimaryIpSpec {
    /// The name.
    pub name: String,
    /// Which kind.
    pub family: Family,
    /// For example `nbg1`.
    pub location: String,
    /// Labels beside those of the host.
    pub labels: Labels,
}

/// What could be ordered for a server: one type in one location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Candidate {
    /// For example `cx23`.
    pub server_type: String,
    /// For example `nbg1`.
    pub location: String,
    /// Its net price, with the public IPv4 address where the server gets one.
    pub eur_per_month: Eur,
}
