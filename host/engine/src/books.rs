//! The books of the installation, as one run writes them: fenced, over the store.

use std::sync::Arc;

use futures_util::TryFutureExt as _;
use runwrit_capabilities::books::{
    Answer, Audit, AuditEvent, BookError, Registry, TenantRow, Writer,
};

use crate::recorder::Recorder;
use crate::store::StoreError;

/// The registry and the audit log in the hands of one run.
#[derive(Clone)]
pub struct Books {
    /// The registry of tenants.
    pub registry: Arc<dyn Registry>,
    /// The audit log.
    pub audit: Arc<dyn Audit>,
}

impl Books {
    pub(crate) fn new(recorder: &Arc<Recorder>) -> Self {
        let book = Arc::new(Book(Arc::clone(recorder)));
        Self { registry: book.clone(), audit: book }
    }
}

/// Writes under the claim of the run.
struct Book(Arc<Recorder>);

impl Registry for Book {
    fn tenant<'a>(&'a self, id: &'a str) -> Answer<'a, Option<TenantRow>> {
        Box::pin(self.0.store().tenant(id).map_err(told))
    }

    fn tenants(&self) -> Answer<'_, Vec<TenantRow>> {
        Box::pin(self.0.store().tenants().map_err(told))
    }

    fn write(&self, row: TenantRow) -> Answer<'_, ()> {
        Box::pin(self.0.store().write_tenant(self.0.fence(), row).map_err(told))
    }
}

impl Audit for Book {
    fn append(&self, event: AuditEvent) -> Answer<'_, bool> {
        let (store, fence) = (self.0.store(), self.0.fence());
        Box::pin(store.append_audit(fence, event, self.0.now()).map_err(told))
    }

    fn written_by<'a>(&'a self, writer: &'a Writer) -> Answer<'a, Vec<AuditEvent>> {
        Box::pin(self.0.store().audit_by(writer).map_err(told))
    }
}

fn told(error: StoreError) -> BookError {
    match error {
        StoreError::Book(error) => error,
        StoreError::Fenced { .. } => BookError::Fenced,
        other => BookError::Store(other.to_string()),
    }
}
