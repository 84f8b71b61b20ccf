//! Reads, and calls on things that exist.

use super::*;
use crate::journal::UnixMs;

pub fn reads() -> Vec<Row> {
    let read = |operation: &'static str, now: UnixMs| {
        move |grant: &Grant| grant.read(operation, "nbg1", now)
    };
    vec![
        row("a location", None, read("hetzner.locations.get", NOW)),
        row("a list", None, read("hetzner.networks.list", NOW)),
        row("a list not granted", Rule::Operation, read("hetzner.servers.list", NOW)),
        row("an operation in capitals", Rule::Operation, read("hetzner.Locations.get", NOW)),
        row("an operation that begins alike", Rule::Operation, read("hetzner.locations.ge", NOW)),
        row("an operation that goes on", Rule::Operation, read("hetzner.locations.get.x", NOW)),
        row("an operation of another", Rule::Operation, read("registry.locations.get", NOW)),
        row("no operation", Rule::Operation, read("", NOW)),
        row("after the expiry", Rule::Unexpired, read("hetzner.locations.get", LATER)),
        row("an SSH key", None, |grant| grant.read_ssh_key("ops", NOW)),
        row("another SSH key", Rule::SshKey, |grant| grant.read_ssh_key("root", NOW)),
        row("an SSH key in capitals", Rule::SshKey, |grant| grant.read_ssh_key("OPS", NOW)),
    ]
}

pub fn addressed() -> Vec<Row> {
    let get = |thing: fn() -> Addressed| {
        move |grant: &Grant| grant.read_thing("hetzner.servers.get", &thing(), NOW)
    };
    vec![
        row("reads its own server", None, get(|| made(Kind::Server))),
        row("reads one of the scope", None, get(|| of_tenant("acme", Kind::Server, "acme-x"))),
        row(
            "reads a foreign one",
            Rule::InScope,
            get(|| of_tenant("bolt", Kind::Server, "acme-db")),
        ),
        row("reads nothing", Rule::InScope, get(|| absent(Kind::Server))),
    ]
}

pub fn deleted() -> Vec<Row> {
    let delete =
        |thing: fn() -> Addressed| move |grant: &Grant| grant.delete(Kind::Server, &thing(), NOW);
    let server = Kind::Server;
    vec![
        row("deletes its own", None, delete(|| made(Kind::Server))),
        row(
            "deletes one of the scope",
            None,
            delete(|| of_tenant("acme", Kind::Server, "acme-db")),
        ),
        row(
            "deletes a foreign one",
            Rule::InScope,
            delete(|| of_tenant("bolt", Kind::Server, "acme-db")),
        ),
        row(
            "deletes one without labels",
            Rule::InScope,
            delete(|| unlabelled(Kind::Server, "acme-db")),
        ),
        row(
            "deletes one labelled by hand",
            Rule::InScope,
            delete(|| relabelled(Kind::Server, "acme-db")),
        ),
        row(
            "deletes one of an edited tenant",
            Rule::InScope,
            delete(|| retenanted(Kind::Server, "acme-db")),
        ),
        row(
            "deletes one of another installation",
            Rule::InScope,
            delete(|| of_other_installation(Kind::Server, "acme-db")),
        ),
        row("deletes nothing", Rule::InScope, delete(|| absent(Kind::Server))),
        row(
            "deletes a leftover of any name",
            None,
            delete(|| of_tenant("acme", Kind::Server, "acme-cache")),
        ),
        row(
            "deletes one whose labels are of another name",
            Rule::InScope,
            delete(|| relabelled(Kind::Server, "ACME-OTHER")),
        ),
        row(
            "deletes with Cyrillic",
            Rule::InScope,
            delete(|| relabelled(Kind::Server, "acme-оther")),
        ),
        row("deletes what is not granted", Rule::Operation, |grant| {
            grant.delete(Kind::Server, &made(Kind::Server), NOW).and_then(|_| {
                let only = Grant::parse("grants/acme.toml", ACME).unwrap();
                only.delete(Kind::Server, &made(Kind::Server), NOW)
            })
        }),
        row("deletes too late", Rule::Unexpired, move |grant| {
            grant.delete(server, &made(server), LATER)
        }),
    ]
}

pub fn changed() -> Vec<Row> {
    vec![
        row("switches off a foreign one", Rule::InScope, |grant| {
            let thing = of_tenant("bolt", Kind::Server, "acme-db");
            grant.change("hetzner.servers.power-off", &thing, NOW)
        }),
        row("switches on, not granted", Rule::Operation, |grant| {
            grant.change("hetzner.servers.power-on", &made(Kind::Server), NOW)
        }),
        row("applies to a foreign server", Rule::InScope, |grant| {
            let server = of_tenant("bolt", Kind::Server, "acme-db");
            grant.join("hetzner.firewalls.apply", (&made(Kind::Firewall), &server), NOW)
        }),
        row("applies a foreign firewall", Rule::InScope, |grant| {
            let firewall = of_tenant("bolt", Kind::Firewall, "acme-fw");
            grant.join("hetzner.firewalls.apply", (&firewall, &made(Kind::Server)), NOW)
        }),
        row("applies its own to its own", None, |grant| {
            let pair = (&made(Kind::Firewall), &made(Kind::Server));
            grant.join("hetzner.firewalls.apply", pair, NOW)
        }),
        row("removes a foreign firewall", Rule::InScope, |grant| {
            let firewall = of_tenant("bolt", Kind::Firewall, "acme-fw");
            grant.join("hetzner.firewalls.remove", (&firewall, &made(Kind::Server)), NOW)
        }),
        row("removes a firewall from a foreign server", Rule::InScope, |grant| {
            let server = retenanted(Kind::Server, "acme-db");
            grant.join("hetzner.firewalls.remove", (&made(Kind::Firewall), &server), NOW)
        }),
    ]
}
