//! A capability of three calls: create a net, create a server in it, link two things.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use runwrit_capabilities::gate::{
    Acceptance, CallError, Effect, Observation, Permit, Provenance, SendError, Ticket, UndoError,
    UndoRequest, Undone,
};
use runwrit_model::call::{Call, CallClass, Rank, Reference, UndoPlan};
use runwrit_model::grant::Grant;
use runwrit_model::journal::World;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cloud::{Cloud, Thing, argument};
use super::fuse::Fuse;
use crate::books::Books;
use crate::outside::{ClaimsError, Outside, WorldsError};

/// What a process holds of the outside.
#[derive(Clone)]
pub struct Toy {
    pub cloud: Arc<Cloud>,
    pub fuse: Arc<Fuse>,
    pub grant: Arc<Grant>,
    pub world: World,
}

/// What a creation gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    pub id: String,
    pub name: String,
}

impl Toy {
    fn permit(&self, name: &str) -> Result<Permit, CallError> {
        Ok(self.grant.append_event("TOY", name, 1)?)
    }

    pub fn net(&self, name: &str) -> Make {
        Make {
            toy: self.clone(),
            kind: "net",
            name: name.to_owned(),
            parent: None,
            nature: Nature::Keyed,
        }
    }

    pub fn server(&self, name: &str, net: &str) -> Make {
        let parent = Some(net.to_owned());
        Make { kind: "server", parent, ..self.net(name) }
    }

    /// A thing whose name is not unique.
    pub fn marked(&self, name: &str) -> Make {
        Make { nature: Nature::Marked, kind: "mark", ..self.net(name) }
    }

    /// A creation of the class of a net, under a key that the cloud does not keep unique.
    pub fn twin(&self, name: &str) -> Make {
        Make { nature: Nature::Twin, kind: "mark", ..self.net(name) }
    }

    /// A thing that is there as soon as the cloud took it.
    pub fn row(&self, name: &str) -> Make {
        Make { nature: Nature::Instant, kind: "row", ..self.net(name) }
    }

    pub fn link(&self, one: &str, two: &str) -> Link {
        Link { toy: self.clone(), one: one.to_owned(), two: two.to_owned() }
    }

    pub fn shout(&self, text: &str) -> Shout {
        Shout { toy: self.clone(), text: text.to_owned() }
    }

    pub fn get(&self, id: &str) -> Get {
        Get { toy: self.clone(), id: id.to_owned() }
    }
}

/// Creates something.
pub struct Make {
    toy: Toy,
    kind: &'static str,
    name: String,
    parent: Option<String>,
    nature: Nature,
}

/// What a creation is like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nature {
    Keyed,
    Marked,
    Twin,
    Instant,
}

impl Effect for Make {
    type Output = Made;

    fn call(&self) -> Call {
        Call {
            operation: format!("toy.{}s.create", self.kind),
            class: match self.nature {
                Nature::Marked => CallClass::ProbeCreate,
                Nature::Keyed | Nature::Twin | Nature::Instant => CallClass::KeyedCreate,
            },
            request: json!({ "name": self.name, "parent": self.parent }),
            kind: Some(format!("toy.{}", self.kind)),
            key: Some(self.name.clone()),
            references: self.parent.iter().map(|id| Reference::new("toy.net", id)).collect(),
            subject: format!("{} {}", self.kind, self.name),
        }
    }

    async fn permit(&self, _: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        self.toy.permit(&self.name)
    }

    fn undo(&self, _: Option<&Value>) -> Option<UndoPlan> {
        let rank = if self.kind == "net" { Rank::Network } else { Rank::Server };
        let operation = format!("toy.{}s.delete", self.kind);
        Some(UndoPlan { operation, arguments: BTreeMap::new(), rank })
    }

    fn is_key_enforced(&self) -> bool {
        self.nature != Nature::Twin
    }

    fn is_over_when_accepted(&self) -> bool {
        self.nature == Nature::Instant
    }

    async fn send(&self, ticket: &Ticket) -> Result<Acceptance, SendError> {
        if matches!(self.nature, Nature::Marked | Nature::Twin) && ticket.is_repeated {
            let found = self.toy.cloud.find(&ticket.labels);
            if let Some(id) = found.first() {
                let remote_id = Some(id.clone());
                return Ok(Acceptance { remote_id, is_adopted: true, ..Acceptance::default() });
            }
        }
        let thing = Thing {
            kind: self.kind.to_owned(),
            name: self.name.clone(),
            labels: BTreeMap::new(),
            parent: self.parent.clone(),
        };
        self.toy.cloud.create(&self.toy.fuse, thing, ticket).await
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<Made, SendError> {
        let id = acceptance.remote_id.clone().unwrap();
        let thing = self.toy.cloud.read(&self.toy.fuse, &id).await?;
        Ok(Made { id, name: thing.name })
    }
}

/// Links two things; saying it twice changes nothing.
pub struct Link {
    toy: Toy,
    one: String,
    two: String,
}

impl Effect for Link {
    type Output = ();

    fn call(&self) -> Call {
        let (one, two) = (&self.one, &self.two);
        Call {
            operation: "toy.links.attach".to_owned(),
            class: CallClass::Converge,
            request: json!({ "one": one, "two": two }),
            kind: Some("toy.server".to_owned()),
            key: None,
            references: vec![Reference::new("toy.server", one), Reference::new("toy.server", two)],
            subject: format!("link {one}-{two}"),
        }
    }

    async fn permit(&self, _: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        self.toy.permit("link")
    }

    fn undo(&self, _: Option<&Value>) -> Option<UndoPlan> {
        let arguments = BTreeMap::from([("one".to_owned(), json!(self.one))]);
        let operation = "toy.links.detach".to_owned();
        Some(UndoPlan { operation, arguments, rank: Rank::Server })
    }

    fn is_over_when_accepted(&self) -> bool {
        true
    }

    async fn send(&self, _: &Ticket) -> Result<Acceptance, SendError> {
        self.toy.cloud.link(&self.toy.fuse, &self.one, &self.two).await
    }

    async fn complete(&self, _: &Acceptance) -> Result<(), SendError> {
        Ok(())
    }
}

/// Can neither be repeated nor looked for. Its reply is always lost.
pub struct Shout {
    toy: Toy,
    text: String,
}

impl Effect for Shout {
    type Output = ();

    fn call(&self) -> Call {
        Call {
            operation: "toy.shouts.send".to_owned(),
            class: CallClass::Opaque,
            request: json!({ "text": self.text }),
            kind: None,
            key: None,
            references: Vec::new(),
            subject: format!("shout {}", self.text),
        }
    }

    async fn permit(&self, _: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        self.toy.permit("shout")
    }

    fn undo(&self, _: Option<&Value>) -> Option<UndoPlan> {
        None
    }

    async fn send(&self, _: &Ticket) -> Result<Acceptance, SendError> {
        self.toy.fuse.pass("before shout").await;
        Err(SendError::Unknown("the line went dead".to_owned()))
    }

    async fn complete(&self, _: &Acceptance) -> Result<(), SendError> {
        Ok(())
    }
}

/// Reads one thing's name.
pub struct Get {
    toy: Toy,
    id: String,
}

impl Observation for Get {
    type Output = String;

    fn call(&self) -> Call {
        Call {
            operation: "toy.nets.get".to_owned(),
            class: CallClass::Read,
            request: json!({ "id": self.id }),
            kind: None,
            key: None,
            references: Vec::new(),
            subject: format!("net {}", self.id),
        }
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        self.toy.permit("get")
    }

    async fn read(&self, provenance: &dyn Provenance) -> Result<String, CallError> {
        assert!(provenance.made_by(&Reference::new("toy.net", &self.id)).is_some());
        let thing = self.toy.cloud.read(&self.toy.fuse, &self.id).await;
        Ok(thing.expect("what was made stands").name)
    }
}

impl Outside for Toy {
    fn claim(&self) -> BoxFuture<'_, Result<(), ClaimsError>> {
        Box::pin(async { Ok(()) })
    }

    fn release(&self) -> BoxFuture<'_, Result<(), ClaimsError>> {
        Box::pin(async { Ok(()) })
    }

    fn worlds(&self) -> BoxFuture<'_, Result<BTreeMap<String, World>, WorldsError>> {
        Box::pin(async { Ok(BTreeMap::from([("toy".to_owned(), self.world.clone())])) })
    }

    fn undo<'a>(
        &'a self,
        request: &'a UndoRequest,
        _: &'a Books,
    ) -> BoxFuture<'a, Result<Undone, UndoError>> {
        Box::pin(async move {
            if request.plan.operation == "toy.links.detach" {
                let one = argument(&request.plan.arguments, "one");
                return self.cloud.unlink(&self.fuse, &one).await;
            }
            let name = request.key.as_deref().unwrap();
            let id = request.remote_id.as_deref();
            self.cloud.delete(&self.fuse, id, (name, &request.labels)).await
        })
    }
}
