//! Rules of a grant file that span several fields.

use std::collections::BTreeSet;

use super::document::{Dns, Document, FirewallRule, Hetzner, Network};
use crate::dns::{RecordName, ZoneName};
use crate::document::Fault;
use crate::hetzner::Protocol;

/// Returns what is wrong with a document whose fields are each right.
pub(super) fn faults(document: &Document) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(hetzner) = &document.hetzner {
        faults.extend(names(hetzner));
        faults.extend(networks(&hetzner.networks));
        faults.extend(rules(hetzner));
    }
    if let Some(dns) = &document.dns {
        faults.extend(records(dns));
    }
    if let Some(registry) = &document.registry {
        let ids = registry.tenants.iter().map(|it| it.id.as_str());
        faults.extend(repeated("registry.tenants", "id", ids));
    }
    faults
}

fn names(hetzner: &Hetzner) -> Vec<Fault> {
    let networks = hetzner.networks.iter().map(|it| it.name.as_str());
    let firewalls = hetzner.firewalls.iter().map(|it| it.name.as_str());
    let volumes = hetzner.volumes.iter().map(|it| it.name.as_str());
    let keys = hetzner.new_ssh_keys.iter().map(|it| it.name.as_str());
    let mut faults = repeated("hetzner.networks", "name", networks);
    faults.extend(repeated("hetzner.firewalls", "name", firewalls));
    faults.extend(repeated("hetzner.volumes", "name", volumes));
    faults.extend(repeated("hetzner.new-ssh-keys", "name", keys));
    faults
}

fn repeated<'a>(path: &str, key: &str, names: impl Iterator<Item = &'a str>) -> Vec<Fault> {
    let mut seen = BTreeSet::new();
    let mut faults = Vec::new();
    for (place, name) in names.enumerate() {
        if !seen.insert(name) {
            faults.push(Fault::new(
                format!("{path}[{place}].{key}"),
                format!("repeats `{name}`"),
                "name each once".into(),
            ));
        }
    }
    faults
}

fn networks(networks: &[Network]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (place, network) in networks.iter().enumerate() {
        for (inner, subnet) in network.subnets.iter().enumerate() {
            if !is_inside(subnet, &network.ip_range) {
                faults.push(Fault::new(
                    format!("hetzner.networks[{place}].subnets[{inner}]"),
                    format!("is `{subnet}`"),
                    format!("expected a part of the network's range `{}`", network.ip_range),
                ));
            }
        }
    }
    faults
}

/// A name that repeats its zone was meant to stand below it once.
fn records(dns: &Dns) -> Vec<Fault> {
    let pairs: Vec<_> =
        dns.records.iter().map(|it| format!("{} in {}", it.name, it.zone)).collect();
    let mut faults = repeated("dns.records", "name", pairs.iter().map(String::as_str));
    for (place, granted) in dns.records.iter().enumerate() {
        let zone = ZoneName::parse(&granted.zone);
        if let Err(error) = zone.and_then(|zone| RecordName::parse(&zone, &granted.name)) {
            let field = format!("dns.records[{place}].name");
            faults.push(Fault::new(field, format!("is `{}`", granted.name), error.problem));
        }
    }
    faults
}

fn is_inside(subnet: &str, range: &str) -> bool {
    match (subnet.parse::<ipnet::Ipv4Net>(), range.parse::<ipnet::Ipv4Net>()) {
        (Ok(subnet), Ok(range)) => range.contains(&subnet),
        _ => false,
    }
}

fn rules(hetzner: &Hetzner) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (place, firewall) in hetzner.firewalls.iter().enumerate() {
        for (inner, rule) in firewall.rules.iter().enumerate() {
            let path = format!("hetzner.firewalls[{place}].rules[{inner}]");
            faults.extend(port(&path, rule));
            if rule.addresses.is_empty() {
                let problem = "is an empty list".to_owned();
                let fix = "name at least one range; an empty list means nothing".to_owned();
                faults.push(Fault::new(format!("{path}.addresses"), problem, fix));
            }
        }
    }
    faults
}

fn port(path: &str, rule: &FirewallRule) -> Option<Fault> {
    let has_ports = matches!(rule.protocol, Protocol::Tcp | Protocol::Udp);
    match (&rule.port, has_ports) {
        (None, true) => Some(Fault::new(
            format!("{path}.port"),
            "is missing".into(),
            "write for example `port = \"443\"`: `tcp` and `udp` need one".into(),
        )),
        (Some(port), false) => Some(Fault::new(
            format!("{path}.port"),
            format!("is `\"{port}\"`"),
            "remove it: only `tcp` and `udp` have ports".into(),
        )),
        _ => None,
    }
}
