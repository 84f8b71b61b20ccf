//! A grant file as it is written. Absent means refused, so every list is empty by default.

use serde::{Deserialize, Serialize};
use toml::value::Datetime;

use crate::dns::RecordType;
use crate::hetzner::{Direction, Kind, Protocol};
use crate::id::Digest;
use crate::journal::{OnFailure, UnixMs};
use crate::money::Eur;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Document {
    /// The version of the format.
    pub version: u32,
    /// When no new permit is minted any more.
    pub expires: Datetime,
    /// What a failure leads to.
    pub on_failure: Option<OnFailure>,
    /// How long the run may go forward, in minutes from its start, waits included.
    pub max_minutes: Option<u32>,
    /// For which runbook.
    pub runbook: Runbook,
    /// In which scope.
    pub scope: Option<ScopeLine>,
    /// What of Hetzner Cloud.
    pub hetzner: Option<Hetzner>,
    /// What of the DNS.
    pub dns: Option<Dns>,
    /// What of the registry.
    pub registry: Option<Registry>,
    /// What of the audit log.
    pub audit: Option<Audit>,
    /// Which requests.
    pub http: Option<Http>,
    /// What the runbook may say about undo.
    pub recovery: Option<Recovery>,
}

/// `[runbook]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Runbook {
    /// Its name.
    pub name: String,
    /// Its version; any where absent.
    pub version: Option<String>,
}

/// `[scope]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScopeLine {
    /// The tenant.
    pub tenant: String,
}

/// `[hetzner]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hetzner {
    /// The name of the credential in `runwrit.toml`.
    #[serde(default = "default_credential")]
    pub credential: String,
    /// For example `servers.create`.
    #[serde(default)]
    pub operations: Vec<String>,
    /// Names of locations.
    #[serde(default)]
    pub locations: Vec<String>,
    /// Names of server types.
    #[serde(default)]
    pub server_types: Vec<String>,
    /// Names of images.
    #[serde(default)]
    pub images: Vec<String>,
    /// Names of existing SSH keys that servers may get.
    #[serde(default)]
    pub ssh_keys: Vec<String>,
    /// Names of servers.
    #[serde(default)]
    pub servers: Vec<String>,
    /// Names of public addresses.
    #[serde(default)]
    pub primary_ips: Vec<String>,
    /// Digests of user data.
    #[serde(default)]
    pub user_data_sha256: Vec<Digest>,
    /// Whether a server with a public address may come without a firewall.
    #[serde(default)]
    pub allow_public_without_firewall: bool,
    /// Net EUR per month of everything alive in the scope.
    pub max_monthly_eur: Option<Eur>,
    /// How many of each kind may be alive in the scope.
    #[serde(default)]
    pub counts: Counts,
    /// Networks.
    #[serde(default)]
    pub networks: Vec<Network>,
    /// Firewalls.
    #[serde(default)]
    pub firewalls: Vec<Firewall>,
    /// Volumes.
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// SSH keys that may be created.
    #[serde(default)]
    pub new_ssh_keys: Vec<NewSshKey>,
}

fn default_credential() -> String {
    "hetzner".into()
}

/// `[hetzner.counts]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Counts {
    /// Networks.
    pub networks: u32,
    /// Firewalls.
    pub firewalls: u32,
    /// Servers.
    pub servers: u32,
    /// Volumes.
    pub volumes: u32,
    /// SSH keys.
    pub ssh_keys: u32,
    /// Public addresses made on their own.
    pub primary_ips: u32,
}

/// One of `[[hetzner.networks]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Network {
    /// Its name.
    pub name: String,
    /// Its whole range.
    pub ip_range: String,
    /// Its subnets.
    #[serde(default)]
    pub subnets: Vec<String>,
    /// The zone of its subnets.
    pub network_zone: String,
}

/// One of `[[hetzner.firewalls]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Firewall {
    /// Its name.
    pub name: String,
    /// The rules that it may hold.
    #[serde(default)]
    pub rules: Vec<FirewallRule>,
}

/// One of `[[hetzner.firewalls.rules]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FirewallRule {
    /// Which way.
    pub direction: Direction,
    /// What it speaks.
    pub protocol: Protocol,
    /// The port or range, for TCP and UDP.
    pub port: Option<String>,
    /// All addresses of the other side.
    pub addresses: Vec<String>,
}

/// One of `[[hetzner.volumes]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its largest size.
    pub max_gb: u32,
}

/// One of `[[hetzner.new-ssh-keys]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NewSshKey {
    /// Its name.
    pub name: String,
    /// The whole key.
    pub public_key: String,
}

/// `[dns]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dns {
    /// The name of the credential in `runwrit.toml`; its provider serves the zones.
    #[serde(default = "default_credential")]
    pub credential: String,
    /// For example `records.set`.
    #[serde(default)]
    pub operations: Vec<String>,
    /// The records.
    #[serde(default)]
    pub records: Vec<DnsRecords>,
}

/// One of `[[dns.records]]`: what may stand under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DnsRecords {
    /// The zone.
    pub zone: String,
    /// The name below it; `@` for the zone itself.
    pub name: String,
    /// The types.
    pub types: Vec<RecordType>,
    /// The longest time to live in seconds, also where that of the zone applies.
    pub max_ttl: u32,
    /// Whether sets may be changed and deleted that no run of the scope made.
    #[serde(default)]
    pub replace_foreign: bool,
}

/// `[registry]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Registry {
    /// For example `tenants.reserve`.
    #[serde(default)]
    pub operations: Vec<String>,
    /// The tenants.
    #[serde(default)]
    pub tenants: Vec<Tenant>,
}

/// One of `[[registry.tenants]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// Its octet.
    pub octet: u8,
}

/// `[audit]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Audit {
    /// For example `events.append`.
    #[serde(default)]
    pub operations: Vec<String>,
    /// Kinds of events.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Subjects.
    #[serde(default)]
    pub subjects: Vec<String>,
}

/// `[http]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Http {
    /// The requests.
    #[serde(default)]
    pub requests: Vec<Request>,
}

/// One of `[[http.requests]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Request {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
}

/// `[recovery]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Recovery {
    /// Operations whose effect a rollback may leave.
    pub keep: Vec<String>,
    /// Operations that an undo of the runbook's own may consist of.
    pub undo_with: Vec<String>,
    /// Whether there may be a point of no return.
    pub pivot: bool,
}

impl Document {
    /// Returns when it expires; the schema has let only times with an offset pass.
    pub(super) fn expires_unix_ms(&self) -> UnixMs {
        let time = self.expires.to_string().parse::<jiff::Timestamp>();
        time.map_or(0, |time| u64::try_from(time.as_millisecond()).unwrap_or(0))
    }
}

impl Hetzner {
    /// Returns whether the grant lists this name of this kind.
    pub(super) fn names(&self, kind: Kind, name: &str) -> bool {
        match kind {
            Kind::Network => self.networks.iter().any(|it| it.name == name),
            Kind::Firewall => self.firewalls.iter().any(|it| it.name == name),
            Kind::Volume => self.volumes.iter().any(|it| it.name == name),
            Kind::SshKey => self.new_ssh_keys.iter().any(|it| it.name == name),
            Kind::Server => self.servers.iter().any(|it| it == name),
            Kind::PrimaryIp => self.primary_ips.iter().any(|it| it == name),
        }
    }
}

impl Counts {
    /// Returns how many of this kind may be alive.
    pub(super) fn of(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Network => self.networks,
            Kind::Firewall => self.firewalls,
            Kind::Server => self.servers,
            Kind::Volume => self.volumes,
            Kind::SshKey => self.ssh_keys,
            Kind::PrimaryIp => self.primary_ips,
        }
    }
}
