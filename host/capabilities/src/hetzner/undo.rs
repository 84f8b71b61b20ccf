//! What reverts a call, by its data alone. Every step can be taken again.

use runwrit_model::breakable::is_broken;
use runwrit_model::hetzner::Rule;
use runwrit_model::labels;
use runwrit_model::reconcile::{Ownership, ownership};
use serde::Deserialize;
use serde_json::Value;

use super::Project;
use super::client::ApiError;
use super::effects::{is_same_rules, rules};
use super::scope::{kind_of, parse_id};
use super::wire::{Firewall, Network, PrimaryIp, Resource, Server, SshKey, Volume};
use crate::gate::{Undo, UndoError, UndoRequest, Undone};

impl Undo for Project {
    async fn undo(&self, request: &UndoRequest) -> Result<Undone, UndoError> {
        match request.plan.operation.as_str() {
            "hetzner.servers.delete" => self.undo_creation::<Server>(request).await,
            "hetzner.networks.delete" => self.undo_creation::<Network>(request).await,
            "hetzner.firewalls.delete" => self.undo_creation::<Firewall>(request).await,
            "hetzner.volumes.delete" => self.undo_creation::<Volume>(request).await,
            "hetzner.ssh-keys.delete" => self.undo_creation::<SshKey>(request).await,
            "hetzner.primary-ips.delete" => self.undo_creation::<PrimaryIp>(request).await,
            "hetzner.servers.power-on" => self.undo_power(request, true).await,
            "hetzner.servers.power-off" => self.undo_power(request, false).await,
            "hetzner.firewalls.apply" => self.undo_applied(request, true).await,
            "hetzner.firewalls.remove" => self.undo_applied(request, false).await,
            "hetzner.firewalls.set-rules" => self.undo_rules(request).await,
            "hetzner.volumes.attach" => self.undo_detach(request).await,
            "hetzner.volumes.detach" => self.undo_attach(request).await,
            "hetzner.servers.release" => self.release_adopted::<Server>(request).await,
            "hetzner.networks.release" => self.release_adopted::<Network>(request).await,
            "hetzner.volumes.release" => self.release_adopted::<Volume>(request).await,
            other => Err(UndoError::Never(format!("`{other}` is no undo of Hetzner Cloud"))),
        }
    }
}

impl Project {
    /// Deletes what the call made: by its id where one is known, and by its name, since a creation
    /// that was sent twice may have landed again under another id. A thing whose labels do not
    /// prove that this very call made it is left alone.
    async fn undo_creation<R: Resource>(&self, request: &UndoRequest) -> Result<Undone, UndoError> {
        if let Some(id) = argument(request, "id") {
            return self.delete_in_scope::<R>(id).await;
        }
        let later = |error: ApiError| error.into_undo_error(&subject::<R>(request));
        let mut things = Vec::new();
        let told = request.remote_id.as_deref().and_then(parse_id);
        let is_other = |id| told.is_some_and(|told| told != id);
        if let Some(id) = told {
            things.extend(self.client.get::<R>(id).await.map_err(later)?);
        }
        if let Some(key) = &request.key {
            let named = self.client.find_all::<R>(key).await.map_err(later)?;
            things.extend(named.into_iter().filter(|it| told != Some(it.id())));
        }
        if things.is_empty() {
            return Ok(Undone::Absent);
        }
        let ours: Vec<u64> =
            things.iter().filter(|it| self.is_made_by(request, *it)).map(R::id).collect();
        for id in &ours {
            self.remove::<R>(*id).await?;
        }
        Ok(match ours.is_empty() {
            false => Undone::Done,
            // Ours is gone; whoever took its name since is no concern of this run.
            true if things.iter().all(|it| is_other(it.id())) => Undone::Absent,
            true => Undone::NotOurs,
        })
    }

    fn is_made_by<R: Resource>(&self, request: &UndoRequest, thing: &R) -> bool {
        let maker = self.owner(thing).ok();
        let run = request.labels.get(labels::RUN).map_or("", String::as_str);
        ownership(maker.as_ref(), run, request.call) == Ownership::Ours || is_broken("undo-labels")
    }

    /// Deletes what an undo of the runbook's own names by id, when it is in the scope.
    async fn delete_in_scope<R: Resource>(&self, id: &str) -> Result<Undone, UndoError> {
        match self.ours::<R>(id).await? {
            Standing::Ours(thing) => self.remove::<R>(thing.id()).await.map(|()| Undone::Done),
            Standing::Absent => Ok(Undone::Absent),
            Standing::Foreign => Ok(Undone::NotOurs),
        }
    }

    /// Frees a thing from what holds it, deletes it, and sees that it is gone.
    async fn remove<R: Resource>(&self, id: u64) -> Result<(), UndoError> {
        let subject = format!("{} {id}", R::MEMBER);
        let later = |error: ApiError| error.into_undo_error(&subject);
        self.free_first::<R>(id).await?;
        let actions = self.client.delete::<R>(id).await.map_err(later)?.unwrap_or_default();
        let waited = self.client.wait(&actions).await;
        waited.map_err(|error| error.into_undo_error(&subject))?;
        match self.is_gone::<R>(id).await.map_err(later)? {
            true => Ok(()),
            false => Err(UndoError::Later(format!("{subject} was deleted and is still there"))),
        }
    }

    /// Volumes are deleted only when detached, firewalls only when they protect nothing.
    async fn free_first<R: Resource>(&self, id: u64) -> Result<(), UndoError> {
        let subject = format!("{} {id}", R::MEMBER);
        let later = |error: ApiError| error.into_undo_error(&subject);
        let mut actions = Vec::new();
        match R::COLLECTION {
            "volumes" => {
                let volume = self.client.get::<Volume>(id).await.map_err(later)?;
                if volume.is_some_and(|volume| volume.server.is_some()) {
                    actions = self.detach(id).await.map_err(later)?;
                }
            }
            "firewalls" => {
                let firewall = self.client.get::<Firewall>(id).await.map_err(later)?;
                for server in firewall.iter().flat_map(Firewall::own_servers) {
                    let started = self.set_applied(id, server, false).await;
                    actions.extend(started.map_err(later)?);
                }
            }
            _ => {}
        }
        let waited = self.client.wait(&actions).await;
        waited.map_err(|error| error.into_undo_error(&subject))
    }

    /// Gives back what was adopted: it stays as it is, without the labels of the call.
    async fn release_adopted<R: Resource>(
        &self,
        request: &UndoRequest,
    ) -> Result<Undone, UndoError> {
        let (id, subject) = (target(request)?, subject::<R>(request));
        let later = |error: ApiError| error.into_undo_error(&subject);
        let found = match parse_id(id) {
            Some(number) => self.client.get::<R>(number).await.map_err(later)?,
            None => None,
        };
        let Some(thing) = found else { return Ok(Undone::Absent) };
        let is_own = |key: &String| key.starts_with(labels::PREFIX);
        if !thing.labels().keys().any(is_own) {
            return Ok(Undone::Absent);
        }
        if !self.is_made_by(request, &thing) {
            return Ok(Undone::NotOurs);
        }
        let mut rest = thing.labels().clone();
        rest.retain(|key, _| !is_own(key));
        self.put_labels(kind_of::<R>(), thing.id(), &rest).await.map_err(later)?;
        let after = self.client.get::<R>(thing.id()).await.map_err(later)?;
        match after.is_some_and(|thing| thing.labels().keys().any(is_own)) {
            true => Err(UndoError::Later(format!("{subject} still carries the labels"))),
            false => Ok(Undone::Done),
        }
    }

    /// Looks at what an undo of a change names. Labels decide, since only they outlive the journal
    /// of the run that made the thing.
    async fn ours<R: Resource>(&self, id: &str) -> Result<Standing<R>, UndoError> {
        let Some(number) = parse_id(id) else { return Ok(Standing::Absent) };
        let found = self.client.get::<R>(number).await;
        let found = found.map_err(|error| error.into_undo_error(&format!("{} {id}", R::MEMBER)))?;
        Ok(match found {
            None => Standing::Absent,
            Some(thing) if self.is_in_scope(&thing) => Standing::Ours(thing),
            Some(_) => Standing::Foreign,
        })
    }

    async fn undo_power(&self, request: &UndoRequest, is_on: bool) -> Result<Undone, UndoError> {
        let server = match self.ours::<Server>(target(request)?).await? {
            Standing::Ours(server) => server,
            Standing::Absent => return Ok(Undone::Absent),
            Standing::Foreign => return Ok(Undone::NotOurs),
        };
        let subject = format!("server {}", server.name);
        let started = self.start_power(server.id, is_on).await;
        let actions = started.map_err(|error| error.into_undo_error(&subject))?;
        let waited = self.client.wait(&actions).await;
        waited.map_err(|error| error.into_undo_error(&subject))?;
        let ended = self.end_power(server.id, is_on).await;
        ended.map(|()| Undone::Done).map_err(|error| error.into_undo_error(&subject))
    }

    async fn undo_applied(
        &self,
        request: &UndoRequest,
        is_applied: bool,
    ) -> Result<Undone, UndoError> {
        let firewall = match self.ours::<Firewall>(target(request)?).await? {
            Standing::Ours(firewall) => firewall,
            Standing::Absent => return Ok(Undone::Absent),
            Standing::Foreign => return Ok(Undone::NotOurs),
        };
        let Standing::Ours(server) = self.ours::<Server>(other(request)?).await? else {
            // Without the server there is nothing left to protect or to lay bare.
            return Ok(Undone::Absent);
        };
        let subject = format!("firewall {}", firewall.name);
        let started = self.set_applied(firewall.id, server.id, is_applied).await;
        let actions = started.map_err(|error| error.into_undo_error(&subject))?;
        let waited = self.client.wait(&actions).await;
        waited.map(|()| Undone::Done).map_err(|error| error.into_undo_error(&subject))
    }

    /// Restores rules, but only while they are those that the call left: what somebody changed
    /// since is theirs.
    async fn undo_rules(&self, request: &UndoRequest) -> Result<Undone, UndoError> {
        let firewall = match self.ours::<Firewall>(target(request)?).await? {
            Standing::Ours(firewall) => firewall,
            Standing::Absent => return Ok(Undone::Absent),
            Standing::Foreign => return Ok(Undone::NotOurs),
        };
        let (before, left) =
            (rules_in(request.previous.as_ref())?, rules_in(Some(&request.request))?);
        let present = firewall.model_rules();
        let subject = format!("firewall {}", firewall.name);
        match () {
            () if is_same_rules(&present, &before) => return Ok(Undone::Done),
            () if !is_same_rules(&present, &left) => return Ok(Undone::NotOurs),
            () => {}
        }
        let path = format!("firewalls/{}/actions/set_rules", firewall.id);
        let body = serde_json::json!({"rules": rules(&before)});
        let started = self.client.act(path, body).await;
        let actions = started.map_err(|error| error.into_undo_error(&subject))?;
        let waited = self.client.wait(&actions).await;
        waited.map(|()| Undone::Done).map_err(|error| error.into_undo_error(&subject))
    }

    /// Detaches a volume from the server that the call attached it to, and from no other.
    async fn undo_attach(&self, request: &UndoRequest) -> Result<Undone, UndoError> {
        let volume = match self.ours::<Volume>(target(request)?).await? {
            Standing::Ours(volume) => volume,
            Standing::Absent => return Ok(Undone::Absent),
            Standing::Foreign => return Ok(Undone::NotOurs),
        };
        let server = argument(request, "server").and_then(parse_id);
        match volume.server {
            None => return Ok(Undone::Absent),
            attached if server.is_some() && attached != server => return Ok(Undone::NotOurs),
            Some(_) => {}
        }
        let subject = format!("volume {}", volume.name);
        let started = self.detach(volume.id).await;
        let actions = started.map_err(|error| error.into_undo_error(&subject))?;
        let waited = self.client.wait(&actions).await;
        waited.map_err(|error| error.into_undo_error(&subject))?;
        let after = self.client.get::<Volume>(volume.id).await;
        let after = after.map_err(|error| error.into_undo_error(&subject))?;
        match after.is_some_and(|volume| volume.server.is_some()) {
            true => Err(UndoError::Later(format!("{subject} is still attached"))),
            false => Ok(Undone::Done),
        }
    }

    /// Attaches a volume again to the server that it was taken from.
    async fn undo_detach(&self, request: &UndoRequest) -> Result<Undone, UndoError> {
        let volume = match self.ours::<Volume>(target(request)?).await? {
            Standing::Ours(volume) => volume,
            Standing::Absent => return Ok(Undone::Absent),
            Standing::Foreign => return Ok(Undone::NotOurs),
        };
        let Standing::Ours(server) = self.ours::<Server>(other(request)?).await? else {
            return Ok(Undone::Absent);
        };
        match volume.server {
            Some(attached) if attached == server.id => return Ok(Undone::Done),
            Some(_) => return Ok(Undone::NotOurs),
            None => {}
        }
        let subject = format!("volume {}", volume.name);
        let body = serde_json::json!({"server": server.id, "automount": false});
        let started = self.client.act(format!("volumes/{}/actions/attach", volume.id), body).await;
        let actions = started.map_err(|error| error.into_undo_error(&subject))?;
        let waited = self.client.wait(&actions).await;
        waited.map(|()| Undone::Done).map_err(|error| error.into_undo_error(&subject))
    }
}

/// What stands under an id.
enum Standing<R> {
    Ours(R),
    Absent,
    Foreign,
}

impl Firewall {
    /// Returns the servers that it is applied to one by one.
    fn own_servers(&self) -> impl Iterator<Item = u64> {
        self.applied_to.iter().filter_map(|it| it.server.as_ref()).map(|server| server.id)
    }
}

#[derive(Deserialize)]
struct Ruled {
    rules: Vec<Rule>,
}

fn rules_in(value: Option<&Value>) -> Result<Vec<Rule>, UndoError> {
    let read = serde_json::from_value::<Ruled>(value.cloned().unwrap_or_default());
    let unreadable =
        |error| UndoError::Never(format!("the journaled rules are unreadable: {error}"));
    Ok(read.map_err(unreadable)?.rules)
}

fn argument<'a>(request: &'a UndoRequest, name: &str) -> Option<&'a str> {
    request.plan.arguments.get(name)?.as_str()
}

/// Returns the id of what the call changed.
fn target(request: &UndoRequest) -> Result<&str, UndoError> {
    let id = argument(request, "id").or(request.remote_id.as_deref());
    id.ok_or_else(|| UndoError::Never(format!("the undo of call {} names nothing", request.call)))
}

/// Returns the id of the server that it concerned.
fn other(request: &UndoRequest) -> Result<&str, UndoError> {
    argument(request, "server").ok_or_else(|| {
        UndoError::Never(format!("the undo of call {} names no server", request.call))
    })
}

fn subject<R: Resource>(request: &UndoRequest) -> String {
    let name = request.key.as_deref().or(request.remote_id.as_deref()).unwrap_or("?");
    let kind = kind_of::<R>();
    format!("{} {name}", kind.as_str().trim_start_matches("hetzner."))
}
