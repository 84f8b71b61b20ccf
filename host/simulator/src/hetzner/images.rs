//! Images: those of the provider, and the project's snapshots and backups.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::actions::{Failure, Job};
use super::catalogue::SystemImage;
use super::clock::written;
use super::labels::Labels;
use super::paging::Listing;
use super::project::{Kind, Project};
use super::refusal::Refusal;
use super::request::{Input, Reply};
use super::validation::{Field, Shape, optional};

/// Body of `PUT /images/{id}`.
pub const UPDATE: &[Field] = &[
    optional("description", Shape::Text(0, 1024)),
    optional("type", Shape::Choice(&["snapshot"])),
    optional("labels", Shape::Labels),
];

const LISTING: Listing = Listing {
    kind: Some(Kind::Image),
    filters: &[
        ("name", &[]),
        ("type", &["system", "app", "snapshot", "backup"]),
        ("status", &["available", "creating", "unavailable"]),
        ("bound_to", &[]),
        ("architecture", &["x86", "arm"]),
    ],
    ..Listing::new("images")
};

/// The provider published its images when its clock read this.
const SYSTEM_CREATED: &str = "2025-08-20T06:00:00Z";

/// A snapshot or a backup of a server.
#[derive(Debug, Clone)]
pub struct Image {
    pub id: u64,
    pub is_backup: bool,
    pub status: &'static str,
    pub description: String,
    /// Gigabytes as billed, known once the image is complete.
    pub size: Option<u64>,
    pub disk: u64,
    pub created: Timestamp,
    pub created_from: (u64, String),
    /// The provider's image that the server once booted from.
    pub base: &'static SystemImage,
    pub labels: Labels,
    pub is_delete_protected: bool,
}

/// What a server can boot from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    System(&'static SystemImage),
    Own(&'a Image),
}

impl Image {
    /// Returns the API document.
    pub fn document(&self) -> Value {
        let (server, name) = &self.created_from;
        json!({
            "id": self.id,
            "type": if self.is_backup { "backup" } else { "snapshot" },
            "status": self.status,
            "name": null,
            "description": self.description,
            "image_size": self.size,
            "disk_size": self.disk,
            "created": written(self.created),
            "created_from": {"id": server, "name": name},
            "bound_to": self.is_backup.then_some(server),
            "os_flavor": self.base.flavor,
            "os_version": self.base.version,
            "rapid_deploy": false,
            "protection": {"delete": self.is_delete_protected},
            "deprecated": null,
            "deprecation": null,
            "deleted": null,
            "labels": self.labels,
            "architecture": self.base.architecture,
        })
    }
}

/// Returns the API document of an image of the provider.
pub fn system_document(image: &SystemImage) -> Value {
    if let Some(told) = image.told {
        return told.clone();
    }
    json!({
        "id": image.id,
        "type": image.kind,
        "status": "available",
        "name": image.name,
        "description": image.description,
        "image_size": null,
        "disk_size": 5,
        "created": SYSTEM_CREATED,
        "created_from": null,
        "bound_to": null,
        "os_flavor": image.flavor,
        "os_version": image.version,
        "rapid_deploy": true,
        "protection": {"delete": false},
        "deprecated": null,
        "deprecation": null,
        "deleted": null,
        "labels": {},
        "architecture": image.architecture,
    })
}

impl<'a> Source<'a> {
    /// Finds what a name or an id stands for on an architecture.
    pub fn find(project: &'a Project, name: &str, architecture: &str) -> Result<Self, Refusal> {
        if let Some(image) = project.catalogue.image(name, architecture) {
            return if image.architecture == architecture {
                Ok(Self::System(image))
            } else {
                Err(Refusal::invalid("image", "image has another architecture"))
            };
        }
        let own = name.parse().ok().and_then(|id: u64| project.images.get(&id));
        match own {
            Some(image) if image.status != "available" => {
                Err(Refusal::invalid("image", "image is not available"))
            }
            Some(image) if image.base.architecture != architecture => {
                Err(Refusal::invalid("image", "image has another architecture"))
            }
            Some(image) => Ok(Self::Own(image)),
            None => Err(Refusal::invalid("image", format!("image {name} not found"))),
        }
    }

    /// Returns the gigabytes of disk that the image needs.
    pub fn disk(&self) -> u64 {
        match self {
            Self::System(_) => 0,
            Self::Own(image) => image.disk,
        }
    }

    /// Returns the id of the image.
    pub fn id(&self) -> u64 {
        match self {
            Self::System(image) => image.id,
            Self::Own(image) => image.id,
        }
    }

    /// Returns the provider's image behind it.
    pub fn base(&self) -> &'static SystemImage {
        match self {
            Self::System(image) => image,
            Self::Own(image) => image.base,
        }
    }
}

/// Returns the document of any image by id, or null when it was deleted.
pub fn document_of(project: &Project, id: u64) -> Value {
    let system = project.catalogue.images.iter().find(|image| image.id == id).map(system_document);
    let own = || project.images.get(&id).map(Image::document);
    system.or_else(own).unwrap_or(Value::Null)
}

fn find<'a>(project: &'a Project, input: &Input) -> Result<&'a Image, Refusal> {
    let id = input.id(Kind::Image)?;
    if project.catalogue.images.iter().any(|image| image.id == id) {
        let message = "only snapshots and backups can be changed";
        return Err(Refusal::new(403, "forbidden", message));
    }
    project.images.get(&id).ok_or_else(|| Refusal::not_found("image", id))
}

fn edit(project: &mut Project, id: u64, change: impl FnOnce(&mut Image)) -> Result<(), Failure> {
    project
        .images
        .get_mut(&id)
        .map(change)
        .ok_or_else(|| Failure::new("image_not_found", "the image is gone"))
}

/// Answers `GET /images`.
pub fn list(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let system = project.catalogue.images.iter().map(system_document);
    let documents = system.chain(project.images.values().map(Image::document)).collect();
    LISTING.reply(project, input, documents)
}

/// Answers `GET /images/{id}`.
pub fn get(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = input.id(Kind::Image)?;
    match document_of(project, id) {
        Value::Null => Err(Refusal::not_found("image", id)),
        document => Ok(Reply::new(200, json!({"image": document}))),
    }
}

/// Answers `PUT /images/{id}`.
pub fn update(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?.id;
    // The lookup above proves that the edit finds it.
    let _ = edit(project, id, |image| {
        image.description = input.text("description").unwrap_or(&image.description).to_owned();
        image.labels = input.labels().unwrap_or_else(|| image.labels.clone());
        image.is_backup = image.is_backup && input.text("type").is_none();
    });
    get(project, input)
}

/// Answers `DELETE /images/{id}`.
pub fn delete(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let image = find(project, input)?.clone();
    if image.is_delete_protected {
        return Err(Refusal::protected("snapshot deletion is protected"));
    }
    project.check_unlocked(Kind::Image, image.id)?;
    remove(project, image.id);
    Ok(Reply::empty())
}

/// Removes an image of the project.
pub fn remove(project: &mut Project, id: u64) {
    if let Some(image) = project.images.remove(&id) {
        project.deleted(Kind::Image, id, &image.description, &image.labels);
    }
}

/// Answers `change_protection`.
pub fn change_protection(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let image = find(project, input)?;
    let (id, flag) = (image.id, input.flag("delete"));
    if image.is_backup {
        return Err(Refusal::invalid("id", "only snapshots can be protected"));
    }
    project.check_unlocked(Kind::Image, id)?;
    let job = Job::new("change_protection").holding(Kind::Image, id).then(move |project| {
        edit(project, id, |image| {
            image.is_delete_protected = flag.unwrap_or(image.is_delete_protected);
        })
    });
    let action = project.begin(job);
    Ok(Reply::new(201, project.action_body(action)))
}
