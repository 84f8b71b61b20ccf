//! What writes the audit log.

use std::collections::BTreeMap;
use std::sync::Arc;

use runwrit_model::call::{Call, CallClass, Rank, UndoPlan};
use serde_json::{Value, json};

use super::Events;
use crate::books::{AuditEvent, Writer};
use crate::gate::{Acceptance, CallError, Effect, Permit, Provenance, SendError, Ticket};

/// Appends one event.
pub(super) struct Append {
    pub(super) events: Arc<Events>,
    pub(super) kind: String,
    pub(super) subject: String,
    pub(super) details: BTreeMap<String, String>,
}

impl Effect for Append {
    type Output = ();

    fn call(&self) -> Call {
        Call {
            operation: "audit.events.append".to_owned(),
            // The same run and call write one event, however often they are sent.
            class: CallClass::Converge,
            request: json!({
                "kind": self.kind, "subject": self.subject, "details": self.details,
            }),
            kind: Some("audit.event".to_owned()),
            key: None,
            references: Vec::new(),
            subject: format!("event {} about {}", self.kind, self.subject),
        }
    }

    async fn permit(&self, _: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        self.events.permit(&self.kind, &self.subject)
    }

    fn undo(&self, _: Option<&Value>) -> Option<UndoPlan> {
        let operation = "audit.events.append-rolled-back".to_owned();
        Some(UndoPlan { operation, arguments: BTreeMap::new(), rank: Rank::Audit })
    }

    fn is_over_when_accepted(&self) -> bool {
        true
    }

    async fn send(&self, ticket: &Ticket) -> Result<Acceptance, SendError> {
        let event = AuditEvent {
            writer: Writer { run: self.events.authority.run.clone(), call: ticket.call },
            kind: self.kind.clone(),
            subject: self.subject.clone(),
            details: self.details.clone(),
        };
        let is_new = self.events.book.append(event).await;
        let is_new = is_new.map_err(|error| SendError::Unknown(error.to_string()))?;
        Ok(Acceptance { is_adopted: !is_new, ..Acceptance::default() })
    }

    async fn complete(&self, _: &Acceptance) -> Result<(), SendError> {
        Ok(())
    }
}
