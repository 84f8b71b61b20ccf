//! Creating servers: the first candidate that the grant allows and the API can deliver.

use std::sync::{Arc, Mutex};

use runwrit_model::call::{Call, CallClass, Rank, Reference, UndoPlan};
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::grant::{Addressed, Permit, ServerRequest, Situation};
use runwrit_model::hetzner::{Candidate, Kind, ServerSpec};
use runwrit_model::id::Digest;
use runwrit_model::labels::TYPE;
use runwrit_model::limits::READY_MAX;
use serde_json::{Value, json};

use super::create::all_labels;
use super::making::{Found, Making, refused};
use super::{accepted_id, subject};
use crate::bindings::runwrit::hetzner::servers;
use crate::gate::{Acceptance, CallError, Effect, Provenance, SendError, Ticket};
use crate::hetzner::Hetzner;
use crate::hetzner::batch::Batch;
use crate::hetzner::offers::{Market, is_out_of_stock, none_available};
use crate::hetzner::price::holding;
use crate::hetzner::scope::{Nothing, parse_id};
use crate::hetzner::wire::{Firewall, Network, Server};

/// Creates one server.
pub struct CreateServer {
    pub(in crate::hetzner) order: Order,
    permitted: Mutex<Option<Permitted>>,
}

/// What is to be ordered.
pub struct Order {
    pub(in crate::hetzner) hetzner: Arc<Hetzner>,
    pub(in crate::hetzner) batch: Arc<Batch>,
    pub(in crate::hetzner) spec: ServerSpec,
}

/// What a permit rests on: the things that were looked at, and the candidate chosen.
#[derive(Clone)]
pub struct Permitted {
    networks: Vec<Addressed>,
    firewalls: Vec<Addressed>,
    pub(in crate::hetzner) candidate: Candidate,
}

impl CreateServer {
    /// Describes the creation of a server.
    pub fn new(order: Order) -> Self {
        Self { order, permitted: Mutex::new(None) }
    }

    fn chosen(&self) -> Option<Permitted> {
        self.permitted.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

impl Effect for CreateServer {
    type Output = servers::Server;

    fn call(&self) -> Call {
        let spec = &self.order.spec;
        let mut request = json!(spec);
        // The journal tells user data by digest: it may be long, and a grant names it so too.
        request["user-data"] = json!(Digest::of(spec.user_data.as_bytes()));
        let reference = |kind: Kind| move |id: &String| Reference::new(kind.as_str(), id.clone());
        let networks = spec.networks.iter().map(reference(Kind::Network));
        let firewalls = spec.firewalls.iter().map(reference(Kind::Firewall));
        Call {
            operation: "hetzner.servers.create".to_owned(),
            class: CallClass::KeyedCreate,
            request,
            kind: Some(Kind::Server.to_string()),
            key: Some(spec.name.clone()),
            references: networks.chain(firewalls).collect(),
            subject: subject::<Server>(&spec.name),
        }
    }

    fn request(&self) -> Value {
        json!(self.order.spec)
    }

    fn found(&self) -> Option<Value> {
        let Candidate { server_type, location, .. } = self.chosen()?.candidate;
        Some(json!({"server-type": server_type, "location": location}))
    }

    async fn permit(
        &self,
        provenance: &dyn Provenance,
        earlier: &[&Self],
    ) -> Result<Permit, CallError> {
        let others = earlier.iter().filter_map(|other| Some((*other, other.chosen()?)));
        let others: Vec<_> = others
            .map(|(other, permitted)| (other.order.spec.name.clone(), permitted.candidate))
            .collect();
        let (permit, permitted) = self.order.choose(provenance, &others, Purpose::Create).await?;
        let order = &permitted.candidate;
        let price = holding(Kind::Server, &self.order.spec.name, order.eur_per_month);
        self.order.batch.ordered().await.insert(self.order.spec.name.clone(), price);
        *self.permitted.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(permitted);
        Ok(permit)
    }

    fn undo(&self, _: Option<&Value>) -> Option<UndoPlan> {
        let operation = "hetzner.servers.delete".to_owned();
        Some(UndoPlan { operation, arguments: Default::default(), rank: Rank::Server })
    }

    async fn send(&self, ticket: &Ticket) -> Result<Acceptance, SendError> {
        let name = &self.order.spec.name;
        if ticket.is_repeated {
            match self.order.hetzner.find_ours::<Server>(ticket, name).await? {
                Found::Ours(found) => return Ok(found),
                Found::Foreign | Found::Nothing => {}
            }
        }
        self.order.place(ticket, self.chosen()).await
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<servers::Server, SendError> {
        let subject = subject::<Server>(&self.order.spec.name);
        let hetzner = &self.order.hetzner;
        let id = accepted_id(acceptance)?;
        match hetzner.client.wait(&super::action_ids(acceptance)).await {
            Err(error) if error.is_locked() => self.order.mend(id, &subject).await?,
            ended => ended.map_err(|error| error.into_send_error(&subject))?,
        }
        let mut server = self.order.running(id, &subject).await?;
        if self.order.verify(&server).is_err() {
            // Lists may lag behind what actions have done.
            server = hetzner.read_back(id, &subject).await?;
        }
        self.order.verify(&server)?;
        Ok(server.into())
    }
}

/// For which operation a permit is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To order.
    Create,
    /// To look at what an order would do.
    Check,
}

impl Order {
    /// Asks for the permit of the best candidate that can be had.
    pub(in crate::hetzner) async fn choose(
        &self,
        provenance: &dyn Provenance,
        others: &[(String, Candidate)],
        purpose: Purpose,
    ) -> Result<(Permit, Permitted), CallError> {
        let candidates = self.candidates().await?;
        let best = candidates.iter().find(|(_, is_available)| *is_available);
        let Some((candidate, is_available)) = best.or(candidates.first()).cloned() else {
            return Err(none_available(&self.spec.name, &[]).into());
        };
        let (networks, firewalls) = self.look(provenance).await?;
        let permitted = Permitted { networks, firewalls, candidate };
        let mut alive = self.batch.paid(&self.hetzner, provenance).await?.to_vec();
        let priced = |(name, candidate): &(String, Candidate)| {
            holding(Kind::Server, name, candidate.eur_per_month)
        };
        alive.extend(others.iter().map(priced));
        let situation = Situation { now: self.hetzner.now(), alive: &alive };
        let permit = self.ask(&permitted, &situation, purpose)?;
        if !is_available {
            let tried: Vec<_> = candidates.into_iter().map(|(candidate, _)| candidate).collect();
            return Err(none_available(&self.spec.name, &tried).into());
        }
        for key in &self.spec.ssh_keys {
            self.batch.ssh_key(&self.hetzner, key).await?;
        }
        Ok((permit, permitted))
    }

    fn ask(
        &self,
        permitted: &Permitted,
        situation: &Situation<'_>,
        purpose: Purpose,
    ) -> Result<Permit, CallError> {
        let Permitted { networks, firewalls, candidate } = permitted;
        let request = ServerRequest { spec: &self.spec, candidate, networks, firewalls };
        let grant = &self.hetzner.grant;
        Ok(match purpose {
            Purpose::Create => grant.create_server(&request, situation)?,
            Purpose::Check => grant.check_server(&request, situation)?,
        })
    }

    /// Returns what may be ordered, best first. Where the grant allows nothing of what the role
    /// lists, all of it is returned, so that the refusal names what is missing.
    async fn candidates(&self) -> Result<Vec<(Candidate, bool)>, Failure> {
        let (types, prices) =
            (self.batch.types(&self.hetzner).await?, self.batch.prices(&self.hetzner).await?);
        let market = Market { types: &types, prices: &prices };
        let all = market.candidates(&self.hetzner.settings, &self.spec)?;
        let bare: Vec<_> = all.iter().map(|(candidate, _)| candidate.clone()).collect();
        let permitted = self.hetzner.grant.permitted_candidates(&bare);
        let is_permitted = |it: &&(Candidate, bool)| permitted.contains(&it.0);
        let allowed: Vec<_> = all.iter().filter(is_permitted).cloned().collect();
        Ok(if allowed.is_empty() { all } else { allowed })
    }

    async fn look(
        &self,
        provenance: &dyn Provenance,
    ) -> Result<(Vec<Addressed>, Vec<Addressed>), CallError> {
        let (mut networks, mut firewalls) = (Vec::new(), Vec::new());
        for id in &self.spec.networks {
            networks.push(self.hetzner.addressed::<Network>(provenance, id).await?);
        }
        for id in &self.spec.firewalls {
            firewalls.push(self.hetzner.addressed::<Firewall>(provenance, id).await?);
        }
        Ok((networks, firewalls))
    }

    /// Orders the candidate of the permit, and the next ones where the API has none of it.
    async fn place(
        &self,
        ticket: &Ticket,
        permitted: Option<Permitted>,
    ) -> Result<Acceptance, SendError> {
        let name = &self.spec.name;
        let unsent = |failure| sent_before(ticket, failure);
        let candidates = self.candidates().await.map_err(unsent)?;
        let mut tried = Vec::new();
        for (candidate, is_available) in candidates {
            let is_permitted = permitted.as_ref().is_some_and(|it| it.candidate == candidate);
            let is_allowed = is_permitted
                || (is_available && self.allows(&permitted, &candidate).await.map_err(unsent)?);
            if !is_allowed {
                continue;
            }
            tried.push(candidate.clone());
            let body = self.body(ticket, &candidate).await.map_err(unsent)?;
            match self.hetzner.make::<Server>(ticket, name, body).await? {
                Making::Accepted(accepted) => {
                    let note = json!({"server-type": candidate.server_type,
                        "location": candidate.location});
                    return Ok(Acceptance { note, ..accepted });
                }
                Making::Refused(error) if is_out_of_stock(&error) => {}
                Making::Refused(error) => return Err(refused::<Server>(ticket, name, error)),
            }
        }
        Err(unsent(none_available(name, &tried)))
    }

    /// Asks the grant for another candidate than the one of the permit. The intent was permitted in
    /// time, so that expiry is no longer asked; what may be ordered and what it costs is.
    async fn allows(
        &self,
        permitted: &Option<Permitted>,
        candidate: &Candidate,
    ) -> Result<bool, Failure> {
        let (networks, firewalls) = match permitted {
            Some(permitted) => (permitted.networks.clone(), permitted.firewalls.clone()),
            None => self.look(&Nothing).await.map_err(|error| match error {
                CallError::Failed(failure) => failure,
                CallError::Stopped(stop) => {
                    Failure::Failed(Problem::new("stopped", stop.to_string()))
                }
            })?,
        };
        let name = &self.spec.name;
        let mut ordered = self.batch.ordered().await;
        let mut alive = self.batch.paid(&self.hetzner, &Nothing).await?.to_vec();
        // After a crash an order may have landed before its answer was read: it counts once.
        alive.retain(|it| {
            it.kind != Kind::Server || (it.name != *name && !ordered.contains_key(&it.name))
        });
        alive.extend(ordered.values().filter(|other| other.name != *name).cloned());
        let permitted = Permitted { networks, firewalls, candidate: candidate.clone() };
        let situation = Situation { now: 0, alive: &alive };
        let is_allowed = self.ask(&permitted, &situation, Purpose::Create).is_ok();
        if is_allowed {
            let price = holding(Kind::Server, name, candidate.eur_per_month);
            ordered.insert(name.clone(), price);
        }
        Ok(is_allowed)
    }

    async fn body(&self, ticket: &Ticket, candidate: &Candidate) -> Result<Value, Failure> {
        let spec = &self.spec;
        let mut keys = Vec::new();
        for name in &spec.ssh_keys {
            keys.push(self.batch.ssh_key(&self.hetzner, name).await?);
        }
        let ids = |ids: &[String]| ids.iter().filter_map(|id| parse_id(id)).collect::<Vec<_>>();
        let mut labels = all_labels(&spec.labels, ticket);
        // Nobody knows before the order which candidate it will be.
        labels.insert(TYPE.to_owned(), candidate.server_type.clone());
        let firewalls = ids(&spec.firewalls).into_iter().map(|id| json!({"firewall": id}));
        let mut body = json!({
            "name": spec.name,
            "server_type": candidate.server_type,
            "location": candidate.location,
            "image": spec.image,
            "ssh_keys": keys,
            "networks": ids(&spec.networks),
            "firewalls": firewalls.collect::<Vec<_>>(),
            "labels": labels,
            "public_net": {
                "enable_ipv4": spec.has_public_ipv4,
                "enable_ipv6": spec.has_public_ipv6,
            },
        });
        if !spec.user_data.is_empty() {
            body["user_data"] = json!(spec.user_data);
        }
        Ok(body)
    }

    /// Joins what an action could not join because another one held the server.
    async fn mend(&self, id: u64, subject: &str) -> Result<(), SendError> {
        let hetzner = &self.hetzner;
        let server: Server = hetzner.read_back(id, subject).await?;
        let mut actions = Vec::new();
        for network in self.missing_networks(&server) {
            let path = format!("servers/{id}/actions/attach_to_network");
            let started = hetzner.client.act(path, json!({"network": network})).await;
            actions.extend(started.map_err(|error| after(error.into_send_error(subject)))?);
        }
        for firewall in self.missing_firewalls(&server) {
            let started = hetzner.set_applied(firewall, id, true).await;
            actions.extend(started.map_err(|error| after(error.into_send_error(subject)))?);
        }
        let waited = hetzner.client.wait(&actions).await;
        waited.map_err(|error| error.into_send_error(subject))?;
        self.switch_on(server, subject).await
    }

    /// Switches a server on that the API left off, since its start waited for what failed.
    async fn switch_on(&self, server: Server, subject: &str) -> Result<(), SendError> {
        if server.status != "off" {
            return Ok(());
        }
        let started = self.hetzner.start_power(server.id, true).await;
        let actions = started.map_err(|error| after(error.into_send_error(subject)))?;
        let waited = self.hetzner.client.wait(&actions).await;
        waited.map_err(|error| error.into_send_error(subject))
    }

    /// Waits until the server runs; switched on by the API itself, it may still be starting.
    async fn running(&self, id: u64, subject: &str) -> Result<Server, SendError> {
        let hetzner = &self.hetzner;
        let mut patience = hetzner.client.patience(READY_MAX);
        loop {
            let since = hetzner.now();
            let server: Server = hetzner.read_back_since(id, subject, since).await?;
            if server.status == "running" {
                return Ok(server);
            }
            if !hetzner.client.linger(&mut patience).await {
                break;
            }
        }
        let text = format!("{subject} was created and does not run");
        Err(SendError::FailedAfterEffect(Failure::TimedOut(Problem::new("not-running", text))))
    }

    /// A server without its firewall is open, and one without its network is useless.
    fn verify(&self, server: &Server) -> Result<(), SendError> {
        let networks = self.missing_networks(server);
        let firewalls = self.missing_firewalls(server);
        if networks.is_empty() && firewalls.is_empty() {
            return Ok(());
        }
        let text = format!(
            "server {} came without networks {networks:?} and firewalls {firewalls:?}",
            server.name
        );
        Err(SendError::FailedAfterEffect(Failure::Failed(Problem::new("incomplete", text))))
    }

    fn missing_networks(&self, server: &Server) -> Vec<u64> {
        let wanted = self.spec.networks.iter().filter_map(|id| parse_id(id));
        wanted.filter(|id| !server.private_net.iter().any(|it| it.network == *id)).collect()
    }

    fn missing_firewalls(&self, server: &Server) -> Vec<u64> {
        let wanted = self.spec.firewalls.iter().filter_map(|id| parse_id(id));
        wanted.filter(|id| !server.public_net.firewalls.iter().any(|it| it.id == *id)).collect()
    }
}

/// The server is there already, so that no later refusal proves anything.
fn after(error: SendError) -> SendError {
    match error {
        SendError::Refused(failure) => SendError::FailedAfterEffect(failure),
        other => other,
    }
}

/// An earlier send of this call may have had its effect, so that a refusal now proves nothing.
fn sent_before(ticket: &Ticket, failure: Failure) -> SendError {
    match ticket.is_repeated {
        true => SendError::FailedAfterEffect(failure),
        false => SendError::Refused(failure),
    }
}
