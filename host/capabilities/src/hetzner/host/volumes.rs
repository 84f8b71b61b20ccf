//! Volumes.

use runwrit_model::call::Reference;
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::hetzner::{Kind, VolumeSpec};
use runwrit_model::journal::Refinement;

use super::{checked, create, delete, get, list};
use crate::Capabilities;
use crate::bindings::runwrit::hetzner::volumes;
use crate::gate::{CallError, Gate};
use crate::hetzner::effects::{Attach, DeclareData, Detach};
use crate::hetzner::wire::Volume;

impl<G: Gate> volumes::Host for Capabilities<G> {
    async fn get(&mut self, id: String) -> Result<volumes::Volume, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(get::<Volume, _>(hetzner, id)).await
    }

    async fn list(&mut self) -> Result<Vec<volumes::Volume>, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(list::<Volume, _>(hetzner)).await
    }

    async fn create(&mut self, spec: volumes::VolumeSpec) -> Result<volumes::Volume, CallError> {
        let hetzner = self.project()?;
        let volumes::VolumeSpec { name, size_gb, location, format, labels } = spec;
        let spec = VolumeSpec { name, size_gb, location, format, labels: checked(labels)? };
        self.gate.pass(create(hetzner, spec)).await
    }

    async fn attach(&mut self, id: String, server: String) -> Result<volumes::Volume, CallError> {
        let hetzner = self.project()?;
        self.gate.pass(Attach { hetzner, id, server }).await
    }

    async fn detach(&mut self, id: String) -> Result<volumes::Volume, CallError> {
        let hetzner = self.project()?;
        self.gate.pass(Detach { hetzner, id }).await
    }

    /// A rollback holds what this run made; what another run made it never deletes anyway.
    async fn declare_data(&mut self, id: String, what: String) -> Result<(), CallError> {
        let hetzner = self.project()?;
        let asked = DeclareData { hetzner, id: id.clone(), what: what.clone() };
        self.gate.observe(asked).await?;
        let volume = Reference::new(Kind::Volume.as_str(), id.clone());
        let made = self.gate.provenance().made_by(&volume).ok_or_else(|| {
            let text = format!("volume {id} was not made by this run, so no rollback deletes it");
            Failure::Invalid(Problem::new("not-made-here", text).with_field("id"))
        })?;
        self.gate.refine(Refinement::HoldsData(made.index, what)).await
    }

    async fn delete(&mut self, id: String) -> Result<(), CallError> {
        let hetzner = self.project()?;
        self.gate.pass(delete::<Volume>(hetzner, id)).await
    }
}
