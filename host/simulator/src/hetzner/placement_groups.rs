//! Placement groups: servers that must not share a host.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::clock::written;
use super::labels::Labels;
use super::paging::Listing;
use super::project::{Kind, Project};
use super::refusal::Refusal;
use super::request::{Input, Reply};
use super::validation::{Field, Shape, optional, required};

/// How many servers a spread group holds.
pub const MEMBERS_MAX: usize = 10;

/// Body of `POST /placement_groups`.
pub const CREATE: &[Field] = &[
    required("name", Shape::Text(1, 128)),
    required("type", Shape::Choice(&["spread"])),
    optional("labels", Shape::Labels),
];
/// Body of `PUT /placement_groups/{id}`.
pub const UPDATE: &[Field] =
    &[optional("name", Shape::Text(1, 128)), optional("labels", Shape::Labels)];

const LISTING: Listing = Listing {
    kind: Some(Kind::PlacementGroup),
    filters: &[("name", &[]), ("type", &["spread"])],
    ..Listing::new("placement_groups")
};

/// A spread group.
#[derive(Debug, Clone)]
pub struct PlacementGroup {
    pub id: u64,
    pub name: String,
    pub labels: Labels,
    pub created: Timestamp,
}

impl PlacementGroup {
    /// Returns the API document.
    pub fn document(&self, project: &Project) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "labels": self.labels,
            "type": "spread",
            "created": written(self.created),
            "servers": members(project, self.id),
        })
    }
}

/// Returns the servers of a group.
pub fn members(project: &Project, group: u64) -> Vec<u64> {
    let is_member = |server: &&super::servers::Server| server.placement_group == Some(group);
    project.servers.values().filter(is_member).map(|server| server.id).collect()
}

/// Refuses a group that is unknown or full.
pub fn check_room(project: &Project, group: u64) -> Result<(), Refusal> {
    if !project.placement_groups.contains_key(&group) {
        return Err(Refusal::not_found("placement group", group));
    }
    if members(project, group).len() >= MEMBERS_MAX {
        return Err(Refusal::unprocessable("placement_error", "placement group is full"));
    }
    Ok(())
}

fn find<'a>(project: &'a Project, input: &Input) -> Result<&'a PlacementGroup, Refusal> {
    let id = input.id(Kind::PlacementGroup)?;
    project.placement_groups.get(&id).ok_or_else(|| Refusal::not_found("placement group", id))
}

fn check_name(project: &Project, name: &str, own: Option<u64>) -> Result<(), Refusal> {
    let is_taken =
        project.placement_groups.values().any(|other| other.name == name && Some(other.id) != own);
    if is_taken { Err(Refusal::taken("name", "name is already used")) } else { Ok(()) }
}

/// Answers `GET /placement_groups`.
pub fn list(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let documents = project.placement_groups.values().map(|one| one.document(project)).collect();
    LISTING.reply(project, input, documents)
}

/// Answers `GET /placement_groups/{id}`.
pub fn get(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let document = find(project, input)?.document(project);
    Ok(Reply::new(200, json!({"placement_group": document})))
}

/// Answers `POST /placement_groups`.
pub fn create(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let name = input.text("name").unwrap_or_default();
    check_name(project, name, None)?;
    project.check_quota("placement_group", project.placement_groups.len(), 1)?;
    let group = PlacementGroup {
        id: project.next_id(),
        name: name.to_owned(),
        labels: input.labels().unwrap_or_default(),
        created: project.now,
    };
    project.created(Kind::PlacementGroup, group.id, &group.name, &group.labels);
    let document = group.document(project);
    project.placement_groups.insert(group.id, group);
    Ok(Reply::new(201, json!({"placement_group": document, "action": null})))
}

/// Answers `PUT /placement_groups/{id}`.
pub fn update(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?.id;
    if let Some(name) = input.text("name") {
        check_name(project, name, Some(id))?;
    }
    if let Some(group) = project.placement_groups.get_mut(&id) {
        group.name = input.text("name").unwrap_or(&group.name).to_owned();
        group.labels = input.labels().unwrap_or_else(|| group.labels.clone());
    }
    get(project, input)
}

/// Answers `DELETE /placement_groups/{id}`: its servers stay, ungrouped.
pub fn delete(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?.id;
    for server in project.servers.values_mut() {
        server.placement_group = server.placement_group.filter(|group| *group != id);
    }
    if let Some(group) = project.placement_groups.remove(&id) {
        project.deleted(Kind::PlacementGroup, id, &group.name, &group.labels);
    }
    Ok(Reply::empty())
}
