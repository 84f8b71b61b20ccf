//! A run that stands in the store, with what is needed to go on with it.

use std::time::Duration;

use runwrit_engine::admission::linked;
use runwrit_engine::books::Books;
use runwrit_engine::cell::StartingCell;
use runwrit_engine::gate::RunGate;
use runwrit_engine::guest::{Guest, GuestEnd};
use runwrit_engine::view::RunState;
use runwrit_model::grant::Grant;
use runwrit_model::id::RunId;
use runwrit_model::journal::Created;
use runwrit_model::manifest::Manifest;
use runwrit_model::settings;

use crate::adoption::Adoption;
use crate::ambient;
use crate::arrival;
use crate::configuration::Configuration;
use crate::credentials::Wallet;
use crate::error::Error;
use crate::installation::Installation;
use crate::keyring::Trust;
use crate::readmission::{Newcomer, Word};
use crate::session::Session;
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
    wallet: Wallet,
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
        session.signals.watch(&installation.progress);
        // A rollback asks nobody who vouched for the runbook, so it needs no keyring.
        let trust = Trust::open(session);
        let state = view.state;
        Ok(Self { installation, surroundings, created, manifest, state, trust, wallet })
    }

    /// Waits in memory for so long at most where the run goes backward.
    pub fn with_patience(self, patience: Option<Duration>) -> Self {
        Self { installation: self.installation.with_patience(patience), ..self }
    }

    /// Returns the runbook, ready to run, where the run goes forward; a rollback needs none. `word`
    /// counts for a run that came from elsewhere.
    pub async fn guest(
        &self,
        word: Word,
        session: &Session,
    ) -> Result<Option<impl Guest + use<>>, Error> {
        if matches!(self.state, RunState::Backward | RunState::Ended(_)) {
            return Ok(None);
        }
        let created = &self.created;
        let adoption = Adoption::of(created, || self.surroundings.hetzner());
        let component = self.installation.store.component(&created.component).await?;
        let (state, trust) = (self.installation.state(), self.trust.as_ref().map_err(Clone::clone));
        if arrival::is_noted(state, &created.run) {
            let (component, wallet) = (component.as_deref(), &self.wallet);
            if component.is_none() && adoption.is_none() {
                return Ok(None);
            }
            Newcomer { created, component, wallet, word }.admit(trust?, session)?;
            arrival::forget(state, &created.run)?;
        } else if adoption.is_none() {
            trust?.readmit(created, session)?;
        }
        if let Some(adoption) = adoption {
            return Ok(Some(Runbook::Own(adoption)));
        }
        let Some(bytes) = component else { return Ok(None) };
        let assemble = self.surroundings.assembler(&self.manifest, &self.created.inputs);
        let granted = linked(&self.manifest);
        let cell = StartingCell::start(ambient::program());
        let guest = self.installation.guest(cell, &bytes, &granted, assemble).await?;
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
