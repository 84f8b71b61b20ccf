//! What reverts a change of the registry.

use std::collections::BTreeMap;
use std::sync::Arc;

use runwrit_model::id::RunId;
use serde::Deserialize;

use super::{apply, rules};
use crate::books::{Audit, AuditEvent, BookError, Registry, TenantRow, TenantState, Writer};
use crate::gate::{Undo, UndoError, UndoRequest, Undone};

/// The kind of the event that tells of a tenant whose reservation was reverted.
const FAILED: &str = "TENANT_FAILED";

/// What `activate` found before it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Previous {
    state: TenantState,
    endpoints: BTreeMap<String, String>,
}

/// Reverts changes of the registry for one run. It needs no grant: the journaled intent, which a
/// permit allowed, is its authority.
#[derive(Clone)]
pub struct Undoer {
    book: Arc<dyn Registry>,
    log: Arc<dyn Audit>,
    run: RunId,
}

impl Undoer {
    /// Holds the books, for the rollback of one run.
    pub fn new(book: Arc<dyn Registry>, log: Arc<dyn Audit>, run: RunId) -> Self {
        Self { book, log, run }
    }

    /// Marks a tenant as failed, and tells auditors. The event is keyed by run and call, so however
    /// often this is repeated, they read of it once.
    async fn fail(&self, row: &TenantRow, request: &UndoRequest) -> Result<Undone, UndoError> {
        let writer = Writer { run: self.run.clone(), call: request.call };
        let Some(change) = rules::fail(row, &writer) else { return Ok(Undone::NotOurs) };
        let row = apply(self.book.as_ref(), change).await.map_err(|error| later(&error))?;
        if row.state == TenantState::Failed {
            let (kind, subject) = (FAILED.to_owned(), row.id);
            let event = AuditEvent { writer, kind, subject, details: BTreeMap::new() };
            self.log.append(event).await.map_err(|error| later(&error))?;
        }
        Ok(Undone::Done)
    }
}

impl Undo for Undoer {
    async fn undo(&self, request: &UndoRequest) -> Result<Undone, UndoError> {
        let id = request.plan.arguments.get("id").and_then(|id| id.as_str()).ok_or_else(|| {
            UndoError::Never(format!("the undo of call {} names no tenant", request.call))
        })?;
        let Some(row) = self.book.tenant(id).await.map_err(|error| later(&error))? else {
            return Ok(Undone::Absent);
        };
        match request.plan.operation.as_str() {
            "registry.tenants.fail" => self.fail(&row, request).await,
            "registry.tenants.restore" => {
                let previous = previous(request)?;
                let change = rules::restore(&row, previous.state, previous.endpoints);
                let restored = apply(self.book.as_ref(), change).await;
                restored.map(|_| Undone::Done).map_err(|error| later(&error))
            }
            other => Err(UndoError::Never(format!("`{other}` is no undo of the registry"))),
        }
    }
}

fn previous(request: &UndoRequest) -> Result<Previous, UndoError> {
    let value = request.previous.clone().unwrap_or_default();
    serde_json::from_value(value).map_err(|error| {
        UndoError::Never(format!("the state before call {} is unreadable: {error}", request.call))
    })
}

fn later(error: &BookError) -> UndoError {
    UndoError::Later(error.to_string())
}
