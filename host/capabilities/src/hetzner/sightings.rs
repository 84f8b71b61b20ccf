//! What a look over a whole project shows: everything that carries labels of this host.

use runwrit_model::labels::PREFIX;
use runwrit_model::money::Eur;
use runwrit_model::sweep::Sighting;
use serde_json::Value;

use super::client::{ApiError, Client, Request, member};
use super::price::{Alive, Prices};
use super::wire::{Firewall, Network, PlacementGroup, PrimaryIp, Resource, Server, SshKey, Volume};
use super::{MARKER_LABEL, MARKER_NAME};

/// A thing, and when the API says that it was created.
type Dated<R> = (R, Option<String>);

impl Client {
    /// Returns everything that carries a label of this host, but the marker of the project.
    ///
    /// Whole collections are read, since no selector finds a thing of which one label was removed.
    pub async fn sightings(&self) -> Result<Vec<Sighting>, ApiError> {
        let prices = self.prices().await?;
        let servers = self.labelled::<Server>().await?;
        let volumes = self.labelled::<Volume>().await?;
        let addresses = self.labelled::<PrimaryIp>().await?;
        let counted: Vec<PrimaryIp> = addresses.iter().map(|(thing, _)| thing.clone()).collect();
        let mut seen = Vec::new();
        for (server, since) in servers {
            let alive = alive(vec![server.clone()], Vec::new(), counted.clone());
            seen.push(sighting(&server, since, price(prices.as_ref(), &alive)));
        }
        for (volume, since) in volumes {
            let alive = alive(Vec::new(), vec![volume.clone()], Vec::new());
            seen.push(sighting(&volume, since, price(prices.as_ref(), &alive)));
        }
        for (address, since) in addresses {
            let alive = alive(Vec::new(), Vec::new(), vec![address.clone()]);
            seen.push(sighting(&address, since, price(prices.as_ref(), &alive)));
        }
        seen.extend(self.free::<Network>().await?);
        seen.extend(self.free::<Firewall>().await?);
        seen.extend(self.free::<SshKey>().await?);
        seen.extend(self.free::<PlacementGroup>().await?);
        Ok(seen)
    }

    /// Returns the price list; nothing where it speaks of another currency or is unreadable.
    pub(super) async fn prices(&self) -> Result<Option<Prices>, ApiError> {
        let answer = self.ask(&Request::get("pricing")).await?;
        Ok(Prices::read(&member(&answer, "pricing")?).ok())
    }

    async fn free<R: Resource>(&self) -> Result<Vec<Sighting>, ApiError> {
        let things = self.labelled::<R>().await?.into_iter();
        Ok(things.map(|(thing, since)| sighting(&thing, since, Some(Eur::ZERO))).collect())
    }

    async fn labelled<R: Resource>(&self) -> Result<Vec<Dated<R>>, ApiError> {
        let mut dated = Vec::new();
        for value in self.pages::<Value>(R::COLLECTION, &[]).await? {
            let since = value.get("created").and_then(Value::as_str).map(str::to_owned);
            let thing: R = serde_json::from_value(value).map_err(|error| {
                let list = R::COLLECTION;
                ApiError::Unclear(format!("the list `{list}` holds something unusable: {error}"))
            })?;
            if is_labelled(&thing) && !is_marker(&thing) {
                dated.push((thing, since));
            }
        }
        Ok(dated)
    }
}

fn is_labelled<R: Resource>(thing: &R) -> bool {
    thing.labels().keys().any(|key| key.starts_with(PREFIX))
}

fn is_marker<R: Resource>(thing: &R) -> bool {
    R::KIND.is_none() && thing.name() == MARKER_NAME && thing.labels().contains_key(MARKER_LABEL)
}

fn alive(servers: Vec<Server>, volumes: Vec<Volume>, primary_ips: Vec<PrimaryIp>) -> Alive {
    Alive { servers, volumes, primary_ips }
}

/// Returns the price of the first thing of a look; the others only say what is counted elsewhere.
pub(super) fn price(prices: Option<&Prices>, alive: &Alive) -> Option<Eur> {
    let holdings = prices?.holdings(alive).ok()?;
    holdings.into_iter().next().map(|holding| holding.eur_per_month)
}

fn sighting<R: Resource>(thing: &R, since: Option<String>, eur_per_month: Option<Eur>) -> Sighting {
    let kind = match R::KIND {
        Some(kind) => kind.as_str().to_owned(),
        None => format!("hetzner.{}", R::MEMBER.replace('_', "-")),
    };
    Sighting {
        kind,
        id: thing.id().to_string(),
        name: thing.name().to_owned(),
        labels: thing.labels().clone(),
        since,
        eur_per_month,
    }
}
