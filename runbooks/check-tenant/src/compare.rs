//! What differs between the registry and what stands: pure, and all of it at once.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use runwrit_sdk::hetzner::servers::{PrivateAddress, Server};
use runwrit_sdk::registry::{State, Tenant};

use crate::compared::Compared;
use crate::found::Found;
use crate::reach;

/// The label by which the host says as what a server was ordered.
const TYPE: &str = "runwrit/type";

/// Compares a tenant, as the registry knows it, with what stands under its labels.
pub fn compare(id: &str, known: Option<&Tenant>, found: &Found) -> Compared {
    let mut compared = Compared::default();
    match known {
        Some(tenant) if tenant.state == State::Active => active(tenant, found, &mut compared),
        _ => inactive(id, known, found, &mut compared),
    }
    compared
}

/// Nothing should stand for a tenant that does not serve.
fn inactive(id: &str, known: Option<&Tenant>, found: &Found, compared: &mut Compared) {
    let state = match known.map(|tenant| tenant.state) {
        None => "does not know",
        Some(State::Pending) => "calls pending",
        Some(State::Failed) => "calls failed",
        Some(State::Deleted | State::Active) => "calls deleted",
    };
    let names = found.names();
    let agreement = format!("nothing stands for {id}, which the registry {state}");
    compared.note(names.is_empty(), agreement, || {
        format!("the registry {state} {id}, but there stand `{}`", names.join("`, `"))
    });
}

fn active(tenant: &Tenant, found: &Found, compared: &mut Compared) {
    composition(tenant, found, compared);
    network(tenant, found, compared);
    addresses(tenant, found, compared);
    reach::names(&tenant.id, found, compared);
    for firewall in &found.firewalls {
        reach::rules(firewall, compared);
    }
    for server in &found.servers {
        let name = &server.name;
        compared.note(server.status == "running", format!("{name} is running"), || {
            format!("{name} is `{}`, not running", server.status)
        });
        kind(server, compared);
        compared.note(is_guarded(server, found), format!("a firewall guards {name}"), || {
            format!("no firewall of the tenant is in force on {name}")
        });
    }
    for volume in &found.volumes {
        let name = &volume.name;
        let holds = found.servers.iter().any(|it| Some(&it.id) == volume.server.as_ref());
        compared.note(holds, format!("{name} is attached"), || {
            format!("{name} is attached to no server of the tenant")
        });
    }
}

/// Counts what a tenant consists of.
fn composition(tenant: &Tenant, found: &Found, compared: &mut Compared) {
    let id = &tenant.id;
    let servers = |role: &str| {
        let prefix = format!("{id}-{role}");
        found.servers.iter().filter(|server| server.name.starts_with(&prefix)).count()
    };
    let rows = [
        ("network", found.networks.len(), 1, 1),
        ("firewall", found.firewalls.len(), 1, 1),
        ("volume", found.volumes.len(), 1, usize::MAX),
        ("gateway", servers("gateway"), 1, 1),
        ("worker", servers("worker-"), 1, usize::MAX),
        ("database server", servers("db"), 1, 1),
    ];
    for (kind, count, min, max) in rows {
        let holds = (min..=max).contains(&count);
        compared.note(holds, format!("{id} has its {kind}"), || {
            let least = if max == min { "" } else { "at least " };
            format!("{id} has {count} {kind}s instead of {least}{min}")
        });
    }
}

fn network(tenant: &Tenant, found: &Found, compared: &mut Compared) {
    let range = format!("10.{}.0.0/16", tenant.octet);
    let subnet = format!("10.{}.1.0/24", tenant.octet);
    for network in &found.networks {
        let name = &network.name;
        compared.note(network.ip_range == range, format!("{name} is {range}"), || {
            let has = &network.ip_range;
            format!("{name} is {has}, but octet {} means {range}", tenant.octet)
        });
        let has: Vec<_> = network.subnets.iter().map(|it| it.ip_range.as_str()).collect();
        compared.note(has == [subnet.as_str()], format!("{name} has the subnet {subnet}"), || {
            let (has, octet) = (has.join("`, `"), tenant.octet);
            format!("{name} has the subnets `{has}`, but octet {octet} means {subnet} alone")
        });
    }
    for server in &found.servers {
        let name = &server.name;
        let mut addresses = server.private_addresses.iter();
        let holds = addresses.any(|it| is_inside(&it.ip, tenant.octet) && is_ours(it, found));
        compared.note(holds, format!("{name} has an address in {subnet}"), || {
            format!("{name} has no address in {subnet} of the tenant's network")
        });
    }
}

/// Tells whether an address lies in the subnet of the servers.
fn is_inside(ip: &str, octet: u8) -> bool {
    ip.parse::<Ipv4Addr>().is_ok_and(|ip| ip.octets()[..3] == [10, octet, 1])
}

/// Tells whether an address belongs to the network of the tenant. Where none stands, that was told.
fn is_ours(address: &PrivateAddress, found: &Found) -> bool {
    found.networks.is_empty() || found.networks.iter().any(|it| it.id == address.network)
}

/// Compares the type of a server with the one that the host ordered. Without its label, which older
/// servers have not, there is nothing to compare with.
fn kind(server: &Server, compared: &mut Compared) {
    let Some(ordered) = server.labels.iter().find(|label| label.key == TYPE) else { return };
    let (Server { name, server_type, .. }, ordered) = (server, &ordered.value);
    compared.note(server_type == ordered, format!("{name} is of the type {ordered}"), || {
        format!("{name} is of the type {server_type}, but {ordered} was ordered")
    });
}

/// Compares the addresses of the registry with those of the servers, both ways.
fn addresses(tenant: &Tenant, found: &Found, compared: &mut Compared) {
    let listed: BTreeSet<&str> =
        tenant.endpoints.iter().map(|endpoint| endpoint.address.as_str()).collect();
    let present: BTreeSet<&str> = found.servers.iter().flat_map(addresses_of).collect();
    // A host name or a URL says nothing about a server of its own.
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    for endpoint in tenant.endpoints.iter().filter(|it| is_address(&it.address)) {
        let (name, address) = (&endpoint.name, &endpoint.address);
        let holds = present.contains(address.as_str());
        compared.note(holds, format!("{name} is at {address}"), || {
            format!("the registry names {address} as {name}, which no server of the tenant has")
        });
    }
    for server in &found.servers {
        let name = &server.name;
        let holds = addresses_of(server).any(|address| listed.contains(address));
        compared.note(holds, format!("the registry names {name}"), || {
            format!("the registry names no address of {name}")
        });
    }
}

fn addresses_of(server: &Server) -> impl Iterator<Item = &str> {
    let private = server.private_addresses.iter().map(|it| it.ip.as_str());
    private.chain(server.public_ipv4.as_deref())
}

fn is_guarded(server: &Server, found: &Found) -> bool {
    let is_ours = |id: &str| found.firewalls.iter().any(|firewall| firewall.id == id);
    server.firewalls.iter().any(|it| it.is_applied && is_ours(&it.firewall))
}

#[cfg(test)]
mod tests {
    use runwrit_sdk::Label;
    use runwrit_sdk::dns::{FoundSet, RecordSet};
    use runwrit_sdk::hetzner::firewalls::{Direction, Firewall, Protocol, Rule};
    use runwrit_sdk::hetzner::networks::{Network, Subnet};
    use runwrit_sdk::hetzner::servers::FirewallStatus;
    use runwrit_sdk::hetzner::volumes::Volume;
    use runwrit_sdk::registry::Endpoint;

    use super::*;

    fn server(name: &str, ip: &str) -> Server {
        Server {
            id: name.to_owned(),
            name: name.to_owned(),
            status: "running".to_owned(),
            server_type: "cx23".to_owned(),
            location: "nbg1".to_owned(),
            public_ipv4: None,
            public_ipv6: None,
            private_addresses: vec![PrivateAddress { network: "n".to_owned(), ip: ip.to_owned() }],
            firewalls: vec![FirewallStatus { firewall: "f".to_owned(), is_applied: true }],
            volumes: Vec::new(),
            labels: vec![Label { key: TYPE.to_owned(), value: "cx23".to_owned() }],
        }
    }

    fn subnet(ip_range: &str) -> Subnet {
        let (ip_range, network_zone) = (ip_range.to_owned(), "eu-central".to_owned());
        Subnet { ip_range, network_zone }
    }

    fn rule(port: &str, addresses: &[&str]) -> Rule {
        Rule {
            direction: Direction::In,
            protocol: Protocol::Tcp,
            port: Some(port.to_owned()),
            addresses: addresses.iter().map(|it| (*it).to_owned()).collect(),
            description: String::new(),
        }
    }

    fn record(kind: &str, value: &str) -> FoundSet {
        let set = RecordSet {
            zone: "example.org".to_owned(),
            name: "acme".to_owned(),
            kind: kind.to_owned(),
            ttl: Some(300),
            values: vec![value.to_owned()],
        };
        FoundSet { set, is_ours: true, is_protected: false }
    }

    fn gateway() -> Server {
        Server {
            public_ipv4: Some("198.51.100.1".to_owned()),
            public_ipv6: Some("2001:db8:1::/64".to_owned()),
            ..server("acme-gateway", "10.7.1.1")
        }
    }

    fn standing() -> Found {
        Found {
            networks: vec![Network {
                id: "n".to_owned(),
                name: "acme-net".to_owned(),
                ip_range: "10.7.0.0/16".to_owned(),
                subnets: vec![subnet("10.7.1.0/24")],
                servers: Vec::new(),
                labels: Vec::new(),
            }],
            firewalls: vec![Firewall {
                id: "f".to_owned(),
                name: "acme-fw".to_owned(),
                rules: vec![rule("443", &["0.0.0.0/0", "::/0"]), rule("22", &["203.0.113.7/32"])],
                servers: Vec::new(),
                labels: Vec::new(),
            }],
            servers: vec![
                gateway(),
                server("acme-worker-1", "10.7.1.2"),
                server("acme-db", "10.7.1.3"),
            ],
            volumes: vec![Volume {
                id: "v".to_owned(),
                name: "acme-data".to_owned(),
                size_gb: 10,
                location: "nbg1".to_owned(),
                server: Some("acme-db".to_owned()),
                linux_device: String::new(),
                labels: Vec::new(),
            }],
            records: vec![record("A", "198.51.100.1"), record("AAAA", "2001:db8:1::1")],
        }
    }

    fn tenant(state: State) -> Tenant {
        let endpoint = |name: &str, address: &str| Endpoint {
            name: name.to_owned(),
            address: address.to_owned(),
        };
        let endpoints = vec![
            endpoint("gateway-private", "10.7.1.1"),
            endpoint("worker-1-private", "10.7.1.2"),
            endpoint("db-private", "10.7.1.3"),
            endpoint("site", "acme.example.org"),
        ];
        Tenant { id: "acme".to_owned(), octet: 7, state, endpoints }
    }

    #[test]
    fn every_difference_is_told_alone() {
        type Change = fn(&mut Tenant, &mut Found);
        let rows: [(&str, Change); 24] = [
            ("acme has 0 networks instead of 1", |_, found| found.networks.clear()),
            ("acme-net is 10.8.0.0/16, but octet 7 means 10.7.0.0/16", |_, found| {
                found.networks[0].ip_range = "10.8.0.0/16".to_owned();
            }),
            ("acme-net has the subnets ``, but octet 7 means 10.7.1.0/24 alone", |_, found| {
                found.networks[0].subnets.clear()
            }),
            (
                "acme-net has the subnets `10.7.1.0/24`, `10.7.2.0/24`, but octet 7 means \
                 10.7.1.0/24 alone",
                |_, found| found.networks[0].subnets.push(subnet("10.7.2.0/24")),
            ),
            (
                "acme-net has the subnets `10.7.2.0/24`, but octet 7 means 10.7.1.0/24 alone",
                |_, found| found.networks[0].subnets[0] = subnet("10.7.2.0/24"),
            ),
            ("acme-db has no address in 10.7.1.0/24 of the tenant's network", |tenant, found| {
                found.servers[2].private_addresses[0].ip = "10.7.2.3".to_owned();
                tenant.endpoints[2].address = "10.7.2.3".to_owned();
            }),
            ("acme-db has no address in 10.7.1.0/24 of the tenant's network", |_, found| {
                found.servers[2].private_addresses[0].network = "another".to_owned();
            }),
            ("acme-db is of the type cx43, but cx23 was ordered", |_, found| {
                found.servers[2].server_type = "cx43".to_owned();
            }),
            ("acme has 0 volumes instead of at least 1", |_, found| found.volumes.clear()),
            ("acme-data is attached to no server of the tenant", |_, found| {
                found.volumes[0].server = None;
            }),
            ("acme-data is attached to no server of the tenant", |_, found| {
                found.volumes[0].server = Some("another".to_owned());
            }),
            ("acme-db is `off`, not running", |_, found| {
                found.servers[2].status = "off".to_owned();
            }),
            ("no firewall of the tenant is in force on acme-gateway", |_, found| {
                found.servers[0].firewalls[0].is_applied = false;
            }),
            ("no firewall of the tenant is in force on acme-gateway", |_, found| {
                found.servers[0].firewalls[0].firewall = "another".to_owned();
            }),
            ("the registry names no address of acme-worker-2", |_, found| {
                found.servers.push(server("acme-worker-2", "10.7.1.4"));
            }),
            ("the registry names 10.7.1.9 as old, which no server of the tenant has", |it, _| {
                let (name, address) = ("old".to_owned(), "10.7.1.9".to_owned());
                it.endpoints.push(Endpoint { name, address });
            }),
            (
                "acme.example.org A is `203.0.113.9`, but acme-gateway has 198.51.100.1",
                |_, found| {
                    found.records[0] = record("A", "203.0.113.9");
                },
            ),
            (
                "acme.example.org AAAA is `2001:db8:1::2`, but acme-gateway has 2001:db8:1::1",
                |_, it| {
                    it.records[1] = record("AAAA", "2001:db8:1::2");
                },
            ),
            ("acme has no A record that a run made", |_, found| drop(found.records.remove(0))),
            ("somebody else made acme.example.org AAAA, which is `2001:db8:1::1`", |_, found| {
                found.records[1].is_ours = false;
            }),
            ("acme-fw has a rule that no run sets: tcp 5432 in from `10.0.0.0/8`", |_, found| {
                found.firewalls[0].rules.push(rule("5432", &["10.0.0.0/8"]));
            }),
            ("acme-fw does not let HTTPS in", |_, found| drop(found.firewalls[0].rules.remove(0))),
            ("acme-fw has a rule that no run sets: tcp 22 in from `0.0.0.0/0`", |_, found| {
                found.firewalls[0].rules.push(rule("22", &["0.0.0.0/0"]));
            }),
            (
                "the registry calls failed acme, but there stand `acme-net`, `acme-fw`, \
                 `acme-gateway`, `acme-worker-1`, `acme-db`, `acme-data`, `acme.example.org A`, \
                 `acme.example.org AAAA`",
                |it, _| it.state = State::Failed,
            ),
        ];
        let told = compare("acme", Some(&tenant(State::Active)), &standing());
        assert_eq!((told.differences, told.agreements.len()), (Vec::<String>::new(), 32));
        for (expected, change) in rows {
            let (mut tenant, mut found) = (tenant(State::Active), standing());
            change(&mut tenant, &mut found);
            let told = compare("acme", Some(&tenant), &found);
            assert_eq!(told.differences, [expected]);
        }
    }

    #[test]
    fn a_server_from_before_its_type_was_noted_is_no_difference() {
        let mut found = standing();
        found.servers[2].labels.clear();
        found.servers[2].server_type = "cx43".to_owned();
        let told = compare("acme", Some(&tenant(State::Active)), &found);
        assert_eq!((told.differences, told.agreements.len()), (Vec::<String>::new(), 31));
    }

    #[test]
    fn nothing_stands_for_a_tenant_that_does_not_serve() {
        for state in [State::Pending, State::Failed, State::Deleted] {
            let told = compare("acme", Some(&tenant(state)), &Found::default());
            assert_eq!((told.differences.len(), told.agreements.len()), (0, 1), "{state:?}");
        }
        let lost = compare("acme", None, &standing());
        assert!(lost.differences[0].starts_with("the registry does not know acme"), "{lost:?}");
        let empty = compare("acme", Some(&tenant(State::Active)), &Found::default());
        assert_eq!(empty.differences.len(), 6 + 3 + 1, "{empty:?}");
    }
}
