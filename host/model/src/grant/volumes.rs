//! Permits for volumes.

use super::asked::Refusal;
use super::{Grant, Permit, Rule, Situation};
use crate::failure::Denial;
use crate::hetzner::{Kind, VolumeSpec};
use crate::money::Eur;

impl Grant {
    /// Permits creating a volume at its price.
    pub fn create_volume(
        &self,
        spec: &VolumeSpec,
        eur_per_month: Eur,
        situation: &Situation<'_>,
    ) -> Result<Permit, Denial> {
        let asked = self.ask("hetzner.volumes.create", &spec.name, situation.now)?;
        asked.named(self, Kind::Volume, &spec.name)?;
        let hetzner = self.document().hetzner.as_ref();
        let mut volumes = hetzner.iter().flat_map(|it| &it.volumes);
        let holds = volumes.any(|it| it.name == spec.name && spec.size_gb <= it.max_gb);
        asked.require(Rule::VolumeSize, holds, || Refusal {
            reason: format!("{} GB are more than granted", spec.size_gb),
            section: "[[hetzner.volumes]]",
            line: format!("max-gb = {}", spec.size_gb),
        })?;
        let listed = hetzner.map_or(&[][..], |it| &it.locations);
        asked.listed(Rule::Location, "locations", listed, &spec.location)?;
        asked.count(Kind::Volume, situation)?;
        asked.cost(eur_per_month, situation)?;
        let permit = Permit::mint("hetzner.volumes").counting(Kind::Volume, situation);
        Ok(permit.costing(eur_per_month, situation))
    }
}
