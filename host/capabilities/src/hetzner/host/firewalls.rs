//! Firewalls.

use runwrit_model::hetzner::FirewallSpec;

use super::{checked, create, delete, get, list};
use crate::Capabilities;
use crate::bindings::runwrit::hetzner::firewalls;
use crate::gate::{CallError, Gate};
use crate::hetzner::effects::{Applied, SetRules};
use crate::hetzner::wire::Firewall;

impl<G: Gate> firewalls::Host for Capabilities<G> {
    async fn get(&mut self, id: String) -> Result<firewalls::Firewall, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(get::<Firewall, _>(hetzner, id)).await
    }

    async fn list(&mut self) -> Result<Vec<firewalls::Firewall>, CallError> {
        let hetzner = self.project()?;
        self.gate.observe(list::<Firewall, _>(hetzner)).await
    }

    async fn create(
        &mut self,
        spec: firewalls::FirewallSpec,
    ) -> Result<firewalls::Firewall, CallError> {
        let hetzner = self.project()?;
        let firewalls::FirewallSpec { name, rules, labels } = spec;
        let rules = rules.into_iter().map(Into::into).collect();
        let spec = FirewallSpec { name, rules, labels: checked(labels)? };
        self.gate.pass(create(hetzner, spec)).await
    }

    async fn set_rules(
        &mut self,
        id: String,
        rules: Vec<firewalls::Rule>,
    ) -> Result<firewalls::Firewall, CallError> {
        let hetzner = self.project()?;
        let rules = rules.into_iter().map(Into::into).collect();
        self.gate.pass(SetRules::new(hetzner, id, rules)).await
    }

    async fn apply(&mut self, id: String, server: String) -> Result<(), CallError> {
        let hetzner = self.project()?;
        self.gate.pass(Applied { hetzner, id, server, is_applied: true }).await
    }

    async fn remove(&mut self, id: String, server: String) -> Result<(), CallError> {
        let hetzner = self.project()?;
        self.gate.pass(Applied { hetzner, id, server, is_applied: false }).await
    }

    async fn delete(&mut self, id: String) -> Result<(), CallError> {
        let hetzner = self.project()?;
        self.gate.pass(delete::<Firewall>(hetzner, id)).await
    }
}
