//! The API's objects in the words of `runwrit:hetzner`.

use std::collections::BTreeMap;

use runwrit_model::hetzner as model;

use super::offers::Offer;
use super::price::gigabytes;
use super::wire;
use crate::bindings::runwrit::hetzner::{
    firewalls, images, locations, networks, primary_ips, server_types, servers, ssh_keys, volumes,
};
use crate::bindings::runwrit::types::labels::Label;

fn labels(labels: BTreeMap<String, String>) -> Vec<Label> {
    labels.into_iter().map(|(key, value)| Label { key, value }).collect()
}

fn texts(ids: Vec<u64>) -> Vec<String> {
    ids.iter().map(u64::to_string).collect()
}

impl From<wire::Location> for locations::Location {
    fn from(location: wire::Location) -> Self {
        let wire::Location { name, description, network_zone } = location;
        Self { name, description, network_zone }
    }
}

impl From<Offer> for server_types::Offer {
    fn from(offer: Offer) -> Self {
        let wire::ServerType { name, cores, memory, disk, architecture, .. } = offer.kind;
        Self {
            server_type: name,
            location: offer.location,
            // The API types these as numbers; they are small and whole, memory in GB may be half.
            cores: cores as u32,
            memory_mib: (memory * 1024.0) as u32,
            disk_gb: gigabytes(disk),
            architecture,
            available: offer.is_available,
            eur_per_month: offer.price.plain(),
        }
    }
}

impl From<wire::Image> for images::Image {
    fn from(image: wire::Image) -> Self {
        Self {
            id: image.id.to_string(),
            name: image.name.unwrap_or_default(),
            architecture: image.architecture,
            is_deprecated: image.deprecated.is_some() || image.deprecation.is_some(),
        }
    }
}

impl From<wire::SshKey> for ssh_keys::SshKey {
    fn from(key: wire::SshKey) -> Self {
        let wire::SshKey { id, name, fingerprint, labels: own } = key;
        Self { id: id.to_string(), name, fingerprint, labels: labels(own) }
    }
}

impl From<wire::Network> for networks::Network {
    fn from(network: wire::Network) -> Self {
        let subnet =
            |wire::Subnet { ip_range, network_zone }| networks::Subnet { ip_range, network_zone };
        Self {
            id: network.id.to_string(),
            name: network.name,
            ip_range: network.ip_range,
            subnets: network.subnets.into_iter().map(subnet).collect(),
            servers: texts(network.servers),
            labels: labels(network.labels),
        }
    }
}

impl From<wire::Firewall> for firewalls::Firewall {
    fn from(firewall: wire::Firewall) -> Self {
        let servers = texts(firewall.servers());
        Self {
            id: firewall.id.to_string(),
            name: firewall.name,
            rules: firewall.rules.iter().map(rule).map(Into::into).collect(),
            servers,
            labels: labels(firewall.labels),
        }
    }
}

impl wire::Firewall {
    /// Returns the servers that it is applied to, by themselves or by a selector.
    pub fn servers(&self) -> Vec<u64> {
        let own = self.applied_to.iter().filter_map(|it| it.server.as_ref());
        let selected = self.applied_to.iter().flat_map(|it| &it.applied_to_resources);
        let selected = selected.filter_map(|it| it.server.as_ref());
        let mut servers: Vec<u64> = own.chain(selected).map(|server| server.id).collect();
        servers.sort_unstable();
        servers.dedup();
        servers
    }

    /// Returns the rules in the words of the model.
    pub fn model_rules(&self) -> Vec<model::Rule> {
        self.rules.iter().map(rule).collect()
    }
}

/// Reads a rule. A direction or protocol that is none of ours cannot come from us; it is told as
/// the strictest of the known ones.
fn rule(rule: &wire::Rule) -> model::Rule {
    let is_out = rule.direction == "out";
    let protocol = match rule.protocol.as_str() {
        "tcp" => model::Protocol::Tcp,
        "udp" => model::Protocol::Udp,
        "icmp" => model::Protocol::Icmp,
        "gre" => model::Protocol::Gre,
        _ => model::Protocol::Esp,
    };
    let addresses = if is_out { &rule.destination_ips } else { &rule.source_ips };
    model::Rule {
        direction: if is_out { model::Direction::Out } else { model::Direction::In },
        protocol,
        port: rule.port.clone(),
        addresses: addresses.clone(),
        description: rule.description.clone().unwrap_or_default(),
    }
}

impl From<model::Rule> for firewalls::Rule {
    fn from(rule: model::Rule) -> Self {
        let model::Rule { direction, protocol, port, addresses, description } = rule;
        let direction = match direction {
            model::Direction::In => firewalls::Direction::In,
            model::Direction::Out => firewalls::Direction::Out,
        };
        let protocol = match protocol {
            model::Protocol::Tcp => firewalls::Protocol::Tcp,
            model::Protocol::Udp => firewalls::Protocol::Udp,
            model::Protocol::Icmp => firewalls::Protocol::Icmp,
            model::Protocol::Gre => firewalls::Protocol::Gre,
            model::Protocol::Esp => firewalls::Protocol::Esp,
        };
        Self { direction, protocol, port, addresses, description }
    }
}

impl From<firewalls::Rule> for model::Rule {
    fn from(rule: firewalls::Rule) -> Self {
        let firewalls::Rule { direction, protocol, port, addresses, description } = rule;
        let direction = match direction {
            firewalls::Direction::In => model::Direction::In,
            firewalls::Direction::Out => model::Direction::Out,
        };
        let protocol = match protocol {
            firewalls::Protocol::Tcp => model::Protocol::Tcp,
            firewalls::Protocol::Udp => model::Protocol::Udp,
            firewalls::Protocol::Icmp => model::Protocol::Icmp,
            firewalls::Protocol::Gre => model::Protocol::Gre,
            firewalls::Protocol::Esp => model::Protocol::Esp,
        };
        Self { direction, protocol, port, addresses, description }
    }
}

impl From<wire::Server> for servers::Server {
    fn from(server: wire::Server) -> Self {
        let wire::PublicNet { ipv4, ipv6, firewalls } = server.public_net;
        let private = |wire::PrivateNet { network, ip }| servers::PrivateAddress {
            network: network.to_string(),
            ip,
        };
        let firewall = |it: wire::AppliedFirewall| servers::FirewallStatus {
            firewall: it.id.to_string(),
            is_applied: it.status == "applied",
        };
        Self {
            id: server.id.to_string(),
            name: server.name,
            status: server.status,
            server_type: server.server_type.name,
            location: server.location.name,
            public_ipv4: ipv4.map(|address| address.ip),
            public_ipv6: ipv6.map(|address| address.ip),
            private_addresses: server.private_net.into_iter().map(private).collect(),
            firewalls: firewalls.into_iter().map(firewall).collect(),
            volumes: texts(server.volumes),
            labels: labels(server.labels),
        }
    }
}

impl From<wire::Volume> for volumes::Volume {
    fn from(volume: wire::Volume) -> Self {
        Self {
            id: volume.id.to_string(),
            name: volume.name,
            size_gb: gigabytes(volume.size),
            location: volume.location.name,
            server: volume.server.map(|id| id.to_string()),
            linux_device: volume.linux_device,
            labels: labels(volume.labels),
        }
    }
}

impl From<wire::PrimaryIp> for primary_ips::PrimaryIp {
    fn from(address: wire::PrimaryIp) -> Self {
        Self {
            id: address.id.to_string(),
            name: address.name,
            ip: address.ip,
            location: address.location.name,
            server: address.assignee_id.map(|id| id.to_string()),
            labels: labels(address.labels),
        }
    }
}
