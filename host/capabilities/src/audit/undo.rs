//! What a rollback adds to the audit log: events are never removed.

use std::collections::BTreeMap;
use std::sync::Arc;

use runwrit_model::id::RunId;

use super::ROLLED_BACK;
use crate::books::{Audit, AuditEvent, BookError, Writer};
use crate::gate::{Undo, UndoError, UndoRequest, Undone};

/// Adds the events of a rollback for one run. It needs no grant: the journaled intent, which a
/// permit allowed, is its authority.
#[derive(Clone)]
pub struct Undoer {
    book: Arc<dyn Audit>,
    run: RunId,
}

impl Undoer {
    /// Holds the book, for the rollback of one run.
    pub fn new(book: Arc<dyn Audit>, run: RunId) -> Self {
        Self { book, run }
    }
}

impl Undo for Undoer {
    async fn undo(&self, request: &UndoRequest) -> Result<Undone, UndoError> {
        let later = |error: BookError| UndoError::Later(error.to_string());
        let writer = Writer { run: self.run.clone(), call: request.call };
        let written = self.book.written_by(&writer).await.map_err(later)?;
        let Some(event) = written.first() else { return Ok(Undone::Absent) };
        let event = AuditEvent {
            writer,
            kind: format!("{}{ROLLED_BACK}", event.kind),
            subject: event.subject.clone(),
            details: BTreeMap::new(),
        };
        self.book.append(event).await.map(|_| Undone::Done).map_err(later)
    }
}
