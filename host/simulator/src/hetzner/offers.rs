//! Handlers of the catalogue: locations, server types, prices, and what is gone for good.

use serde_json::{Value, json};

use super::catalogue::Location;
use super::paging::Listing;
use super::project::Project;
use super::refusal::Refusal;
use super::request::{Input, Reply};

/// Answers `GET /locations`.
pub fn locations(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    const LISTING: Listing = Listing { sortable: &["id", "name"], ..Listing::new("locations") };
    let documents = project.catalogue.locations.iter().map(Location::document).collect();
    LISTING.reply(project, input, documents)
}

/// Answers `GET /locations/{id}`.
pub fn location(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = input.parameter(0);
    let found = project.catalogue.locations.iter().find(|one| one.id.to_string() == id);
    let found = found.ok_or_else(|| Refusal::not_found("location", id))?;
    Ok(Reply::new(200, json!({"location": found.document()})))
}

/// Answers `GET /server_types`.
pub fn server_types(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    const LISTING: Listing = Listing { sortable: &["id", "name"], ..Listing::new("server_types") };
    let all = project.catalogue.server_types.iter();
    let documents = all.map(|kind| kind.document(&project.catalogue)).collect();
    LISTING.reply(project, input, documents)
}

/// Answers `GET /server_types/{id}`.
pub fn server_type(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = input.parameter(0);
    let found = project.catalogue.server_types.iter().find(|kind| kind.id.to_string() == id);
    let found = found.ok_or_else(|| Refusal::not_found("server type", id))?;
    Ok(Reply::new(200, json!({"server_type": found.document(&project.catalogue)})))
}

/// Answers `GET /pricing`.
pub fn pricing(project: &mut Project, _: &Input) -> Result<Reply, Refusal> {
    Ok(Reply::new(200, json!({"pricing": project.catalogue.pricing()})))
}

/// Answers what was there once: datacenters.
pub fn gone(_: &mut Project, _: &Input) -> Result<Reply, Refusal> {
    let announcement: Value =
        "https://docs.hetzner.cloud/changelog#2025-12-16-phasing-out-datacenters".into();
    Err(Refusal::new(410, "deprecated_api_endpoint", "API functionality was removed")
        .with_details(json!({"announcement": announcement})))
}
