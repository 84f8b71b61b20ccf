//! Hetzner Cloud: what a run holds of it.
//!
//! `hetzner_api` talks to the API, `effects` holds what changes the project, `observations` what
//! reads it, `undo` what reverts; `scope` decides what belongs to the run.

pub mod price;
mod scope;
mod batch;
mod offers;
mod views;
mod effects;
mod observations;
mod undo;
mod sightings;
mod claims;
mod adoption;
mod host;

#[cfg(test)]
pub(crate) mod tests;

use std::ops::Deref;
use std::sync::Arc;

use runwrit_model::grant::Grant;
use runwrit_model::id::Scope;
use runwrit_model::journal::UnixMs;
use runwrit_model::labels::HostKey;
use runwrit_model::settings;

use client::Client;

pub use adoption::{Adoptable, Extent};
pub use claims::ClaimError;
pub use effects::Adopt;

pub use crate::hetzner_api::{MARKER_LABEL, MARKER_NAME, WorldError, budget, client, clock, wire};

/// A project, and how a run proves what it made there. That is all that an undo needs: its
/// authority is the journaled intent, which a permit allowed.
#[derive(Clone)]
pub struct Project {
    /// The way to it.
    pub client: Arc<Client>,
    /// The key of this installation.
    pub key: HostKey,
    /// What the run holds alone.
    pub scope: Scope,
}

impl Project {
    fn now(&self) -> UnixMs {
        self.client.clock().now_unix_ms()
    }
}

/// A project, as far as one run may use it.
pub struct Hetzner {
    project: Project,
    grant: Arc<Grant>,
    settings: settings::Hetzner,
}

impl Hetzner {
    /// Holds a project for one run under its grant. `settings` are those that the run was admitted
    /// with.
    pub fn new(project: Project, grant: Arc<Grant>, settings: settings::Hetzner) -> Self {
        Self { project, grant, settings }
    }
}

/// Whoever may use a project can look at it.
impl Deref for Hetzner {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.project
    }
}
