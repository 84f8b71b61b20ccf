//! Changes of firewalls: their rules, and the servers that they protect.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use runwrit_model::call::{Call, Rank, Reference, UndoPlan};
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::grant::Permit;
use runwrit_model::hetzner::{Kind, Rule};
use runwrit_model::limits::LINGER_MAX;
use serde_json::{Value, json};

use super::create::rules;
use super::{accepted, accepted_id, converge, number, subject};
use crate::bindings::runwrit::hetzner::firewalls;
use crate::gate::{Acceptance, CallError, Effect, Provenance, SendError, Ticket};
use crate::hetzner::scope::{not_found, parse_id};
use crate::hetzner::wire::{Firewall, Server};
use crate::hetzner::{Hetzner, Project};

/// Replaces all rules.
pub struct SetRules {
    pub(in crate::hetzner) hetzner: Arc<Hetzner>,
    pub(in crate::hetzner) id: String,
    pub(in crate::hetzner) rules: Vec<Rule>,
    name: OnceLock<String>,
}

impl SetRules {
    /// Describes the replacement of all rules of a firewall.
    pub(in crate::hetzner) fn new(hetzner: Arc<Hetzner>, id: String, rules: Vec<Rule>) -> Self {
        Self { hetzner, id, rules, name: OnceLock::new() }
    }

    async fn start(&self) -> Result<Vec<u64>, SendError> {
        let id = number::<Firewall>(&self.id)?;
        let path = format!("firewalls/{id}/actions/set_rules");
        let started = self.hetzner.client.act(path, json!({"rules": rules(&self.rules)})).await;
        started.map_err(|error| error.into_send_error(&subject::<Firewall>(&self.id)))
    }
}

/// Returns whether two lists hold the same rules: the API keeps no order of rules and addresses.
pub fn is_same_rules(one: &[Rule], other: &[Rule]) -> bool {
    let sorted = |rules: &[Rule]| {
        let mut texts: Vec<String> = rules
            .iter()
            .map(|rule| {
                let mut rule = rule.clone();
                rule.addresses.sort();
                serde_json::to_string(&rule).unwrap_or_default()
            })
            .collect();
        texts.sort();
        texts
    };
    sorted(one) == sorted(other)
}

/// Says that an action ended well and left something else than it was asked for.
fn differs(code: &str, text: String) -> SendError {
    SendError::FailedAfterEffect(Failure::Failed(Problem::new(code, text)))
}

impl Effect for SetRules {
    type Output = firewalls::Firewall;

    fn call(&self) -> Call {
        let request = json!({"id": self.id, "rules": self.rules});
        converge::<Firewall>("set-rules", &self.id, request)
    }

    fn found(&self) -> Option<Value> {
        self.name.get().map(|name| json!({"name": name}))
    }

    async fn permit(&self, provenance: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        let hetzner = &self.hetzner;
        let look = hetzner.look::<Firewall>(provenance, &self.id).await?;
        // The name decides which rules are granted; a foreign one is refused before it matters.
        let name = look.thing.as_ref().map_or(self.id.as_str(), |it| it.name.as_str());
        self.name.get_or_init(|| name.to_owned());
        let firewall = (&look.addressed, name);
        Ok(hetzner.grant.set_firewall_rules(firewall, &self.rules, hetzner.now())?)
    }

    async fn previous(&self) -> Result<Option<Value>, CallError> {
        let firewall = self.hetzner.present::<Firewall>(&self.id).await?;
        Ok(Some(json!({"rules": firewall.model_rules()})))
    }

    fn undo(&self, previous: Option<&Value>) -> Option<UndoPlan> {
        let is_changed = previous?.get("rules") != Some(&json!(self.rules));
        is_changed.then(|| plan("set-rules", [("id", json!(self.id))]))
    }

    async fn send(&self, _: &Ticket) -> Result<Acceptance, SendError> {
        Ok(accepted(&self.id, self.start().await?))
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<firewalls::Firewall, SendError> {
        let subject = subject::<Firewall>(&self.id);
        self.hetzner.finish_unlocked(acceptance, &subject, || self.start()).await?;
        let id = accepted_id(acceptance)?;
        let is_set = |it: &Firewall| is_same_rules(&it.model_rules(), &self.rules);
        let (firewall, is_set) = self.hetzner.read_settled(id, &subject, is_set).await?;
        match is_set {
            true => Ok(firewall.into()),
            false => Err(differs("rules-differ", format!("{subject} has other rules than asked"))),
        }
    }
}

/// Applies a firewall to a server, or removes it.
pub struct Applied {
    pub(in crate::hetzner) hetzner: Arc<Hetzner>,
    pub(in crate::hetzner) id: String,
    pub(in crate::hetzner) server: String,
    pub(in crate::hetzner) is_applied: bool,
}

impl Applied {
    fn function(&self) -> &'static str {
        if self.is_applied { "apply" } else { "remove" }
    }

    /// Sends the request that leads to the wished state. To be there already is success.
    async fn start(&self) -> Result<Vec<u64>, SendError> {
        let (id, server) = (number::<Firewall>(&self.id)?, number::<Server>(&self.server)?);
        let started = self.hetzner.set_applied(id, server, self.is_applied).await;
        started.map_err(|error| error.into_send_error(&subject::<Firewall>(&self.id)))
    }
}

impl Effect for Applied {
    type Output = ();

    fn call(&self) -> Call {
        let request = json!({"id": self.id, "server": self.server});
        let mut call = converge::<Firewall>(self.function(), &self.id, request);
        call.references.push(Reference::new(Kind::Server.as_str(), &*self.server));
        call.subject = format!("firewall {} on server {}", self.id, self.server);
        call
    }

    async fn permit(&self, provenance: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        let hetzner = &self.hetzner;
        let firewall = hetzner.addressed::<Firewall>(provenance, &self.id).await?;
        let server = hetzner.addressed::<Server>(provenance, &self.server).await?;
        let operation = format!("hetzner.firewalls.{}", self.function());
        Ok(hetzner.grant.join(&operation, (&firewall, &server), hetzner.now())?)
    }

    async fn previous(&self) -> Result<Option<Value>, CallError> {
        let firewall = self.hetzner.present::<Firewall>(&self.id).await?;
        let is_applied = parse_id(&self.server).is_some_and(|id| firewall.servers().contains(&id));
        Ok(Some(json!({"is-applied": is_applied})))
    }

    fn undo(&self, previous: Option<&Value>) -> Option<UndoPlan> {
        let was_applied = previous?.get("is-applied").and_then(Value::as_bool)?;
        let function = if self.is_applied { "remove" } else { "apply" };
        let arguments = [("id", json!(self.id)), ("server", json!(self.server))];
        (was_applied != self.is_applied).then(|| plan(function, arguments))
    }

    async fn send(&self, _: &Ticket) -> Result<Acceptance, SendError> {
        Ok(accepted(&self.id, self.start().await?))
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<(), SendError> {
        let subject = subject::<Firewall>(&self.id);
        self.hetzner.finish_unlocked(acceptance, &subject, || self.start()).await?;
        let (id, server) = (number::<Firewall>(&self.id)?, number::<Server>(&self.server)?);
        let is_as_asked = |it: &Firewall| it.servers().contains(&server) == self.is_applied;
        match self.hetzner.read_settled(id, &subject, is_as_asked).await? {
            (_, true) => Ok(()),
            (_, false) => {
                let state = if self.is_applied { "not" } else { "still" };
                let text = format!("{subject} is {state} applied to server {server}");
                Err(differs("not-as-asked", text))
            }
        }
    }
}

impl Project {
    /// Starts to apply or remove a firewall; nothing where it is so already.
    pub(in crate::hetzner) async fn set_applied(
        &self,
        firewall: u64,
        server: u64,
        is_applied: bool,
    ) -> Result<Vec<u64>, super::super::client::ApiError> {
        let (verb, list, settled) = match is_applied {
            true => ("apply_to_resources", "apply_to", "firewall_already_applied"),
            false => ("remove_from_resources", "remove_from", "firewall_resource_not_found"),
        };
        let path = format!("firewalls/{firewall}/actions/{verb}");
        let mut body = json!({});
        body[list] = json!([{"type": "server", "server": {"id": server}}]);
        match self.client.act(path, body).await {
            Err(error) if error.is_one_of(&[settled]) => Ok(Vec::new()),
            other => other,
        }
    }

    /// Reads a firewall back until it `is_settled`, and tells whether it is: an action may end well
    /// before what it did shows, or without having done it.
    async fn read_settled(
        &self,
        id: u64,
        subject: &str,
        is_settled: impl Fn(&Firewall) -> bool,
    ) -> Result<(Firewall, bool), SendError> {
        let mut patience = self.client.patience(LINGER_MAX);
        loop {
            let firewall: Firewall = self.read_back(id, subject).await?;
            let is_settled = is_settled(&firewall);
            if is_settled || !self.client.linger(&mut patience).await {
                return Ok((firewall, is_settled));
            }
        }
    }

    /// Reads a thing that must be there, before it is changed.
    pub(super) async fn present<R: crate::hetzner::wire::Resource>(
        &self,
        id: &str,
    ) -> Result<R, CallError> {
        let subject = subject::<R>(id);
        let gone = || not_found(&subject, "there is none");
        let found = self.client.get::<R>(parse_id(id).ok_or_else(gone)?).await;
        Ok(found.map_err(|error| error.failure(&subject))?.ok_or_else(gone)?)
    }
}

fn plan<const N: usize>(function: &str, arguments: [(&str, Value); N]) -> UndoPlan {
    let arguments: BTreeMap<_, _> =
        arguments.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let operation = format!("hetzner.firewalls.{function}");
    UndoPlan { operation, arguments, rank: Rank::Firewall }
}
