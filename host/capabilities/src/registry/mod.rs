//! The registry of tenants: who exists, on which octet, in which state.
//!
//! `effects` holds what changes it, `observations` what reads it, `undo` what reverts; the rules of
//! moving from one state to another stand in `rules`. Its outside is the book of the installation.

mod effects;
mod host;
mod observations;
mod rules;
mod undo;

use std::collections::BTreeMap;
use std::sync::Arc;

use runwrit_model::failure::{Failure, Problem};
use serde::{Deserialize, Serialize};

use crate::authority::Authority;
use crate::books::{BookError, Registry, TenantRow, TenantState};
use crate::gate::{CallError, Permit, SendError, Stop};
use rules::Change;

pub use rules::is_valid_id;
pub use undo::Undoer;

/// The kind of a tenant in journals.
pub const KIND: &str = "registry.tenant";

/// The registry, as far as one run may use it.
pub struct Tenants {
    book: Arc<dyn Registry>,
    authority: Authority,
}

impl Tenants {
    /// Holds the book, for one run under its grant.
    pub fn new(book: Arc<dyn Registry>, authority: Authority) -> Self {
        Self { book, authority }
    }

    fn permit(&self, operation: &str, id: &str, octet: Option<u8>) -> Result<Permit, CallError> {
        let Authority { grant, now, .. } = &self.authority;
        Ok(grant.tenant_call(operation, id, octet, now())?)
    }
}

/// Writes what a change comes to, and returns the row as it stands then.
async fn apply(book: &dyn Registry, change: Change) -> Result<TenantRow, BookError> {
    match change {
        Change::Nothing(row) => Ok(row),
        Change::Write(row) => book.write(row.clone()).await.map(|()| row),
    }
}

/// A tenant as guests see it and journals keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tenant {
    id: String,
    octet: u8,
    state: TenantState,
    endpoints: BTreeMap<String, String>,
}

impl From<TenantRow> for Tenant {
    fn from(row: TenantRow) -> Self {
        let TenantRow { id, octet, state, endpoints, .. } = row;
        Self { id, octet, state, endpoints }
    }
}

/// Tells a read that failed.
fn read_error(error: BookError) -> CallError {
    match error {
        BookError::Fenced => Stop::Fenced.into(),
        other => Stop::Store(other.to_string()).into(),
    }
}

/// Tells a write that failed: of a failed store nobody knows whether it wrote.
fn write_error(error: BookError) -> SendError {
    match error {
        BookError::Moved | BookError::OctetInUse { .. } => SendError::Refused(taken(&error)),
        BookError::Fenced | BookError::Store(_) => SendError::Unknown(error.to_string()),
    }
}

fn taken(error: &BookError) -> Failure {
    match error {
        BookError::OctetInUse { .. } => Failure::Conflict(
            Problem::new("octet-in-use", format!("{error}; choose another")).with_field("octet"),
        ),
        other => Failure::Conflict(Problem::new("row-moved", other.to_string())),
    }
}

/// Tells a read before a write that failed: nothing was written.
fn unread(error: &BookError) -> Failure {
    Failure::Failed(Problem::new("registry-unreadable", error.to_string()))
}
