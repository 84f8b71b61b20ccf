//! Primary IPs: public addresses, with or without a server.

use std::net::Ipv6Addr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::actions::{Failure, Job};
use super::addresses;
use super::catalogue::Location;
use super::clock::written;
use super::labels::Labels;
use super::paging::Listing;
use super::project::{Kind, Project};
use super::refusal::Refusal;
use super::request::{Input, Reply};
use super::servers;
use super::validation::{Field, Shape, optional, required};

/// Body of `POST /primary_ips`.
pub const CREATE: &[Field] = &[
    required("name", Shape::Text(1, 128)),
    optional("labels", Shape::Labels),
    required("type", Shape::Choice(&["ipv4", "ipv6"])),
    optional("location", Shape::Reference),
    optional("assignee_type", Shape::Choice(&["server"])),
    optional("assignee_id", Shape::Id).or_null(),
    optional("auto_delete", Shape::Flag),
];
/// Body of `PUT /primary_ips/{id}`.
pub const UPDATE: &[Field] = &[
    optional("name", Shape::Text(1, 128)),
    optional("labels", Shape::Labels),
    optional("auto_delete", Shape::Flag),
];
/// Body of `assign`.
pub const ASSIGN: &[Field] =
    &[required("assignee_type", Shape::Choice(&["server"])), required("assignee_id", Shape::Id)];
/// Body of `change_protection`.
pub const PROTECTION: &[Field] = &[required("delete", Shape::Flag)];
/// Body of `change_dns_ptr`, here and on servers.
pub const DNS_PTR: &[Field] =
    &[required("ip", Shape::Address), required("dns_ptr", Shape::Text(1, 253)).or_null()];

const LISTING: Listing = Listing {
    kind: Some(Kind::PrimaryIp),
    sortable: &["id", "created"],
    filters: &[("name", &[]), ("ip", &[])],
    ..Listing::new("primary_ips")
};

/// A public address.
#[derive(Debug, Clone)]
pub struct PrimaryIp {
    pub id: u64,
    pub name: String,
    pub is_ipv4: bool,
    /// An address, or the first one of a /64.
    pub ip: String,
    pub location: &'static Location,
    pub labels: Labels,
    pub created: Timestamp,
    pub is_delete_protected: bool,
    pub is_auto_deleted: bool,
    pub server: Option<u64>,
    /// Reverse names by address.
    pub reverse: Vec<(String, String)>,
}

impl PrimaryIp {
    /// Returns the API document.
    pub fn document(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "labels": self.labels,
            "created": written(self.created),
            "blocked": false,
            "location": self.location.document(),
            "ip": self.ip,
            "dns_ptr": self.reverse_documents(),
            "protection": {"delete": self.is_delete_protected},
            "type": if self.is_ipv4 { "ipv4" } else { "ipv6" },
            "auto_delete": self.is_auto_deleted,
            "assignee_type": "server",
            "assignee_id": self.server,
        })
    }

    fn reverse_documents(&self) -> Vec<Value> {
        self.reverse.iter().map(|(ip, name)| json!({"ip": ip, "dns_ptr": name})).collect()
    }

    /// Returns the part of a server's document that shows this address.
    pub fn public_document(&self) -> Value {
        let reverse = if self.is_ipv4 {
            json!(self.reverse.first().map_or("", |(_, name)| name.as_str()))
        } else {
            json!(self.reverse_documents())
        };
        let ip = if self.is_ipv4 { self.ip.clone() } else { format!("{}/64", self.ip) };
        json!({"id": self.id, "ip": ip, "blocked": false, "dns_ptr": reverse})
    }

    fn owns(&self, address: &str) -> bool {
        if self.is_ipv4 {
            return self.ip == address;
        }
        match (address.parse::<Ipv6Addr>(), self.ip.parse::<Ipv6Addr>()) {
            (Ok(address), Ok(base)) => address.segments()[..4] == base.segments()[..4],
            _ => false,
        }
    }
}

/// What a new address is made of.
#[derive(Debug)]
pub struct NewAddress {
    pub name: Option<String>,
    pub is_ipv4: bool,
    pub location: &'static Location,
    pub labels: Labels,
    pub is_auto_deleted: bool,
}

/// Makes an address and returns its id.
pub fn allocate(project: &mut Project, new: NewAddress) -> u64 {
    let (id, index) = (project.next_id(), project.next_address());
    let name = new.name.unwrap_or_else(|| format!("primary_ip-{id}"));
    let (ip, reverse) = if new.is_ipv4 {
        let ip = addresses::public_ipv4(index).to_string();
        (ip.clone(), vec![(ip.clone(), default_reverse(&ip))])
    } else {
        (addresses::public_ipv6(index).to_string(), Vec::new())
    };
    let address = PrimaryIp {
        id,
        name,
        is_ipv4: new.is_ipv4,
        ip,
        location: new.location,
        labels: new.labels,
        created: project.now,
        is_delete_protected: false,
        is_auto_deleted: new.is_auto_deleted,
        server: None,
        reverse,
    };
    project.created(Kind::PrimaryIp, id, &address.name, &address.labels);
    project.primary_ips.insert(id, address);
    id
}

fn default_reverse(ip: &str) -> String {
    format!(
        "static.{}.clients.simulator.invalid",
        ip.split('.').rev().collect::<Vec<_>>().join(".")
    )
}

/// Returns the address of one family that a server holds.
pub fn of_server(project: &Project, server: u64, is_ipv4: bool) -> Option<&PrimaryIp> {
    project.primary_ips.values().find(|ip| ip.server == Some(server) && ip.is_ipv4 == is_ipv4)
}

fn find<'a>(project: &'a Project, input: &Input) -> Result<&'a PrimaryIp, Refusal> {
    let id = input.id(Kind::PrimaryIp)?;
    project.primary_ips.get(&id).ok_or_else(|| Refusal::not_found("primary IP", id))
}

fn edit(
    project: &mut Project,
    id: u64,
    change: impl FnOnce(&mut PrimaryIp),
) -> Result<(), Failure> {
    project
        .primary_ips
        .get_mut(&id)
        .map(change)
        .ok_or_else(|| Failure::new("primary_ip_not_found", "the primary IP is gone"))
}

fn check_name(project: &Project, name: &str, own: Option<u64>) -> Result<(), Refusal> {
    let is_taken =
        project.primary_ips.values().any(|other| other.name == name && Some(other.id) != own);
    if is_taken { Err(Refusal::taken("name", "name is already used")) } else { Ok(()) }
}

/// Answers `GET /primary_ips`.
pub fn list(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    LISTING.reply(project, input, project.primary_ips.values().map(PrimaryIp::document).collect())
}

/// Answers `GET /primary_ips/{id}`.
pub fn get(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    Ok(Reply::new(200, json!({"primary_ip": find(project, input)?.document()})))
}

/// Answers `POST /primary_ips`.
pub fn create(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let name = input.text("name").unwrap_or_default();
    let (server, is_ipv4) = (input.number("assignee_id"), input.text("type") == Some("ipv4"));
    let location = match (input.reference("location"), server) {
        (Some(name), None) => project
            .catalogue
            .location(&name)
            .ok_or_else(|| Refusal::invalid("location", format!("location {name} not found")))?,
        (None, Some(server)) => {
            check_server(project, server, is_ipv4)?;
            servers::find_id(project, server)?.location
        }
        _ => return Err(Refusal::invalid("location", "give either location or assignee_id")),
    };
    check_name(project, name, None)?;
    project.check_quota("primary_ip", project.primary_ips.len(), 1)?;
    let new = NewAddress {
        name: Some(name.to_owned()),
        is_ipv4,
        location,
        labels: input.labels().unwrap_or_default(),
        is_auto_deleted: input.flag("auto_delete").unwrap_or(false),
    };
    let id = allocate(project, new);
    let document = project.primary_ips.get(&id).map(PrimaryIp::document);
    let action = server.map(|server| {
        let action = project.begin(assign_job(id, server));
        project.action(action)
    });
    Ok(Reply::new(201, json!({"primary_ip": document, "action": action})))
}

fn check_server(project: &Project, server: u64, is_ipv4: bool) -> Result<(), Refusal> {
    let found = servers::find_id(project, server)?;
    project.check_unlocked(Kind::Server, server)?;
    if found.status != servers::Status::Off {
        return Err(Refusal::unprocessable("server_not_stopped", "server must be powered off"));
    }
    if of_server(project, server, is_ipv4).is_some() {
        let code = if is_ipv4 { "server_has_ipv4" } else { "server_has_ipv6" };
        return Err(Refusal::unprocessable(code, "server already has an address of this type"));
    }
    Ok(())
}

fn assign_job(id: u64, server: u64) -> Job {
    Job::new("assign_primary_ip").holding(Kind::PrimaryIp, id).holding(Kind::Server, server).then(
        move |project| {
            if !project.servers.contains_key(&server) {
                return Err(Failure::new("server_not_found", "the server is gone"));
            }
            edit(project, id, |ip| ip.server = Some(server))
        },
    )
}

/// Answers `PUT /primary_ips/{id}`.
pub fn update(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?.id;
    if let Some(name) = input.text("name") {
        check_name(project, name, Some(id))?;
    }
    // The lookup above proves that the edit finds it.
    let _ = edit(project, id, |ip| {
        ip.name = input.text("name").unwrap_or(&ip.name).to_owned();
        ip.labels = input.labels().unwrap_or_else(|| ip.labels.clone());
        ip.is_auto_deleted = input.flag("auto_delete").unwrap_or(ip.is_auto_deleted);
    });
    get(project, input)
}

/// Answers `DELETE /primary_ips/{id}`: only an unassigned one goes.
pub fn delete(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let ip = find(project, input)?.clone();
    if ip.is_delete_protected {
        return Err(Refusal::protected("primary IP is delete protected"));
    }
    project.check_unlocked(Kind::PrimaryIp, ip.id)?;
    if ip.server.is_some() {
        let message = "primary IP must be unassigned before it can be deleted";
        return Err(Refusal::unprocessable("must_be_unassigned", message));
    }
    project.primary_ips.remove(&ip.id);
    project.deleted(Kind::PrimaryIp, ip.id, &ip.name, &ip.labels);
    Ok(Reply::empty())
}

/// Answers `assign`.
pub fn assign(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let ip = find(project, input)?.clone();
    let server = input.number("assignee_id").unwrap_or_default();
    if ip.server.is_some() {
        let message = "primary IP is already assigned to a server";
        return Err(Refusal::unprocessable("primary_ip_already_assigned", message));
    }
    project.check_unlocked(Kind::PrimaryIp, ip.id)?;
    check_server(project, server, ip.is_ipv4)?;
    if servers::find_id(project, server)?.location.id != ip.location.id {
        return Err(Refusal::invalid("assignee_id", "server is in another location"));
    }
    let action = project.begin(assign_job(ip.id, server));
    Ok(Reply::new(201, project.action_body(action)))
}

/// Answers `unassign`.
pub fn unassign(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let ip = find(project, input)?.clone();
    let Some(server) = ip.server else {
        return Err(Refusal::invalid("id", "primary IP is not assigned"));
    };
    project.check_unlocked(Kind::PrimaryIp, ip.id)?;
    project.check_unlocked(Kind::Server, server)?;
    if servers::find_id(project, server)?.status != servers::Status::Off {
        return Err(Refusal::unprocessable("server_not_stopped", "server must be powered off"));
    }
    let job = Job::new("unassign_primary_ip")
        .holding(Kind::PrimaryIp, ip.id)
        .holding(Kind::Server, server)
        .then(move |project| edit(project, ip.id, |ip| ip.server = None));
    let action = project.begin(job);
    Ok(Reply::new(201, project.action_body(action)))
}

/// Answers `change_protection`.
pub fn change_protection(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let (id, flag) = (find(project, input)?.id, input.flag("delete").unwrap_or(false));
    project.check_unlocked(Kind::PrimaryIp, id)?;
    let job = Job::new("change_protection")
        .holding(Kind::PrimaryIp, id)
        .then(move |project| edit(project, id, |ip| ip.is_delete_protected = flag));
    let action = project.begin(job);
    Ok(Reply::new(201, project.action_body(action)))
}

/// Answers `change_dns_ptr`.
pub fn change_dns_ptr(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?.id;
    project.check_unlocked(Kind::PrimaryIp, id)?;
    let job = reverse_job(project, input, &[id])?;
    let action = project.begin(job);
    Ok(Reply::new(201, project.action_body(action)))
}

/// Describes the change of a reverse name, of whichever address of `candidates` the body names.
pub fn reverse_job(project: &Project, input: &Input, candidates: &[u64]) -> Result<Job, Refusal> {
    let address = input.text("ip").unwrap_or_default().to_owned();
    let name = input.text("dns_ptr").map(str::to_owned);
    if let Some(name) = &name {
        super::validation::hostname(name)
            .map_err(|_| Refusal::invalid("dns_ptr", "must be a valid hostname"))?;
    }
    let owner = candidates
        .iter()
        .find(|id| project.primary_ips.get(id).is_some_and(|ip| ip.owns(&address)))
        .copied()
        .ok_or_else(|| Refusal::new(404, "not_found", format!("IP {address} not found")))?;
    Ok(Job::new("change_dns_ptr").holding(Kind::PrimaryIp, owner).then(move |project| {
        edit(project, owner, |ip| {
            let name = name.clone().or_else(|| ip.is_ipv4.then(|| default_reverse(&address)));
            ip.reverse.retain(|(other, _)| *other != address);
            ip.reverse.extend(name.map(|name| (address.clone(), name)));
        })
    }))
}
