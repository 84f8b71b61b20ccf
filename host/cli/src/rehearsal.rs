//! A look at the real worlds, and a rehearsal against stand-ins that were seeded with what it saw.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use runwrit_capabilities::hetzner::WorldError;
use runwrit_capabilities::hetzner::client::Client;
use runwrit_engine::cell::StartingCell;
use runwrit_model::cost::Prices;
use runwrit_model::endpoint::Endpoint;
use runwrit_model::grant::Grant;
use runwrit_model::journal::{Created, World};
use runwrit_model::plan::snapshot::Snapshot;
use runwrit_model::plan::{Noted, Plan, draft};
use runwrit_simulator::hetzner::{Handle, Options, Simulator};

use crate::ambient::{self, ThrowAway};
use crate::configuration::Configuration;
use crate::credentials::Wallet;
use crate::error::{Error, chain};
use crate::installation::Installation;
use crate::launch::{Admitted, Landmarks};
use crate::session::Session;
use crate::simulation::{options, simulated_token};
use crate::surroundings::{Surroundings, connect};

/// Real seconds that a simulated one lasts: nobody waits for what does not happen.
const TIME_FACTOR: f64 = 0.000_1;
/// How long the simulator is left alone between looks at an action that ends at once.
const POLL_MS: u64 = 1;

/// The real projects of a grant. It reads only.
pub struct Outlook {
    clients: BTreeMap<String, Client>,
    credentials: BTreeMap<String, String>,
}

impl Outlook {
    /// Connects to the projects of a grant. Nothing is asked of them yet.
    pub fn new(
        grant: &Grant,
        wallet: &Wallet,
        installation: &Installation,
        configuration: &Configuration,
    ) -> Result<Self, Error> {
        let credentials = grant.credentials().into_iter();
        let credentials: BTreeMap<_, _> = credentials
            .map(|(name, credential)| (name.to_owned(), credential.to_owned()))
            .collect();
        let mut clients = BTreeMap::new();
        for name in credentials.values().collect::<BTreeSet<_>>() {
            let client = connect(wallet.credential(name)?, installation, configuration)?;
            clients.insert(name.clone(), client);
        }
        Ok(Self { clients, credentials })
    }

    /// Reads where the capabilities would act. A project without a mark has an empty one: the first
    /// run in it leaves one, a plan does not.
    pub async fn worlds(&self) -> Result<BTreeMap<String, World>, Error> {
        let mut worlds = BTreeMap::new();
        for (capability, credential) in &self.credentials {
            let client = &self.clients[credential];
            let world = match client.world(credential).await {
                Err(WorldError::Unmarked(_)) => World {
                    credential: credential.clone(),
                    endpoint: client.endpoint().to_owned(),
                    marker: String::new(),
                },
                read => read.map_err(|error| unread(&error))?,
            };
            worlds.insert(capability.clone(), world);
        }
        Ok(worlds)
    }

    /// Looks at what stands in those worlds that no run marked yet.
    pub async fn landmarks(&self, worlds: &BTreeMap<String, World>) -> Result<Landmarks, Error> {
        match worlds.values().any(|world| world.marker.is_empty()) {
            true => Ok(landmarks(worlds, &self.snapshots().await?)),
            false => Ok(Landmarks::new()),
        }
    }

    /// Looks once at everything in the projects.
    async fn snapshots(&self) -> Result<BTreeMap<String, Snapshot>, Error> {
        let mut snapshots = BTreeMap::new();
        for (credential, client) in &self.clients {
            let seen = client.snapshot().await.map_err(|error| unread(&error))?;
            snapshots.insert(credential.clone(), seen);
        }
        Ok(snapshots)
    }
}

/// Returns what stands in each world without a mark; nothing of one that is empty.
fn landmarks(
    worlds: &BTreeMap<String, World>,
    snapshots: &BTreeMap<String, Snapshot>,
) -> Landmarks {
    let unmarked = worlds.iter().filter(|(_, world)| world.marker.is_empty());
    let seen = unmarked.filter_map(|(capability, world)| {
        let landmarks = snapshots.get(&world.credential)?.landmarks();
        Some((capability.clone(), landmarks))
    });
    seen.collect()
}

fn unread(error: &dyn std::error::Error) -> Error {
    Error::usage(chain(error)).hint("nothing was touched; check the token and the endpoint")
}

/// Rehearses an admitted run and returns its plan. Only reads leave the host.
pub async fn plan(
    admitted: &Admitted,
    (installation, wallet, configuration): (&Installation, &Wallet, &Configuration),
    session: &Session,
) -> Result<Plan, Error> {
    let outlook = Outlook::new(admitted.grant(), wallet, installation, configuration)?;
    let worlds = outlook.worlds().await?;
    let home = installation.engine.home(&admitted.scope()).await?;
    home.map_or(Ok(()), |home| home.check(&worlds))?;
    let snapshots = outlook.snapshots().await?;
    let mut known = BTreeSet::new();
    snapshots.values().for_each(|snapshot| snapshot.know(&mut known));
    let stage = stage(&snapshots).await?;
    let folder = ThrowAway::new()?;
    let copy = installation.rehearsal(&folder, configuration)?;
    let endpoint = Endpoint::parse(&stage.endpoint()).map_err(|error| unread(&error))?;
    let play = Play { copy: &copy, wallet: Wallet::Simulated(endpoint), configuration };
    let rehearsed = play.perform(admitted, installation, session).await;
    stage.stop().await;
    let rehearsed = rehearsed?;
    let landmarks = landmarks(&worlds, &snapshots);
    // To learn prices takes a look at all journals.
    let is_deletion = |noted: &Noted| matches!(noted, Noted::Asked(it) if it.is_deletion());
    let prices = match rehearsed.noted.iter().any(is_deletion) {
        true => installation.engine.prices().await?,
        false => Prices::new(),
    };
    let before = (known, prices);
    let settings = configuration.settings.hetzner.clone();
    let frame = admitted.frame((worlds, landmarks), settings, before);
    Ok(draft(frame, &rehearsed.noted, rehearsed.end))
}

/// Starts a simulator that holds what was seen, each project under the token of its credential.
async fn stage(snapshots: &BTreeMap<String, Snapshot>) -> Result<Handle, Error> {
    let now = i64::try_from(ambient::now_unix_ms()).unwrap_or_default();
    let starts_at = Timestamp::from_millisecond(now).unwrap_or_default();
    let options = Options { time_factor: TIME_FACTOR, starts_at, ..options() };
    let handle = Simulator::start(options).await.map_err(|error| Error::usage(chain(&error)))?;
    for (credential, snapshot) in snapshots {
        let seeded = handle.desk().seed(&simulated_token(credential), snapshot);
        seeded.map_err(|error| {
            let message = format!("the project of `{credential}` cannot be rehearsed: {error}");
            Error::usage(message).hint("please report it: the API answered in a form of its own")
        })?;
    }
    Ok(handle)
}

/// What a rehearsal is performed with.
struct Play<'a> {
    copy: &'a Installation,
    wallet: Wallet,
    configuration: &'a Configuration,
}

impl Play<'_> {
    async fn perform(
        &self,
        admitted: &Admitted,
        real: &Installation,
        session: &Session,
    ) -> Result<runwrit_engine::plan::Rehearsed, Error> {
        let mut configuration = self.configuration.clone();
        configuration.settings.timing.poll_ms = Some(vec![POLL_MS]);
        let subject = admitted.subject(&configuration);
        let surroundings =
            Surroundings::new(subject, &self.wallet, self.copy, &configuration)?.predicting();
        let worlds = surroundings.enter(None).await?;
        let package = admitted.package();
        let assemble = surroundings.assembler(&package.manifest, admitted.inputs_given());
        let cell = StartingCell::start(ambient::program());
        let guest = real.guest(cell, &package.component, &package.linked(), assemble).await?;
        let settings = serde_json::to_value(surroundings.settings())
            .expect("settings are maps of strings and numbers");
        let created = Created { worlds, settings, ..admitted.created(session) };
        let store = Arc::clone(&real.store);
        Ok(self.copy.engine.rehearse(created, guest, &surroundings, store).await?)
    }
}
