//! What a look over a whole project shows of its zones: the sets that carry labels of this host.

use runwrit_model::dns::{KIND, SetId};
use runwrit_model::labels::PREFIX;
use runwrit_model::money::Eur;
use runwrit_model::sweep::Sighting;
use serde::Deserialize;

use super::Zones;
use crate::hetzner_api::client::{ApiError, Client};

/// A zone, as far as its sets are asked for.
#[derive(Deserialize)]
struct Zone {
    name: String,
}

/// A set, as far as a look asks.
#[derive(Deserialize)]
struct Set {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

impl Zones {
    /// Returns every set of every zone that carries a label of this host.
    ///
    /// Whole zones are read, since no selector finds a set of which one label was removed.
    pub async fn sightings(client: &Client) -> Result<Vec<Sighting>, ApiError> {
        let mut seen = Vec::new();
        for zone in client.pages::<Zone>("zones", &[]).await? {
            let path = format!("zones/{}/rrsets", zone.name);
            let sets: Vec<Set> = client.pages_at(&path, "rrsets", &[]).await?;
            let is_labelled = |set: &Set| set.labels.keys().any(|key| key.starts_with(PREFIX));
            let labelled = sets.into_iter().filter(is_labelled);
            seen.extend(labelled.map(|set| sighting(&zone, set)));
        }
        Ok(seen)
    }
}

/// A set that no run could have named keeps the name that its provider shows; its labels prove
/// nothing then.
fn sighting(zone: &Zone, set: Set) -> Sighting {
    let name = match SetId::parse(&zone.name, &set.name, &set.kind) {
        Ok(id) => id.key(),
        Err(_) => format!("{}.{}/{}", set.name, zone.name, set.kind),
    };
    Sighting {
        kind: KIND.to_owned(),
        id: name.clone(),
        name,
        labels: set.labels,
        since: None,
        eur_per_month: Some(Eur::ZERO),
    }
}
