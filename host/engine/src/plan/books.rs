//! The books of an installation as a rehearsal writes them: a copy on write, never the real ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runwrit_capabilities::books::{
    Answer, Audit, AuditEvent, BookError, Registry, TenantRow, TenantState, Writer,
};

use crate::books::Books;
use crate::store::Store;

/// Reads the real store and keeps what is written.
struct Overlay {
    real: Arc<dyn Store>,
    tenants: Mutex<BTreeMap<String, TenantRow>>,
    events: Mutex<Vec<AuditEvent>>,
}

/// Lays fresh pages over the books of a store.
pub(super) fn overlay(real: Arc<dyn Store>) -> Books {
    let (tenants, events) = (Mutex::default(), Mutex::default());
    let book = Arc::new(Overlay { real, tenants, events });
    Books { registry: book.clone(), audit: book }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Overlay {
    async fn all(&self) -> Result<Vec<TenantRow>, BookError> {
        let rows = self.real.tenants().await?;
        let mut rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row.id.clone(), row)).collect();
        rows.extend(lock(&self.tenants).clone());
        Ok(rows.into_values().collect())
    }

    /// Keeps the rules of the store.
    async fn keep(&self, row: TenantRow) -> Result<(), BookError> {
        let rows = self.all().await?;
        let stored = rows.iter().find(|other| other.id == row.id);
        if row.revision != stored.map_or(0, |stored| stored.revision) + 1 {
            return Err(BookError::Moved);
        }
        let is_living = |other: &TenantRow| other.state != TenantState::Deleted;
        let holder = rows.iter().find(|other| {
            other.id != row.id && other.octet == row.octet && is_living(other) && is_living(&row)
        });
        if let Some(holder) = holder {
            let (octet, holder) = (row.octet, holder.id.clone());
            return Err(BookError::OctetInUse { octet, holder });
        }
        lock(&self.tenants).insert(row.id.clone(), row);
        Ok(())
    }
}

impl Registry for Overlay {
    fn tenant<'a>(&'a self, id: &'a str) -> Answer<'a, Option<TenantRow>> {
        Box::pin(async move { Ok(self.all().await?.into_iter().find(|row| row.id == id)) })
    }

    fn tenants(&self) -> Answer<'_, Vec<TenantRow>> {
        Box::pin(self.all())
    }

    fn write(&self, row: TenantRow) -> Answer<'_, ()> {
        Box::pin(self.keep(row))
    }
}

impl Audit for Overlay {
    fn append(&self, event: AuditEvent) -> Answer<'_, bool> {
        let mut events = lock(&self.events);
        let is_known =
            |known: &AuditEvent| known.writer == event.writer && known.kind == event.kind;
        let is_new = !events.iter().any(is_known);
        if is_new {
            events.push(event);
        }
        Box::pin(async move { Ok(is_new) })
    }

    fn written_by<'a>(&'a self, writer: &'a Writer) -> Answer<'a, Vec<AuditEvent>> {
        let events = lock(&self.events);
        let own = events.iter().filter(|event| event.writer == *writer).cloned().collect();
        Box::pin(async move { Ok(own) })
    }
}
