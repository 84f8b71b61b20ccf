//! Deletions. What is gone already counts as deleted.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use runwrit_model::call::{Call, UndoPlan};
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::grant::Permit;
use runwrit_model::limits::{IN_USE_WAIT_MAX, LINGER_MAX};
use serde_json::{Value, json};

use super::{accepted, converge, number, subject};
use crate::gate::{Acceptance, CallError, Effect, Provenance, SendError, Ticket};
use crate::hetzner::client::ApiError;
use crate::hetzner::scope::{Nothing, kind_of};
use crate::hetzner::wire::Resource;
use crate::hetzner::{Hetzner, Project};

/// How the API says that others use a firewall, a volume or a network, and an address.
const IN_USE: [&str; 3] = ["resource_in_use", "service_error", "must_be_unassigned"];

/// Deletes one thing.
pub struct Delete<R> {
    hetzner: Arc<Hetzner>,
    id: String,
    /// Whether the permit of this process saw it.
    seen: OnceLock<bool>,
    /// What the permit of this process saw of it, for a plan.
    found: OnceLock<Value>,
    kind: PhantomData<fn() -> R>,
}

impl<R> Delete<R> {
    /// Describes the deletion of what has this id.
    pub fn new(hetzner: Arc<Hetzner>, id: String) -> Self {
        let (seen, found) = (OnceLock::new(), OnceLock::new());
        Self { hetzner, id, seen, found, kind: PhantomData }
    }
}

impl<R: Resource> Effect for Delete<R> {
    type Output = ();

    fn call(&self) -> Call {
        converge::<R>("delete", &self.id, json!({"id": self.id}))
    }

    fn found(&self) -> Option<Value> {
        self.found.get().cloned()
    }

    async fn permit(&self, provenance: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        let hetzner = &self.hetzner;
        let look = hetzner.look::<R>(provenance, &self.id).await?;
        if let Some(thing) = &look.thing {
            // A plan names what it deletes; another name or other labels mean another thing.
            // Our own labels name the run, which is another one when the plan is applied.
            let labels = thing.labels().iter().filter(|(key, _)| !key.starts_with("runwrit/"));
            let labels: BTreeMap<_, _> = labels.collect();
            let found = json!({"name": thing.name(), "labels": labels});
            self.found.get_or_init(|| found);
        }
        let is_there = self.seen.get_or_init(|| look.thing.is_some());
        let kind = kind_of::<R>();
        Ok(match is_there {
            true => hetzner.grant.delete(kind, &look.addressed, hetzner.now())?,
            // Nothing of that id is there, and nothing will be sent: only the right to try counts.
            false => {
                let operation = format!("hetzner.{}.delete", kind.plural());
                hetzner.grant.read(&operation, &self.id, hetzner.now())?
            }
        })
    }

    fn undo(&self, _: Option<&Value>) -> Option<UndoPlan> {
        None
    }

    async fn send(&self, ticket: &Ticket) -> Result<Acceptance, SendError> {
        let id = number::<R>(&self.id)?;
        if !self.is_there(id, ticket).await? {
            return Ok(accepted(&self.id, Vec::new()));
        }
        Ok(accepted(&self.id, self.start(id).await?))
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<(), SendError> {
        let subject = subject::<R>(&self.id);
        let id = number::<R>(&self.id)?;
        self.hetzner.finish_unlocked(acceptance, &subject, || self.start(id)).await?;
        let is_gone = self.hetzner.is_gone::<R>(id).await;
        match is_gone.map_err(|error| SendError::Unknown(format!("{subject}: {error}")))? {
            true => Ok(()),
            false => {
                let text = format!("{subject} was deleted and is still there");
                Err(SendError::FailedAfterEffect(Failure::Failed(Problem::new("lingers", text))))
            }
        }
    }
}

impl<R: Resource> Delete<R> {
    async fn start(&self, id: u64) -> Result<Vec<u64>, SendError> {
        let deleted = self.hetzner.delete_unused::<R>(id).await;
        deleted.map_err(|error| error.into_send_error(&subject::<R>(&self.id)))
    }

    /// After a crash no permit has looked, and an id that was free then may be a stranger's now.
    /// After a lost answer a look tells what to ask again might not: that it is gone.
    async fn is_there(&self, id: u64, ticket: &Ticket) -> Result<bool, SendError> {
        if let (Some(is_there), false) = (self.seen.get(), ticket.is_repeated) {
            return Ok(*is_there);
        }
        let look = self.hetzner.look::<R>(&Nothing, &id.to_string()).await;
        let look = look.map_err(|error| SendError::Unknown(error.to_string()))?;
        match &look.thing {
            Some(_) if !look.addressed.is_in_scope() => {
                let text = format!("{} no longer carries our labels", subject::<R>(&self.id));
                Err(SendError::Refused(Failure::Failed(Problem::new("not-ours", text))))
            }
            found => Ok(found.is_some()),
        }
    }
}

impl Project {
    /// Deletes a thing, and waits while others still use it: the API lets go of firewalls, volumes
    /// and addresses seconds to minutes after the servers are gone.
    pub(in crate::hetzner) async fn delete_unused<R: Resource>(
        &self,
        id: u64,
    ) -> Result<Vec<u64>, ApiError> {
        let mut patience = self.client.patience(IN_USE_WAIT_MAX);
        loop {
            match self.client.delete::<R>(id).await {
                Ok(actions) => return Ok(actions.unwrap_or_default()),
                Err(error) if error.is_one_of(&IN_USE) => {
                    if !self.client.linger(&mut patience).await {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns whether a thing is gone, and looks again for a while: a deletion that was answered
    /// may linger.
    pub(in crate::hetzner) async fn is_gone<R: Resource>(&self, id: u64) -> Result<bool, ApiError> {
        let mut patience = self.client.patience(LINGER_MAX);
        loop {
            if self.client.get::<R>(id).await?.is_none() {
                return Ok(true);
            }
            if !self.client.linger(&mut patience).await {
                return Ok(false);
            }
        }
    }
}
