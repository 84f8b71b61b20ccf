//! Which project this is: a marker that the first run leaves and every later look must find.

use runwrit_model::journal::World;
use runwrit_model::limits::GLANCE_AGE_MAX;
use serde_json::json;

use super::client::{ApiError, Client};
use super::wire::PlacementGroup;

/// The name of the marker. A placement group is free and hurts nobody.
pub const MARKER_NAME: &str = "runwrit-project";
/// The label that tells this project from one that got a marker of the same id elsewhere.
pub const MARKER_LABEL: &str = "runwrit/project";

/// Why a project is not the one that a run is bound to, or cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// The API could not be asked.
    #[error("the project behind credential `{credential}` cannot be told: {source}")]
    Unreadable {
        /// The credential.
        credential: String,
        /// Why.
        source: ApiError,
    },
    /// The marker is not there.
    #[error(
        "the project behind credential `{0}` holds no `{MARKER_NAME}`: it is another project, or \
             the placement group was deleted by hand"
    )]
    Unmarked(String),
    /// The marker lacks its label.
    #[error(
        "the placement group `{MARKER_NAME}` behind credential `{0}` has no label \
             `{MARKER_LABEL}`: it was made by something else"
    )]
    Unlabelled(String),
}

impl Client {
    /// Binds a run to its project: reads the marker, and leaves one where there is none. `random`
    /// is what a new marker carries.
    pub async fn enter(&self, credential: &str, random: &str) -> Result<World, WorldError> {
        let unreadable =
            |source| WorldError::Unreadable { credential: credential.to_owned(), source };
        if self.marker().await.map_err(unreadable)?.is_none() {
            let mut labels = json!({});
            labels[MARKER_LABEL] = json!(random);
            let body = json!({"name": MARKER_NAME, "type": "spread", "labels": labels});
            match self.create::<PlacementGroup>(body).await {
                // Whatever came of it, another run may have been first: what counts is read back.
                Ok(_) | Err(ApiError::Unclear(_)) => {}
                Err(error) if error.is_one_of(&["uniqueness_error"]) => {}
                Err(error) => return Err(unreadable(error)),
            }
        }
        self.world(credential).await
    }

    /// Reads which project this is, and changes nothing. On an error a run must touch nothing and
    /// call nothing clean: what is absent elsewhere proves nothing here.
    pub async fn world(&self, credential: &str) -> Result<World, WorldError> {
        let unreadable =
            |source| WorldError::Unreadable { credential: credential.to_owned(), source };
        let marker = self.marker().await.map_err(unreadable)?;
        let marker = marker.ok_or_else(|| WorldError::Unmarked(credential.to_owned()))?;
        let label = marker.labels.get(MARKER_LABEL).filter(|label| !label.is_empty());
        let label = label.ok_or_else(|| WorldError::Unlabelled(credential.to_owned()))?;
        Ok(World {
            credential: credential.to_owned(),
            endpoint: self.endpoint().to_owned(),
            marker: format!("{}:{label}", marker.id),
        })
    }

    async fn marker(&self) -> Result<Option<PlacementGroup>, ApiError> {
        let named = self.named::<PlacementGroup>(MARKER_NAME, GLANCE_AGE_MAX).await?;
        Ok(named.into_iter().next())
    }
}
