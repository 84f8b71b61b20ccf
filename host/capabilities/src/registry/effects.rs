//! What changes the registry.

use std::collections::BTreeMap;
use std::sync::Arc;

use runwrit_model::call::{Call, CallClass, Rank, Reference, UndoPlan};
use runwrit_model::failure::Failure;
use serde_json::{Value, json};

use super::rules::{self, Change};
use super::{KIND, Tenant, Tenants, apply, read_error, write_error};
use crate::books::{TenantRow, Writer};
use crate::gate::{Acceptance, CallError, Effect, Permit, Provenance, SendError, Ticket};

/// Reserves an id and an octet.
pub(super) struct Reserve {
    pub(super) tenants: Arc<Tenants>,
    pub(super) id: String,
    pub(super) octet: u8,
}

impl Effect for Reserve {
    type Output = Tenant;

    fn call(&self) -> Call {
        Call {
            operation: "registry.tenants.reserve".to_owned(),
            class: CallClass::KeyedCreate,
            request: json!({ "id": self.id, "octet": self.octet }),
            kind: Some(KIND.to_owned()),
            key: Some(self.id.clone()),
            references: Vec::new(),
            subject: format!("tenant {}", self.id),
        }
    }

    async fn permit(&self, _: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        self.tenants.permit("registry.tenants.reserve", &self.id, Some(self.octet))
    }

    fn undo(&self, _: Option<&Value>) -> Option<UndoPlan> {
        Some(plan("registry.tenants.fail", &self.id))
    }

    fn is_over_when_accepted(&self) -> bool {
        true
    }

    async fn send(&self, ticket: &Ticket) -> Result<Acceptance, SendError> {
        let writer = Writer { run: self.tenants.authority.run.clone(), call: ticket.call };
        let decide = |row: Option<&TenantRow>| rules::reserve(row, &self.id, self.octet, &writer);
        self.tenants.change(&self.id, decide).await
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<Tenant, SendError> {
        read_note(acceptance)
    }
}

/// Makes a pending tenant active.
pub(super) struct Activate {
    pub(super) tenants: Arc<Tenants>,
    pub(super) id: String,
    pub(super) endpoints: BTreeMap<String, String>,
}

impl Effect for Activate {
    type Output = Tenant;

    fn call(&self) -> Call {
        let request = json!({ "id": self.id, "endpoints": self.endpoints });
        converge("registry.tenants.activate", &self.id, request)
    }

    async fn permit(&self, _: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        self.tenants.permit("registry.tenants.activate", &self.id, None)
    }

    async fn previous(&self) -> Result<Option<Value>, CallError> {
        let stored = self.tenants.book.tenant(&self.id).await.map_err(read_error)?;
        Ok(stored.map(|row| json!({ "state": row.state, "endpoints": row.endpoints })))
    }

    fn undo(&self, previous: Option<&Value>) -> Option<UndoPlan> {
        previous.map(|_| plan("registry.tenants.restore", &self.id))
    }

    fn is_over_when_accepted(&self) -> bool {
        true
    }

    async fn send(&self, _: &Ticket) -> Result<Acceptance, SendError> {
        let decide = |row: Option<&TenantRow>| rules::activate(row, &self.id, &self.endpoints);
        self.tenants.change(&self.id, decide).await
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<Tenant, SendError> {
        read_note(acceptance)
    }
}

/// Makes a tenant deleted. That is a fact by then, so it has no undo.
pub(super) struct Retire {
    pub(super) tenants: Arc<Tenants>,
    pub(super) id: String,
}

impl Effect for Retire {
    type Output = Tenant;

    fn call(&self) -> Call {
        converge("registry.tenants.retire", &self.id, json!({ "id": self.id }))
    }

    async fn permit(&self, _: &dyn Provenance, _: &[&Self]) -> Result<Permit, CallError> {
        self.tenants.permit("registry.tenants.retire", &self.id, None)
    }

    fn undo(&self, _: Option<&Value>) -> Option<UndoPlan> {
        None
    }

    fn is_over_when_accepted(&self) -> bool {
        true
    }

    async fn send(&self, _: &Ticket) -> Result<Acceptance, SendError> {
        self.tenants.change(&self.id, |row| rules::retire(row, &self.id)).await
    }

    async fn complete(&self, acceptance: &Acceptance) -> Result<Tenant, SendError> {
        read_note(acceptance)
    }
}

impl Tenants {
    /// Reads a row, decides, and writes.
    async fn change(
        &self,
        id: &str,
        decide: impl Fn(Option<&TenantRow>) -> Result<Change, Failure>,
    ) -> Result<Acceptance, SendError> {
        // Nothing was sent yet, so a read that fails is no unknown outcome.
        let unread = |error| SendError::Refused(super::unread(&error));
        let stored = self.book.tenant(id).await.map_err(unread)?;
        let change = decide(stored.as_ref()).map_err(SendError::Refused)?;
        let is_adopted = matches!(change, Change::Nothing(_));
        let row = apply(self.book.as_ref(), change).await.map_err(write_error)?;
        let note = json!(Tenant::from(row));
        Ok(Acceptance { remote_id: Some(id.to_owned()), actions: Vec::new(), is_adopted, note })
    }
}

fn converge(operation: &str, id: &str, request: Value) -> Call {
    Call {
        operation: operation.to_owned(),
        class: CallClass::Converge,
        request,
        kind: Some(KIND.to_owned()),
        key: None,
        references: vec![Reference::new(KIND, id)],
        subject: format!("tenant {id}"),
    }
}

fn plan(operation: &str, id: &str) -> UndoPlan {
    let arguments = BTreeMap::from([("id".to_owned(), json!(id))]);
    UndoPlan { operation: operation.to_owned(), arguments, rank: Rank::Registry }
}

fn read_note(acceptance: &Acceptance) -> Result<Tenant, SendError> {
    serde_json::from_value(acceptance.note.clone())
        .map_err(|error| SendError::Unknown(format!("the accepted tenant is unreadable: {error}")))
}
