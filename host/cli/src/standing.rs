//! A run that stands in the store, with what is needed to go on with it.

use std::sync::Arc;
use std::time::Duration;

use runwrit_engine::admission::linked;
use runwrit_engine::books::Books;
use runwrit_engine::gate::RunGate;
use runwrit_engine::guest::{Guest, GuestEnd};
use runwrit_engine::view::RunState;
use runwrit_model::grant::Grant;
use runwrit_model::id::RunId;
use runwrit_model::journal::Created;
use runwrit_model::manifest::Manifest;
use runwrit_model::settings;

use crate::adoption::Adoption;
use crate::configuration::Configuration;
use crate::credentials::Wallet;
use crate::error::Error;
use crate::installation::Installation;
use crate::keyring::Trust;
use crate::session::Session;
use crate::signals;
use crate::surroundings::{Subject, Surroundings};

/// A run of this installation.
pub struct Standing {
    /// Where it stands.
    pub installation: Installation,
    /// What it can reach.
    pub surroundings: Surroundings,
    created: Created,
    manifest: Manifest,
    state: RunState,
    trust: Result<Trust, Error>,
}

impl Standing {
    /// Opens the installation and the run in it, and begins to watch for Ctrl-C.
    pub async fn open(run: &RunId, session: &Session) -> Result<Self, Error> {
        let configuration = Configuration::read(session)?;
        let installation = Installation::open(session, &configuration)?;
        let view = installation.engine.show(run).await?;
        let created = view.created;
        let grant = Grant::parse("the journaled grant", &created.grant)?;
        let manifest = Manifest::parse("the journaled runbook.toml", &created.manifest)?;
        let wallet = Wallet::real(&session.ambient, &configuration);
        let subject = Subject {
            run: run.clone(),
            scope: created.scope.clone(),
            grant,
            settings: settings(&created)?,
            // It was admitted for its worlds, and goes on in those or nowhere.
            is_loopback_only: false,
        };
        let surroundings = Surroundings::new(subject, &wallet, &installation, &configuration)?;
        signals::watch(installation.interrupt.clone(), Arc::clone(&installation.progress));
        // A rollback asks nobody who vouched for the runbook, so it needs no keyring.
        let trust = Trust::open(session);
        Ok(Self { installation, surroundings, created, manifest, state: view.state, trust })
    }

    /// Waits in memory for so long at most where the run goes backward.
    pub fn with_patience(self, patience: Option<Duration>) -> Self {
        Self { installation: self.installation.with_patience(patience), ..self }
    }

    /// Returns the runbook, ready to run, where the run goes forward; a rollback needs none.
    pub async fn guest(&self, session: &Session) -> Result<Option<impl Guest + use<>>, Error> {
        if matches!(self.state, RunState::Backward | RunState::Ended(_)) {
            return Ok(None);
        }
        if let Some(adoption) = Adoption::of(&self.created, || self.surroundings.hetzner()) {
            return Ok(Some(Runbook::Own(adoption)));
        }
        let trust = self.trust.as_ref().map_err(Clone::clone)?;
        trust.readmit(&self.created)?;
        trust.readmit_grant(&self.created, session)?;
        let digest = &self.created.component;
        let Some(bytes) = self.installation.store.component(digest).await? else {
            return Ok(None);
        };
        let assemble = self.surroundings.assembler(&self.manifest, &self.created.inputs);
        let granted = linked(&self.manifest);
        let guest = self.installation.guest(&bytes, granted, assemble).await?;
        Ok(Some(Runbook::Component(guest)))
    }
}

/// What goes on: a component, or the host itself.
enum Runbook<G> {
    Component(G),
    Own(Adoption),
}

impl<G: Guest> Guest for Runbook<G> {
    async fn run(self, gate: RunGate, books: Books) -> GuestEnd {
        match self {
            Self::Component(guest) => guest.run(gate, books).await,
            Self::Own(adoption) => adoption.run(gate, books).await,
        }
    }
}

/// Reads the choices of the configuration that the run was admitted with.
fn settings(created: &Created) -> Result<settings::Hetzner, Error> {
    serde_json::from_value(created.settings.clone()).map_err(|error| {
        let run = &created.run;
        Error::usage(format!("the settings in the journal of run {run} are unreadable: {error}"))
    })
}
