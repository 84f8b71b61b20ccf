//! What changes a project. Each effect is sent once for each intent, or found again.

mod adopt;
mod create;
mod delete;
mod firewalls;
mod making;
mod power;
mod servers;
mod volumes;

pub use adopt::Adopt;
pub use create::{Create, rules};
pub use delete::Delete;
pub use firewalls::{Applied, SetRules, is_same_rules};
pub use power::Power;
pub use servers::{CreateServer, Order, Purpose};
pub use volumes::{Attach, DeclareData, Detach};

use std::time::Duration;

use runwrit_model::call::{Call, CallClass, Reference};
use serde_json::Value;

use super::client::ApiError;
use super::scope::{kind_of, parse_id};
use super::wire::Resource;
use super::{Project, scope};
use crate::gate::{Acceptance, SendError};

/// Describes a call that leads to the same state however often it is sent.
fn converge<R: Resource>(function: &str, id: &str, request: Value) -> Call {
    let kind = kind_of::<R>();
    Call {
        operation: format!("hetzner.{}.{function}", kind.plural()),
        class: CallClass::Converge,
        request,
        kind: Some(kind.to_string()),
        key: None,
        references: vec![Reference::new(kind.as_str(), id)],
        subject: subject::<R>(id),
    }
}

/// Names a thing for people: `server 4711`.
fn subject<R: Resource>(name: &str) -> String {
    format!("{} {name}", R::MEMBER.replace('_', " "))
}

/// Reads the id of a call. A guest may have written anything, so it is refused, not trusted.
fn number<R: Resource>(id: &str) -> Result<u64, SendError> {
    let missing = || SendError::Refused(scope::not_found(&subject::<R>(id), "it is no id"));
    parse_id(id).ok_or_else(missing)
}

/// Accepts a call that started these actions.
fn accepted(id: &str, actions: Vec<u64>) -> Acceptance {
    let actions = actions.iter().map(u64::to_string).collect();
    Acceptance { remote_id: Some(id.to_owned()), actions, ..Acceptance::default() }
}

impl Project {
    /// Waits for what a call started.
    async fn finish(&self, acceptance: &Acceptance, subject: &str) -> Result<(), SendError> {
        let actions = action_ids(acceptance);
        let waited = self.client.wait(&actions).await;
        waited.map_err(|error| error.into_send_error(subject))
    }

    /// Reads what a call made or changed; it must be there.
    async fn read_back<R: Resource>(&self, id: u64, subject: &str) -> Result<R, SendError> {
        self.read_back_within(id, subject, Duration::ZERO).await
    }

    /// The same, as it was within `age`.
    async fn read_back_within<R: Resource>(
        &self,
        id: u64,
        subject: &str,
        age: Duration,
    ) -> Result<R, SendError> {
        there(self.client.get_within::<R>(id, age).await, subject)
    }

    /// The same of one of several, as it was at `since` or later.
    async fn read_back_since<R: Resource>(
        &self,
        id: u64,
        subject: &str,
        since: u64,
    ) -> Result<R, SendError> {
        there(self.client.get_since::<R>(id, since).await, subject)
    }
}

/// Returns what must be there.
fn there<R>(found: Result<Option<R>, ApiError>, subject: &str) -> Result<R, SendError> {
    let unread = |error: ApiError| SendError::Unknown(error.to_string());
    let gone = || SendError::FailedAfterEffect(scope::not_found(subject, "it has vanished"));
    found.map_err(unread)?.ok_or_else(gone)
}

fn action_ids(acceptance: &Acceptance) -> Vec<u64> {
    acceptance.actions.iter().filter_map(|id| id.parse().ok()).collect()
}

/// Returns the id that was accepted.
fn accepted_id(acceptance: &Acceptance) -> Result<u64, SendError> {
    let id = acceptance.remote_id.as_deref().and_then(parse_id);
    id.ok_or_else(|| SendError::Unknown("the journal holds no id of what was accepted".to_owned()))
}
