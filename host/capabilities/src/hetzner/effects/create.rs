//! Creations of everything but servers: they differ in their bodies and permits only.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use runwrit_model::call::{Call, CallClass, Rank, UndoPlan};
use runwrit_model::failure::Failure;
use runwrit_model::grant::{Holding, Permit, Situation};
use runwrit_model::hetzner::{
    Direction, Family, FirewallSpec, Kind, Labels, NetworkSpec, PrimaryIpSpec, Rule, SshKeySpec,
    VolumeSpec,
};
use runwrit_model::limits::{GLANCE_AGE_MAX, LOOK_AGE_MAX, OFFER_AGE_MAX};
use runwrit_model::money::Eur;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::making::{Found, Making, refused};
use super::{accepted_id, subject};
use crate::gate::{Acceptance, CallError, Effect, Provenance, SendError, Ticket};
use crate::hetzner::Hetzner;
use crate::hetzner::batch::Batch;
use crate::hetzner::scope::kind_of;
use crate::hetzner::wire;

/// What can be created in one request.
pub trait Creation: Serialize + Send + Sync + 'static {
    /// What comes into being.
    type Thing: wire::Resource;
    /// Its place among undos.
    const RANK: Rank;

    /// Returns the name.
    fn name(&self) -> &str;
    /// Returns the labels that the runbook asks for.
    fn labels(&self) -> &Labels;
    /// Returns the body of the request, but for name and labels.
    fn body(&self) -> Value;

    /// Returns the price.
    fn price(&self, hetzner: &Hetzner) -> impl Future<Output = Result<Eur, Failure>> + Send {
        let _ = hetzner;
        async { Ok(Eur::ZERO) }
    }

    /// Asks the grant.
    fn permit(
        &self,
        hetzner: &Hetzner,
        price: Eur,
        situation: &Situation<'_>,
    ) -> Result<Permit, CallError>;
}

/// Creates one thing.
pub struct Create<S, O> {
    pub(in crate::hetzner) hetzner: Arc<Hetzner>,
    pub(in crate::hetzner) spec: S,
    pub(in crate::hetzner) output: PhantomData<fn() -> O>,
}

impl<S: Creation, O> Effect for Create<S, O>
where
    O: From<S::Thing> + Serialize + DeserializeOwned + Send,
{
    type Output = O;

    fn call(&self) -> Call {
        let kind = kind_of::<S::Thing>();
        Call {
            operation: format!("hetzner.{}.create", kind.plural()),
            class: CallClass::KeyedCreate,
            request: serde_json::to_value(&self.spec).expect("a request holds texts and numbers"),
            kind: Some(kind.to_string()),
            key: Some(self.spec.name().to_owned()),
            references: Vec::new(),
            subject: subject::<S::Thing>(self.spec.name()),
        }
    }

    async fn permit(&self, by: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        let hetzner = &self.hetzner;
        let price = self.spec.price(hetzner).await?;
        let alive = hetzner.alive(kind_of::<S::Thing>(), by).await?;
        self.spec.permit(hetzner, price, &Situation { now: hetzner.now(), alive: &alive })
    }

    fn undo(&self, _: Option<&Value>) -> Option<UndoPlan> {
        let operation = format!("hetzner.{}.delete", kind_of::<S::Thing>().plural());
        Some(UndoPlan { operation, arguments: Default::default(), rank: S::RANK })
    }

    fn is_key_enforced(&self) -> bool {
        has_unique_names(kind_of::<S::Thing>())
    }

    async fn send(&self, ticket: &Ticket) -> Result<Acceptance, SendError> {
        let (hetzner, name) = (&self.hetzner, self.spec.name());
        if ticket.is_repeated || self.may_be_taken().await? {
            match hetzner.find_ours::<S::Thing>(ticket, name).await? {
                Found::Ours(found) => return Ok(found),
                Found::Foreign => return Err(taken::<S::Thing>(ticket, name)),
                Found::Nothing => {}
            }
        }
        let mut body = self.spec.body();
        body["name"] = json!(name);
        body["labels"] = json!(all_labels(self.spec.labels(), ticket));
        match hetzner.make::<S::Thing>(ticket, name, body).await? {
            Making::Accepted(acceptance) => Ok(acceptance),
            Making::Refused(error) => Err(refused::<S::Thing>(ticket, name, error)),
        }
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<O, SendError> {
        let subject = subject::<S::Thing>(self.spec.name());
        self.hetzner.finish(acceptance, &subject).await?;
        let id = accepted_id(acceptance)?;
        // What nothing is done about any more is as the API told it when it was made.
        let age = if acceptance.actions.is_empty() { GLANCE_AGE_MAX } else { Duration::ZERO };
        Ok(self.hetzner.read_back_within::<S::Thing>(id, &subject, age).await?.into())
    }
}

impl<S: Creation, O> Create<S, O> {
    /// Looks whether something else may have the name already, where the API would not say so.
    async fn may_be_taken(&self) -> Result<bool, SendError> {
        let name = self.spec.name();
        if has_unique_names(kind_of::<S::Thing>()) {
            return Ok(false);
        }
        let named = self.hetzner.client.named::<S::Thing>(name, LOOK_AGE_MAX).await;
        let named = named.map_err(|error| error.into_send_error(&subject::<S::Thing>(name)))?;
        Ok(!named.is_empty())
    }
}

impl Hetzner {
    /// Returns what counts against the grant when something of `kind` is created.
    async fn alive(&self, kind: Kind, by: &dyn Provenance) -> Result<Vec<Holding>, Failure> {
        match kind {
            Kind::Network | Kind::Firewall | Kind::SshKey => self.free(kind, by).await,
            _ => Ok(Batch::default().paid(self, by).await?.to_vec()),
        }
    }
}

/// That network names are unique is documented nowhere.
fn has_unique_names(kind: Kind) -> bool {
    kind != Kind::Network
}

fn taken<R: wire::Resource>(ticket: &Ticket, name: &str) -> SendError {
    let message = "the name is used by something that this call did not make".to_owned();
    let code = "uniqueness_error".to_owned();
    let field = Some("name".to_owned());
    let refusal =
        super::super::client::Refusal { status: 409, code, message, field, is_bare: false };
    refused::<R>(ticket, name, refusal.into())
}

/// The labels of the host win over those of a guest.
pub fn all_labels(asked: &Labels, ticket: &Ticket) -> Labels {
    let mut labels = asked.clone();
    labels.extend(ticket.labels.clone());
    labels
}

impl Creation for NetworkSpec {
    type Thing = wire::Network;
    const RANK: Rank = Rank::Network;

    fn name(&self) -> &str {
        &self.name
    }
    fn labels(&self) -> &Labels {
        &self.labels
    }
    fn body(&self) -> Value {
        let subnets = self.subnets.iter().map(|subnet| {
            let (range, zone) = (&subnet.ip_range, &subnet.network_zone);
            json!({"type": "cloud", "ip_range": range, "network_zone": zone})
        });
        json!({"ip_range": self.ip_range, "subnets": subnets.collect::<Vec<_>>()})
    }
    fn permit(&self, hetzner: &Hetzner, _: Eur, at: &Situation<'_>) -> Result<Permit, CallError> {
        Ok(hetzner.grant.create_network(self, at)?)
    }
}

impl Creation for FirewallSpec {
    type Thing = wire::Firewall;
    const RANK: Rank = Rank::Firewall;

    fn name(&self) -> &str {
        &self.name
    }
    fn labels(&self) -> &Labels {
        &self.labels
    }
    fn body(&self) -> Value {
        json!({"rules": rules(&self.rules)})
    }
    fn permit(&self, hetzner: &Hetzner, _: Eur, at: &Situation<'_>) -> Result<Permit, CallError> {
        Ok(hetzner.grant.create_firewall(self, at)?)
    }
}

/// Writes rules as the API reads them.
pub fn rules(rules: &[Rule]) -> Value {
    let rules = rules.iter().map(|rule| {
        let side = match rule.direction {
            Direction::In => "source_ips",
            Direction::Out => "destination_ips",
        };
        let mut body = json!({"direction": rule.direction, "protocol": rule.protocol});
        body[side] = json!(rule.addresses);
        if let Some(port) = &rule.port {
            body["port"] = json!(port);
        }
        if !rule.description.is_empty() {
            body["description"] = json!(rule.description);
        }
        body
    });
    rules.collect()
}

impl Creation for VolumeSpec {
    type Thing = wire::Volume;
    const RANK: Rank = Rank::Volume;

    fn name(&self) -> &str {
        &self.name
    }
    fn labels(&self) -> &Labels {
        &self.labels
    }
    fn body(&self) -> Value {
        let Self { size_gb, location, format, .. } = self;
        json!({"size": size_gb, "location": location, "format": format, "automount": false})
    }
    async fn price(&self, hetzner: &Hetzner) -> Result<Eur, Failure> {
        Ok(hetzner.prices(OFFER_AGE_MAX).await?.volume(self.size_gb))
    }
    fn permit(
        &self,
        hetzner: &Hetzner,
        price: Eur,
        at: &Situation<'_>,
    ) -> Result<Permit, CallError> {
        Ok(hetzner.grant.create_volume(self, price, at)?)
    }
}

impl Creation for SshKeySpec {
    type Thing = wire::SshKey;
    const RANK: Rank = Rank::Firewall;

    fn name(&self) -> &str {
        &self.name
    }
    fn labels(&self) -> &Labels {
        &self.labels
    }
    fn body(&self) -> Value {
        json!({"public_key": self.public_key})
    }
    fn permit(&self, hetzner: &Hetzner, _: Eur, at: &Situation<'_>) -> Result<Permit, CallError> {
        Ok(hetzner.grant.create_ssh_key(self, at)?)
    }
}

impl Creation for PrimaryIpSpec {
    type Thing = wire::PrimaryIp;
    const RANK: Rank = Rank::Firewall;

    fn name(&self) -> &str {
        &self.name
    }
    fn labels(&self) -> &Labels {
        &self.labels
    }
    fn body(&self) -> Value {
        let family = match self.family {
            Family::Ipv4 => "ipv4",
            Family::Ipv6 => "ipv6",
        };
        // Left to itself the API would delete the address with the server that it is assigned to.
        json!({"type": family, "location": self.location, "assignee_type": "server",
            "auto_delete": false})
    }
    async fn price(&self, hetzner: &Hetzner) -> Result<Eur, Failure> {
        hetzner.prices(OFFER_AGE_MAX).await?.address(self.family, &self.location)
    }
    fn permit(
        &self,
        hetzner: &Hetzner,
        price: Eur,
        at: &Situation<'_>,
    ) -> Result<Permit, CallError> {
        Ok(hetzner.grant.create_primary_ip(self, price, at)?)
    }
}
