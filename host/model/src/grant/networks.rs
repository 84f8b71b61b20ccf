//! Permits for networks.

use super::asked::{Refusal, quote};
use super::document::Network;
use super::{Grant, Permit, Rule, Situation};
use crate::failure::Denial;
use crate::hetzner::{Kind, NetworkSpec};

impl Grant {
    /// Permits creating a network with its subnets.
    pub fn create_network(
        &self,
        spec: &NetworkSpec,
        situation: &Situation<'_>,
    ) -> Result<Permit, Denial> {
        let asked = self.ask("hetzner.networks.create", &spec.name, situation.now)?;
        asked.named(self, Kind::Network, &spec.name)?;
        let is = |check: &dyn Fn(&Network) -> bool| {
            let networks = self.document().hetzner.iter().flat_map(|it| &it.networks);
            networks.filter(|it| it.name == spec.name).any(check)
        };
        let refuse = |reason: String, line: String| Refusal {
            reason,
            section: "[[hetzner.networks]]",
            line,
        };
        asked.require(Rule::NetworkRange, is(&|it| it.ip_range == spec.ip_range), || {
            let range = quote(&spec.ip_range);
            refuse(format!("another range than {range} is granted"), format!("ip-range = {range}"))
        })?;
        for subnet in &spec.subnets {
            let holds = is(&|it| it.subnets.contains(&subnet.ip_range));
            asked.require(Rule::NetworkSubnet, holds, || {
                let range = quote(&subnet.ip_range);
                refuse(format!("no subnet {range} is granted"), format!("subnets = [{range}]"))
            })?;
            let holds = is(&|it| it.network_zone == subnet.network_zone);
            asked.require(Rule::NetworkZone, holds, || {
                let zone = quote(&subnet.network_zone);
                refuse(format!("the zone {zone} is not granted"), format!("network-zone = {zone}"))
            })?;
        }
        asked.count(Kind::Network, situation)?;
        Ok(Permit::mint("hetzner.networks").counting(Kind::Network, situation))
    }
}
