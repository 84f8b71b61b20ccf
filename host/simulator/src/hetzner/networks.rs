//! Networks: private ranges, their subnets, routes and members.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::actions::{Failure, Job};
use super::addresses::{self, overlaps};
use super::catalogue::Catalogue;
use super::clock::written;
use super::labels::Labels;
use super::paging::Listing;
use super::project::{Kind, Project};
use super::refusal::Refusal;
use super::request::{Input, Reply};
use super::validation::{Field, Shape, optional, required};

const SUBNETS_MAX: usize = 50;
const ROUTES_MAX: usize = 100;

const SUBNET: &[Field] = &[
    required("type", Shape::Choice(&["cloud", "server", "vswitch"])),
    optional("ip_range", Shape::Text(1, 64)),
    required("network_zone", Shape::Text(1, 64)),
    optional("vswitch_id", Shape::Id).or_null(),
];
const ROUTE: &[Field] =
    &[required("destination", Shape::Text(1, 64)), required("gateway", Shape::Text(1, 64))];

/// Body of `POST /networks`.
pub const CREATE: &[Field] = &[
    required("name", Shape::Text(1, 128)),
    required("ip_range", Shape::Text(1, 64)),
    optional("labels", Shape::Labels),
    optional("subnets", Shape::List(&Shape::Object(SUBNET), SUBNETS_MAX)),
    optional("routes", Shape::List(&Shape::Object(ROUTE), ROUTES_MAX)),
    optional("expose_routes_to_vswitch", Shape::Flag),
];
/// Body of `PUT /networks/{id}`.
pub const UPDATE: &[Field] = &[
    optional("name", Shape::Text(1, 128)),
    optional("labels", Shape::Labels),
    optional("expose_routes_to_vswitch", Shape::Flag),
];
/// Body of `add_subnet`.
pub const ADD_SUBNET: &[Field] = SUBNET;
/// Body of `delete_subnet` and `change_ip_range`.
pub const RANGE: &[Field] = &[required("ip_range", Shape::Text(1, 64))];
/// Body of `add_route` and `delete_route`.
pub const ROUTE_BODY: &[Field] = ROUTE;
/// Body of `change_protection` where only deletion can be forbidden.
pub const PROTECTION: &[Field] = &[optional("delete", Shape::Flag)];

const LISTING: Listing = Listing { kind: Some(Kind::Network), ..Listing::new("networks") };

/// A private network.
#[derive(Debug, Clone)]
pub struct Network {
    pub id: u64,
    pub name: String,
    pub range: Ipv4Net,
    pub subnets: Vec<Subnet>,
    pub routes: Vec<Route>,
    pub labels: Labels,
    pub created: Timestamp,
    pub is_delete_protected: bool,
    pub exposes_routes: bool,
}

/// A part of a network that servers get addresses from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    pub kind: String,
    pub range: Ipv4Net,
    pub zone: String,
}

/// A route of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub destination: Ipv4Net,
    pub gateway: Ipv4Addr,
}

impl Network {
    /// Returns the API document.
    pub fn document(&self, project: &Project) -> Value {
        let gateway = addresses::gateway(&self.range);
        let subnets: Vec<Value> = self
            .subnets
            .iter()
            .map(|subnet| {
                json!({
                    "type": subnet.kind,
                    "ip_range": subnet.range.to_string(),
                    "network_zone": subnet.zone,
                    "gateway": gateway.to_string(),
                    "vswitch_id": null,
                })
            })
            .collect();
        let routes: Vec<Value> = self
            .routes
            .iter()
            .map(|route| {
                json!({
                    "destination": route.destination.to_string(),
                    "gateway": route.gateway.to_string(),
                })
            })
            .collect();
        json!({
            "id": self.id,
            "name": self.name,
            "ip_range": self.range.to_string(),
            "subnets": subnets,
            "routes": routes,
            "servers": self.servers(project),
            "load_balancers": [],
            "protection": {"delete": self.is_delete_protected},
            "labels": self.labels,
            "created": written(self.created),
            "expose_routes_to_vswitch": self.exposes_routes,
        })
    }

    fn servers(&self, project: &Project) -> Vec<u64> {
        let is_member = |server: &&super::servers::Server| {
            server.nics.iter().any(|nic| nic.network == self.id && nic.is_ready)
        };
        project.servers.values().filter(is_member).map(|server| server.id).collect()
    }

    /// Returns the subnet that holds an address.
    pub fn subnet_of(&self, address: Ipv4Addr) -> Option<&Subnet> {
        self.subnets.iter().find(|subnet| subnet.range.contains(&address))
    }

    fn check_subnet(
        &self,
        subnet: &Value,
        path: &str,
        catalogue: &Catalogue,
    ) -> Result<Subnet, Refusal> {
        if self.subnets.len() >= SUBNETS_MAX {
            return Err(Refusal::limit("network_subnet"));
        }
        let kind = subnet["type"].as_str().unwrap_or_default();
        if kind == "vswitch" {
            // There is no dedicated-server account behind a simulator to own a vSwitch.
            return Err(Refusal::not_found("vSwitch", &subnet["vswitch_id"]));
        }
        if !subnet["vswitch_id"].is_null() {
            return Err(Refusal::invalid(&format!("{path}vswitch_id"), "only for type vswitch"));
        }
        let zone = subnet["network_zone"].as_str().unwrap_or_default();
        let is_known = catalogue.locations.iter().any(|location| location.zone == zone);
        if !is_known || self.subnets.iter().any(|other| other.zone != zone) {
            let field = format!("{path}network_zone");
            return Err(Refusal::invalid(&field, "network zone is unknown or differs"));
        }
        let field = format!("{path}ip_range");
        let taken: Vec<Ipv4Net> = self.subnets.iter().map(|other| other.range).collect();
        let range = match subnet["ip_range"].as_str() {
            Some(text) => addresses::subnet_range(&field, text)?,
            None => addresses::free_subnet(&self.range, &taken)
                .ok_or_else(|| Refusal::invalid(&field, "no free range left in the network"))?,
        };
        let collides = taken.iter().any(|other| overlaps(other, &range))
            || self.routes.iter().any(|route| is_specific_overlap(&route.destination, &range));
        if !self.range.contains(&range) || collides {
            let message = "must lie in the network and not overlap another subnet or route";
            return Err(Refusal::invalid(&field, message));
        }
        Ok(Subnet { kind: kind.to_owned(), range, zone: zone.to_owned() })
    }

    fn check_route(&self, route: &Value, path: &str) -> Result<Route, Refusal> {
        if self.routes.len() >= ROUTES_MAX {
            return Err(Refusal::limit("network_route"));
        }
        let route = parse_route(route, path)?;
        let collides = self.routes.iter().any(|other| other.destination == route.destination)
            || self.subnets.iter().any(|one| is_specific_overlap(&route.destination, &one.range));
        if collides {
            let message = "must not overlap a subnet or another route";
            return Err(Refusal::invalid(&format!("{path}destination"), message));
        }
        let is_usable = self.range.contains(&route.gateway)
            && route.gateway != addresses::gateway(&self.range)
            && route.gateway != Ipv4Addr::new(172, 31, 1, 1);
        if !is_usable {
            let message = "must be an unreserved address of the network";
            return Err(Refusal::invalid(&format!("{path}gateway"), message));
        }
        Ok(route)
    }
}

// The default route overlaps everything and is legal all the same.
fn is_specific_overlap(destination: &Ipv4Net, range: &Ipv4Net) -> bool {
    destination.prefix_len() > 0 && overlaps(destination, range)
}

fn parse_route(route: &Value, path: &str) -> Result<Route, Refusal> {
    let field = format!("{path}destination");
    let destination: Ipv4Net = route["destination"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .filter(|range: &Ipv4Net| range.trunc() == *range)
        .ok_or_else(|| Refusal::invalid(&field, "is not a valid IPv4 network"))?;
    let gateway = route["gateway"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Refusal::invalid(&format!("{path}gateway"), "is not an IPv4 address"))?;
    Ok(Route { destination, gateway })
}

fn find<'a>(project: &'a Project, input: &Input) -> Result<&'a Network, Refusal> {
    let id = input.id(Kind::Network)?;
    project.networks.get(&id).ok_or_else(|| Refusal::not_found("network", id))
}

fn edit(project: &mut Project, id: u64, change: impl FnOnce(&mut Network)) -> Result<(), Failure> {
    project
        .networks
        .get_mut(&id)
        .map(change)
        .ok_or_else(|| Failure::new("network_not_found", "the network is gone"))
}

fn check_name(project: &Project, name: &str, own: Option<u64>) -> Result<(), Refusal> {
    let is_taken = project.settings.network_names_unique
        && project.networks.values().any(|other| other.name == name && Some(other.id) != own);
    if is_taken { Err(Refusal::taken("name", "name is already used")) } else { Ok(()) }
}

/// Answers `GET /networks`.
pub fn list(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let documents = project.networks.values().map(|one| one.document(project)).collect();
    LISTING.reply(project, input, documents)
}

/// Answers `GET /networks/{id}`.
pub fn get(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let network = find(project, input)?;
    Ok(Reply::new(200, json!({"network": network.document(project)})))
}

/// Answers `POST /networks`.
pub fn create(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let name = input.text("name").unwrap_or_default().to_owned();
    let mut network = Network {
        id: 0,
        range: addresses::network_range("ip_range", input.text("ip_range").unwrap_or_default())?,
        name,
        subnets: Vec::new(),
        routes: Vec::new(),
        labels: input.labels().unwrap_or_default(),
        created: project.now,
        is_delete_protected: false,
        exposes_routes: input.flag("expose_routes_to_vswitch").unwrap_or(false),
    };
    for (index, subnet) in input.list("subnets").iter().enumerate() {
        let subnet =
            network.check_subnet(subnet, &format!("subnets.{index}."), &project.catalogue)?;
        network.subnets.push(subnet);
    }
    for (index, route) in input.list("routes").iter().enumerate() {
        let route = network.check_route(route, &format!("routes.{index}."))?;
        network.routes.push(route);
    }
    check_name(project, &network.name, None)?;
    project.check_quota("network", project.networks.len(), 1)?;
    network.id = project.next_id();
    project.created(Kind::Network, network.id, &network.name, &network.labels);
    let document = network.document(project);
    project.networks.insert(network.id, network);
    Ok(Reply::new(201, json!({"network": document})))
}

/// Answers `PUT /networks/{id}`.
pub fn update(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?.id;
    if let Some(name) = input.text("name") {
        check_name(project, name, Some(id))?;
    }
    // The lookup above proves that the edit finds it.
    let _ = edit(project, id, |network| {
        network.name = input.text("name").unwrap_or(&network.name).to_owned();
        network.labels = input.labels().unwrap_or_else(|| network.labels.clone());
        network.exposes_routes =
            input.flag("expose_routes_to_vswitch").unwrap_or(network.exposes_routes);
    });
    get(project, input)
}

/// Answers `DELETE /networks/{id}`: attached servers are detached, not a hindrance.
pub fn delete(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let network = find(project, input)?.clone();
    if network.is_delete_protected {
        return Err(Refusal::protected("network is delete protected"));
    }
    project.check_unchanging(Kind::Network, network.id)?;
    for server in project.servers.values_mut() {
        server.nics.retain(|nic| nic.network != network.id);
    }
    project.networks.remove(&network.id);
    project.deleted(Kind::Network, network.id, &network.name, &network.labels);
    Ok(Reply::empty())
}

/// Answers `GET /networks/{id}/members`.
pub fn members(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    const MEMBERS: Listing = Listing {
        sortable: &["id"],
        filters: &[
            ("type", &["server", "load_balancer"]),
            ("status", &["ok", "attaching", "detaching", "updating", "error"]),
            ("subnet", &[]),
        ],
        ..Listing::new("members")
    };
    let network = find(project, input)?;
    let documents = project
        .servers
        .values()
        .flat_map(|server| server.nics.iter().map(move |nic| (server.id, nic)))
        .filter(|(_, nic)| nic.network == network.id)
        .map(|(server, nic)| {
            json!({
                "id": server,
                "type": "server",
                "ip": nic.ip.to_string(),
                "alias_ips": nic.aliases.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "subnet": network.subnet_of(nic.ip).map(|subnet| subnet.range.to_string()),
                "status": if nic.is_ready { "ok" } else { "attaching" },
            })
        })
        .collect();
    MEMBERS.reply(project, input, documents)
}

fn change(
    project: &mut Project,
    id: u64,
    command: &'static str,
    change: impl Fn(&mut Network) + Send + Sync + 'static,
) -> Result<Reply, Refusal> {
    project.check_unchanging(Kind::Network, id)?;
    let job = Job::new(command)
        .holding(Kind::Network, id)
        .then(move |project| edit(project, id, &change));
    let action = project.begin(job);
    Ok(Reply::new(201, project.action_body(action)))
}

/// Answers `add_subnet`.
pub fn add_subnet(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let network = find(project, input)?;
    let (id, subnet) = (network.id, network.check_subnet(&input.body, "", &project.catalogue)?);
    change(project, id, "add_subnet", move |network| network.subnets.push(subnet.clone()))
}

/// Answers `delete_subnet`.
pub fn delete_subnet(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let network = find(project, input)?;
    let range = addresses::subnet_range("ip_range", input.text("ip_range").unwrap_or_default())?;
    if !network.subnets.iter().any(|subnet| subnet.range == range) {
        return Err(Refusal::new(404, "not_found", format!("subnet {range} not found")));
    }
    let is_used = project
        .servers
        .values()
        .flat_map(|server| &server.nics)
        .any(|nic| nic.network == network.id && range.contains(&nic.ip));
    if is_used {
        return Err(Refusal::unprocessable("service_error", "servers are attached"));
    }
    let id = network.id;
    change(project, id, "delete_subnet", move |network| {
        network.subnets.retain(|subnet| subnet.range != range);
    })
}

/// Answers `add_route`.
pub fn add_route(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let network = find(project, input)?;
    let (id, route) = (network.id, network.check_route(&input.body, "")?);
    change(project, id, "add_route", move |network| network.routes.push(route.clone()))
}

/// Answers `delete_route`.
pub fn delete_route(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let network = find(project, input)?;
    let (id, route) = (network.id, parse_route(&input.body, "")?);
    if !network.routes.contains(&route) {
        return Err(Refusal::new(404, "not_found", "route not found"));
    }
    change(project, id, "delete_route", move |network| {
        network.routes.retain(|other| *other != route);
    })
}

/// Answers `change_ip_range`: a range only grows at its end.
pub fn change_ip_range(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let network = find(project, input)?;
    let range = addresses::network_range("ip_range", input.text("ip_range").unwrap_or_default())?;
    if range.network() != network.range.network() || !range.contains(&network.range) {
        return Err(Refusal::invalid("ip_range", "range can only be extended"));
    }
    let id = network.id;
    change(project, id, "change_ip_range", move |network| network.range = range)
}

/// Answers `change_protection`.
pub fn change_protection(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?.id;
    let flag = input.flag("delete");
    change(project, id, "change_protection", move |network| {
        network.is_delete_protected = flag.unwrap_or(network.is_delete_protected);
    })
}
