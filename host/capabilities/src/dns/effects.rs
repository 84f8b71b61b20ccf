//! What changes records. A set is declared whole; only what was read before is changed.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use runwrit_model::call::{Call, CallClass, Rank, UndoPlan};
use runwrit_model::dns::{Content, Declaration, Declared, KIND, SetId, declare};
use runwrit_model::failure::Failure;
use runwrit_model::grant::{Holder, Permit, RecordChange};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::{ChangeError, Found};
use super::{Dns, Look, conflict};
use crate::bindings::runwrit::dns::records;
use crate::gate::{Acceptance, CallError, Effect, Provenance, SendError, Ticket};
use crate::hetzner_api::client::ApiError;

/// What an intent records of the state before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Previous {
    /// What the set held; nothing where there was none.
    pub set: Option<Content>,
}

/// Declares a whole set.
pub(super) struct Set {
    dns: Arc<Dns>,
    declaration: Declaration,
    /// What the permit of this process saw.
    seen: OnceLock<Look>,
}

/// Deletes a whole set.
pub(super) struct Delete {
    dns: Arc<Dns>,
    id: SetId,
    seen: OnceLock<Look>,
}

impl Set {
    pub(super) fn new(dns: Arc<Dns>, declaration: Declaration) -> Self {
        Self { dns, declaration, seen: OnceLock::new() }
    }
}

impl Delete {
    pub(super) fn new(dns: Arc<Dns>, id: SetId) -> Self {
        Self { dns, id, seen: OnceLock::new() }
    }
}

impl Effect for Set {
    type Output = records::FoundSet;

    fn call(&self) -> Call {
        let Declaration { id, ttl, values } = &self.declaration;
        call("set", id, json!({"id": id, "ttl": ttl, "values": values}))
    }

    async fn permit(&self, _: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        let (dns, id) = (&self.dns, &self.declaration.id);
        // Nothing is asked about a name that is not granted at all.
        dns.grant.read_record(OPERATION_SET, id, dns.now())?;
        let look = dns.look(id).await?;
        let holder = dns.zones.holder(id, look.set(id));
        let ttl = Some(self.declaration.ttl.unwrap_or(look.zone.ttl));
        let change = RecordChange { id, holder, ttl };
        let permit = dns.grant.change_record(OPERATION_SET, change, dns.now())?;
        self.seen.get_or_init(|| look);
        Ok(permit)
    }

    fn found(&self) -> Option<Value> {
        foreign(&self.dns, &self.declaration.id, &self.seen)
    }

    async fn previous(&self) -> Result<Option<Value>, CallError> {
        let look = seen(&self.seen);
        look.check(&self.declaration.id)?;
        Ok(Some(previous(look.set(&self.declaration.id))))
    }

    fn undo(&self, previous: Option<&Value>) -> Option<UndoPlan> {
        let wrote = self.declaration.content();
        let previous = read_previous(previous).set;
        let is_changed = !previous.is_some_and(|previous| previous.is_same(&wrote));
        is_changed.then(|| plan(&self.declaration.id, Some(&wrote)))
    }

    async fn send(&self, ticket: &Ticket) -> Result<Acceptance, SendError> {
        let previous = read_previous(ticket.previous.as_ref()).set;
        let labels = ticket.labels.clone();
        let wanted = Content { labels, ..self.declaration.content() };
        // A creation needs no second look: the API refuses to make a set twice.
        let must_look = ticket.is_repeated || previous.is_some();
        match self.lead(ticket, previous.as_ref(), &wanted, must_look).await {
            Err(SendError::Refused(Failure::Conflict(problem)))
                if problem.code == "uniqueness_error" =>
            {
                self.lead(ticket, previous.as_ref(), &wanted, true).await
            }
            other => other,
        }
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<records::FoundSet, SendError> {
        let (zones, id) = (&self.dns.zones, &self.declaration.id);
        finish(&self.dns, acceptance, id).await?;
        let found = zones.set(id).await.map_err(|error| unread(id, &error))?;
        let wanted = self.declaration.content();
        match found {
            Some(found) if found.content.is_same(&wanted) => Ok(zones.told(id, &found)),
            other => {
                let present = other.map(|found| found.content);
                let failure = moved(id, present.as_ref(), "this call wrote", Some(&wanted));
                Err(SendError::FailedAfterEffect(failure))
            }
        }
    }
}

impl Set {
    /// Leads from what stands there to what is wanted, unless somebody else was there since.
    async fn lead(
        &self,
        ticket: &Ticket,
        previous: Option<&Content>,
        wanted: &Content,
        must_look: bool,
    ) -> Result<Acceptance, SendError> {
        let (zones, id) = (&self.dns.zones, &self.declaration.id);
        let found = match must_look {
            true => zones.set(id).await.map_err(|error| error.into_send_error(&id.to_string()))?,
            false => None,
        };
        let present = found.as_ref().map(|found| &found.content);
        let refused = |error: ApiError| error.into_send_error(&id.to_string());
        let actions = match declare(previous, Some(wanted), present) {
            Declared::Settled if previous.is_some() || self.is_made_by(ticket, found.as_ref()) => {
                return Ok(accepted(id, Vec::new(), ticket.is_repeated));
            }
            Declared::Create => zones.create(id, wanted).await.map_err(refused)?,
            Declared::Change => {
                let empty = Content::default();
                let changed = zones.change(id, present.unwrap_or(&empty), wanted).await;
                changed.map_err(|error| send_error(id, error))?
            }
            Declared::Settled | Declared::Moved => {
                let failure = moved(id, present, "it was read before as", previous);
                return Err(SendError::Refused(failure));
            }
        };
        Ok(accepted(id, actions, false))
    }

    /// Somebody else may have made the very same set in between.
    fn is_made_by(&self, ticket: &Ticket, found: Option<&Found>) -> bool {
        found.is_some_and(|found| found.content.labels == ticket.labels)
    }
}

impl Effect for Delete {
    type Output = ();

    fn call(&self) -> Call {
        call("delete", &self.id, json!({"id": self.id}))
    }

    async fn permit(&self, _: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        let (dns, id) = (&self.dns, &self.id);
        dns.grant.read_record(OPERATION_DELETE, id, dns.now())?;
        let look = dns.look(id).await?;
        let holder = dns.zones.holder(id, look.set(id));
        let change = RecordChange { id, holder, ttl: None };
        let permit = dns.grant.change_record(OPERATION_DELETE, change, dns.now())?;
        self.seen.get_or_init(|| look);
        Ok(permit)
    }

    fn found(&self) -> Option<Value> {
        foreign(&self.dns, &self.id, &self.seen)
    }

    async fn previous(&self) -> Result<Option<Value>, CallError> {
        let look = seen(&self.seen);
        let found = look.set(&self.id);
        if found.is_some() {
            look.check_editable(&self.id)?;
        }
        Ok(Some(previous(found)))
    }

    fn undo(&self, previous: Option<&Value>) -> Option<UndoPlan> {
        read_previous(previous).set.map(|_| plan(&self.id, None))
    }

    async fn send(&self, ticket: &Ticket) -> Result<Acceptance, SendError> {
        let (zones, id) = (&self.dns.zones, &self.id);
        let refused = |error: ApiError| error.into_send_error(&id.to_string());
        let previous = read_previous(ticket.previous.as_ref()).set;
        let found = zones.set(id).await.map_err(refused)?;
        let present = found.as_ref().map(|found| &found.content);
        match declare(previous.as_ref(), None, present) {
            Declared::Settled => Ok(accepted(id, Vec::new(), ticket.is_repeated)),
            Declared::Create | Declared::Change => {
                Ok(accepted(id, zones.remove(id).await.map_err(refused)?, false))
            }
            Declared::Moved => {
                let failure = moved(id, present, "it was read before as", previous.as_ref());
                Err(SendError::Refused(failure))
            }
        }
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<(), SendError> {
        let id = &self.id;
        finish(&self.dns, acceptance, id).await?;
        let found = self.dns.zones.set(id).await.map_err(|error| unread(id, &error))?;
        match found {
            None => Ok(()),
            Some(found) => {
                let failure = moved(id, Some(&found.content), "this call deleted it", None);
                Err(SendError::FailedAfterEffect(failure))
            }
        }
    }
}

const OPERATION_SET: &str = "dns.records.set";
const OPERATION_DELETE: &str = "dns.records.delete";

fn call(function: &str, id: &SetId, request: Value) -> Call {
    Call {
        operation: format!("dns.records.{function}"),
        class: CallClass::Converge,
        request,
        kind: Some(KIND.to_owned()),
        key: Some(id.key()),
        references: Vec::new(),
        subject: id.to_string(),
    }
}

/// The first thing in a rollback: no name may lead to a server that is gone.
fn plan(id: &SetId, wrote: Option<&Content>) -> UndoPlan {
    let arguments = [("id", json!(id)), ("wrote", json!(wrote))];
    let arguments: BTreeMap<_, _> =
        arguments.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    UndoPlan { operation: "dns.records.restore".to_owned(), arguments, rank: Rank::Dns }
}

/// Tells a plan that a set is not ours: such a one needs more of the grant.
fn foreign(dns: &Dns, id: &SetId, seen: &OnceLock<Look>) -> Option<Value> {
    let look = seen.get()?;
    let is_foreign = dns.zones.holder(id, look.set(id)) == Holder::Foreign;
    is_foreign.then(|| json!({"holder": "foreign"}))
}

fn previous(found: Option<&Found>) -> Value {
    json!(Previous { set: found.map(|found| found.content.clone()) })
}

fn read_previous(value: Option<&Value>) -> Previous {
    value.and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default()
}

/// The gate asks for the permit before it asks for the state before.
fn seen(seen: &OnceLock<Look>) -> &Look {
    seen.get().expect("a permit looks at the set")
}

fn accepted(id: &SetId, actions: Vec<u64>, is_adopted: bool) -> Acceptance {
    let actions = actions.iter().map(u64::to_string).collect();
    Acceptance { remote_id: Some(id.key()), actions, is_adopted, ..Acceptance::default() }
}

async fn finish(dns: &Dns, acceptance: &Acceptance, id: &SetId) -> Result<(), SendError> {
    let actions: Vec<u64> = acceptance.actions.iter().filter_map(|id| id.parse().ok()).collect();
    let waited = dns.zones.client.wait(&actions).await;
    waited.map_err(|error| error.into_send_error(&id.to_string()))
}

fn send_error(id: &SetId, error: ChangeError) -> SendError {
    match error {
        ChangeError::Unsent(error) => error.into_send_error(&id.to_string()),
        ChangeError::Begun(error) => error.into_send_error(&id.to_string()),
    }
}

fn unread(id: &SetId, error: &ApiError) -> SendError {
    SendError::Unknown(format!("{id}: {error}"))
}

/// Tells both values, so that a person sees what somebody else did.
fn moved(id: &SetId, present: Option<&Content>, what: &str, expected: Option<&Content>) -> Failure {
    let told = |content: Option<&Content>| content.map_or("absent".into(), Content::to_string);
    let (present, expected) = (told(present), told(expected));
    let message =
        format!("somebody else changed {id}: it is {present} now, {what} {expected}; run it again");
    conflict("record-moved", message)
}
