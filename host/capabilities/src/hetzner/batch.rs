//! What the calls of one batch look at together: one snapshot instead of one for each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join3;
use runwrit_model::failure::Failure;
use runwrit_model::grant::Holding;
use runwrit_model::hetzner::Kind;
use runwrit_model::limits::{GLANCE_AGE_MAX, LOOK_AGE_MAX, OFFER_AGE_MAX};
use runwrit_model::money::Eur;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use super::Hetzner;
use super::client::{ApiError, Request, member};
use super::price::{Alive, Prices, holding};
use super::scope::not_found;
use super::wire::{Firewall, Network, Resource, ServerType, SshKey};
use crate::gate::Provenance;

/// Looks that are made once, when the first asks.
#[derive(Default)]
pub struct Batch {
    prices: OnceCell<Arc<Prices>>,
    types: OnceCell<Arc<Vec<ServerType>>>,
    paid: OnceCell<Arc<Vec<Holding>>>,
    keys: Mutex<BTreeMap<String, u64>>,
    ordered: Mutex<BTreeMap<String, Holding>>,
}

impl Batch {
    /// Returns the price list.
    pub(super) async fn prices(&self, hetzner: &Hetzner) -> Result<Arc<Prices>, Failure> {
        self.prices.get_or_try_init(|| hetzner.prices(OFFER_AGE_MAX)).await.cloned()
    }

    /// Returns all kinds of servers, and where they are in stock.
    pub(super) async fn types(&self, hetzner: &Hetzner) -> Result<Arc<Vec<ServerType>>, Failure> {
        self.types.get_or_try_init(|| hetzner.types(GLANCE_AGE_MAX)).await.cloned()
    }

    /// Looks at the stock as it is now: a guest that checks asks for nothing older.
    pub(super) async fn look_at_stock(&self, hetzner: &Hetzner) -> Result<(), Failure> {
        self.types.get_or_try_init(|| hetzner.types(Duration::ZERO)).await.map(drop)
    }

    /// Returns everything of the scope that is paid for, as it was a moment before this batch.
    pub(super) async fn paid(
        &self,
        hetzner: &Hetzner,
        provenance: &dyn Provenance,
    ) -> Result<Arc<Vec<Holding>>, Failure> {
        let prices = self.prices(hetzner).await?;
        let paid = || hetzner.paid(&prices, provenance, LOOK_AGE_MAX);
        self.paid.get_or_try_init(paid).await.cloned()
    }

    /// Returns the id of the key with exactly this name. Only ids are sent: the API would take a
    /// name of digits for an id.
    pub(super) async fn ssh_key(&self, hetzner: &Hetzner, name: &str) -> Result<u64, Failure> {
        let mut keys = self.keys.lock().await;
        if let Some(id) = keys.get(name) {
            return Ok(*id);
        }
        let subject = format!("ssh key `{name}`");
        let found = hetzner.client.find_all_within::<SshKey>(name, OFFER_AGE_MAX).await;
        let key = found.map_err(|error| error.failure(&subject))?.into_iter().next();
        let id = key.ok_or_else(|| not_found(&subject, "the project has none of that name"))?.id;
        keys.insert(name.to_owned(), id);
        Ok(id)
    }

    /// Returns what the calls of this batch are about to order, by name. Whoever holds it decides
    /// alone, so that two of them cannot both take the last of the cap.
    pub(super) async fn ordered(&self) -> MutexGuard<'_, BTreeMap<String, Holding>> {
        self.ordered.lock().await
    }
}

impl Hetzner {
    pub(super) async fn prices(&self, age: Duration) -> Result<Arc<Prices>, Failure> {
        let answer = self.client.read(&Request::get("pricing"), age).await;
        let pricing = answer.and_then(|answer| member(&answer, "pricing"));
        let pricing = pricing.map_err(|error| error.failure("price list"))?;
        Prices::read(&pricing).map(Arc::new)
    }

    pub(super) async fn types(&self, age: Duration) -> Result<Arc<Vec<ServerType>>, Failure> {
        let types = self.client.pages_within("server_types", &[], age).await;
        types.map(Arc::new).map_err(|error| error.failure("server types"))
    }

    /// Looks at everything paid that claims to be in the scope, proven or not: a cap errs on the
    /// side of less.
    pub(super) async fn paid(
        &self,
        prices: &Prices,
        provenance: &dyn Provenance,
        age: Duration,
    ) -> Result<Arc<Vec<Holding>>, Failure> {
        let looks = try_join3(
            self.held(provenance, age),
            self.held(provenance, age),
            self.held(provenance, age),
        );
        let (servers, volumes, primary_ips) =
            looks.await.map_err(|error| error.failure("what is alive in the scope"))?;
        prices.holdings(&Alive { servers, volumes, primary_ips }).map(Arc::new)
    }

    /// Looks at everything of a free kind that claims to be in the scope, to be counted.
    pub(super) async fn free(
        &self,
        kind: Kind,
        provenance: &dyn Provenance,
    ) -> Result<Vec<Holding>, Failure> {
        match kind {
            Kind::Network => self.counted::<Network>(kind, provenance).await,
            Kind::Firewall => self.counted::<Firewall>(kind, provenance).await,
            _ => self.counted::<SshKey>(kind, provenance).await,
        }
    }

    /// Looks at what claims to be in the scope, but for what a call still to come will adopt: it is
    /// counted then, and would count twice.
    async fn held<R: Resource>(
        &self,
        provenance: &dyn Provenance,
        age: Duration,
    ) -> Result<Vec<R>, ApiError> {
        let mut things = self.claimed::<R>(age).await?;
        things.retain(|thing| {
            let owner = self.owner(thing).ok();
            !owner.is_some_and(|owner| provenance.is_to_be_adopted(&owner.run, owner.call))
        });
        Ok(things)
    }

    async fn counted<R: Resource>(
        &self,
        kind: Kind,
        provenance: &dyn Provenance,
    ) -> Result<Vec<Holding>, Failure> {
        let things = self.held::<R>(provenance, LOOK_AGE_MAX).await;
        let things = things.map_err(|error| error.failure("what is alive in the scope"))?;
        Ok(things.iter().map(|thing| holding(kind, thing.name(), Eur::ZERO)).collect())
    }
}
