//! The API's own objects, as far as they are read. Unknown fields are ignored, since the API grows.

use std::collections::BTreeMap;

use runwrit_model::hetzner::Kind;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A thing with an id, a name and labels.
pub trait Resource: DeserializeOwned + Send + Sync + 'static {
    /// What it is; nothing for what no runbook can make.
    const KIND: Option<Kind>;
    /// Its collection in paths and lists, for example `servers`.
    const COLLECTION: &'static str;
    /// Its key in an answer, for example `server`.
    const MEMBER: &'static str;

    /// Returns the id.
    fn id(&self) -> u64;
    /// Returns the name.
    fn name(&self) -> &str;
    /// Returns the labels.
    fn labels(&self) -> &BTreeMap<String, String>;
}

macro_rules! resource {
    ($type:ty, $kind:expr, $collection:literal, $member:literal) => {
        impl Resource for $type {
            const KIND: Option<Kind> = $kind;
            const COLLECTION: &'static str = $collection;
            const MEMBER: &'static str = $member;

            fn id(&self) -> u64 {
                self.id
            }
            fn name(&self) -> &str {
                &self.name
            }
            fn labels(&self) -> &BTreeMap<String, String> {
                &self.labels
            }
        }
    };
}

resource!(Server, Some(Kind::Server), "servers", "server");
resource!(Network, Some(Kind::Network), "networks", "network");
resource!(Firewall, Some(Kind::Firewall), "firewalls", "firewall");
resource!(Volume, Some(Kind::Volume), "volumes", "volume");
resource!(SshKey, Some(Kind::SshKey), "ssh_keys", "ssh_key");
resource!(PrimaryIp, Some(Kind::PrimaryIp), "primary_ips", "primary_ip");
resource!(PlacementGroup, None, "placement_groups", "placement_group");

/// An action.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Action {
    pub id: u64,
    pub command: String,
    /// `running`, `success` or `error`.
    pub status: String,
    /// Set on failure; running actions may carry one too, so only `status` counts.
    pub error: Option<ActionFault>,
}

/// Why an action failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ActionFault {
    pub code: String,
    #[serde(default)]
    pub message: String,
}

/// A location.
#[derive(Debug, Clone, Deserialize)]
pub struct Location {
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub network_zone: String,
}

/// Only the name of something.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Named {
    pub name: String,
}

/// A kind of server.
#[derive(Debug, Clone, Deserialize)]
pub struct ServerType {
    pub name: String,
    pub cores: f64,
    /// GB.
    pub memory: f64,
    /// GB.
    pub disk: f64,
    pub architecture: String,
    pub locations: Vec<TypeLocation>,
}

/// Where a kind of server is offered.
#[derive(Debug, Clone, Deserialize)]
pub struct TypeLocation {
    pub name: String,
    pub available: bool,
    #[serde(default)]
    pub deprecation: Option<Deprecation>,
}

/// Since when something is going away.
#[derive(Debug, Clone, Deserialize)]
pub struct Deprecation {
    pub unavailable_after: String,
}

/// An image.
#[derive(Debug, Clone, Deserialize)]
pub struct Image {
    pub id: u64,
    #[serde(default)]
    pub name: Option<String>,
    pub status: String,
    pub architecture: String,
    /// When it was announced to go, in the older spelling.
    #[serde(default)]
    pub deprecated: Option<String>,
    /// When it was announced to go, in the newer spelling.
    #[serde(default)]
    pub deprecation: Option<Deprecation>,
}

/// A server.
#[derive(Debug, Clone, Deserialize)]
pub struct Server {
    pub id: u64,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub status: String,
    pub server_type: Named,
    pub location: Named,
    pub public_net: PublicNet,
    #[serde(default)]
    pub private_net: Vec<PrivateNet>,
    #[serde(default)]
    pub volumes: Vec<u64>,
    #[serde(default)]
    pub backup_window: Option<String>,
}

/// The public side of a server.
#[derive(Debug, Clone, Deserialize)]
pub struct PublicNet {
    #[serde(default)]
    pub ipv4: Option<PublicAddress>,
    #[serde(default)]
    pub ipv6: Option<PublicAddress>,
    #[serde(default)]
    pub firewalls: Vec<AppliedFirewall>,
}

/// A public address of a server.
#[derive(Debug, Clone, Deserialize)]
pub struct PublicAddress {
    #[serde(default)]
    pub id: Option<u64>,
    pub ip: String,
}

/// A firewall on a server.
#[derive(Debug, Clone, Deserialize)]
pub struct AppliedFirewall {
    pub id: u64,
    pub status: String,
}

/// The private side of a server in one network.
#[derive(Debug, Clone, Deserialize)]
pub struct PrivateNet {
    pub network: u64,
    pub ip: String,
}

/// A network.
#[derive(Debug, Clone, Deserialize)]
pub struct Network {
    pub id: u64,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub ip_range: String,
    #[serde(default)]
    pub subnets: Vec<Subnet>,
    #[serde(default)]
    pub servers: Vec<u64>,
}

/// A part of a network.
#[derive(Debug, Clone, Deserialize)]
pub struct Subnet {
    pub ip_range: String,
    pub network_zone: String,
}

/// A firewall.
#[derive(Debug, Clone, Deserialize)]
pub struct Firewall {
    pub id: u64,
    pub name: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    pub rules: Vec<Rule>,
    pub applied_to: Vec<AppliedTo>,
}

/// A rule of a firewall.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rule {
    pub direction: String,
    pub protocol: String,
    #[serde(default)]
    pub port: Option<String>,
    #[serde(default)]
    pub source_ips: Vec<String>,
    #[serde(default)]
    pub destination_ips: Vec<String>,
    #[serde(default)]
    pub description: Option<String>,
}

/// What a firewall is applied to.
#[derive(Debug, Clone, Deserialize)]
pub struct AppliedTo {
    #[serde(default)]
    pub server: Option<Numbered>,
    /// The servers that a selector stands for.
    #[serde(default)]
    pub applied_to_resources: Vec<AppliedResource>,
}

/// A server that a selector stands for.
#[derive(Debug, Clone, Deserialize)]
pub struct AppliedResource {
    #[serde(default)]
    pub server: Option<Numbered>,
}

/// Only the id of something.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Numbered {
    pub id: u64,
}

/// A volume.
#[derive(Debug, Clone, Deserialize)]
pub struct Volume {
    pub id: u64,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// GB; the API types it as a number, not an integer.
    pub size: f64,
    pub location: Named,
    #[serde(default)]
    pub server: Option<u64>,
    #[serde(default)]
    pub linux_device: String,
}

/// An SSH key.
#[derive(Debug, Clone, Deserialize)]
pub struct SshKey {
    pub id: u64,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub fingerprint: String,
}

/// A public address that outlives servers.
#[derive(Debug, Clone, Deserialize)]
pub struct PrimaryIp {
    pub id: u64,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub ip: String,
    #[serde(rename = "type")]
    pub family: String,
    pub location: Named,
    #[serde(default)]
    pub assignee_id: Option<u64>,
}

/// A placement group.
#[derive(Debug, Clone, Deserialize)]
pub struct PlacementGroup {
    pub id: u64,
    pub name: String,
    pub labels: BTreeMap<String, String>,
}

/// The price list.
#[derive(Debug, Clone, Deserialize)]
pub struct Pricing {
    pub currency: String,
    pub server_types: Vec<PricedType>,
    pub primary_ips: Vec<PricedAddress>,
    pub volume: PricePerGb,
    pub server_backup: Percentage,
}

/// The prices of one kind of server.
#[derive(Debug, Clone, Deserialize)]
pub struct PricedType {
    pub name: String,
    pub prices: Vec<LocalPrice>,
}

/// The prices of one kind of address.
#[derive(Debug, Clone, Deserialize)]
pub struct PricedAddress {
    #[serde(rename = "type")]
    pub family: String,
    pub prices: Vec<LocalPrice>,
}

/// The price in one location.
#[derive(Debug, Clone, Deserialize)]
pub struct LocalPrice {
    pub location: String,
    pub price_monthly: Price,
}

/// The price of storage.
#[derive(Debug, Clone, Deserialize)]
pub struct PricePerGb {
    pub price_per_gb_month: Price,
}

/// What backups add to the price of a server.
#[derive(Debug, Clone, Deserialize)]
pub struct Percentage {
    pub percentage: String,
}

/// A decimal string.
#[derive(Debug, Clone, Deserialize)]
pub struct Price {
    pub net: String,
}
