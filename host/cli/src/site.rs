//! The projects that the credentials of this host open, looked at without any run.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runwrit_capabilities::dns::Zones;
use runwrit_capabilities::gate::{Undo as _, UndoError, UndoRequest, Undone};
use runwrit_capabilities::hetzner::client::{ApiError, Client, Probe};
use runwrit_capabilities::hetzner::{Project, WorldError};
use runwrit_capabilities::undo::Undoers;
use runwrit_engine::outside::WorldsError;
use runwrit_engine::sweep::Place;
use runwrit_model::claim::Claimant;
use runwrit_model::id::Scope;
use runwrit_model::journal::World;
use runwrit_model::labels::HostKey;
use runwrit_model::sweep::Sighting;
use runwrit_model::world::DEFAULT_CREDENTIAL;

use crate::configuration::Configuration;
use crate::credentials::Wallet;
use crate::error::{Error, chain};
use crate::installation::Installation;
use crate::session::Session;
use crate::surroundings::{connect, untold};

/// The project behind one credential.
pub struct Site {
    /// The name of the credential.
    pub credential: String,
    client: Arc<Client>,
    key: HostKey,
    claimant: Claimant,
}

impl Site {
    /// Finds the credential. Nothing is asked of the outside yet.
    pub fn open(
        credential: &str,
        session: &Session,
        installation: &Installation,
        configuration: &Configuration,
    ) -> Result<Self, Error> {
        let wallet = Wallet::real(&session.ambient, configuration);
        let found = wallet.credential(credential)?;
        let client = Arc::new(connect(found, installation, configuration)?);
        let (key, claimant) = (installation.key.clone(), installation.claimant.clone());
        Ok(Self { credential: credential.to_owned(), client, key, claimant })
    }

    fn project(&self, scope: &Scope) -> Project {
        let (client, key) = (Arc::clone(&self.client), self.key.clone());
        Project { client, key, scope: scope.clone() }
    }

    /// Asks whether the endpoint answers, what time it is there, and whether the token may write.
    pub async fn probe(&self) -> Result<Probe, ApiError> {
        self.client.probe().await
    }

    /// Asks by one request what time it is at the endpoint.
    pub async fn date_unix_ms(&self) -> Result<u64, ApiError> {
        self.client.date_unix_ms().await
    }
}

/// Returns the names of all credentials of this host: those of the configuration, and the one that
/// `HCLOUD_TOKEN` makes where it is set.
pub fn credentials(session: &Session, configuration: &Configuration) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> = configuration.settings.credentials.keys().cloned().collect();
    let is_known = names.iter().any(|name| name == DEFAULT_CREDENTIAL);
    if !is_known && session.ambient.variable("HCLOUD_TOKEN").is_some() {
        names.push(DEFAULT_CREDENTIAL.to_owned());
    }
    if names.is_empty() {
        return Err(Error::usage("there is no credential whose project could be looked at")
            .hint("`export HCLOUD_TOKEN=…`, or add `[credentials.NAME]` to runwrit.toml"));
    }
    Ok(names)
}

impl Place for Site {
    fn world(&self) -> BoxFuture<'_, Result<Option<World>, WorldsError>> {
        Box::pin(async {
            match self.client.world(&self.credential).await {
                Ok(world) => Ok(Some(world)),
                Err(WorldError::Unmarked(_) | WorldError::Unlabelled(_)) => Ok(None),
                Err(error) => Err(untold(error)),
            }
        })
    }

    fn look(&self) -> BoxFuture<'_, Result<Vec<Sighting>, WorldsError>> {
        Box::pin(async {
            let mut seen = self.client.sightings().await.map_err(unseen)?;
            seen.extend(Zones::sightings(&self.client).await.map_err(unseen)?);
            Ok(seen)
        })
    }

    fn release<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<bool, WorldsError>> {
        let project = self.project(scope);
        Box::pin(async move {
            let released = project.release(&self.claimant).await;
            released.map_err(|error| WorldsError::Refused(chain(&error)))
        })
    }

    fn undo<'a>(
        &'a self,
        scope: &'a Scope,
        request: &'a UndoRequest,
    ) -> BoxFuture<'a, Result<Undone, UndoError>> {
        let Project { client, key, scope } = self.project(scope);
        let zones = Zones { client: Arc::clone(&client), key: key.clone(), scope: scope.clone() };
        let hetzner = Some(Project { client, key, scope });
        let undoers = Undoers { hetzner, dns: Some(zones), ..Undoers::default() };
        Box::pin(async move { undoers.undo(request).await })
    }
}

fn unseen(error: ApiError) -> WorldsError {
    match error.refusal() {
        None => WorldsError::Unreachable(chain(&error)),
        Some(_) => WorldsError::Refused(chain(&error)),
    }
}
