//! Tries to reach what others own in a project, by every operation of it that changes something,
//! and tells how each attempt was refused. Nothing that is refused ends it.

use misbehaving_guests::bindings::runwrit::hetzner::firewalls::{
    self, Direction, FirewallSpec, Protocol, Rule,
};
use misbehaving_guests::bindings::runwrit::hetzner::networks::{self, NetworkSpec, Subnet};
use misbehaving_guests::bindings::runwrit::hetzner::primary_ips::{self, Family};
use misbehaving_guests::bindings::runwrit::hetzner::servers::{self, ServerSpec};
use misbehaving_guests::bindings::runwrit::hetzner::ssh_keys;
use misbehaving_guests::bindings::runwrit::hetzner::volumes::{self, VolumeSpec};
use misbehaving_guests::{Ending, Failure, inputs, steps, tell};

/// Endings of names that look like ours and are not: of another tenant, with a capital, with a
/// Cyrillic letter, with a space, with a letter that nobody sees.
const TRICKS: [&str; 5] = ["bolt-x", "Acme-x", "\u{430}cme-x", "acme-x ", "ac\u{200b}me-x"];

/// A call on a thing.
type OnId = (&'static str, fn(&str) -> Result<(), Failure>);
/// A call that makes something of this name.
type OnName = (&'static str, fn(&str) -> Result<(), Failure>);

const NETWORKS: [OnId; 1] = [("networks.delete", |id| networks::delete(id))];
const FIREWALLS: [OnId; 4] = [
    ("firewalls.set-rules", |id| firewalls::set_rules(id, &[]).map(drop)),
    ("firewalls.apply", |id| firewalls::apply(id, id)),
    ("firewalls.remove", |id| firewalls::remove(id, id)),
    ("firewalls.delete", |id| firewalls::delete(id)),
];
const SERVERS: [OnId; 3] = [
    ("servers.power-on", |id| servers::power_on(id).map(drop)),
    ("servers.power-off", |id| servers::power_off(id).map(drop)),
    ("servers.delete", |id| servers::delete(id)),
];
const VOLUMES: [OnId; 4] = [
    ("volumes.attach", |id| volumes::attach(id, id).map(drop)),
    ("volumes.detach", |id| volumes::detach(id).map(drop)),
    ("volumes.declare-data", |id| volumes::declare_data(id, "everything")),
    ("volumes.delete", |id| volumes::delete(id)),
];
const SSH_KEYS: [OnId; 1] = [("ssh-keys.delete", |id| ssh_keys::delete(id))];
const PRIMARY_IPS: [OnId; 1] = [("primary-ips.delete", |id| primary_ips::delete(id))];

const MAKING: [OnName; 7] = [
    ("networks.create", |name| networks::create(&network(name, "10.7.0.0/16")).map(drop)),
    ("firewalls.create", |name| firewalls::create(&firewall(name, "203.0.113.7/32")).map(drop)),
    ("servers.create", |name| servers::create(&server(name)).map(drop)),
    ("servers.create-many", |name| many(server(name))),
    ("volumes.create", |name| volumes::create(&volume(name, 10)).map(drop)),
    ("ssh-keys.create", |name| ssh_keys::create(name, KEY, &[]).map(drop)),
    ("primary-ips.create", |name| primary_ips::create(name, Family::Ipv4, "nbg1", &[]).map(drop)),
];

/// A key that nobody has the other half of.
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO9xEikoVBlNEbQMGNXV5hxgSNub/FVpVUV19MACpdr5 x";

fn run() -> Ending {
    let of = |kind: &str| inputs::text(&format!("foreign-{kind}"));
    on_ids("networks", &NETWORKS, &of("network")?)?;
    on_ids("firewalls", &FIREWALLS, &of("firewall")?)?;
    on_ids("servers", &SERVERS, &of("server")?)?;
    on_ids("volumes", &VOLUMES, &of("volume")?)?;
    on_ids("SSH keys", &SSH_KEYS, &of("ssh-key")?)?;
    on_ids("primary IPs", &PRIMARY_IPS, &of("primary-ip")?)?;
    steps::begin("names")?;
    for (operation, make) in MAKING {
        for name in TRICKS {
            tell(operation, name, make(name));
        }
    }
    steps::begin("widths")?;
    widths(&of("network")?, &of("firewall")?);
    Ok(())
}

/// Tries calls on what somebody else made, under its id and under what a careless reader may take
/// for that.
fn on_ids(kind: &str, calls: &[OnId], foreign: &str) -> Ending {
    steps::begin(kind)?;
    let wide = |digit: char| char::from_u32(u32::from(digit) - 0x30 + 0xff10).unwrap_or(digit);
    let ids = [
        ("a foreign id", foreign.to_owned()),
        ("a zero before it", format!("0{foreign}")),
        ("a space behind it", format!("{foreign} ")),
        ("wide digits", foreign.chars().map(wide).collect()),
        ("another path", format!("../servers/{foreign}")),
        ("nothing", String::new()),
    ];
    for (operation, call) in calls {
        for (name, id) in &ids {
            tell(operation, name, call(id));
        }
    }
    Ok(())
}

/// Tries more than is granted under the names that are.
fn widths(network: &str, firewall: &str) {
    for range in ["10.0.0.0/8", "10.8.0.0/16", "10.7.0.0/15", "0.0.0.0/0"] {
        let spec = self::network("acme-x", range);
        tell("networks.create", range, networks::create(&spec));
    }
    for addresses in ["0.0.0.0/0", "::/0", "203.0.113.0/24", "203.0.113.8/32"] {
        let spec = self::firewall("acme-x", addresses);
        tell("firewalls.create", addresses, firewalls::create(&spec));
    }
    tell("volumes.create", "eleven gigabytes", volumes::create(&volume("acme-x", 11)));
    type Change = (&'static str, fn(&mut ServerSpec, &str, &str));
    let changes: [Change; 7] = [
        ("a foreign network", |spec, network, _| spec.networks = vec![network.to_owned()]),
        ("a foreign firewall", |spec, _, firewall| spec.firewalls = vec![firewall.to_owned()]),
        ("user data", |spec, _, _| {
            spec.user_data = "#cloud-config\n".to_owned();
            (spec.has_public_ipv4, spec.has_public_ipv6) = (false, false);
        }),
        ("another role", |spec, _, _| spec.role = "db".to_owned()),
        ("another image", |spec, _, _| spec.image = "windows".to_owned()),
        ("another place", |spec, _, _| spec.location = "hel1".to_owned()),
        ("another key", |spec, _, _| spec.ssh_keys = vec!["mallory".to_owned()]),
    ];
    for (name, change) in changes {
        let mut spec = server("acme-x");
        change(&mut spec, network, firewall);
        tell("servers.create", name, servers::create(&spec));
        tell("servers.create-many", name, many(spec));
    }
}

/// Makes a batch of one. A batch tells of each server by itself.
fn many(spec: ServerSpec) -> Result<(), Failure> {
    servers::create_many(&[spec])?.into_iter().try_for_each(|made| made.map(drop))
}

fn network(name: &str, range: &str) -> NetworkSpec {
    let zone = "eu-central".to_owned();
    NetworkSpec {
        name: name.to_owned(),
        ip_range: range.to_owned(),
        subnets: vec![Subnet { ip_range: "10.7.1.0/24".to_owned(), network_zone: zone }],
        labels: Vec::new(),
    }
}

fn firewall(name: &str, addresses: &str) -> FirewallSpec {
    let rule = Rule {
        direction: Direction::In,
        protocol: Protocol::Tcp,
        port: Some("22".to_owned()),
        addresses: vec![addresses.to_owned()],
        description: String::new(),
    };
    FirewallSpec { name: name.to_owned(), rules: vec![rule], labels: Vec::new() }
}

fn server(name: &str) -> ServerSpec {
    ServerSpec {
        name: name.to_owned(),
        role: "gateway".to_owned(),
        image: "debian-12".to_owned(),
        location: "nbg1".to_owned(),
        ssh_keys: vec!["ops".to_owned()],
        networks: Vec::new(),
        firewalls: Vec::new(),
        user_data: String::new(),
        has_public_ipv4: true,
        has_public_ipv6: true,
        labels: Vec::new(),
    }
}

fn volume(name: &str, size_gb: u32) -> VolumeSpec {
    VolumeSpec {
        name: name.to_owned(),
        size_gb,
        location: "nbg1".to_owned(),
        format: "ext4".to_owned(),
        labels: Vec::new(),
    }
}

misbehaving_guests::main!(run);
