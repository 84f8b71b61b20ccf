//! SSH keys.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::clock::written;
use super::fingerprint;
use super::labels::Labels;
use super::paging::Listing;
use super::project::{Kind, Project};
use super::refusal::Refusal;
use super::request::{Input, Reply};
use super::validation::{Field, Shape, optional, required};

/// Body of `POST /ssh_keys`.
pub const CREATE: &[Field] = &[
    required("name", Shape::Text(1, 128)),
    required("public_key", Shape::Text(1, 8192)),
    optional("labels", Shape::Labels),
];
/// Body of `PUT /ssh_keys/{id}`.
pub const UPDATE: &[Field] =
    &[optional("name", Shape::Text(1, 128)), optional("labels", Shape::Labels)];

const LISTING: Listing = Listing {
    kind: Some(Kind::SshKey),
    filters: &[("name", &[]), ("fingerprint", &[])],
    ..Listing::new("ssh_keys")
};

/// A public key that new servers accept.
#[derive(Debug, Clone)]
pub struct SshKey {
    pub id: u64,
    pub name: String,
    pub fingerprint: String,
    pub public_key: String,
    pub labels: Labels,
    pub created: Timestamp,
}

impl SshKey {
    /// Returns the API document.
    pub fn document(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "fingerprint": self.fingerprint,
            "public_key": self.public_key,
            "labels": self.labels,
            "created": written(self.created),
        })
    }
}

fn find(project: &Project, input: &Input) -> Result<u64, Refusal> {
    let id = input.id(Kind::SshKey)?;
    if project.ssh_keys.contains_key(&id) { Ok(id) } else { Err(Refusal::not_found("SSH key", id)) }
}

fn check_name(project: &Project, name: &str, own: Option<u64>) -> Result<(), Refusal> {
    let is_taken =
        project.ssh_keys.values().any(|other| other.name == name && Some(other.id) != own);
    if is_taken {
        return Err(Refusal::taken("name", "SSH key with the same name already exists"));
    }
    Ok(())
}

/// Answers `GET /ssh_keys`.
pub fn list(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    LISTING.reply(project, input, project.ssh_keys.values().map(SshKey::document).collect())
}

/// Answers `GET /ssh_keys/{id}`.
pub fn get(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?;
    let document = project.ssh_keys.get(&id).map(SshKey::document);
    Ok(Reply::new(200, json!({"ssh_key": document})))
}

/// Answers `POST /ssh_keys`.
pub fn create(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let public_key = input.text("public_key").unwrap_or_default().trim();
    let fingerprint = fingerprint::of_public_key(public_key)
        .ok_or_else(|| Refusal::invalid("public_key", "SSH key is not a valid public key"))?;
    let name = input.text("name").unwrap_or_default();
    check_name(project, name, None)?;
    if project.ssh_keys.values().any(|other| other.fingerprint == fingerprint) {
        let message = "SSH key with the same fingerprint already exists";
        return Err(Refusal::taken("public_key", message));
    }
    project.check_quota("ssh_key", project.ssh_keys.len(), 1)?;
    let key = SshKey {
        id: project.next_id(),
        name: name.to_owned(),
        fingerprint,
        public_key: public_key.to_owned(),
        labels: input.labels().unwrap_or_default(),
        created: project.now,
    };
    project.created(Kind::SshKey, key.id, &key.name, &key.labels);
    let document = key.document();
    project.ssh_keys.insert(key.id, key);
    Ok(Reply::new(201, json!({"ssh_key": document})))
}

/// Answers `PUT /ssh_keys/{id}`.
pub fn update(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?;
    if let Some(name) = input.text("name") {
        check_name(project, name, Some(id))?;
    }
    if let Some(key) = project.ssh_keys.get_mut(&id) {
        key.name = input.text("name").unwrap_or(&key.name).to_owned();
        key.labels = input.labels().unwrap_or_else(|| key.labels.clone());
    }
    get(project, input)
}

/// Answers `DELETE /ssh_keys/{id}`.
pub fn delete(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?;
    if let Some(key) = project.ssh_keys.remove(&id) {
        project.deleted(Kind::SshKey, id, &key.name, &key.labels);
    }
    Ok(Reply::empty())
}
