//! What one run can reach: its capabilities, put together from grant, credentials and books.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use runwrit_capabilities::authority::Authority;
use runwrit_capabilities::dns::{Dns, Zones, ZonesError};
use runwrit_capabilities::gate::{Undo, UndoError, UndoRequest, Undone};
use runwrit_capabilities::hetzner::client::{Client, Connection, Credential};
use runwrit_capabilities::hetzner::clock::Pace;
use runwrit_capabilities::hetzner::{ClaimError, Hetzner, Project, WorldError};
use runwrit_capabilities::run::Run;
use runwrit_capabilities::undo::Undoers;
use runwrit_capabilities::{Capabilities, audit, http, registry};
use runwrit_engine::books::Books;
use runwrit_engine::gate::RunGate;
use runwrit_engine::outside::{ClaimsError, Outside, WorldsError};
use runwrit_engine::worlds::Home;
use runwrit_model::claim::Claimant;
use runwrit_model::endpoint::is_loopback;
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
use crate::keyring;

/// The name of the capability in worlds and grants.
const HETZNER: &str = "hetzner";
/// The name of the capability for records.
const DNS: &str = "dns";

/// Everything outside of one run, as far as its grant reaches.
pub struct Surroundings {
    authority: Authority,
    hetzner: Option<Cloud>,
    /// The project that serves the zones; the same one as above, or another.
    dns: Option<Cloud>,
    http: Option<http::Client>,
    claimant: Claimant,
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
    /// Whether those who vouch for its runbook do so for this machine alone.
    pub is_loopback_only: bool,
}

impl Surroundings {
    /// Puts them together. Nothing is asked of the outside yet.
    pub fn new(
        subject: Subject,
        wallet: &Wallet,
        installation: &Installation,
        configuration: &Configuration,
    ) -> Result<Self, Error> {
        let Subject { run, scope, grant, settings, is_loopback_only } = subject;
        if is_loopback_only {
            stays_here(&grant, wallet)?;
        }
        let has_http = grant.document().http.is_some();
        let client = || http::Client::new().map_err(|error| Error::usage(chain(&error)));
        let http = has_http.then(client).transpose()?;
        let open = |capability: &str| {
            let Some(name) = grant.credentials().get(capability).copied() else { return Ok(None) };
            let client = connect(wallet.credential(name)?, installation, configuration)?;
            let (key, scope) = (installation.key.clone(), scope.clone());
            let project = Project { client: Arc::new(client), key, scope };
            let (credential, settings) = (name.to_owned(), settings.clone());
            Ok::<_, Error>(Some(Cloud { credential, project, settings }))
        };
        let hetzner = open(HETZNER)?;
        let is_same = grant.credentials().get(HETZNER) == grant.credentials().get(DNS);
        let dns = if is_same { hetzner.clone() } else { open(DNS)? };
        let now = Arc::new(ambient::now_unix_ms);
        let authority = Authority { grant: Arc::new(grant), run, now };
        let claimant = installation.claimant.clone();
        Ok(Self { authority, hetzner, dns, http, claimant })
    }

    /// Returns the choices of the configuration that the run depends on.
    pub fn settings(&self) -> settings::Hetzner {
        self.hetzner.as_ref().map(|cloud| cloud.settings.clone()).unwrap_or_default()
    }

    /// Returns the project, as far as the grant reaches.
    pub fn hetzner(&self) -> Option<Hetzner> {
        let Cloud { project, settings, .. } = self.hetzner.clone()?;
        Some(Hetzner::new(project, Arc::clone(&self.authority.grant), settings))
    }

    /// Binds a new run to its worlds; a project that was never used before is marked, unless the
    /// tenant stands elsewhere.
    pub async fn enter(&self, home: Option<&Home>) -> Result<BTreeMap<String, World>, Error> {
        let mut worlds = BTreeMap::new();
        // Looked for before anything is marked: a name that cannot be published stops the start.
        if let Some(cloud) = &self.dns {
            let granted = self.authority.grant.zones();
            zones(cloud).require(&granted, &cloud.credential).await.map_err(no_zone)?;
        }
        if let Some(cloud) = &self.hetzner {
            let world = enter(&cloud.project.client, &cloud.credential, HETZNER, home).await?;
            worlds.insert(HETZNER.to_owned(), world);
        }
        let shared = self.shared_world(&worlds);
        if let Some(cloud) = &self.dns {
            let world = match shared {
                Some(world) => world,
                None => enter(&cloud.project.client, &cloud.credential, DNS, home).await?,
            };
            worlds.insert(DNS.to_owned(), world);
        }
        home.map_or(Ok(()), |home| home.check(&worlds))?;
        Ok(worlds)
    }

    /// Lets nothing that may change something leave the host.
    pub fn predicting(self) -> Self {
        Self { http: self.http.map(http::Client::predicting), ..self }
    }

    /// Returns the projects in which the run can change something, each once.
    fn claimed(&self) -> impl Iterator<Item = &Cloud> {
        let is_changing = |capability: &str| self.authority.grant.may_change(capability);
        let hetzner = self.hetzner.as_ref().filter(|_| is_changing(HETZNER));
        let taken = hetzner.map(|cloud| cloud.credential.clone());
        let dns = self.dns.as_ref().filter(|_| is_changing(DNS));
        let dns = dns.filter(move |cloud| taken.as_ref() != Some(&cloud.credential));
        hetzner.into_iter().chain(dns)
    }

    /// Returns the world of the zones where it is that of the servers: one look tells both.
    fn shared_world(&self, worlds: &BTreeMap<String, World>) -> Option<World> {
        let name = &self.dns.as_ref()?.credential;
        worlds.get(HETZNER).filter(|world| world.credential == *name).cloned()
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
        let (hetzner, dns) = (self.hetzner.clone(), self.dns.clone());
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
                dns: dns.map(|cloud| Arc::new(Dns::new(zones(&cloud), Arc::clone(&grant)))),
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
            if let Some(cloud) = &self.dns {
                let world = match self.shared_world(&worlds) {
                    Some(world) => world,
                    None => {
                        let world = cloud.project.client.world(&cloud.credential).await;
                        world.map_err(untold)?
                    }
                };
                worlds.insert(DNS.to_owned(), world);
            }
            Ok(worlds)
        })
    }

    fn claim(&self) -> BoxFuture<'_, Result<(), ClaimsError>> {
        Box::pin(async {
            for cloud in self.claimed() {
                cloud.project.claim(&self.claimant).await.map_err(unclaimed)?;
            }
            Ok(())
        })
    }

    fn release(&self) -> BoxFuture<'_, Result<(), ClaimsError>> {
        Box::pin(async {
            for cloud in self.claimed() {
                cloud.project.release(&self.claimant).await.map_err(unclaimed)?;
            }
            Ok(())
        })
    }

    fn undo<'a>(
        &'a self,
        request: &'a UndoRequest,
        books: &'a Books,
    ) -> BoxFuture<'a, Result<Undone, UndoError>> {
        let run = self.authority.run.clone();
        let (tenants, log) = (Arc::clone(&books.registry), Arc::clone(&books.audit));
        let undoers = Undoers {
            registry: Some(registry::Undoer::new(tenants, Arc::clone(&log), run.clone())),
            hetzner: self.hetzner.as_ref().map(|cloud| cloud.project.clone()),
            dns: self.dns.as_ref().map(zones),
            audit: Some(audit::Undoer::new(log, run)),
        };
        Box::pin(async move { undoers.undo(request).await })
    }
}

/// Checks that nothing of a grant leads off this machine.
pub fn stays_here(grant: &Grant, wallet: &Wallet) -> Result<(), Error> {
    let far = |what: String| {
        keyring::untrusted(format!(
            "runbook or grant is signed for loopback endpoints only, not for {what}"
        ))
        .hint("have both signed with keys that are good for more than development")
    };
    for name in grant.credentials().values() {
        let endpoint = wallet.credential(name)?.endpoint;
        if !endpoint.is_loopback() {
            return Err(far(format!("`{endpoint}` of the credential `{name}`")));
        }
    }
    let requests = grant.document().http.iter().flat_map(|http| &http.requests);
    let mut urls = requests.map(|request| &request.url);
    match urls.find(|url| !is_loopback(url)) {
        Some(url) => Err(far(format!("`{url}` of the grant"))),
        None => Ok(()),
    }
}

/// Returns the zones of a project.
fn zones(cloud: &Cloud) -> Zones {
    let Project { client, key, scope } = cloud.project.clone();
    Zones { client, key, scope }
}

/// Learns what world a project is; one that was never used before is marked, unless the tenant
/// stands elsewhere.
async fn enter(
    client: &Client,
    credential: &str,
    capability: &str,
    home: Option<&Home>,
) -> Result<World, Error> {
    let entered = match home.is_some_and(|home| home.worlds.contains_key(capability)) {
        true => client.world(credential).await,
        false => {
            let random = ambient::random::<10>();
            let random = data_encoding::BASE32_NOPAD.encode(&random).to_lowercase();
            client.enter(credential, &random).await
        }
    };
    entered.map_err(not_entered)
}

fn no_zone(error: ZonesError) -> Error {
    let hint = match &error {
        ZonesError::Unreadable { .. } => "nothing was touched; check the token and the endpoint",
        ZonesError::Missing(_) => {
            "nothing was touched; make the zone there, or correct `[[dns.records]]` of the grant"
        }
    };
    Error::usage(chain(&error)).hint(hint)
}

/// Opens the project of a credential.
pub fn connect(
    credential: Credential,
    installation: &Installation,
    configuration: &Configuration,
) -> Result<Client, Error> {
    let settings = &configuration.settings;
    let store = Arc::clone(&installation.store);
    let (clock, limit) = (Arc::new(SystemClock), settings.requests_per_hour());
    let budget = StoreBudget::new(store, clock, &credential.name, limit);
    let pace = Pace { poll: settings.polls(), request_timeout: settings.request_timeout() };
    let connection =
        Connection { credential, budget: Arc::new(budget), clock: Arc::new(SystemClock), pace };
    Client::new(connection).map_err(|error| Error::usage(chain(&error)))
}

fn not_entered(error: WorldError) -> Error {
    Error::usage(chain(&error)).hint("nothing was touched; check the token and the endpoint")
}

/// An endpoint that does not answer may answer later; a claim of others stays theirs.
fn unclaimed(error: ClaimError) -> ClaimsError {
    let text = chain(&error);
    match error {
        ClaimError::Unclear { source, .. } if source.refusal().is_none() => {
            ClaimsError::Unreachable(text)
        }
        ClaimError::Unclear { .. } | ClaimError::Unproven { .. } => ClaimsError::Refused(text),
        ClaimError::Others { .. } => ClaimsError::Others(text),
        ClaimError::Later { .. } => ClaimsError::Later(text),
    }
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
