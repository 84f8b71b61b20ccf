//! Networks.

use runwrit_model::hetzner::{NetworkSpec, Subnet};

use super::{checked, create, delete, get, list};
use crate::Capabilities;
use crate::bindings::runwrit::hetzner::networks;
use crate::gate::{CallError, Gate};
use crate::hetzner::wire::Network;

impl<G: Gate> networks::Host for Capabilities<G> {
    async fn get(&mut self, id: String) -> Result<networks::Network, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(get::<Network, _>(hetzner, id)).await
    }

    async fn list(&mut self) -> Result<Vec<networks::Network>, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(list::<Network, _>(hetzner)).await
    }

    async fn create(
        &mut self,
        spec: networks::NetworkSpec,
    ) -> Result<networks::Network, CallError> {
        let hetzner = self.project()?;
        let networks::NetworkSpec { name, ip_range, subnets, labels } = spec;
        let subnet =
            |it: networks::Subnet| Subnet { ip_range: it.ip_range, network_zone: it.network_zone };
        let subnets = subnets.into_iter().map(subnet).collect();
        let spec = NetworkSpec { name, ip_range, subnets, labels: checked(labels)? };
        self.gate.pass(create(hetzner, spec)).await
    }

    async fn delete(&mut self, id: String) -> Result<(), CallError> {
        let hetzner = self.project()?;
        self.gate.pass(delete::<Network>(hetzner, id)).await
    }
}
