//! Making a thing under a name that the project keeps unique, and finding it again.

use runwrit_model::breakable::is_broken;
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::journal::UnixMs;
use runwrit_model::labels;
use runwrit_model::limits::LISTED_MAX;
use runwrit_model::reconcile::{Ownership, Probe, is_refusal_proof, ownership, probe};
use serde_json::Value;

use super::{accepted, subject};
use crate::gate::{Acceptance, SendError, Ticket};
use crate::hetzner::Project;
use crate::hetzner::client::{ApiError, Made, Request};
use crate::hetzner::wire::Resource;

/// How a creation went that the API did not plainly refuse.
pub enum Making {
    /// It is there, new or found again.
    Accepted(Acceptance),
    /// The API refused it; another request for the same name may do better.
    Refused(ApiError),
}

impl Project {
    /// Sends a creation, or adopts what an earlier send of the same call made.
    pub(super) async fn make<R: Resource>(
        &self,
        ticket: &Ticket,
        name: &str,
        body: Value,
    ) -> Result<Making, SendError> {
        match self.client.create::<R>(body).await {
            Ok(made) => accept::<R>(made, name).map(Making::Accepted),
            Err(error) if error.is_one_of(&["uniqueness_error"]) => {
                self.taken::<R>(ticket, name, error).await
            }
            Err(error @ ApiError::Unclear(_)) => Err(error.into_send_error(&subject::<R>(name))),
            Err(error) => Ok(Making::Refused(error)),
        }
    }

    /// Finds out who holds a name. Lists may lag behind what an earlier send of this call made; all
    /// of a batch who wait for that share their looks.
    async fn taken<R: Resource>(
        &self,
        ticket: &Ticket,
        name: &str,
        error: ApiError,
    ) -> Result<Making, SendError> {
        let mut patience = self.client.patience(LISTED_MAX);
        let mut since = self.now();
        loop {
            match self.find_ours_since::<R>(ticket, name, since).await? {
                Found::Ours(found) => return Ok(Making::Accepted(found)),
                Found::Nothing if ticket.is_repeated => {}
                Found::Foreign | Found::Nothing => return Ok(Making::Refused(error)),
            }
            // Later than this look, however long it took: nobody learns from the same one twice.
            since = self.now() + 1;
            if !self.client.linger(&mut patience).await {
                let text = format!("{name}: taken, but not listed after {LISTED_MAX:?}");
                return Err(SendError::Unknown(text));
            }
        }
    }

    /// Looks for what an earlier send of this call made.
    pub(super) async fn find_ours<R: Resource>(
        &self,
        ticket: &Ticket,
        name: &str,
    ) -> Result<Found, SendError> {
        self.find_ours_since::<R>(ticket, name, self.now()).await
    }

    /// The same, as it was at `since` or later.
    async fn find_ours_since<R: Resource>(
        &self,
        ticket: &Ticket,
        name: &str,
        since: UnixMs,
    ) -> Result<Found, SendError> {
        let unknown = |error: ApiError| SendError::Unknown(format!("{name}: {error}"));
        let found = self.client.named_since::<R>(name, since).await.map_err(unknown)?;
        let is_empty = found.is_empty();
        let mut ours: Vec<R> = found.into_iter().filter(|it| self.is_of(ticket, it)).collect();
        let ours = match (probe(ours.len()), ours.pop()) {
            (Probe::Adopt, Some(ours)) => ours,
            // A rollback deletes each of them.
            (Probe::Ambiguous, _) => {
                let text = format!("{name}: several things carry the mark of call {}", ticket.call);
                return Err(SendError::Unknown(text));
            }
            _ => return Ok(if is_empty { Found::Nothing } else { Found::Foreign }),
        };
        let actions = self.running_actions::<R>(ours.id()).await.map_err(unknown)?;
        let acceptance = accepted(&ours.id().to_string(), actions);
        Ok(Found::Ours(Acceptance { is_adopted: true, ..acceptance }))
    }

    /// Returns whether a thing was made by the call of this ticket: its labels name the call and
    /// the run, and their proof holds.
    fn is_of<R: Resource>(&self, ticket: &Ticket, thing: &R) -> bool {
        let maker = self.owner(thing).ok().filter(|_| !is_broken("no-adoption"));
        let run = ticket.labels.get(labels::RUN).map_or("", String::as_str);
        ownership(maker.as_ref(), run, ticket.call) == Ownership::Ours
            || is_broken("adopt-anything")
    }

    async fn running_actions<R: Resource>(&self, id: u64) -> Result<Vec<u64>, ApiError> {
        let path = format!("{}/{id}/actions", R::COLLECTION);
        let answer = self.client.ask(&Request::get(path).with("status", "running")).await;
        match answer {
            Ok(answer) => Ok(super::super::client::actions(&answer)),
            // Some kinds have no actions at all.
            Err(ApiError::Refused(refusal)) if refusal.status == 404 => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// What stands under a name.
pub enum Found {
    /// What this call made.
    Ours(Acceptance),
    /// Something else.
    Foreign,
    /// Nothing.
    Nothing,
}

/// A root password would be a secret that nobody asked for: it is dropped, and so is the server.
fn accept<R: Resource>(made: Made<R>, name: &str) -> Result<Acceptance, SendError> {
    if made.has_password {
        let text = format!("{}: the API set a root password", subject::<R>(name));
        let failure = Failure::Failed(Problem::new("root-password", text));
        return Err(SendError::FailedAfterEffect(failure));
    }
    Ok(accepted(&made.thing.id().to_string(), made.actions))
}

/// Says what a refusal proves: nothing, where an earlier send may still have its effect.
pub fn refused<R: Resource>(ticket: &Ticket, name: &str, error: ApiError) -> SendError {
    match error.into_send_error(&subject::<R>(name)) {
        SendError::Refused(failure) if !is_refusal_proof(ticket.is_repeated) => {
            SendError::FailedAfterEffect(failure)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::hetzner::wire::SshKey;

    #[test]
    fn what_comes_with_a_password_is_refused_and_left_to_its_undo() {
        let thing = SshKey {
            id: 7,
            name: "x".to_owned(),
            labels: BTreeMap::new(),
            fingerprint: String::new(),
        };
        let made = |has_password| Made { thing: thing.clone(), actions: Vec::new(), has_password };
        assert!(accept(made(false), "x").is_ok());
        let refused = accept(made(true), "x");
        // After the effect: whatever the password came with is deleted by its undo.
        assert!(matches!(refused, Err(SendError::FailedAfterEffect(_))), "{refused:?}");
    }
}
