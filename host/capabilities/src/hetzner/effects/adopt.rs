//! Takes what stands already into the scope of a run, by the labels that prove it. The host does so
//! by itself when a person asks for it; no interface offers it to a runbook.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use runwrit_model::call::{Call, CallClass, Rank, UndoPlan};
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::grant::Permit;
use runwrit_model::hetzner::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::accepted_id;
use crate::gate::{Acceptance, CallError, Effect, Provenance, SendError, Ticket};
use crate::hetzner::Hetzner;
use crate::hetzner::adoption::Adoptable;
use crate::hetzner::scope::not_found;

/// Takes one thing into the scope.
pub struct Adopt {
    hetzner: Arc<Hetzner>,
    kind: Kind,
    name: String,
    /// What the permit of this process saw.
    seen: OnceLock<Adoptable>,
}

/// What an intent records of the thing before.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Previous {
    id: u64,
    labels: BTreeMap<String, String>,
}

impl Adopt {
    /// Describes the adoption of what stands under a name.
    pub fn new(hetzner: Arc<Hetzner>, kind: Kind, name: String) -> Self {
        Self { hetzner, kind, name, seen: OnceLock::new() }
    }

    fn subject(&self) -> String {
        format!("{} {}", self.kind.as_str().trim_start_matches("hetzner."), self.name)
    }

    /// Reads the labels of the thing, which must still be there.
    async fn labels(&self, id: u64) -> Result<BTreeMap<String, String>, SendError> {
        let found = self.hetzner.labels_of(self.kind, id).await;
        let found = found.map_err(|error| error.into_send_error(&self.subject()))?;
        let gone = || not_found(&self.subject(), "it has vanished");
        found.ok_or_else(|| SendError::Refused(gone()))
    }
}

impl Effect for Adopt {
    type Output = ();

    fn call(&self) -> Call {
        Call {
            operation: format!("hetzner.{}.adopt", self.kind.plural()),
            class: CallClass::Converge,
            request: json!({"name": self.name}),
            kind: Some(self.kind.to_string()),
            key: Some(self.name.clone()),
            references: Vec::new(),
            subject: self.subject(),
        }
    }

    async fn permit(&self, _: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        let found = self.hetzner.adoptable(self.kind, &self.name).await?;
        let holding = found.holding();
        let permit = self.hetzner.grant.adopt(self.kind, &holding, self.hetzner.now())?;
        self.seen.get_or_init(|| found);
        Ok(permit)
    }

    async fn previous(&self) -> Result<Option<Value>, CallError> {
        let Adoptable { id, labels, .. } = self.seen.get().expect("a permit looks first").clone();
        Ok(Some(json!(Previous { id, labels })))
    }

    /// What was adopted is given back as it was, and never deleted.
    fn undo(&self, previous: Option<&Value>) -> Option<UndoPlan> {
        let previous: Previous = serde_json::from_value(previous?.clone()).ok()?;
        Some(UndoPlan {
            operation: format!("hetzner.{}.release", self.kind.plural()),
            arguments: BTreeMap::from([("id".to_owned(), json!(previous.id.to_string()))]),
            rank: Rank::Audit,
        })
    }

    async fn send(&self, ticket: &Ticket) -> Result<Acceptance, SendError> {
        let previous = ticket.previous.clone().unwrap_or_default();
        let before: Previous = serde_json::from_value(previous)
            .map_err(|error| SendError::Unknown(format!("what was before is lost: {error}")))?;
        let mut wanted = before.labels.clone();
        wanted.extend(ticket.labels.clone());
        let present = self.labels(before.id).await?;
        let is_done = present == wanted;
        if !is_done && present != before.labels {
            let text =
                format!("{}: somebody else changed its labels; run it again", self.subject());
            return Err(SendError::Refused(Failure::Conflict(Problem::new("labels-moved", text))));
        }
        if !is_done {
            let put = self.hetzner.put_labels(self.kind, before.id, &wanted).await;
            put.map_err(|error| error.into_send_error(&self.subject()))?;
        }
        let is_adopted = is_done && ticket.is_repeated;
        let remote_id = Some(before.id.to_string());
        Ok(Acceptance { remote_id, is_adopted, ..Acceptance::default() })
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<(), SendError> {
        let labels = self.labels(accepted_id(acceptance)?).await?;
        match self.hetzner.key.verify(&labels, self.kind.as_str(), &self.name) {
            Ok(_) => Ok(()),
            Err(error) => {
                let text = format!("{} is not as it was labelled: {error}", self.subject());
                let failure = Failure::Failed(Problem::new("not-adopted", text));
                Err(SendError::FailedAfterEffect(failure))
            }
        }
    }
}
