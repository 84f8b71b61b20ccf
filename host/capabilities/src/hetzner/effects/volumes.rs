//! Where volumes are attached, and whether they hold data.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use runwrit_model::call::{Call, CallClass, Rank, Reference, UndoPlan};
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::grant::Permit;
use runwrit_model::hetzner::Kind;
use runwrit_model::limits::LOCKED_MAX;
use serde_json::{Value, json};

use super::{accepted, accepted_id, action_ids, converge, number, subject};
use crate::bindings::runwrit::hetzner::volumes;
use crate::gate::{Acceptance, CallError, Effect, Observation, Provenance, SendError, Ticket};
use crate::hetzner::scope::parse_id;
use crate::hetzner::wire::{Server, Volume};
use crate::hetzner::{Hetzner, Project};

/// Attaches a volume to a server.
pub struct Attach {
    pub(in crate::hetzner) hetzner: Arc<Hetzner>,
    pub(in crate::hetzner) id: String,
    pub(in crate::hetzner) server: String,
}

impl Attach {
    async fn start(&self) -> Result<Vec<u64>, SendError> {
        let (id, server) = (number::<Volume>(&self.id)?, number::<Server>(&self.server)?);
        let subject = subject::<Volume>(&self.id);
        let path = format!("volumes/{id}/actions/attach");
        let body = json!({"server": server, "automount": false});
        let error = match self.hetzner.client.act(path, body).await {
            Ok(actions) => return Ok(actions),
            Err(error) => error,
        };
        // The refusal does not say to which server; only to the wished one it is success.
        if error.refusal().is_some_and(|refusal| matches!(refusal.status, 409 | 422)) {
            let volume: Volume = self.hetzner.read_back(id, &subject).await?;
            match volume.server {
                Some(attached) if attached == server => return Ok(Vec::new()),
                Some(attached) => return Err(SendError::Refused(elsewhere(&subject, attached))),
                None => {}
            }
        }
        Err(error.into_send_error(&subject))
    }
}

fn elsewhere(subject: &str, server: u64) -> Failure {
    let text = format!("{subject} is attached to server {server}");
    Failure::Conflict(Problem::new("volume_already_attached", text))
}

impl Effect for Attach {
    type Output = volumes::Volume;

    fn call(&self) -> Call {
        let request = json!({"id": self.id, "server": self.server});
        let mut call = converge::<Volume>("attach", &self.id, request);
        call.references.push(Reference::new(Kind::Server.as_str(), &*self.server));
        call.subject = format!("volume {} on server {}", self.id, self.server);
        call
    }

    async fn permit(&self, provenance: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        let hetzner = &self.hetzner;
        let volume = hetzner.addressed::<Volume>(provenance, &self.id).await?;
        let server = hetzner.addressed::<Server>(provenance, &self.server).await?;
        let operation = "hetzner.volumes.attach";
        Ok(hetzner.grant.join(operation, (&volume, &server), hetzner.now())?)
    }

    async fn previous(&self) -> Result<Option<Value>, CallError> {
        attached(&self.hetzner, &self.id).await
    }

    fn undo(&self, previous: Option<&Value>) -> Option<UndoPlan> {
        let was_free = previous?.get("server")?.is_null();
        was_free.then(|| plan("detach", &self.id, json!(self.server)))
    }

    async fn send(&self, _: &Ticket) -> Result<Acceptance, SendError> {
        Ok(accepted(&self.id, self.start().await?))
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<volumes::Volume, SendError> {
        let subject = subject::<Volume>(&self.id);
        self.hetzner.finish_unlocked(acceptance, &subject, || self.start()).await?;
        let volume: Volume = self.hetzner.read_back(accepted_id(acceptance)?, &subject).await?;
        if volume.server != parse_id(&self.server) {
            let text = format!("{subject} is not attached to server {}", self.server);
            let failure = Failure::Failed(Problem::new("not-attached", text));
            return Err(SendError::FailedAfterEffect(failure));
        }
        Ok(volume.into())
    }
}

/// Detaches a volume.
pub struct Detach {
    pub(in crate::hetzner) hetzner: Arc<Hetzner>,
    pub(in crate::hetzner) id: String,
}

impl Detach {
    async fn start(&self) -> Result<Vec<u64>, SendError> {
        let started = self.hetzner.detach(number::<Volume>(&self.id)?).await;
        started.map_err(|error| error.into_send_error(&subject::<Volume>(&self.id)))
    }
}

impl Effect for Detach {
    type Output = volumes::Volume;

    fn call(&self) -> Call {
        converge::<Volume>("detach", &self.id, json!({"id": self.id}))
    }

    async fn permit(&self, provenance: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        let hetzner = &self.hetzner;
        let volume = hetzner.addressed::<Volume>(provenance, &self.id).await?;
        Ok(hetzner.grant.change("hetzner.volumes.detach", &volume, hetzner.now())?)
    }

    async fn previous(&self) -> Result<Option<Value>, CallError> {
        attached(&self.hetzner, &self.id).await
    }

    fn undo(&self, previous: Option<&Value>) -> Option<UndoPlan> {
        let server = previous?.get("server")?;
        (!server.is_null()).then(|| plan("attach", &self.id, server.clone()))
    }

    async fn send(&self, _: &Ticket) -> Result<Acceptance, SendError> {
        Ok(accepted(&self.id, self.start().await?))
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<volumes::Volume, SendError> {
        let subject = subject::<Volume>(&self.id);
        self.hetzner.finish_unlocked(acceptance, &subject, || self.start()).await?;
        let volume: Volume = self.hetzner.read_back(accepted_id(acceptance)?, &subject).await?;
        Ok(volume.into())
    }
}

/// Asks whether data may be declared on a volume; the declaration itself is a refinement of undo.
pub struct DeclareData {
    pub(in crate::hetzner) hetzner: Arc<Hetzner>,
    pub(in crate::hetzner) id: String,
    pub(in crate::hetzner) what: String,
}

impl Observation for DeclareData {
    type Output = ();

    fn call(&self) -> Call {
        let request = json!({"id": self.id, "what": self.what});
        let call = converge::<Volume>("declare-data", &self.id, request);
        Call { class: CallClass::Read, ..call }
    }

    async fn permit(&self, provenance: &dyn Provenance) -> Result<Permit, CallError> {
        let hetzner = &self.hetzner;
        let volume = hetzner.addressed::<Volume>(provenance, &self.id).await?;
        Ok(hetzner.grant.change("hetzner.volumes.declare-data", &volume, hetzner.now())?)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<(), CallError> {
        Ok(())
    }
}

async fn attached(hetzner: &Hetzner, id: &str) -> Result<Option<Value>, CallError> {
    let volume: Volume = hetzner.present(id).await?;
    Ok(Some(json!({"server": volume.server.map(|server| server.to_string())})))
}

fn plan(function: &str, id: &str, server: Value) -> UndoPlan {
    let arguments = [("id".to_owned(), json!(id)), ("server".to_owned(), server)];
    let operation = format!("hetzner.volumes.{function}");
    UndoPlan { operation, arguments: BTreeMap::from(arguments), rank: Rank::Server }
}

impl Project {
    /// Starts to detach a volume; nothing where it is detached already.
    pub(in crate::hetzner) async fn detach(
        &self,
        id: u64,
    ) -> Result<Vec<u64>, super::super::client::ApiError> {
        match self.client.act(format!("volumes/{id}/actions/detach"), json!({})).await {
            Err(error) if error.refusal().is_some_and(|refusal| refusal.status == 422) => {
                let volume = self.client.get::<Volume>(id).await?;
                match volume.is_some_and(|volume| volume.server.is_some()) {
                    true => Err(error),
                    false => Ok(Vec::new()),
                }
            }
            other => other,
        }
    }

    /// Waits for what a call started, and starts it again when it failed because another action
    /// held the thing: the API takes such requests and lets them fail later.
    pub(super) async fn finish_unlocked<F>(
        &self,
        acceptance: &Acceptance,
        subject: &str,
        start: impl Fn() -> F + Send,
    ) -> Result<(), SendError>
    where
        F: Future<Output = Result<Vec<u64>, SendError>> + Send,
    {
        let mut actions = action_ids(acceptance);
        let mut patience = self.client.patience(LOCKED_MAX);
        loop {
            match self.client.wait(&actions).await {
                Err(error) if error.is_locked() => {}
                ended => return ended.map_err(|error| error.into_send_error(subject)),
            }
            if !self.client.linger(&mut patience).await {
                break;
            }
            actions = start().await?;
        }
        let text = format!("{subject} stayed locked by other actions");
        Err(SendError::FailedAfterEffect(Failure::Failed(Problem::new("locked", text))))
    }
}
