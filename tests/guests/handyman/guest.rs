//! Calls everything that a host offers outside of the run itself, once at least, in an order that
//! works: it makes a tenant, changes it and takes it down. A plan has to foresee all of it.

use misbehaving_guests::bindings::runwrit::audit::events::{self, Detail};
use misbehaving_guests::bindings::runwrit::dns::records::{self, RecordSet};
use misbehaving_guests::bindings::runwrit::hetzner::firewalls::{
    self, Direction, FirewallSpec, Protocol, Rule,
};
use misbehaving_guests::bindings::runwrit::hetzner::networks::{self, NetworkSpec, Subnet};
use misbehaving_guests::bindings::runwrit::hetzner::primary_ips::{self, Family};
use misbehaving_guests::bindings::runwrit::hetzner::servers::{self, Server, ServerSpec};
use misbehaving_guests::bindings::runwrit::hetzner::volumes::{self, VolumeSpec};
use misbehaving_guests::bindings::runwrit::hetzner::{
    images, locations, pricing, server_types, ssh_keys,
};
use misbehaving_guests::bindings::runwrit::http::requests::{self, Request};
use misbehaving_guests::bindings::runwrit::registry::tenants::{self, Endpoint};
use misbehaving_guests::bindings::runwrit::run::clock;
use misbehaving_guests::bindings::runwrit::types::labels::Label;
use misbehaving_guests::{Ending, Failure, Problem, inputs, steps};

const PLACE: &str = "nbg1";
const ZONE: &str = "example.org";
const NAME: &str = "acme.example.org.";
/// Another half that nobody has.
const PUBLIC_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/ acme";

/// The ids of what was made, but for the servers.
struct Made {
    key: String,
    network: String,
    firewall: String,
    address: String,
    volume: String,
}

fn run() -> Ending {
    let url = inputs::text("url")?;
    look(&url)?;
    let made = make()?;
    let servers = order(&made)?;
    change(&made, &servers)?;
    publish(&url, &made)?;
    if inputs::text("end")? != "well" {
        let message = "it was told to end badly".to_owned();
        return Err(Failure::Failed(Problem { code: "told-so".to_owned(), message, field: None }));
    }
    clock::sleep(1)?;
    take_down(&made, &servers)
}

fn look(url: &str) -> Ending {
    steps::begin("look")?;
    locations::get(PLACE)?;
    locations::list()?;
    server_types::candidates("worker", PLACE)?;
    server_types::get("cx23", PLACE)?;
    images::get("debian-12", "x86")?;
    pricing::scope()?;
    ssh_keys::get("ops")?;
    ssh_keys::list()?;
    networks::list()?;
    firewalls::list()?;
    servers::list()?;
    volumes::list()?;
    primary_ips::list()?;
    servers::check(&[server("acme-one", None)])?;
    records::zones()?;
    records::list(ZONE)?;
    records::get(ZONE, NAME, "A")?;
    records::check(ZONE, NAME, "A")?;
    tenants::list()?;
    tenants::get("acme")?;
    requests::read(&request("GET", url))?;
    Ok(())
}

fn make() -> Result<Made, Failure> {
    steps::begin("make")?;
    tenants::reserve("acme", 7)?;
    let key = ssh_keys::create("acme-key", PUBLIC_KEY, &[])?.id;
    let zone = "eu-central".to_owned();
    let subnet = Subnet { ip_range: "10.7.1.0/24".to_owned(), network_zone: zone };
    let (name, ip_range) = ("acme-net".to_owned(), "10.7.0.0/16".to_owned());
    let spec = NetworkSpec { name, ip_range, subnets: vec![subnet], labels: Vec::new() };
    let network = networks::create(&spec)?.id;
    networks::get(&network)?;
    let (name, rules) = ("acme-fw".to_owned(), vec![rule("443")]);
    let firewall = firewalls::create(&FirewallSpec { name, rules, labels: Vec::new() })?.id;
    firewalls::get(&firewall)?;
    let address = primary_ips::create("acme-ip", Family::Ipv4, PLACE, &[])?.id;
    let spec = VolumeSpec {
        name: "acme-data".to_owned(),
        size_gb: 20,
        location: PLACE.to_owned(),
        format: "ext4".to_owned(),
        labels: Vec::new(),
    };
    let volume = volumes::create(&spec)?.id;
    Ok(Made { key, network, firewall, address, volume })
}

fn order(made: &Made) -> Result<Vec<Server>, Failure> {
    steps::begin("order")?;
    let mut ordered = vec![servers::create(&server("acme-one", Some(made)))?];
    let more = ["acme-two", "acme-three"].map(|name| server(name, Some(made)));
    for answer in servers::create_many(&more)? {
        ordered.push(answer?);
    }
    for server in &ordered {
        servers::get(&server.id)?;
    }
    Ok(ordered)
}

fn change(made: &Made, servers: &[Server]) -> Ending {
    steps::begin("change")?;
    let first = &servers[0].id;
    volumes::attach(&made.volume, first)?;
    volumes::get(&made.volume)?;
    volumes::detach(&made.volume)?;
    firewalls::set_rules(&made.firewall, &[rule("443"), rule("80")])?;
    firewalls::remove(&made.firewall, first)?;
    firewalls::apply(&made.firewall, first)?;
    servers::power_off(first)?;
    servers::power_on(first)?;
    Ok(())
}

fn publish(url: &str, made: &Made) -> Ending {
    steps::begin("publish")?;
    let address = primary_ips::get(&made.address)?.ip;
    let set = RecordSet {
        zone: ZONE.to_owned(),
        name: NAME.to_owned(),
        kind: "A".to_owned(),
        ttl: Some(300),
        values: vec![address.clone()],
    };
    records::set(&set)?;
    records::verify(&set)?;
    requests::send(&request("POST", url))?;
    let endpoint = Endpoint { name: "gateway".to_owned(), address };
    tenants::activate("acme", &[endpoint])?;
    let detail = Detail { name: "by".to_owned(), value: "handyman".to_owned() };
    events::append("TENANT_PROVISIONED", "acme", &[detail])
}

fn take_down(made: &Made, servers: &[Server]) -> Ending {
    steps::begin("take down")?;
    records::delete(ZONE, NAME, "A")?;
    for server in servers {
        servers::delete(&server.id)?;
    }
    volumes::declare_data(&made.volume, "what nobody needs any more")?;
    volumes::delete(&made.volume)?;
    primary_ips::delete(&made.address)?;
    firewalls::delete(&made.firewall)?;
    networks::delete(&made.network)?;
    ssh_keys::delete(&made.key)?;
    tenants::retire("acme")?;
    Ok(())
}

fn rule(port: &str) -> Rule {
    Rule {
        direction: Direction::In,
        protocol: Protocol::Tcp,
        port: Some(port.to_owned()),
        addresses: vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()],
        description: String::new(),
    }
}

fn server(name: &str, made: Option<&Made>) -> ServerSpec {
    let label = Label { key: "role".to_owned(), value: "worker".to_owned() };
    ServerSpec {
        name: name.to_owned(),
        role: "worker".to_owned(),
        image: "debian-12".to_owned(),
        location: PLACE.to_owned(),
        ssh_keys: vec!["ops".to_owned()],
        networks: made.map(|made| made.network.clone()).into_iter().collect(),
        firewalls: made.map(|made| made.firewall.clone()).into_iter().collect(),
        user_data: String::new(),
        has_public_ipv4: name == "acme-one",
        has_public_ipv6: true,
        labels: vec![label],
    }
}

fn request(method: &str, url: &str) -> Request {
    Request {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout_seconds: 5,
    }
}

misbehaving_guests::main!(run);
