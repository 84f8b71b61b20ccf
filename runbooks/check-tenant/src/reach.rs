//! How a tenant is reached: where its names lead, and whom its firewall lets in.

use std::net::Ipv6Addr;

use runwrit_sdk::dns::FoundSet;
use runwrit_sdk::hetzner::firewalls::{Direction, Firewall, Protocol, Rule};
use runwrit_sdk::hetzner::servers::Server;

use crate::compared::Compared;
use crate::found::{Found, title};

/// Compares the records of a tenant with the addresses of its gateway.
pub fn names(id: &str, found: &Found, compared: &mut Compared) {
    let gateway = found.servers.iter().find(|server| server.name == format!("{id}-gateway"));
    let is_named = found.records.iter().any(|it| it.is_ours && it.set.kind == "A");
    let leads = format!("an A record of {id} stands");
    compared.note(is_named, leads, || format!("{id} has no A record that a run made"));
    for FoundSet { set, is_ours, .. } in &found.records {
        let (what, values) = (title(set), set.values.join("`, `"));
        if !is_ours {
            compared.differences.push(format!("somebody else made {what}, which is `{values}`"));
            continue;
        }
        let Some(address) = gateway.and_then(|gateway| address(gateway, &set.kind)) else {
            compared.differences.push(format!("{what} is `{values}`, which no gateway has"));
            continue;
        };
        let holds = set.values == [address.as_str()];
        compared.note(holds, format!("{what} leads to {id}-gateway"), || {
            format!("{what} is `{values}`, but {id}-gateway has {address}")
        });
    }
}

/// Compares the rules of a firewall with those that `provision-tenant` sets: HTTPS from everywhere,
/// SSH from the bastion, nothing else. Which bastion that was is in no registry, so any will do
/// that is not everybody.
pub fn rules(firewall: &Firewall, compared: &mut Compared) {
    let name = &firewall.name;
    let is_known = |rule: &&Rule| is_https(rule) || is_ssh(rule);
    for rule in firewall.rules.iter().filter(|rule| !is_known(rule)) {
        let told = describe(rule);
        compared.differences.push(format!("{name} has a rule that no run sets: {told}"));
    }
    for (is_it, what) in [(is_https as fn(&Rule) -> bool, "HTTPS"), (is_ssh, "SSH of a bastion")] {
        let holds = firewall.rules.iter().any(is_it);
        compared.note(holds, format!("{name} lets {what} in"), || {
            format!("{name} does not let {what} in")
        });
    }
}

fn address(gateway: &Server, kind: &str) -> Option<String> {
    match kind {
        "A" => gateway.public_ipv4.clone(),
        "AAAA" => {
            // A server has the first address of its IPv6 network.
            let network = gateway.public_ipv6.as_ref()?.split('/').next()?;
            let address: Ipv6Addr = network.parse().ok()?;
            Some(Ipv6Addr::from(u128::from(address) | 1).to_string())
        }
        _ => None,
    }
}

fn is_in(rule: &Rule, port: &str) -> bool {
    matches!((rule.direction, rule.protocol), (Direction::In, Protocol::Tcp))
        && rule.port.as_deref() == Some(port)
}

fn is_https(rule: &Rule) -> bool {
    let has = |range: &str| rule.addresses.iter().any(|address| address == range);
    is_in(rule, "443") && has("0.0.0.0/0") && has("::/0")
}

fn is_ssh(rule: &Rule) -> bool {
    let is_world = |address: &String| address.ends_with("/0");
    is_in(rule, "22") && !rule.addresses.is_empty() && !rule.addresses.iter().any(is_world)
}

fn describe(rule: &Rule) -> String {
    let direction = match rule.direction {
        Direction::In => "in from",
        Direction::Out => "out to",
    };
    let protocol = format!("{:?}", rule.protocol);
    let protocol = protocol.rsplit("::").next().unwrap_or_default().to_lowercase();
    let port = rule.port.as_ref().map(|port| format!(" {port}")).unwrap_or_default();
    format!("{protocol}{port} {direction} `{}`", rule.addresses.join("`, `"))
}
