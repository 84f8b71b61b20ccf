//! The books that an installation keeps: its registry of tenants and its audit log.
//!
//! The rules stand in the capabilities; a book only keeps rows, atomically and fenced. The engine
//! implements both over its store.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use runwrit_model::call::CallId;
use runwrit_model::id::RunId;
use serde::{Deserialize, Serialize};

/// What a book answers, later.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, BookError>>;

/// Why a book did not take a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// Somebody else wrote the row since it was read; nothing was written.
    #[error("the row was written by somebody else in between")]
    Moved,
    /// A living tenant (any that is not `deleted`) holds the octet; nothing was written.
    #[error("octet {octet} belongs to tenant `{holder}`")]
    OctetInUse {
        /// The octet.
        octet: u8,
        /// The tenant that holds it.
        holder: String,
    },
    /// Another process took the run over; nothing was written.
    #[error("another process took the run over")]
    Fenced,
    /// The store failed; the row may or may not have been written.
    #[error("the store failed: {0}")]
    Store(String),
}

/// Which call wrote a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Writer {
    /// The run.
    pub run: RunId,
    /// The call.
    pub call: CallId,
}

/// Where a tenant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TenantState {
    /// Reserved; nothing of it serves yet.
    Pending,
    /// Serving.
    Active,
    /// A run on it was rolled back.
    Failed,
    /// Deprovisioned; its octet is free again.
    Deleted,
}

impl TenantState {
    /// Returns the state as rows and messages spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        }
    }
}

/// One tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TenantRow {
    /// The id: lowercase alphanumeric, 2 to 20 characters, starting with a letter.
    pub id: String,
    /// The second octet of its network.
    pub octet: u8,
    /// Where it stands.
    pub state: TenantState,
    /// Its addresses by name.
    pub endpoints: BTreeMap<String, String>,
    /// The call that reserved it last; a rollback touches only its own reservation.
    pub reserved_by: Writer,
    /// Counts the writes from one.
    pub revision: u64,
}

/// The registry of tenants.
pub trait Registry: Send + Sync {
    /// Returns a tenant.
    fn tenant<'a>(&'a self, id: &'a str) -> Answer<'a, Option<TenantRow>>;

    /// Returns all tenants, by id.
    fn tenants(&self) -> Answer<'_, Vec<TenantRow>>;

    /// Writes a row whose revision is one more than the stored one (one where none is stored), and
    /// checks in the same transaction that no other living tenant holds its octet.
    fn write(&self, row: TenantRow) -> Answer<'_, ()>;
}

/// One event of the audit log. The store adds the time and the starter of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AuditEvent {
    /// The call that wrote it.
    pub writer: Writer,
    /// For example `TENANT_PROVISIONED`.
    pub kind: String,
    /// About what, for example `acme`.
    pub subject: String,
    /// Facts by name.
    pub details: BTreeMap<String, String>,
}

/// The audit log: events are appended, never changed and never removed.
pub trait Audit: Send + Sync {
    /// Appends an event, unless one of the same writer and kind is there already. Returns whether
    /// it was new.
    fn append(&self, event: AuditEvent) -> Answer<'_, bool>;

    /// Returns the events that one call wrote, oldest first.
    fn written_by<'a>(&'a self, writer: &'a Writer) -> Answer<'a, Vec<AuditEvent>>;
}
