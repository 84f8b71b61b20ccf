//! What one run can reach: its capabilities, put together from grant, credentials and books.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use runwrit_capabilities::authority::Authority;
use runwrit_capabilities::gate::{Undo, UndoError, UndoRequest, Undone};
use runwrit_capabilities::hetzner::client::{Client, Connection, Credential};
use runwrit_capabilities::hetzner::clock::Pace;
use runwrit_capabilities::hetzner::{Hetzner, Project, WorldError};
use runwrit_capabilities::run::Run;
use runwrit_capabilities::undo::Undoers;
use runwrit_capabilities::{Capabilities, audit, http, registry};
use runwrit_engine::books::Books;
use runwrit_engine::gate::RunGate;
use runwrit_engine::outside::{Outside, WorldsError};
use runwrit_engine::worlds::Home;
use runwrit_model::grant::Grant;
use runwrit_model::id::{RunId, Scope};
use runwrit_model::inputs::Inputs;
use runwrit_model::journal::World;
use runwrit_model::manifest::Manifest;
use runwrit_model::settings;

use crate::ambient::{self, SystemClock};
use crate::budget::StoreBudget;
use crate::configuration::Configuration;
use crate::credentials::Wallet;
use crate::error::{Error, chain};
use crate::installation::Installation;

/// The name of the capability in worlds and grants.
const HETZNER: &str = "hetzner";

/// Everything outside of one run, as far as its grant reaches.
pub struct Surroundings {
    authority: Authority,
    hetzner: Option<Cloud>,
    http: Option<http::Client>,
}

/// A project, the name of the credential that opens it, and what a run may choose in it.
#[derive(Clone)]
struct Cloud {
    credential: String,
    project: Project,
    settings: settings::Hetzner,
}

/// What the run is, as far as its surroundings depend on it.
pub struct Subject {
    /// The run.
    pub run: RunId,
    /// What it holds alone.
    pub scope: Scope,
    /// Its grant.
    pub grant: Grant,
    /// The choices of the configuration that it was admitted with.
    pub settings: settings::Hetzner,
}

impl Surroundings {
    /// Puts them together. Nothing is asked of the outside yet.
    pub fn new(
        subject: Subject,
        wallet: &Wallet,
        installation: &Installation,
        configuration: &Configuration,
    ) -> Result<Self, Error> {
        let Subject { run, scope, grant, settings } = subject;
        let has_http = grant.document().http.is_some();
        let client = || http::Client::new().map_err(|error| Error::usage(chain(&error)));
        let http = has_http.then(client).transpose()?;
        let credential = grant.credentials().get(HETZNER).map(|name| (*name).to_owned());
        let credential = credential.map(|name| wallet.credential(&name)).transpose()?;
        let hetzner = credential.map(|credential| {
            let name = credential.name.clone();
            let client = connect(credential, installation, configuration)?;
            let project =
                Project { client: Arc::new(client), key: installation.key.clone(), scope };
            Ok::<_, Error>(Cloud { credential: name, project, settings })
        });
        let now = Arc::new(ambient::now_unix_ms);
        let authority = Authority { grant: Arc::new(grant), run, now };
        Ok(Self { authority, hetzner: hetzner.transpose()?, http })
    }

    /// Returns the choices of the configuration that the run depends on.
    pub fn settings(&self) -> settings::Hetzner {
        self.hetzner.as_ref().map(|cloud| cloud.settings.clone()).unwrap_or_default()
    }

    /// Binds a new run to its worlds; a project that was never used before is marked, unless the
    /// tenant stands elsewhere.
    pub async fn enter(&self, home: Option<&Home>) -> Result<BTreeMap<String, World>, Error> {
        let mut worlds = BTreeMap::new();
        if let Some(cloud) = &self.hetzner {
            let random = ambient::random::<10>();
            let random = data_encoding::BASE32_NOPAD.encode(&random).to_lowercase();
            let client = &cloud.project.client;
            let entered = match home.is_some_and(|home| home.worlds.contains_key(HETZNER)) {
                true => client.world(&cloud.credential).await,
                false => client.enter(&cloud.credential, &random).await,
            };
            worlds.insert(HETZNER.to_owned(), entered.map_err(not_entered)?);
        }
        home.map_or(Ok(()), |home| home.check(&worlds))?;
        Ok(worlds)
    }

    /// Lets nothing that may change something leave the host.
    pub fn predicting(self) -> Self {
        Self { http: self.http.map(http::Client::predicting), ..self }
    }

    /// Returns what a guest is given: only capabilities that the grant names exist for it.
    pub fn assembler(
        &self,
        manifest: &Manifest,
        inputs: &Inputs,
    ) -> impl FnOnce(RunGate, Books) -> Capabilities<RunGate> + Send + use<> {
        let outputs: BTreeSet<String> = manifest.outputs.keys().cloned().collect();
        let grant = Arc::clone(&self.authority.grant);
        let run = Run::new(inputs.clone(), outputs).under(grant);
        let (authority, http) = (self.authority.clone(), self.http.clone());
        let hetzner = self.hetzner.clone();
        move |gate, books| {
            let grant = Arc::clone(&authority.grant);
            let (has_registry, has_audit) =
                (grant.document().registry.is_some(), grant.document().audit.is_some());
            let registry = || Arc::new(registry::Tenants::new(books.registry, authority.clone()));
            let audit = || Arc::new(audit::Events::new(books.audit, authority.clone()));
            Capabilities {
                gate,
                run,
                registry: has_registry.then(registry),
                audit: has_audit.then(audit),
                hetzner: hetzner
                    .map(|cloud| Arc::new(Hetzner::new(cloud.project, grant, cloud.settings))),
                http: http.map(|client| Arc::new(http::Requests::new(client, authority))),
            }
        }
    }
}

impl Outside for Surroundings {
    fn worlds(&self) -> BoxFuture<'_, Result<BTreeMap<String, World>, WorldsError>> {
        Box::pin(async {
            let mut worlds = BTreeMap::new();
            if let Some(cloud) = &self.hetzner {
                let world = cloud.project.client.world(&cloud.credential).await;
                worlds.insert(HETZNER.to_owned(), world.map_err(untold)?);
            }
            Ok(worlds)
        })
    }

    fn undo<'a>(
        &'a self,
        request: &'a UndoRequest,
        books: &'a Books,
    ) -> BoxFuture<'a, Result<Undone, UndoError>> {
        let run = self.authority.run.clone();
        let undoers = Undoers {
            registry: Some(registry::Undoer::new(Arc::clone(&books.registry), run.clone())),
            hetzner: self.hetzner.as_ref().map(|cloud| cloud.project.clone()),
            audit: Some(audit::Undoer::new(Arc::clone(&books.audit), run)),
        };
        Box::pin(async move { undoers.undo(request).await })
    }
}

/// Opens the project of a credential.
pub fn connect(
    credential: Credential,
    installation: &Installation,
    configuration: &Configuration,
) -> Result<Client, Error> {
    let settings = &configuration.settings;
    let store = Arc::clone(&installation.store);
    let budget = StoreBudget::new(store, &credential.name, settings.requests_per_hour());
    let pace = Pace { poll: settings.polls(), request_timeout: settings.request_timeout() };
    let connection =
        Connection { credential, budget: Arc::new(budget), clock: Arc::new(SystemClock), pace };
    Client::new(connection).map_err(|error| Error::usage(chain(&error)))
}

fn not_entered(error: WorldError) -> Error {
    Error::usage(chain(&error)).hint("nothing was touched; check the token and the endpoint")
}

/// An endpoint that does not answer may answer later; another project stays another one.
pub fn untold(error: WorldError) -> WorldsError {
    match &error {
        WorldError::Unreadable { source, .. } if source.refusal().is_none() => {
            WorldsError::Unreachable(chain(&error))
        }
        _ => WorldsError::Refused(chain(&error)),
    }
}
