//! Servers: their document, list, labels and end.

mod changes;
mod create;
mod metrics;
mod nics;
mod power;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::{Value, json};

pub use changes::*;
pub use create::{CREATE, create};
pub use metrics::metrics;
pub use nics::*;
pub use power::*;

use super::actions::{Failure, Job};
use super::catalogue::{Location, ServerType, SystemImage};
use super::clock::{later, written};
use super::firewalls::{self, Target};
use super::images;
use super::labels::Labels;
use super::paging::Listing;
use super::primary_ips;
use super::project::{Kind, Project};
use super::refusal::Refusal;
use super::request::{Input, Reply};
use super::validation::{self, Field, Shape, optional};

/// Body of `PUT /servers/{id}`.
pub const UPDATE: &[Field] =
    &[optional("name", Shape::Text(1, 253)), optional("labels", Shape::Labels)];

const LISTING: Listing = Listing {
    kind: Some(Kind::Server),
    filters: &[
        ("name", &[]),
        (
            "status",
            &[
                "running",
                "initializing",
                "starting",
                "stopping",
                "off",
                "deleting",
                "migrating",
                "rebuilding",
                "unknown",
            ],
        ),
    ],
    ..Listing::new("servers")
};

/// A virtual machine.
#[derive(Debug, Clone)]
pub struct Server {
    pub id: u64,
    pub name: String,
    pub status: Status,
    pub created: Timestamp,
    pub server_type: &'static ServerType,
    pub location: &'static Location,
    pub image: u64,
    pub base: &'static SystemImage,
    pub nics: Vec<Nic>,
    pub firewalls_applied: BTreeSet<u64>,
    pub placement_group: Option<u64>,
    pub labels: Labels,
    pub backup_window: Option<String>,
    pub is_rescue_enabled: bool,
    pub is_delete_protected: bool,
    pub is_rebuild_protected: bool,
    pub disk: u64,
}

/// What a server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Initializing,
    Starting,
    Running,
    Stopping,
    Off,
    Deleting,
    Migrating,
    Rebuilding,
}

/// A private interface of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    pub network: u64,
    pub ip: Ipv4Addr,
    pub aliases: Vec<Ipv4Addr>,
    pub mac: String,
    /// Whether the attachment is complete; until then the address is only kept free.
    pub is_ready: bool,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Off => "off",
            Self::Deleting => "deleting",
            Self::Migrating => "migrating",
            Self::Rebuilding => "rebuilding",
        }
    }
}

impl Server {
    /// Returns the API document.
    pub fn document(&self, project: &Project) -> Value {
        let volumes: Vec<u64> = project
            .volumes
            .values()
            .filter(|volume| volume.server == Some(self.id))
            .map(|volume| volume.id)
            .collect();
        let group = self.placement_group.and_then(|group| project.placement_groups.get(&group));
        let has_base = !matches!(self.status, Status::Initializing);
        json!({
            "id": self.id,
            "name": self.name,
            "status": self.status.word(),
            "created": written(self.created),
            "public_net": self.public_document(project),
            "private_net": self.private_document(),
            "server_type": self.server_type.document(&project.catalogue),
            "location": self.location.document(),
            "image": images::document_of(project, self.image),
            "iso": null,
            "rescue_enabled": self.is_rescue_enabled,
            "locked": project.is_locked(Kind::Server, self.id),
            "backup_window": self.backup_window,
            "outgoing_traffic": has_base.then_some(0),
            "ingoing_traffic": has_base.then_some(0),
            "included_traffic": 20_u64 << 40,
            "protection": {
                "delete": self.is_delete_protected,
                "rebuild": self.is_rebuild_protected,
            },
            "labels": self.labels,
            "volumes": volumes,
            "load_balancers": [],
            "primary_disk_size": self.disk,
            "placement_group": group.map(|group| group.document(project)),
        })
    }

    fn public_document(&self, project: &Project) -> Value {
        let shown = |is_ipv4| {
            primary_ips::of_server(project, self.id, is_ipv4).map(|ip| ip.public_document())
        };
        let firewalls: Vec<Value> = firewalls::firewalls_of(project, self.id)
            .iter()
            .map(|id| {
                let is_applied = self.firewalls_applied.contains(id);
                json!({"id": id, "status": if is_applied { "applied" } else { "pending" }})
            })
            .collect();
        json!({
            "ipv4": shown(true),
            "ipv6": shown(false),
            "floating_ips": [],
            "firewalls": firewalls,
        })
    }

    fn private_document(&self) -> Vec<Value> {
        self.nics
            .iter()
            .filter(|nic| nic.is_ready)
            .map(|nic| {
                json!({
                    "network": nic.network,
                    "ip": nic.ip.to_string(),
                    "alias_ips": nic.aliases.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "mac_address": nic.mac,
                })
            })
            .collect()
    }
}

/// Tells whether a server has a public interface.
pub fn is_public(project: &Project, server: u64) -> bool {
    project.primary_ips.values().any(|ip| ip.server == Some(server))
}

/// Finds a server by id.
pub fn find_id(project: &Project, id: u64) -> Result<&Server, Refusal> {
    project.servers.get(&id).ok_or_else(|| Refusal::not_found("server", id))
}

fn find<'a>(project: &'a Project, input: &Input) -> Result<&'a Server, Refusal> {
    find_id(project, input.id(Kind::Server)?)
}

/// Finds a server that no action holds.
fn find_unlocked<'a>(project: &'a Project, input: &Input) -> Result<&'a Server, Refusal> {
    let server = find(project, input)?;
    project.check_unlocked(Kind::Server, server.id)?;
    Ok(server)
}

fn edit(project: &mut Project, id: u64, change: impl FnOnce(&mut Server)) -> Result<(), Failure> {
    project
        .servers
        .get_mut(&id)
        .map(change)
        .ok_or_else(|| Failure::new("server_not_found", "the server is gone"))
}

fn set_status(project: &mut Project, id: u64, status: Status) {
    // A server that is gone has no status to set.
    let _ = edit(project, id, |server| server.status = status);
}

fn check_name(project: &Project, name: &str, own: Option<u64>) -> Result<(), Refusal> {
    validation::hostname(name)?;
    let is_same = |other: &Server| other.name.eq_ignore_ascii_case(name) && Some(other.id) != own;
    if project.servers.values().any(is_same) {
        return Err(Refusal::taken("name", "server name is already used"));
    }
    Ok(())
}

/// Begins a job and answers 201 with its action.
fn start(project: &mut Project, job: Job) -> Result<Reply, Refusal> {
    let action = project.begin(job);
    Ok(Reply::new(201, project.action_body(action)))
}

/// Answers `GET /servers`.
pub fn list(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let documents = project.servers.values().map(|one| one.document(project)).collect();
    LISTING.reply(project, input, documents)
}

/// Answers `GET /servers/{id}`.
pub fn get(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let document = find(project, input)?.document(project);
    Ok(Reply::new(200, json!({"server": document})))
}

/// Answers `PUT /servers/{id}`.
pub fn update(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?.id;
    if let Some(name) = input.text("name") {
        check_name(project, name, Some(id))?;
    }
    // The lookup above proves that the edit finds it.
    let _ = edit(project, id, |server| {
        server.name = input.text("name").unwrap_or(&server.name).to_owned();
        server.labels = input.labels().unwrap_or_else(|| server.labels.clone());
    });
    firewalls::follow_selectors(project, id);
    get(project, input)
}

/// Answers `DELETE /servers/{id}`: 200 with an action, at whose end the server is gone.
pub fn delete(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let server = find(project, input)?;
    let (id, status) = (server.id, server.status);
    if server.is_delete_protected {
        return Err(Refusal::protected("server deletion is protected"));
    }
    project.check_unlocked(Kind::Server, id)?;
    set_status(project, id, Status::Deleting);
    let job = Job::new("delete_server")
        .holding(Kind::Server, id)
        .then(move |project| {
            remove(project, id);
            Ok(())
        })
        .or_else(move |project| set_status(project, id, status));
    let action = project.begin(job);
    Ok(Reply::new(200, project.action_body(action)))
}

/// Removes a server: volumes and addresses are let go, backups and its own addresses die with it.
fn remove(project: &mut Project, id: u64) {
    let Some(server) = project.servers.remove(&id) else {
        return;
    };
    for volume in project.volumes.values_mut() {
        volume.server = volume.server.filter(|server| *server != id);
    }
    remove_addresses(project, id);
    let busy_until = later(project.now, project.settings.firewall_lag_ms);
    for firewall in project.firewalls.values_mut() {
        let is_target = firewall.targets.contains(&Target::Server(id));
        firewall.targets.retain(|target| *target != Target::Server(id));
        if is_target || server.firewalls_applied.contains(&firewall.id) {
            firewall.busy_until = firewall.busy_until.max(busy_until);
        }
    }
    let is_backup = |image: &&images::Image| image.is_backup && image.created_from.0 == id;
    let backups: Vec<u64> =
        project.images.values().filter(is_backup).map(|image| image.id).collect();
    for backup in backups {
        images::remove(project, backup);
    }
    project.deleted(Kind::Server, id, &server.name, &server.labels);
}

fn remove_addresses(project: &mut Project, server: u64) {
    let held: Vec<u64> = project
        .primary_ips
        .values()
        .filter(|ip| ip.server == Some(server))
        .map(|ip| ip.id)
        .collect();
    for id in held {
        let Some(mut ip) = project.primary_ips.remove(&id) else {
            continue;
        };
        if ip.is_auto_deleted {
            project.deleted(Kind::PrimaryIp, id, &ip.name, &ip.labels);
        } else {
            ip.server = None;
            project.primary_ips.insert(id, ip);
        }
    }
}
