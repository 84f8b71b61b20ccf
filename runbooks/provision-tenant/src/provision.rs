//! Makes a tenant, step by step, and judges each thing as the host tells it after it was made.

use runwrit_sdk::hetzner::firewalls::{self, Firewall, FirewallSpec};
use runwrit_sdk::hetzner::networks::{self, Network};
use runwrit_sdk::hetzner::servers::{self, Server};
use runwrit_sdk::hetzner::{locations, volumes};
use runwrit_sdk::registry::{self, Endpoint, State};
use runwrit_sdk::{
    Context as _, Error, Result, audit, clock, dns, failed, info, step, verified, verify,
};

use crate::find::Found;
use crate::layout::{Layout, Role, meaning};
use crate::names::{Place, leads};
use crate::steps;

/// How often the firewall is looked at before it counts as not applied: it lags by seconds.
const LOOKS_MAX: u32 = 15;
/// Seconds between two looks.
const LOOK_PAUSE: u32 = 2;

/// What the outputs tell of a tenant.
pub struct Provisioned {
    /// The public address.
    pub gateway_ipv4: String,
    /// The private address of the database.
    pub db_address: String,
    /// Whether this run made it.
    pub is_new: bool,
}

/// Makes everything.
pub fn all(layout: &Layout) -> Result<Provisioned> {
    let (network_zone, place) = preflight(layout)?;
    reserve(layout)?;
    let network = network(layout, &network_zone)?;
    let firewall = firewall(layout)?;
    let servers = order(layout, &network, &firewall)?;
    attach(layout, &servers)?;
    verify_firewall(layout, &firewall.id, &servers)?;
    steps::tell_later(9, 10);
    publish(layout, &place, &servers)?;
    steps::tell_later(12, 12);
    activate(layout, &servers)?;
    tell_auditors(layout, &servers)?;
    let (gateway_ipv4, db_address) = addresses(layout, &servers)?;
    Ok(Provisioned { gateway_ipv4, db_address, is_new: true })
}

/// Asks for everything that can be known before the first effect.
fn preflight(layout: &Layout) -> Result<(String, Place)> {
    step("preflight")?;
    let found = Found::look()?;
    if !found.names().is_empty() {
        let names = found.names().join("`, `");
        return Err(failed(format!(
            "tenant `{}` is not active, but `{names}` stand in its scope; run `deprovision-tenant`",
            layout.tenant
        )));
    }
    verified("nothing stands in the scope of the tenant")?;
    let location = locations::get(&layout.location).context("looking the location up")?;
    let choices = servers::check(&layout.servers(None, None)).context("checking the servers")?;
    for choice in choices {
        let servers::Choice { name, server_type, location, eur_per_month } = choice;
        verified(&format!(
            "{name} can be had as {server_type} in {location}: {eur_per_month} EUR"
        ))?;
    }
    let place = Place::find(layout)?;
    place.check()?;
    verified(&format!("{} can be published in the zone {}", layout.hostname(), place.zone))?;
    Ok((location.network_zone, place))
}

fn reserve(layout: &Layout) -> Result {
    steps::begin(1, 1)?;
    let Layout { tenant, octet, .. } = layout;
    registry::reserve(tenant, *octet).context("reserving the tenant")?;
    let found = registry::get(tenant)?.ok_or_else(|| failed("the reservation is not there"))?;
    let holds = found.state == State::Pending && found.octet == *octet;
    verify(holds, &format!("the registry holds {tenant} as pending with octet {octet}"))
}

fn network(layout: &Layout, network_zone: &str) -> Result<Network> {
    steps::begin(2, 2)?;
    let spec = layout.network(network_zone);
    let network = networks::create(&spec).context("creating the network")?;
    let ranges = |subnets: &[networks::Subnet]| -> Vec<String> {
        subnets.iter().map(|subnet| subnet.ip_range.clone()).collect()
    };
    let holds =
        network.ip_range == spec.ip_range && ranges(&network.subnets) == ranges(&spec.subnets);
    let subnet = ranges(&spec.subnets).join(", ");
    verify(holds, &format!("{} is {} with subnet {subnet}", spec.name, spec.ip_range))?;
    Ok(network)
}

fn firewall(layout: &Layout) -> Result<Firewall> {
    steps::begin(3, 3)?;
    let spec =
        FirewallSpec { name: layout.firewall_name(), rules: layout.rules(), labels: Vec::new() };
    let firewall = firewalls::create(&spec).context("creating the firewall")?;
    verify_rules(layout, &firewall)?;
    Ok(firewall)
}

/// Compares the rules that are in force with those that should be.
pub fn verify_rules(layout: &Layout, firewall: &Firewall) -> Result {
    let holds = meaning(&firewall.rules) == meaning(&layout.rules());
    let Layout { bastion, .. } = layout;
    verify(holds, &format!("{} admits 443 from all and 22 from {bastion} only", firewall.name))
}

/// Orders all servers in one batch, with network and firewall from their first boot on.
fn order(layout: &Layout, network: &Network, firewall: &Firewall) -> Result<Vec<Server>> {
    steps::begin(4, 6)?;
    let specs = layout.servers(Some(&network.id), Some(&firewall.id));
    let ordered = servers::create_many(&specs).context("ordering the servers")?;
    let mut servers = Vec::new();
    for (spec, answer) in specs.iter().zip(ordered) {
        let server = answer.map_err(Error::from).context(&format!("ordering {}", spec.name))?;
        verify_server(layout, &server)?;
        servers.push(server);
    }
    Ok(servers)
}

/// Looks whether a server runs in the network of its tenant.
pub fn verify_server(layout: &Layout, server: &Server) -> Result {
    let Server { name, status, server_type, location, .. } = server;
    let ip = private_ip(layout, server)?;
    let holds = status == "running";
    verify(holds, &format!("{name} is running as {server_type} in {location} at {ip}"))
}

/// Returns the address of a server in the network of its tenant.
pub fn private_ip(layout: &Layout, server: &Server) -> Result<String> {
    let own = server.private_addresses.iter().find(|address| layout.holds(&address.ip));
    let name = &server.name;
    own.map(|address| address.ip.clone())
        .ok_or_else(|| failed(format!("`{name}` has no address in {}", layout.ip_range())))
}

/// Makes the volume where the database stands: another location may have been fallen back to.
fn attach(layout: &Layout, servers: &[Server]) -> Result {
    steps::begin(7, 7)?;
    let db = server_of(layout, servers, Role::Db)?;
    let made = volumes::create(&layout.volume(&db.location)).context("creating the volume")?;
    let volume = volumes::attach(&made.id, &db.id).context("attaching the volume")?;
    let (name, size) = (&volume.name, volume.size_gb);
    let holds = volume.server.as_deref() == Some(db.id.as_str());
    verify(holds, &format!("{name} of {size} GB is attached to {}", db.name))
}

/// Looks until the firewall is in force on every server, and applies it where it is missing.
fn verify_firewall(layout: &Layout, firewall: &str, servers: &[Server]) -> Result {
    steps::begin(8, 8)?;
    let found = firewalls::get(firewall)?;
    verify_rules(layout, &found)?;
    for server in servers.iter().filter(|server| !found.servers.contains(&server.id)) {
        firewalls::apply(firewall, &server.id)
            .context(&format!("applying the firewall to {}", server.name))?;
    }
    let mut open: Vec<&Server> = servers.iter().collect();
    for look in 1..=LOOKS_MAX {
        let found = servers::list().context("looking at the servers")?;
        let now = |server: &Server| found.iter().find(|it| it.id == server.id);
        let is_open = |server: &&Server| !now(server).is_some_and(|it| is_applied(firewall, it));
        let (still_open, closed): (Vec<_>, Vec<_>) = open.into_iter().partition(is_open);
        for server in closed {
            verified(&format!("the firewall is in force on {}", server.name))?;
        }
        open = still_open;
        if open.is_empty() {
            return Ok(());
        }
        if look < LOOKS_MAX {
            clock::sleep(LOOK_PAUSE)?;
        }
    }
    let seconds = LOOKS_MAX * LOOK_PAUSE;
    let names = open.iter().map(|server| server.name.as_str()).collect::<Vec<_>>().join("`, `");
    Err(failed(format!("the firewall is not in force on `{names}` after {seconds} seconds")))
}

/// Tells whether a firewall is in force on a server.
pub fn is_applied(firewall: &str, server: &Server) -> bool {
    server.firewalls.iter().any(|status| status.firewall == firewall && status.is_applied)
}

/// Leads the name of the tenant to its gateway, now that the gateway answers and is protected.
fn publish(layout: &Layout, place: &Place, servers: &[Server]) -> Result {
    steps::begin(11, 11)?;
    let gateway = server_of(layout, servers, Role::Gateway)?;
    for set in place.records(gateway)? {
        let found = dns::set(&set).context("publishing the name")?.set;
        let holds = (found.ttl, &found.values) == (set.ttl, &set.values);
        verify(holds, &leads(layout, &set))?;
    }
    Ok(())
}

fn activate(layout: &Layout, servers: &[Server]) -> Result {
    steps::begin(13, 13)?;
    let endpoints = endpoints(layout, servers)?;
    registry::activate(&layout.tenant, &endpoints).context("activating the tenant")?;
    let found = registry::get(&layout.tenant)?.ok_or_else(|| failed("the tenant is not there"))?;
    let holds = found.state == State::Active && same(&found.endpoints, &endpoints);
    verify(holds, &format!("the registry holds {} as active", layout.tenant))
}

/// Tells whether two lists name the same endpoints.
pub fn same(some: &[Endpoint], others: &[Endpoint]) -> bool {
    let sorted = |endpoints: &[Endpoint]| {
        let pairs = endpoints.iter().map(|it| (it.name.clone(), it.address.clone()));
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort();
        pairs
    };
    sorted(some) == sorted(others)
}

fn tell_auditors(layout: &Layout, servers: &[Server]) -> Result {
    steps::begin(14, 14)?;
    let detail = |name: &str, value: String| audit::Detail { name: name.to_owned(), value };
    let details = [
        detail("hostname", layout.hostname()),
        detail("network", layout.ip_range()),
        detail("servers", servers.len().to_string()),
    ];
    audit::append("TENANT_PROVISIONED", &layout.tenant, &details).context("writing the event")?;
    info(&format!("tenant {} is active", layout.tenant));
    Ok(())
}

/// Returns what the registry says about a tenant that serves.
pub fn endpoints(layout: &Layout, servers: &[Server]) -> Result<Vec<Endpoint>> {
    let endpoint = |name: &str, address| Endpoint { name: name.to_owned(), address };
    let mut endpoints = vec![endpoint("gateway", addresses(layout, servers)?.0)];
    for role in layout.roles() {
        let server = server_of(layout, servers, role)?;
        let name = server.name.strip_prefix(&format!("{}-", layout.tenant));
        let name = format!("{}-private", name.unwrap_or(&server.name));
        endpoints.push(endpoint(&name, private_ip(layout, server)?));
    }
    Ok(endpoints)
}

/// Returns the public address of the gateway and the private one of the database.
pub fn addresses(layout: &Layout, servers: &[Server]) -> Result<(String, String)> {
    let gateway = server_of(layout, servers, Role::Gateway)?;
    let public = gateway.public_ipv4.clone();
    let public = public.ok_or_else(|| failed("the gateway has no public IPv4 address"))?;
    let db = server_of(layout, servers, Role::Db)?;
    Ok((public, private_ip(layout, db)?))
}

/// Returns the server of a role.
pub fn server_of<'a>(layout: &Layout, servers: &'a [Server], role: Role) -> Result<&'a Server> {
    let name = layout.server_name(role);
    let found = servers.iter().find(|server| server.name == name);
    found.ok_or_else(|| failed(format!("the server `{name}` is not there")))
}
