//! Handlers that show actions: by id, in batches, per resource.

use serde_json::{Value, json};

use super::actions::Action;
use super::paging::{ACTION_STATUS, Listing};
use super::project::{Kind, Project};
use super::refusal::Refusal;
use super::request::{Input, Reply, parse_id};

const LISTING: Listing = Listing {
    sortable: &["id", "command", "status", "started", "finished"],
    filters: &[("status", ACTION_STATUS), ("id", &[])],
    ..Listing::new("actions")
};

/// Answers `GET /actions?id=…`: only those asked for, and no page information.
pub fn batch(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let wanted = input.every("id");
    if wanted.is_empty() {
        return Err(Refusal::invalid("id", "Missing data for required field."));
    }
    let ids: Option<Vec<u64>> = wanted.iter().map(|text| parse_id(text)).collect();
    let ids = ids.ok_or_else(|| Refusal::invalid("id", "must be a list of action IDs"))?;
    let found: Vec<Value> = project
        .actions
        .values()
        .filter(|action| ids.contains(&action.id))
        .map(|action| action.document(project.now))
        .collect();
    Ok(Reply::new(200, json!({"actions": found})))
}

/// Answers `GET /actions/{id}`.
pub fn get(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    show(project, input.parameter(0), |_| true)
}

fn show(
    project: &Project,
    id: &str,
    is_wanted: impl Fn(&Action) -> bool,
) -> Result<Reply, Refusal> {
    let found = parse_id(id).and_then(|id| project.actions.get(&id)).filter(|one| is_wanted(one));
    let found = found.ok_or_else(|| Refusal::not_found("action", id))?;
    Ok(Reply::new(200, json!({"action": found.document(project.now)})))
}

fn concerns(action: &Action, kind: Kind, id: Option<u64>) -> bool {
    action
        .job
        .resources
        .iter()
        .any(|(other, number)| *other == kind && id.is_none_or(|id| id == *number))
}

/// Answers `GET /{resources}/actions`.
pub fn of_kind(project: &mut Project, input: &Input, kind: Kind) -> Result<Reply, Refusal> {
    let documents = project
        .actions
        .values()
        .filter(|action| concerns(action, kind, None))
        .map(|action| action.document(project.now))
        .collect();
    LISTING.reply(project, input, documents)
}

/// Answers `GET /{resources}/actions/{id}`.
pub fn one_of_kind(project: &mut Project, input: &Input, kind: Kind) -> Result<Reply, Refusal> {
    show(project, input.parameter(0), |action| concerns(action, kind, None))
}

/// Answers `GET /{resources}/{id}/actions`.
pub fn of_thing(project: &mut Project, input: &Input, kind: Kind) -> Result<Reply, Refusal> {
    let id = thing(project, input, kind)?;
    let documents = project
        .actions
        .values()
        .filter(|action| concerns(action, kind, Some(id)))
        .map(|action| action.document(project.now))
        .collect();
    LISTING.reply(project, input, documents)
}

/// Answers `GET /{resources}/{id}/actions/{action_id}`, deprecated but alive.
pub fn one_of_thing(project: &mut Project, input: &Input, kind: Kind) -> Result<Reply, Refusal> {
    let id = thing(project, input, kind)?;
    show(project, input.parameter(1), |action| concerns(action, kind, Some(id)))
}

fn thing(project: &Project, input: &Input, kind: Kind) -> Result<u64, Refusal> {
    if kind == Kind::Zone {
        return super::zones::find(project, input).map(|zone| zone.id);
    }
    let id = input.id(kind)?;
    let is_alive = match kind {
        Kind::Firewall => project.firewalls.contains_key(&id),
        Kind::Image => project.images.contains_key(&id),
        Kind::Network => project.networks.contains_key(&id),
        Kind::PrimaryIp => project.primary_ips.contains_key(&id),
        Kind::Server => project.servers.contains_key(&id),
        Kind::Volume => project.volumes.contains_key(&id),
        _ => false,
    };
    if is_alive { Ok(id) } else { Err(Refusal::not_found(kind.label(), id)) }
}

/// Returns the documents of all actions, for the state dump.
pub fn everything(project: &Project) -> Value {
    project.actions.values().map(|action| action.document(project.now)).collect()
}
