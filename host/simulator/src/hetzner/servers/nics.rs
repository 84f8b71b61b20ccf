//! Private interfaces: attaching servers to networks.

use std::net::Ipv4Addr;

use serde_json::Value;

use super::super::actions::{Failure, Job};
use super::super::addresses;
use super::super::catalogue::Location;
use super::super::networks::Network;
use super::super::project::{Kind, Project};
use super::super::refusal::Refusal;
use super::super::request::{Input, Reply};
use super::super::validation::{Field, Shape, optional, required};
use super::{Nic, edit, find_unlocked, start};

const NETWORKS_PER_SERVER_MAX: usize = 3;
/// The documentation says "up to 100 attached resources".
const MEMBERS_PER_NETWORK_MAX: usize = 100;
const ALIASES_MAX: usize = 5;
const ALIASES: Shape = Shape::List(&Shape::Address, ALIASES_MAX);

/// Body of `attach_to_network`.
pub const ATTACH: &[Field] = &[
    required("network", Shape::Id),
    optional("ip", Shape::Address),
    optional("alias_ips", ALIASES),
    optional("ip_range", Shape::Text(1, 64)),
];
/// Body of `detach_from_network`.
pub const DETACH: &[Field] = &[required("network", Shape::Id)];
/// Body of `change_alias_ips`.
pub const CHANGE_ALIASES: &[Field] =
    &[required("network", Shape::Id), required("alias_ips", ALIASES)];

/// What an attachment asks for.
#[derive(Debug, Default)]
pub(super) struct Wish {
    pub network: u64,
    pub ip: Option<Ipv4Addr>,
    pub aliases: Vec<Ipv4Addr>,
    pub range: Option<String>,
}

impl Wish {
    /// Picks the address that `taken_networks` of the server leave possible.
    pub fn resolve(
        &self,
        project: &mut Project,
        location: &Location,
        held: &[Nic],
    ) -> Result<Nic, Refusal> {
        let network = project
            .networks
            .get(&self.network)
            .ok_or_else(|| Refusal::not_found("network", self.network))?;
        check_compatible(project, network, held)?;
        let is_taken = |address: Ipv4Addr| {
            project
                .servers
                .values()
                .flat_map(|server| &server.nics)
                .filter(|nic| nic.network == self.network)
                .any(|nic| nic.ip == address || nic.aliases.contains(&address))
        };
        let ip = self.pick(network, location, &is_taken)?;
        for alias in &self.aliases {
            let is_usable = network
                .subnet_of(*alias)
                .is_some_and(|subnet| is_host(network, &subnet.range, *alias));
            if !is_usable || *alias == ip || is_taken(*alias) {
                return Err(Refusal::unprocessable("ip_not_available", "alias IP not available"));
            }
        }
        let mac = mac(project.dice.roll());
        Ok(Nic { network: self.network, ip, aliases: self.aliases.clone(), mac, is_ready: false })
    }

    fn pick(
        &self,
        network: &Network,
        location: &Location,
        is_taken: &dyn Fn(Ipv4Addr) -> bool,
    ) -> Result<Ipv4Addr, Refusal> {
        let none = || Refusal::unprocessable("no_subnet_available", "no subnet or IP available");
        let mut ranges = network
            .subnets
            .iter()
            .filter(|subnet| subnet.zone == location.zone)
            .map(|subnet| subnet.range)
            .filter(|range| self.range.as_ref().is_none_or(|only| *only == range.to_string()));
        let Some(ip) = self.ip else {
            return ranges
                .find_map(|range| addresses::free_address(&network.range, &range, is_taken))
                .ok_or_else(none);
        };
        let range = ranges.find(|range| range.contains(&ip)).ok_or_else(none)?;
        if !is_host(network, &range, ip) || is_taken(ip) {
            return Err(Refusal::unprocessable("ip_not_available", "IP not available"));
        }
        Ok(ip)
    }
}

fn is_host(network: &Network, range: &ipnet::Ipv4Net, ip: Ipv4Addr) -> bool {
    addresses::is_assignable(&network.range, range, ip)
}

fn check_compatible(project: &Project, network: &Network, held: &[Nic]) -> Result<(), Refusal> {
    if held.iter().any(|nic| nic.network == network.id) {
        let message = "server is already attached to the network";
        return Err(Refusal::unprocessable("server_already_attached", message));
    }
    if held.len() >= NETWORKS_PER_SERVER_MAX {
        return Err(Refusal::limit("server_network"));
    }
    let nics = project.servers.values().flat_map(|server| &server.nics);
    if nics.filter(|nic| nic.network == network.id).count() >= MEMBERS_PER_NETWORK_MAX {
        return Err(Refusal::limit("network_server"));
    }
    let overlaps = held
        .iter()
        .filter_map(|nic| project.networks.get(&nic.network))
        .any(|other| addresses::overlaps(&other.range, &network.range));
    if overlaps {
        let message = "network overlaps with another network of the server";
        return Err(Refusal::unprocessable("networks_overlap", message));
    }
    Ok(())
}

fn mac(number: u64) -> String {
    let bytes = number.to_be_bytes();
    format!("86:00:00:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2])
}

/// Describes the completion of an attachment whose address is kept already.
pub(super) fn attach_job(server: u64, network: u64) -> Job {
    Job::new("attach_to_network")
        .holding(Kind::Server, server)
        .on(Kind::Network, network)
        .then(move |project| {
            if !project.networks.contains_key(&network) {
                return Err(Failure::new("network_not_found", "the network is gone"));
            }
            edit(project, server, |server| {
                for nic in server.nics.iter_mut().filter(|nic| nic.network == network) {
                    nic.is_ready = true;
                }
            })
        })
        .or_else(move |project| drop_nic(project, server, network))
}

fn drop_nic(project: &mut Project, server: u64, network: u64) {
    // A server that is gone holds no interface.
    let _ = edit(project, server, |server| server.nics.retain(|nic| nic.network != network));
}

fn addresses_of(values: &[Value]) -> Result<Vec<Ipv4Addr>, Refusal> {
    let parse = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    let refuse = || Refusal::invalid("alias_ips", "must be IPv4 addresses");
    values.iter().map(|value| parse(value).ok_or_else(refuse)).collect()
}

/// Answers `attach_to_network`.
pub fn attach_to_network(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let server = find_unlocked(project, input)?.clone();
    let ip = match input.text("ip") {
        Some(text) => {
            Some(text.parse().map_err(|_| Refusal::invalid("ip", "must be an IPv4 address"))?)
        }
        None => None,
    };
    let wish = Wish {
        network: input.number("network").unwrap_or_default(),
        ip,
        aliases: addresses_of(input.list("alias_ips"))?,
        range: input.text("ip_range").map(str::to_owned),
    };
    let nic = wish.resolve(project, server.location, &server.nics)?;
    // The server was found above.
    let _ = edit(project, server.id, |server| server.nics.push(nic));
    start(project, attach_job(server.id, wish.network))
}

fn attached(project: &Project, input: &Input) -> Result<(u64, u64), Refusal> {
    let server = find_unlocked(project, input)?;
    let network = input.number("network").unwrap_or_default();
    if server.nics.iter().any(|nic| nic.network == network && nic.is_ready) {
        return Ok((server.id, network));
    }
    let message = format!("server is not attached to network with ID '{network}'");
    Err(Refusal::new(404, "not_found", message))
}

/// Answers `detach_from_network`.
pub fn detach_from_network(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let (server, network) = attached(project, input)?;
    let job = Job::new("detach_from_network")
        .holding(Kind::Server, server)
        .on(Kind::Network, network)
        .then(move |project| {
            drop_nic(project, server, network);
            Ok(())
        });
    start(project, job)
}

/// Answers `change_alias_ips`.
pub fn change_alias_ips(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let (server, network) = attached(project, input)?;
    let aliases = addresses_of(input.list("alias_ips"))?;
    let found =
        project.networks.get(&network).ok_or_else(|| Refusal::not_found("network", network))?;
    let is_free = |alias: &Ipv4Addr| {
        let is_held = project
            .servers
            .values()
            .flat_map(|other| other.nics.iter().map(|nic| (other.id, nic)))
            .filter(|(_, nic)| nic.network == network)
            .any(|(id, nic)| nic.ip == *alias || (id != server && nic.aliases.contains(alias)));
        !is_held
            && found.subnet_of(*alias).is_some_and(|subnet| is_host(found, &subnet.range, *alias))
    };
    if !aliases.iter().all(is_free) {
        return Err(Refusal::unprocessable("ip_not_available", "alias IP not available"));
    }
    let job = Job::new("change_alias_ips")
        .holding(Kind::Server, server)
        .on(Kind::Network, network)
        .then(move |project| {
            edit(project, server, |server| {
                for nic in server.nics.iter_mut().filter(|nic| nic.network == network) {
                    nic.aliases.clone_from(&aliases);
                }
            })
        });
    start(project, job)
}
