//! Firewalls: rules, and what they are applied to.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::actions::{Failure, Job};
use super::clock::written;
use super::labels::Labels;
use super::paging::Listing;
use super::project::{Kind, Project};
use super::refusal::Refusal;
use super::request::{Input, Reply};
use super::rules::parse_rules;
use super::selector::Selector;
use super::servers;
use super::validation::{Field, Shape, optional, required};

const RULES_MAX: usize = 50;
const BLOCKS_MAX: usize = 100;
const FIREWALLS_PER_SERVER_MAX: usize = 5;
// The reference sets no limit here; a list without one is no list.
const TARGETS_MAX: usize = 100;

const BLOCKS: Shape = Shape::List(&Shape::Text(1, 64), BLOCKS_MAX);
const RULE: &[Field] = &[
    optional("description", Shape::Text(0, 255)).or_null(),
    required("direction", Shape::Choice(&["in", "out"])),
    optional("source_ips", BLOCKS),
    optional("destination_ips", BLOCKS),
    required("protocol", Shape::Choice(&["tcp", "udp", "icmp", "esp", "gre"])),
    optional("port", Shape::Text(1, 11)).or_null(),
];
const RULES: Shape = Shape::List(&Shape::Object(RULE), RULES_MAX);
const TARGET: &[Field] = &[
    required("type", Shape::Choice(&["server", "label_selector"])),
    optional("server", Shape::Object(&[required("id", Shape::Id)])),
    optional("label_selector", Shape::Object(&[required("selector", Shape::Text(1, 512))])),
];
const TARGETS: Shape = Shape::List(&Shape::Object(TARGET), TARGETS_MAX);

/// Body of `POST /firewalls`.
pub const CREATE: &[Field] = &[
    required("name", Shape::Text(1, 128)),
    optional("labels", Shape::Labels),
    optional("rules", RULES),
    optional("apply_to", TARGETS),
];
/// Body of `PUT /firewalls/{id}`.
pub const UPDATE: &[Field] =
    &[optional("name", Shape::Text(1, 128)), optional("labels", Shape::Labels)];
/// Body of `set_rules`.
pub const SET_RULES: &[Field] = &[required("rules", RULES)];
/// Body of `apply_to_resources`.
pub const APPLY: &[Field] = &[required("apply_to", TARGETS)];
/// Body of `remove_from_resources`.
pub const REMOVE: &[Field] = &[required("remove_from", TARGETS)];

const LISTING: Listing = Listing { kind: Some(Kind::Firewall), ..Listing::new("firewalls") };

/// A set of rules.
#[derive(Debug, Clone)]
pub struct Firewall {
    pub id: u64,
    pub name: String,
    pub labels: Labels,
    pub rules: Vec<Value>,
    pub targets: Vec<Target>,
    pub created: Timestamp,
    /// Until when the firewall counts as in use after its last server went.
    pub busy_until: Timestamp,
}

/// What a firewall is applied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Server(u64),
    Selector(String),
}

impl Firewall {
    /// Returns the API document.
    pub fn document(&self, project: &Project) -> Value {
        let applied: Vec<Value> =
            self.targets.iter().map(|target| target.document(project)).collect();
        json!({
            "id": self.id,
            "name": self.name,
            "labels": self.labels,
            "created": written(self.created),
            "rules": self.rules,
            "applied_to": applied,
        })
    }
}

impl Target {
    fn document(&self, project: &Project) -> Value {
        match self {
            Self::Server(id) => json!({"type": "server", "server": {"id": id}}),
            Self::Selector(selector) => {
                let reached: Vec<Value> = self
                    .servers(project)
                    .iter()
                    .map(|id| json!({"type": "server", "server": {"id": id}}))
                    .collect();
                json!({
                    "type": "label_selector",
                    "label_selector": {"selector": selector},
                    "applied_to_resources": reached,
                })
            }
        }
    }

    /// Returns the servers with a public interface that the target stands for.
    fn servers(&self, project: &Project) -> Vec<u64> {
        match self {
            Self::Server(id) => vec![*id],
            Self::Selector(selector) => match Selector::parse(selector) {
                Ok(selector) => project
                    .servers
                    .values()
                    .filter(|server| selector.matches(&server.labels))
                    .filter(|server| servers::is_public(project, server.id))
                    .map(|server| server.id)
                    .collect(),
                Err(_) => Vec::new(),
            },
        }
    }

    fn parse(value: &Value, path: &str) -> Result<Self, Refusal> {
        if value["type"] == "server" {
            return value["server"]["id"].as_u64().map(Self::Server).ok_or_else(|| {
                Refusal::invalid(&format!("{path}.server"), "Missing data for required field.")
            });
        }
        let field = format!("{path}.label_selector");
        let text = value["label_selector"]["selector"]
            .as_str()
            .ok_or_else(|| Refusal::invalid(&field, "Missing data for required field."))?;
        if Selector::parse(text)?.is_empty() {
            return Err(Refusal::invalid(&field, "must not be empty"));
        }
        Ok(Self::Selector(text.to_owned()))
    }
}

fn find<'a>(project: &'a Project, input: &Input) -> Result<&'a Firewall, Refusal> {
    let id = input.id(Kind::Firewall)?;
    project.firewalls.get(&id).ok_or_else(|| Refusal::not_found("firewall", id))
}

fn check_name(project: &Project, name: &str, own: Option<u64>) -> Result<(), Refusal> {
    let is_taken =
        project.firewalls.values().any(|other| other.name == name && Some(other.id) != own);
    if is_taken { Err(Refusal::taken("name", "name is already used")) } else { Ok(()) }
}

/// Answers `GET /firewalls`.
pub fn list(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let documents = project.firewalls.values().map(|one| one.document(project)).collect();
    LISTING.reply(project, input, documents)
}

/// Answers `GET /firewalls/{id}`.
pub fn get(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let document = find(project, input)?.document(project);
    Ok(Reply::new(200, json!({"firewall": document})))
}

/// Answers `POST /firewalls`.
pub fn create(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let name = input.text("name").unwrap_or_default().to_owned();
    let rules = parse_rules(input.list("rules"))?;
    let targets = parse_targets(input.list("apply_to"), "apply_to")?;
    for target in &targets {
        check_target(project, target, (None, 422))?;
    }
    check_name(project, &name, None)?;
    project.check_quota("firewall", project.firewalls.len(), 1)?;
    let id = project.next_id();
    let labels = input.labels().unwrap_or_default();
    project.created(Kind::Firewall, id, &name, &labels);
    let (created, busy_until) = (project.now, project.now);
    let firewall = Firewall { id, name, labels, rules, targets: Vec::new(), created, busy_until };
    project.firewalls.insert(id, firewall);
    let mut actions = Vec::new();
    if !input.list("rules").is_empty() {
        actions.push(project.begin(Job::new("set_firewall_rules").on(Kind::Firewall, id)));
    }
    for target in targets {
        actions.extend(apply_target(project, id, target));
    }
    let actions: Vec<Value> = actions.iter().map(|action| project.action(*action)).collect();
    let document = project.firewalls.get(&id).map(|one| one.document(project));
    Ok(Reply::new(201, json!({"firewall": document, "actions": actions})))
}

/// Answers `PUT /firewalls/{id}`.
pub fn update(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let id = find(project, input)?.id;
    if let Some(name) = input.text("name") {
        check_name(project, name, Some(id))?;
    }
    if let Some(firewall) = project.firewalls.get_mut(&id) {
        firewall.name = input.text("name").unwrap_or(&firewall.name).to_owned();
        firewall.labels = input.labels().unwrap_or_else(|| firewall.labels.clone());
    }
    get(project, input)
}

/// Answers `DELETE /firewalls/{id}`: refused while in use, and for a while after.
pub fn delete(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let firewall = find(project, input)?.clone();
    if !firewall.targets.is_empty() || project.now < firewall.busy_until {
        let message = format!("firewall with ID '{}' is still in use", firewall.id);
        return Err(Refusal::unprocessable("resource_in_use", message));
    }
    project.firewalls.remove(&firewall.id);
    project.deleted(Kind::Firewall, firewall.id, &firewall.name, &firewall.labels);
    Ok(Reply::empty())
}

/// Answers `set_rules`.
pub fn set_rules(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let (id, rules) = (find(project, input)?.id, parse_rules(input.list("rules"))?);
    let job = Job::new("set_firewall_rules").on(Kind::Firewall, id).then(move |project| {
        let firewall = project.firewalls.get_mut(&id);
        let firewall =
            firewall.ok_or_else(|| Failure::new("firewall_not_found", "the firewall is gone"))?;
        firewall.rules.clone_from(&rules);
        Ok(())
    });
    let action = project.begin(job);
    Ok(Reply::new(201, json!({"actions": [project.action(action)]})))
}

fn parse_targets(targets: &[Value], field: &str) -> Result<Vec<Target>, Refusal> {
    let mut parsed: Vec<Target> = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        let target = Target::parse(target, &format!("{field}.{index}"))?;
        if parsed.contains(&target) {
            let message = "the resource was named more than once";
            return Err(Refusal::unprocessable("server_already_added", message));
        }
        parsed.push(target);
    }
    Ok(parsed)
}

/// Refuses a server that is unknown (with the status the operation documents) or private only, and
/// a target of which a server has enough firewalls without `own`.
fn check_target(
    project: &Project,
    target: &Target,
    (own, unknown_status): (Option<u64>, u16),
) -> Result<(), Refusal> {
    if let Target::Server(id) = target {
        if !project.servers.contains_key(id) {
            let message = format!("server with ID '{id}' not found");
            return Err(Refusal::new(unknown_status, "firewall_resource_not_found", message));
        }
        check_public(servers::is_public(project, *id))?;
    }
    let is_full = |server: &u64| {
        let held = firewalls_of(project, *server);
        held.iter().filter(|held| Some(**held) != own).count() >= FIREWALLS_PER_SERVER_MAX
    };
    match target.servers(project).iter().any(is_full) {
        true => Err(Refusal::limit("server_firewall")),
        false => Ok(()),
    }
}

/// Refuses a new server that `named` firewalls and those of selectors would reach together, when
/// they are too many.
pub fn check_room(
    project: &Project,
    named: &BTreeSet<u64>,
    labels: &Labels,
) -> Result<(), Refusal> {
    let selects = |target: &Target| match target {
        Target::Selector(text) => Selector::parse(text).is_ok_and(|it| it.matches(labels)),
        Target::Server(_) => false,
    };
    let selecting = project.firewalls.values().filter(|it| it.targets.iter().any(selects));
    let mut reaching: BTreeSet<u64> = selecting.map(|it| it.id).collect();
    reaching.extend(named);
    match reaching.len() > FIREWALLS_PER_SERVER_MAX {
        true => Err(Refusal::limit("server_firewall")),
        false => Ok(()),
    }
}

/// Refuses a firewall on a server that has no public interface.
pub fn check_public(is_public: bool) -> Result<(), Refusal> {
    if is_public {
        return Ok(());
    }
    let message = "firewalls need a public interface";
    Err(Refusal::unprocessable("private_net_only_server", message))
}

/// Returns the firewalls that reach a server, by id or by selector.
pub fn firewalls_of(project: &Project, server: u64) -> BTreeSet<u64> {
    project
        .firewalls
        .values()
        .filter(|firewall| {
            firewall.targets.iter().any(|target| target.servers(project).contains(&server))
        })
        .map(|firewall| firewall.id)
        .collect()
}

/// Applies a firewall to a target and returns the actions, one a server.
fn apply_target(project: &mut Project, id: u64, target: Target) -> Vec<u64> {
    let by_selector = matches!(target, Target::Selector(_));
    let reached = target.servers(project);
    if let Some(firewall) = project.firewalls.get_mut(&id) {
        firewall.targets.push(target);
    }
    if reached.is_empty() {
        return vec![project.begin(Job::new("apply_firewall").on(Kind::Firewall, id))];
    }
    reached
        .into_iter()
        .map(|server| {
            let job = apply_job(id, server, by_selector);
            project.begin(job)
        })
        .collect()
}

/// Describes the application of a firewall; one by selector locks the server meanwhile.
pub fn apply_job(firewall: u64, server: u64, by_selector: bool) -> Job {
    let job = Job::new("apply_firewall").on(Kind::Firewall, firewall);
    let job =
        if by_selector { job.holding(Kind::Server, server) } else { job.on(Kind::Server, server) };
    job.then(move |project| {
        let found = project.servers.get_mut(&server);
        let found = found.ok_or_else(|| Failure::new("server_not_found", "the server is gone"))?;
        found.firewalls_applied.insert(firewall);
        Ok(())
    })
    .or_else(move |project| {
        if let Some(firewall) = project.firewalls.get_mut(&firewall) {
            firewall.targets.retain(|target| *target != Target::Server(server));
        }
    })
}

/// Begins to apply what selectors reach since a server is new or was labelled anew.
pub fn follow_selectors(project: &mut Project, server: u64) {
    let known = project.servers.get(&server).map(|server| server.firewalls_applied.clone());
    let known = known.unwrap_or_default();
    let reaching = firewalls_of(project, server);
    if let Some(server) = project.servers.get_mut(&server) {
        server.firewalls_applied.retain(|firewall| reaching.contains(firewall));
    }
    for firewall in reaching.difference(&known) {
        project.begin(apply_job(*firewall, server, true));
    }
}

/// Answers `apply_to_resources`.
pub fn apply(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let firewall = find(project, input)?;
    let id = firewall.id;
    let targets = parse_targets(input.list("apply_to"), "apply_to")?;
    for target in &targets {
        if firewall.targets.contains(target) {
            let message = "firewall is already applied to the resource";
            return Err(Refusal::unprocessable("firewall_already_applied", message));
        }
        check_target(project, target, (Some(id), 404))?;
    }
    let mut actions = Vec::new();
    for target in targets {
        actions.extend(apply_target(project, id, target));
    }
    Ok(Reply::new(201, actions_body(project, &actions)))
}

/// Answers `remove_from_resources`.
pub fn remove(project: &mut Project, input: &Input) -> Result<Reply, Refusal> {
    let firewall = find(project, input)?.clone();
    let targets = parse_targets(input.list("remove_from"), "remove_from")?;
    for target in &targets {
        check_removable(project, &firewall, target)?;
    }
    let actions: Vec<u64> = targets
        .into_iter()
        .map(|target| {
            let job = remove_job(project, firewall.id, target);
            project.begin(job)
        })
        .collect();
    Ok(Reply::new(201, actions_body(project, &actions)))
}

fn check_removable(project: &Project, firewall: &Firewall, target: &Target) -> Result<(), Refusal> {
    if firewall.targets.contains(target) {
        return Ok(());
    }
    let is_by_selector = match target {
        Target::Server(id) => {
            firewall.targets.iter().any(|other| other.servers(project).contains(id))
        }
        Target::Selector(_) => false,
    };
    if is_by_selector {
        let message = "the firewall reaches the server by a label selector";
        return Err(Refusal::unprocessable("firewall_managed_by_label_selector", message));
    }
    let message = "the firewall is not applied to the resource";
    Err(Refusal::new(404, "firewall_resource_not_found", message))
}

fn remove_job(project: &Project, id: u64, target: Target) -> Job {
    let reached = target.servers(project);
    let job = Job::new("remove_firewall").on(Kind::Firewall, id);
    let job = reached.iter().fold(job, |job, server| job.on(Kind::Server, *server));
    job.then(move |project| {
        if let Some(firewall) = project.firewalls.get_mut(&id) {
            firewall.targets.retain(|other| *other != target);
        }
        for server in &reached {
            let is_still_reached = firewalls_of(project, *server).contains(&id);
            if let Some(server) = project.servers.get_mut(server).filter(|_| !is_still_reached) {
                server.firewalls_applied.remove(&id);
            }
        }
        Ok(())
    })
}

fn actions_body(project: &Project, actions: &[u64]) -> Value {
    let actions: Vec<Value> = actions.iter().map(|action| project.action(*action)).collect();
    json!({"actions": actions})
}
