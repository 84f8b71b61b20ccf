//! What reads a project, filtered to the scope of the run.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use runwrit_model::call::{Call, CallClass, Reference};
use runwrit_model::failure::{Denial, Failure, Problem};
use runwrit_model::grant::{Permit, Situation};
use runwrit_model::hetzner::{Candidate, Kind};
use runwrit_model::limits::{LIST_ITEMS_MAX, LOOK_AGE_MAX, OFFER_AGE_MAX};
use runwrit_model::money::Eur;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Hetzner;
use super::effects::{Order, Purpose};
use super::offers::{Market, Offer, kinds_of};
use super::price::{VOLUME_GB_MIN, holding};
use super::scope::{Nothing, kind_of, not_found};
use super::wire::{Firewall, Image, Location, Network, Resource, Server, SshKey, Volume};
use crate::bindings::runwrit::hetzner::{
    images, locations, pricing, server_types, servers, ssh_keys,
};
use crate::gate::{CallError, Observation, Provenance};

/// Describes a read.
fn read(operation: &str, request: Value, subject: String) -> Call {
    Call {
        operation: format!("hetzner.{operation}"),
        class: CallClass::Read,
        request,
        kind: None,
        key: None,
        references: Vec::new(),
        subject,
    }
}

/// Reads one thing of the scope.
pub struct Get<R, O> {
    pub(super) hetzner: Arc<Hetzner>,
    pub(super) id: String,
    pub(super) kinds: PhantomData<fn(R) -> O>,
}

impl<R: Resource, O> Observation for Get<R, O>
where
    O: From<R> + Serialize + DeserializeOwned + Send,
{
    type Output = O;

    fn call(&self) -> Call {
        let kind = kind_of::<R>();
        let operation = format!("{}.get", kind.plural());
        let call = read(&operation, json!({"id": self.id}), format!("{} {}", R::MEMBER, self.id));
        let references = vec![Reference::new(kind.as_str(), &*self.id)];
        Call { references, kind: Some(kind.to_string()), ..call }
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        let operation = self.call().operation;
        Ok(self.hetzner.grant.read(&operation, &self.id, self.hetzner.now())?)
    }

    /// Foreign and absent look the same.
    async fn read(&self, provenance: &dyn Provenance) -> Result<O, CallError> {
        let look = self.hetzner.look::<R>(provenance, &self.id).await?;
        let is_visible = look.addressed.is_in_scope();
        let thing = look.thing.filter(|_| is_visible);
        let subject = format!("{} {}", R::MEMBER, self.id);
        Ok(thing.ok_or_else(|| not_found(&subject, "the scope of this run has none"))?.into())
    }
}

/// Reads everything of a kind in the scope.
pub struct List<R, O> {
    pub(super) hetzner: Arc<Hetzner>,
    pub(super) kinds: PhantomData<fn(R) -> O>,
}

impl<R: Resource, O> Observation for List<R, O>
where
    O: From<R> + Serialize + DeserializeOwned + Send,
{
    type Output = Vec<O>;

    fn call(&self) -> Call {
        let kind = kind_of::<R>();
        read(
            &format!("{}.list", kind.plural()),
            json!({}),
            format!("{} of the scope", kind.plural()),
        )
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        let operation = self.call().operation;
        Ok(self.hetzner.grant.read(&operation, "scope", self.hetzner.now())?)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<Vec<O>, CallError> {
        let found = self.hetzner.in_scope::<R>().await?;
        Ok(capped(found)?.into_iter().map(Into::into).collect())
    }
}

fn capped<T>(items: Vec<T>) -> Result<Vec<T>, Failure> {
    if items.len() <= LIST_ITEMS_MAX {
        return Ok(items);
    }
    let text = format!("a list of {} is longer than {LIST_ITEMS_MAX}", items.len());
    Err(Failure::Failed(Problem::new("list-too-long", text)))
}

/// Reads an SSH key by its name; the grant must name it.
pub struct GetKey {
    pub(super) hetzner: Arc<Hetzner>,
    pub(super) name: String,
}

impl Observation for GetKey {
    type Output = ssh_keys::SshKey;

    fn call(&self) -> Call {
        let subject = format!("ssh key {}", self.name);
        read("ssh-keys.get", json!({"name": self.name}), subject)
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        Ok(self.hetzner.grant.read_ssh_key(&self.name, self.hetzner.now())?)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<ssh_keys::SshKey, CallError> {
        let subject = format!("ssh key `{}`", self.name);
        let found = self.hetzner.client.find::<SshKey>(&self.name).await;
        let found = found.map_err(|error| error.failure(&subject))?;
        Ok(found.ok_or_else(|| not_found(&subject, "the project has none"))?.into())
    }
}

/// Reads locations: one by name, or all.
pub struct Locations {
    pub(super) hetzner: Arc<Hetzner>,
    pub(super) name: Option<String>,
}

impl Observation for Locations {
    type Output = Vec<locations::Location>;

    fn call(&self) -> Call {
        match &self.name {
            Some(name) => read("locations.get", json!({"name": name}), format!("location {name}")),
            None => read("locations.list", json!({}), "locations".to_owned()),
        }
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        let Call { operation, subject, .. } = self.call();
        Ok(self.hetzner.grant.read(&operation, &subject, self.hetzner.now())?)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<Vec<locations::Location>, CallError> {
        let found = self.hetzner.client.pages::<Location>("locations", &[]).await;
        let found = found.map_err(|error| error.failure("locations"))?;
        let found = capped(found)?.into_iter();
        let is_wanted = |it: &Location| self.name.as_ref().is_none_or(|name| *name == it.name);
        Ok(found.filter(is_wanted).map(Into::into).collect())
    }
}

/// Reads what a role may become, or one kind of server.
pub struct Offers {
    pub(super) hetzner: Arc<Hetzner>,
    pub(super) wanted: Wanted,
    pub(super) location: String,
}

/// What is looked for.
pub enum Wanted {
    /// What the configuration lists for a role.
    Role(String),
    /// One kind.
    Type(String),
}

impl Observation for Offers {
    type Output = Vec<server_types::Offer>;

    fn call(&self) -> Call {
        let location = &self.location;
        match &self.wanted {
            Wanted::Role(role) => {
                let request = json!({"role": role, "location": location});
                read("server-types.candidates", request, format!("role {role} in {location}"))
            }
            Wanted::Type(name) => {
                let request = json!({"server-type": name, "location": location});
                read("server-types.get", request, format!("{name} in {location}"))
            }
        }
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        let Call { operation, subject, .. } = self.call();
        Ok(self.hetzner.grant.read(&operation, &subject, self.hetzner.now())?)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<Vec<server_types::Offer>, CallError> {
        let hetzner = &self.hetzner;
        let types = hetzner.types(Duration::ZERO).await?;
        let prices = hetzner.prices(Duration::ZERO).await?;
        let market = Market { types: &types, prices: &prices };
        let offers: Vec<Offer> = match &self.wanted {
            Wanted::Role(role) => {
                let kinds = kinds_of(&hetzner.settings, role)?;
                market.offers(kinds, std::slice::from_ref(&self.location))?
            }
            Wanted::Type(name) => market.offer(name, &self.location)?.into_iter().collect(),
        };
        Ok(offers.into_iter().map(Into::into).collect())
    }
}

/// Reads a system image.
pub struct GetImage {
    pub(super) hetzner: Arc<Hetzner>,
    pub(super) name: String,
    pub(super) architecture: String,
}

impl Observation for GetImage {
    type Output = images::Image;

    fn call(&self) -> Call {
        let request = json!({"name": self.name, "architecture": self.architecture});
        read("images.get", request, format!("image {} for {}", self.name, self.architecture))
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        Ok(self.hetzner.grant.read("hetzner.images.get", &self.name, self.hetzner.now())?)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<images::Image, CallError> {
        let (name, architecture) = (&self.name, &self.architecture);
        let image = self.hetzner.image(name, architecture, Duration::ZERO).await?;
        Ok(image.into())
    }
}

impl Hetzner {
    /// Returns the system image of this name and architecture, as it was within `age`.
    async fn image(&self, name: &str, architecture: &str, age: Duration) -> Result<Image, Failure> {
        let subject = format!("image `{name}` for `{architecture}`");
        let filter = [("name", name), ("architecture", architecture), ("type", "system")];
        let found = self.client.pages_within::<Image>("images", &filter, age).await;
        let mut found = found.map_err(|error| error.failure(&subject))?.into_iter();
        let image = found.find(|image| {
            image.name.as_deref() == Some(name) && image.architecture == architecture
        });
        image.ok_or_else(|| not_found(&subject, "the API offers none"))
    }
}

/// Reads what the scope costs.
pub struct ScopePrice {
    pub(super) hetzner: Arc<Hetzner>,
}

impl Observation for ScopePrice {
    type Output = pricing::Estimate;

    fn call(&self) -> Call {
        read("pricing.scope", json!({}), "the price of the scope".to_owned())
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        Ok(self.hetzner.grant.read("hetzner.pricing.scope", "scope", self.hetzner.now())?)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<pricing::Estimate, CallError> {
        let prices = self.hetzner.prices(Duration::ZERO).await?;
        let paid = self.hetzner.paid(&prices, &Nothing, Duration::ZERO).await?;
        let holdings = capped(paid.to_vec())?;
        let total: Eur = holdings.iter().map(|it| it.eur_per_month).sum();
        let lines = holdings.into_iter().map(|it| pricing::Line {
            name: format!("{} {}", it.kind.as_str().trim_start_matches("hetzner."), it.name),
            eur_per_month: it.eur_per_month.plain(),
        });
        Ok(pricing::Estimate { eur_per_month: total.plain(), lines: lines.collect() })
    }
}

/// Checks what a batch of orders would do.
pub struct Check {
    pub(super) orders: Vec<Order>,
}

impl Observation for Check {
    type Output = Vec<servers::Choice>;

    fn call(&self) -> Call {
        let specs: Vec<_> = self.orders.iter().map(|order| &order.spec).collect();
        let names: Vec<_> = specs.iter().map(|spec| spec.name.as_str()).collect();
        read("servers.check", json!({"specs": specs}), format!("servers {}", names.join(", ")))
    }

    /// The rules are those of the orders themselves, and asked where their facts are read.
    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        let Call { operation, subject, .. } = self.call();
        let Some(order) = self.orders.first() else {
            let text = "there is nothing to check".to_owned();
            return Err(Failure::Invalid(Problem::new("empty", text).with_field("specs")).into());
        };
        Ok(order.hetzner.grant.read(&operation, &subject, order.hetzner.now())?)
    }

    async fn read(&self, provenance: &dyn Provenance) -> Result<Vec<servers::Choice>, CallError> {
        let (mut chosen, mut denials, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
        for order in &self.orders {
            order.batch.look_at_stock(&order.hetzner).await?;
            match order.choose(provenance, &chosen, Purpose::Check).await {
                Ok((_, permitted)) => {
                    gaps.extend(order.preflight(&permitted.candidate.server_type).await?);
                    chosen.push((order.spec.name.clone(), permitted.candidate));
                }
                // The others are asked too, so that the grant is corrected once.
                Err(CallError::Failed(Failure::Denied(denial))) => denials.push(denial),
                Err(error) => return Err(error),
            }
        }
        if let Some(order) = self.orders.first() {
            gaps.extend(order.hetzner.names_taken().await?);
            // Without all servers there is no sum that a volume could be added to.
            if denials.is_empty() {
                denials.extend(order.unpaid_volumes(provenance, &chosen).await?);
            }
        }
        match (Denial::together(denials), together(gaps)) {
            (Some(mut denial), gap) => {
                if let Some(Problem { message, .. }) = gap {
                    denial.reason = format!("{}; besides, {message}", denial.reason);
                }
                return Err(Failure::Denied(denial).into());
            }
            (None, Some(problem)) if problem.code == "not_found" => {
                return Err(Failure::NotFound(problem).into());
            }
            (None, Some(problem)) => return Err(Failure::Conflict(problem).into()),
            (None, None) => {}
        }
        let choices = chosen.into_iter().map(|(name, candidate)| servers::Choice {
            name,
            server_type: candidate.server_type,
            location: candidate.location,
            eur_per_month: candidate.eur_per_month.plain(),
        });
        Ok(choices.collect())
    }
}

impl Order {
    /// Looks for what would make the order fail: a missing image, a name that is taken.
    async fn preflight(&self, server_type: &str) -> Result<Vec<Problem>, Failure> {
        let name = &self.spec.name;
        let types = self.batch.types(&self.hetzner).await?;
        let kind = types.iter().find(|it| it.name == server_type);
        let architecture = kind.map_or("x86", |kind| kind.architecture.as_str());
        let mut gaps = Vec::new();
        match self.hetzner.image(&self.spec.image, architecture, OFFER_AGE_MAX).await {
            Ok(_) => {}
            Err(Failure::NotFound(problem)) => gaps.push(problem.with_field("image")),
            Err(failure) => return Err(failure),
        }
        let found = self.hetzner.client.named::<Server>(name, LOOK_AGE_MAX).await;
        if !found.map_err(|error| error.failure(&format!("server `{name}`")))?.is_empty() {
            gaps.push(taken(&format!("server `{name}`"), "already"));
        }
        Ok(gaps)
    }
}

impl Order {
    /// Adds the volumes that the grant lists and that do not stand yet to the price of the servers:
    /// they are made last, and a cap that has no room for them would be found out only after the
    /// servers were ordered. How large each will be nobody knows yet, so the smallest counts. An
    /// address that is made by itself may cost nothing, so none is added.
    async fn unpaid_volumes(
        &self,
        provenance: &dyn Provenance,
        chosen: &[(String, Candidate)],
    ) -> Result<Vec<Denial>, Failure> {
        let (hetzner, batch) = (&self.hetzner, &self.batch);
        let smallest = batch.prices(hetzner).await?.volume(VOLUME_GB_MIN);
        let mut alive = batch.paid(hetzner, provenance).await?.to_vec();
        alive.extend(chosen.iter().map(|(name, it)| holding(Kind::Server, name, it.eur_per_month)));
        let mut denials = Vec::new();
        for name in hetzner.grant.volumes_to_come(&alive) {
            let situation = Situation { now: hetzner.now(), alive: &alive };
            denials.extend(hetzner.grant.check_volume(name, smallest, &situation).err());
            alive.push(holding(Kind::Volume, name, smallest));
        }
        Ok(denials)
    }
}

impl Hetzner {
    /// Looks for what others have under the names that the grant lists: their creations would fail
    /// after servers were ordered. What is of the scope is the runbook's own concern.
    async fn names_taken(&self) -> Result<Vec<Problem>, Failure> {
        let Some(granted) = &self.grant.document().hetzner else { return Ok(Vec::new()) };
        let mut gaps = Vec::new();
        for network in &granted.networks {
            gaps.extend(self.foreign::<Network>(&network.name).await?);
        }
        for firewall in &granted.firewalls {
            gaps.extend(self.foreign::<Firewall>(&firewall.name).await?);
        }
        for volume in &granted.volumes {
            gaps.extend(self.foreign::<Volume>(&volume.name).await?);
        }
        Ok(gaps)
    }

    async fn foreign<R: Resource>(&self, name: &str) -> Result<Option<Problem>, Failure> {
        let subject = format!("{} `{name}`", R::MEMBER);
        let found = self.client.named::<R>(name, LOOK_AGE_MAX).await;
        let found = found.map_err(|error| error.failure(&subject))?;
        let is_foreign = found.iter().any(|thing| !self.is_in_scope(thing));
        Ok(is_foreign.then(|| taken(&subject, "by something that is not of this scope")))
    }
}

fn taken(subject: &str, by: &str) -> Problem {
    let text = format!("{subject}: the name is used {by}");
    Problem::new("uniqueness_error", text).with_field("name")
}

/// Tells several gaps as one, so that they are closed together; nothing where there is none.
fn together(gaps: Vec<Problem>) -> Option<Problem> {
    gaps.into_iter().reduce(|mut one, other| {
        // Servers of one order share their image.
        if !one.message.contains(&other.message) {
            one.message = format!("{}; {}", one.message, other.message);
        }
        one.field = one.field.filter(|field| Some(field) == other.field.as_ref());
        one
    })
}
