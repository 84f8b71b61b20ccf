//! Switching servers on and off.

use std::collections::BTreeMap;
use std::sync::Arc;

use runwrit_model::call::{Call, Rank, UndoPlan};
use runwrit_model::grant::Permit;
use runwrit_model::limits::SHUTDOWN_MAX;
use serde_json::{Value, json};

use super::{accepted, converge, number, subject};
use crate::bindings::runwrit::hetzner::servers;
use crate::gate::{Acceptance, CallError, Effect, Provenance, SendError, Ticket};
use crate::hetzner::client::{ActionError, ApiError};
use crate::hetzner::wire::Server;
use crate::hetzner::{Hetzner, Project};

/// Switches a server on or off.
pub struct Power {
    pub(in crate::hetzner) hetzner: Arc<Hetzner>,
    pub(in crate::hetzner) id: String,
    pub(in crate::hetzner) is_on: bool,
}

impl Power {
    async fn start(&self) -> Result<Vec<u64>, SendError> {
        let started = self.hetzner.start_power(number::<Server>(&self.id)?, self.is_on).await;
        started.map_err(|error| error.into_send_error(&subject::<Server>(&self.id)))
    }
}

impl Effect for Power {
    type Output = servers::Server;

    fn call(&self) -> Call {
        converge::<Server>(function(self.is_on), &self.id, json!({"id": self.id}))
    }

    async fn permit(&self, provenance: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        let hetzner = &self.hetzner;
        let server = hetzner.addressed::<Server>(provenance, &self.id).await?;
        let operation = format!("hetzner.servers.{}", function(self.is_on));
        Ok(hetzner.grant.change(&operation, &server, hetzner.now())?)
    }

    async fn previous(&self) -> Result<Option<Value>, CallError> {
        let server: Server = self.hetzner.present(&self.id).await?;
        Ok(Some(json!({"is-on": server.status != "off"})))
    }

    fn undo(&self, previous: Option<&Value>) -> Option<UndoPlan> {
        let was_on = previous?.get("is-on").and_then(Value::as_bool)?;
        (was_on != self.is_on).then(|| UndoPlan {
            operation: format!("hetzner.servers.{}", function(was_on)),
            arguments: BTreeMap::from([("id".to_owned(), json!(self.id))]),
            rank: Rank::Server,
        })
    }

    async fn send(&self, _: &Ticket) -> Result<Acceptance, SendError> {
        Ok(accepted(&self.id, self.start().await?))
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<servers::Server, SendError> {
        let subject = subject::<Server>(&self.id);
        self.hetzner.finish_unlocked(acceptance, &subject, || self.start()).await?;
        let id = number::<Server>(&self.id)?;
        let ended = self.hetzner.end_power(id, self.is_on).await;
        ended.map_err(|error| error.into_send_error(&subject))?;
        Ok(self.hetzner.read_back::<Server>(id, &subject).await?.into())
    }
}

fn function(is_on: bool) -> &'static str {
    if is_on { "power-on" } else { "power-off" }
}

impl Project {
    /// Starts to switch a server; nothing where it is so already. Off begins with a wish to the
    /// operating system, which may still write to its disks.
    pub(in crate::hetzner) async fn start_power(
        &self,
        id: u64,
        is_on: bool,
    ) -> Result<Vec<u64>, ApiError> {
        let server = self.client.get::<Server>(id).await?;
        if server.is_some_and(|server| (server.status != "off") == is_on) {
            return Ok(Vec::new());
        }
        let verb = if is_on { "poweron" } else { "shutdown" };
        self.client.act(format!("servers/{id}/actions/{verb}"), json!({})).await
    }

    /// Waits for the operating system to stop, and cuts the power when it does not.
    pub(in crate::hetzner) async fn end_power(
        &self,
        id: u64,
        is_on: bool,
    ) -> Result<(), ActionError> {
        if is_on {
            return Ok(());
        }
        let mut patience = self.client.patience(SHUTDOWN_MAX);
        loop {
            let server = self.client.get::<Server>(id).await?;
            if server.is_none_or(|server| server.status == "off") {
                return Ok(());
            }
            if !self.client.linger(&mut patience).await {
                break;
            }
        }
        let path = format!("servers/{id}/actions/poweroff");
        let actions = self.client.act(path, json!({})).await?;
        self.client.wait(&actions).await
    }
}
