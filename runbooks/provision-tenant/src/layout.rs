//! What a tenant looks like: every name, range and rule is a pure function of the inputs.

use std::net::IpAddr;

use runwrit_sdk::hetzner::firewalls::{Direction, Protocol, Rule};
use runwrit_sdk::hetzner::networks::{NetworkSpec, Subnet};
use runwrit_sdk::hetzner::servers::{Server, ServerSpec};
use runwrit_sdk::hetzner::volumes::VolumeSpec;
use runwrit_sdk::{Label, Result, inputs, invalid};

use crate::host_rules;

/// What all servers run.
const IMAGE: &str = "debian-12";
/// The smallest volume there is; it grows without being made anew.
const VOLUME_GB: u32 = 10;

/// The label that says what a server is there for.
pub const ROLE: &str = "role";
/// The label that says for which location a server was asked: it may stand in a fallback.
pub const LOCATION: &str = "location";
/// The label by which the host says as what a server was ordered. One that was made before the host
/// noted that has none.
pub const TYPE: &str = "runwrit/type";

/// The inputs, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The id of the tenant.
    pub tenant: String,
    /// The second octet of its network.
    pub octet: u8,
    /// Where its servers stand.
    pub location: String,
    /// How many workers it has.
    pub workers: u8,
    /// From where SSH is allowed, as a range.
    pub bastion: String,
    /// The domain above its host name.
    pub domain: String,
    /// Names of the SSH keys that its servers get.
    pub ssh_keys: Vec<String>,
}

/// What a server is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Faces the public.
    Gateway,
    /// Does the work; counted from one.
    Worker(u8),
    /// Holds the data.
    Db,
}

impl Layout {
    /// Reads the inputs. The host has checked their types and patterns already.
    pub fn from_inputs() -> Result<Self> {
        let number = |name: &str| -> Result<u8> {
            let value = inputs::integer(name)?;
            u8::try_from(value).map_err(|_| invalid(name, format!("`{value}` is not 0 to 255")))
        };
        Ok(Self {
            tenant: inputs::text("tenant")?,
            octet: number("octet")?,
            location: inputs::text("location")?,
            workers: number("workers")?,
            bastion: range(&inputs::text("bastion")?)?,
            domain: inputs::text("domain")?,
            ssh_keys: names(&inputs::text("ssh-keys")?)?,
        })
    }

    /// The name under which the tenant is reached.
    pub fn hostname(&self) -> String {
        format!("{}.{}", self.tenant, self.domain)
    }

    /// The name of the firewall.
    pub fn firewall_name(&self) -> String {
        format!("{}-fw", self.tenant)
    }

    /// The range of the whole network.
    pub fn ip_range(&self) -> String {
        format!("10.{}.0.0/16", self.octet)
    }

    /// Returns whether an address lies in the subnet of the servers.
    pub fn holds(&self, ip: &str) -> bool {
        ip.starts_with(&format!("10.{}.1.", self.octet)) && ip.parse::<IpAddr>().is_ok()
    }

    /// The network, with one subnet for the servers.
    pub fn network(&self, network_zone: &str) -> NetworkSpec {
        let ip_range = format!("10.{}.1.0/24", self.octet);
        NetworkSpec {
            name: format!("{}-net", self.tenant),
            ip_range: self.ip_range(),
            subnets: vec![Subnet { ip_range, network_zone: network_zone.to_owned() }],
            labels: Vec::new(),
        }
    }

    /// The rules of the public interfaces: HTTPS from everywhere, SSH from the bastion.
    pub fn rules(&self) -> Vec<Rule> {
        let tcp = |port: &str, addresses: Vec<String>, description: &str| Rule {
            direction: Direction::In,
            protocol: Protocol::Tcp,
            port: Some(port.to_owned()),
            addresses,
            description: description.to_owned(),
        };
        let everywhere = vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()];
        vec![
            tcp("443", everywhere, "https"),
            tcp("22", vec![self.bastion.clone()], "ssh from the bastion"),
        ]
    }

    /// All roles, the gateway first and the database last.
    pub fn roles(&self) -> Vec<Role> {
        let workers = (1..=self.workers).map(Role::Worker);
        [Role::Gateway].into_iter().chain(workers).chain([Role::Db]).collect()
    }

    /// The name of the server of a role.
    pub fn server_name(&self, role: Role) -> String {
        match role {
            Role::Gateway => format!("{}-gateway", self.tenant),
            Role::Worker(number) => format!("{}-worker-{number}", self.tenant),
            Role::Db => format!("{}-db", self.tenant),
        }
    }

    /// All servers. A public interface is what a firewall filters, so each server has one; only the
    /// gateway pays for an IPv4 address. Before network and firewall exist, there are none to name.
    pub fn servers(&self, network: Option<&str>, firewall: Option<&str>) -> Vec<ServerSpec> {
        let ids = |id: Option<&str>| id.map(str::to_owned).into_iter().collect::<Vec<_>>();
        let server = |role: Role| ServerSpec {
            name: self.server_name(role),
            role: role.name().to_owned(),
            image: IMAGE.to_owned(),
            location: self.location.clone(),
            ssh_keys: self.ssh_keys.clone(),
            networks: ids(network),
            firewalls: ids(firewall),
            user_data: host_rules::user_data(role, self.octet, &self.bastion),
            has_public_ipv4: role == Role::Gateway,
            has_public_ipv6: true,
            labels: vec![label(ROLE, role.name()), label(LOCATION, &self.location)],
        };
        self.roles().into_iter().map(server).collect()
    }

    /// The volume of the database, where the database stands.
    pub fn volume(&self, location: &str) -> VolumeSpec {
        VolumeSpec {
            name: format!("{}-data", self.tenant),
            size_gb: VOLUME_GB,
            location: location.to_owned(),
            format: "ext4".to_owned(),
            labels: Vec::new(),
        }
    }
}

impl Role {
    /// The name that the configuration maps to server types.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Worker(_) => "worker",
            Self::Db => "db",
        }
    }
}

fn label(key: &str, value: &str) -> Label {
    Label { key: key.to_owned(), value: value.to_owned() }
}

/// Returns what a label of a server says.
pub fn labelled<'a>(server: &'a Server, key: &str) -> Option<&'a str> {
    server.labels.iter().find(|label| label.key == key).map(|label| label.value.as_str())
}

/// Returns what two rules have in common when they mean the same, whatever they are called.
pub fn meaning(rules: &[Rule]) -> Vec<(String, Vec<String>)> {
    let mut meaning: Vec<_> = rules
        .iter()
        .map(|rule| {
            let mut addresses = rule.addresses.clone();
            addresses.sort();
            let port = rule.port.as_deref().unwrap_or("any");
            (format!("{:?} {:?} {port}", rule.direction, rule.protocol), addresses)
        })
        .collect();
    meaning.sort();
    meaning
}

/// Reads an address or a range, and writes it as a range.
fn range(text: &str) -> Result<String> {
    let wrong = |why: &str| invalid("bastion", format!("`{text}` {why}, such as `203.0.113.7/32`"));
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| wrong("is no address or range"))?;
    let (bits, width) = match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let prefix: u32 = match prefix {
        Some(prefix) => prefix.parse().map_err(|_| wrong("has no prefix length"))?,
        None => width,
    };
    if !(1..=width).contains(&prefix) {
        return Err(wrong("is open to everybody or no range"));
    }
    if bits.trailing_zeros() < width - prefix && bits != 0 {
        return Err(wrong("has bits behind its prefix"));
    }
    Ok(format!("{address}/{prefix}"))
}

/// Reads names between commas.
fn names(text: &str) -> Result<Vec<String>> {
    let names: Vec<_> = text.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) {
        return Err(invalid("ssh-keys", format!("`{text}` has an empty name between its commas")));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn acme() -> Layout {
        Layout {
            tenant: "acme".to_owned(),
            octet: 7,
            location: "nbg1".to_owned(),
            workers: 2,
            bastion: "203.0.113.7/32".to_owned(),
            domain: "example.org".to_owned(),
            ssh_keys: vec!["ops".to_owned()],
        }
    }

    #[test]
    fn a_bastion_is_one_range_and_never_everybody() {
        let rows = [
            ("203.0.113.7", Some("203.0.113.7/32")),
            ("203.0.113.0/24", Some("203.0.113.0/24")),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("2001:DB8:0::1", Some("2001:db8::1/128")),
            ("203.0.113.7/24", None),
            ("0.0.0.0/0", None),
            ("::/0", None),
            ("203.0.113.7/33", None),
            ("203.0.113.7/", None),
            ("203.0.113", None),
            ("bastion", None),
            ("", None),
            ("203.0.113.7/32; accept", None),
        ];
        for (text, expected) in rows {
            assert_eq!(range(text).ok().as_deref(), expected, "`{text}`");
        }
    }

    #[test]
    fn several_keys_stand_between_commas() {
        assert_eq!(names("ops, night-shift").unwrap(), ["ops", "night-shift"]);
        for text in ["", ",", "ops,", "ops,,night"] {
            assert!(names(text).is_err(), "`{text}`");
        }
    }

    #[test]
    fn every_server_has_network_firewall_key_and_host_rules() {
        let servers = acme().servers(Some("1"), Some("2"));
        let named: Vec<_> = servers.iter().map(|server| server.name.as_str()).collect();
        assert_eq!(named, ["acme-gateway", "acme-worker-1", "acme-worker-2", "acme-db"]);
        for server in &servers {
            let name = &server.name;
            assert_eq!(
                (&server.networks[..], &server.firewalls[..]),
                (&["1".to_owned()][..], &["2".to_owned()][..]),
                "{name}"
            );
            assert_eq!(server.ssh_keys, ["ops"], "{name}");
            assert!(server.user_data.contains("nftables"), "{name}");
            assert_eq!(server.has_public_ipv4, name == "acme-gateway", "{name}");
            let labels = server.labels.iter().map(|it| format!("{}={}", it.key, it.value));
            let role = format!("role={}", server.role);
            assert_eq!(labels.collect::<Vec<_>>(), [role.as_str(), "location=nbg1"], "{name}");
        }
    }

    #[test]
    fn rules_mean_the_same_in_any_order_and_under_any_description() {
        let mut other = acme().rules();
        other.reverse();
        other[1].addresses.reverse();
        other[0].description.clear();
        assert_eq!(meaning(&acme().rules()), meaning(&other));
        other[0].port = Some("23".to_owned());
        assert_ne!(meaning(&acme().rules()), meaning(&other));
    }

    #[test]
    fn addresses_outside_of_the_subnet_are_not_the_tenants() {
        assert!(acme().holds("10.7.1.2"));
        for ip in ["10.8.1.2", "10.7.2.2", "10.7.1.", "10.7.1.2.3", "10.7.1.999", ""] {
            assert!(!acme().holds(ip), "`{ip}`");
        }
    }
}
