//! What reverts a change of the registry.

use std::collections::BTreeMap;
use std::sync::Arc;

use runwrit_model::id::RunId;
use serde::Deserialize;

use super::{apply, rules};
use crate::books::{BookError, Registry, TenantState, Writer};
use crate::gate::{Undo, UndoError, UndoRequest, Undone};

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
    run: RunId,
}

impl Undoer {
    /// Holds the book, for the rollback of one run.
    pub fn new(book: Arc<dyn Registry>, run: RunId) -> Self {
        Self { book, run }
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
        let change = match request.plan.operation.as_str() {
            "registry.tenants.fail" => {
                let writer = Writer { run: self.run.clone(), call: request.call };
                rules::fail(&row, &writer)
            }
            "registry.tenants.restore" => {
                let previous = previous(request)?;
                Some(rules::restore(&row, previous.state, previous.endpoints))
            }
            other => return Err(UndoError::Never(format!("`{other}` is no undo of the registry"))),
        };
        match change {
            None => Ok(Undone::NotOurs),
            Some(change) => apply(self.book.as_ref(), change)
                .await
                .map(|_| Undone::Done)
                .map_err(|error| later(&error)),
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
