//! What restores a set as it was, but only where it still is what the call made of it.

use runwrit_model::dns::{Content, Reverted, SetId, revert};
use runwrit_model::labels;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Zones;
use super::client::{ChangeError, Found};
use super::effects::Previous;
use crate::gate::{Undo, UndoError, UndoRequest, Undone};
use crate::hetzner_api::client::ApiError;

impl Undo for Zones {
    async fn undo(&self, request: &UndoRequest) -> Result<Undone, UndoError> {
        match request.plan.operation.as_str() {
            "dns.records.restore" => self.restore(request).await,
            other => Err(UndoError::Never(format!("`{other}` is no undo of the DNS"))),
        }
    }
}

impl Zones {
    async fn restore(&self, request: &UndoRequest) -> Result<Undone, UndoError> {
        let arguments = &request.plan.arguments;
        let id: SetId = read(request, arguments.get("id"))?;
        let wrote: Option<Content> = read(request, arguments.get("wrote"))?;
        let Previous { set: previous } = read(request, request.previous.as_ref())?;
        let later = |error: ApiError| error.into_undo_error(&id.to_string());
        let found = self.set(&id).await.map_err(later)?;
        let present = found.as_ref().map(|found| &found.content);
        let is_marked = self.is_made_by(request, &id, found.as_ref());
        let started = match revert(previous.as_ref(), wrote.as_ref(), present, is_marked) {
            Reverted::Settled => return Ok(Undone::Absent),
            // Nothing of ours was taken, and whoever stands there now has nothing to do with us.
            Reverted::Foreign if !is_marked && request.remote_id.is_none() => {
                return Ok(Undone::NotOurs);
            }
            Reverted::Foreign => return Err(foreign(&id, wrote.as_ref(), present)),
            Reverted::Delete => self.remove(&id).await.map_err(later)?,
            Reverted::Create | Reverted::Change => {
                let before = previous.clone().unwrap_or_default();
                self.bring_back(&id, present, &before).await?
            }
        };
        let waited = self.client.wait(&started).await;
        waited.map_err(|error| error.into_undo_error(&id.to_string()))?;
        let after = self.set(&id).await.map_err(later)?.map(|found| found.content);
        let is_restored = match (&previous, &after) {
            (None, None) => true,
            (Some(previous), Some(after)) => after.is_same(previous),
            _ => false,
        };
        match is_restored {
            true => Ok(Undone::Done),
            false => Err(UndoError::Later(format!("{id} was restored and is not as before yet"))),
        }
    }

    async fn bring_back(
        &self,
        id: &SetId,
        present: Option<&Content>,
        before: &Content,
    ) -> Result<Vec<u64>, UndoError> {
        let later = |error: ApiError| error.into_undo_error(&id.to_string());
        match present {
            None => self.create(id, before).await.map_err(later),
            Some(present) => self.change(id, present, before).await.map_err(|error| match error {
                ChangeError::Unsent(error) => later(error),
                ChangeError::Begun(error) => error.into_undo_error(&id.to_string()),
            }),
        }
    }

    /// The labels of a set tell which call made it.
    fn is_made_by(&self, request: &UndoRequest, id: &SetId, found: Option<&Found>) -> bool {
        let owner = found.and_then(|found| self.owner(id, found));
        owner.is_some_and(|owner| {
            owner.call == request.call && request.labels.get(labels::RUN) == Some(&owner.run)
        })
    }
}

/// What a person has to know: that it was left, and why.
fn foreign(id: &SetId, wrote: Option<&Content>, present: Option<&Content>) -> UndoError {
    let told = |content: Option<&Content>| content.map_or("absent".into(), Content::to_string);
    let (wrote, present) = (told(wrote), told(present));
    UndoError::Never(format!(
        "{id} was left as it is, since somebody else changed it: this run made it {wrote}, it is \
         {present} now"
    ))
}

fn read<T: DeserializeOwned>(request: &UndoRequest, value: Option<&Value>) -> Result<T, UndoError> {
    serde_json::from_value(value.cloned().unwrap_or_default()).map_err(|error| {
        UndoError::Never(format!("the undo of call {} is unreadable: {error}", request.call))
    })
}
