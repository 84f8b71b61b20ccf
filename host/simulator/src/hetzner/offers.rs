//! Handlers of the catalogue: locations, server types, prices, and what is gone for good.

use serde_json::{Value, json};

use super::catalogue::{self, LOCATIONS, Location, SERVER_TYPES, ServerType};
use super::paging::Listing;
use super::project::Project;
use super::refusal::Refusal;
use super::request::{Input, Reply};

/// Answers `GET /locations`.
pub fn locations(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    const LISTING: Listing = Listing { sortable: &["id", "name"], ..Listing::new("locations") };
    LISTING.reply(project, input, LOCATIONS.iter().map(Location::document).collect())
}

/// Answers `GET /locations/{id}`.
pub fn location(_: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = input.parameter(0);
    let found = LOCATIONS.iter().find(|one| one.id.to_string() == id);
    let found = found.ok_or_else(|| Refusal::not_found("location", id))?;
    Ok(Reply::new(200, json!({"location": found.document()})))
}

/// Answers `GET /server_types`.
pub fn server_types(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    const LISTING: Listing = Listing { sortable: &["id", "name"], ..Listing::new("server_types") };
    let documents = SERVER_TYPES.iter().map(|kind| kind.document(&project.catalogue)).collect();
    LISTING.reply(project, input, documents)
}

/// Answers `GET /server_types/{id}`.
pub fn server_type(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = input.parameter(0);
    let found = SERVER_TYPES.iter().find(|kind: &&ServerType| kind.id.to_string() == id);
    let found = found.ok_or_else(|| Refusal::not_found("server type", id))?;
    Ok(Reply::new(200, json!({"server_type": found.document(&project.catalogue)})))
}

/// Answers `GET /pricing`.
pub fn pricing(_: &mut Project, _: &Input) -> Result<Reply, Refusal> {
    Ok(Reply::new(200, json!({"pricing": catalogue::pricing()})))
}

/// Answers what was there once: datacenters.
pub fn gone(_: &mut Project, _: &Input) -> Result<Reply, Refusal> {
    let announcement: Value =
        "https://docs.hetzner.cloud/changelog#2025-12-16-phasing-out-datacenters".into();
    Err(Refusal::new(410, "deprecated_api_endpoint", "API functionality was removed")
        .with_details(json!({"announcement": announcement})))
}
