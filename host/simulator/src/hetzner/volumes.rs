//! Volumes: block storage that outlives servers.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::actions::{Failure, Job};
use super::catalogue::Location;
use super::clock::written;
use super::labels::Labels;
use super::paging::Listing;
use super::project::{Kind, Project};
use super::refusal::Refusal;
use super::request::{Input, Reply};
use super::validation::{self, Field, Shape, optional, required};

const SIZE_MIN: i64 = 10;
const SIZE_MAX: i64 = 10_240;
const VOLUMES_PER_SERVER_MAX: usize = 16;

/// Body of `POST /volumes`.
pub const CREATE: &[Field] = &[
    required("size", Shape::Whole(SIZE_MIN, SIZE_MAX)),
    required("name", Shape::Text(1, 64)),
    optional("labels", Shape::Labels),
    optional("automount", Shape::Flag),
    optional("format", Shape::Choice(&["ext4", "xfs"])),
    optional("location", Shape::Reference),
    optional("server", Shape::Id),
];
/// Body of `PUT /volumes/{id}`.
pub const UPDATE: &[Field] =
    &[optional("name", Shape::Text(1, 64)), optional("labels", Shape::Labels)];
/// Body of `attach`.
pub const ATTACH: &[Field] = &[required("server", Shape::Id), optional("automount", Shape::Flag)];
/// Body of `resize`.
pub const RESIZE: &[Field] = &[required("size", Shape::Whole(SIZE_MIN, SIZE_MAX))];

const LISTING: Listing = Listing {
    kind: Some(Kind::Volume),
    filters: &[("name", &[]), ("status", &["available", "creating"])],
    ..Listing::new("volumes")
};

/// A block device.
#[derive(Debug, Clone)]
pub struct Volume {
    pub id: u64,
    pub name: String,
    pub size: u64,
    pub location: &'static Location,
    pub server: Option<u64>,
    pub format: Option<String>,
    pub labels: Labels,
    pub created: Timestamp,
    pub is_delete_protected: bool,
    pub is_available: bool,
}

impl Volume {
    /// Returns the API document.
    pub fn document(&self) -> Value {
        json!({
            "id": self.id,
            "created": written(self.created),
            "name": self.name,
            "server": self.server,
            "location": self.location.document(),
            "size": self.size,
            "linux_device": format!("/dev/disk/by-id/scsi-0HC_Volume_{}", self.id),
            "protection": {"delete": self.is_delete_protected},
            "labels": self.labels,
            "status": if self.is_available { "available" } else { "creating" },
            "format": self.format,
        })
    }
}

fn find<'a>(project: &'a Project, input: &Input) -> Result<&'a Volume, Refusal> {
    let id = input.id(Kind::Volume)?;
    project.volumes.get(&id).ok_or_else(|| Refusal::not_found("volume", id))
}

fn edit(project: &mut Project, id: u64, change: impl FnOnce(&mut Volume)) -> Result<(), Failure> {
    project
        .volumes
        .get_mut(&id)
        .map(change)
        .ok_or_else(|| Failure::new("volume_not_found", "the volume is gone"))
}

fn check_name(project: &Project, name: &str, own: Option<u64>) -> Result<(), Refusal> {
    validation::volume_name(name)?;
    let is_taken =
        project.volumes.values().any(|other| other.name == name && Some(other.id) != own);
    if is_taken { Err(Refusal::taken("name", "volume name is already used")) } else { Ok(()) }
}

/// Answers `GET /volumes`.
pub fn list(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    LISTING.reply(project, input, project.volumes.values().map(Volume::document).collect())
}

/// Answers `GET /volumes/{id}`.
pub fn get(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    Ok(Reply::new(200, json!({"volume": find(project, input)?.document()})))
}

/// Answers `POST /volumes`; one with a server is attached by itself.
pub fn create(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let name = input.text("name").unwrap_or_default();
    check_name(project, name, None)?;
    let server = input.number("server");
    let location = place(project, input, server)?;
    if input.flag("automount") == Some(true) && server.is_none() {
        return Err(Refusal::invalid(
            "automount",
            "server must be provided when automount is true",
        ));
    }
    if let Some(server) = server {
        check_server(project, server, location)?;
    }
    project.check_quota("volume", project.volumes.len(), 1)?;
    let volume = Volume {
        id: project.next_id(),
        name: name.to_owned(),
        size: input.number("size").unwrap_or_default(),
        location,
        server: None,
        format: input.text("format").map(str::to_owned),
        labels: input.labels().unwrap_or_default(),
        created: project.now,
        is_delete_protected: false,
        is_available: false,
    };
    let id = volume.id;
    project.created(Kind::Volume, id, &volume.name, &volume.labels);
    let document = volume.document();
    project.volumes.insert(id, volume);
    let create = project.begin(
        Job::new("create_volume")
            .holding(Kind::Volume, id)
            .then(move |project| edit(project, id, |volume| volume.is_available = true)),
    );
    let next = server.map(|server| {
        let job = attach_job(id, server).after(create);
        project.begin(job)
    });
    let next: Vec<Value> = next.map(|action| project.action(action)).into_iter().collect();
    let body = json!({"volume": document, "action": project.action(create), "next_actions": next});
    Ok(Reply::new(201, body))
}

fn place(
    project: &Project,
    input: &Input,
    server: Option<u64>,
) -> Result<&'static Location, Refusal> {
    let named = input.reference("location");
    match (named, server) {
        (Some(name), None) => project
            .catalogue
            .location(&name)
            .ok_or_else(|| Refusal::invalid("location", format!("location {name} not found"))),
        (None, Some(server)) => project
            .servers
            .get(&server)
            .map(|server| server.location)
            .ok_or_else(|| Refusal::not_found("server", server)),
        _ => Err(Refusal::invalid("location", "exactly one of location and server must be given")),
    }
}

fn check_server(
    project: &Project,
    server: u64,
    location: &'static Location,
) -> Result<(), Refusal> {
    let found = project.servers.get(&server).ok_or_else(|| Refusal::not_found("server", server))?;
    if found.location.id != location.id {
        let message = "server and volume must be in the same location";
        return Err(Refusal::invalid("server", message));
    }
    project.check_unlocked(Kind::Server, server)?;
    let held = project.volumes.values().filter(|volume| volume.server == Some(server)).count();
    if held >= VOLUMES_PER_SERVER_MAX {
        return Err(Refusal::limit("server_volume"));
    }
    Ok(())
}

/// Describes the attachment of a volume.
pub fn attach_job(volume: u64, server: u64) -> Job {
    Job::new("attach_volume").holding(Kind::Volume, volume).holding(Kind::Server, server).then(
        move |project| {
            if !project.servers.contains_key(&server) {
                return Err(Failure::new("server_not_found", "the server is gone"));
            }
            edit(project, volume, |volume| volume.server = Some(server))
        },
    )
}

/// Refuses a volume that a new server in `location` cannot take.
pub fn check_attachable(
    project: &Project,
    id: u64,
    location: &'static Location,
) -> Result<(), Refusal> {
    let volume = project.volumes.get(&id).ok_or_else(|| Refusal::not_found("volume", id))?;
    if volume.location.id != location.id {
        let message = "server and volume must be in the same location";
        return Err(Refusal::invalid("volumes", message));
    }
    if volume.server.is_some() {
        let message = format!("volume with ID '{id}' is already attached to a server");
        return Err(Refusal::unprocessable("volume_already_attached", message));
    }
    project.check_unlocked(Kind::Volume, id)
}

/// Answers `PUT /volumes/{id}`.
pub fn update(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?.id;
    if let Some(name) = input.text("name") {
        check_name(project, name, Some(id))?;
    }
    // The lookup above proves that the edit finds it.
    let _ = edit(project, id, |volume| {
        volume.name = input.text("name").unwrap_or(&volume.name).to_owned();
        volume.labels = input.labels().unwrap_or_else(|| volume.labels.clone());
    });
    get(project, input)
}

/// Answers `DELETE /volumes/{id}`: only a detached one goes.
pub fn delete(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let volume = find(project, input)?.clone();
    if volume.is_delete_protected {
        return Err(Refusal::protected("volume is delete protected"));
    }
    project.check_unlocked(Kind::Volume, volume.id)?;
    if volume.server.is_some() {
        let message = format!("volume with ID '{}' is still attached to a server", volume.id);
        return Err(Refusal::unprocessable("service_error", message));
    }
    project.volumes.remove(&volume.id);
    project.deleted(Kind::Volume, volume.id, &volume.name, &volume.labels);
    Ok(Reply::empty())
}

/// Answers `attach`.
pub fn attach(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let volume = find(project, input)?;
    let (id, location) = (volume.id, volume.location);
    let server = input.number("server").unwrap_or_default();
    check_attachable(project, id, location)?;
    check_server(project, server, location)?;
    let action = project.begin(attach_job(id, server));
    Ok(Reply::new(201, project.action_body(action)))
}

/// Answers `detach`.
pub fn detach(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let volume = find(project, input)?;
    let id = volume.id;
    let Some(server) = volume.server else {
        let message = format!("volume with ID '{id}' is not attached to a server");
        return Err(Refusal::unprocessable("service_error", message));
    };
    project.check_unlocked(Kind::Volume, id)?;
    project.check_unlocked(Kind::Server, server)?;
    let job = Job::new("detach_volume")
        .holding(Kind::Volume, id)
        .holding(Kind::Server, server)
        .then(move |project| edit(project, id, |volume| volume.server = None));
    let action = project.begin(job);
    Ok(Reply::new(201, project.action_body(action)))
}

/// Answers `resize`: a volume only grows.
pub fn resize(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let volume = find(project, input)?;
    let (id, size) = (volume.id, input.number("size").unwrap_or_default());
    if size <= volume.size {
        return Err(Refusal::invalid("size", "volume can only be made larger"));
    }
    project.check_unlocked(Kind::Volume, id)?;
    let job = Job::new("resize_volume")
        .holding(Kind::Volume, id)
        .then(move |project| edit(project, id, |volume| volume.size = size));
    let action = project.begin(job);
    Ok(Reply::new(201, project.action_body(action)))
}

/// Answers `change_protection`.
pub fn change_protection(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let (id, flag) = (find(project, input)?.id, input.flag("delete"));
    project.check_unlocked(Kind::Volume, id)?;
    let job = Job::new("change_protection").holding(Kind::Volume, id).then(move |project| {
        edit(project, id, |volume| {
            volume.is_delete_protected = flag.unwrap_or(volume.is_delete_protected);
        })
    });
    let action = project.begin(job);
    Ok(Reply::new(201, project.action_body(action)))
}
