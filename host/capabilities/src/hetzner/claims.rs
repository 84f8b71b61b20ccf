//! The claim on a scope: a free placement group whose name the project keeps unique.

use std::collections::BTreeMap;

use runwrit_model::claim::{self, Claimant, Holder, Standing};
use runwrit_model::labels::scope_selector;
use runwrit_model::limits::GLANCE_AGE_MAX;
use serde_json::json;

use super::Project;
use super::client::{ApiError, Client, Request};
use super::wire::{Firewall, Network, PlacementGroup, PrimaryIp, Resource, Server, SshKey, Volume};

/// How often a claim is looked at again that somebody took or gave back in between.
const LOOKS_MAX: u32 = 5;

/// Why this state directory may not work on a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The API could not be asked, or gave no plain answer.
    #[error("the placement group `{name}` can be neither read nor made: {source}")]
    Unclear {
        /// The name of the claim.
        name: String,
        /// Why.
        source: ApiError,
    },
    /// Another installation works on it.
    #[error(
        "installation `{}` on `{}` holds it by the placement group `{name}`",
        holder.by, holder.host
    )]
    Others {
        /// The name of the claim.
        name: String,
        /// Who.
        holder: Holder,
    },
    /// A later copy of this state directory works on it, or another import of its run.
    #[error(
        "a later copy of this state directory, or one that imported its run, on `{}`, holds it by \
         the placement group `{name}`",
        holder.host
    )]
    Later {
        /// The name of the claim.
        name: String,
        /// Who.
        holder: Holder,
    },
    /// Somebody else made the object.
    #[error("the placement group `{name}` stands there without the labels of a claim")]
    Unproven {
        /// The name of the claim.
        name: String,
    },
}

impl Project {
    /// Makes sure that this state directory holds the scope: takes the claim, or takes it over from
    /// an earlier copy of itself, or from the directory that its run came from. A scope that no
    /// other run can have needs none.
    pub async fn claim(&self, claimant: &Claimant) -> Result<(), ClaimError> {
        let Some(name) = claim::name(&self.scope) else { return Ok(()) };
        let unclear = |source| ClaimError::Unclear { name: name.clone(), source };
        for _ in 0..LOOKS_MAX {
            let Some(found) = self.standing_claim(&name).await.map_err(unclear)? else {
                match self.make_claim(&name, claimant).await.map_err(unclear)? {
                    true => return Ok(()),
                    false => continue,
                }
            };
            match self.judge(claimant, &found.labels) {
                Standing::Held => return Ok(()),
                // Of two that imported one run at once only one deletes it, and only one makes it
                // anew: the API changes labels for whoever comes last.
                Standing::Earlier if claimant.is_successor(&self.scope) => {
                    self.client.delete::<PlacementGroup>(found.id).await.map_err(unclear)?;
                }
                Standing::Earlier => {
                    let labels = claim::labels(&self.key, &self.scope, claimant);
                    let path = format!("{}/{}", PlacementGroup::COLLECTION, found.id);
                    let request = Request::put(path, json!({"labels": labels}));
                    self.client.ask(&request).await.map_err(unclear)?;
                }
                Standing::Others(holder) => return Err(ClaimError::Others { name, holder }),
                Standing::Later(holder) => return Err(ClaimError::Later { name, holder }),
                Standing::Unproven => return Err(ClaimError::Unproven { name }),
            }
        }
        Err(unclear(ApiError::Unclear("it comes and goes".to_owned())))
    }

    /// Looks for the claim. That there is none may be a moment old: its creation is refused then.
    async fn standing_claim(&self, name: &str) -> Result<Option<PlacementGroup>, ApiError> {
        match self.client.named::<PlacementGroup>(name, GLANCE_AGE_MAX).await?.is_empty() {
            true => Ok(None),
            false => self.client.find::<PlacementGroup>(name).await,
        }
    }

    fn judge(&self, claimant: &Claimant, labels: &BTreeMap<String, String>) -> Standing {
        let now = self.client.clock().now_unix_ms();
        let standing = claim::judge(&self.key, &self.scope, claimant, labels, now);
        let epoch = labels.get(claim::EPOCH).and_then(|epoch| epoch.parse().ok());
        if standing == Standing::Earlier && epoch.is_some_and(|it| !claim::is_possible(it, now)) {
            tracing::warn!(scope = %self.scope, "its claim was made by a clock far ahead");
        }
        standing
    }

    /// Tells whether it was made. Without a plain answer somebody else may have been first: then
    /// what stands there counts.
    async fn make_claim(&self, name: &str, claimant: &Claimant) -> Result<bool, ApiError> {
        let labels = claim::labels(&self.key, &self.scope, claimant);
        let body = json!({"name": name, "type": "spread", "labels": labels});
        match self.client.create::<PlacementGroup>(body).await {
            Ok(_) => Ok(true),
            Err(ApiError::Unclear(_)) => Ok(false),
            Err(error) if error.is_one_of(&["uniqueness_error"]) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives the claim back where nothing is labelled as this installation's in the scope any more.
    /// Returns whether it is gone; one that another holds is left alone.
    pub async fn release(&self, claimant: &Claimant) -> Result<bool, ClaimError> {
        let Some(name) = claim::name(&self.scope) else { return Ok(true) };
        let unclear = |source| ClaimError::Unclear { name: name.clone(), source };
        let found = self.client.find::<PlacementGroup>(&name).await.map_err(unclear)?;
        let Some(found) = found else { return Ok(true) };
        let standing = self.judge(claimant, &found.labels);
        let is_ours = matches!(standing, Standing::Held | Standing::Earlier);
        let selector = scope_selector(&self.key, &self.scope);
        if !is_ours || stands(&self.client, &selector).await.map_err(unclear)? {
            return Ok(false);
        }
        self.client.delete::<PlacementGroup>(found.id).await.map_err(unclear)?;
        Ok(true)
    }
}

/// Returns whether a label selector selects anything that a run can make.
async fn stands(client: &Client, selector: &str) -> Result<bool, ApiError> {
    Ok(any::<Server>(client, selector).await?
        || any::<Volume>(client, selector).await?
        || any::<Network>(client, selector).await?
        || any::<Firewall>(client, selector).await?
        || any::<PrimaryIp>(client, selector).await?
        || any::<SshKey>(client, selector).await?)
}

async fn any<R: Resource>(client: &Client, selector: &str) -> Result<bool, ApiError> {
    Ok(!client.select::<R>(selector).await?.is_empty())
}
