//! Permits for volumes.

use super::asked::Refusal;
use super::{Grant, Holding, Permit, Rule, Situation};
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

    /// Returns the volumes that a run may still create beside what is alive, by name.
    pub fn volumes_to_come(&self, alive: &[Holding]) -> Vec<&str> {
        let Some(hetzner) = &self.document().hetzner else { return Vec::new() };
        let is_volume = |holding: &&Holding| holding.kind == Kind::Volume;
        let standing: Vec<&str> =
            alive.iter().filter(is_volume).map(|holding| holding.name.as_str()).collect();
        let count = hetzner.counts.of(Kind::Volume) as usize;
        let room = count.saturating_sub(standing.len());
        let is_granted = self.names_operation("hetzner.volumes.create");
        let names = hetzner.volumes.iter().map(|volume| volume.name.as_str());
        let names = names.filter(|name| is_granted && !standing.contains(name));
        names.take(room).collect()
    }

    /// Checks whether a volume of this price could be paid for, before anything is ordered that
    /// would come before it.
    pub fn check_volume(
        &self,
        name: &str,
        eur_per_month: Eur,
        situation: &Situation<'_>,
    ) -> Result<(), Denial> {
        let asked = self.ask("hetzner.volumes.create", name, situation.now)?;
        asked.cost(eur_per_month, situation)
    }
}
